//! `sticky`: tasks stay where their state is, and are spread evenly over processes and their members.

use std::collections::{BTreeMap, BTreeSet};

use super::member::{TargetTasks, Tasks};
use super::topology::Subtopology;

/// A member as the assignor sees it.
#[derive(Debug, Clone, Default)]
pub(super) struct MemberSpec {
    pub(super) process_id: String,
    /// What it runs now.
    pub(super) active: Tasks,
    pub(super) standby: Tasks,
    /// How far its copies of state have come.
    pub(super) offsets: BTreeMap<(String, i32), i64>,
}

type TaskId = (String, i32);

/// One process: members that share a disk.
#[derive(Debug, Default)]
struct Process {
    members: BTreeMap<String, usize>,
    tasks: BTreeSet<TaskId>,
    task_count: usize,
}

impl Process {
    /// Tasks for each member, as a fraction that compares without rounding.
    fn is_less_loaded_than(&self, other: &Self) -> bool {
        self.task_count * other.members.len() < other.task_count * self.members.len()
    }

    fn least_loaded_member(&self) -> Option<String> {
        self.members.iter().min_by_key(|(_, count)| **count).map(|(member_id, _)| member_id.clone())
    }
}

/// Tasks left to give, and to how many members: the quota that nobody should exceed.
#[derive(Debug, Clone, Copy)]
struct Quota {
    tasks: usize,
    members: usize,
}

impl Quota {
    fn per_member(self) -> usize {
        if self.members == 0 { 0 } else { self.tasks.div_ceil(self.members) }
    }

    /// A member that has reached the quota takes no part any more; the rest share the rest.
    fn note(&mut self, count: usize) {
        if count == self.per_member() {
            self.members = self.members.saturating_sub(1);
            self.tasks = self.tasks.saturating_sub(count);
        }
    }
}

struct Assigning<'a> {
    members: &'a BTreeMap<String, MemberSpec>,
    processes: BTreeMap<String, Process>,
    active_quota: Quota,
    total_quota: Quota,
    previous_active: BTreeMap<TaskId, String>,
    /// Members with a copy of a task's state: standbys first, then those whose state is furthest.
    previous_copies: BTreeMap<TaskId, Vec<String>>,
    targets: BTreeMap<String, TargetTasks>,
}

/// Gives every task to a member, and each stateful one to `standby_count` more, as far as there are processes for it.
pub(super) fn assign(
    members: &BTreeMap<String, MemberSpec>,
    subtopologies: &BTreeMap<String, Subtopology>,
    standby_count: usize,
) -> BTreeMap<String, TargetTasks> {
    let mut active: Vec<TaskId> = tasks_of(subtopologies, |_| true);
    let stateful = tasks_of(subtopologies, |subtopology| subtopology.is_stateful);
    let mut assigning = Assigning::new(members, active.len(), active.len() + stateful.len() * standby_count);
    active.sort_by(|one, other| (one.1, &one.0).cmp(&(other.1, &other.0)));
    assigning.assign_active(active);
    if standby_count > 0 {
        assigning.assign_standby(stateful, standby_count);
    }
    assigning.targets
}

fn tasks_of(
    subtopologies: &BTreeMap<String, Subtopology>,
    is_meant: impl Fn(&Subtopology) -> bool,
) -> Vec<TaskId> {
    let meant = subtopologies.iter().filter(|(_, subtopology)| is_meant(subtopology));
    meant.flat_map(|(id, subtopology)| (0..subtopology.task_count).map(|index| (id.clone(), index))).collect()
}

impl<'a> Assigning<'a> {
    fn new(members: &'a BTreeMap<String, MemberSpec>, active_count: usize, total_count: usize) -> Self {
        let mut processes: BTreeMap<String, Process> = BTreeMap::new();
        let mut previous_active = BTreeMap::new();
        let mut copies: BTreeMap<TaskId, Vec<(bool, i64, String)>> = BTreeMap::new();
        for (member_id, member) in members {
            let process = processes.entry(member.process_id.clone()).or_default();
            process.members.insert(member_id.clone(), 0);
            previous_active.extend(each(&member.active).map(|task| (task, member_id.clone())));
            for task in each(&member.standby) {
                let offset = member.offsets.get(&task).copied().unwrap_or(0);
                copies.entry(task).or_default().push((false, -offset, member_id.clone()));
            }
            for (task, offset) in &member.offsets {
                let is_standby = super::member::has(&member.standby, &task.0, task.1);
                if !is_standby {
                    copies.entry(task.clone()).or_default().push((true, -offset, member_id.clone()));
                }
            }
        }
        let previous_copies = copies.into_iter().map(|(task, mut holders)| {
            holders.sort();
            (task, holders.into_iter().map(|(_, _, member_id)| member_id).collect())
        });
        Self {
            members,
            processes,
            active_quota: Quota { tasks: active_count, members: members.len() },
            total_quota: Quota { tasks: total_count, members: members.len() },
            previous_active,
            previous_copies: previous_copies.collect(),
            targets: members.keys().map(|member_id| (member_id.clone(), TargetTasks::default())).collect(),
        }
    }

    fn process_of(&self, member_id: &str) -> Option<&Process> {
        self.processes.get(&self.members.get(member_id)?.process_id)
    }

    fn count_of(&self, member_id: &str) -> usize {
        self.process_of(member_id).and_then(|process| process.members.get(member_id)).copied().unwrap_or(0)
    }

    fn give(&mut self, member_id: &str, task: &TaskId, is_active: bool) {
        let process =
            self.members.get(member_id).and_then(|member| self.processes.get_mut(&member.process_id));
        let Some(process) = process else { return };
        process.tasks.insert(task.clone());
        process.task_count += 1;
        let count = process.members.entry(member_id.to_owned()).or_default();
        *count += 1;
        let count = *count;
        if is_active {
            self.active_quota.note(count);
        }
        self.total_quota.note(count);
        if let Some(target) = self.targets.get_mut(member_id) {
            let tasks = if is_active { &mut target.active } else { &mut target.standby };
            tasks.entry(task.0.clone()).or_default().insert(task.1);
        }
    }

    fn assign_active(&mut self, tasks: Vec<TaskId>) {
        let mut rest = Vec::new();
        for task in tasks {
            match self.previous_active.get(&task).cloned() {
                Some(member_id) if self.count_of(&member_id) < self.active_quota.per_member() => {
                    self.give(&member_id, &task, true);
                }
                _ => rest.push(task),
            }
        }
        let mut homeless = Vec::new();
        for task in rest {
            match self.least_loaded_holder(&task, false) {
                Some(member_id) if self.count_of(&member_id) < self.active_quota.per_member() => {
                    self.give(&member_id, &task, true);
                }
                _ => homeless.push(task),
            }
        }
        homeless.sort();
        for task in homeless {
            let process = self.least_loaded_process(|_| true);
            if let Some(member_id) = process.and_then(Process::least_loaded_member) {
                self.give(&member_id, &task, true);
            }
        }
    }

    /// Of the members with a copy of the task's state, one that has least to do; `beside` leaves out processes that
    /// have the task already.
    fn least_loaded_holder(&self, task: &TaskId, beside: bool) -> Option<String> {
        let mut chosen: Option<(&String, &Process)> = None;
        for member_id in self.previous_copies.get(task)? {
            let Some(process) = self.process_of(member_id) else { continue };
            if beside && process.tasks.contains(task) {
                continue;
            }
            let is_better = chosen.is_none_or(|(other_id, other)| {
                process.is_less_loaded_than(other) && self.count_of(member_id) < self.count_of(other_id)
            });
            if is_better {
                chosen = Some((member_id, process));
            }
        }
        chosen.map(|(member_id, _)| member_id.clone())
    }

    fn least_loaded_process(&self, may: impl Fn(&Process) -> bool) -> Option<&Process> {
        let mut chosen: Option<&Process> = None;
        for process in self.processes.values().filter(|process| may(process)) {
            if chosen.is_none_or(|other| process.is_less_loaded_than(other)) {
                chosen = Some(process);
            }
        }
        chosen
    }

    fn assign_standby(&mut self, mut tasks: Vec<TaskId>, standby_count: usize) {
        tasks.sort_by(|one, other| (other.1, &other.0).cmp(&(one.1, &one.0)));
        let mut rest: Vec<(TaskId, usize)> = Vec::new();
        for task in tasks {
            for given in 0..standby_count {
                if let Some(member_id) = self.sticky_standby(&task) {
                    self.give(&member_id, &task, false);
                } else {
                    rest.push((task, standby_count - given));
                    break;
                }
            }
        }
        rest.sort_by(|(one, _), (other, _)| other.cmp(one));
        for (task, count) in rest {
            for _ in 0..count {
                let process = self.least_loaded_process(|process| !process.tasks.contains(&task));
                let Some(member_id) = process.and_then(Process::least_loaded_member) else { break };
                self.give(&member_id, &task, false);
            }
        }
    }

    /// Who ran the task, or had a copy of its state, and has room.
    fn sticky_standby(&self, task: &TaskId) -> Option<String> {
        let has_room = |member_id: &String| self.count_of(member_id) < self.total_quota.per_member();
        let is_free = |member_id: &String| {
            self.process_of(member_id).is_some_and(|process| !process.tasks.contains(task))
        };
        let active =
            self.previous_active.get(task).filter(|member_id| is_free(member_id) && has_room(member_id));
        active.cloned().or_else(|| self.least_loaded_holder(task, true).filter(has_room))
    }
}

fn each(tasks: &Tasks) -> impl Iterator<Item = TaskId> + '_ {
    tasks.iter().flat_map(|(task, partitions)| partitions.iter().map(move |index| (task.clone(), *index)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subtopologies(stateful: bool) -> BTreeMap<String, Subtopology> {
        let one = |task_count| Subtopology {
            task_count,
            is_stateful: stateful,
            source_topics: BTreeSet::from(["t".to_owned()]),
        };
        BTreeMap::from([("0".to_owned(), one(4)), ("1".to_owned(), one(3))])
    }

    fn members(of: &[(&str, &str)]) -> BTreeMap<String, MemberSpec> {
        let spec = |process: &str| MemberSpec { process_id: process.to_owned(), ..MemberSpec::default() };
        of.iter().map(|(id, process)| ((*id).to_owned(), spec(process))).collect()
    }

    fn counts(targets: &BTreeMap<String, TargetTasks>, tasks: fn(&TargetTasks) -> &Tasks) -> Vec<usize> {
        targets.values().map(|target| each(tasks(target)).count()).collect()
    }

    #[test]
    fn tasks_are_spread_and_stay() {
        let mut members = members(&[("a", "p"), ("b", "q")]);
        let first = assign(&members, &subtopologies(true), 0);
        assert_eq!(counts(&first, |target| &target.active), [4, 3]);
        for (id, member) in &mut members {
            member.active = first[id].active.clone();
        }
        assert_eq!(assign(&members, &subtopologies(true), 0), first);
        members.insert("c".to_owned(), MemberSpec { process_id: "r".to_owned(), ..MemberSpec::default() });
        let third = assign(&members, &subtopologies(true), 0);
        assert_eq!(counts(&third, |target| &target.active), [3, 2, 2]);
        for id in ["a", "b"] {
            assert!(each(&third[id].active).all(|task| each(&first[id].active).any(|kept| kept == task)));
        }
    }

    #[test]
    fn standbys_lie_on_other_processes() {
        let members = members(&[("a", "p"), ("b", "p"), ("c", "q")]);
        let targets = assign(&members, &subtopologies(true), 1);
        assert_eq!(counts(&targets, |target| &target.standby).iter().sum::<usize>(), 7);
        for (id, target) in &targets {
            let process = &members[id].process_id;
            for task in each(&target.standby) {
                let runs_here = targets.iter().any(|(other, target)| {
                    members[other].process_id == *process && each(&target.active).any(|active| active == task)
                });
                assert!(!runs_here, "{task:?} runs and stands by in {process}");
            }
        }
        let alone = assign(&self::members(&[("a", "p")]), &subtopologies(true), 2);
        assert_eq!(counts(&alone, |target| &target.standby), [0]);
        let stateless = assign(&members, &subtopologies(false), 1);
        assert_eq!(counts(&stateless, |target| &target.standby), [0, 0, 0]);
    }

    #[test]
    fn whoever_has_the_state_takes_over() {
        let mut members = members(&[("a", "p"), ("b", "q")]);
        let standby = Tasks::from([("0".to_owned(), BTreeSet::from([0, 1]))]);
        members.get_mut("b").expect("b").standby = standby;
        let targets = assign(&members, &subtopologies(true), 0);
        assert!(has_all(&targets["b"].active, &[("0", 0), ("0", 1)]));
    }

    fn has_all(tasks: &Tasks, wanted: &[(&str, i32)]) -> bool {
        wanted.iter().all(|(task, index)| super::super::member::has(tasks, task, *index))
    }
}
