//! `kafka-reassign-partitions`: moves replicas between brokers and log directories.

mod execute;
mod generate;
mod plan;
mod throttles;
mod verify;

use klamm_client::Admin;
use serde_json::{Value, json};

use crate::command_line::{Arguments, Failure, Grammar, Opt, Refusals, Tool, flag, long, text};

use super::session::{BOOTSTRAP, COMMAND_CONFIG, properties, with_admin_of};
use super::{java_errors, json_files};
use plan::Plan;

const OPTIONS: &[Opt] = &[
    BOOTSTRAP.value_may_miss(),
    COMMAND_CONFIG,
    text("bootstrap-controller", "host:port,...", "Some controllers of the cluster to connect to.")
        .value_may_miss(),
    flag("verify", "Says how far a reassignment is, and takes throttles away when it is done."),
    flag("generate", "Proposes a reassignment of topics to brokers; changes nothing."),
    flag("execute", "Starts a reassignment."),
    flag("cancel", "Cancels a reassignment under way."),
    flag("list", "Lists the reassignments under way."),
    text(
        "reassignment-json-file",
        "file",
        "The reassignment: {\"partitions\": [{\"topic\": \"foo\", \"partition\": 1, \"replicas\": [1,2], \"log_dirs\": [\"any\", \"any\"]}], \"version\": 1}.",
    ),
    text(
        "topics-to-move-json-file",
        "file",
        "The topics to move: {\"topics\": [{\"topic\": \"foo\"}], \"version\": 1}.",
    ),
    text("broker-list", "0,1,2", "The brokers to move them to."),
    flag("disable-rack-aware", "Takes no notice of racks."),
    long("throttle", "B/s", "How fast replicas may be moved between brokers; -1 for no limit."),
    long(
        "replica-alter-log-dirs-throttle",
        "B/s",
        "How fast replicas may be moved between directories; -1 for no limit.",
    ),
    long("timeout", "ms", "How long to wait for moves between directories to begin (default: 10000)."),
    flag("additional", "Adds to reassignments under way, or changes their throttle."),
    flag("preserve-throttles", "Leaves throttles as they are."),
    flag("disallow-replication-factor-change", "Fails rather than change how many replicas there are."),
];

/// The tool's table.
pub const TOOL: Tool = Tool {
    name: "reassign-partitions",
    classes: &[
        "org.apache.kafka.tools.reassign.ReassignPartitionsCommand",
        "kafka.admin.ReassignPartitionsCommand",
    ],
    about: "This tool moves the replicas of partitions between brokers and log directories.",
    grammar: Grammar::Joptsimple,
    options: &[OPTIONS],
    verbs: &[],
    refusals: Refusals {
        prefix: "Error: ",
        on_stdout: true,
        option_prefix: Some("Exception in thread \"main\" joptsimple.UnrecognizedOptionException: "),
    },
    run,
};

/// An action with the options that it needs, and those that it takes besides.
struct Action {
    name: &'static str,
    needs: &'static [&'static str],
    takes: &'static [&'static str],
}

const ACTIONS: &[Action] = &[
    Action {
        name: "generate",
        needs: &["topics-to-move-json-file", "broker-list"],
        takes: &["bootstrap-server", "command-config", "disable-rack-aware"],
    },
    Action {
        name: "execute",
        needs: &["reassignment-json-file"],
        takes: &[
            "additional",
            "bootstrap-server",
            "command-config",
            "replica-alter-log-dirs-throttle",
            "throttle",
            "timeout",
            "disallow-replication-factor-change",
        ],
    },
    Action {
        name: "verify",
        needs: &["reassignment-json-file"],
        takes: &["bootstrap-server", "command-config", "preserve-throttles"],
    },
    Action {
        name: "cancel",
        needs: &["reassignment-json-file"],
        takes: &[
            "bootstrap-server",
            "bootstrap-controller",
            "command-config",
            "preserve-throttles",
            "timeout",
        ],
    },
    Action {
        name: "list",
        needs: &[],
        takes: &["bootstrap-server", "bootstrap-controller", "command-config"],
    },
];

fn run(arguments: &Arguments) -> Result<(), Failure> {
    let chosen: Vec<_> = ACTIONS.iter().filter(|action| arguments.has(action.name)).collect();
    let [action] = chosen[..] else {
        let names: Vec<_> = ACTIONS.iter().map(|action| format!("--{}", action.name)).collect();
        return Err(Failure::Usage(format!("Command must include exactly one action: {}", names.join(", "))));
    };
    arguments.require(action.needs)?;
    for option in OPTIONS.iter().filter(|option| arguments.has(option.name)) {
        let is_known = option.name == action.name
            || action.needs.contains(&option.name)
            || action.takes.contains(&option.name)
            || ["output", "help", "version"].contains(&option.name);
        if !is_known {
            return Err(Failure::Usage(format!(
                "Option \"[{}]\" can't be used with action \"[{}]\"",
                option.name, action.name
            )));
        }
    }
    if !arguments.has("bootstrap-server") && !arguments.has("bootstrap-controller") {
        return Err(Failure::usage(match action.takes.contains(&"bootstrap-controller") {
            true => "Please specify either --bootstrap-server or --bootstrap-controller",
            false => "Please specify --bootstrap-server",
        }));
    }
    let mut properties = properties(arguments)?;
    if let Some(controllers) = arguments.value("bootstrap-controller")? {
        properties.insert("bootstrap.servers".to_owned(), controllers.to_owned());
    }
    with_admin_of(properties, "reassign-partitions-tool", async |admin| {
        let outcome = match action.name {
            "generate" => generate::run(&admin, arguments).await,
            "execute" => execute::run(&admin, arguments, &plan_of(arguments)?).await,
            "verify" => verify::run(&admin, arguments, &plan_of(arguments)?).await,
            "cancel" => cancel(&admin, arguments, &plan_of(arguments)?).await,
            _ => list(&admin, arguments).await,
        };
        outcome.map_err(super::session::late)
    })
}

fn plan_of(arguments: &Arguments) -> Result<Plan, Failure> {
    Plan::read(arguments.required("reassignment-json-file")?)
}

/// What `ExecutionException.getMessage` gives.
fn executed(error: &klamm_client::ClientError) -> Failure {
    Failure::refused(java_errors::full(error))
}

async fn list(admin: &Admin, arguments: &Arguments) -> Result<(), Failure> {
    let ongoing = admin.list_partition_reassignments(None).await.map_err(|error| executed(&error))?;
    if arguments.json() {
        let rows = ongoing.iter().map(|(partition, moving)| {
            json!({
                "topic": &*partition.topic, "partition": partition.partition, "replicas": moving.replicas,
                "adding": moving.adding_replicas, "removing": moving.removing_replicas,
            })
        });
        println!("{}", Value::Array(rows.collect()));
        return Ok(());
    }
    if ongoing.is_empty() {
        println!("No partition reassignments found.");
        return Ok(());
    }
    println!("Current partition reassignments:");
    for (partition, moving) in ongoing {
        let mut line = format!("{partition}: replicas: {}.", plan::ids(&moving.replicas));
        if !moving.adding_replicas.is_empty() {
            line += &format!(" adding: {}.", plan::ids(&moving.adding_replicas));
        }
        if !moving.removing_replicas.is_empty() {
            line += &format!(" removing: {}.", plan::ids(&moving.removing_replicas));
        }
        println!("{line}");
    }
    Ok(())
}

async fn cancel(admin: &Admin, arguments: &Arguments, plan: &Plan) -> Result<(), Failure> {
    let partitions: Vec<_> = plan.moves.iter().map(|entry| entry.partition.clone()).collect();
    let ongoing =
        admin.list_partition_reassignments(Some(&partitions)).await.map_err(|error| executed(&error))?;
    if ongoing.is_empty() {
        arguments.say("None of the specified partition reassignments are active.");
    } else {
        let wanted = ongoing.keys().map(|partition| (partition.clone(), None)).collect();
        let results = admin.alter_partition_reassignments(&wanted, true).await;
        let results = results.map_err(|error| executed(&error))?;
        let failed: Vec<_> =
            results.iter().filter_map(|(key, result)| Some((key, result.as_ref().err()?))).collect();
        if !failed.is_empty() {
            let lines: Vec<_> = failed
                .iter()
                .map(|(partition, error)| format!("{partition}: {}", java_errors::message(error)))
                .collect();
            return Err(Failure::refused(format!(
                "Error cancelling partition reassignment{} for:\n{}",
                if lines.len() == 1 { "" } else { "s" },
                lines.join("\n")
            )));
        }
        let names: Vec<_> = ongoing.keys().map(ToString::to_string).collect();
        arguments.say(format_args!(
            "Successfully cancelled partition reassignment{} for: {}",
            if names.len() == 1 { "" } else { "s" },
            names.join(",")
        ));
    }
    let moving = execute::directory_moves(plan);
    match moving.is_empty() {
        _ if arguments.json() => {
            println!("{}", json!(ongoing.keys().map(ToString::to_string).collect::<Vec<_>>()));
        }
        true => print!("None of the specified partition moves are active."),
        false => println!("Moves between log directories end by themselves; nothing was cancelled there."),
    }
    if !arguments.has("preserve-throttles") {
        throttles::clear(arguments, admin, plan).await?;
    }
    Ok(())
}
