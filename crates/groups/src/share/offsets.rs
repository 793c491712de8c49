//! Offsets of share groups, as administrators see them: AlterShareGroupOffsets, DeleteShareGroupOffsets, DeleteGroups.
//!
//! The offsets themselves lie with the share coordinator; a group only knows which partitions have some.

use std::collections::{BTreeMap, BTreeSet};

use protocol::messages::alter_share_group_offsets_request::AlterShareGroupOffsetsRequestTopic;
use protocol::messages::alter_share_group_offsets_response::{
    AlterShareGroupOffsetsResponsePartition, AlterShareGroupOffsetsResponseTopic,
};
use protocol::messages::delete_share_group_offsets_response::DeleteShareGroupOffsetsResponseTopic;
use protocol::messages::{
    AlterShareGroupOffsetsRequest, AlterShareGroupOffsetsResponse, DeleteShareGroupOffsetsRequest,
    DeleteShareGroupOffsetsResponse,
};
use protocol::{ErrorCode, Uuid};

use super::request::{refused_alteration, refused_deletion};
use super::{InitializeShareState, ShareGroup, ShareReply, StartOffset, TopicState, TopicStateToDelete};
use crate::group::Step;

impl ShareGroup {
    /// Sets states anew that begin elsewhere; only while nobody is in the group.
    pub(crate) fn alter_offsets(
        &mut self,
        step: &mut Step<'_>,
        request: AlterShareGroupOffsetsRequest,
    ) -> ShareReply {
        if !self.is_empty() {
            return ShareReply::AlterOffsets(refused_alteration(ErrorCode::NonEmptyGroup), None);
        }
        let mut topics: BTreeMap<Uuid, TopicState> = BTreeMap::new();
        let mut starts = Vec::new();
        let mut responses = Vec::new();
        for topic in request.topics {
            let topic_id = step.cluster.topic_id(&topic.topic_name);
            let count = topic_id.and_then(|topic_id| step.cluster.partition_count(topic_id)).unwrap_or(0);
            let partitions: BTreeSet<i32> = topic
                .partitions
                .iter()
                .map(|partition| partition.partition_index)
                .filter(|index| (0..count).contains(index))
                .collect();
            if let Some(topic_id) = topic_id {
                starts.extend(
                    topic.partitions.iter().filter(|row| partitions.contains(&row.partition_index)).map(
                        |row| StartOffset {
                            topic_id,
                            partition: row.partition_index,
                            start_offset: row.start_offset,
                        },
                    ),
                );
                if !partitions.is_empty() {
                    let name = topic.topic_name.clone();
                    let state = TopicState { name, partitions: partitions.clone(), since_ms: step.now_ms };
                    topics.insert(topic_id, state);
                }
            }
            responses.push(altered_topic(topic, topic_id, &partitions));
        }
        let response =
            AlterShareGroupOffsetsResponse { responses, ..AlterShareGroupOffsetsResponse::default() };
        if starts.is_empty() {
            return ShareReply::AlterOffsets(response, None);
        }
        self.begin_initializing(step, topics);
        let initialize = InitializeShareState {
            group_id: self.group_id.to_string(),
            state_epoch: self.group_epoch,
            partitions: starts,
        };
        ShareReply::AlterOffsets(response, Some(initialize))
    }

    /// Begins to delete the states of topics; only while nobody is in the group.
    pub(crate) fn delete_offsets(
        &mut self,
        step: &mut Step<'_>,
        request: DeleteShareGroupOffsetsRequest,
    ) -> ShareReply {
        if !self.is_empty() {
            return ShareReply::DeleteOffsets(refused_deletion(ErrorCode::NonEmptyGroup), Vec::new());
        }
        let mut initialized = self.initialized.clone();
        let mut deleting = self.deleting.clone();
        let interrupted = self.deleting_partitions(step.cluster);
        let (mut responses, mut to_delete) = (Vec::new(), Vec::new());
        for topic in request.topics {
            let topic_name = topic.topic_name;
            let topic_id = step.cluster.topic_id(&topic_name);
            let known = topic_id.and_then(|topic_id| {
                let partitions = initialized.remove(&topic_id).map(|state| state.partitions);
                Some((topic_id, partitions.or_else(|| interrupted.get(&topic_id).cloned())?))
            });
            match known {
                Some((topic_id, partitions)) => {
                    deleting.insert(topic_id, topic_name.clone());
                    let partitions = partitions.into_iter().collect();
                    to_delete.push(TopicStateToDelete { topic_id, topic_name, partitions });
                }
                None => responses.push(DeleteShareGroupOffsetsResponseTopic {
                    topic_name,
                    error_code: ErrorCode::UnknownTopicOrPartition.as_i16(),
                    error_message: Some(match topic_id {
                        Some(_) => "There is no offset information to delete.".to_owned(),
                        None => ErrorCode::UnknownTopicOrPartition.message().to_owned(),
                    }),
                    ..DeleteShareGroupOffsetsResponseTopic::default()
                }),
            }
        }
        if !to_delete.is_empty() {
            let initializing = self.initializing.clone();
            self.write_states(step, &initializing, &initialized, &deleting);
        }
        let response =
            DeleteShareGroupOffsetsResponse { responses, ..DeleteShareGroupOffsetsResponse::default() };
        ShareReply::DeleteOffsets(response, to_delete)
    }

    /// The share coordinator has deleted the states of topics.
    pub(crate) fn state_deleted(&mut self, step: &mut Step<'_>, topic_ids: &[Uuid]) {
        let mut deleting = self.deleting.clone();
        deleting.retain(|topic_id, _| !topic_ids.contains(topic_id));
        if deleting != self.deleting {
            let (initializing, initialized) = (self.initializing.clone(), self.initialized.clone());
            self.write_states(step, &initializing, &initialized, &deleting);
        }
    }

    /// Begins to delete all states.
    pub(crate) fn begin_delete(&mut self, step: &mut Step<'_>) -> ShareReply {
        if !self.is_empty() {
            return ShareReply::BeginDelete(ErrorCode::NonEmptyGroup, Vec::new());
        }
        let mut partitions = self.deleting_partitions(step.cluster);
        let mut deleting = self.deleting.clone();
        for (topic_id, state) in self.initialized.iter().chain(&self.initializing) {
            partitions.entry(*topic_id).or_default().extend(&state.partitions);
            deleting.insert(*topic_id, state.name.clone());
        }
        let to_delete = partitions.into_iter().filter(|(_, partitions)| !partitions.is_empty()).map(
            |(topic_id, partitions)| TopicStateToDelete {
                topic_id,
                topic_name: deleting.get(&topic_id).cloned().unwrap_or_default(),
                partitions: partitions.into_iter().collect(),
            },
        );
        let to_delete: Vec<TopicStateToDelete> = to_delete.collect();
        if !to_delete.is_empty() {
            self.write_states(step, &BTreeMap::new(), &BTreeMap::new(), &deleting);
        }
        ShareReply::BeginDelete(ErrorCode::None, to_delete)
    }
}

fn altered_topic(
    topic: AlterShareGroupOffsetsRequestTopic,
    topic_id: Option<Uuid>,
    existing: &BTreeSet<i32>,
) -> AlterShareGroupOffsetsResponseTopic {
    let row = |partition_index: i32| {
        let error = if existing.contains(&partition_index) {
            ErrorCode::None
        } else {
            ErrorCode::UnknownTopicOrPartition
        };
        AlterShareGroupOffsetsResponsePartition {
            partition_index,
            error_code: error.as_i16(),
            error_message: (error != ErrorCode::None).then(|| error.message().to_owned()),
            ..AlterShareGroupOffsetsResponsePartition::default()
        }
    };
    AlterShareGroupOffsetsResponseTopic {
        topic_id: topic_id.unwrap_or(Uuid::ZERO),
        partitions: topic.partitions.iter().map(|partition| row(partition.partition_index)).collect(),
        topic_name: topic.topic_name,
        ..AlterShareGroupOffsetsResponseTopic::default()
    }
}
