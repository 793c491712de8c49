//! SyncGroup: the leader's assignment, and everybody's part of it.

use std::collections::BTreeMap;

use bytes::Bytes;
use protocol::ErrorCode;
use protocol::messages::{SyncGroupRequest, SyncGroupResponse};

use super::{ClassicGroup, ClassicState, Parked};
use crate::effects::Reply;
use crate::group::Step;

impl ClassicGroup {
    /// Handles a SyncGroup whose group id is fine.
    pub(crate) fn sync(&mut self, step: &mut Step<'_>, parked: Parked, request: SyncGroupRequest) {
        if let Err(error) = self.validate_sync(&request) {
            reply_to_sync(step, parked, sync_error(error));
            return;
        }
        let member_id = request.member_id.as_str();
        match self.state {
            ClassicState::Empty | ClassicState::Dead => {
                reply_to_sync(step, parked, sync_error(ErrorCode::UnknownMemberId))
            }
            ClassicState::PreparingRebalance => {
                reply_to_sync(step, parked, sync_error(ErrorCode::RebalanceInProgress));
            }
            ClassicState::CompletingRebalance => {
                self.answer_sync_with_error(step, member_id, ErrorCode::RebalanceInProgress);
                if let Some(member) = self.members.get_mut(member_id) {
                    member.awaiting_sync = Some(parked);
                }
                self.note_sync(member_id);
                if self.is_leader(member_id) {
                    self.assign(step, request);
                }
            }
            ClassicState::Stable => {
                self.note_sync(member_id);
                let assignment = self.members.get(member_id).map(|member| member.assignment.clone());
                reply_to_sync(step, parked, self.assignment_response(assignment.unwrap_or_default()));
            }
        }
    }

    /// A sync must come from a member of this generation; protocol names it gives must be the group's (KIP-559).
    fn validate_sync(&self, request: &SyncGroupRequest) -> Result<(), ErrorCode> {
        if self.is_empty() {
            return Err(ErrorCode::UnknownMemberId);
        }
        self.validate_member(&request.member_id, request.group_instance_id.as_deref())?;
        if request.generation_id != self.generation_id {
            return Err(ErrorCode::IllegalGeneration);
        }
        let differs = |theirs: &Option<String>, ours: &Option<String>| {
            theirs.is_some() && ours.is_some() && theirs != ours
        };
        if differs(&request.protocol_type, &self.protocol_type)
            || differs(&request.protocol_name, &self.protocol_name)
        {
            return Err(ErrorCode::InconsistentGroupProtocol);
        }
        Ok(())
    }

    fn note_sync(&mut self, member_id: &str) {
        self.pending_sync_members.remove(member_id);
        if self.pending_sync_members.is_empty() {
            self.sync_timer = None;
        }
    }

    /// Takes the leader's assignment: it is written down, the group is stable, and whoever waits gets its part. Members
    /// the leader forgot get an empty one. An assignment too large for the log starts another rebalance.
    fn assign(&mut self, step: &mut Step<'_>, request: SyncGroupRequest) {
        let mut assignments: BTreeMap<String, Bytes> =
            request.assignments.into_iter().map(|given| (given.member_id, given.assignment)).collect();
        for member in self.members.values_mut() {
            member.assignment = assignments.remove(&member.member_id).unwrap_or_default();
        }
        let Some(record) = self.writable_record(step.config) else {
            self.reset_assignment_with_error(step, ErrorCode::UnknownServerError);
            self.prepare_rebalance(step);
            return;
        };
        step.effects.records.push(record);
        self.transition_to(ClassicState::Stable, step.now_ms);
        for member_id in self.waiting_for_sync() {
            let assignment = self.members.get(&member_id).map(|member| member.assignment.clone());
            self.answer_sync(step, &member_id, self.assignment_response(assignment.unwrap_or_default()));
            self.restart_session(step.now_ms, &member_id);
        }
    }

    /// Takes every assignment away and answers whoever waits for one with `error`.
    pub(super) fn reset_assignment_with_error(&mut self, step: &mut Step<'_>, error: ErrorCode) {
        for member in self.members.values_mut() {
            member.assignment = Bytes::new();
        }
        for member_id in self.waiting_for_sync() {
            self.answer_sync_with_error(step, &member_id, error);
            self.restart_session(step.now_ms, &member_id);
        }
    }

    fn waiting_for_sync(&self) -> Vec<String> {
        let waiting = self.members.values().filter(|member| member.awaiting_sync.is_some());
        waiting.map(|member| member.member_id.clone()).collect()
    }

    fn assignment_response(&self, assignment: Bytes) -> SyncGroupResponse {
        SyncGroupResponse {
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol_name.clone(),
            assignment,
            ..sync_error(ErrorCode::None)
        }
    }

    /// Answers the member's parked SyncGroup, if there is one.
    fn answer_sync(&mut self, step: &mut Step<'_>, member_id: &str, response: SyncGroupResponse) {
        if let Some(parked) = self.members.get_mut(member_id).and_then(|member| member.awaiting_sync.take()) {
            reply_to_sync(step, parked, response);
        }
    }

    pub(super) fn answer_sync_with_error(&mut self, step: &mut Step<'_>, member_id: &str, error: ErrorCode) {
        self.answer_sync(step, member_id, sync_error(error));
    }
}

/// An answer that says no more than this.
fn sync_error(error: ErrorCode) -> SyncGroupResponse {
    SyncGroupResponse { error_code: error.as_i16(), ..SyncGroupResponse::default() }
}

fn reply_to_sync(step: &mut Step<'_>, parked: Parked, response: SyncGroupResponse) {
    step.effects.replies.push((parked.id, Reply::SyncGroup(response)));
}
