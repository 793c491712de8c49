//! `kafka-server-start` and `kafka-server-stop`.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::command_line::{Arguments, Failure, Grammar, Refusals, Tool, flag, text};
use crate::server;

/// `kafka-server-start [-daemon] server.properties [--override key=value]*`.
pub const START: Tool = Tool {
    name: "server-start",
    classes: &["kafka.Kafka"],
    about: "USAGE: kafka-server-start [-daemon] server.properties [--override property=value]*",
    grammar: Grammar::Joptsimple,
    options: &[&[
        flag("daemon", "Runs the server in the background; its output goes to $LOG_DIR/kafkaServer.out."),
        flag("loggc", "Ignored: there is no garbage to collect."),
        text("name", "name", "Ignored: a process name for the JVM."),
        text("override", "property=value", "Sets a key, over the file and the environment."),
    ]],
    verbs: &[],
    refusals: Refusals::PLAIN,
    run: start,
};

/// `kafka-server-stop [--process-role=ROLE | --node-id=N]`.
pub const STOP: Tool = Tool {
    name: "server-stop",
    classes: &["kafka.server.stop"],
    about: "Stops the servers of this machine, or those of one role or node id.",
    grammar: Grammar::Argparse,
    options: &[&[
        text("process-role", "broker|controller", "Only servers with this role."),
        text("node-id", "id", "Only the server with this node id."),
    ]],
    verbs: &[],
    refusals: Refusals::PLAIN,
    run: stop,
};

fn start(arguments: &Arguments) -> Result<(), Failure> {
    let [properties, ..] = &arguments.words[..] else {
        return Err(Failure::usage("The path of a properties file is missing"));
    };
    if !arguments.has("daemon") {
        let overrides = arguments.values("override").into_iter().map(str::to_owned).collect();
        return server::serve(Some(PathBuf::from(properties)), overrides);
    }
    let folder = std::env::var_os("LOG_DIR").map_or_else(|| PathBuf::from("logs"), PathBuf::from);
    fs::create_dir_all(&folder)?;
    let output = File::options().create(true).append(true).open(folder.join("kafkaServer.out"))?;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("server").arg(properties);
    for setting in arguments.values("override") {
        command.arg("--override").arg(setting);
    }
    command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
    // A process group of its own: a hang-up of this terminal does not reach it.
    command.process_group(0);
    command.spawn()?;
    Ok(())
}

fn stop(arguments: &Arguments) -> Result<(), Failure> {
    let role = arguments.value("process-role")?;
    let node_id = arguments.value("node-id")?;
    let mut stopped = 0;
    for entry in fs::read_dir("/proc")?.flatten() {
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        let Ok(line) = fs::read(entry.path().join("cmdline")) else { continue };
        let words: Vec<String> =
            line.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned()).collect();
        if !is_wanted(&entry.path().join("cwd"), &words, role, node_id) {
            continue;
        }
        if let Some(process) = Pid::from_raw(id)
            && kill_process(process, Signal::TERM).is_ok()
        {
            stopped += 1;
        }
    }
    if stopped == 0 {
        println!("No kafka server to stop");
        return Err(Failure::Ended(1));
    }
    Ok(())
}

/// Whether this command line is a server of ours, and of the role or id that is asked for.
fn is_wanted(folder: &std::path::Path, words: &[String], role: Option<&str>, node_id: Option<&str>) -> bool {
    let mut words = words.iter();
    let Some(program) = words.next() else { return false };
    let program = program.rsplit('/').next().unwrap_or_default();
    let is_server = match program {
        "klamm" => words.next().is_some_and(|word| word == "server" || word == "server-start"),
        "kafka-server-start" | "kafka-server-start.sh" => true,
        _ => false,
    };
    if !is_server || (role.is_none() && node_id.is_none()) {
        return is_server;
    }
    let Some(path) = words.find(|word| !word.starts_with('-')) else { return false };
    let Ok(bytes) = fs::read(folder.join(path)) else { return false };
    let Ok(properties) = config::properties::parse(&bytes) else { return false };
    let roles = properties.get("process.roles").map_or("", String::as_str);
    let has_role = role.is_none_or(|role| roles.split(',').any(|other| other.trim() == role));
    has_role && node_id.is_none_or(|id| properties.get("node.id").is_some_and(|other| other == id))
}
