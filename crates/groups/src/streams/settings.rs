//! A streams group's settings: its own, or the broker's.

use super::StreamsGroup;
use super::member::StreamsMember;
use crate::group::Step;

/// The shortest heartbeat interval that is ever asked for, in milliseconds.
const INTERVAL_MIN_MS: i64 = 50;

impl StreamsGroup {
    fn own<T: std::str::FromStr>(&self, step: &Step<'_>, key: &str) -> Option<T> {
        step.cluster.group_number(&self.group_id, key)
    }

    pub(super) fn session_timeout_ms(&self, step: &Step<'_>) -> i64 {
        let own = self.own(step, "streams.session.timeout.ms");
        step.config.streams.session_timeout_ms.resolve(own).into()
    }

    pub(super) fn assignment_interval_ms(&self, step: &Step<'_>) -> i64 {
        let own = self.own(step, "streams.assignment.interval.ms");
        step.config.streams.assignment_interval_ms.resolve(own).into()
    }

    pub(super) fn initial_rebalance_delay_ms(&self, step: &Step<'_>) -> i64 {
        let own: Option<i32> = self.own(step, "streams.initial.rebalance.delay.ms");
        own.unwrap_or(step.config.streams.initial_rebalance_delay_ms).into()
    }

    pub(super) fn task_offset_interval_ms(&self, step: &Step<'_>) -> i32 {
        let own = self.own(step, "streams.task.offset.interval.ms");
        step.config.streams.task_offset_interval_ms.resolve(own)
    }

    pub(super) fn acceptable_recovery_lag(&self, step: &Step<'_>) -> i64 {
        self.own(step, "streams.acceptable.recovery.lag")
            .unwrap_or(step.config.streams.acceptable_recovery_lag)
    }

    pub(super) fn standby_count(&self, step: &Step<'_>) -> usize {
        let own = self.own(step, "streams.num.standby.replicas");
        usize::try_from(step.config.streams.num_standby_replicas.resolve(own)).unwrap_or(0)
    }

    /// Client tags that every member should have.
    pub(super) fn rack_aware_tags(&self, step: &Step<'_>) -> Vec<String> {
        match step.cluster.group_setting(&self.group_id, "streams.rack.aware.assignment.tags") {
            Some(own) => {
                own.split(',').map(str::trim).filter(|tag| !tag.is_empty()).map(str::to_owned).collect()
            }
            None => step.config.streams.rack_aware_assignment_tags.clone(),
        }
    }

    /// The settings that an assignment depends on, by name: if they change, so does the group epoch.
    pub(super) fn assignment_configs(&self, step: &Step<'_>) -> Vec<(String, String)> {
        let mut configs = vec![("num.standby.replicas".to_owned(), self.standby_count(step).to_string())];
        let tags = self.rack_aware_tags(step);
        if !tags.is_empty() {
            configs.push(("rack.aware.assignment.tags".to_owned(), tags.join(",")));
        }
        configs
    }

    /// When this member should come again: sooner while the group is on its way to another assignment.
    pub(super) fn heartbeat_interval_ms(&self, step: &Step<'_>, member: &StreamsMember) -> i32 {
        let own = self.own(step, "streams.heartbeat.interval.ms");
        let configured_ms = i64::from(step.config.streams.heartbeat_interval_ms.resolve(own));
        let soon_ms = INTERVAL_MIN_MS + i64::try_from(self.members.len()).unwrap_or(i64::MAX / 2);
        let has_just_changed = self
            .changed_at_ms
            .is_some_and(|changed_ms| step.now_ms < changed_ms.saturating_add(configured_ms));
        let is_moving = self.group_epoch > self.assignment_epoch
            || !member.is_reconciled_to(self.assignment_epoch)
            || has_just_changed;
        let interval_ms = if is_moving { soon_ms.min(configured_ms) } else { configured_ms };
        i32::try_from(interval_ms).unwrap_or(i32::MAX)
    }
}
