//! Offsets by group, topic and partition, in sorted lists: most groups have few, and an idle one should cost little.

use std::collections::BTreeMap;

use super::CommittedOffset;

/// Offsets by group, topic and partition.
#[derive(Debug, Default)]
pub(super) struct OffsetTable {
    groups: BTreeMap<Box<str>, Vec<TopicOffsets>>,
}

/// The offsets of one topic, by partition.
#[derive(Debug)]
pub(super) struct TopicOffsets {
    pub(super) topic: Box<str>,
    pub(super) partitions: Vec<(i32, CommittedOffset)>,
}

impl TopicOffsets {
    pub(super) fn get(&self, partition: i32) -> Option<&CommittedOffset> {
        let index = self.partitions.binary_search_by_key(&partition, |(partition, _)| *partition).ok()?;
        self.partitions.get(index).map(|(_, offset)| offset)
    }
}

impl OffsetTable {
    pub(super) fn contains_group(&self, group_id: &str) -> bool {
        self.groups.contains_key(group_id)
    }

    /// The topics of a group, by name.
    pub(super) fn topics(&self, group_id: &str) -> &[TopicOffsets] {
        self.groups.get(group_id).map_or(&[], Vec::as_slice)
    }

    pub(super) fn topic(&self, group_id: &str, topic: &str) -> Option<&TopicOffsets> {
        let topics = self.topics(group_id);
        topics.get(position_of(topics, topic).ok()?)
    }

    pub(super) fn get(&self, group_id: &str, topic: &str, partition: i32) -> Option<&CommittedOffset> {
        self.topic(group_id, topic)?.get(partition)
    }

    pub(super) fn insert(&mut self, group_id: &str, topic: &str, partition: i32, offset: CommittedOffset) {
        if !self.groups.contains_key(group_id) {
            self.groups.insert(group_id.into(), Vec::new());
        }
        let Some(topics) = self.groups.get_mut(group_id) else { return };
        let at = position_of(topics, topic).unwrap_or_else(|at| {
            topics.insert(at, TopicOffsets { topic: topic.into(), partitions: Vec::new() });
            at
        });
        let Some(TopicOffsets { partitions, .. }) = topics.get_mut(at) else { return };
        match partitions.binary_search_by_key(&partition, |(partition, _)| *partition) {
            Ok(at) => partitions[at].1 = offset,
            Err(at) => partitions.insert(at, (partition, offset)),
        }
    }

    pub(super) fn remove(&mut self, group_id: &str, topic: &str, partition: i32) {
        let Some(topics) = self.groups.get_mut(group_id) else { return };
        let Ok(at) = position_of(topics, topic) else { return };
        let partitions = &mut topics[at].partitions;
        if let Ok(at) = partitions.binary_search_by_key(&partition, |(partition, _)| *partition) {
            partitions.remove(at);
        }
        if partitions.is_empty() {
            topics.remove(at);
        }
        if topics.is_empty() {
            self.groups.remove(group_id);
        }
    }

    /// Every group with its topics.
    pub(super) fn groups(&self) -> impl Iterator<Item = (&str, &[TopicOffsets])> {
        self.groups.iter().map(|(group_id, topics)| (group_id.as_ref(), topics.as_slice()))
    }

    /// Every offset with its group, topic and partition.
    pub(super) fn into_entries(self) -> impl Iterator<Item = (Box<str>, Box<str>, i32, CommittedOffset)> {
        self.groups.into_iter().flat_map(|(group_id, topics)| {
            topics.into_iter().flat_map(move |topic| {
                let group_id = group_id.clone();
                let entry =
                    move |(partition, offset)| (group_id.clone(), topic.topic.clone(), partition, offset);
                topic.partitions.into_iter().map(entry)
            })
        })
    }
}

fn position_of(topics: &[TopicOffsets], topic: &str) -> Result<usize, usize> {
    topics.binary_search_by(|entry| entry.topic.as_ref().cmp(topic))
}
