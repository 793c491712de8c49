//! Where offsets shall go: the ways that the group tools have of saying it.

use std::collections::BTreeMap;
use std::fs;

use klamm_client::admin::{CommittedOffset, IsolationLevel, OffsetSpec};
use klamm_client::{Admin, ClientError, TopicPartition};

use crate::command_line::{Arguments, Failure};
use crate::text::calendar::{now_ms, parse_date_time, parse_duration};

use super::java_errors;

/// New offsets by partition.
pub type Plan = BTreeMap<TopicPartition, i64>;

/// What a Java tool shows of an error that is thrown as it is.
fn thrown(error: &ClientError) -> Failure {
    Failure::refused(java_errors::message(error))
}

/// Whether a group in this state may be moved; says why not.
pub fn may_reset(group: &str, state: &str) -> bool {
    let may = matches!(state, "Empty" | "Dead");
    if !may {
        println!(
            "\nError: Assignments can only be reset if the group '{group}' is inactive, but the current state is {state}."
        );
    }
    may
}

/// Makes the offsets of a plan the group's.
pub async fn commit(
    admin: &Admin,
    group: &str,
    plan: &Plan,
) -> Result<Vec<(TopicPartition, Result<(), ClientError>)>, ClientError> {
    let offset = |offset: i64| CommittedOffset { offset, leader_epoch: -1, metadata: String::new() };
    let offsets = plan.iter().map(|(partition, to)| (partition.clone(), offset(*to))).collect();
    Ok(admin.alter_group_offsets(group, &offsets).await?.into_iter().collect())
}

/// Reads `topic:0,1`.
pub fn parse_topics(texts: &[&str]) -> Result<Vec<TopicPartition>, Failure> {
    let mut partitions = Vec::new();
    for text in texts {
        let (topic, numbers) = text.split_once(':').unwrap_or((text, ""));
        for number in numbers.split(',') {
            let partition = number.parse().map_err(|_| {
                Failure::refused(format!("Invalid partition '{number}' specified in topic arg '{text}''"))
            })?;
            partitions.push(TopicPartition::new(topic, partition));
        }
    }
    Ok(partitions)
}

/// The partitions that `--topic` means: those named, or all of a topic.
pub async fn named_partitions(admin: &Admin, topics: &[&str]) -> Result<Vec<TopicPartition>, Failure> {
    let (with_partitions, plain): (Vec<&str>, Vec<&str>) =
        topics.iter().copied().partition(|topic| topic.contains(':'));
    let mut partitions = parse_topics(&with_partitions)?;
    let names: Vec<String> = plain.iter().map(|topic| (*topic).to_owned()).collect();
    for (name, topic) in admin.describe_topics(&names, 2000).await? {
        let topic = topic.map_err(|error| thrown(&error))?;
        partitions
            .extend(topic.partitions.iter().map(|found| TopicPartition::new(name.as_str(), found.partition)));
    }
    Ok(partitions)
}

/// Fails where a partition does not exist.
async fn check_exist(admin: &Admin, partitions: &[TopicPartition]) -> Result<(), Failure> {
    let mut names: Vec<String> = partitions.iter().map(|partition| partition.topic.to_string()).collect();
    names.sort();
    names.dedup();
    let mut known = Vec::new();
    for (name, topic) in admin.describe_topics(&names, 2000).await? {
        if let Ok(topic) = topic {
            known.extend(
                topic.partitions.iter().map(|found| TopicPartition::new(name.as_str(), found.partition)),
            );
        }
    }
    let missing: Vec<_> =
        partitions.iter().filter(|partition| !known.contains(partition)).map(ToString::to_string).collect();
    match missing.is_empty() {
        true => Ok(()),
        false => Err(Failure::refused(format!("The partitions \"{}\" do not exist", missing.join(",")))),
    }
}

async fn listed(admin: &Admin, partitions: &[TopicPartition], spec: OffsetSpec) -> Result<Plan, Failure> {
    let wanted: Vec<_> = partitions.iter().map(|partition| (partition.clone(), spec)).collect();
    let mut plan = Plan::new();
    for (partition, found) in admin.list_offsets(&wanted, IsolationLevel::ReadUncommitted).await? {
        plan.insert(partition, found.map_err(|error| thrown(&error))?.offset);
    }
    Ok(plan)
}

/// Offsets at a time; behind the last record where there is none that late.
async fn at_time(admin: &Admin, partitions: &[TopicPartition], timestamp: i64) -> Result<Plan, Failure> {
    let mut plan = listed(admin, partitions, OffsetSpec::ForTimestamp(timestamp)).await?;
    let late: Vec<_> = plan.iter().filter(|(_, offset)| **offset < 0).map(|(key, _)| key.clone()).collect();
    for partition in &late {
        println!(
            "\nWarn: Partition {} from topic {} is empty. Falling back to latest known offset.",
            partition.partition, partition.topic
        );
    }
    if !late.is_empty() {
        plan.extend(listed(admin, &late, OffsetSpec::Latest).await?);
    }
    Ok(plan)
}

/// Wanted offsets brought into what is there.
async fn within_range(admin: &Admin, wanted: Plan) -> Result<Plan, Failure> {
    let partitions: Vec<_> = wanted.keys().cloned().collect();
    let earliest = listed(admin, &partitions, OffsetSpec::Earliest).await?;
    let latest = listed(admin, &partitions, OffsetSpec::Latest).await?;
    let bring = |(partition, offset): (TopicPartition, i64)| {
        let low = earliest.get(&partition).copied().unwrap_or(offset);
        let high = latest.get(&partition).copied().unwrap_or(offset);
        (partition, offset.clamp(low, high.max(low)))
    };
    Ok(wanted.into_iter().map(bring).collect())
}

/// The new offsets of a group; `None` where the command line does not say where they go.
pub async fn plan(
    admin: &Admin,
    arguments: &Arguments,
    group: &str,
    partitions: &[TopicPartition],
    committed: &BTreeMap<TopicPartition, CommittedOffset>,
) -> Result<Option<Plan>, Failure> {
    check_exist(admin, partitions).await?;
    let to_offset: Option<i64> = arguments.number("to-offset")?;
    let shift_by: Option<i64> = arguments.number("shift-by")?;
    if let Some(offset) = to_offset {
        let wanted = partitions.iter().map(|partition| (partition.clone(), offset)).collect();
        return Ok(Some(within_range(admin, wanted).await?));
    }
    if arguments.has("to-earliest") {
        return Ok(Some(listed(admin, partitions, OffsetSpec::Earliest).await?));
    }
    if arguments.has("to-latest") {
        return Ok(Some(listed(admin, partitions, OffsetSpec::Latest).await?));
    }
    if let Some(by) = shift_by {
        let mut wanted = Plan::new();
        for partition in partitions {
            let Some(found) = committed.get(partition) else {
                return Err(Failure::refused(format!(
                    "Cannot shift offset for partition {partition} since there is no current committed offset"
                )));
            };
            wanted.insert(partition.clone(), found.offset.saturating_add(by));
        }
        return Ok(Some(within_range(admin, wanted).await?));
    }
    if let Some(text) = arguments.value("to-datetime")? {
        let timestamp = parse_date_time(text).ok_or_else(|| {
            Failure::refused(match text.contains('T') {
                true => format!("java.text.ParseException: Unparseable date: \"{text}\""),
                false => "java.text.ParseException: Error parsing timestamp. It does not contain a 'T' according to \
                          ISO8601 format"
                    .to_owned(),
            })
        })?;
        return Ok(Some(at_time(admin, partitions, timestamp).await?));
    }
    if let Some(text) = arguments.value("by-duration")? {
        let duration =
            parse_duration(text).ok_or_else(|| Failure::refused("Text cannot be parsed to a Duration"))?;
        return Ok(Some(at_time(admin, partitions, now_ms() - duration).await?));
    }
    if let Some(path) = arguments.value("from-file")? {
        let wanted = from_file(path, group, arguments.values("group").len() == 1)?;
        return Ok(Some(within_range(admin, wanted).await?));
    }
    if arguments.has("to-current") {
        let known = |partition: &&TopicPartition| committed.contains_key(*partition);
        let (with, without): (Vec<_>, Vec<_>) = partitions.iter().partition(known);
        let mut plan: Plan =
            with.into_iter().map(|partition| (partition.clone(), committed[partition].offset)).collect();
        let without: Vec<_> = without.into_iter().cloned().collect();
        plan.extend(listed(admin, &without, OffsetSpec::Latest).await?);
        return Ok(Some(plan));
    }
    Ok(None)
}

/// The lines of a CSV file that are this group's: `topic,partition,offset`, with the group in front where there are many.
fn from_file(path: &str, group: &str, is_single: bool) -> Result<Plan, Failure> {
    let text = fs::read_to_string(path)
        .map_err(|_| Failure::refused(format!("java.io.IOException: Unable to read file {path}")))?;
    let mut plan = Plan::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let cells: Vec<_> = line.split(',').map(|cell| cell.trim().trim_matches('"')).collect();
        let malformed = || Failure::refused(format!("The line `{line}` of {path} is malformed"));
        let (of, rest) = match &cells[..] {
            [topic, partition, offset] => (group, [*topic, *partition, *offset]),
            [of, topic, partition, offset] if !is_single || *of == group => {
                (*of, [*topic, *partition, *offset])
            }
            _ => return Err(malformed()),
        };
        if of != group {
            continue;
        }
        let partition = rest[1].parse().map_err(|_| malformed())?;
        plan.insert(TopicPartition::new(rest[0], partition), rest[2].parse().map_err(|_| malformed())?);
    }
    Ok(plan)
}
