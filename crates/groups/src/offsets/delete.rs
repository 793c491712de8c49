//! OffsetDelete (KIP-496), the offsets of deleted groups, and those of deleted topics.

use protocol::ErrorCode;
use protocol::messages::offset_delete_response::{OffsetDeleteResponsePartition, OffsetDeleteResponseTopic};
use protocol::messages::{OffsetDeleteRequest, OffsetDeleteResponse};

use super::OffsetStore;
use crate::effects::Effects;
use crate::event::DeletedTopic;
use crate::group::Group;
use crate::record::offset_commit_tombstone;

/// Handles an OffsetDelete that the group has let through. Topics that members read are left alone; asking for an offset
/// that is not there is no error.
pub(crate) fn delete_offsets(
    store: &mut OffsetStore,
    group: &Group,
    effects: &mut Effects,
    request: OffsetDeleteRequest,
) -> OffsetDeleteResponse {
    let mut topics = Vec::new();
    for topic in request.topics {
        let is_read = group.is_subscribed_to(&topic.name);
        let error = if is_read { ErrorCode::GroupSubscribedToTopic } else { ErrorCode::None };
        let partitions = topic.partitions.iter().map(|partition| {
            if !is_read {
                store.remove_with_tombstone(
                    effects,
                    &request.group_id,
                    &topic.name,
                    partition.partition_index,
                );
            }
            OffsetDeleteResponsePartition {
                partition_index: partition.partition_index,
                error_code: error.as_i16(),
            }
        });
        let partitions = partitions.collect();
        topics.push(OffsetDeleteResponseTopic { name: topic.name, partitions });
    }
    OffsetDeleteResponse { topics, ..OffsetDeleteResponse::default() }
}

impl OffsetStore {
    /// Forgets an offset and writes that down, if there is one, committed or pending.
    pub(super) fn remove_with_tombstone(
        &mut self,
        effects: &mut Effects,
        group_id: &str,
        topic: &str,
        partition: i32,
    ) {
        if self.committed.get(group_id, topic, partition).is_some()
            || self.has_pending(group_id, topic, partition)
        {
            effects.records.extend(offset_commit_tombstone(group_id, topic, partition));
            self.remove(group_id, topic, partition);
        }
    }

    /// Forgets every offset of a group.
    pub(crate) fn remove_group(&mut self, effects: &mut Effects, group_id: &str) {
        for (topic, partition) in self.partitions_of(group_id) {
            self.remove_with_tombstone(effects, group_id, &topic, partition);
        }
    }

    /// Forgets the offsets of deleted topics, in every group.
    pub(crate) fn remove_topics(&mut self, effects: &mut Effects, deleted: &[DeletedTopic]) {
        let mut doomed = Vec::new();
        for table in std::iter::once(&self.committed).chain(self.pending.values()) {
            for (group_id, _) in table.groups() {
                for topic in deleted {
                    let offsets =
                        table.topic(group_id, &topic.name).map_or(&[][..], |stored| &stored.partitions);
                    let gone = offsets
                        .iter()
                        .filter(|(_, offset)| offset.topic_id.is_zero() || offset.topic_id == topic.id);
                    doomed.extend(
                        gone.map(|(partition, _)| (group_id.to_owned(), topic.name.clone(), *partition)),
                    );
                }
            }
        }
        for (group_id, topic, partition) in doomed {
            self.remove_with_tombstone(effects, &group_id, &topic, partition);
        }
    }

    fn partitions_of(&self, group_id: &str) -> Vec<(Box<str>, i32)> {
        let pending = self.producers_of(group_id).filter_map(|producer_id| self.pending.get(&producer_id));
        std::iter::once(&self.committed)
            .chain(pending)
            .flat_map(|table| table.topics(group_id))
            .flat_map(|stored| {
                stored.partitions.iter().map(|(partition, _)| (stored.topic.clone(), *partition))
            })
            .collect()
    }
}
