//! Changes of topics and partitions, and what they mean for one broker.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::Uuid;
use protocol::metadata_records::{
    ClearElrRecord, PartitionChangeRecord, PartitionRecord, RemoveTopicRecord, TopicRecord,
};

use super::{TopicImage, TopicsImage};
use crate::error::MetadataError;
use crate::partition::PartitionRegistration;

/// Changes of one topic's partitions.
#[derive(Clone, Debug)]
pub struct TopicDelta {
    base: Arc<TopicImage>,
    created: bool,
    changes: BTreeMap<i32, Arc<PartitionRegistration>>,
}

impl TopicDelta {
    /// The topic before; without partitions if it was created.
    pub fn base(&self) -> &TopicImage {
        &self.base
    }

    /// The topic's name.
    pub fn name(&self) -> &str {
        &self.base.name
    }

    /// The topic's id.
    pub fn id(&self) -> Uuid {
        self.base.id
    }

    /// Whether the topic is new.
    pub fn is_created(&self) -> bool {
        self.created
    }

    /// New and changed partitions, as they are now.
    pub fn partition_changes(&self) -> &BTreeMap<i32, Arc<PartitionRegistration>> {
        &self.changes
    }

    fn current(&self, partition: i32) -> Option<&Arc<PartitionRegistration>> {
        self.changes.get(&partition).or_else(|| self.base.partition(partition))
    }

    fn change(&mut self, record: &PartitionChangeRecord) -> Result<(), MetadataError> {
        let partition = record.partition_id;
        let previous = self
            .current(partition)
            .ok_or(MetadataError::UnknownPartition { topic_id: record.topic_id, partition })?;
        let merged = previous.merge(record)?;
        self.changes.insert(partition, Arc::new(merged));
        Ok(())
    }

    fn clear_elr(&mut self) {
        let untouched = self.base.partitions().filter(|(number, _)| !self.changes.contains_key(number));
        let changed = self.changes.iter().map(|(number, partition)| (*number, partition));
        let cleared: Vec<_> = untouched
            .chain(changed)
            .filter_map(|(number, partition)| Some((number, Arc::new(partition.without_elr()?))))
            .collect();
        self.changes.extend(cleared);
    }

    fn apply(&self) -> Arc<TopicImage> {
        if self.changes.is_empty() {
            return Arc::clone(&self.base);
        }
        let mut topic = TopicImage::clone(&self.base);
        for (number, partition) in &self.changes {
            let partition = Arc::clone(partition);
            match topic.partitions.binary_search_by_key(number, |(number, _)| *number) {
                Ok(index) => topic.partitions[index].1 = partition,
                Err(index) => topic.partitions.insert(index, (*number, partition)),
            }
        }
        Arc::new(topic)
    }
}

/// Topics that were created, changed and deleted.
#[derive(Clone, Debug, Default)]
pub struct TopicsDelta {
    base: TopicsImage,
    changed: BTreeMap<Uuid, TopicDelta>,
    created: BTreeMap<String, Uuid>,
    deleted: BTreeMap<Uuid, Arc<TopicImage>>,
}

impl TopicsDelta {
    pub(crate) fn new(base: &TopicsImage) -> Self {
        Self { base: base.clone(), ..Self::default() }
    }

    pub(crate) fn between(old: &TopicsImage, new: &TopicsImage) -> Option<Self> {
        let mut delta = Self::new(old);
        for topic in old.iter().filter(|topic| new.by_id(topic.id).is_none()) {
            delta.deleted.insert(topic.id, Arc::clone(topic));
        }
        for topic in new.iter() {
            let before = old.by_id(topic.id);
            if before.is_some_and(|before| Arc::ptr_eq(before, topic) || before == topic) {
                continue;
            }
            let base =
                before.cloned().unwrap_or_else(|| Arc::new(TopicImage::new(topic.name.clone(), topic.id)));
            let changes = topic
                .partitions()
                .filter(|(number, now)| base.partition(*number) != Some(*now))
                .map(|(number, now)| (number, Arc::clone(now)))
                .collect();
            if before.is_none() {
                delta.created.insert(topic.name.clone(), topic.id);
            }
            delta.changed.insert(topic.id, TopicDelta { base, created: before.is_none(), changes });
        }
        (!delta.changed.is_empty() || !delta.deleted.is_empty()).then_some(delta)
    }

    /// The topics before the changes.
    pub fn base(&self) -> &TopicsImage {
        &self.base
    }

    /// Created and changed topics, by id.
    pub fn changed(&self) -> &BTreeMap<Uuid, TopicDelta> {
        &self.changed
    }

    /// Created topics: name to id.
    pub fn created(&self) -> &BTreeMap<String, Uuid> {
        &self.created
    }

    /// Deleted topics, as they were.
    pub fn deleted(&self) -> &BTreeMap<Uuid, Arc<TopicImage>> {
        &self.deleted
    }

    pub(crate) fn replay_topic(&mut self, record: &TopicRecord) -> Result<(), MetadataError> {
        let name_taken = match self.base.by_name(&record.name) {
            Some(topic) => !self.deleted.contains_key(&topic.id),
            None => false,
        };
        let id_taken =
            self.changed.contains_key(&record.topic_id) || self.base.by_id(record.topic_id).is_some();
        if name_taken || id_taken || self.created.contains_key(&record.name) {
            return Err(MetadataError::DuplicateTopic { name: record.name.clone(), id: record.topic_id });
        }
        let base = Arc::new(TopicImage::new(record.name.clone(), record.topic_id));
        self.changed.insert(record.topic_id, TopicDelta { base, created: true, changes: BTreeMap::new() });
        self.created.insert(record.name.clone(), record.topic_id);
        Ok(())
    }

    fn topic_mut(&mut self, id: Uuid) -> Result<&mut TopicDelta, MetadataError> {
        if !self.changed.contains_key(&id) {
            let base = self.base.by_id(id).filter(|_| !self.deleted.contains_key(&id)).cloned();
            let base = base.ok_or(MetadataError::UnknownTopicId(id))?;
            self.changed.insert(id, TopicDelta { base, created: false, changes: BTreeMap::new() });
        }
        self.changed.get_mut(&id).ok_or(MetadataError::UnknownTopicId(id))
    }

    pub(crate) fn replay_partition(&mut self, record: &PartitionRecord) -> Result<(), MetadataError> {
        let partition = PartitionRegistration::from_record(record)?;
        if record.partition_id < 0 {
            let value = record.partition_id.into();
            return Err(MetadataError::InvalidField {
                record: "PartitionRecord",
                field: "PartitionId",
                value,
            });
        }
        self.topic_mut(record.topic_id)?.changes.insert(record.partition_id, Arc::new(partition));
        Ok(())
    }

    pub(crate) fn replay_change(&mut self, record: &PartitionChangeRecord) -> Result<(), MetadataError> {
        self.topic_mut(record.topic_id)?.change(record)
    }

    /// Returns the removed topic's name.
    pub(crate) fn replay_remove(&mut self, record: &RemoveTopicRecord) -> Result<String, MetadataError> {
        let id = record.topic_id;
        let pending = self.changed.remove(&id);
        if let Some(delta) = pending.filter(TopicDelta::is_created) {
            self.created.remove(delta.name());
            return Ok(delta.name().to_owned());
        }
        let topic = self.base.by_id(id).filter(|_| !self.deleted.contains_key(&id));
        let topic = topic.ok_or(MetadataError::UnknownTopicId(id))?;
        self.deleted.insert(id, Arc::clone(topic));
        Ok(topic.name.clone())
    }

    /// An empty name clears the eligible leader replicas of every topic.
    pub(crate) fn replay_clear_elr(&mut self, record: &ClearElrRecord) -> Result<(), MetadataError> {
        let name = &record.topic_name;
        let ids: Vec<Uuid> = if name.is_empty() {
            let kept = self.base.iter().map(|topic| topic.id).filter(|id| !self.deleted.contains_key(id));
            kept.chain(self.created.values().copied()).collect()
        } else if let Some(id) = self.created.get(name) {
            vec![*id]
        } else {
            let topic = self.base.by_name(name).filter(|topic| !self.deleted.contains_key(&topic.id));
            vec![topic.ok_or_else(|| MetadataError::UnknownTopicName(name.clone()))?.id]
        };
        for id in ids {
            let known = self.changed.contains_key(&id);
            let topic = self.topic_mut(id)?;
            topic.clear_elr();
            // Nothing to clear: the topic must not look changed.
            if !known && topic.changes.is_empty() {
                self.changed.remove(&id);
            }
        }
        Ok(())
    }

    pub(crate) fn apply(&self) -> TopicsImage {
        let mut image = self.base.clone();
        for topic in self.deleted.values() {
            image.remove(topic);
        }
        for delta in self.changed.values() {
            image.insert(delta.apply());
        }
        image
    }

    /// What `broker_id` has to do: which replicas to drop, to lead, to follow.
    pub fn local_changes(&self, broker_id: i32) -> LocalReplicaChanges {
        let mut local = LocalReplicaChanges::default();
        for delta in self.changed.values() {
            for (number, now) in &delta.changes {
                let before = delta.base.partition(*number);
                let had = before.is_some_and(|before| before.replicas.contains(&broker_id));
                let replica = LocalReplica {
                    topic: delta.name().to_owned(),
                    topic_id: delta.id(),
                    partition: *number,
                    registration: Arc::clone(now),
                    is_new: !had,
                    new_leader_epoch: before.is_none_or(|before| before.leader_epoch != now.leader_epoch),
                };
                if !now.replicas.contains(&broker_id) {
                    local.deletes.extend(had.then(|| (delta.name().to_owned(), delta.id(), *number)));
                } else if before.is_some_and(|before| before.partition_epoch == now.partition_epoch) {
                    continue;
                } else if now.leader == broker_id {
                    local.leaders.push(replica);
                } else {
                    local.followers.push(replica);
                }
            }
        }
        for topic in self.deleted.values() {
            for (number, before) in topic.partitions() {
                if before.replicas.contains(&broker_id) {
                    local.deletes.push((topic.name.clone(), topic.id, number));
                }
            }
        }
        local
    }
}

/// A replica that a broker has to lead or follow from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalReplica {
    /// The topic's name.
    pub topic: String,
    /// The topic's id.
    pub topic_id: Uuid,
    /// The partition's number.
    pub partition: i32,
    /// The partition now.
    pub registration: Arc<PartitionRegistration>,
    /// The broker had no replica before.
    pub is_new: bool,
    /// The partition is new, or its leader epoch has changed.
    pub new_leader_epoch: bool,
}

/// What a broker has to do about its replicas.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocalReplicaChanges {
    /// Replicas that are no longer the broker's: topic, topic id, partition.
    pub deletes: Vec<(String, Uuid, i32)>,
    /// Partitions that the broker leads and that changed.
    pub leaders: Vec<LocalReplica>,
    /// Partitions that the broker follows, or that have no leader, and that changed.
    pub followers: Vec<LocalReplica>,
}
