//! Members of a streams group that go.

use protocol::ErrorCode;
use protocol::messages::{StreamsGroupHeartbeatRequest, StreamsGroupHeartbeatResponse};

use super::member::{MemberTasks, StreamsMember};
use super::{StreamsGroup, record};
use crate::consumer::member::LEAVE_STATIC_MEMBER_EPOCH;
use crate::group::Step;
use crate::refusal::Refusal;

impl StreamsGroup {
    /// A heartbeat with a negative epoch.
    pub(crate) fn leave(
        &mut self,
        step: &mut Step<'_>,
        request: &StreamsGroupHeartbeatRequest,
    ) -> Result<StreamsGroupHeartbeatResponse, Refusal> {
        let member = match &request.instance_id {
            None => self.existing_member(&request.member_id)?,
            Some(instance_id) => self.existing_static_member(instance_id, &request.member_id)?,
        };
        let member = member.clone();
        if request.shutdown_application {
            self.shutdown_requested_by.get_or_insert_with(|| request.member_id.clone());
        }
        if request.instance_id.is_some() && request.member_epoch == LEAVE_STATIC_MEMBER_EPOCH {
            let record = record::current_assignment(&self.group_id, &left_for_a_while(member));
            self.write(step, record);
        } else {
            self.fence(step, &member.member_id);
        }
        Ok(StreamsGroupHeartbeatResponse {
            member_id: request.member_id.clone(),
            member_epoch: request.member_epoch,
            status: Some(Vec::new()),
            ..StreamsGroupHeartbeatResponse::default()
        })
    }

    pub(super) fn existing_member(&self, member_id: &str) -> Result<&StreamsMember, Refusal> {
        self.members.get(member_id).ok_or_else(|| {
            let message = format!("Member {member_id} is not a member of group {}.", self.group_id);
            Refusal::new(ErrorCode::UnknownMemberId, message)
        })
    }

    pub(super) fn existing_static_member(
        &self,
        instance_id: &str,
        member_id: &str,
    ) -> Result<&StreamsMember, Refusal> {
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

    /// Takes a member out of the group.
    pub(super) fn fence(&mut self, step: &mut Step<'_>, member_id: &str) {
        self.write_removal(step, member_id);
        let configs = self.last_configs.clone();
        let (hash, validated) = (self.metadata_hash, self.validated_topology_epoch);
        self.begin_epoch(step, hash, validated, &configs);
        if self.members.is_empty() {
            let record = record::target_assignment_metadata(&self.group_id, self.group_epoch, 0);
            self.write(step, record);
        }
    }

    pub(super) fn write_removal(&mut self, step: &mut Step<'_>, member_id: &str) {
        let group_id = self.group_id.clone();
        self.write(step, record::current_assignment_tombstone(&group_id, member_id));
        self.write(step, record::target_assignment_tombstone(&group_id, member_id));
        self.write(step, record::member_metadata_tombstone(&group_id, member_id));
        self.deadlines.remove(member_id);
    }

    /// Starts the next group epoch.
    pub(super) fn begin_epoch(
        &mut self,
        step: &mut Step<'_>,
        metadata_hash: i64,
        validated_topology_epoch: i32,
        configs: &[(String, String)],
    ) {
        let epoch = self.group_epoch.saturating_add(1);
        let record = record::group_epoch(self, epoch, metadata_hash, validated_topology_epoch, configs);
        self.write(step, record);
        self.changed_at_ms = Some(step.now_ms);
    }
}

/// A static member that means to come back keeps its tasks.
fn left_for_a_while(mut member: StreamsMember) -> StreamsMember {
    member.member_epoch = LEAVE_STATIC_MEMBER_EPOCH;
    member.pending_revocation = MemberTasks::default();
    for epoch in member.assigned.active.values_mut().flat_map(|partitions| partitions.values_mut()) {
        *epoch = 0;
    }
    member
}
