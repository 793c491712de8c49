//! `kafka-streams-groups`: groups of Streams applications (KIP-1071).

use std::collections::{BTreeMap, BTreeSet};

use klamm_client::admin::CommittedOffset;
use klamm_client::{Admin, CoordinatorType, ErrorCode, TopicPartition};
use protocol::messages::streams_group_describe_response::{DescribedGroup, Member, TaskIds};
use serde_json::{Value, json};

use crate::command_line::{Arguments, Failure, Grammar, Opt, Refusals, Tool, flag, integer, optional, text};

use super::consumer_groups::{
    RESETS, check_scenarios, coordinator, ends, print_deleted_offsets, print_deletions, print_plans,
};
use super::groups_of_one_kind::{executed, find, list};
use super::java_errors;
use super::offset_plans::{named_partitions, plan};
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
            describe(&admin, arguments).await
        } else if arguments.has("delete") {
            delete(&admin, arguments).await
        } else if arguments.has("reset-offsets") {
            reset(&admin, arguments).await
        } else {
            let group = arguments.value("group")?.unwrap_or_default();
            print_deleted_offsets(&admin, group, &arguments.values("input-topic")).await
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

async fn describe(admin: &Admin, arguments: &Arguments) -> Result<(), Failure> {
    let verbose = arguments.has("verbose");
    let mut shown = Vec::new();
    for group in chosen(admin, arguments).await? {
        let described = admin.describe_streams_group(&group).await.map_err(|error| executed(&error))?;
        if arguments.has("topology") {
            print_topology(&described)?;
        } else if arguments.has("members") && !arguments.json() {
            print_members(&described, verbose);
        } else if arguments.has("state") && !arguments.json() {
            print_state(admin, &described, verbose).await?;
        } else {
            let committed = admin.list_group_offsets(&group, None).await.map_err(|error| executed(&error))?;
            let ends = ends(admin, &committed.keys().cloned().collect()).await?;
            match arguments.json() {
                true => shown.push(group_json(&described, &committed, &ends)),
                false => print_offsets(&described, &committed, &ends, verbose),
            }
        }
    }
    if arguments.json() && !arguments.has("topology") {
        println!("{}", Value::Array(shown));
    }
    Ok(())
}

/// Whether there is something to show; a group that is not in order is announced.
fn announce(group: &DescribedGroup) -> bool {
    match group.group_state.as_str() {
        "Dead" => {
            println!("\nError: Streams group '{}' does not exist.", group.group_id);
            return false;
        }
        "Empty" => eprintln!("\nStreams group '{}' has no active members.", group.group_id),
        "NotReady" => eprintln!("\nStreams group '{}' is not ready.", group.group_id),
        "Assigning" | "Reconciling" => {
            eprintln!("\nWarning: Streams group '{}' is rebalancing.", group.group_id);
        }
        _ => {}
    }
    true
}

async fn print_state(admin: &Admin, group: &DescribedGroup, verbose: bool) -> Result<(), Failure> {
    if !announce(group) {
        return Ok(());
    }
    let broker = admin.client().coordinator(CoordinatorType::Group, &group.group_id).await?;
    let place = coordinator(admin, broker, " ");
    let (id, width) = (group.group_id.len().max(15), place.len().max(25));
    let line = |cells: [&str; 6]| {
        let epochs = if verbose { format!("{:<15} {:<25} ", cells[3], cells[4]) } else { String::new() };
        print!("\n{:<id$} {:<width$} {:<15} {epochs}{}", cells[0], cells[1], cells[2], cells[5]);
    };
    line(["GROUP", "COORDINATOR (ID)", "STATE", "GROUP-EPOCH", "TARGET-ASSIGNMENT-EPOCH", "#MEMBERS"]);
    line([
        &group.group_id,
        &place,
        &group.group_state,
        &group.group_epoch.to_string(),
        &group.assignment_epoch.to_string(),
        &group.members.len().to_string(),
    ]);
    println!();
    Ok(())
}

fn tasks(label: &str, tasks: &[TaskIds]) -> Option<String> {
    let one = |task: &TaskIds| {
        let ids: Vec<_> = task.partitions.iter().map(ToString::to_string).collect();
        format!("{}:[{}]", task.subtopology_id, ids.join(","))
    };
    (!tasks.is_empty()).then(|| format!("{label}: {}", tasks.iter().map(one).collect::<Vec<_>>().join(", ")))
}

fn assignment(member: &Member, verbose: bool) -> String {
    let now = &member.assignment;
    let target = &member.target_assignment;
    let mut parts = vec![
        tasks("ACTIVE", &now.active_tasks),
        tasks("STANDBY", &now.standby_tasks),
        tasks("WARMUP", &now.warmup_tasks),
    ];
    if verbose {
        parts.push(tasks("TARGET-ACTIVE", &target.active_tasks));
        parts.push(tasks("TARGET-STANDBY", &target.standby_tasks));
        parts.push(tasks("TARGET-WARMUP", &target.warmup_tasks));
    }
    parts.into_iter().flatten().map(|part| part + ";").collect::<Vec<_>>().join(" ")
}

fn print_members(group: &DescribedGroup, verbose: bool) {
    if !announce(group) || group.members.is_empty() {
        return;
    }
    let widest = |lengths: &mut dyn Iterator<Item = usize>| lengths.max().unwrap_or(0).max(15);
    let id = group.group_id.len().max(15);
    let member = widest(&mut group.members.iter().map(|member| member.member_id.len()));
    let process = widest(&mut group.members.iter().map(|member| member.process_id.len()));
    let client = widest(&mut group.members.iter().map(|member| member.client_id.len()));
    let line = |cells: [&str; 9]| {
        let more = match verbose {
            true => format!("{:<25} {:<15} {:<15} {:<15} ", cells[4], cells[5], cells[6], cells[7]),
            false => String::new(),
        };
        print!(
            "\n{:<id$} {:<member$} {:<process$} {:<client$} {more}{}",
            cells[0], cells[1], cells[2], cells[3], cells[8]
        );
    };
    line([
        "GROUP",
        "MEMBER",
        "PROCESS",
        "CLIENT-ID",
        "TARGET-ASSIGNMENT-EPOCH",
        "TOPOLOGY-EPOCH",
        "MEMBER-PROTOCOL",
        "MEMBER-EPOCH",
        "ASSIGNMENTS",
    ]);
    for found in &group.members {
        line([
            &group.group_id,
            &found.member_id,
            &found.process_id,
            &found.client_id,
            &group.assignment_epoch.to_string(),
            &found.topology_epoch.to_string(),
            if found.is_classic { "classic" } else { "streams" },
            &found.member_epoch.to_string(),
            &assignment(found, verbose),
        ]);
    }
    println!();
}

type Committed = BTreeMap<TopicPartition, CommittedOffset>;
type Ends = BTreeMap<TopicPartition, i64>;

fn print_offsets(group: &DescribedGroup, committed: &Committed, ends: &Ends, verbose: bool) {
    if !announce(group) || committed.is_empty() {
        return;
    }
    let id = group.group_id.len().max(15);
    let topic = committed.keys().map(|partition| partition.topic.len()).max().unwrap_or(0).max(15);
    let line = |cells: [&str; 7]| {
        let more = match verbose {
            true => format!("{:<15} {:<15} {:<15} ", cells[3], cells[4], cells[5]),
            false => String::new(),
        };
        print!("\n{:<id$} {:<topic$} {:<10} {more}{}", cells[0], cells[1], cells[2], cells[6]);
    };
    line(["GROUP", "TOPIC", "PARTITION", "CURRENT-OFFSET", "LEADER-EPOCH", "LOG-END-OFFSET", "OFFSET-LAG"]);
    let dash = |number: Option<i64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
    for (partition, found) in committed {
        let end = ends.get(partition).copied();
        line([
            &group.group_id,
            &partition.topic,
            &partition.partition.to_string(),
            &found.offset.to_string(),
            &dash(Some(i64::from(found.leader_epoch)).filter(|epoch| *epoch >= 0)),
            &dash(end),
            &dash(end.map(|end| end - found.offset)),
        ]);
    }
    println!();
}

fn group_json(group: &DescribedGroup, committed: &Committed, ends: &Ends) -> Value {
    let offsets = committed.iter().map(|(partition, found)| {
        let end = ends.get(partition);
        json!({
            "topic": &*partition.topic, "partition": partition.partition, "currentOffset": found.offset,
            "logEndOffset": end, "lag": end.map(|end| end - found.offset),
        })
    });
    let members = group.members.iter().map(|member| {
        json!({
            "member": member.member_id, "process": member.process_id, "clientId": member.client_id,
            "epoch": member.member_epoch, "assignment": assignment(member, true),
        })
    });
    json!({
        "group": group.group_id, "state": group.group_state, "groupEpoch": group.group_epoch,
        "assignmentEpoch": group.assignment_epoch, "offsets": offsets.collect::<Vec<_>>(),
        "members": members.collect::<Vec<_>>(),
    })
}

/// Prints what the application said of its topology, as `Topology#describe` gives it.
fn print_topology(group: &DescribedGroup) -> Result<(), Failure> {
    let Some(topology) = &group.topology_description else {
        println!("No topology description is stored for streams group '{}'.", group.group_id);
        return Err(Failure::Ended(1));
    };
    let list = |names: &[String]| names.join(", ");
    println!("Topologies:");
    for subtopology in &topology.subtopologies {
        println!("   Sub-topology: {}", subtopology.subtopology_id);
        for node in &subtopology.nodes {
            match (node.source_topics.is_empty(), &node.sink_topic) {
                (false, _) => {
                    println!("    Source: {} (topics: [{}])", node.name, list(&node.source_topics));
                }
                (true, Some(topic)) => println!("    Sink: {} (topic: {topic})", node.name),
                (true, None) => {
                    println!("    Processor: {} (stores: [{}])", node.name, list(&node.stores));
                }
            }
            if node.sink_topic.is_none() {
                let next =
                    if node.successors.is_empty() { "none".to_owned() } else { list(&node.successors) };
                println!("      --> {next}");
            }
        }
        println!();
    }
    Ok(())
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

async fn reset(admin: &Admin, arguments: &Arguments) -> Result<(), Failure> {
    let mut plans = BTreeMap::new();
    for group in chosen(admin, arguments).await? {
        let state = match admin.describe_streams_group(&group).await {
            Ok(described) => described.group_state,
            Err(error) if error.code() == Some(ErrorCode::GroupIdNotFound) => "Dead".to_owned(),
            Err(error) => return Err(executed(&error)),
        };
        if state != "Empty" && state != "Dead" {
            println!(
                "\nError: Assignments can only be reset if the group '{group}' is inactive, but the current state is \
                 {state}."
            );
            plans.insert(group, BTreeMap::new());
            continue;
        }
        let committed = admin.list_group_offsets(&group, None).await.map_err(|error| executed(&error))?;
        let partitions = if arguments.has("all-input-topics") {
            committed.keys().cloned().collect()
        } else if arguments.has("input-topic") {
            named_partitions(admin, &arguments.values("input-topic")).await?
        } else if arguments.has("from-file") {
            Vec::new()
        } else {
            return Err(Failure::usage(
                "One of the reset scopes should be defined: --all-input-topics, --input-topic.",
            ));
        };
        let Some(new) = plan(admin, arguments, &group, &partitions, &committed).await? else {
            return Err(Failure::usage(
                "Option '[reset-offsets]' requires one of its scenarios, such as --to-earliest",
            ));
        };
        if arguments.has("execute") {
            let offset = |offset: i64| CommittedOffset { offset, leader_epoch: -1, metadata: String::new() };
            let offsets = new.iter().map(|(partition, to)| (partition.clone(), offset(*to))).collect();
            for (_, result) in
                admin.alter_group_offsets(&group, &offsets).await.map_err(|error| executed(&error))?
            {
                result.map_err(|error| executed(&error))?;
            }
            let internal = internal_topics(admin, &group).await?;
            let named = arguments.values("delete-internal-topic");
            let doomed: Vec<_> = internal
                .into_iter()
                .filter(|topic| {
                    arguments.has("delete-all-internal-topics") || named.contains(&topic.as_str())
                })
                .collect();
            if !doomed.is_empty() {
                delete_topics(admin, &doomed).await?;
            }
        }
        plans.insert(group, new);
    }
    if arguments.has("export") {
        let is_single = arguments.values("group").len() == 1;
        for (group, plan) in &plans {
            for (partition, offset) in plan {
                let group = if is_single { String::new() } else { format!("{group},") };
                println!("{group}{},{},{offset}", partition.topic, partition.partition);
            }
        }
        println!();
        return Ok(());
    }
    print_plans(&plans);
    Ok(())
}
