//! What is known of the cluster: brokers, topics, leaders. A value that is replaced, never changed.

mod update;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use protocol::{ErrorCode, Uuid};

use crate::endpoint::Endpoint;
use crate::topic_partition::TopicPartition;

/// One state of the cluster as brokers told it.
#[derive(Clone, Debug, Default)]
pub struct ClusterMetadata {
    cluster_id: Option<Arc<str>>,
    controller_id: Option<i32>,
    brokers: BTreeMap<i32, Arc<Endpoint>>,
    topics: HashMap<Arc<str>, Arc<TopicMetadata>>,
    names: HashMap<Uuid, Arc<str>>,
    /// Answers to Metadata so far; leader hints do not count.
    pub(crate) generation: u64,
    /// When the last answer came, in the client's own time, ms.
    pub(crate) updated_ms: i64,
    /// Who gave the last answer.
    pub(crate) told_by: Option<Arc<Endpoint>>,
}

/// A topic with its partitions, or why it cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicMetadata {
    /// Name.
    pub name: Arc<str>,
    /// Id; zero where brokers do not say it.
    pub id: Uuid,
    /// Whether it is Kafka's own.
    pub is_internal: bool,
    /// `None`, or why there are no partitions.
    pub error: ErrorCode,
    /// Partitions by index.
    pub partitions: Vec<PartitionMetadata>,
}

/// A partition's leader and replicas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionMetadata {
    /// Index in the topic.
    pub partition: i32,
    /// The leader's broker id; none while there is no leader.
    pub leader: Option<i32>,
    /// The leader's epoch; -1 where brokers do not say it.
    pub leader_epoch: i32,
    /// All replicas, the preferred leader first.
    pub replicas: Vec<i32>,
    /// Replicas in sync.
    pub isr: Vec<i32>,
    /// Replicas that are not available.
    pub offline_replicas: Vec<i32>,
}

impl ClusterMetadata {
    /// The cluster's id.
    pub fn cluster_id(&self) -> Option<&str> {
        self.cluster_id.as_deref()
    }

    /// The broker that requests to the controller go to.
    pub fn controller_id(&self) -> Option<i32> {
        self.controller_id
    }

    /// Brokers by ascending id.
    pub fn brokers(&self) -> impl ExactSizeIterator<Item = &Arc<Endpoint>> {
        self.brokers.values()
    }

    /// One broker.
    pub fn broker(&self, id: i32) -> Option<&Arc<Endpoint>> {
        self.brokers.get(&id)
    }

    /// Topics that were asked for, in no order.
    pub fn topics(&self) -> impl ExactSizeIterator<Item = &Arc<TopicMetadata>> {
        self.topics.values()
    }

    /// One topic, if it was asked for.
    pub fn topic(&self, name: &str) -> Option<&Arc<TopicMetadata>> {
        self.topics.get(name)
    }

    /// The name that a topic id stands for.
    pub fn topic_name(&self, id: Uuid) -> Option<&Arc<str>> {
        self.names.get(&id)
    }

    /// One partition.
    pub fn partition(&self, topic: &str, partition: i32) -> Option<&PartitionMetadata> {
        let index = usize::try_from(partition).ok()?;
        self.topics.get(topic)?.partitions.get(index)
    }

    /// A partition's leader with its address and epoch, if both are known.
    pub fn leader(&self, topic_partition: &TopicPartition) -> Option<(&Arc<Endpoint>, i32)> {
        let partition = self.partition(&topic_partition.topic, topic_partition.partition)?;
        Some((self.brokers.get(&partition.leader?)?, partition.leader_epoch))
    }
}
