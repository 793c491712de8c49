//! Requests about offsets: OffsetCommit, TxnOffsetCommit, OffsetFetch, OffsetDelete.

use std::sync::Arc;

use protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use protocol::messages::{
    OffsetCommitRequest, OffsetDeleteRequest, OffsetDeleteResponse, TxnOffsetCommitRequest,
};

use protocol::{ErrorCode, Uuid};

use super::GroupShard;
use crate::classic::ClassicGroup;
use crate::effects::{Effects, Reply};
use crate::event::Request;
use crate::group::{CommitRule, Committer, Group, Step};
use crate::offsets::{commit, delete, fetch};
use crate::refusal::refuse_request;

/// From this version on an OffsetCommit is told that its group does not exist (KIP-848).
const COMMIT_NOT_FOUND_MIN_VERSION: i16 = 9;
/// From this version on a TxnOffsetCommit is.
const TXN_COMMIT_NOT_FOUND_MIN_VERSION: i16 = 6;

impl GroupShard {
    pub(super) fn commit(
        &mut self,
        now_ms: i64,
        effects: &mut Effects,
        request: OffsetCommitRequest,
        api_version: i16,
    ) -> Reply {
        let committer = Committer {
            member_id: &request.member_id,
            group_instance_id: request.group_instance_id.as_deref(),
            generation_id_or_member_epoch: request.generation_id_or_member_epoch,
            is_transactional: false,
            api_version,
        };
        let tells_missing = api_version >= COMMIT_NOT_FOUND_MIN_VERSION;
        let topics = request.topics.iter().map(|topic| {
            let partitions = topic.partitions.iter();
            let accepted = partitions.filter(|partition| {
                commit::is_metadata_accepted(&self.config, partition.committed_metadata.as_deref())
            });
            (
                (topic.name.clone(), topic.topic_id),
                accepted.map(|partition| partition.partition_index).collect(),
            )
        });
        let topics = topics.collect();
        if let Err(error) = self.admit_committer(&request.group_id, &committer, topics, tells_missing) {
            return refuse_request(Request::OffsetCommit(request), error, api_version);
        }
        self.with_classic(now_ms, effects, &request.group_id, |group, step| {
            group.note_offset_commit(step.now_ms, &request.member_id);
        });
        let mut step = Step { now_ms, config: &self.config, cluster: &mut self.cluster, effects };
        let response = commit::commit(&mut self.offsets, &mut step, &request);
        self.keep_offsets_of(&request.group_id, now_ms, effects);
        Reply::OffsetCommit(response)
    }

    pub(super) fn commit_transactional(
        &mut self,
        now_ms: i64,
        effects: &mut Effects,
        request: TxnOffsetCommitRequest,
        api_version: i16,
    ) -> Reply {
        let committer = Committer {
            member_id: &request.member_id,
            group_instance_id: request.group_instance_id.as_deref(),
            generation_id_or_member_epoch: request.generation_id_or_member_epoch,
            is_transactional: true,
            api_version,
        };
        let tells_missing = api_version >= TXN_COMMIT_NOT_FOUND_MIN_VERSION;
        let admitted = if request.group_id.is_empty() {
            Err(ErrorCode::InvalidGroupId)
        } else {
            let topics = request.topics.iter().map(|topic| {
                let partitions = topic.partitions.iter();
                let accepted = partitions.filter(|partition| {
                    commit::is_metadata_accepted(&self.config, partition.committed_metadata.as_deref())
                });
                (
                    (topic.name.clone(), topic.topic_id),
                    accepted.map(|partition| partition.partition_index).collect(),
                )
            });
            let topics = topics.collect();
            self.admit_committer(&request.group_id, &committer, topics, tells_missing)
        };
        let admitted = admitted.map_err(|error| match error {
            ErrorCode::StaleMemberEpoch if !tells_missing => ErrorCode::IllegalGeneration,
            error => error,
        });
        if let Err(error) = admitted {
            return refuse_request(Request::TxnOffsetCommit(request), error, api_version);
        }
        let mut step = Step { now_ms, config: &self.config, cluster: &mut self.cluster, effects };
        let response = commit::commit_transactional(&mut self.offsets, &mut step, &request);
        self.keep_offsets_of(&request.group_id, now_ms, effects);
        Reply::TxnOffsetCommit(response)
    }

    /// Whether this client may commit; to a group that does not exist, if it shows no generation.
    fn admit_committer(
        &self,
        group_id: &str,
        committer: &Committer<'_>,
        topics: Vec<((String, Uuid), Vec<i32>)>,
        tells_missing: bool,
    ) -> Result<(), ErrorCode> {
        match self.groups.get(group_id) {
            Some(group) => {
                if group.validate_offset_commit(committer)? == CommitRule::Any {
                    return Ok(());
                }
                for ((topic, topic_id), partitions) in topics {
                    for partition in partitions {
                        group.validate_partition_commit(committer, (&topic, topic_id), partition)?;
                    }
                }
                Ok(())
            }
            None if committer.generation_id_or_member_epoch < 0 => Ok(()),
            None if tells_missing => Err(ErrorCode::GroupIdNotFound),
            None => Err(ErrorCode::IllegalGeneration),
        }
    }

    /// Makes the group exist where offsets were written for it, as one that only holds offsets.
    fn keep_offsets_of(&mut self, group_id: &str, now_ms: i64, effects: &Effects) {
        if !effects.records.is_empty() && !self.groups.contains_key(group_id) {
            self.insert_empty(group_id, now_ms);
        }
    }

    /// Makes a group without members.
    pub(super) fn insert_empty(&mut self, group_id: &str, now_ms: i64) {
        let group_id: Arc<str> = group_id.into();
        self.groups
            .insert(group_id.clone(), Group::Classic(Box::new(ClassicGroup::new(group_id, Some(now_ms)))));
    }

    pub(super) fn fetch_offsets(
        &self,
        group: OffsetFetchRequestGroup,
        require_stable: bool,
        api_version: i16,
    ) -> Reply {
        let existing = self.groups.get(group.group_id.as_str());
        let refusal = existing.and_then(|existing| {
            existing.validate_offset_fetch(group.member_id.as_deref(), group.member_epoch).err()
        });
        if let Some(error) = refusal {
            return refuse_request(Request::OffsetFetch { group, require_stable }, error, api_version);
        }
        Reply::OffsetFetch(fetch::fetch(&self.offsets, existing.is_some(), group, require_stable))
    }

    pub(super) fn delete_offsets(&mut self, effects: &mut Effects, request: OffsetDeleteRequest) -> Reply {
        let group = self.groups.get(request.group_id.as_str());
        let refusal = match group {
            _ if request.group_id.is_empty() => Some(ErrorCode::InvalidGroupId),
            None => Some(ErrorCode::GroupIdNotFound),
            Some(group) => group.validate_offset_delete().err(),
        };
        let response = match (group, refusal) {
            (Some(group), None) => delete::delete_offsets(&mut self.offsets, group, effects, request),
            (_, error) => OffsetDeleteResponse {
                error_code: error.unwrap_or(ErrorCode::GroupIdNotFound).as_i16(),
                ..OffsetDeleteResponse::default()
            },
        };
        Reply::OffsetDelete(response)
    }
}
