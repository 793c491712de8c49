//! Requests of the classic protocol's members: JoinGroup, SyncGroup, Heartbeat, LeaveGroup.

use protocol::ErrorCode;
use protocol::messages::{
    HeartbeatRequest, HeartbeatResponse, JoinGroupRequest, LeaveGroupRequest, SyncGroupRequest,
};

use super::GroupShard;
use crate::classic::{
    Parked, empty_group_record, join_response, leave_outcome, leave_response, leaving_members, reply_to_join,
};
use crate::effects::{Effects, Reply};
use crate::event::{Request, RequestContext};
use crate::group::{Group, Step};
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
        let error = if request.group_id.is_empty() {
            ErrorCode::InvalidGroupId
        } else if !session_timeouts.contains(&request.session_timeout_ms) {
            ErrorCode::InvalidSessionTimeout
        } else {
            let group_id = request.group_id.clone();
            if self.joins_consumer_group(&group_id) {
                return self.join_consumer_group(now_ms, effects, parked, context, &request);
            }
            self.end_empty_group_of_other_kind(now_ms, effects, &group_id);
            if matches!(self.groups.get(group_id.as_str()), Some(Group::Streams(_) | Group::Share(_))) {
                let response = join_response("", ErrorCode::InconsistentGroupProtocol);
                let mut step = Step { now_ms, config: &self.config, cluster: &mut self.cluster, effects };
                return reply_to_join(&mut step, parked, response);
            }
            let exists = self.groups.contains_key(group_id.as_str());
            if exists || request.member_id.is_empty() {
                if !exists {
                    self.create(effects, &group_id, now_ms);
                }
                self.with_classic(now_ms, effects, &group_id, |group, step| {
                    group.join(step, parked, context, request)
                });
                return;
            }
            ErrorCode::UnknownMemberId
        };
        let reply = refuse_request(Request::JoinGroup(request), error, parked.api_version);
        effects.replies.push((parked.id, reply));
    }

    fn joins_consumer_group(&self, group_id: &str) -> bool {
        matches!(self.groups.get(group_id), Some(Group::Consumer(group)) if !group.is_empty())
    }

    fn join_consumer_group(
        &mut self,
        now_ms: i64,
        effects: &mut Effects,
        parked: Parked,
        context: &RequestContext,
        request: &JoinGroupRequest,
    ) {
        let mut step = Step { now_ms, config: &self.config, cluster: &mut self.cluster, effects };
        let Some(Group::Consumer(group)) = self.groups.get_mut(request.group_id.as_str()) else { return };
        let (response, classic) = group.join(&mut step, context, request);
        reply_to_join(&mut step, parked, response);
        match classic {
            Some(classic) => self.put_group(Group::Classic(Box::new(classic))),
            None => self.enter(&request.group_id),
        }
    }

    /// An empty group of another protocol makes way for a classic one.
    fn end_empty_group_of_other_kind(&mut self, now_ms: i64, effects: &mut Effects, group_id: &str) {
        let mut step = Step { now_ms, config: &self.config, cluster: &mut self.cluster, effects };
        if let Some(group @ (Group::Consumer(_) | Group::Streams(_))) = self.groups.get(group_id)
            && group.is_empty()
        {
            group.write_tombstones(&mut step);
            self.remove_group(group_id);
        }
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
        } else {
            let group_id = request.group_id.clone();
            let mut step = Step { now_ms, config: &self.config, cluster: &mut self.cluster, effects };
            match self.groups.get_mut(group_id.as_str()) {
                Some(Group::Classic(group)) => {
                    group.sync(&mut step, parked, request);
                    return self.enter(&group_id);
                }
                Some(Group::Consumer(group)) => {
                    let reply = Reply::SyncGroup(group.sync(&mut step, &request));
                    effects.replies.push((parked.id, reply));
                    return self.enter(&group_id);
                }
                Some(Group::Streams(_) | Group::Share(_)) | None => ErrorCode::UnknownMemberId,
            }
        };
        let reply = refuse_request(Request::SyncGroup(request), error, parked.api_version);
        effects.replies.push((parked.id, reply));
    }

    pub(super) fn heartbeat(
        &mut self,
        now_ms: i64,
        effects: &mut Effects,
        request: &HeartbeatRequest,
    ) -> Reply {
        let mut step = Step { now_ms, config: &self.config, cluster: &mut self.cluster, effects };
        let error = match self.groups.get_mut(request.group_id.as_str()) {
            _ if request.group_id.is_empty() => ErrorCode::InvalidGroupId,
            Some(Group::Streams(_) | Group::Share(_)) | None => ErrorCode::UnknownMemberId,
            Some(Group::Classic(group)) => group.heartbeat(now_ms, request),
            Some(Group::Consumer(group)) => {
                group.classic_heartbeat(&mut step, request).err().unwrap_or(ErrorCode::None)
            }
        };
        self.enter(&request.group_id);
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
        let mut step = Step { now_ms, config: &self.config, cluster: &mut self.cluster, effects };
        let members = match self.groups.get_mut(group_id.as_str()) {
            Some(Group::Streams(_) | Group::Share(_)) | None => {
                let unknown = |identity| leave_outcome(identity, ErrorCode::UnknownMemberId);
                leaving.into_iter().map(unknown).collect()
            }
            Some(Group::Classic(group)) => group.leave(&mut step, leaving),
            Some(Group::Consumer(group)) => {
                let (members, classic) = group.classic_leave(&mut step, leaving);
                if let Some(classic) = classic {
                    self.put_group(Group::Classic(Box::new(classic)));
                }
                members
            }
        };
        self.enter(&group_id);
        Reply::LeaveGroup(leave_response(members, api_version))
    }
}
