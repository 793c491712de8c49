//! `kafka-streams-groups`: groups of Streams applications (KIP-1071).

mod describe;
mod reset;

use std::collections::BTreeSet;

use klamm_client::Admin;

use crate::command_line::{Arguments, Failure, Grammar, Opt, Refusals, Tool, flag, integer, optional, text};

use super::consumer_groups::{RESETS, check_scenarios, print_deleted_offsets, print_deletions};
use super::groups_of_one_kind::{executed, find, list};
use super::java_errors;
use super::session::{BOOTSTRAP, COMMAND_CONFIG, with_admin};

const KIND: &str = "streams";
const STATES: &[&str] = &["Assigning", "Dead", "Empty", "NotReady", "Reconciling", "Stable"];
const ACTIONS: &[&str] = &["list", "describe", "delete", "reset-offsets", "delete-offsets"];

const OPTIONS: &[Opt] = &[
    BOOTSTRAP,
    COMMAND_CONFIG,
    text("group", "streams group", "The streams group; may be repeated."),
    flag("all-groups", "All streams groups."),
    text("input-topic", "topic[:0,1]", "The input topic, or some partitions of it; may be repeated."),
    flag("all-input-topics", "All input topics that the group has offsets of."),
    flag("list", "Lists the streams groups."),
    flag("describe", "Shows streams groups: their offsets, members, state or topology."),
    flag("delete", "Deletes streams groups that have no members, with their internal topics."),
    flag("reset-offsets", "Changes where groups without members go on."),
    flag("delete-offsets", "Forgets a group's offsets of input topics."),
    integer("timeout", "ms", "How long a request may take."),
    flag("members", "Shows the members of groups."),
    flag("offsets", "Shows the offsets of groups, which is what --describe does by itself."),
    flag("topology", "Shows what the group told of its topology (KIP-1331)."),
    optional("state", "states", "Shows the state of groups, or lists groups in these states."),
    flag("verbose", "Shows more."),
    text("delete-internal-topic", "topic", "An internal topic to delete with a reset; may be repeated."),
    flag("delete-all-internal-topics", "Deletes all internal topics with a reset."),
];

/// The tool's table.
pub const TOOL: Tool = Tool {
    name: "streams-groups",
    classes: &["org.apache.kafka.tools.streams.StreamsGroupCommand"],
    about: "This tool lists and describes streams groups, deletes them, and resets their offsets.",
    grammar: Grammar::Joptsimple,
    options: &[OPTIONS, RESETS],
    verbs: &[],
    refusals: Refusals { prefix: "", on_stdout: false, option_prefix: None },
    run,
};

fn run(arguments: &Arguments) -> Result<(), Failure> {
    check(arguments)?;
    let outcome = with_admin(arguments, "adminclient-1", async |admin| {
        if arguments.has("list") {
            list(&admin, arguments, KIND, STATES).await
        } else if arguments.has("describe") {
            describe::run(&admin, arguments).await
        } else if arguments.has("delete") {
            delete(&admin, arguments).await
        } else if arguments.has("reset-offsets") {
            reset::run(&admin, arguments).await
        } else {
            let group = arguments.value("group")?.unwrap_or_default();
            print_deleted_offsets(arguments, &admin, group, &arguments.values("input-topic")).await
        }
    });
    match outcome {
        Err(Failure::Refused(message)) => {
            println!("\nError: Executing streams group command failed due to {message}");
            Err(Failure::Ended(1))
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
    if arguments.has("describe")
        && ["members", "offsets", "state", "topology"].iter().filter(|name| arguments.has(name)).count() > 1
    {
        return Err(Failure::usage(
            "Option [describe] takes at most one of these options: [members], [offsets], [state]",
        ));
    }
    if arguments.has("delete-offsets") && !(arguments.has("group") && arguments.has("input-topic")) {
        return Err(Failure::usage(
            "Option [delete-offsets] takes the following options: [group], [input-topic]",
        ));
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
            _ => check_scenarios(arguments)?,
        }
    }
    arguments.forbid("group", &["all-groups"])
}

async fn chosen(admin: &Admin, arguments: &Arguments) -> Result<Vec<String>, Failure> {
    if arguments.has("all-groups") {
        return Ok(find(admin, KIND, &[]).await?.into_iter().map(|(group, _)| group).collect());
    }
    let named: BTreeSet<_> = arguments.values("group").into_iter().map(str::to_owned).collect();
    Ok(named.into_iter().collect())
}

async fn delete(admin: &Admin, arguments: &Arguments) -> Result<(), Failure> {
    let known = find(admin, KIND, &[]).await?;
    let chosen = chosen(admin, arguments).await?;
    let is_streams = |group: &String| known.iter().any(|(id, _)| id == group);
    let (streams, others): (Vec<String>, Vec<String>) = chosen.into_iter().partition(is_streams);
    if !others.is_empty() {
        println!("\nError: Deletion of some streams groups failed:");
        for group in &others {
            println!(
                "* Group '{group}' could not be deleted due to: java.lang.IllegalArgumentException: Group '{group}' does \
                 not exist or is not a streams group."
            );
        }
        if streams.is_empty() {
            return Ok(());
        }
    }
    let mut internal = Vec::new();
    for group in &streams {
        internal.extend(internal_topics(admin, group).await?);
    }
    let results = admin.delete_groups(&streams).await.map_err(|error| executed(&error))?;
    let all_gone = results.iter().all(|(_, result)| result.is_ok());
    print_deletions("streams", results);
    if all_gone && !internal.is_empty() {
        delete_topics(admin, &internal).await?;
    }
    Ok(())
}

/// The topics that Streams has made for a group.
async fn internal_topics(admin: &Admin, group: &str) -> Result<Vec<String>, Failure> {
    let topics = admin.list_topics().await.map_err(|error| executed(&error))?;
    let prefix = format!("{group}-");
    let names = topics.into_iter().map(|topic| topic.name);
    let is_internal = |name: &String| {
        name.starts_with(&prefix) && (name.ends_with("-changelog") || name.ends_with("-repartition"))
    };
    Ok(names.filter(is_internal).collect())
}

async fn delete_topics(admin: &Admin, topics: &[String]) -> Result<(), Failure> {
    for (topic, result) in admin.delete_topics(topics).await.map_err(|error| executed(&error))? {
        if let Err(error) = result {
            println!("\nError: Deletion of internal topic {topic} failed: {}", java_errors::message(&error));
        }
    }
    Ok(())
}
