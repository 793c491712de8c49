//! Requests of a group's members: JoinGroup, SyncGroup, Heartbeat, LeaveGroup.

use protocol::ErrorCode;
use protocol::messages::{
    HeartbeatRequest, HeartbeatResponse, JoinGroupRequest, LeaveGroupRequest, SyncGroupRequest,
};

use super::GroupShard;
use crate::classic::{
    ClassicGroup, Parked, empty_group_record, leave_outcome, leave_response, leaving_members,
};
use crate::effects::{Effects, Reply};
use crate::event::{Request, RequestContext};
use crate::group::Step;
use crate::refusal::refuse_request;

/// From this version on a SyncGroup has to name the protocol (KIP-559).
const SYNC_PROTOCOL_MIN_VERSION: i16 = 5;

impl GroupShard {
    pub(super) fn join(
        &mut self,
        now_ms: i64,
        effects: &mut Effects,
        parked: Parked,
        context: &RequestContext,
        request: JoinGroupRequest,
    ) {
        let session_timeouts =
            self.config.group_min_session_timeout_ms..=self.config.group_max_session_timeout_ms;
        let exists = self.groups.contains_key(request.group_id.as_str());
        let error = if request.group_id.is_empty() {
            ErrorCode::InvalidGroupId
        } else if !session_timeouts.contains(&request.session_timeout_ms) {
            ErrorCode::InvalidSessionTimeout
        } else if !exists && !request.member_id.is_empty() {
            ErrorCode::UnknownMemberId
        } else {
            let group_id = request.group_id.clone();
            if !exists {
                self.create(effects, &group_id, now_ms);
            }
            self.with_classic(now_ms, effects, &group_id, |group, step| {
                group.join(step, parked, context, request)
            });
            return;
        };
        let reply = refuse_request(Request::JoinGroup(request), error, parked.api_version);
        effects.replies.push((parked.id, reply));
    }

    /// Makes a group, and writes down that it exists, so that a join without consequences yet is not forgotten.
    fn create(&mut self, effects: &mut Effects, group_id: &str, now_ms: i64) {
        self.insert_empty(group_id, now_ms);
        effects.records.extend(empty_group_record(group_id, now_ms));
    }

    pub(super) fn sync(
        &mut self,
        now_ms: i64,
        effects: &mut Effects,
        parked: Parked,
        request: SyncGroupRequest,
    ) {
        let lacks_protocol = request.protocol_type.is_none() || request.protocol_name.is_none();
        let error = if parked.api_version >= SYNC_PROTOCOL_MIN_VERSION && lacks_protocol {
            ErrorCode::InconsistentGroupProtocol
        } else if request.group_id.is_empty() {
            ErrorCode::InvalidGroupId
        } else if !self.groups.contains_key(request.group_id.as_str()) {
            ErrorCode::UnknownMemberId
        } else {
            let group_id = request.group_id.clone();
            self.with_classic(now_ms, effects, &group_id, |group, step| group.sync(step, parked, request));
            return;
        };
        let reply = refuse_request(Request::SyncGroup(request), error, parked.api_version);
        effects.replies.push((parked.id, reply));
    }

    pub(super) fn heartbeat(&mut self, now_ms: i64, request: &HeartbeatRequest) -> Reply {
        let error = if request.group_id.is_empty() {
            ErrorCode::InvalidGroupId
        } else {
            let mut effects = Effects::default();
            let beat = |group: &mut ClassicGroup, step: &mut Step<'_>| group.heartbeat(step.now_ms, request);
            self.with_classic(now_ms, &mut effects, &request.group_id, beat)
                .unwrap_or(ErrorCode::UnknownMemberId)
        };
        Reply::Heartbeat(HeartbeatResponse { error_code: error.as_i16(), ..HeartbeatResponse::default() })
    }

    pub(super) fn leave(
        &mut self,
        now_ms: i64,
        effects: &mut Effects,
        request: LeaveGroupRequest,
        api_version: i16,
    ) -> Reply {
        if request.group_id.is_empty() {
            return refuse_request(Request::LeaveGroup(request), ErrorCode::InvalidGroupId, api_version);
        }
        let group_id = request.group_id.clone();
        let leaving = leaving_members(request, api_version);
        let members = if self.groups.contains_key(group_id.as_str()) {
            self.with_classic(now_ms, effects, &group_id, |group, step| group.leave(step, leaving))
                .unwrap_or_default()
        } else {
            leaving.into_iter().map(|identity| leave_outcome(identity, ErrorCode::UnknownMemberId)).collect()
        };
        Reply::LeaveGroup(leave_response(members, api_version))
    }
}
