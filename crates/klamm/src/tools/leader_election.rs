//! `kafka-leader-election`: has leaders elected.

use klamm_client::admin::ElectionType;
use klamm_client::{ClientError, ErrorCode, TopicPartition};
use serde_json::{Value, json};

use crate::command_line::{Arguments, Failure, Grammar, Refusals, Tool, flag, integer, text};

use super::session::{BOOTSTRAP, COMMAND_CONFIG};
use super::{java_errors, json_files};

/// The tool's table.
pub const TOOL: Tool = Tool {
    name: "leader-election",
    classes: &["org.apache.kafka.tools.LeaderElectionCommand", "kafka.admin.LeaderElectionCommand"],
    about: "This tool has leaders elected: the preferred ones, or unclean ones where nobody is in sync.",
    grammar: Grammar::Joptsimple,
    options: &[&[
        BOOTSTRAP,
        COMMAND_CONFIG,
        text("admin.config", "file", "").replaced_by("command-config"),
        text("election-type", "type", "preferred, or unclean where replicas may lack records."),
        text(
            "path-to-json-file",
            "file",
            "The partitions: {\"partitions\": [{\"topic\": \"foo\", \"partition\": 1}]}.",
        ),
        text("topic", "name", "The topic of --partition."),
        integer("partition", "id", "The partition of --topic."),
        flag("all-topic-partitions", "All partitions that can do with an election."),
    ]],
    verbs: &[],
    refusals: Refusals { prefix: "", on_stdout: false, option_prefix: Some("") },
    run,
};

fn run(arguments: &Arguments) -> Result<(), Failure> {
    let missing: Vec<_> =
        ["bootstrap-server", "election-type"].into_iter().filter(|name| !arguments.has(name)).collect();
    if !missing.is_empty() {
        return Err(Failure::refused(format!("Missing required option(s): {}", missing.join(", "))));
    }
    let scopes = ["topic", "all-topic-partitions", "path-to-json-file"];
    if scopes.iter().filter(|name| arguments.has(name)).count() != 1 {
        return Err(Failure::refused(format!(
            "One and only one of the following options is required: {}",
            scopes.join(", ")
        )));
    }
    if arguments.has("topic") && !arguments.has("partition") {
        return Err(Failure::refused("Missing required option(s): partition"));
    }
    if arguments.has("partition") && !arguments.has("topic") {
        return Err(Failure::refused("Option partition is only allowed if topic is used"));
    }
    let text = arguments.required("election-type")?;
    let election = match text.to_ascii_lowercase().as_str() {
        "preferred" => ElectionType::Preferred,
        "unclean" => ElectionType::Unclean,
        _ => {
            return Err(Failure::bare(format!("Cannot parse argument '{text}' of option election-type")));
        }
    };
    let partitions = partitions(arguments)?;
    let mut properties = super::session::properties(arguments)?;
    if let Some(path) = arguments.value("admin.config")? {
        properties.extend(super::session::read_properties(path)?);
    }
    super::session::with_admin_of(properties, "adminclient-1", async |admin| {
        let results = admin.elect_leaders(election, partitions.as_deref()).await;
        if let Err(ClientError::NoBroker { .. } | ClientError::TimedOut { .. }) = &results {
            println!("Timeout waiting for election results");
        }
        let results = results.map_err(|error| match error {
            ClientError::NoBroker { .. } | ClientError::TimedOut { .. } => {
                Failure::refused("Timeout waiting for election results")
            }
            error => error.into(),
        })?;
        report(arguments, election, results)
    })
}

fn partitions(arguments: &Arguments) -> Result<Option<Vec<TopicPartition>>, Failure> {
    if let Some(topic) = arguments.value("topic")? {
        let partition = arguments.number("partition")?.unwrap_or(0);
        return Ok(Some(vec![TopicPartition::new(topic, partition)]));
    }
    let Some(path) = arguments.value("path-to-json-file")? else { return Ok(None) };
    let text = json_files::read(path)
        .map_err(|_| Failure::refused(format!("java.io.IOException: Unable to read file {path}")))?;
    let json: Value = serde_json::from_str(&text)
        .map_err(|_| Failure::refused("Replica election data is empty or not a valid JSON"))?;
    let entries = json_files::partitions(&json)
        .map_err(|_| Failure::refused("Replica election data is missing \"partitions\" field"))?;
    let partitions = entries.into_iter().map(json_files::topic_partition).collect::<Result<Vec<_>, _>>()?;
    let twice: Vec<_> = json_files::duplicates(&partitions).iter().map(ToString::to_string).collect();
    if !twice.is_empty() {
        return Err(Failure::refused(format!(
            "Replica election data contains duplicate partitions: [{}]",
            twice.join(",")
        )));
    }
    Ok(Some(partitions))
}

fn report(
    arguments: &Arguments,
    election: ElectionType,
    results: Vec<(TopicPartition, Result<(), klamm_client::ClientError>)>,
) -> Result<(), Failure> {
    let kind = if election == ElectionType::Preferred { "PREFERRED" } else { "UNCLEAN" };
    if arguments.json() {
        let row = |(partition, result): &(TopicPartition, Result<(), klamm_client::ClientError>)| {
            let error =
                result.as_ref().err().filter(|error| error.code() != Some(ErrorCode::ElectionNotNeeded));
            json!({
                "topic": &*partition.topic, "partition": partition.partition, "elected": result.is_ok(),
                "error": error.map(java_errors::full),
            })
        };
        println!("{}", Value::Array(results.iter().map(row).collect()));
    }
    let is_quiet = arguments.json();
    let (mut done, mut needless, mut failed) = (Vec::new(), Vec::new(), Vec::new());
    for (partition, result) in results {
        match result {
            Ok(()) => done.push(partition.to_string()),
            Err(error) if error.code() == Some(ErrorCode::ElectionNotNeeded) => {
                needless.push(partition.to_string());
            }
            Err(error) => failed.push((partition, error)),
        }
    }
    if !done.is_empty() && !is_quiet {
        println!("Successfully completed leader election ({kind}) for partitions {}", done.join(", "));
    }
    if !needless.is_empty() && !is_quiet {
        println!("Valid replica already elected for partitions {}", needless.join(", "));
    }
    for (partition, error) in failed.iter().filter(|_| !is_quiet) {
        println!(
            "Error completing leader election ({kind}) for partition: {partition}: {}",
            java_errors::full(error)
        );
    }
    match failed.len() {
        0 => Ok(()),
        count => Err(Failure::refused(format!("{count} replica(s) could not be elected"))),
    }
}
