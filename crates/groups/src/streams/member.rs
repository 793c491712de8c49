//! A member of a streams group: one thread of an application, and the tasks it runs.

use std::collections::{BTreeMap, BTreeSet};

use protocol::messages::streams_group_heartbeat_request::TaskIds;

use crate::consumer::MemberState;

/// Tasks by subtopology.
pub(crate) type Tasks = BTreeMap<String, BTreeSet<i32>>;
/// Active tasks by subtopology, each with the epoch in which its member got it.
pub(crate) type ActiveTasks = BTreeMap<String, BTreeMap<i32, i32>>;

/// What a member should run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct TargetTasks {
    pub(crate) active: Tasks,
    pub(crate) standby: Tasks,
    pub(crate) warmup: Tasks,
}

/// What a member runs, or has yet to give up.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct MemberTasks {
    pub(crate) active: ActiveTasks,
    pub(crate) standby: Tasks,
    pub(crate) warmup: Tasks,
}

impl MemberTasks {
    pub(crate) fn is_empty(&self) -> bool {
        self.active.is_empty() && self.standby.is_empty() && self.warmup.is_empty()
    }
}

/// What a member says it runs. Only whoever says it all is understood.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReportedTasks<'a> {
    pub(crate) active: &'a [TaskIds],
    pub(crate) standby: &'a [TaskIds],
    pub(crate) warmup: &'a [TaskIds],
}

impl ReportedTasks<'_> {
    pub(crate) fn is_empty(&self) -> bool {
        self.active.is_empty() && self.standby.is_empty() && self.warmup.is_empty()
    }

    /// Whether one of these tasks is among them.
    pub(crate) fn contains_any(&self, tasks: &MemberTasks) -> bool {
        let active =
            |task: &str, index: i32| tasks.active.get(task).is_some_and(|set| set.contains_key(&index));
        has_any(self.active, active)
            || has_any(self.standby, |task, index| has(&tasks.standby, task, index))
            || has_any(self.warmup, |task, index| has(&tasks.warmup, task, index))
    }

    /// Whether it lacks one of these tasks.
    pub(crate) fn lacks_any_of(&self, tasks: &MemberTasks) -> bool {
        let lacks = |reported: &[TaskIds], task: &str, index: i32| {
            !has_any(reported, |id, partition| id == task && partition == index)
        };
        let lacks_copy = |reported: &[TaskIds], copies: &Tasks| {
            copies.iter().any(|(task, set)| set.iter().any(|index| lacks(reported, task, *index)))
        };
        tasks.active.iter().any(|(task, set)| set.keys().any(|index| lacks(self.active, task, *index)))
            || lacks_copy(self.standby, &tasks.standby)
            || lacks_copy(self.warmup, &tasks.warmup)
    }

    /// Whether all of them are among these.
    pub(crate) fn are_within(&self, tasks: &MemberTasks) -> bool {
        let active =
            |task: &str, index: i32| !tasks.active.get(task).is_some_and(|set| set.contains_key(&index));
        !has_any(self.active, active)
            && !has_any(self.standby, |task, index| !has(&tasks.standby, task, index))
            && !has_any(self.warmup, |task, index| !has(&tasks.warmup, task, index))
    }
}

fn has_any(reported: &[TaskIds], is_meant: impl Fn(&str, i32) -> bool) -> bool {
    reported.iter().any(|task| task.partitions.iter().any(|index| is_meant(&task.subtopology_id, *index)))
}

pub(crate) fn has(tasks: &Tasks, subtopology_id: &str, partition: i32) -> bool {
    tasks.get(subtopology_id).is_some_and(|partitions| partitions.contains(&partition))
}

/// One member.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StreamsMember {
    pub(crate) member_id: String,
    pub(crate) member_epoch: i32,
    pub(crate) previous_member_epoch: i32,
    pub(crate) state: MemberState,
    pub(crate) instance_id: Option<String>,
    pub(crate) rack_id: Option<String>,
    pub(crate) client_id: String,
    pub(crate) client_host: String,
    pub(crate) rebalance_timeout_ms: i32,
    pub(crate) topology_epoch: i32,
    /// Members of one process share its disk.
    pub(crate) process_id: String,
    /// Host and port of interactive queries.
    pub(crate) user_endpoint: Option<(String, u16)>,
    pub(crate) client_tags: BTreeMap<String, String>,
    pub(crate) assigned: MemberTasks,
    pub(crate) pending_revocation: MemberTasks,
}

impl StreamsMember {
    pub(crate) fn new(member_id: impl Into<String>) -> Self {
        Self {
            member_id: member_id.into(),
            member_epoch: 0,
            previous_member_epoch: 0,
            state: MemberState::Stable,
            instance_id: None,
            rack_id: None,
            client_id: String::new(),
            client_host: String::new(),
            rebalance_timeout_ms: -1,
            topology_epoch: -1,
            process_id: String::new(),
            user_endpoint: None,
            client_tags: BTreeMap::new(),
            assigned: MemberTasks::default(),
            pending_revocation: MemberTasks::default(),
        }
    }

    pub(crate) fn is_reconciled_to(&self, target_epoch: i32) -> bool {
        self.state == MemberState::Stable && self.member_epoch == target_epoch
    }

    /// In which epoch it got an active task that it still has, or has yet to give up.
    pub(crate) fn assignment_epoch(&self, subtopology_id: &str, partition: i32) -> Option<i32> {
        let epoch_in = |tasks: &MemberTasks| tasks.active.get(subtopology_id)?.get(&partition).copied();
        epoch_in(&self.assigned).or_else(|| epoch_in(&self.pending_revocation))
    }
}
