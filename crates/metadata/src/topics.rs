//! Topics and their partitions, by name and by id.

mod delta;

use std::ops::Bound;
use std::sync::Arc;

use protocol::Uuid;
use protocol::metadata_records::{MetadataRecord, TopicRecord};
use rpds::RedBlackTreeMapSync;

pub use delta::{LocalReplica, LocalReplicaChanges, TopicDelta, TopicsDelta};

use crate::error::MetadataError;
use crate::partition::{PartitionRegistration, WriteOptions};

/// One topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicImage {
    name: String,
    id: Uuid,
    /// Sorted by partition, each once. Partitions are numbered from 0 without gaps outside of a half-replayed log.
    partitions: Vec<(i32, Arc<PartitionRegistration>)>,
}

impl TopicImage {
    fn new(name: String, id: Uuid) -> Self {
        Self { name, id, partitions: Vec::new() }
    }

    /// The topic's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The topic's id.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// How many partitions it has.
    pub fn partition_count(&self) -> usize {
        self.partitions.len()
    }

    /// One partition, by number.
    pub fn partition(&self, partition: i32) -> Option<&Arc<PartitionRegistration>> {
        let guess = usize::try_from(partition).ok()?;
        match self.partitions.get(guess) {
            Some((number, registration)) if *number == partition => Some(registration),
            _ => {
                let index = self.partitions.binary_search_by_key(&partition, |(number, _)| *number).ok()?;
                self.partitions.get(index).map(|(_, registration)| registration)
            }
        }
    }

    /// Every partition with its number, in order.
    pub fn partitions(&self) -> impl ExactSizeIterator<Item = (i32, &Arc<PartitionRegistration>)> {
        self.partitions.iter().map(|(number, registration)| (*number, registration))
    }
}

/// Every topic of the cluster. Clones share everything; a change copies the path to one topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicsImage {
    by_name: RedBlackTreeMapSync<String, Arc<TopicImage>>,
    by_id: RedBlackTreeMapSync<Uuid, Arc<TopicImage>>,
}

impl TopicsImage {
    /// How many topics there are.
    pub fn len(&self) -> usize {
        self.by_name.size()
    }

    /// Whether there is no topic.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// The topic of this name.
    pub fn by_name(&self, name: &str) -> Option<&Arc<TopicImage>> {
        self.by_name.get(name)
    }

    /// The topic with this id.
    pub fn by_id(&self, id: Uuid) -> Option<&Arc<TopicImage>> {
        self.by_id.get(&id)
    }

    /// Every topic, in the order of names (by bytes).
    pub fn iter(&self) -> impl Iterator<Item = &Arc<TopicImage>> {
        self.by_name.values()
    }

    /// The topics whose names are `name` or come after it, in order.
    pub fn iter_from<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Arc<TopicImage>> {
        self.by_name
            .range::<str, (Bound<&str>, Bound<&str>)>((Bound::Included(name), Bound::Unbounded))
            .map(|(_, topic)| topic)
    }

    /// One partition, by topic id and number.
    pub fn partition(&self, topic_id: Uuid, partition: i32) -> Option<&Arc<PartitionRegistration>> {
        self.by_id(topic_id)?.partition(partition)
    }

    fn insert(&mut self, topic: Arc<TopicImage>) {
        self.by_id.insert_mut(topic.id, Arc::clone(&topic));
        self.by_name.insert_mut(topic.name.clone(), topic);
    }

    fn remove(&mut self, topic: &TopicImage) {
        self.by_id.remove_mut(&topic.id);
        self.by_name.remove_mut(&topic.name);
    }

    pub(crate) fn write(
        &self,
        options: &WriteOptions,
        records: &mut Vec<MetadataRecord>,
    ) -> Result<(), MetadataError> {
        for topic in self.iter() {
            records.push(MetadataRecord::Topic(TopicRecord {
                name: topic.name.clone(),
                topic_id: topic.id,
                ..Default::default()
            }));
            for (number, partition) in topic.partitions() {
                records.push(partition.to_record(topic.id, number, options)?);
            }
        }
        Ok(())
    }
}
