//! `klamm cat -C`.

use std::collections::BTreeMap;
use std::io::{BufWriter, StdoutLock, Write, stdout};
use std::time::Duration;

use bytes::Bytes;
use config::Properties;
use klamm_client::admin::IsolationLevel;
use klamm_client::{Admin, Client, ClientConfig, TopicPartition};
use regex::bytes::Regex;

use crate::command_line::{Arguments, Failure};
use crate::tools::fetching::{Fetched, Fetcher};

use super::format::Format;
use super::offsets::{partitions, positions, range, stops};
use super::unescaped;

/// What is shown of a record, and how.
pub struct Printer {
    format: Format,
    filters: Filters,
    null: &'static [u8],
    limit: Option<u64>,
    is_quiet: bool,
    is_unbuffered: bool,
    out: BufWriter<StdoutLock<'static>>,
    count: u64,
}

/// Which records are wanted.
struct Filters {
    key: Option<Bytes>,
    key_pattern: Option<Regex>,
    value_pattern: Option<Regex>,
    header_pattern: Option<(String, Regex)>,
}

impl Printer {
    /// A printer as the command line asks for it.
    pub fn new(arguments: &Arguments) -> Result<Self, Failure> {
        Ok(Self {
            format: Format::of(arguments)?,
            filters: Filters::of(arguments)?,
            null: if arguments.has("null") { b"NULL" } else { b"" },
            limit: arguments.number::<u64>("count")?.filter(|limit| *limit > 0),
            is_quiet: arguments.has("quiet"),
            is_unbuffered: arguments.has("unbuffered"),
            out: BufWriter::with_capacity(1 << 16, stdout().lock()),
            count: 0,
        })
    }

    /// Shows a record if it is wanted; says whether that was the last one to show.
    pub fn show(&mut self, fetched: &Fetched, client: &Client) -> Result<bool, Failure> {
        if !self.filters.allow(fetched) {
            return Ok(false);
        }
        let broker = match self.format.is_json() {
            true => client.metadata().leader(&fetched.topic_partition).map_or(-1, |(broker, _)| broker.id),
            false => -1,
        };
        let partition = &fetched.topic_partition;
        let shown = self.format.write(&mut self.out, fetched, self.null, broker);
        shown.map_err(|error| {
            let (topic, number, offset) = (&partition.topic, partition.partition, fetched.record.offset);
            match self.out.flush() {
                Ok(()) => Failure::refused(format!(
                    "Failed to format message in {topic} [{number}] at offset {offset}: {error}: terminating"
                )),
                Err(error) => error.into(),
            }
        })?;
        if self.is_unbuffered {
            self.out.flush()?;
        }
        self.count += 1;
        Ok(self.limit.is_some_and(|limit| self.count >= limit))
    }

    /// Everything shown is out.
    pub fn flush(&mut self) -> Result<(), Failure> {
        Ok(self.out.flush()?)
    }

    /// Tells that a partition has nothing more, or nothing more that is wanted.
    pub fn tell_end(
        &mut self,
        what: &str,
        partition: &TopicPartition,
        offset: i64,
        exits: bool,
    ) -> Result<(), Failure> {
        self.out.flush()?;
        if !self.is_quiet {
            let rest = if exits { ": exiting" } else { "" };
            eprintln!(
                "% Reached {what} topic {} [{}] at offset {offset}{rest}",
                partition.topic, partition.partition
            );
        }
        Ok(())
    }
}

/// Reads until told to end.
pub async fn run(arguments: &Arguments, properties: &Properties) -> Result<(), Failure> {
    let mut printer = Printer::new(arguments)?;
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
    let mut stops = stops(&admin, &partitions, end).await?;
    let exits = arguments.has("exit");
    let mut fetcher = Fetcher::at(admin.clone(), isolation, positions);
    // At which offset the end of a partition was told.
    let mut told: BTreeMap<TopicPartition, i64> = BTreeMap::new();
    loop {
        if !fetcher.has_waiting() {
            printer.flush()?;
        }
        let fetched = fetcher.next(Some(Duration::from_millis(200))).await?;
        if let Some(fetched) = &fetched {
            let partition = &fetched.topic_partition;
            if stops.get(partition).is_some_and(|stop| fetched.record.offset >= *stop) {
                stops.remove(partition);
                fetcher.leave(partition);
                told.remove(partition);
                let is_last = fetcher.is_idle() || (exits && is_read(&fetcher, &told));
                printer.tell_end("stop timestamp for", partition, fetched.record.offset, is_last)?;
                if is_last {
                    return Ok(());
                }
            } else if printer.show(fetched, admin.client())? {
                return printer.flush();
            }
        }
        if !fetcher.has_waiting() {
            for (partition, offset) in fetcher.ended() {
                if told.insert(partition.clone(), offset) != Some(offset) {
                    let is_last = exits && is_read(&fetcher, &told);
                    printer.tell_end("end of", &partition, offset, is_last)?;
                }
            }
            if exits && is_read(&fetcher, &told) {
                return printer.flush();
            }
        }
    }
}

/// Whether the end of every partition was reached and told.
fn is_read(fetcher: &Fetcher, told: &BTreeMap<TopicPartition, i64>) -> bool {
    fetcher.is_at_end() && fetcher.ended().iter().all(|(partition, _)| told.contains_key(partition))
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
