//! The consumer's settings.

use config::Properties;

use crate::consumer::assignors::AssignorName;
use crate::error::ClientError;
use crate::settings::{ClientConfig, Setting, warn_unknown};

/// Where reading begins where nothing was committed, or what was is out of range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffsetReset {
    /// At the log's start.
    Earliest,
    /// At its end.
    Latest,
    /// Nowhere: the consumer says so.
    None,
    /// At the first record not older than this, ms (KIP-1106).
    ByDuration(i64),
}

/// Which records a consumer sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IsolationLevel {
    /// All.
    ReadUncommitted,
    /// Those of committed transactions and of none.
    ReadCommitted,
}

/// How members of a group agree on who reads what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupProtocol {
    /// A member decides; everybody joins again for it.
    Classic,
    /// The coordinator decides; members follow one by one (KIP-848).
    Consumer,
}

impl Setting for OffsetReset {
    fn parse(text: &str) -> Result<Self, String> {
        match text.trim() {
            "earliest" => Ok(Self::Earliest),
            "latest" => Ok(Self::Latest),
            "none" => Ok(Self::None),
            other => other
                .strip_prefix("by_duration:")
                .and_then(parse_duration_ms)
                .map(Self::ByDuration)
                .ok_or_else(|| "earliest, latest, none or by_duration:<ISO 8601 duration> is due".to_owned()),
        }
    }
}

impl Setting for IsolationLevel {
    fn parse(text: &str) -> Result<Self, String> {
        match text.trim() {
            "read_uncommitted" => Ok(Self::ReadUncommitted),
            "read_committed" => Ok(Self::ReadCommitted),
            _ => Err("read_uncommitted or read_committed is due".to_owned()),
        }
    }
}

impl Setting for GroupProtocol {
    fn parse(text: &str) -> Result<Self, String> {
        match text.trim().to_ascii_lowercase().as_str() {
            "classic" => Ok(Self::Classic),
            "consumer" => Ok(Self::Consumer),
            _ => Err("classic or consumer is due".to_owned()),
        }
    }
}

impl Setting for Vec<AssignorName> {
    fn parse(text: &str) -> Result<Self, String> {
        let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
        names
            .map(|name| AssignorName::from_java(name).ok_or_else(|| format!("{name} is no assignor")))
            .collect()
    }
}

/// Milliseconds of `PnDTnHnMn.nS`, as Java's `Duration` prints it.
fn parse_duration_ms(text: &str) -> Option<i64> {
    let mut rest = text.trim().strip_prefix('P')?;
    let (mut total_ms, mut is_time, mut is_any) = (0_f64, false, false);
    while !rest.is_empty() {
        if let Some(behind) = rest.strip_prefix('T') {
            (rest, is_time) = (behind, true);
            continue;
        }
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let value: f64 = rest[..end].parse().ok()?;
        let unit_ms = match (&rest[end..=end], is_time) {
            ("D", false) => 86_400_000.0,
            ("H", true) => 3_600_000.0,
            ("M", true) => 60_000.0,
            ("S", true) => 1_000.0,
            _ => return None,
        };
        (total_ms, is_any) = (total_ms + value * unit_ms, true);
        rest = &rest[end + 1..];
    }
    is_any.then_some(total_ms as i64)
}

settings! {
    /// How a consumer reads, commits and belongs to a group.
    pub struct ConsumerConfig {
        /// The group that offsets are committed for.
        group_id: Option<String> = "group.id", None;
        /// A name that lets a member come back without a rebalance (KIP-345).
        group_instance_id: Option<String> = "group.instance.id", None;
        /// How members agree on who reads what.
        group_protocol: GroupProtocol = "group.protocol", GroupProtocol::Classic;
        /// The coordinator's assignor, with `group.protocol=consumer`.
        group_remote_assignor: Option<String> = "group.remote.assignor", None;
        /// Assignors in order of preference, with `group.protocol=classic`.
        assignors: Vec<AssignorName> = "partition.assignment.strategy",
            vec![AssignorName::Range, AssignorName::CooperativeSticky];
        /// A member that is silent for longer is out of its group, ms.
        session_timeout_ms: i32 = "session.timeout.ms", 45_000, min 1;
        /// How often a member says that it lives, ms.
        heartbeat_interval_ms: i32 = "heartbeat.interval.ms", 3_000, min 1;
        /// A member that takes longer between two calls for records leaves its group, ms.
        max_poll_interval_ms: i32 = "max.poll.interval.ms", 300_000, min 1;
        /// Whether positions are committed by themselves.
        enable_auto_commit: bool = "enable.auto.commit", true;
        /// How often, ms.
        auto_commit_interval_ms: i64 = "auto.commit.interval.ms", 5_000, min 0;
        /// Where to begin without a valid position.
        auto_offset_reset: OffsetReset = "auto.offset.reset", OffsetReset::Latest;
        /// Which records are seen.
        isolation_level: IsolationLevel = "isolation.level", IsolationLevel::ReadUncommitted;
        /// Most records that one call hands out.
        max_poll_records: usize = "max.poll.records", 500, min 1;
        /// Bytes that a broker waits for before it answers a fetch.
        fetch_min_bytes: i32 = "fetch.min.bytes", 1, min 0;
        /// Most bytes of a fetch's answer.
        fetch_max_bytes: i32 = "fetch.max.bytes", 52_428_800, min 0;
        /// How long a broker waits for those bytes, ms.
        fetch_max_wait_ms: i32 = "fetch.max.wait.ms", 500, min 0;
        /// Most bytes per partition of a fetch's answer.
        max_partition_fetch_bytes: i32 = "max.partition.fetch.bytes", 1_048_576, min 0;
        /// Whether checksums of batches are verified.
        check_crcs: bool = "check.crcs", true;
        /// Whether topics that are read may come into being by it.
        allow_auto_create_topics: bool = "allow.auto.create.topics", true;
        /// Whether Kafka's own topics match regular expressions.
        exclude_internal_topics: bool = "exclude.internal.topics", true;
    }
    beside {
        decompressed_bytes_max: usize = 1 << 30;
    }
}

impl ConsumerConfig {
    /// Kafka's defaults for a group.
    pub fn new(group_id: impl Into<String>) -> Self {
        Self { group_id: Some(group_id.into()), ..Self::default() }
    }

    /// Kafka's defaults without a group: partitions are assigned by hand, nothing is committed.
    pub fn standalone() -> Self {
        Self { enable_auto_commit: false, ..Self::default() }
    }

    /// No batch may decompress to more bytes.
    #[must_use]
    pub fn decompressed_bytes_max(mut self, bytes: usize) -> Self {
        self.decompressed_bytes_max = bytes;
        self
    }

    /// Reads one file's settings for the client and the consumer; keys that neither knows are warned of.
    ///
    /// # Errors
    /// A value that is not valid.
    pub fn from_properties(properties: &Properties) -> Result<(ClientConfig, Self), ClientError> {
        let (mut client, mut consumer) = (ClientConfig::default(), Self::default());
        let mut unknown = consumer.apply(properties)?;
        let unknown_to_client = client.apply(properties)?;
        unknown.retain(|key| unknown_to_client.contains(key));
        warn_unknown(unknown, &[Self::KEYS, ClientConfig::KEYS]);
        Ok((client, consumer))
    }

    pub(crate) fn check(&self) -> Result<(), ClientError> {
        let refused = |key: &str, value: String, reason: &str| Err(ClientError::config(key, &value, reason));
        if self.heartbeat_interval_ms >= self.session_timeout_ms {
            let reason = "less than session.timeout.ms is due";
            return refused("heartbeat.interval.ms", self.heartbeat_interval_ms.to_string(), reason);
        }
        if self.assignors.is_empty() && self.group_protocol == GroupProtocol::Classic {
            return refused("partition.assignment.strategy", String::new(), "at least one assignor is due");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resets_and_assignors_are_read_as_in_java() {
        for (text, expected) in [
            ("earliest", Some(OffsetReset::Earliest)),
            ("by_duration:P1DT2H", Some(OffsetReset::ByDuration(93_600_000))),
            ("by_duration:PT0.5S", Some(OffsetReset::ByDuration(500))),
            ("by_duration:P", None),
            ("by_duration:P1H", None),
            ("EARLIEST", None),
        ] {
            assert_eq!(OffsetReset::parse(text).ok(), expected, "{text}");
        }
        let names = "org.apache.kafka.clients.consumer.RoundRobinAssignor, cooperative-sticky";
        let parsed = <Vec<AssignorName> as Setting>::parse(names).unwrap();
        assert_eq!(parsed, [AssignorName::RoundRobin, AssignorName::CooperativeSticky]);
        assert!(<Vec<AssignorName> as Setting>::parse("fair").is_err());
    }
}
