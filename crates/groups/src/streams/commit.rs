//! Who may commit and fetch offsets of a streams group.

use std::cmp::Ordering;

use protocol::ErrorCode;

use super::{StreamsGroup, topology};
use crate::group::{CommitRule, Committer};

/// From this version on OffsetCommit knows member epochs.
const MEMBER_EPOCH_COMMIT_MIN_VERSION: i16 = 9;

impl StreamsGroup {
    /// Whether this client may commit now; who shows an epoch of before may only commit what its tasks have read since.
    pub(crate) fn validate_offset_commit(&self, committer: &Committer<'_>) -> Result<CommitRule, ErrorCode> {
        let epoch = committer.generation_id_or_member_epoch;
        if epoch < 0 && self.is_empty() {
            return Ok(CommitRule::Any);
        }
        let is_anonymous = committer.member_id.is_empty() && committer.group_instance_id.is_none();
        if committer.is_transactional && epoch == -1 && is_anonymous {
            return Ok(CommitRule::Any);
        }
        let member = self.members.get(committer.member_id).ok_or(ErrorCode::UnknownMemberId)?;
        if !committer.is_transactional && committer.api_version < MEMBER_EPOCH_COMMIT_MIN_VERSION {
            return Err(ErrorCode::UnsupportedVersion);
        }
        match epoch.cmp(&member.member_epoch) {
            Ordering::Equal => Ok(CommitRule::Any),
            Ordering::Greater => Err(ErrorCode::StaleMemberEpoch),
            Ordering::Less => Ok(CommitRule::AssignedSince),
        }
    }

    /// Whether a client of an earlier epoch may commit this partition: its task must have been the member's since.
    pub(crate) fn validate_partition_commit(
        &self,
        committer: &Committer<'_>,
        topic: &str,
        partition: i32,
    ) -> Result<(), ErrorCode> {
        let member = self.members.get(committer.member_id).ok_or(ErrorCode::UnknownMemberId)?;
        let mut subtopologies = self.topology.iter().flat_map(|topology| &topology.subtopologies);
        let reader = subtopologies
            .find(|subtopology| topology::sources_of(subtopology).any(|source| source == topic))
            .ok_or(ErrorCode::StaleMemberEpoch)?;
        match member.assignment_epoch(&reader.subtopology_id, partition) {
            Some(assigned_in) if committer.generation_id_or_member_epoch >= assigned_in => Ok(()),
            _ => Err(ErrorCode::StaleMemberEpoch),
        }
    }

    /// Whether this client may fetch offsets now. Admin tools name no member.
    pub(crate) fn validate_offset_fetch(
        &self,
        member_id: Option<&str>,
        member_epoch: i32,
    ) -> Result<(), ErrorCode> {
        if member_id.is_none() && member_epoch < 0 {
            return Ok(());
        }
        let member = member_id.and_then(|member_id| self.members.get(member_id));
        let member = member.ok_or(ErrorCode::UnknownMemberId)?;
        if member_epoch == member.member_epoch { Ok(()) } else { Err(ErrorCode::StaleMemberEpoch) }
    }
}
