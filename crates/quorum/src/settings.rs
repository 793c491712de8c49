//! What a quorum is started with.

use std::{collections::BTreeMap, fmt, path::PathBuf, sync::Arc, time::Duration};

use config::{BrokerConfig, Properties, TopicConfig};
use protocol::Uuid;
use storage::{PartitionLog, disk::Disk, file_names::partition_directory_name};

use crate::type_config::VoterNode;

/// Milliseconds since 1970; the simulated side hands in its own.
#[derive(Clone)]
pub struct WallClock(pub Arc<dyn Fn() -> i64 + Send + Sync>);

impl WallClock {
    pub(crate) fn now_ms(&self) -> i64 {
        (self.0)()
    }
}

impl fmt::Debug for WallClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WallClock")
    }
}

/// Who we are, who votes, and when to clean up.
#[derive(Debug, Clone)]
pub struct QuorumSettings {
    /// `node.id`.
    pub replica_id: i32,
    /// Id of the log directory that holds the metadata log.
    pub directory_id: Uuid,
    /// The voters an empty log begins with, the same on each of them; empty on a node that waits to be added.
    pub initial_voters: BTreeMap<i32, VoterNode>,
    /// Where the time comes from.
    pub clock: WallClock,
    /// `controller.quorum.election.timeout.ms`: shortest time without a leader before an election; at most twice as
    /// long. A leader shows itself three times as often.
    pub election_timeout: Duration,
    /// `controller.quorum.request.timeout.ms`.
    pub request_timeout: Duration,
    /// `metadata.log.max.record.bytes.between.snapshots`.
    pub max_record_bytes_between_snapshots: u64,
    /// `metadata.log.max.snapshot.interval.ms`; zero is never.
    pub max_snapshot_interval: Duration,
    /// `metadata.max.retention.bytes`: log and snapshots together; `None` is unlimited.
    pub retention_bytes: Option<u64>,
    /// `metadata.max.retention.ms`: age of the newest record in a snapshot; `None` is unlimited.
    pub retention: Option<Duration>,
}

impl QuorumSettings {
    /// Kafka's defaults.
    pub fn new(
        replica_id: i32,
        directory_id: Uuid,
        initial_voters: BTreeMap<i32, VoterNode>,
        clock: WallClock,
    ) -> Self {
        Self {
            replica_id,
            directory_id,
            initial_voters,
            clock,
            election_timeout: Duration::from_millis(1_000),
            request_timeout: Duration::from_millis(2_000),
            max_record_bytes_between_snapshots: 20 * 1024 * 1024,
            max_snapshot_interval: Duration::from_secs(60 * 60),
            retention_bytes: Some(100 * 1024 * 1024),
            retention: Some(Duration::from_secs(7 * 24 * 60 * 60)),
        }
    }

    /// The same, with what a configuration says about timeouts, snapshots and retention.
    pub fn configured(mut self, config: &BrokerConfig) -> Self {
        let node = &config.node;
        let positive = |ms: i64| u64::try_from(ms).unwrap_or(0);
        let limit = |value: i64| u64::try_from(value).ok();
        self.election_timeout =
            Duration::from_millis(positive(node.controller_quorum_election_timeout_ms.into()));
        self.request_timeout =
            Duration::from_millis(positive(node.controller_quorum_request_timeout_ms.into()));
        self.max_record_bytes_between_snapshots =
            positive(node.metadata_log_max_record_bytes_between_snapshots);
        self.max_snapshot_interval =
            Duration::from_millis(positive(node.metadata_log_max_snapshot_interval_ms));
        self.retention_bytes = limit(node.metadata_max_retention_bytes);
        self.retention = limit(node.metadata_max_retention_ms).map(Duration::from_millis);
        self
    }
}

/// The configuration to open the metadata log with: synced whatever `klamm.durability` says, rolled by
/// `metadata.log.segment.*`, and never deleted from but behind snapshots.
pub fn metadata_log_config(config: &BrokerConfig) -> TopicConfig {
    let own = [
        ("cleanup.policy", "delete".to_owned()),
        ("compression.type", "producer".to_owned()),
        ("klamm.durability", "synced".to_owned()),
        ("retention.bytes", "-1".to_owned()),
        ("retention.ms", "-1".to_owned()),
        ("segment.bytes", config.node.metadata_log_segment_bytes.to_string()),
        ("segment.jitter.ms", "0".to_owned()),
        ("segment.ms", config.node.metadata_log_segment_ms.to_string()),
    ];
    let overrides: Properties = own.into_iter().map(|(name, text)| (name.to_owned(), text)).collect();
    TopicConfig::resolve(config, &overrides)
}

/// Where the metadata log lies.
#[derive(Clone)]
pub struct QuorumStorage {
    /// The disk of `directory`.
    pub disk: Arc<dyn Disk>,
    /// The folder of the log, for votes and snapshots.
    pub directory: PathBuf,
    /// The log `__cluster_metadata-0`, opened with [`metadata_log_config`].
    pub log: Arc<PartitionLog>,
}

impl QuorumStorage {
    /// Votes and snapshots lie beside the segments.
    pub fn new(disk: Arc<dyn Disk>, log: Arc<PartitionLog>) -> Self {
        let directory = log.directory().path().join(partition_directory_name(log.topic(), log.partition()));
        Self { disk, directory, log }
    }
}
