//! `kafka-delete-records`: forgets records below an offset.

use serde_json::{Value, json};

use klamm_client::ClientError;

use crate::command_line::{Arguments, Failure, Grammar, Refusals, Tool, text};

use super::session::{BOOTSTRAP, COMMAND_CONFIG, with_admin};
use super::{java_errors, json_files};

/// The tool's table.
pub const TOOL: Tool = Tool {
    name: "delete-records",
    classes: &["org.apache.kafka.tools.DeleteRecordsCommand", "kafka.admin.DeleteRecordsCommand"],
    about: "This tool deletes the records of partitions below given offsets.",
    grammar: Grammar::Joptsimple,
    options: &[&[
        BOOTSTRAP,
        COMMAND_CONFIG,
        text("offset-json-file", "file", "Partitions with offsets: {\"partitions\": [{\"topic\": \"foo\", \"partition\": 1, \"offset\": 1}], \"version\": 1}. Offset -1 means everything.").required(),
    ]],
    verbs: &[],
    refusals: Refusals { prefix: "", on_stdout: false, option_prefix: None },
    run,
};

fn run(arguments: &Arguments) -> Result<(), Failure> {
    arguments.require(&["bootstrap-server", "offset-json-file"])?;
    let path = arguments.required("offset-json-file")?;
    let text = json_files::read(path).map_err(|_| Failure::bare(format!("Unable to read file {path}")))?;
    let json: Value = serde_json::from_str(&text)
        .map_err(|error| Failure::refused(format!("The input string is not a valid JSON\nhint: {error}")))?;
    match json.get("version").map_or(Some(1), Value::as_i64) {
        Some(1) => {}
        other => {
            let version = other.map_or_else(|| "null".to_owned(), |version| version.to_string());
            return Err(Failure::refused(format!("Not supported version field value {version}")));
        }
    }
    let mut offsets = Vec::new();
    for entry in json_files::partitions(&json)? {
        let offset = entry.get("offset").and_then(Value::as_i64);
        let offset = offset.ok_or_else(|| Failure::refused("No such field exists: offset"))?;
        offsets.push((json_files::topic_partition(entry)?, offset));
    }
    let keys: Vec<_> = offsets.iter().map(|(partition, _)| partition.clone()).collect();
    let twice: Vec<_> = json_files::duplicates(&keys).iter().map(ToString::to_string).collect();
    if !twice.is_empty() {
        return Err(Failure::refused(format!(
            "Offset json file contains duplicate topic partitions: {}",
            twice.join(",")
        )));
    }
    with_admin(arguments, "adminclient-1", async |admin| {
        if !arguments.json() {
            println!("Executing records delete operation");
        }
        let mut results = match admin.delete_records(&offsets).await {
            Err(error @ (ClientError::NoBroker { .. } | ClientError::TimedOut { .. }))
                if !arguments.json() =>
            {
                println!("Records delete operation completed:");
                for partition in &keys {
                    println!("partition: {partition}\terror: {}", java_errors::full(&error));
                }
                return Ok(());
            }
            results => results?,
        };
        results.sort_by(|left, right| left.0.cmp(&right.0));
        if arguments.json() {
            let row = |(partition, result): &(klamm_client::TopicPartition, Result<i64, _>)| match result {
                Ok(low) => json!({ "partition": partition.to_string(), "lowWatermark": low }),
                Err(error) => {
                    json!({ "partition": partition.to_string(), "error": java_errors::full(error) })
                }
            };
            println!("{}", Value::Array(results.iter().map(row).collect()));
            return Ok(());
        }
        println!("Records delete operation completed:");
        for (partition, result) in results {
            match result {
                Ok(low) => println!("partition: {partition}\tlow_watermark: {low}"),
                Err(error) => println!("partition: {partition}\terror: {}", java_errors::full(&error)),
            }
        }
        Ok(())
    })
}
