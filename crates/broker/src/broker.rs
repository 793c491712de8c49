//! What all connections of a broker share.

use std::sync::Arc;

use config::BrokerConfig;
use parking_lot::Mutex;
use protocol::Uuid;
use quorum::QuorumHandle;
use replica::FetchSessions;
use storage::LogManager;

use crate::broker_config::DynamicBrokerConfig;
use crate::clock::Clock;
use crate::controller_client::ControllerClient;
use crate::group_coordinator::GroupCoordinator;
use crate::metadata_view::MetadataView;
use crate::partitions::Partitions;
use crate::producer_ids::ProducerIds;
use crate::replica_mover::ReplicaMover;
use crate::share_partitions::{SHARE_VERSION, SharePartitions};
use crate::topic_creation::TopicCreation;
use crate::transaction_coordinator::TransactionCoordinator;

/// One broker.
pub struct Broker {
    /// Its id.
    pub node_id: i32,
    /// The cluster it belongs to.
    pub cluster_id: String,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Settings, altered ones included.
    pub dynamic_config: Arc<DynamicBrokerConfig>,
    /// The latest metadata.
    pub metadata: Arc<MetadataView>,
    /// The partitions whose replicas lie here.
    pub partitions: Arc<Partitions>,
    /// Their logs.
    pub logs: Arc<LogManager>,
    /// Moves replicas between log directories.
    pub mover: Arc<ReplicaMover>,
    /// The active controller.
    pub controller: ControllerClient,
    /// The metadata quorum.
    pub quorum: QuorumHandle,
    /// The groups that are coordinated here.
    pub groups: Arc<GroupCoordinator>,
    /// The partitions that are shared out here.
    pub shared: Arc<SharePartitions>,
    /// The transactions that are coordinated here.
    pub transactions: Arc<TransactionCoordinator>,
    /// Creates topics that somebody asks for by name.
    pub topic_creation: TopicCreation,
    /// Ids for idempotent producers.
    pub producer_ids: ProducerIds,
    /// What fetchers have been told.
    pub fetch_sessions: Mutex<FetchSessions>,
    /// Listeners whose clients reach us at whatever address they used.
    pub listeners_without_address: Vec<String>,
}

impl Broker {
    /// The settings now.
    pub fn config(&self) -> Arc<BrokerConfig> {
        self.dynamic_config.current()
    }

    /// Whether the cluster has share groups: `share.version` is finalised.
    pub fn supports_share_groups(&self) -> bool {
        self.metadata.image().features.level(SHARE_VERSION) >= 1
    }

    /// Whether `listener` advertises no address of its own.
    pub fn advertises_no_address(&self, listener: &str) -> bool {
        self.listeners_without_address.iter().any(|name| name == listener)
    }

    /// Who leads a partition, and in which epoch.
    pub fn leader_by_id(&self, topic_id: Uuid, partition: i32) -> Option<(i32, i32)> {
        let image = self.metadata.image();
        let registration = image.topics.partition(topic_id, partition)?;
        Some((registration.leader, registration.leader_epoch))
    }

    /// Who leads a partition, and in which epoch.
    pub fn leader_by_name(&self, topic: &str, partition: i32) -> Option<(i32, i32)> {
        let image = self.metadata.image();
        let registration = image.topics.by_name(topic)?.partition(partition)?;
        Some((registration.leader, registration.leader_epoch))
    }
}
