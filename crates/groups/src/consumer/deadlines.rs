//! What a consumer group's members have to do by when.

use super::ConsumerGroup;
use crate::classic::ClassicGroup;
use crate::group::Step;

/// What one member has to do by when; who fails is out of the group. Milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct MemberDeadlines {
    /// To be heard of.
    pub(super) session_ms: Option<i64>,
    /// To have given up partitions in the epoch beside it.
    pub(super) rebalance: Option<(i64, i32)>,
    /// To join again, for a member of the classic protocol that was told to.
    pub(super) join_ms: Option<i64>,
    /// To fetch its assignment, for a member of the classic protocol that has joined.
    pub(super) sync_ms: Option<i64>,
}

impl MemberDeadlines {
    fn earliest_ms(&self) -> Option<i64> {
        let rebalance_ms = self.rebalance.map(|(deadline_ms, _)| deadline_ms);
        [self.session_ms, rebalance_ms, self.join_ms, self.sync_ms].into_iter().flatten().min()
    }
}

impl ConsumerGroup {
    pub(super) fn restart_session(&mut self, step: &Step<'_>, member_id: &str, timeout_ms: i64) {
        let deadline_ms = step.now_ms.saturating_add(timeout_ms);
        self.deadlines_of(member_id).session_ms = Some(deadline_ms);
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
        self.deadlines_of(member_id).rebalance = Some((deadline_ms, epoch));
        self.timers.want(deadline_ms);
    }

    pub(super) fn expect_join(&mut self, step: &Step<'_>, member_id: &str, timeout_ms: i32) {
        let deadline_ms = step.now_ms.saturating_add(i64::from(timeout_ms.max(0)));
        let deadline_ms = *self.deadlines_of(member_id).join_ms.get_or_insert(deadline_ms);
        self.timers.want(deadline_ms);
    }

    pub(super) fn expect_sync(&mut self, step: &Step<'_>, member_id: &str, timeout_ms: i32) {
        let deadline_ms = step.now_ms.saturating_add(i64::from(timeout_ms.max(0)));
        self.deadlines_of(member_id).sync_ms = Some(deadline_ms);
        self.timers.want(deadline_ms);
    }

    pub(super) fn deadlines_of(&mut self, member_id: &str) -> &mut MemberDeadlines {
        self.deadlines.entry(member_id.to_owned()).or_default()
    }

    pub(crate) fn next_deadline_ms(&self) -> Option<i64> {
        self.deadlines.values().filter_map(MemberDeadlines::earliest_ms).min()
    }

    /// Begins the sessions of members found by replay.
    pub(crate) fn loaded(&mut self, step: &mut Step<'_>) {
        let members: Vec<_> = self.members.keys().cloned().collect();
        let timeout_ms = self.session_timeout_ms(step);
        for member_id in members {
            self.restart_session(step, &member_id, timeout_ms);
            let Some(member) = self.members.get(&member_id) else { continue };
            if member.state == super::MemberState::UnrevokedPartitions {
                let (epoch, timeout_ms) = (member.member_epoch, member.rebalance_timeout_ms);
                self.expect_revocation(step, &member_id, epoch, timeout_ms);
            }
        }
    }

    /// Puts out whoever is late. Gives the classic group that this group becomes, if it does.
    pub(crate) fn fire_due(&mut self, step: &mut Step<'_>) -> Option<ClassicGroup> {
        let now_ms = step.now_ms;
        let is_over = |deadline_ms: Option<i64>| deadline_ms.is_some_and(|deadline_ms| deadline_ms <= now_ms);
        let mut late = Vec::new();
        for (member_id, deadlines) in &mut self.deadlines {
            let epoch = self.members.get(member_id).map(|member| member.member_epoch);
            let rebalance = deadlines.rebalance.filter(|(deadline_ms, _)| *deadline_ms <= now_ms);
            let missed_rebalance = rebalance.is_some_and(|(_, expected)| Some(expected) == epoch);
            if rebalance.is_some() {
                deadlines.rebalance = None;
            }
            if is_over(deadlines.session_ms)
                || is_over(deadlines.join_ms)
                || is_over(deadlines.sync_ms)
                || missed_rebalance
            {
                late.push(member_id.clone());
            }
        }
        for member_id in &late {
            self.deadlines.remove(member_id);
        }
        late.retain(|member_id| self.members.contains_key(member_id));
        if late.is_empty() { None } else { self.fence(step, &late) }
    }
}
