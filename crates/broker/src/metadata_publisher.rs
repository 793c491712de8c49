//! What committed metadata means for this broker: partitions to lead, to follow, to drop; settings; and the published image.
//!
//! Partitions change before the image that names them is published, so that nobody who reads the image finds a partition missing.

use std::sync::Arc;

use groups::{GroupNotice, MetadataUpdate};
use metadata::{
    ConfigResourceType, LocalReplica, MetadataDelta, MetadataImage, MetadataLoader, PartitionRegistration,
    Provenance, Publication,
};
use parking_lot::Mutex;
use quorum::{CommittedBatch, LoadedSnapshot, MetadataStateMachine, SnapshotRecords};
use storage::{PartitionLog, StorageError};
use tracing::{error, info};

use crate::broker_config::DynamicBrokerConfig;
use crate::controller_reports::ControllerReports;
use crate::coordinator_runtime::CoordinatedTopic;
use crate::group_coordinator::GroupCoordinator;
use crate::metadata_view::MetadataView;
use crate::partition::Partition;
use crate::partitions::Partitions;
use crate::settings;
use crate::share_coordinator::ShareCoordinator;
use crate::transaction_coordinator::TransactionCoordinator;

/// A replica of this broker and what the metadata says of it.
type ReplicaHere = (Arc<Partition>, Arc<PartitionRegistration>);

/// The feature whose level says how transactions are ended.
const TRANSACTION_VERSION: &str = "transaction.version";

/// Who coordinates by the partitions of an internal topic.
#[derive(Clone)]
pub struct Coordinators {
    /// Groups.
    pub groups: Arc<GroupCoordinator>,
    /// The progress of share groups.
    pub share: Arc<ShareCoordinator>,
    /// Transactions.
    pub transactions: Arc<TransactionCoordinator>,
}

/// Follows the metadata log for one broker. Clones share it.
#[derive(Clone)]
pub struct MetadataPublisher {
    follower: Arc<Mutex<Follower>>,
}

struct Follower {
    node_id: i32,
    loader: MetadataLoader,
    metadata: Arc<MetadataView>,
    partitions: Arc<Partitions>,
    groups: Arc<GroupCoordinator>,
    share: Arc<ShareCoordinator>,
    transactions: Arc<TransactionCoordinator>,
    config: Arc<DynamicBrokerConfig>,
    reports: Arc<ControllerReports>,
    /// Whether partitions follow the image already: not before the logs are loaded.
    is_live: bool,
}

impl MetadataPublisher {
    /// A follower that has seen nothing yet, and only publishes images until [`Self::go_live`].
    pub fn new(
        node_id: i32,
        metadata: Arc<MetadataView>,
        partitions: Arc<Partitions>,
        coordinators: Coordinators,
        config: Arc<DynamicBrokerConfig>,
        reports: Arc<ControllerReports>,
    ) -> Self {
        let loader = MetadataLoader::new(MetadataImage::empty());
        let Coordinators { groups, share, transactions } = coordinators;
        let follower = Follower {
            node_id,
            loader,
            metadata,
            partitions,
            groups,
            share,
            transactions,
            config,
            reports,
            is_live: false,
        };
        MetadataPublisher { follower: Arc::new(Mutex::new(follower)) }
    }

    /// Brings the partitions up to the present image, and keeps them there from now on.
    pub fn go_live(&self) {
        let mut follower = self.follower.lock();
        follower.is_live = true;
        let image = follower.loader.image().clone();
        follower.partitions.set_strays_aside(&image);
        let delta = MetadataDelta::between(&MetadataImage::empty(), &image);
        follower.publish(Publication { delta, image });
        follower.partitions.all_known();
    }

    /// Lets the log that `complete` gives take the place of a partition's, while the metadata stands still. Whoever
    /// coordinates by the partition loads it anew.
    ///
    /// # Errors
    /// That of `complete`; the partition goes on as it was.
    pub fn swap_log(
        &self,
        partition: &Arc<Partition>,
        complete: impl FnOnce() -> Result<Arc<PartitionLog>, StorageError>,
    ) -> Result<(), StorageError> {
        self.follower.lock().swap_log(partition, complete)
    }

    /// The offset of a metadata transaction that nobody has ended.
    pub fn open_transaction(&self) -> Option<i64> {
        self.follower.lock().loader.open_transaction()
    }
}

impl Follower {
    fn publish(&self, publication: Publication) {
        let Publication { delta, image } = publication;
        let image = Arc::new(image);
        let mut here = Vec::new();
        if delta.features().is_some() {
            let level = image.features.level(TRANSACTION_VERSION);
            self.transactions.configure(settings::transactions(&self.config.current(), level));
        }
        if self.is_live {
            self.apply_configs(&delta, &image);
            self.tell_groups(&delta, &image);
            self.apply_topics(&delta, &image, &mut here);
        }
        self.metadata.publish(image);
        // Afterwards: reports are worked out from the image.
        for (partition, registration) in here {
            self.reports.look_at(self.node_id, &partition, &registration);
        }
    }

    fn apply_configs(&self, delta: &MetadataDelta, image: &MetadataImage) {
        let Some(configs) = delta.configs() else { return };
        let of_type = |kind| configs.changed().iter().filter(move |resource| resource.resource_type == kind);
        if of_type(ConfigResourceType::Broker).next().is_some() && self.config.alter(&image.configs) {
            self.partitions.reconfigure_all(image);
            self.coordinators().into_iter().for_each(CoordinatedTopic::reconfigured);
        }
        for resource in of_type(ConfigResourceType::Topic) {
            self.partitions.reconfigure(&resource.name, image);
            if let Some(coordinator) = self.coordinator_on(&resource.name) {
                coordinator.reconfigured();
            }
        }
    }

    /// Groups go by topics, racks and their own settings. They know an image before clients do.
    fn tell_groups(&self, delta: &MetadataDelta, image: &Arc<MetadataImage>) {
        let topics = delta.topics();
        let changed = topics.into_iter().flat_map(|topics| topics.changed().values());
        let deleted = topics.into_iter().flat_map(|topics| topics.deleted().values());
        let changed_topics = changed
            .map(|topic| topic.name().to_string())
            .chain(deleted.map(|topic| topic.name().to_string()));
        let update = MetadataUpdate {
            image: image.clone(),
            changed_topics: changed_topics.collect(),
            has_new_topics: topics.is_some_and(|topics| !topics.created().is_empty()),
        };
        self.groups.configure(settings::group_shards(&self.config.current(), image.clone()));
        self.groups.notify(&GroupNotice::MetadataChanged(update));
    }

    /// Adds the replicas that have come here or changed to `here`.
    fn apply_topics(&self, delta: &MetadataDelta, image: &MetadataImage, here: &mut Vec<ReplicaHere>) {
        let Some(topics) = delta.topics() else { return };
        let local = topics.local_changes(self.node_id);
        for (topic, topic_id, index) in &local.deletes {
            if let Some(coordinator) = self.coordinator_on(topic) {
                coordinator.partition_lost(*index);
            }
            self.partitions.delete(topic, *topic_id, *index);
        }
        for replica in &local.followers {
            if let Some(coordinator) = self.coordinator_on(&replica.topic) {
                coordinator.partition_lost(replica.partition);
            }
            let followed = self.partitions.follow(replica, image);
            here.extend(followed.map(|partition| (partition, replica.registration.clone())));
        }
        for replica in &local.leaders {
            let led = self.lead(replica, image);
            here.extend(led.map(|partition| (partition, replica.registration.clone())));
        }
        let deleted: Vec<_> = topics
            .deleted()
            .values()
            .map(|topic| groups::DeletedTopic { name: topic.name().to_string(), id: topic.id() })
            .collect();
        if !deleted.is_empty() {
            self.share.notify(&deleted.iter().map(|topic| topic.id).collect());
            self.groups.notify(&GroupNotice::TopicsDeleted(deleted));
        }
    }

    fn swap_log(
        &self,
        partition: &Arc<Partition>,
        complete: impl FnOnce() -> Result<Arc<PartitionLog>, StorageError>,
    ) -> Result<(), StorageError> {
        let (image, index) = (self.loader.image(), partition.topic_partition.partition);
        let topic = image.topics.by_id(partition.topic_id);
        let known = topic.and_then(|topic| Some((topic, topic.partition(index)?.clone())));
        let Some((topic, registration)) = known else {
            return Err(StorageError::Closed(partition.topic_partition.to_string()));
        };
        if let Some(coordinator) = self.coordinator_on(topic.name()) {
            coordinator.partition_lost(index);
        }
        let swapped = self.partitions.swap_log(partition, complete);
        let replica = LocalReplica {
            topic: topic.name().to_string(),
            topic_id: topic.id(),
            partition: index,
            registration: registration.clone(),
            is_new: false,
            new_leader_epoch: true,
        };
        let leads = registration.leader == self.node_id;
        let now = if leads { self.lead(&replica, image) } else { self.partitions.follow(&replica, image) };
        if let Some(now) = now {
            self.reports.look_at(self.node_id, &now, &registration);
        }
        swapped
    }

    fn lead(&self, replica: &LocalReplica, image: &MetadataImage) -> Option<Arc<Partition>> {
        let partition = self.partitions.lead(replica, image)?;
        if let Some(coordinator) = self.coordinator_on(&replica.topic)
            && replica.new_leader_epoch
        {
            coordinator.partition_lost(replica.partition);
            coordinator.begin_loading(partition.clone(), replica.registration.leader_epoch);
        }
        Some(partition)
    }

    fn coordinators(&self) -> [&dyn CoordinatedTopic; 3] {
        [&*self.groups, &*self.share, &*self.transactions]
    }

    /// Who coordinates by the partitions of `topic`.
    fn coordinator_on(&self, topic: &str) -> Option<&dyn CoordinatedTopic> {
        self.coordinators().into_iter().find(|coordinator| coordinator.topic() == topic)
    }
}

impl MetadataStateMachine for MetadataPublisher {
    fn replay(&mut self, batch: CommittedBatch) {
        let mut follower = self.follower.lock();
        let replayed = follower.loader.replay(metadata::MetadataBatch {
            base_offset: batch.base_offset,
            epoch: batch.epoch,
            append_timestamp_ms: batch.timestamp,
            records: &batch.records,
        });
        match replayed {
            Ok(publications) => {
                publications.into_iter().for_each(|publication| follower.publish(publication));
            }
            // Going on would mean to differ from every other node.
            Err(reason) => {
                error!(offset = batch.base_offset, %reason, "the metadata log holds a record that cannot be replayed");
                panic!("metadata at offset {} cannot be replayed: {reason}", batch.base_offset);
            }
        }
    }

    fn snapshot(&self) -> SnapshotRecords {
        let image = self.follower.lock().loader.image().clone();
        let version = image.write_options().metadata_version;
        let records = image.to_records(version).expect("an image that was replayed can be written");
        Box::new(records.into_iter())
    }

    fn load(&mut self, snapshot: LoadedSnapshot) {
        let mut follower = self.follower.lock();
        let provenance = Provenance {
            last_contained_offset: snapshot.end_offset - 1,
            last_contained_epoch: snapshot.epoch,
            last_contained_log_time_ms: snapshot.last_contained_log_timestamp,
        };
        let image = MetadataLoader::load_snapshot(&snapshot.records, provenance)
            .expect("a snapshot whose checksums match was written from an image");
        info!(offset = provenance.last_contained_offset, "loaded a metadata snapshot");
        let delta = MetadataDelta::between(follower.loader.image(), &image);
        follower.loader = MetadataLoader::new(image.clone());
        follower.publish(Publication { delta, image });
    }
}
