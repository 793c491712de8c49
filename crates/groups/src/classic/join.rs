//! JoinGroup: new members, rejoining members, and what they are answered.

use protocol::ErrorCode;
use protocol::messages::join_group_request::JoinGroupRequestProtocol;
use protocol::messages::join_group_response::JoinGroupResponseMember;
use protocol::messages::{JoinGroupRequest, JoinGroupResponse};

use super::member::distinct_protocols;
use super::{ClassicGroup, ClassicMember, ClassicState, Parked};
use crate::effects::Reply;
use crate::event::RequestContext;
use crate::group::Step;

/// From this version on a new dynamic member is first given its id and has to come back with it (KIP-394).
const MEMBER_ID_REQUIRED_MIN_VERSION: i16 = 4;
/// From this version on the answer's protocol name may be absent.
const NULLABLE_PROTOCOL_NAME_MIN_VERSION: i16 = 7;
/// The longest string any message can carry, in bytes.
const MEMBER_ID_MAX_LENGTH: usize = 0x7fff;

/// A JoinGroup on its way through a group.
pub(super) struct Joining<'a> {
    pub(super) parked: Parked,
    pub(super) context: &'a RequestContext,
    pub(super) request: JoinGroupRequest,
}

/// An answer that says no more than this.
pub(crate) fn join_response(member_id: &str, error: ErrorCode) -> JoinGroupResponse {
    JoinGroupResponse {
        error_code: error.as_i16(),
        protocol_name: None,
        member_id: member_id.to_owned(),
        ..JoinGroupResponse::default()
    }
}

/// Sends an answer to a JoinGroup, in the form its version has.
pub(crate) fn reply_to_join(step: &mut Step<'_>, parked: Parked, mut response: JoinGroupResponse) {
    if parked.api_version < NULLABLE_PROTOCOL_NAME_MIN_VERSION {
        response.protocol_name.get_or_insert_default();
    }
    step.effects.replies.push((parked.id, Reply::JoinGroup(response)));
}

impl ClassicGroup {
    /// Handles a JoinGroup whose group id and session timeout are fine.
    pub(crate) fn join(
        &mut self,
        step: &mut Step<'_>,
        parked: Parked,
        context: &RequestContext,
        mut request: JoinGroupRequest,
    ) {
        request.protocols = distinct_protocols(std::mem::take(&mut request.protocols));
        if parked.api_version == 0 {
            request.rebalance_timeout_ms = request.session_timeout_ms;
        }
        let is_new_member = request.member_id.is_empty();
        if !self.accepts(step.config.group_max_size, &request.member_id) {
            self.remove_member(step, &request.member_id);
            reply_to_join(step, parked, join_response("", ErrorCode::GroupMaxSizeReached));
        } else if !self.supports_protocols(&request.protocol_type, &request.protocols) {
            let response = join_response(&request.member_id, ErrorCode::InconsistentGroupProtocol);
            reply_to_join(step, parked, response);
        } else if is_new_member {
            self.join_new(step, Joining { parked, context, request });
        } else {
            self.join_again(step, Joining { parked, context, request });
        }
    }

    /// Whether there is room. While members rejoin, those who come first count, so that a group above a lowered limit
    /// shrinks; otherwise every member counts.
    fn accepts(&self, max_size: i32, member_id: &str) -> bool {
        let max_size = usize::try_from(max_size).unwrap_or(0);
        let member = self.members.get(member_id);
        match self.state {
            ClassicState::Empty | ClassicState::Dead => true,
            ClassicState::PreparingRebalance => {
                member.is_some_and(|member| member.awaiting_join.is_some())
                    || self.awaiting_join_count < max_size
            }
            ClassicState::CompletingRebalance | ClassicState::Stable => {
                member.is_some() || self.members.len() < max_size
            }
        }
    }

    fn join_new(&mut self, step: &mut Step<'_>, joining: Joining<'_>) {
        let context = joining.context;
        let prefix = joining.request.group_instance_id.as_deref().unwrap_or(&context.client_id);
        let member_id = format!("{prefix}-{}", random_uuid_text(context.member_id_entropy));
        if member_id.len() > MEMBER_ID_MAX_LENGTH {
            reply_to_join(step, joining.parked, join_response("", ErrorCode::UnknownServerError));
            return;
        }
        let instance_id = joining.request.group_instance_id.as_deref();
        match instance_id.map(|instance_id| self.static_members.get(instance_id).cloned()) {
            Some(Some(existing_member_id)) => {
                self.replace_static(step, joining, &existing_member_id, member_id)
            }
            Some(None) => self.admit(step, joining, member_id),
            None if joining.parked.api_version < MEMBER_ID_REQUIRED_MIN_VERSION => {
                self.admit(step, joining, member_id)
            }
            None => {
                let response = join_response(&member_id, ErrorCode::MemberIdRequired);
                self.add_pending_member(step.now_ms, member_id, joining.request.session_timeout_ms);
                reply_to_join(step, joining.parked, response);
            }
        }
    }

    fn join_again(&mut self, step: &mut Step<'_>, joining: Joining<'_>) {
        let member_id = joining.request.member_id.clone();
        let instance_id = joining.request.group_instance_id.as_deref();
        if self.pending_join_members.contains_key(&member_id) {
            if instance_id.is_some() {
                reply_to_join(step, joining.parked, join_response("", ErrorCode::UnknownServerError));
            } else {
                self.admit(step, joining, member_id);
            }
            return;
        }
        if let Err(error) = self.validate_member(&member_id, instance_id) {
            reply_to_join(step, joining.parked, join_response(&member_id, error));
            return;
        }
        let has_same_protocols =
            self.members.get(&member_id).is_some_and(|member| member.protocols == joining.request.protocols);
        match self.state {
            // Whoever comes again with nothing new in a fixed generation has missed our answer; it is given again. The
            // leader of a stable group may rebalance it at will: what it assigns may have changed behind our back.
            ClassicState::CompletingRebalance if has_same_protocols => {
                let response = self.generation_response(&member_id, self.is_leader(&member_id));
                reply_to_join(step, joining.parked, response);
            }
            ClassicState::Stable if has_same_protocols && !self.is_leader(&member_id) => {
                let response = self.generation_response(&member_id, false);
                reply_to_join(step, joining.parked, response);
            }
            ClassicState::PreparingRebalance | ClassicState::CompletingRebalance | ClassicState::Stable => {
                self.update_member(step, &member_id, joining.request, joining.parked);
                self.maybe_prepare_rebalance_or_complete_join(step);
            }
            ClassicState::Empty | ClassicState::Dead => {
                reply_to_join(step, joining.parked, join_response(&member_id, ErrorCode::UnknownMemberId));
            }
        }
    }

    /// Makes a member of somebody who was none, and parks its JoinGroup.
    fn admit(&mut self, step: &mut Step<'_>, joining: Joining<'_>, member_id: String) {
        let Joining { parked, context, request } = joining;
        if self.state == ClassicState::PreparingRebalance && self.previous_state == ClassicState::Empty {
            self.new_member_added = true;
        }
        let member = ClassicMember {
            member_id: member_id.clone(),
            group_instance_id: request.group_instance_id,
            client_id: context.client_id.clone(),
            client_host: context.client_host.clone(),
            rebalance_timeout_ms: request.rebalance_timeout_ms,
            session_timeout_ms: request.session_timeout_ms,
            protocols: request.protocols,
            assignment: bytes::Bytes::new(),
            awaiting_join: Some(parked),
            awaiting_sync: None,
            is_new: true,
            session_deadline_ms: None,
        };
        self.add_member(member, request.protocol_type);
        // A new member sends no heartbeats before its first answer, and a client that gave up waiting leaves no trace:
        // it comes again under another id. So the wait itself is limited.
        self.expect_member_within(step.now_ms, &member_id, step.config.new_member_join_timeout_ms);
        self.maybe_prepare_rebalance_or_complete_join(step);
    }

    /// Takes over what a rejoining member says of itself, and parks its JoinGroup.
    pub(super) fn update_member(
        &mut self,
        step: &mut Step<'_>,
        member_id: &str,
        request: JoinGroupRequest,
        parked: Parked,
    ) {
        self.answer_join_with_error(step, member_id, ErrorCode::RebalanceInProgress, member_id);
        self.set_protocols(member_id, request.protocols);
        if let Some(member) = self.members.get_mut(member_id) {
            member.rebalance_timeout_ms = request.rebalance_timeout_ms;
            member.session_timeout_ms = request.session_timeout_ms;
            member.awaiting_join = Some(parked);
            self.awaiting_join_count += 1;
        }
    }

    pub(super) fn set_protocols(&mut self, member_id: &str, protocols: Vec<JoinGroupRequestProtocol>) {
        if let Some(member) = self.members.get_mut(member_id) {
            self.votes.remove(&member.protocols);
            self.votes.add(&protocols);
            member.protocols = protocols;
        }
    }

    /// Answers the member's parked JoinGroup, if there is one.
    pub(super) fn answer_join(&mut self, step: &mut Step<'_>, member_id: &str, response: JoinGroupResponse) {
        let parked = self.members.get_mut(member_id).and_then(|member| member.awaiting_join.take());
        if let Some(parked) = parked {
            self.awaiting_join_count = self.awaiting_join_count.saturating_sub(1);
            reply_to_join(step, parked, response);
        }
    }

    pub(super) fn answer_join_with_error(
        &mut self,
        step: &mut Step<'_>,
        member_id: &str,
        error: ErrorCode,
        answered_member_id: &str,
    ) {
        self.answer_join(step, member_id, join_response(answered_member_id, error));
    }

    /// The members with their metadata for the selected protocol, as the leader needs them.
    pub(super) fn joined_members(&self) -> Vec<JoinGroupResponseMember> {
        let protocol_name = self.protocol_name.as_deref();
        let joined = |member: &ClassicMember| JoinGroupResponseMember {
            member_id: member.member_id.clone(),
            group_instance_id: member.group_instance_id.clone(),
            metadata: member.metadata(protocol_name),
            ..JoinGroupResponseMember::default()
        };
        self.members.values().map(joined).collect()
    }
}

/// A version 4 UUID from 128 random bits, in the usual notation.
fn random_uuid_text(entropy: u128) -> String {
    let bits = (entropy & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{bits:032x}");
    let (a, rest) = hex.split_at(8);
    let (b, rest) = rest.split_at(4);
    let (c, rest) = rest.split_at(4);
    let (d, e) = rest.split_at(4);
    format!("{a}-{b}-{c}-{d}-{e}")
}
