//! LeaveGroup: members that go, by themselves or taken out by an administrator (KIP-345).

use protocol::ErrorCode;
use protocol::messages::leave_group_request::MemberIdentity;
use protocol::messages::leave_group_response::MemberResponse;
use protocol::messages::{LeaveGroupRequest, LeaveGroupResponse};

use super::{ClassicGroup, ClassicState};
use crate::group::Step;

/// From this version on a request names several members, and each is answered by itself.
const BATCHED_MIN_VERSION: i16 = 3;

/// The members a request wants out; before v3 it names exactly one.
pub(crate) fn leaving_members(request: LeaveGroupRequest, api_version: i16) -> Vec<MemberIdentity> {
    if api_version >= BATCHED_MIN_VERSION {
        return request.members;
    }
    vec![MemberIdentity { member_id: request.member_id, ..MemberIdentity::default() }]
}

/// The answer in the form its version has: before v3 the one member's error is the answer's.
pub(crate) fn leave_response(members: Vec<MemberResponse>, api_version: i16) -> LeaveGroupResponse {
    if api_version >= BATCHED_MIN_VERSION {
        return LeaveGroupResponse { members, ..LeaveGroupResponse::default() };
    }
    let error_code = members.first().map_or(0, |member| member.error_code);
    LeaveGroupResponse { error_code, ..LeaveGroupResponse::default() }
}

impl ClassicGroup {
    /// Takes members out, and rebalances once where anybody went.
    pub(crate) fn leave(&mut self, step: &mut Step<'_>, leaving: Vec<MemberIdentity>) -> Vec<MemberResponse> {
        let responses: Vec<MemberResponse> = leaving
            .into_iter()
            .map(|identity| {
                let error = match self.leaving_member_id(&identity) {
                    Ok(member_id) => {
                        self.remove_member(step, &member_id);
                        ErrorCode::None
                    }
                    Err(error) => error,
                };
                leave_outcome(identity, error)
            })
            .collect();
        if responses.iter().any(|response| response.error_code == ErrorCode::None.as_i16()) {
            match self.state {
                ClassicState::Stable | ClassicState::CompletingRebalance => self.prepare_rebalance(step),
                ClassicState::PreparingRebalance => self.maybe_complete_join_phase(step),
                ClassicState::Empty | ClassicState::Dead => {}
            }
        }
        responses
    }

    /// Whom an identity means: an administrator names a static member by its instance id alone.
    fn leaving_member_id(&self, identity: &MemberIdentity) -> Result<String, ErrorCode> {
        let instance_id = identity.group_instance_id.as_deref();
        if identity.member_id.is_empty() {
            let mapped = instance_id.and_then(|instance_id| self.static_members.get(instance_id));
            return mapped.cloned().ok_or(ErrorCode::UnknownMemberId);
        }
        if !self.pending_join_members.contains_key(&identity.member_id) {
            self.validate_member(&identity.member_id, instance_id)?;
        }
        Ok(identity.member_id.clone())
    }
}

/// What one leaving member is answered.
pub(crate) fn leave_outcome(identity: MemberIdentity, error: ErrorCode) -> MemberResponse {
    MemberResponse {
        member_id: identity.member_id,
        group_instance_id: identity.group_instance_id,
        error_code: error.as_i16(),
        ..MemberResponse::default()
    }
}
