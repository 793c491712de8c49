//! What a streams group waits for.

use super::StreamsGroup;
use crate::consumer::MemberState;
use crate::group::Step;

/// What one member has to do by when; who fails is out of the group. Milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct MemberDeadlines {
    /// To be heard of.
    session_ms: Option<i64>,
    /// To have given up tasks in the epoch beside it.
    pub(super) rebalance: Option<(i64, i32)>,
}

impl StreamsGroup {
    pub(super) fn restart_session(&mut self, step: &Step<'_>, member_id: &str) {
        let deadline_ms = step.now_ms.saturating_add(self.session_timeout_ms(step));
        self.deadlines.entry(member_id.to_owned()).or_default().session_ms = Some(deadline_ms);
        self.timers.want(deadline_ms);
    }

    pub(super) fn expect_revocation(
        &mut self,
        step: &Step<'_>,
        member_id: &str,
        epoch: i32,
        timeout_ms: i32,
    ) {
        let deadline_ms = step.now_ms.saturating_add(i64::from(timeout_ms.max(0)));
        self.deadlines.entry(member_id.to_owned()).or_default().rebalance = Some((deadline_ms, epoch));
        self.timers.want(deadline_ms);
    }

    /// Lets the first assignment wait for more members.
    pub(super) fn delay_first_assignment(&mut self, step: &Step<'_>) {
        let delay_ms = self.initial_rebalance_delay_ms(step);
        if delay_ms > 0 && self.initial_delay_until_ms.is_none() {
            let until_ms = step.now_ms.saturating_add(delay_ms);
            self.initial_delay_until_ms = Some(until_ms);
            self.timers.want(until_ms);
        }
    }

    pub(crate) fn next_deadline_ms(&self) -> Option<i64> {
        let members = self.deadlines.values();
        let of_member = |deadlines: &MemberDeadlines| {
            let rebalance_ms = deadlines.rebalance.map(|(deadline_ms, _)| deadline_ms);
            [deadlines.session_ms, rebalance_ms].into_iter().flatten().min()
        };
        members.filter_map(of_member).chain(self.initial_delay_until_ms).min()
    }

    /// Begins the sessions of members found by replay.
    pub(crate) fn loaded(&mut self, step: &mut Step<'_>) {
        let members: Vec<_> = self.members.values().cloned().collect();
        for member in members {
            self.restart_session(step, &member.member_id);
            if member.state == MemberState::UnrevokedPartitions {
                self.expect_revocation(
                    step,
                    &member.member_id,
                    member.member_epoch,
                    member.rebalance_timeout_ms,
                );
            }
        }
    }

    /// Puts out whoever is late, and computes the first assignment when its time has come.
    pub(crate) fn fire_due(&mut self, step: &mut Step<'_>) {
        let now_ms = step.now_ms;
        let mut late = Vec::new();
        for (member_id, deadlines) in &mut self.deadlines {
            let epoch = self.members.get(member_id).map(|member| member.member_epoch);
            let rebalance = deadlines.rebalance.filter(|(deadline_ms, _)| *deadline_ms <= now_ms);
            if rebalance.is_some() {
                deadlines.rebalance = None;
            }
            let is_silent = deadlines.session_ms.is_some_and(|deadline_ms| deadline_ms <= now_ms);
            if is_silent || rebalance.is_some_and(|(_, expected)| Some(expected) == epoch) {
                late.push(member_id.clone());
            }
        }
        for member_id in late {
            self.deadlines.remove(&member_id);
            if self.members.contains_key(&member_id) {
                self.fence(step, &member_id);
            }
        }
        if self.initial_delay_until_ms.is_some_and(|until_ms| until_ms <= now_ms) {
            self.initial_delay_until_ms = None;
            let is_due = !self.members.is_empty() && self.group_epoch > self.assignment_epoch;
            if is_due && self.configured.is_some() {
                self.update_target(step);
            }
        }
    }
}
