//! `klamm cat -C`.

use std::collections::BTreeMap;
use std::io::{BufWriter, Write, stdout};
use std::time::Duration;

use bytes::Bytes;
use config::Properties;
use klamm_client::admin::{IsolationLevel, OffsetSpec};
use klamm_client::{Admin, Client, ClientConfig, TopicPartition};
use regex::bytes::Regex;

use crate::command_line::{Arguments, Failure};
use crate::text::calendar::{now_ms, parse_date_time};
use crate::tools::fetching::{Fetched, Fetcher};

use super::format::Format;
use super::unescaped;

/// Where to begin.
enum Begin {
    Spec(OffsetSpec),
    At(i64),
    BeforeEnd(i64),
}

/// Which records are wanted.
struct Filters {
    key: Option<Bytes>,
    key_pattern: Option<Regex>,
    value_pattern: Option<Regex>,
    header_pattern: Option<(String, Regex)>,
}

/// Reads until told to end.
pub async fn run(arguments: &Arguments, properties: &Properties) -> Result<(), Failure> {
    let format = format(arguments)?;
    let filters = Filters::of(arguments)?;
    let null: &[u8] = if arguments.has("null") { b"NULL" } else { b"" };
    let limit: Option<u64> = arguments.number("count")?;
    let admin = Admin::new(Client::unconnected(ClientConfig::from_properties(properties)?)?);
    let topic = arguments.required("topic")?.to_owned();
    let partitions = partitions(&admin, &topic, arguments.number("partition")?).await?;
    let (begin, end) = range(arguments)?;
    let isolation = match properties.get("isolation.level").map(String::as_str) {
        // librdkafka reads committed records unless told otherwise.
        Some("read_uncommitted") => IsolationLevel::ReadUncommitted,
        _ => IsolationLevel::ReadCommitted,
    };
    let positions = positions(&admin, &partitions, &begin, isolation).await?;
    let mut fetcher = Fetcher::at(admin, isolation, positions);
    let mut out = BufWriter::with_capacity(1 << 16, stdout().lock());
    let mut count = 0;
    loop {
        if !fetcher.has_waiting() || arguments.has("unbuffered") {
            out.flush()?;
        }
        let patience = Duration::from_millis(200);
        let Some(fetched) = fetcher.next(Some(patience)).await? else {
            if arguments.has("exit") && fetcher.is_at_end() {
                break;
            }
            continue;
        };
        let is_past_end = end.is_some_and(|end| fetched.record.timestamp >= end);
        if is_past_end {
            if fetcher.is_at_end() {
                break;
            }
            continue;
        }
        if !filters.allow(&fetched) {
            if arguments.has("exit") && fetcher.is_at_end() {
                break;
            }
            continue;
        }
        format.write(&mut out, &fetched, null)?;
        count += 1;
        let is_done = limit.is_some_and(|limit| count >= limit);
        if is_done || (arguments.has("exit") && fetcher.is_at_end()) {
            break;
        }
    }
    out.flush()?;
    Ok(())
}

fn format(arguments: &Arguments) -> Result<Format, Failure> {
    if arguments.has("json") {
        return Ok(Format::Json);
    }
    if let Some(text) = arguments.value("format")? {
        return Format::parse(text);
    }
    let delimiter = arguments.value("delimiter")?.unwrap_or("\\n").replace('%', "%%");
    match arguments.value("key-delimiter")? {
        Some(key) => Format::parse(&format!("%k{}%s{delimiter}", key.replace('%', "%%"))),
        None => Format::parse(&format!("%s{delimiter}")),
    }
}

impl Filters {
    fn of(arguments: &Arguments) -> Result<Self, Failure> {
        let pattern = |text: &str| {
            Regex::new(text).map_err(|_| Failure::refused(format!("{text} is an invalid regular expression")))
        };
        let header_pattern = match arguments.value("match-header")? {
            Some(text) => {
                let (name, value) = text.split_once('=').unwrap_or((text, ".*"));
                Some((name.to_owned(), pattern(value)?))
            }
            None => None,
        };
        Ok(Self {
            key: arguments.value("key")?.map(|key| Bytes::from(unescaped(key))),
            key_pattern: arguments.value("match-key")?.map(pattern).transpose()?,
            value_pattern: arguments.value("match-value")?.map(pattern).transpose()?,
            header_pattern,
        })
    }

    fn allow(&self, fetched: &Fetched) -> bool {
        let record = &fetched.record;
        let matches = |pattern: &Regex, bytes: &Option<Bytes>| {
            bytes.as_ref().is_some_and(|bytes| pattern.is_match(bytes))
        };
        self.key.as_ref().is_none_or(|key| record.key.as_ref() == Some(key))
            && self.key_pattern.as_ref().is_none_or(|pattern| matches(pattern, &record.key))
            && self.value_pattern.as_ref().is_none_or(|pattern| matches(pattern, &record.value))
            && self.header_pattern.as_ref().is_none_or(|(name, pattern)| {
                let named = record.headers.iter().filter(|header| header.key == name.as_bytes());
                named.into_iter().any(|header| matches(pattern, &header.value))
            })
    }
}

/// The partitions of a topic, or the one that is asked for.
pub async fn partitions(
    admin: &Admin,
    topic: &str,
    partition: Option<i32>,
) -> Result<Vec<TopicPartition>, Failure> {
    if let Some(partition) = partition.filter(|partition| *partition >= 0) {
        return Ok(vec![TopicPartition::new(topic, partition)]);
    }
    let mut partitions = Vec::new();
    for (name, described) in admin.describe_topics(&[topic.to_owned()], 2000).await? {
        let found = described?.partitions.into_iter();
        partitions.extend(found.map(|found| TopicPartition::new(name.as_str(), found.partition)));
    }
    Ok(partitions)
}

/// Where to begin, and the timestamp to end before.
fn range(arguments: &Arguments) -> Result<(Begin, Option<i64>), Failure> {
    let (mut begin, mut end) = (Begin::Spec(OffsetSpec::Earliest), None);
    for text in arguments.values("offset") {
        let invalid = || {
            Failure::refused(format!(
                "{text} is no offset: try beginning, end, 42, -100, s@TIMESTAMP, e@TIMESTAMP, @-1h or @2026-01-31T12:00:00"
            ))
        };
        begin = match text {
            "beginning" | "start" | "stored" => Begin::Spec(OffsetSpec::Earliest),
            "end" => Begin::Spec(OffsetSpec::Latest),
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

async fn positions(
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
