//! What `kafka-streams-groups --describe` shows of groups.

use std::collections::BTreeMap;

use klamm_client::admin::CommittedOffset;
use klamm_client::{Admin, CoordinatorType, TopicPartition};
use protocol::messages::streams_group_describe_response::{DescribedGroup, Member, TaskIds};
use serde_json::{Value, json};

use crate::command_line::{Arguments, Failure};
use crate::tools::consumer_groups::{coordinator, ends};
use crate::tools::groups_of_one_kind::executed;

use super::chosen;

/// Shows offsets, members, states or topologies of the chosen groups.
pub async fn run(admin: &Admin, arguments: &Arguments) -> Result<(), Failure> {
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
