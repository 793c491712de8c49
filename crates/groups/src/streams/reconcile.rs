//! A streams member's way from the tasks it runs to those it should run.
//!
//! An active task runs once in the whole group; of a task's copies (active, standby, warm-up) a process holds one at most,
//! for they share its disk. A copy that becomes another kind of copy of the same task on the same member does so at once.

use std::collections::{BTreeMap, BTreeSet};

use protocol::ErrorCode;

use super::StreamsGroup;
use super::member::{ActiveTasks, MemberTasks, ReportedTasks, StreamsMember, TargetTasks, Tasks, has};
use crate::consumer::MemberState;
use crate::refusal::Refusal;

/// What a member's next step depends on.
pub(super) struct Reconciliation<'a> {
    pub(super) group: &'a StreamsGroup,
    pub(super) target_epoch: i32,
    pub(super) target: &'a TargetTasks,
    /// What the member says it runs; none where it does not say.
    pub(super) reported: Option<ReportedTasks<'a>>,
}

/// One kind of task: kept, to be given up, to be given, and whether something has to wait for others.
#[derive(Default)]
struct Difference<T> {
    kept: T,
    revoked: T,
    added: T,
    has_unreleased: bool,
}

impl Reconciliation<'_> {
    /// The member after this heartbeat.
    pub(super) fn advance(&self, member: &StreamsMember) -> Result<StreamsMember, Refusal> {
        Ok(match member.state {
            MemberState::Stable if member.member_epoch == self.target_epoch => member.clone(),
            MemberState::UnrevokedPartitions if self.has_not_released(&member.pending_revocation) => {
                member.clone()
            }
            MemberState::UnrevokedPartitions => {
                self.next_assignment(member, member.member_epoch.saturating_add(1))
            }
            MemberState::Stable | MemberState::UnreleasedPartitions => {
                self.next_assignment(member, member.member_epoch)
            }
            MemberState::Unknown if self.reported.is_some_and(|reported| reported.is_empty()) => {
                self.next_assignment(member, self.target_epoch)
            }
            MemberState::Unknown => {
                let message = "The streams group member is in a unknown state. The member must abandon all its tasks and rejoin.";
                return Err(Refusal::new(ErrorCode::FencedMemberEpoch, message));
            }
        })
    }

    fn has_not_released(&self, tasks: &MemberTasks) -> bool {
        self.reported.is_none_or(|reported| reported.contains_any(tasks))
    }

    fn next_assignment(&self, member: &StreamsMember, member_epoch: i32) -> StreamsMember {
        let has = &member.assigned;
        let active = self.active_difference(member);
        let mut standby = difference(&has.standby, &self.target.standby, |task, index| {
            self.is_standby_unreleased(member, task, index)
        });
        let mut warmup = difference(&has.warmup, &self.target.warmup, |task, index| {
            self.is_warmup_unreleased(member, task, index)
        });
        let own_active =
            has.active.iter().flat_map(|(task, set)| set.keys().map(move |index| (task, *index)));
        for (task, index) in own_active {
            grant_now(&mut standby, task, index);
        }
        convert(&has.standby, &mut standby.revoked, &mut warmup);
        convert(&has.warmup, &mut warmup.revoked, &mut standby);
        self.keep_promoted(&has.standby, &mut standby.revoked);
        self.keep_promoted(&has.warmup, &mut warmup.revoked);
        let revoked =
            MemberTasks { active: active.revoked, standby: standby.revoked, warmup: warmup.revoked };
        let must_revoke = !revoked.is_empty() && self.has_not_released(&revoked);
        self.hold_promoted(&has.standby, &mut standby.kept, &active.added, must_revoke);
        self.hold_promoted(&has.warmup, &mut warmup.kept, &active.added, must_revoke);
        let has_unreleased = active.has_unreleased || standby.has_unreleased || warmup.has_unreleased;
        let mut next = member.clone();
        next.previous_member_epoch = member.member_epoch;
        next.assigned = MemberTasks { active: active.kept, standby: standby.kept, warmup: warmup.kept };
        if must_revoke {
            next.state = MemberState::UnrevokedPartitions;
            next.member_epoch = member_epoch;
            next.pending_revocation = revoked;
            return next;
        }
        for (task, partitions) in active.added {
            next.assigned.active.entry(task).or_default().extend(partitions);
        }
        merge(&mut next.assigned.standby, standby.added);
        merge(&mut next.assigned.warmup, warmup.added);
        next.state = if has_unreleased { MemberState::UnreleasedPartitions } else { MemberState::Stable };
        next.member_epoch = self.target_epoch;
        next.pending_revocation = MemberTasks::default();
        next
    }

    fn active_difference(&self, member: &StreamsMember) -> Difference<ActiveTasks> {
        let mut result: Difference<ActiveTasks> = Difference::default();
        let current = &member.assigned.active;
        let ids: BTreeSet<&String> = current.keys().chain(self.target.active.keys()).collect();
        for task in ids {
            let target = self.target.active.get(task);
            let current = current.get(task);
            for (index, epoch) in current.into_iter().flatten() {
                let is_kept = target.is_some_and(|target| target.contains(index));
                let part = if is_kept { &mut result.kept } else { &mut result.revoked };
                part.entry(task.clone()).or_default().insert(*index, *epoch);
            }
            for index in target.into_iter().flatten() {
                if current.is_some_and(|current| current.contains_key(index)) {
                    continue;
                }
                if self.is_active_unreleased(member, task, *index) {
                    result.has_unreleased = true;
                } else {
                    result.added.entry(task.clone()).or_default().insert(*index, self.target_epoch);
                }
            }
        }
        result
    }

    fn is_active_unreleased(&self, member: &StreamsMember, task: &str, index: i32) -> bool {
        self.group.active_process(task, index).is_some()
            || self.is_held_beside(member, &member.assigned.standby, task, index, Kind::Standby)
            || self.is_held_beside(member, &member.assigned.warmup, task, index, Kind::Warmup)
    }

    fn is_standby_unreleased(&self, member: &StreamsMember, task: &str, index: i32) -> bool {
        let own = member.assigned.active.get(task);
        let is_own_active = own.is_some_and(|own| own.contains_key(&index));
        let runs_here = self.group.active_process(task, index) == Some(member.process_id.as_str());
        runs_here && !is_own_active
            || self.group.is_held_by_process(Kind::Standby, task, index, &member.process_id)
            || self.is_held_beside(member, &member.assigned.warmup, task, index, Kind::Warmup)
    }

    fn is_warmup_unreleased(&self, member: &StreamsMember, task: &str, index: i32) -> bool {
        self.group.active_process(task, index) == Some(member.process_id.as_str())
            || self.is_held_beside(member, &member.assigned.standby, task, index, Kind::Standby)
            || self.group.is_held_by_process(Kind::Warmup, task, index, &member.process_id)
    }

    /// Whether another member of the same process holds such a copy.
    fn is_held_beside(
        &self,
        member: &StreamsMember,
        own: &Tasks,
        task: &str,
        index: i32,
        kind: Kind,
    ) -> bool {
        !has(own, task, index) && self.group.is_held_by_process(kind, task, index, &member.process_id)
    }

    /// A copy that is to become the active task is not given up.
    fn keep_promoted(&self, own: &Tasks, revoked: &mut Tasks) {
        for (task, index) in each(own) {
            if has(&self.target.active, task, index) {
                remove(revoked, task, index);
            }
        }
    }

    /// It stays a copy until it is made active.
    fn hold_promoted(&self, own: &Tasks, kept: &mut Tasks, added: &ActiveTasks, must_revoke: bool) {
        for (task, index) in each(own) {
            let is_granted = added.get(task).is_some_and(|granted| granted.contains_key(&index));
            if has(&self.target.active, task, index) && (must_revoke || !is_granted) {
                kept.entry(task.clone()).or_default().insert(index);
            }
        }
    }
}

/// A kind of copy that is not active.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Standby,
    Warmup,
}

impl StreamsGroup {
    fn holdings(&self) -> impl Iterator<Item = (&StreamsMember, &MemberTasks)> {
        let members = self.members.values();
        members.flat_map(|member| [(member, &member.assigned), (member, &member.pending_revocation)])
    }

    /// The process that runs a task.
    fn active_process(&self, task: &str, index: i32) -> Option<&str> {
        let runs = |tasks: &MemberTasks| tasks.active.get(task).is_some_and(|set| set.contains_key(&index));
        self.holdings().find(|(_, tasks)| runs(tasks)).map(|(member, _)| member.process_id.as_str())
    }

    fn is_held_by_process(&self, kind: Kind, task: &str, index: i32, process_id: &str) -> bool {
        self.holdings().filter(|(member, _)| member.process_id == process_id).any(|(_, tasks)| match kind {
            Kind::Standby => has(&tasks.standby, task, index),
            Kind::Warmup => has(&tasks.warmup, task, index),
        })
    }
}

fn difference(
    current: &Tasks,
    target: &Tasks,
    is_unreleased: impl Fn(&str, i32) -> bool,
) -> Difference<Tasks> {
    let mut result: Difference<Tasks> = Difference::default();
    for (task, index) in each(current) {
        let part = if has(target, task, index) { &mut result.kept } else { &mut result.revoked };
        part.entry(task.clone()).or_default().insert(index);
    }
    for (task, index) in each(target).filter(|(task, index)| !has(current, task, *index)) {
        if is_unreleased(task, index) {
            result.has_unreleased = true;
        } else {
            result.added.entry(task.clone()).or_default().insert(index);
        }
    }
    result
}

/// Turns a member's own copies of one kind into the other kind without giving them up first.
fn convert(outgoing: &Tasks, revoked: &mut Tasks, incoming: &mut Difference<Tasks>) {
    for (task, index) in each(outgoing) {
        if grant_now(incoming, task, index) {
            remove(revoked, task, index);
        }
    }
}

fn grant_now(difference: &mut Difference<Tasks>, task: &str, index: i32) -> bool {
    let is_due = has(&difference.added, task, index);
    if is_due {
        remove(&mut difference.added, task, index);
        difference.kept.entry(task.to_owned()).or_default().insert(index);
    }
    is_due
}

fn each(tasks: &Tasks) -> impl Iterator<Item = (&String, i32)> {
    tasks.iter().flat_map(|(task, partitions)| partitions.iter().map(move |index| (task, *index)))
}

fn remove(tasks: &mut Tasks, task: &str, index: i32) {
    if let Some(partitions) = tasks.get_mut(task) {
        partitions.remove(&index);
        if partitions.is_empty() {
            tasks.remove(task);
        }
    }
}

fn merge(tasks: &mut Tasks, more: Tasks) {
    let more: BTreeMap<String, BTreeSet<i32>> = more;
    for (task, partitions) in more {
        tasks.entry(task).or_default().extend(partitions);
    }
}
