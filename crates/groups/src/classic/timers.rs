//! A classic group's deadlines: sessions, pending members, the join phase, the sync phase.

use super::{ClassicGroup, ClassicState};
use crate::group::Step;

/// What the end of the join phase's time means.
#[derive(Debug, Clone, Copy)]
pub(super) enum JoinStage {
    /// The group was empty: wait on while members keep coming, `remaining_ms` longer at most (KIP-134).
    Initial { delay_ms: i32, remaining_ms: i32 },
    /// Members were called to rejoin: go on without those who have not.
    Rejoining,
}

/// The end of the join phase.
#[derive(Debug, Clone, Copy)]
pub(super) struct JoinTimer {
    deadline_ms: i64,
    stage: JoinStage,
}

/// The end of the sync phase of one generation.
#[derive(Debug, Clone, Copy)]
pub(super) struct SyncTimer {
    deadline_ms: i64,
    generation_id: i32,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Session(String),
    PendingMember(String),
    Join,
    Sync,
}

impl ClassicGroup {
    /// Gives the member a whole session from now on.
    pub(super) fn restart_session(&mut self, now_ms: i64, member_id: &str) {
        if let Some(timeout_ms) = self.members.get(member_id).map(|member| member.session_timeout_ms) {
            self.expect_member_within(now_ms, member_id, timeout_ms);
        }
    }

    /// Gives the member up at the end of `timeout_ms`, unless it is heard of before.
    pub(super) fn expect_member_within(&mut self, now_ms: i64, member_id: &str, timeout_ms: i32) {
        if let Some(member) = self.members.get_mut(member_id) {
            let deadline_ms = now_ms.saturating_add(i64::from(timeout_ms.max(0)));
            member.session_deadline_ms = Some(deadline_ms);
            self.timers.want(deadline_ms);
        }
    }

    pub(super) fn add_pending_member(&mut self, now_ms: i64, member_id: String, session_timeout_ms: i32) {
        let deadline_ms = now_ms.saturating_add(i64::from(session_timeout_ms.max(0)));
        self.pending_join_members.insert(member_id, deadline_ms);
        self.timers.want(deadline_ms);
    }

    pub(super) fn schedule_join(&mut self, now_ms: i64, timeout_ms: i32, stage: JoinStage) {
        let deadline_ms = now_ms.saturating_add(i64::from(timeout_ms.max(0)));
        self.join_timer = Some(JoinTimer { deadline_ms, stage });
        self.timers.want(deadline_ms);
    }

    pub(super) fn schedule_sync(&mut self, now_ms: i64) {
        let deadline_ms = now_ms.saturating_add(i64::from(self.rebalance_timeout_ms()));
        self.sync_timer = Some(SyncTimer { deadline_ms, generation_id: self.generation_id });
        self.timers.want(deadline_ms);
    }

    /// The earliest deadline of the group.
    pub(crate) fn next_deadline_ms(&self) -> Option<i64> {
        let sessions = self.members.values().filter_map(|member| member.session_deadline_ms);
        let pending = self.pending_join_members.values().copied();
        let join = self.join_timer.map(|timer| timer.deadline_ms);
        let sync = self.sync_timer.map(|timer| timer.deadline_ms);
        sessions.chain(pending).chain(join).chain(sync).min()
    }

    /// Lets everything due now happen, the longest overdue first. What it schedules for now waits for the next call, so
    /// that a timeout of nothing cannot keep the shard busy for ever.
    pub(crate) fn fire_due(&mut self, step: &mut Step<'_>) {
        for (_, due) in self.due(step.now_ms) {
            match due {
                Due::Session(member_id) => self.maybe_expire_session(step, &member_id),
                Due::PendingMember(member_id) => self.maybe_expire_pending_member(step, &member_id),
                Due::Join => self.maybe_end_join_phase(step),
                Due::Sync => self.maybe_end_sync_phase(step),
            }
        }
    }

    fn due(&self, now_ms: i64) -> Vec<(i64, Due)> {
        let sessions = self.members.values().filter_map(|member| {
            member
                .session_deadline_ms
                .map(|deadline_ms| (deadline_ms, Due::Session(member.member_id.clone())))
        });
        let pending = self.pending_join_members.iter();
        let pending =
            pending.map(|(member_id, deadline_ms)| (*deadline_ms, Due::PendingMember(member_id.clone())));
        let join = self.join_timer.map(|timer| (timer.deadline_ms, Due::Join));
        let sync = self.sync_timer.map(|timer| (timer.deadline_ms, Due::Sync));
        let all = sessions.chain(pending).chain(join).chain(sync);
        let mut due: Vec<(i64, Due)> = all.filter(|(deadline_ms, _)| *deadline_ms <= now_ms).collect();
        due.sort();
        due
    }

    fn maybe_expire_session(&mut self, step: &mut Step<'_>, member_id: &str) {
        let Some(member) = self.members.get_mut(member_id) else { return };
        if member.session_deadline_ms.is_none_or(|deadline_ms| deadline_ms > step.now_ms) {
            return;
        }
        member.session_deadline_ms = None;
        if member.has_satisfied_heartbeat() {
            return;
        }
        self.remove_member(step, member_id);
        match self.state {
            ClassicState::Stable | ClassicState::CompletingRebalance => self.prepare_rebalance(step),
            ClassicState::PreparingRebalance if self.has_all_members_joined() => {
                self.complete_join_phase(step)
            }
            _ => {}
        }
    }

    fn maybe_expire_pending_member(&mut self, step: &mut Step<'_>, member_id: &str) {
        let is_due =
            self.pending_join_members.get(member_id).is_some_and(|deadline_ms| *deadline_ms <= step.now_ms);
        if !is_due {
            return;
        }
        self.remove_member(step, member_id);
        if self.state == ClassicState::PreparingRebalance && self.has_all_members_joined() {
            self.complete_join_phase(step);
        }
    }

    fn maybe_end_join_phase(&mut self, step: &mut Step<'_>) {
        let Some(timer) = self.join_timer.filter(|timer| timer.deadline_ms <= step.now_ms) else { return };
        self.join_timer = None;
        if self.state != ClassicState::PreparingRebalance {
            return;
        }
        match timer.stage {
            JoinStage::Initial { delay_ms, remaining_ms } if self.new_member_added && remaining_ms != 0 => {
                self.new_member_added = false;
                let next_delay_ms = step.config.group_initial_rebalance_delay_ms.min(remaining_ms);
                let stage = JoinStage::Initial {
                    delay_ms: next_delay_ms,
                    remaining_ms: remaining_ms.saturating_sub(delay_ms).max(0),
                };
                self.schedule_join(step.now_ms, next_delay_ms, stage);
            }
            _ => self.complete_join_phase(step),
        }
    }

    fn maybe_end_sync_phase(&mut self, step: &mut Step<'_>) {
        let Some(timer) = self.sync_timer.filter(|timer| timer.deadline_ms <= step.now_ms) else { return };
        self.sync_timer = None;
        let expects_syncs = matches!(self.state, ClassicState::CompletingRebalance | ClassicState::Stable);
        if timer.generation_id != self.generation_id || !expects_syncs || self.pending_sync_members.is_empty()
        {
            return;
        }
        for member_id in std::mem::take(&mut self.pending_sync_members) {
            self.remove_member(step, &member_id);
        }
        self.prepare_rebalance(step);
    }
}
