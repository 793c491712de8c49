//! `kafka-consumer-groups --describe`.

use std::collections::{BTreeMap, BTreeSet};

use klamm_client::admin::{CommittedOffset, GroupDescription, GroupMember, IsolationLevel, OffsetSpec};
use klamm_client::{Admin, TopicPartition};
use serde_json::{Value, json};

use crate::command_line::{Arguments, Failure};

use super::{chosen, executed};

/// A line of `--offsets`.
struct Row {
    topic: String,
    partition: Option<i32>,
    leader_epoch: Option<i32>,
    offset: Option<i64>,
    end: Option<i64>,
    member: String,
    host: String,
    client: String,
}

/// Prints what is asked for of each group.
pub async fn run(admin: &Admin, arguments: &Arguments) -> Result<(), Failure> {
    let verbose = arguments.has("verbose");
    let mut groups = Vec::new();
    for group in chosen(admin, arguments).await? {
        let described = admin.describe_consumer_group(&group).await.map_err(|error| executed(&error))?;
        groups.push(described);
    }
    let mut shown = Vec::new();
    for group in &groups {
        if arguments.json() {
            shown.push(json(admin, group).await?);
        } else if arguments.has("members") {
            print_members(group, verbose);
        } else if arguments.has("state") {
            print_state(admin, group, verbose);
        } else {
            let rows = rows(admin, group).await?;
            print_offsets(group, &rows, verbose);
        }
    }
    if arguments.json() {
        println!("{}", Value::Array(shown));
    }
    Ok(())
}

/// Says on standard error what is odd about a group; whether it is worth a table.
pub fn announce(group: &str, kind: &str, state: &str, rows: usize) -> bool {
    match state {
        "Dead" => println!("\nError: {kind} group '{group}' does not exist."),
        "Empty" => eprintln!("\n{kind} group '{group}' has no active members."),
        "PreparingRebalance" | "CompletingRebalance" | "Assigning" | "Reconciling" => {
            eprintln!("\nWarning: {kind} group '{group}' is rebalancing.");
        }
        _ => {}
    }
    state != "Dead" && rows > 0
}

/// The ends of partitions; those that nobody leads have none.
pub async fn ends(
    admin: &Admin,
    partitions: &BTreeSet<TopicPartition>,
) -> Result<BTreeMap<TopicPartition, i64>, Failure> {
    let wanted: Vec<_> = partitions.iter().map(|partition| (partition.clone(), OffsetSpec::Latest)).collect();
    let listed = admin.list_offsets(&wanted, IsolationLevel::ReadUncommitted).await;
    let listed = listed.map_err(|error| executed(&error))?;
    Ok(listed.into_iter().filter_map(|(partition, found)| Some((partition, found.ok()?.offset))).collect())
}

async fn rows(admin: &Admin, group: &GroupDescription) -> Result<Vec<Row>, Failure> {
    let committed = admin.list_group_offsets(&group.group_id, None).await;
    let committed = committed.map_err(|error| executed(&error))?;
    let mut assigned: BTreeMap<TopicPartition, &GroupMember> = BTreeMap::new();
    let mut members: Vec<&GroupMember> =
        group.members.iter().filter(|member| !member.assignment.is_empty()).collect();
    members.sort_by_key(|member| std::cmp::Reverse(partitions(member).len()));
    for member in &members {
        assigned.extend(partitions(member).into_iter().map(|partition| (partition, *member)));
    }
    let all: BTreeSet<_> = committed.keys().chain(assigned.keys()).cloned().collect();
    let ends = ends(admin, &all).await?;
    let row = |partition: &TopicPartition, member: Option<&GroupMember>| {
        let found: Option<&CommittedOffset> = committed.get(partition);
        let text = |text: Option<&String>| text.cloned().unwrap_or_else(|| "-".to_owned());
        Row {
            topic: partition.topic.to_string(),
            partition: Some(partition.partition),
            leader_epoch: found.map(|found| found.leader_epoch).filter(|epoch| *epoch >= 0),
            offset: found.map(|found| found.offset),
            end: ends.get(partition).copied(),
            member: text(member.map(|member| &member.member_id)),
            host: text(member.map(|member| &member.host)),
            client: text(member.map(|member| &member.client_id)),
        }
    };
    let mut rows = Vec::new();
    for member in members {
        let own: BTreeSet<_> = partitions(member).into_iter().collect();
        rows.extend(own.iter().map(|partition| row(partition, Some(member))));
    }
    let unassigned = committed.keys().filter(|partition| !assigned.contains_key(*partition));
    rows.extend(unassigned.map(|partition| row(partition, None)));
    Ok(rows)
}

fn partitions(member: &GroupMember) -> Vec<TopicPartition> {
    let topics = member.assignment.iter();
    topics
        .flat_map(|(topic, partitions)| {
            partitions.iter().map(move |partition| TopicPartition::new(topic.as_str(), *partition))
        })
        .collect()
}

fn dash<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

fn lag(row: &Row) -> Option<i64> {
    Some(row.end? - row.offset.filter(|offset| *offset != -1)?)
}

fn print_offsets(group: &GroupDescription, rows: &[Row], verbose: bool) {
    if !announce(&group.group_id, "Consumer", &group.state, rows.len()) {
        return;
    }
    let widest = |lengths: &mut dyn Iterator<Item = usize>| lengths.max().unwrap_or(0).max(15);
    let id = group.group_id.len().max(15);
    let topic = widest(&mut rows.iter().map(|row| row.topic.len()));
    let member = widest(&mut rows.iter().map(|row| row.member.len()));
    let host = widest(&mut rows.iter().map(|row| row.host.len()));
    let line = |cells: [&str; 10]| {
        let epoch = if verbose { format!("{:<15} ", cells[3]) } else { String::new() };
        print!(
            "\n{:<id$} {:<topic$} {:<10} {epoch}{:<15} {:<15} {:<15} {:<member$} {:<host$} {}",
            cells[0], cells[1], cells[2], cells[4], cells[5], cells[6], cells[7], cells[8], cells[9]
        );
    };
    line([
        "GROUP",
        "TOPIC",
        "PARTITION",
        "LEADER-EPOCH",
        "CURRENT-OFFSET",
        "LOG-END-OFFSET",
        "LAG",
        "CONSUMER-ID",
        "HOST",
        "CLIENT-ID",
    ]);
    for row in rows {
        line([
            &group.group_id,
            &row.topic,
            &dash(row.partition),
            &dash(row.leader_epoch),
            &dash(row.offset),
            &dash(row.end),
            &dash(lag(row)),
            &row.member,
            &row.host,
            &row.client,
        ]);
    }
    println!();
}

/// `topic:0,1;other:2`, or a dash.
fn assignment(topics: Option<&BTreeMap<String, Vec<i32>>>) -> String {
    let topics = match topics {
        Some(topics) if !topics.is_empty() => topics,
        _ => return "-".to_owned(),
    };
    let parts = topics.iter().map(|(topic, partitions)| {
        let mut sorted = partitions.clone();
        sorted.sort_unstable();
        let ids: Vec<_> = sorted.iter().map(ToString::to_string).collect();
        format!("{topic}:{}", ids.join(","))
    });
    parts.collect::<Vec<_>>().join(";")
}

fn print_members(group: &GroupDescription, verbose: bool) {
    announce(&group.group_id, "Consumer", &group.state, group.members.len());
    let members = &group.members;
    let widest =
        |least: usize, lengths: &mut dyn Iterator<Item = usize>| lengths.max().unwrap_or(0).max(least);
    let id = group.group_id.len().max(15);
    let member = widest(15, &mut members.iter().map(|member| member.member_id.len()));
    let host = widest(15, &mut members.iter().map(|member| member.host.len()));
    let client = widest(15, &mut members.iter().map(|member| member.client_id.len()));
    let instance_of = |member: &GroupMember| member.group_instance_id.clone().unwrap_or_default();
    let instance = widest(17, &mut members.iter().map(|member| instance_of(member).len()));
    let has_instances = members.iter().any(|member| !instance_of(member).is_empty());
    let current = widest(20, &mut members.iter().map(|member| assignment(Some(&member.assignment)).len()));
    let target =
        widest(20, &mut members.iter().map(|member| assignment(member.target_assignment.as_ref()).len()));
    let is_mixed = members.iter().any(|member| member.is_upgraded == Some(true))
        && members.iter().any(|member| member.is_upgraded == Some(false));
    let line = |cells: [&str; 11]| {
        let named = if has_instances { format!("{:<instance$} ", cells[2]) } else { String::new() };
        let mut line = format!(
            "{:<id$} {:<member$} {named}{:<host$} {:<client$} {:<15} ",
            cells[0], cells[1], cells[3], cells[4], cells[5]
        );
        if verbose {
            line +=
                &format!("{:<15} {:<current$} {:<15} {:<target$}", cells[6], cells[7], cells[8], cells[9]);
            if is_mixed {
                line += &format!(" {}", cells[10]);
            }
        }
        println!("{line}");
    };
    println!();
    line([
        "GROUP",
        "CONSUMER-ID",
        "GROUP-INSTANCE-ID",
        "HOST",
        "CLIENT-ID",
        "#PARTITIONS",
        "CURRENT-EPOCH",
        "CURRENT-ASSIGNMENT",
        "TARGET-EPOCH",
        "TARGET-ASSIGNMENT",
        "UPGRADED",
    ]);
    for found in members {
        line([
            &group.group_id,
            &found.member_id,
            &instance_of(found),
            &found.host,
            &found.client_id,
            &partitions(found).len().to_string(),
            &dash(found.epoch),
            &assignment(Some(&found.assignment)),
            &dash(group.assignment_epoch),
            &assignment(found.target_assignment.as_ref()),
            &dash(found.is_upgraded),
        ]);
    }
}

/// `host:port  (id)`
pub fn coordinator(admin: &Admin, id: i32, gap: &str) -> String {
    format!("{}{gap}({id})", address(admin, id).unwrap_or_else(|| "-".to_owned()))
}

/// Where a broker is reached, if that is known.
pub fn address(admin: &Admin, id: i32) -> Option<String> {
    let metadata = admin.client().metadata();
    metadata.broker(id).map(|broker| format!("{}:{}", broker.host, broker.port))
}

fn print_state(admin: &Admin, group: &GroupDescription, verbose: bool) {
    if !announce(&group.group_id, "Consumer", &group.state, 1) {
        return;
    }
    let coordinator = coordinator(admin, group.coordinator, "  ");
    let (id, place) = (group.group_id.len().max(15), coordinator.len().max(25));
    let assignor = if group.assignor.is_empty() { "-" } else { &group.assignor };
    let count = group.members.len().to_string();
    let line = |cells: [&str; 7]| {
        let epochs = if verbose { format!("{:<15} {:<25} ", cells[4], cells[5]) } else { String::new() };
        print!(
            "\n{:<id$} {:<place$} {:<20} {:<20} {epochs}{}",
            cells[0], cells[1], cells[2], cells[3], cells[6]
        );
    };
    line([
        "GROUP",
        "COORDINATOR (ID)",
        "ASSIGNMENT-STRATEGY",
        "STATE",
        "GROUP-EPOCH",
        "TARGET-ASSIGNMENT-EPOCH",
        "#MEMBERS",
    ]);
    let (epoch, target) = (dash(group.epoch), dash(group.assignment_epoch));
    line([&group.group_id, &coordinator, assignor, &group.state, &epoch, &target, &count]);
    println!();
}

async fn json(admin: &Admin, group: &GroupDescription) -> Result<Value, Failure> {
    let rows = rows(admin, group).await?;
    let offsets = rows.iter().map(|row| {
        json!({
            "topic": row.topic, "partition": row.partition, "currentOffset": row.offset, "logEndOffset": row.end,
            "lag": lag(row), "leaderEpoch": row.leader_epoch, "consumerId": row.member, "host": row.host,
            "clientId": row.client,
        })
    });
    let members = group.members.iter().map(|member| {
        json!({
            "consumerId": member.member_id, "groupInstanceId": member.group_instance_id, "host": member.host,
            "clientId": member.client_id, "epoch": member.epoch, "assignment": member.assignment,
            "targetAssignment": member.target_assignment,
        })
    });
    Ok(json!({
        "group": group.group_id, "type": group.group_type, "state": group.state, "assignor": group.assignor,
        "coordinator": group.coordinator, "coordinatorAddress": address(admin, group.coordinator),
        "groupEpoch": group.epoch, "targetAssignmentEpoch": group.assignment_epoch,
        "offsets": offsets.collect::<Vec<_>>(), "members": members.collect::<Vec<_>>(),
    }))
}
