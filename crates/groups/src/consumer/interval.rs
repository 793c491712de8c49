//! How often a group's members are to be heard.
//!
//! A quiet group's members come as often as configured. While a group is on its way to another assignment they are asked to
//! come sooner, so that nobody waits a whole interval for what is already free.

use super::ConsumerGroup;
use super::member::ConsumerMember;
use crate::group::Step;

/// The shortest interval that is ever asked for.
const INTERVAL_MIN_MS: i64 = 50;

impl ConsumerGroup {
    pub(super) fn session_timeout_ms(&self, step: &Step<'_>) -> i64 {
        let own = step.cluster.group_number(&self.group_id, "consumer.session.timeout.ms");
        i64::from(step.config.consumer.session_timeout_ms.resolve(own))
    }

    pub(super) fn assignment_interval_ms(&self, step: &Step<'_>) -> i64 {
        let own = step.cluster.group_number(&self.group_id, "consumer.assignment.interval.ms");
        i64::from(step.config.consumer.assignment_interval_ms.resolve(own))
    }

    /// When this member should come again.
    pub(super) fn heartbeat_interval_ms(&self, step: &Step<'_>, member: &ConsumerMember) -> i32 {
        let own = step.cluster.group_number(&self.group_id, "consumer.heartbeat.interval.ms");
        let configured_ms = i64::from(step.config.consumer.heartbeat_interval_ms.resolve(own));
        // A thousand members must not come twenty times a second each.
        let soon_ms = INTERVAL_MIN_MS + i64::try_from(self.members.len()).unwrap_or(i64::MAX / 2);
        let has_just_changed = self
            .changed_at_ms
            .is_some_and(|changed_ms| step.now_ms < changed_ms.saturating_add(configured_ms));
        let is_moving = self.group_epoch > self.assignment_epoch
            || !member.is_reconciled_to(self.assignment_epoch)
            || has_just_changed;
        let interval_ms =
            if is_moving { soon_ms } else { self.until_suspected_expiry_ms(step).unwrap_or(configured_ms) };
        i32::try_from(
            interval_ms.clamp(INTERVAL_MIN_MS, configured_ms.max(INTERVAL_MIN_MS)).min(configured_ms),
        )
        .unwrap_or(i32::MAX)
    }

    /// A member that comes as told has most of its session left. One that has less than an interval left has been
    /// silent for long: the others should come when its session is over.
    fn until_suspected_expiry_ms(&self, step: &Step<'_>) -> Option<i64> {
        let sessions = self.deadlines.values().filter_map(|deadlines| deadlines.session_ms);
        sessions
            .min()
            .map(|deadline_ms| deadline_ms.saturating_sub(step.now_ms).saturating_add(INTERVAL_MIN_MS))
    }
}
