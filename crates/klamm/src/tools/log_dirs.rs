//! `kafka-log-dirs`: what lies in the log directories of brokers.

use serde_json::{Value, json};

use crate::command_line::{Arguments, Failure, Grammar, Refusals, Tool, flag, text};

use super::java_errors;
use super::session::{BOOTSTRAP, COMMAND_CONFIG, with_admin};

/// The tool's table.
pub const TOOL: Tool = Tool {
    name: "log-dirs",
    classes: &["org.apache.kafka.tools.LogDirsCommand", "kafka.admin.LogDirsCommand"],
    about: "This tool shows how much of which partition lies in which log directory.",
    grammar: Grammar::Joptsimple,
    options: &[&[
        BOOTSTRAP,
        COMMAND_CONFIG,
        flag("describe", "Shows the log directories of brokers."),
        text("topic-list", "topics", "Only these topics, parted by commas; all if not given."),
        text("broker-list", "ids", "Only these brokers, parted by commas; all if not given."),
    ]],
    verbs: &[],
    refusals: Refusals { prefix: "", on_stdout: false, option_prefix: Some("") },
    run,
};

fn run(arguments: &Arguments) -> Result<(), Failure> {
    arguments.require(&["bootstrap-server", "describe"])?;
    let topics = list(arguments.value("topic-list")?);
    let wanted: Vec<i32> = list(arguments.value("broker-list")?)
        .iter()
        .map(|id| id.parse().map_err(|_| Failure::refused(format!("For input string: \"{id}\""))))
        .collect::<Result<_, _>>()?;
    with_admin(arguments, "adminclient-1", async |admin| {
        let cluster = admin.describe_cluster(false).await;
        let cluster = cluster.map_err(|error| Failure::refused(java_errors::full(&error)))?;
        let known: Vec<i32> = cluster.nodes.iter().map(|node| node.id).collect();
        let missing: Vec<_> =
            wanted.iter().filter(|id| !known.contains(id)).map(ToString::to_string).collect();
        if !missing.is_empty() {
            let known: Vec<_> = known.iter().map(ToString::to_string).collect();
            return Err(Failure::refused(format!(
                "ERROR: The given brokers do not exist from --broker-list: {}. Current existent brokers: {}",
                missing.join(","),
                known.join(",")
            )));
        }
        let brokers = if wanted.is_empty() { known } else { wanted };
        let ids: Vec<_> = brokers.iter().map(ToString::to_string).collect();
        if !arguments.json() {
            println!("Querying brokers for log directories information");
        }
        let mut described = Vec::new();
        for broker in brokers {
            described.push((broker, admin.describe_log_dirs(broker, None).await?));
        }
        if !arguments.json() {
            println!("Received log directory information from brokers {}", ids.join(","));
        }
        let brokers: Vec<Value> =
            described.iter().map(|(broker, dirs)| broker_json(*broker, dirs, &topics)).collect();
        println!("{}", json!({ "brokers": brokers, "version": 1 }));
        Ok(())
    })
}

fn list(text: Option<&str>) -> Vec<String> {
    let parts = text.unwrap_or_default().split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.map(str::to_owned).collect()
}

fn broker_json(
    broker: i32,
    directories: &[klamm_client::admin::LogDirDescription],
    topics: &[String],
) -> Value {
    let directory = |directory: &klamm_client::admin::LogDirDescription| {
        let mut partitions = Vec::new();
        for topic in directory.topics.iter().filter(|topic| topics.is_empty() || topics.contains(&topic.name))
        {
            for partition in &topic.partitions {
                partitions.push(json!({
                    "partition": format!("{}-{}", topic.name, partition.partition_index),
                    "size": partition.partition_size,
                    "offsetLag": partition.offset_lag,
                    "isFuture": partition.is_future_key,
                }));
            }
        }
        let error = directory.error.as_ref().map(|error| error.code.message());
        json!({ "partitions": partitions, "error": error, "logDir": directory.path })
    };
    json!({ "broker": broker, "logDirs": directories.iter().map(directory).collect::<Vec<_>>() })
}
