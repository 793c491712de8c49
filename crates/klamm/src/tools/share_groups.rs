//! `kafka-share-groups`: share groups listed, described, deleted, and their start offsets reset.

use std::collections::BTreeMap;

use klamm_client::admin::GroupDescription;
use klamm_client::{Admin, ErrorCode, TopicPartition};
use serde_json::{Value, json};

use crate::command_line::{Arguments, Failure, Grammar, Opt, Refusals, Tool, flag, integer, optional, text};

use super::consumer_groups::{address, announce, coordinator, print_deletions, print_plans};
use super::groups_of_one_kind::{executed, find, list};
use super::java_errors;
use super::offset_plans::{named_partitions, plan};
use super::session::{BOOTSTRAP, COMMAND_CONFIG, late, with_admin};

const KIND: &str = "share";
const STATES: &[&str] = &["Dead", "Stable", "Empty"];
const ACTIONS: &[&str] = &["list", "describe", "delete", "reset-offsets", "delete-offsets"];

const OPTIONS: &[Opt] = &[
    BOOTSTRAP,
    COMMAND_CONFIG,
    text("group", "group", "The share group; may be repeated."),
    flag("all-groups", "All share groups."),
    text("topic", "topic[:0,1]", "The topic, or some partitions of it; may be repeated."),
    flag("all-topics", "All topics that the group has offsets of."),
    flag("list", "Lists the share groups."),
    flag("describe", "Shows share groups: their offsets, members or state."),
    flag("delete", "Deletes share groups that have no members."),
    flag("reset-offsets", "Changes where groups without members begin."),
    flag("delete-offsets", "Forgets a group's topics."),
    integer("timeout", "ms", "How long a request may take."),
    flag("members", "Shows the members of groups."),
    flag("offsets", "Shows the offsets of groups, which is what --describe does by itself."),
    optional("state", "states", "Shows the state of groups, or lists groups in these states."),
    flag("verbose", "Shows more."),
    flag("dry-run", "Only shows the new offsets."),
    flag("execute", "Makes the new offsets."),
    flag("to-earliest", "To the first record."),
    flag("to-latest", "Behind the last record."),
    text("to-datetime", "YYYY-MM-DDTHH:mm:SS.sss", "To the first record at or after this time."),
];

/// The tool's table.
pub const TOOL: Tool = Tool {
    name: "share-groups",
    classes: &["org.apache.kafka.tools.consumer.group.ShareGroupCommand"],
    about: "This tool lists and describes share groups, deletes them, and resets their offsets.",
    grammar: Grammar::Joptsimple,
    options: &[OPTIONS],
    verbs: &[],
    refusals: Refusals {
        prefix: "",
        on_stdout: false,
        option_prefix: Some("Exception in thread \"main\" joptsimple.UnrecognizedOptionException: "),
    },
    run,
};

fn run(arguments: &Arguments) -> Result<(), Failure> {
    check(arguments)?;
    let outcome = with_admin(arguments, "adminclient-1", async |admin| {
        if arguments.has("list") {
            list(&admin, arguments, KIND, STATES).await
        } else if arguments.has("describe") {
            describe(&admin, arguments).await
        } else if arguments.has("delete") {
            delete(&admin, arguments).await
        } else if arguments.has("reset-offsets") {
            reset(&admin, arguments).await
        } else {
            delete_offsets(&admin, arguments).await
        }
    });
    match outcome {
        Err(Failure::Refused(message)) => {
            println!("\nError: Executing share group command failed due to {message}");
            Ok(())
        }
        other => other,
    }
}

fn check(arguments: &Arguments) -> Result<(), Failure> {
    if ACTIONS.iter().filter(|action| arguments.has(action)).count() != 1 {
        let names: Vec<_> = ACTIONS.iter().map(|action| format!("--{action}")).collect();
        return Err(Failure::Usage(format!(
            "Command must include exactly one action: {}.",
            names.join(", ")
        )));
    }
    arguments.require(&["bootstrap-server"])?;
    let has_groups = arguments.has("group") || arguments.has("all-groups");
    for action in ["describe", "delete", "reset-offsets"] {
        if arguments.has(action) && !has_groups {
            return Err(Failure::Usage(format!(
                "Option [{action}] takes one of these options: [group], [all-groups]"
            )));
        }
    }
    if arguments.has("describe") {
        if ["members", "offsets", "state"].iter().filter(|name| arguments.has(name)).count() > 1 {
            return Err(Failure::usage(
                "Option [describe] takes at most one of these options: [members], [offsets], [state]",
            ));
        }
        if !arguments.values("state").is_empty() {
            return Err(Failure::usage("Option [describe] does not take a value for [state]"));
        }
    }
    if arguments.has("delete-offsets") && !(arguments.has("group") && arguments.has("topic")) {
        return Err(Failure::usage("Option [delete-offsets] takes the following options: [group], [topic]"));
    }
    if arguments.has("reset-offsets") {
        match (arguments.has("dry-run"), arguments.has("execute")) {
            (true, true) => {
                return Err(Failure::usage(
                    "Option [reset-offsets] only accepts one of [execute] and [dry-run]",
                ));
            }
            (false, false) => {
                return Err(Failure::usage(
                    "Option [reset-offsets] takes the option: [execute] or [dry-run]",
                ));
            }
            _ => {}
        }
        arguments.require_one(&["to-datetime", "to-earliest", "to-latest"])?;
    }
    arguments.forbid("group", &["all-groups"])
}

async fn chosen(admin: &Admin, arguments: &Arguments) -> Result<Vec<String>, Failure> {
    if arguments.has("all-groups") {
        return Ok(find(admin, KIND, &[]).await?.into_iter().map(|(group, _)| group).collect());
    }
    let mut groups: Vec<_> = arguments.values("group").into_iter().map(str::to_owned).collect();
    groups.sort();
    groups.dedup();
    Ok(groups)
}

async fn describe(admin: &Admin, arguments: &Arguments) -> Result<(), Failure> {
    let verbose = arguments.has("verbose");
    let mut shown = Vec::new();
    for group in chosen(admin, arguments).await? {
        let described = admin.describe_share_group(&group).await.map_err(|error| executed(&error))?;
        if arguments.has("members") && !arguments.json() {
            print_members(&described, verbose);
        } else if arguments.has("state") && !arguments.json() {
            print_state(admin, &described, verbose);
        } else {
            let offsets = offsets(admin, &group).await?;
            match arguments.json() {
                true => {
                    let mut group = group_json(&described, &offsets);
                    group["coordinatorAddress"] = json!(address(admin, described.coordinator));
                    shown.push(group);
                }
                false => print_offsets(&described, &offsets, verbose),
            }
        }
    }
    if arguments.json() {
        println!("{}", Value::Array(shown));
    }
    Ok(())
}

/// Partition, start offset, lag and leader epoch; what is -1 is not known.
type Offsets = BTreeMap<TopicPartition, (i64, i64, i32)>;

async fn offsets(admin: &Admin, group: &str) -> Result<Offsets, Failure> {
    let found = admin.describe_share_group_offsets(group).await.map_err(|error| executed(&error))?;
    let rows = found.into_iter().filter_map(|(partition, found)| {
        let found = found.ok()?;
        Some((partition, (found.start_offset, found.lag, found.leader_epoch)))
    });
    Ok(rows.collect())
}

fn known(number: i64) -> String {
    if number < 0 { "-".to_owned() } else { number.to_string() }
}

fn print_offsets(group: &GroupDescription, offsets: &Offsets, verbose: bool) {
    // Where offsets are shown nobody is told that there are no members.
    if group.state != "Empty" && !announce(&group.group_id, "Share", &group.state, offsets.len()) {
        return;
    }
    if offsets.is_empty() {
        println!("\nShare group '{}' has no offset information.", group.group_id);
        return;
    }
    let id = group.group_id.len().max(15);
    let topic = offsets.keys().map(|partition| partition.topic.len()).max().unwrap_or(0).max(15);
    let line = |cells: [&str; 6]| {
        let epoch = if verbose { format!("{:<13} ", cells[3]) } else { String::new() };
        print!(
            "\n{:<id$} {:<topic$} {:<10} {epoch}{:<13} {}",
            cells[0], cells[1], cells[2], cells[4], cells[5]
        );
    };
    line(["GROUP", "TOPIC", "PARTITION", "LEADER-EPOCH", "START-OFFSET", "LAG"]);
    for (partition, (start, lag, epoch)) in offsets {
        line([
            &group.group_id,
            &partition.topic,
            &partition.partition.to_string(),
            &known(i64::from(*epoch)),
            &known(*start),
            &known(*lag),
        ]);
    }
    println!();
}

fn print_members(group: &GroupDescription, verbose: bool) {
    if !announce(&group.group_id, "Share", &group.state, group.members.len()) {
        return;
    }
    let members = &group.members;
    let widest = |lengths: &mut dyn Iterator<Item = usize>| lengths.max().unwrap_or(0).max(15);
    let id = group.group_id.len().max(15);
    let member = widest(&mut members.iter().map(|member| member.member_id.len()));
    let host = widest(&mut members.iter().map(|member| member.host.len()));
    let client = widest(&mut members.iter().map(|member| member.client_id.len()));
    let line = |cells: [&str; 7]| {
        let epoch = if verbose { format!("{:<13} ", cells[5]) } else { String::new() };
        print!(
            "\n{:<id$} {:<member$} {:<host$} {:<client$} {:<12} {epoch}{}",
            cells[0], cells[1], cells[2], cells[3], cells[4], cells[6]
        );
    };
    line(["GROUP", "CONSUMER-ID", "HOST", "CLIENT-ID", "#PARTITIONS", "MEMBER-EPOCH", "ASSIGNMENT"]);
    for found in members {
        let count: usize = found.assignment.values().map(Vec::len).sum();
        let parts = found.assignment.iter().map(|(topic, partitions)| {
            let ids: Vec<_> = partitions.iter().map(ToString::to_string).collect();
            format!("{topic}:{}", ids.join(","))
        });
        let assignment = parts.collect::<Vec<_>>().join(";");
        line([
            &group.group_id,
            &found.member_id,
            &found.host,
            &found.client_id,
            &count.to_string(),
            &found.epoch.map_or_else(|| "-".to_owned(), |epoch| epoch.to_string()),
            if assignment.is_empty() { "-" } else { &assignment },
        ]);
    }
    println!();
}

fn print_state(admin: &Admin, group: &GroupDescription, verbose: bool) {
    if !announce(&group.group_id, "Share", &group.state, 1) {
        return;
    }
    let coordinator = coordinator(admin, group.coordinator, "  ");
    let (id, place) = (group.group_id.len().max(15), coordinator.len().max(25));
    let line = |cells: [&str; 6]| {
        let epochs = if verbose { format!("{:<12} {:<17} ", cells[3], cells[4]) } else { String::new() };
        print!("\n{:<id$} {:<place$} {:<15} {epochs}{}", cells[0], cells[1], cells[2], cells[5]);
    };
    let number = |number: Option<i32>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
    line(["GROUP", "COORDINATOR (ID)", "STATE", "GROUP-EPOCH", "ASSIGNMENT-EPOCH", "#MEMBERS"]);
    let count = group.members.len().to_string();
    let (epoch, assignment) = (number(group.epoch), number(group.assignment_epoch));
    line([&group.group_id, &coordinator, &group.state, &epoch, &assignment, &count]);
    println!();
}

fn group_json(group: &GroupDescription, offsets: &Offsets) -> Value {
    let offsets = offsets.iter().map(|(partition, (start, lag, epoch))| {
        json!({ "topic": &*partition.topic, "partition": partition.partition, "startOffset": start, "lag": lag, "leaderEpoch": epoch })
    });
    let members = group.members.iter().map(|member| {
        json!({ "consumerId": member.member_id, "host": member.host, "clientId": member.client_id, "epoch": member.epoch, "assignment": member.assignment })
    });
    json!({
        "group": group.group_id, "state": group.state, "coordinator": group.coordinator, "groupEpoch": group.epoch,
        "assignmentEpoch": group.assignment_epoch, "offsets": offsets.collect::<Vec<_>>(), "members": members.collect::<Vec<_>>(),
    })
}

async fn delete(admin: &Admin, arguments: &Arguments) -> Result<(), Failure> {
    let known = find(admin, KIND, &[]).await?;
    let chosen = chosen(admin, arguments).await?;
    let is_share = |group: &String| known.iter().any(|(id, _)| id == group);
    let (share, others): (Vec<String>, Vec<String>) = chosen.into_iter().partition(is_share);
    if !others.is_empty() {
        println!("\nError: Deletion of some share groups failed:");
        for group in &others {
            println!(
                "* Group '{group}' could not be deleted due to: java.lang.IllegalArgumentException: Group '{group}' is not \
                 a share group."
            );
        }
        if share.is_empty() {
            return Ok(());
        }
    }
    let results = admin.delete_groups(&share).await.map_err(|error| executed(&error))?;
    if others.is_empty() || results.iter().any(|(_, result)| result.is_err()) {
        print_deletions("share", results);
        return Ok(());
    }
    let quoted: Vec<_> = results.iter().map(|(group, _)| format!("'{group}'")).collect();
    println!("\nThese share groups were deleted successfully: {}", quoted.join(", "));
    Ok(())
}

async fn delete_offsets(admin: &Admin, arguments: &Arguments) -> Result<(), Failure> {
    let group = arguments.value("group")?.unwrap_or_default();
    let topics: Vec<String> = arguments.values("topic").into_iter().map(str::to_owned).collect();
    let rows: Vec<(String, String)> = match admin.delete_share_group_offsets(group, &topics).await {
        Ok(results) => {
            let status = |result: Result<(), klamm_client::ClientError>| match result {
                Ok(()) => "Successful".to_owned(),
                Err(error) => format!("Error: {}", java_errors::message(&error)),
            };
            results.into_iter().map(|(topic, result)| (topic, status(result))).collect()
        }
        Err(error) => {
            match error.code() {
                Some(
                    ErrorCode::InvalidGroupId
                    | ErrorCode::GroupIdNotFound
                    | ErrorCode::GroupAuthorizationFailed
                    | ErrorCode::NonEmptyGroup,
                ) => arguments.say(format_args!("\nError: {}", java_errors::message(&error))),
                _ => arguments.say(format_args!(
                    "\nError: Encounter some unknown error: {}",
                    java_errors::full(&error)
                )),
            }
            let status = format!("Error: {}", java_errors::message(&error));
            topics.into_iter().map(|topic| (topic, status.clone())).collect()
        }
    };
    if arguments.json() {
        let row = |(topic, status): &(String, String)| json!({ "topic": topic, "status": status });
        println!("{}", Value::Array(rows.iter().map(row).collect()));
        return Ok(());
    }
    let width = rows.iter().map(|(topic, _)| topic.len()).max().unwrap_or(0).max(15);
    print!("\n{:<width$} STATUS", "TOPIC");
    rows.iter().for_each(|(topic, status)| print!("\n{topic:<width$} {status}"));
    println!();
    Ok(())
}

async fn reset(admin: &Admin, arguments: &Arguments) -> Result<(), Failure> {
    let mut plans = BTreeMap::new();
    for group in chosen(admin, arguments).await? {
        // What is thrown here ends the tool, unlike what its other actions meet.
        let thrown = |error: &klamm_client::ClientError| Failure::bare(java_errors::message(error));
        let state = match admin.describe_share_group(&group).await {
            Ok(described) => described.state,
            Err(error) if error.code() == Some(ErrorCode::GroupIdNotFound) => "Empty".to_owned(),
            Err(error) => return Err(thrown(&error)),
        };
        if state != "Empty" && state != "Dead" {
            println!("\nError: Share group '{group}' is not empty.");
            plans.insert(group, BTreeMap::new());
            continue;
        }
        let partitions = if arguments.has("all-topics") {
            offsets(admin, &group).await?.into_keys().collect()
        } else if arguments.has("topic") {
            named_partitions(admin, &arguments.values("topic")).await?
        } else {
            return Err(Failure::usage("One of the reset scopes should be defined: --all-topics, --topic."));
        };
        let new = plan(admin, arguments, &group, &partitions, &BTreeMap::new()).await.map_err(late)?;
        let new = new.unwrap_or_default();
        if arguments.has("execute") {
            for (_, result) in
                admin.alter_share_group_offsets(&group, &new).await.map_err(|error| thrown(&error))?
            {
                result.map_err(|error| thrown(&error))?;
            }
        }
        plans.insert(group, new);
    }
    print_plans(arguments, &plans);
    Ok(())
}
