//! The partitions whose replicas lie on this broker, by name and by id.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use config::{BrokerConfig, TopicConfig};
use hashbrown::{HashMap, HashSet};
use metadata::{LocalReplica, MetadataImage, directory_id};
use parking_lot::{Mutex, RwLock};
use protocol::{ErrorCode, Uuid};
use replica::Leadership;
use storage::file_names::CLUSTER_METADATA_TOPIC;
use storage::{LogManager, PartitionLog, StorageError};
use tracing::{error, info, warn};

use crate::broker_config::DynamicBrokerConfig;
use crate::clock::Clock;
use crate::metadata_view::MetadataView;
use crate::partition::{Partition, TopicPartition};
use crate::settings;

/// Why a partition cannot be served here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotHere {
    /// No topic has this name or id.
    UnknownTopic,
    /// The topic has no such partition.
    UnknownPartition,
    /// The partition exists, on other brokers, or is about to come or go here.
    Elsewhere,
    /// Its log directory has failed, or its log cannot be opened.
    Offline,
}

impl From<NotHere> for ErrorCode {
    /// As Kafka answers requests that name topics.
    fn from(not_here: NotHere) -> Self {
        match not_here {
            NotHere::UnknownTopic | NotHere::UnknownPartition => ErrorCode::UnknownTopicOrPartition,
            NotHere::Elsewhere => ErrorCode::NotLeaderOrFollower,
            NotHere::Offline => ErrorCode::KafkaStorageError,
        }
    }
}

type Topics<K> =
    HashMap<K, HashMap<i32, Arc<Partition>, foldhash::fast::RandomState>, foldhash::fast::RandomState>;

/// All partitions of this broker.
pub struct Partitions {
    node_id: i32,
    logs: Arc<LogManager>,
    metadata: Arc<MetadataView>,
    config: Arc<DynamicBrokerConfig>,
    clock: Arc<dyn Clock>,
    held: RwLock<Held>,
    /// What topics without settings of their own share, and the settings of the broker that it follows from.
    inherited: Mutex<Option<(Arc<BrokerConfig>, Arc<TopicConfig>)>>,
    /// Whether the replicas of the last run are here: what comes later is new.
    are_all_known: AtomicBool,
}

#[derive(Default)]
struct Held {
    by_name: Topics<Arc<str>>,
    by_id: Topics<Uuid>,
    /// Replicas that should be here and whose logs cannot be opened.
    failed: HashSet<(Uuid, i32)>,
}

impl Partitions {
    /// No partitions yet: the metadata brings them.
    pub fn new(
        node_id: i32,
        logs: Arc<LogManager>,
        metadata: Arc<MetadataView>,
        config: Arc<DynamicBrokerConfig>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Partitions {
            node_id,
            logs,
            metadata,
            config,
            clock,
            held: RwLock::default(),
            inherited: Mutex::default(),
            are_all_known: AtomicBool::new(false),
        }
    }

    /// The partition of this topic name, if its replica is here.
    ///
    /// # Errors
    /// Why it is not.
    pub fn by_name(&self, topic: &str, partition: i32) -> Result<Arc<Partition>, NotHere> {
        let held = self.held.read();
        match held.by_name.get(topic).and_then(|partitions| partitions.get(&partition)) {
            Some(found) => online(found),
            None => {
                Err(held.missing(self.metadata.image().topics.by_name(topic).map(Arc::as_ref), partition))
            }
        }
    }

    /// The partition of this topic id, if its replica is here.
    ///
    /// # Errors
    /// Why it is not.
    pub fn by_id(&self, topic_id: Uuid, partition: i32) -> Result<Arc<Partition>, NotHere> {
        let held = self.held.read();
        match held.by_id.get(&topic_id).and_then(|partitions| partitions.get(&partition)) {
            Some(found) => online(found),
            None => {
                Err(held.missing(self.metadata.image().topics.by_id(topic_id).map(Arc::as_ref), partition))
            }
        }
    }

    /// The replica that is here, even if its log directory has failed.
    pub fn replica(&self, topic_id: Uuid, partition: i32) -> Option<Arc<Partition>> {
        self.held.read().by_id.get(&topic_id)?.get(&partition).cloned()
    }

    /// From now on a replica that the metadata brings and that is in no directory yet may be new.
    pub fn all_known(&self) {
        self.are_all_known.store(true, Ordering::Release);
    }

    /// Every partition here.
    pub fn all(&self) -> Vec<Arc<Partition>> {
        self.held.read().by_name.values().flat_map(|topic| topic.values().cloned()).collect()
    }

    /// Leads `replica`, creating its log if there is none. None when its log directory does not let us.
    pub fn lead(&self, replica: &LocalReplica, image: &MetadataImage) -> Option<Arc<Partition>> {
        let partition = self.obtain(replica, image)?;
        let registration = &replica.registration;
        if replica.new_leader_epoch || partition.leader_epoch() != registration.leader_epoch {
            let leadership = Leadership {
                local_broker_id: self.node_id,
                leader_epoch: registration.leader_epoch,
                replicas: registration.replicas.to_vec(),
                isr: registration.isr.to_vec(),
                partition_epoch: registration.partition_epoch,
            };
            let lag_max_ms = self.config.current().replication.replica_lag_time_max_ms;
            if let Err(reason) = partition.lead(leadership, lag_max_ms) {
                error!(topic_partition = %partition.topic_partition, %reason, "cannot begin a leader epoch");
                return None;
            }
        } else {
            let isr = registration.isr.iter().copied().collect();
            partition.in_sync_replicas_changed(isr, registration.partition_epoch);
        }
        Some(partition)
    }

    /// Keeps the replica without leading it. None when its log directory does not let us.
    pub fn follow(&self, replica: &LocalReplica, image: &MetadataImage) -> Option<Arc<Partition>> {
        let partition = self.obtain(replica, image)?;
        partition.resign();
        Some(partition)
    }

    /// Lets a partition with another log take the place of `partition`; it leads nothing yet.
    ///
    /// # Errors
    /// That of `complete`, which is called while nobody appends.
    pub fn swap_log(
        &self,
        partition: &Arc<Partition>,
        complete: impl FnOnce() -> Result<Arc<PartitionLog>, StorageError>,
    ) -> Result<(), StorageError> {
        let log = partition.hand_over(complete)?;
        let topic_partition = partition.topic_partition.clone();
        let (topic, number) = (topic_partition.topic.clone(), topic_partition.partition);
        let (metadata, clock) = (self.metadata.clone(), self.clock.clone());
        let successor = Partition::new(topic_partition, partition.topic_id, log, metadata, clock);
        let mut held = self.held.write();
        held.by_name.entry(topic).or_default().insert(number, successor.clone());
        held.by_id.entry(partition.topic_id).or_default().insert(number, successor);
        Ok(())
    }

    fn obtain(&self, replica: &LocalReplica, image: &MetadataImage) -> Option<Arc<Partition>> {
        let held = self
            .held
            .read()
            .by_id
            .get(&replica.topic_id)
            .and_then(|topic| topic.get(&replica.partition))
            .cloned();
        if held.is_some() {
            return held;
        }
        let log = match self.open_log(replica, image) {
            Ok(log) => log,
            Err(reason) => {
                error!(topic = replica.topic, partition = replica.partition, %reason, "cannot open the log");
                self.held.write().failed.insert((replica.topic_id, replica.partition));
                return None;
            }
        };
        let mut held = self.held.write();
        let topic: Arc<str> = match held.by_name.get_key_value(replica.topic.as_str()) {
            Some((topic, _)) => topic.clone(),
            None => Arc::from(replica.topic.as_str()),
        };
        let topic_partition = TopicPartition { topic: topic.clone(), partition: replica.partition };
        let partition =
            Partition::new(topic_partition, replica.topic_id, log, self.metadata.clone(), self.clock.clone());
        held.by_name.entry(topic).or_default().insert(replica.partition, partition.clone());
        held.by_id.entry(replica.topic_id).or_default().insert(replica.partition, partition.clone());
        held.failed.remove(&(replica.topic_id, replica.partition));
        Some(partition)
    }

    fn open_log(
        &self,
        replica: &LocalReplica,
        image: &MetadataImage,
    ) -> Result<Arc<PartitionLog>, StorageError> {
        let config = self.topic_config(&replica.topic, image);
        let (topic, partition, id) = (replica.topic.as_str(), replica.partition, replica.topic_id);
        if self.logs.log(topic, partition).is_none() && self.may_be_offline(replica) {
            let reason = format!("the log of {topic}-{partition} may lie in a directory that is offline");
            return Err(StorageError::Closed(reason));
        }
        let assigned = replica.registration.directory(self.node_id);
        let now_ms = self.clock.now_ms();
        let log = self.logs.get_or_create_in(assigned, topic, partition, Some(id), config.clone(), now_ms)?;
        match log.topic_id() {
            Some(other) if other != id => {
                let reason =
                    format!("the log of {topic}-{partition} belongs to the topic id {other}, not to {id}");
                return Err(StorageError::Mismatch(reason));
            }
            Some(_) => {}
            // As Kafka before 2.8 left it.
            None => log.assign_topic_id(id)?,
        }
        log.set_config(config);
        Ok(log)
    }

    /// Whether a directory that is offline may hold the replica: a log begun anew elsewhere would hide what it holds.
    fn may_be_offline(&self, replica: &LocalReplica) -> bool {
        let directories = self.logs.directories();
        if !directories.iter().any(|directory| directory.is_offline()) {
            return false;
        }
        let assigned = replica.registration.directory(self.node_id).unwrap_or(directory_id::UNASSIGNED);
        if directory_id::is_reserved(assigned) {
            return assigned == directory_id::LOST
                || !(replica.is_new && self.are_all_known.load(Ordering::Acquire));
        }
        !directories.iter().any(|directory| directory.id() == assigned && !directory.is_offline())
    }

    /// Sets logs aside that the metadata does not know: their topics were deleted while the broker was down, or before it could
    /// say so on disk. A new topic of the same name must not begin with what is in them.
    pub fn set_strays_aside(&self, image: &MetadataImage) {
        let open = self.logs.logs().into_iter();
        let open = open.map(|log| (log.topic().to_owned(), log.partition(), log.topic_id()));
        for (topic, partition, topic_id) in open.chain(self.logs.failed_logs()) {
            let topic = topic.as_str();
            if topic == CLUSTER_METADATA_TOPIC {
                continue;
            }
            let is_ours = image.topics.by_name(topic).is_some_and(|known| {
                topic_id.is_none_or(|id| id == known.id())
                    && known.partition(partition).is_some_and(|known| known.replicas.contains(&self.node_id))
            });
            if is_ours {
                continue;
            }
            match self.logs.set_aside(topic, partition, rand::random()) {
                Ok(directory) => warn!(
                    topic,
                    partition,
                    directory = %directory.display(),
                    "the metadata has no such partition: its log is kept under another name"
                ),
                Err(reason) => error!(topic, partition, %reason, "cannot set a stray log aside"),
            }
        }
    }

    /// Wakes everybody who waits for a partition whose log directory has failed, so that they hear of it.
    pub fn wake_offline(&self) {
        for partition in self.all() {
            if partition.log.directory().is_offline() {
                partition.waiters.wake_all();
            }
        }
    }

    /// Drops the replica and its log.
    pub fn delete(&self, topic: &str, topic_id: Uuid, partition: i32) {
        let (dropped, had_failed) = {
            let mut held = self.held.write();
            let had_failed = held.failed.remove(&(topic_id, partition));
            let dropped = remove(&mut held.by_id, &topic_id, partition);
            // A topic of the same name may have been created since.
            if dropped.is_some() {
                let is_same = |found: &Arc<Partition>| found.topic_id == topic_id;
                if held.by_name.get(topic).and_then(|topic| topic.get(&partition)).is_some_and(is_same) {
                    remove(&mut held.by_name, topic, partition);
                }
            }
            (dropped, had_failed)
        };
        match dropped {
            Some(dropped) => dropped.resign(),
            None if had_failed && self.is_failed_log(topic, topic_id, partition) => {}
            None => return,
        }
        match self.logs.delete(topic, partition, rand::random(), self.clock.now_ms()) {
            Ok(_) => info!(topic, partition, "deleted the log"),
            Err(reason) => error!(topic, partition, %reason, "cannot delete the log"),
        }
    }

    /// Whether a log that could not be opened is this replica's and no other lies under its name.
    fn is_failed_log(&self, topic: &str, topic_id: Uuid, partition: i32) -> bool {
        self.logs.log(topic, partition).is_none()
            && self.logs.failed_logs().iter().any(|(failed, index, id)| {
                failed == topic && *index == partition && id.is_none_or(|id| id == topic_id)
            })
    }

    /// Takes changed settings of one topic over.
    pub fn reconfigure(&self, topic: &str, image: &MetadataImage) {
        if let Some(partitions) = self.held.read().by_name.get(topic) {
            self.reconfigure_partitions(topic, partitions.values(), image);
        }
    }

    /// Takes changed settings of the broker over, which topics may inherit.
    pub fn reconfigure_all(&self, image: &MetadataImage) {
        let config = self.config.current();
        self.logs.set_cleaner_config(settings::cleaner(&config));
        self.logs.set_cordoned(&config.log.cordoned_log_dirs);
        for (topic, partitions) in &self.held.read().by_name {
            self.reconfigure_partitions(topic, partitions.values(), image);
        }
    }

    fn reconfigure_partitions<'a>(
        &self,
        topic: &str,
        partitions: impl Iterator<Item = &'a Arc<Partition>>,
        image: &MetadataImage,
    ) {
        let config = self.topic_config(topic, image);
        partitions.for_each(|partition| partition.reconfigure(config.clone()));
    }

    fn topic_config(&self, topic: &str, image: &MetadataImage) -> Arc<TopicConfig> {
        let (broker, own) = (self.config.current(), image.configs.of_topic(topic));
        if !own.is_empty() {
            return Arc::new(TopicConfig::resolve(&broker, own));
        }
        let mut inherited = self.inherited.lock();
        match &*inherited {
            Some((of, config)) if Arc::ptr_eq(of, &broker) => config.clone(),
            _ => {
                let config = Arc::new(TopicConfig::resolve(&broker, own));
                *inherited = Some((broker, config.clone()));
                config
            }
        }
    }
}

impl Held {
    fn missing(&self, topic: Option<&metadata::TopicImage>, partition: i32) -> NotHere {
        match topic {
            None => NotHere::UnknownTopic,
            Some(topic) if topic.partition(partition).is_none() => NotHere::UnknownPartition,
            Some(topic) if self.failed.contains(&(topic.id(), partition)) => NotHere::Offline,
            Some(_) => NotHere::Elsewhere,
        }
    }
}

fn online(partition: &Arc<Partition>) -> Result<Arc<Partition>, NotHere> {
    if partition.log.directory().is_offline() { Err(NotHere::Offline) } else { Ok(partition.clone()) }
}

fn remove<K, Q>(topics: &mut Topics<K>, topic: &Q, partition: i32) -> Option<Arc<Partition>>
where
    K: std::hash::Hash + Eq + std::borrow::Borrow<Q>,
    Q: std::hash::Hash + Eq + ?Sized,
{
    let partitions = topics.get_mut(topic)?;
    let removed = partitions.remove(&partition);
    if partitions.is_empty() {
        topics.remove(topic);
    }
    removed
}
