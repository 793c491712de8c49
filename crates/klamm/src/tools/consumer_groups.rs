//! `kafka-consumer-groups`: groups listed, described, deleted, and their offsets reset.

mod describe;
mod options;
mod reset;

use std::collections::BTreeSet;

use klamm_client::{Admin, ErrorCode, TopicPartition};
use protocol::messages::list_groups_response::ListedGroup;
use regex::Regex;
use serde_json::{Value, json};

use crate::command_line::{Arguments, Failure};

use super::groups::capitalized;
use super::offset_plans::parse_topics;
use super::session::with_admin;
use super::{first_call, java_errors};

pub use describe::{address, announce, coordinator, ends};
pub use options::{RESETS, TOOL, check_scenarios, named};
pub use reset::print_plans;

/// The work of the tool, behind the check of its options. Failures are told on standard output with exit code 0: scripts
/// have learned to live with that.
fn run(arguments: &Arguments) -> Result<(), Failure> {
    options::check(arguments)?;
    if let Some(pattern) = arguments.value("validate-regex")? {
        match Regex::new(pattern) {
            Ok(_) => arguments.say(format_args!("The regular expression `{pattern}` is valid.")),
            Err(error) => {
                let reason = re2_reason(&error);
                arguments.say(format_args!("The regular expression `{pattern}` is invalid: {reason}."));
            }
        }
        return Ok(());
    }
    let outcome = with_admin(arguments, "adminclient-1", async |admin| {
        if arguments.has("list") {
            list(&admin, arguments).await
        } else if arguments.has("describe") {
            describe::run(&admin, arguments).await
        } else if arguments.has("delete") {
            delete(&admin, arguments).await
        } else if arguments.has("reset-offsets") {
            reset::run(&admin, arguments).await
        } else {
            delete_offsets(&admin, arguments).await
        }
    });
    match outcome {
        Err(Failure::Refused(message)) => {
            println!("\nError: Executing consumer group command failed due to {message}");
            Ok(())
        }
        other => other,
    }
}

/// RE2's word for what is wrong, where it is a common mistake.
fn re2_reason(error: &regex::Error) -> String {
    let text = error.to_string();
    if text.contains("unclosed group") {
        return "missing closing )".to_owned();
    }
    if text.contains("unclosed character class") {
        return "missing closing ]".to_owned();
    }
    text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

/// What `ExecutionException.getMessage` gives.
fn executed(error: &klamm_client::ClientError) -> Failure {
    Failure::refused(java_errors::full(error))
}

/// Groups of consumers: new ones, and classic ones with the consumers' protocol or none.
async fn consumer_groups(
    admin: &Admin,
    states: &[String],
    types: &[String],
) -> Result<Vec<ListedGroup>, Failure> {
    let groups = admin.list_groups(states, types).await;
    let mut groups = groups.map_err(|error| match first_call::name() {
        first_call::LIST_GROUPS => Failure::refused(format!(
            "java.util.concurrent.ExecutionException: {}",
            java_errors::full(&error)
        )),
        _ => executed(&error),
    })?;
    groups.retain(|group| {
        let kind = group.group_type.to_ascii_lowercase();
        kind == "consumer"
            || (matches!(kind.as_str(), "classic" | "")
                && matches!(group.protocol_type.as_str(), "consumer" | ""))
    });
    Ok(groups)
}

/// The groups that `--group` or `--all-groups` means.
async fn chosen(admin: &Admin, arguments: &Arguments) -> Result<Vec<String>, Failure> {
    if arguments.has("all-groups") {
        let groups = consumer_groups(admin, &[], &[]).await?;
        return Ok(groups.into_iter().map(|group| group.group_id).collect());
    }
    let named: BTreeSet<_> = arguments.values("group").into_iter().map(str::to_owned).collect();
    Ok(named.into_iter().collect())
}

async fn list(admin: &Admin, arguments: &Arguments) -> Result<(), Failure> {
    let states = options::states(arguments)?;
    let types = options::types(arguments)?;
    let groups = consumer_groups(admin, &states, &types).await?;
    if arguments.json() {
        let row = |group: &ListedGroup| json!({ "group": group.group_id, "type": group.group_type, "state": group.group_state });
        println!("{}", Value::Array(groups.iter().map(row).collect()));
        return Ok(());
    }
    let (with_type, with_state) = (arguments.has("type"), arguments.has("state"));
    if !with_type && !with_state {
        groups.iter().for_each(|group| println!("{}", group.group_id));
        return Ok(());
    }
    let width = groups.iter().map(|group| group.group_id.len()).max().unwrap_or(0).max(15) + 10;
    let line = |id: &str, kind: &str, state: &str| {
        let mut line = format!("{id:<width$}");
        if with_type {
            line += &format!(" {kind:<20}");
        }
        if with_state {
            line += &format!(" {state:<20}");
        }
        println!("{line}");
    };
    line("GROUP", "TYPE", "STATE");
    for group in groups {
        line(&group.group_id, &capitalized(&group.group_type), &group.group_state);
    }
    Ok(())
}

async fn delete(admin: &Admin, arguments: &Arguments) -> Result<(), Failure> {
    let groups = chosen(admin, arguments).await?;
    match admin.delete_groups(&groups).await {
        Ok(results) => print_deletions("consumer", results),
        // Java asks for each group by itself.
        Err(error) if !groups.is_empty() => {
            println!("\nError: Deletion of some consumer groups failed:");
            for group in &groups {
                println!("* Group '{group}' could not be deleted due to: {}", java_errors::full(&error));
            }
        }
        Err(error) => return Err(executed(&error)),
    }
    Ok(())
}

/// Tells which groups are gone, and which are not.
pub fn print_deletions(kind: &str, results: Vec<(String, Result<(), klamm_client::ClientError>)>) {
    let quoted =
        |groups: &[String]| groups.iter().map(|group| format!("'{group}'")).collect::<Vec<_>>().join(", ");
    let (mut deleted, mut failed) = (Vec::new(), Vec::new());
    for (group, result) in results {
        match result {
            Ok(()) => deleted.push(group),
            Err(error) => failed.push((group, error)),
        }
    }
    if failed.is_empty() {
        println!("Deletion of requested {kind} groups ({}) was successful.", quoted(&deleted));
        return;
    }
    println!("\nError: Deletion of some {kind} groups failed:");
    for (group, error) in failed {
        println!("* Group '{group}' could not be deleted due to: {}", java_errors::full(&error));
    }
    if !deleted.is_empty() {
        println!("\nThese {kind} groups were deleted successfully: {}", quoted(&deleted));
    }
}

async fn delete_offsets(admin: &Admin, arguments: &Arguments) -> Result<(), Failure> {
    let group = arguments.value("group")?.unwrap_or_default();
    let topics = arguments.values("topic");
    print_deleted_offsets(arguments, admin, group, &topics).await
}

/// Deletes committed offsets and tells how it went, partition by partition.
pub async fn print_deleted_offsets(
    arguments: &Arguments,
    admin: &Admin,
    group: &str,
    topics: &[&str],
) -> Result<(), Failure> {
    let (with_partitions, plain): (Vec<&str>, Vec<&str>) =
        topics.iter().copied().partition(|topic| topic.contains(':'));
    let mut partitions = parse_topics(&with_partitions)?;
    let mut rows: Vec<(String, i32, String)> = Vec::new();
    let names: Vec<String> = plain.iter().map(|topic| (*topic).to_owned()).collect();
    for (name, topic) in admin.describe_topics(&names, 2000).await.map_err(|error| executed(&error))? {
        match topic {
            Ok(topic) => partitions.extend(
                topic.partitions.iter().map(|found| TopicPartition::new(name.as_str(), found.partition)),
            ),
            Err(error) => rows.push((name, -1, format!("Error: {}", java_errors::full(&error)))),
        }
    }
    let mut first_error = None;
    match admin.delete_group_offsets(group, &partitions).await {
        Ok(results) => {
            for (partition, result) in results {
                let status = match result {
                    Ok(()) => "Successful".to_owned(),
                    Err(error) => {
                        let text = format!("Error: {}", java_errors::full(&error));
                        first_error.get_or_insert(error);
                        text
                    }
                };
                rows.push((partition.topic.to_string(), partition.partition, status));
            }
        }
        Err(error) => {
            for partition in partitions {
                let status = format!("Error: {}", java_errors::full(&error));
                rows.push((partition.topic.to_string(), partition.partition, status));
            }
            first_error = Some(error);
        }
    }
    arguments.say(outcome(group, first_error.as_ref()));
    let width = rows.iter().map(|(topic, _, _)| topic.len()).max().unwrap_or(0).max(15);
    rows.sort_by_key(|(topic, partition, _)| format!("{topic}{partition}"));
    if arguments.json() {
        let row = |(topic, partition, status): &(String, i32, String)| json!({ "topic": topic, "partition": partition, "status": status });
        println!("{}", Value::Array(rows.iter().map(row).collect()));
        return Ok(());
    }
    print!("\n{:<width$} {:<10} {:<15}", "TOPIC", "PARTITION", "STATUS");
    for (topic, partition, status) in rows {
        let partition = if partition < 0 { "-".to_owned() } else { partition.to_string() };
        print!("\n{topic:<width$} {partition:<10} {status:<15}");
    }
    println!();
    Ok(())
}

/// The line above the table: whether everything went well, and if not, whose fault it was.
fn outcome(group: &str, first_error: Option<&klamm_client::ClientError>) -> String {
    match first_error.map(|error| (error, error.code())) {
        None => format!("Request succeeded for deleting offsets from group {group}."),
        Some((
            error,
            Some(
                ErrorCode::InvalidGroupId
                | ErrorCode::GroupIdNotFound
                | ErrorCode::GroupAuthorizationFailed
                | ErrorCode::NonEmptyGroup,
            ),
        )) => format!("\nError: {}", java_errors::message(error)),
        Some((
            _,
            Some(
                ErrorCode::GroupSubscribedToTopic
                | ErrorCode::TopicAuthorizationFailed
                | ErrorCode::UnknownTopicOrPartition,
            ),
        )) => "\nError: Encountered some partition-level error, see the follow-up details.".to_owned(),
        Some((_, code)) => format!(
            "\nError: Encountered some unknown error: {}",
            code.map_or("UNKNOWN_SERVER_ERROR", ErrorCode::name)
        ),
    }
}
