//! Members that go: on their own, because they are late, or for a while.

use protocol::ErrorCode;
use protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};

use super::ConsumerGroup;
use super::member::{ConsumerMember, LEAVE_STATIC_MEMBER_EPOCH, PartitionEpochs};
use super::record;
use crate::classic::ClassicGroup;
use crate::group::Step;
use crate::refusal::Refusal;

impl ConsumerGroup {
    /// A heartbeat with a negative epoch. Gives the classic group that this group becomes, if it does.
    pub(crate) fn leave(
        &mut self,
        step: &mut Step<'_>,
        request: &ConsumerGroupHeartbeatRequest,
    ) -> Result<(ConsumerGroupHeartbeatResponse, Option<ClassicGroup>), Refusal> {
        let member = match &request.instance_id {
            None => self.existing_member(&request.member_id)?,
            Some(instance_id) => self.existing_static_member(instance_id, &request.member_id)?,
        };
        let response = ConsumerGroupHeartbeatResponse {
            member_id: Some(request.member_id.clone()),
            member_epoch: request.member_epoch,
            ..ConsumerGroupHeartbeatResponse::default()
        };
        let is_static = request.instance_id.is_some();
        if is_static && request.member_epoch == LEAVE_STATIC_MEMBER_EPOCH {
            let record = record::current_assignment(&self.group_id, &left_for_a_while(member.clone()));
            self.write(step, record);
            return Ok((response, None));
        }
        let member_id = member.member_id.clone();
        Ok((response, self.fence(step, &[member_id])))
    }

    pub(super) fn existing_member(&self, member_id: &str) -> Result<&ConsumerMember, Refusal> {
        self.members.get(member_id).ok_or_else(|| {
            let message = format!("Member {member_id} is not a member of group {}.", self.group_id);
            Refusal::new(ErrorCode::UnknownMemberId, message)
        })
    }

    /// The static member of this instance, if it is this member.
    pub(super) fn existing_static_member(
        &self,
        instance_id: &str,
        member_id: &str,
    ) -> Result<&ConsumerMember, Refusal> {
        let member = self.static_member(instance_id).ok_or_else(|| {
            Refusal::new(ErrorCode::UnknownMemberId, format!("Instance id {instance_id} is unknown."))
        })?;
        if member.member_id == member_id {
            return Ok(member);
        }
        let owner = &member.member_id;
        let message =
            format!("Static member {member_id} with instance id {instance_id} was fenced by member {owner}.");
        Err(Refusal::new(ErrorCode::FencedInstanceId, message))
    }

    /// Takes members out of the group. Gives the classic group that this group becomes, if it does.
    pub(crate) fn fence(&mut self, step: &mut Step<'_>, member_ids: &[String]) -> Option<ClassicGroup> {
        if self.may_downgrade_without(step, member_ids)
            && let Some(classic) = self.downgraded_without(step, member_ids)
        {
            return Some(classic);
        }
        for member_id in member_ids {
            self.write_removal(step, member_id);
            self.deadlines.remove(member_id);
        }
        let unused = self.resolved_regexes.keys().filter(|regex| self.regex_subscriber_count(regex) == 0);
        for regex in unused.cloned().collect::<Vec<_>>() {
            self.drop_regex(step, &regex);
        }
        self.bump_epoch(step);
        if self.members.is_empty() {
            let record = record::target_assignment_metadata(&self.group_id, self.group_epoch, 0);
            self.write(step, record);
        }
        None
    }

    pub(super) fn write_removal(&mut self, step: &mut Step<'_>, member_id: &str) {
        let group_id = self.group_id.clone();
        self.write(step, record::current_assignment_tombstone(&group_id, member_id));
        self.write(step, record::target_assignment_tombstone(&group_id, member_id));
        self.write(step, record::member_metadata_tombstone(&group_id, member_id));
    }

    /// The next group epoch, for whatever the group is subscribed to now.
    pub(super) fn bump_epoch(&mut self, step: &mut Step<'_>) {
        let metadata_hash = self.compute_metadata_hash(step.cluster);
        let epoch = self.group_epoch.saturating_add(1);
        let record = record::group_epoch(&self.group_id, epoch, metadata_hash);
        self.write(step, record);
        self.changed_at_ms = Some(step.now_ms);
    }
}

/// A static member that means to come back keeps what is assigned to it.
fn left_for_a_while(mut member: ConsumerMember) -> ConsumerMember {
    member.member_epoch = LEAVE_STATIC_MEMBER_EPOCH;
    member.pending_revocation = PartitionEpochs::new();
    for epoch in member.assigned.values_mut().flat_map(|partitions| partitions.values_mut()) {
        *epoch = 0;
    }
    member
}
