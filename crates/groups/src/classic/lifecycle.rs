//! The beginning and the end of a classic group's time on this node.

use protocol::ErrorCode;

use super::ClassicGroup;
use crate::group::Step;

impl ClassicGroup {
    /// Begins the sessions of members found by replay. A group above its limit rebalances, so that its members can
    /// commit and then leave.
    pub(crate) fn loaded(&mut self, step: &mut Step<'_>) {
        let member_ids: Vec<String> = self.members.keys().cloned().collect();
        for member_id in &member_ids {
            self.restart_session(step.now_ms, member_id);
        }
        if self.members.len() > usize::try_from(step.config.group_max_size).unwrap_or(0)
            && self.can_rebalance()
        {
            self.prepare_rebalance(step);
        }
    }

    /// Answers whatever is parked, for a group that goes away from here.
    pub(crate) fn answer_all_with_error(&mut self, step: &mut Step<'_>, error: ErrorCode) {
        let member_ids: Vec<String> = self.members.keys().cloned().collect();
        for member_id in &member_ids {
            self.answer_join_with_error(step, member_id, error, member_id);
            self.answer_sync_with_error(step, member_id, error);
        }
    }
}
