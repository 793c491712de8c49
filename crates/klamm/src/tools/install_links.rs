//! `klamm install-links DIR`: Kafka's names for our tools.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::command_line::{Arguments, Failure, Grammar, Refusals, Tool, flag};

use super::ALL;

/// The tool's table.
pub const TOOL: Tool = Tool {
    name: "install-links",
    classes: &[],
    about: "Makes kafka-* and kafka-*.sh links to this program in a folder.",
    grammar: Grammar::Argparse,
    options: &[&[flag("force", "Replaces files that have such a name already.")]],
    verbs: &[],
    refusals: Refusals::prefixed("klamm install-links: "),
    run,
};

fn run(arguments: &Arguments) -> Result<(), Failure> {
    let [folder] = &arguments.words[..] else {
        return Err(Failure::refused("name one folder, such as /usr/local/bin"));
    };
    let folder = Path::new(folder);
    fs::create_dir_all(folder)?;
    let program = std::env::current_exe()?;
    let mut count = 0;
    for tool in ALL.iter().filter(|tool| !tool.classes.is_empty()) {
        for name in [format!("kafka-{}", tool.name), format!("kafka-{}.sh", tool.name)] {
            let link = folder.join(name);
            if link.is_symlink() || arguments.has("force") {
                match fs::remove_file(&link) {
                    Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
                    _ => {}
                }
            }
            symlink(&program, &link)
                .map_err(|error| Failure::refused(format!("{}: {error}", link.display())))?;
            count += 1;
        }
    }
    println!("{count} links to {} in {}", program.display(), folder.display());
    Ok(())
}
