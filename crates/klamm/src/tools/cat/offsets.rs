//! Where `klamm cat` begins and ends in each partition.

use std::collections::BTreeMap;

use klamm_client::admin::{IsolationLevel, OffsetSpec};
use klamm_client::{Admin, TopicPartition};

use crate::command_line::{Arguments, Failure};
use crate::text::calendar::{now_ms, parse_date_time};

use super::unreachable;

/// Where to begin.
pub enum Begin {
    /// A place that the broker knows.
    Spec(OffsetSpec),
    /// An offset.
    At(i64),
    /// So many records before the end.
    BeforeEnd(i64),
    /// Where the group was, which only a member of a group knows.
    Stored,
}

/// The partitions of a topic, or the one that is asked for.
pub async fn partitions(
    admin: &Admin,
    topic: &str,
    partition: Option<i32>,
) -> Result<Vec<TopicPartition>, Failure> {
    let described = admin.describe_topics(&[topic.to_owned()], 2000).await;
    let what = format!("Failed to query metadata for topic {topic}");
    let mut found = Vec::new();
    for (_, described) in described.map_err(|error| unreachable(&what, &error, ""))? {
        let described = described.map_err(|error| unreachable(&what, &error, ""))?;
        found.extend(described.partitions.into_iter().map(|partition| partition.partition));
    }
    found.sort_unstable();
    if let Some(partition) = partition.filter(|partition| *partition >= 0) {
        if !found.contains(&partition) {
            let last = found.last().copied().unwrap_or(0);
            return Err(Failure::refused(format!(
                "Topic {topic} (with partitions 0..{last}): partition {partition} does not exist"
            )));
        }
        found = vec![partition];
    }
    Ok(found.into_iter().map(|partition| TopicPartition::new(topic, partition)).collect())
}

/// Where to begin, and the timestamp to end before.
pub fn range(arguments: &Arguments) -> Result<(Begin, Option<i64>), Failure> {
    let (mut begin, mut end) = (Begin::Spec(OffsetSpec::Earliest), None);
    for text in arguments.values("offset") {
        let invalid = || {
            Failure::refused(format!(
                "{text} is no offset: try beginning, end, 42, -100, s@TIMESTAMP, e@TIMESTAMP, @-1h or @2026-01-31T12:00:00"
            ))
        };
        begin = match text {
            "beginning" | "earliest" | "start" => Begin::Spec(OffsetSpec::Earliest),
            "stored" => Begin::Stored,
            "end" | "latest" => Begin::Spec(OffsetSpec::Latest),
            text if text.starts_with("e@") => {
                end = Some(moment(&text[2..]).ok_or_else(invalid)?);
                continue;
            }
            text if text.starts_with("s@") || text.starts_with('@') => {
                let moment = moment(text.trim_start_matches('s').trim_start_matches('@'));
                Begin::Spec(OffsetSpec::ForTimestamp(moment.ok_or_else(invalid)?))
            }
            text => match text.parse::<i64>().map_err(|_| invalid())? {
                number if number < 0 => Begin::BeforeEnd(-number),
                number => Begin::At(number),
            },
        };
    }
    Ok((begin, end))
}

/// Milliseconds since 1970, a date and time, or how long ago: `-1h`, `-30m`, `-2d`.
pub fn moment(text: &str) -> Option<i64> {
    if let Ok(timestamp) = text.parse::<i64>()
        && timestamp >= 0
    {
        return Some(timestamp);
    }
    if let Some(ago) = text.strip_prefix('-') {
        let unit = ago.chars().last()?;
        let factor = match unit {
            's' => 1000,
            'm' => 60_000,
            'h' => 3_600_000,
            'd' => 86_400_000,
            _ => return None,
        };
        return Some(now_ms() - ago[..ago.len() - 1].parse::<i64>().ok()? * factor);
    }
    if text == "now" {
        return Some(now_ms());
    }
    parse_date_time(text).or_else(|| parse_date_time(&format!("{text}T00:00:00")))
}

/// The offset to begin with in each partition.
pub async fn positions(
    admin: &Admin,
    partitions: &[TopicPartition],
    begin: &Begin,
    isolation: IsolationLevel,
) -> Result<BTreeMap<TopicPartition, i64>, Failure> {
    let listed = async |spec: OffsetSpec| -> Result<BTreeMap<TopicPartition, i64>, Failure> {
        let wanted: Vec<_> = partitions.iter().map(|partition| (partition.clone(), spec)).collect();
        let mut found = BTreeMap::new();
        for (partition, listed) in admin.list_offsets(&wanted, isolation).await? {
            found.insert(partition, listed?.offset);
        }
        Ok(found)
    };
    Ok(match begin {
        Begin::Stored => {
            let first = partitions.first().map(|first| format!(" {} [{}]", first.topic, first.partition));
            return Err(Failure::refused(format!(
                "Failed to start consuming topic{}: Local: Invalid argument or configuration\nhint: only a member of a \
                 group has stored offsets: -G GROUP TOPIC",
                first.unwrap_or_default()
            )));
        }
        Begin::At(offset) => partitions.iter().map(|partition| (partition.clone(), *offset)).collect(),
        Begin::Spec(spec) => {
            let mut found = listed(*spec).await?;
            if found.values().any(|offset| *offset < 0) {
                let ends = listed(OffsetSpec::Latest).await?;
                for (partition, offset) in &mut found {
                    if *offset < 0 {
                        *offset = ends.get(partition).copied().unwrap_or(0);
                    }
                }
            }
            found
        }
        Begin::BeforeEnd(count) => {
            let first = listed(OffsetSpec::Earliest).await?;
            let ends = listed(OffsetSpec::Latest).await?;
            let back = |(partition, end): (TopicPartition, i64)| {
                let floor = first.get(&partition).copied().unwrap_or(0);
                (partition, (end - count).max(floor))
            };
            ends.into_iter().map(back).collect()
        }
    })
}

/// The first offset of each partition that is as young as `end`, where there is one.
pub async fn stops(
    admin: &Admin,
    partitions: &[TopicPartition],
    end: Option<i64>,
) -> Result<BTreeMap<TopicPartition, i64>, Failure> {
    let Some(end) = end else { return Ok(BTreeMap::new()) };
    let spec = OffsetSpec::ForTimestamp(end);
    let wanted: Vec<_> = partitions.iter().map(|partition| (partition.clone(), spec)).collect();
    let mut stops = BTreeMap::new();
    for (partition, listed) in admin.list_offsets(&wanted, IsolationLevel::ReadUncommitted).await? {
        let offset = listed?.offset;
        if offset >= 0 {
            stops.insert(partition, offset);
        }
    }
    Ok(stops)
}
