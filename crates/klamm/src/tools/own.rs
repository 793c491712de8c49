//! Completions and manual pages.

use std::fs;
use std::path::PathBuf;

use crate::command_line::{
    Arguments, Failure, Grammar, Refusals, Shell, Tool, completions, manual_page, nearest,
};

use super::ALL;

/// `klamm completions SHELL`.
pub const COMPLETIONS: Tool = Tool {
    name: "completions",
    classes: &[],
    about: "Prints completions for a shell: bash, zsh or fish.",
    grammar: Grammar::Argparse,
    options: &[],
    verbs: &[],
    refusals: Refusals::prefixed("klamm completions: "),
    run: print_completions,
};

/// `klamm man TOOL|--all DIR`.
pub const MANUAL: Tool = Tool {
    name: "man",
    classes: &[],
    about: "Prints a tool's manual page, or writes all of them into a folder: `klamm man TOOL|DIR`.",
    grammar: Grammar::Argparse,
    options: &[],
    verbs: &[],
    refusals: Refusals::prefixed("klamm man: "),
    run: print_manual,
};

fn print_completions(arguments: &Arguments) -> Result<(), Failure> {
    let name = arguments.words.first().map_or("", String::as_str);
    let Some(shell) = Shell::from_name(name) else {
        let near = nearest(name, ["bash", "zsh", "fish"]);
        let hint = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
        return Err(Failure::refused(format!("name a shell: bash, zsh or fish, not {name:?}{hint}")));
    };
    print!("{}", completions(shell, ALL));
    Ok(())
}

fn print_manual(arguments: &Arguments) -> Result<(), Failure> {
    let Some(word) = arguments.words.first() else {
        return Err(Failure::refused("name a tool, or a folder for the pages of all"));
    };
    let name = word.strip_prefix("kafka-").unwrap_or(word);
    if let Some(tool) = ALL.iter().find(|tool| tool.name == name) {
        print!("{}", manual_page(tool));
        return Ok(());
    }
    let folder = PathBuf::from(word);
    if !folder.is_dir() {
        let near = nearest(name, ALL.iter().map(|tool| tool.name));
        let hint = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
        return Err(Failure::refused(format!("{word} is neither a tool nor a folder{hint}")));
    }
    for tool in ALL {
        fs::write(folder.join(format!("kafka-{}.1", tool.name)), manual_page(tool))?;
    }
    Ok(())
}
