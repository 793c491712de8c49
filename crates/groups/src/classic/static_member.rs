//! Static members (KIP-345): a restarted client takes its old place under a new member id.

use protocol::ErrorCode;
use protocol::messages::JoinGroupResponse;

use super::join::{Joining, reply_to_join};
use super::{ClassicGroup, ClassicMember, ClassicState, join_response};
use crate::group::Step;

/// From this version on a leader can be told not to assign anew (KIP-814).
const SKIP_ASSIGNMENT_MIN_VERSION: i16 = 9;

impl ClassicGroup {
    /// Gives the place of `old_member_id` to the same instance under `new_member_id`. Where the group is stable and
    /// would choose the same protocol again, nobody else notices: the member gets its old assignment.
    pub(super) fn replace_static(
        &mut self,
        step: &mut Step<'_>,
        joining: Joining<'_>,
        old_member_id: &str,
        new_member_id: String,
    ) {
        let leader_before = self.leader_id.clone();
        let Some(before) = self.rename_static(step, old_member_id, &new_member_id) else { return };
        self.restart_session(step.now_ms, &new_member_id);
        let parked = joining.parked;
        self.update_member(step, &new_member_id, joining.request, parked);
        match self.state {
            ClassicState::Stable if self.select_protocol() == self.protocol_name => {
                let Some(record) = self.writable_record(step.config) else {
                    self.refuse_replacement(step, before, &new_member_id);
                    return;
                };
                step.effects.records.push(record);
                let response = self.replaced_response(&new_member_id, parked.api_version, leader_before);
                self.answer_join(step, &new_member_id, response);
            }
            // The leader may already have been given the old member id to assign to, so the generation is of no use.
            ClassicState::Stable | ClassicState::CompletingRebalance => self.prepare_rebalance(step),
            _ => self.maybe_complete_join_phase(step),
        }
    }

    /// The answer to a static member that came back without a rebalance. Before v9 a returning leader is told the old
    /// leader's id, which is its own former one: so it takes itself for a follower and does not assign.
    fn replaced_response(
        &self,
        member_id: &str,
        api_version: i16,
        leader_before: Option<String>,
    ) -> JoinGroupResponse {
        if api_version >= SKIP_ASSIGNMENT_MIN_VERSION {
            let is_leader = self.is_leader(member_id);
            let response = self.generation_response(member_id, is_leader);
            return JoinGroupResponse { skip_assignment: is_leader, ..response };
        }
        let response = self.generation_response(member_id, false);
        JoinGroupResponse { leader: leader_before.unwrap_or_default(), ..response }
    }

    /// Fences whoever still waits under the old id, and renames the member everywhere. Returns the member as it was.
    fn rename_static(
        &mut self,
        step: &mut Step<'_>,
        old_member_id: &str,
        new_member_id: &str,
    ) -> Option<ClassicMember> {
        self.answer_join_with_error(step, old_member_id, ErrorCode::FencedInstanceId, old_member_id);
        self.answer_sync_with_error(step, old_member_id, ErrorCode::FencedInstanceId);
        let before = self.members.shift_remove(old_member_id)?;
        let renamed = ClassicMember {
            member_id: new_member_id.to_owned(),
            is_new: false,
            session_deadline_ms: None,
            ..before.clone()
        };
        self.members.insert(new_member_id.to_owned(), renamed);
        if let Some(instance_id) = &before.group_instance_id {
            self.static_members.insert(instance_id.clone(), new_member_id.to_owned());
        }
        if self.is_leader(old_member_id) {
            self.leader_id = Some(new_member_id.to_owned());
        }
        if self.pending_sync_members.remove(old_member_id) {
            self.pending_sync_members.insert(new_member_id.to_owned());
        }
        Some(before)
    }

    /// Undoes a replacement whose record would be larger than the log takes.
    fn refuse_replacement(&mut self, step: &mut Step<'_>, before: ClassicMember, new_member_id: &str) {
        let parked = self.members.get_mut(new_member_id).and_then(|member| member.awaiting_join.take());
        self.awaiting_join_count = self.awaiting_join_count.saturating_sub(usize::from(parked.is_some()));
        let old_member_id = before.member_id.clone();
        self.set_protocols(new_member_id, before.protocols);
        if let Some(member) = self.members.get_mut(new_member_id) {
            member.rebalance_timeout_ms = before.rebalance_timeout_ms;
            member.session_timeout_ms = before.session_timeout_ms;
        }
        self.rename_static(step, new_member_id, &old_member_id);
        self.restart_session(step.now_ms, &old_member_id);
        if let Some(parked) = parked {
            let refused = join_response("", ErrorCode::UnknownServerError);
            let response = self.generation_response("", false);
            reply_to_join(step, parked, JoinGroupResponse { error_code: refused.error_code, ..response });
        }
    }
}
