//! One run: faults for a while, then peace, in which the group has to come to rest.

use std::collections::{BTreeMap, BTreeSet};

use groups::RequestId;

use crate::coordinator::Coordinator;
use crate::member::{Member, SUBTOPOLOGIES, Task};
use crate::random::Random;

const STEP_MS: i64 = 50;
const FAULTS_UNTIL_MS: i64 = 120_000;
/// Sessions end, and epochs are caught up with.
const PEACE_UNTIL_MS: i64 = FAULTS_UNTIL_MS + 180_000;
const ANSWER_MS_MAX: i64 = 30_000;

/// What the runs have seen.
#[derive(Debug, Default)]
pub struct Tally {
    pub claims: u64,
    pub failures: u64,
    pub fenced: u64,
    pub standbys: u64,
}

pub struct World<'a> {
    random: Random,
    now_ms: i64,
    coordinator: Coordinator,
    members: Vec<Member>,
    /// Who waits for an answer, since when.
    waiting: BTreeMap<RequestId, (String, i64)>,
    /// Who has owned an active task in an epoch.
    owners: BTreeMap<(Task, i32), String>,
    tally: &'a mut Tally,
}

impl World<'_> {
    pub fn run(seed: u64, tally: &mut Tally, forgets: bool) {
        let mut world = World {
            random: Random::new(seed),
            now_ms: 0,
            coordinator: Coordinator::new(),
            members: Vec::new(),
            waiting: BTreeMap::new(),
            owners: BTreeMap::new(),
            tally,
        };
        world.coordinator.forgets = forgets;
        while world.now_ms < PEACE_UNTIL_MS {
            world.step();
        }
        world.assert_rest();
    }

    fn chance(&mut self, in_ten_thousand: u64) -> bool {
        self.now_ms < FAULTS_UNTIL_MS && self.random.below(10_000) < in_ten_thousand
    }

    fn step(&mut self) {
        self.now_ms += STEP_MS;
        self.coordinator.tick(self.now_ms);
        self.maybe_disturb();
        for index in 0..self.members.len() {
            if !self.members[index].waits && self.members[index].next_ms <= self.now_ms {
                self.send(index);
            }
        }
        for (id, reply) in self.coordinator.commit() {
            let Some((member_id, _)) = self.waiting.remove(&id) else { continue };
            let Some(index) = self.members.iter().position(|member| member.member_id == member_id) else {
                continue;
            };
            if self.chance(200) {
                self.members[index].lost(self.now_ms);
                continue;
            }
            let outcome = self.members[index].answered(self.now_ms, reply);
            self.tally.fenced += u64::from(outcome.fenced);
            if outcome.claimed {
                self.claim(index);
            }
        }
        let now_ms = self.now_ms;
        let late = |(_, (_, since_ms)): &(&RequestId, &(String, i64))| now_ms - *since_ms > ANSWER_MS_MAX;
        let late: Vec<RequestId> = self.waiting.iter().filter(late).map(|(id, _)| *id).collect();
        for id in late {
            let Some((member_id, _)) = self.waiting.remove(&id) else { continue };
            self.lost(&member_id);
        }
    }

    fn lost(&mut self, member_id: &str) {
        let now_ms = self.now_ms;
        if let Some(member) = self.members.iter_mut().find(|member| member.member_id == member_id) {
            member.lost(now_ms);
        }
    }

    fn maybe_disturb(&mut self) {
        if self.members.len() < 6 && (self.members.is_empty() || self.chance(60)) {
            let name = format!("m{:x}", self.random.below(1 << 40));
            self.members.push(Member::new(name));
        }
        if self.chance(15) && !self.members.is_empty() {
            // Killed: nobody is told.
            let gone = self.random.below(self.members.len() as u64) as usize;
            self.members.remove(gone);
        }
        if self.chance(20) {
            self.tally.failures += 1;
            self.coordinator.fail(self.now_ms);
            for (member_id, _) in std::mem::take(&mut self.waiting).into_values() {
                self.lost(&member_id);
            }
        }
        if self.chance(100) && !self.members.is_empty() {
            // Paused for a while, perhaps beyond its session.
            let paused = self.random.below(self.members.len() as u64) as usize;
            self.members[paused].next_ms = self.now_ms + self.random.below(90_000) as i64;
        }
    }

    fn send(&mut self, index: usize) {
        let request = self.members[index].request();
        if self.chance(200) {
            self.members[index].lost(self.now_ms);
            return;
        }
        if self.chance(100) {
            // Said twice: the first answer is lost.
            self.coordinator.send(self.now_ms, request.clone());
        }
        let id = self.coordinator.send(self.now_ms, request);
        self.members[index].waits = true;
        self.waiting.insert(id, (self.members[index].member_id.clone(), self.now_ms));
    }

    /// A member runs what it was told to: nobody else of the group runs the same.
    fn claim(&mut self, index: usize) {
        let known = self.coordinator.member_ids(self.now_ms);
        let claimant = &self.members[index];
        self.tally.claims += 1;
        self.tally.standbys += claimant.standby.len() as u64;
        assert!(claimant.active.is_disjoint(&claimant.standby), "active and standby: {claimant:?}");
        for task in &claimant.active {
            let owner = self
                .owners
                .entry((task.clone(), claimant.epoch))
                .or_insert_with(|| claimant.member_id.clone());
            assert_eq!(
                *owner, claimant.member_id,
                "{task:?} has two owners in epoch {} at {}",
                claimant.epoch, self.now_ms
            );
        }
        let others = self.members.iter().filter(|other| other.member_id != claimant.member_id);
        for other in others.filter(|other| known.contains(&other.member_id)) {
            let shared: Vec<_> = other.active.intersection(&claimant.active).collect();
            assert!(shared.is_empty(), "{shared:?} belong to two members: {claimant:?} and {other:?}");
        }
        if known.len() == 1 {
            // It may be a new group, whose epochs begin anew.
            self.owners.clear();
        }
    }

    /// Every task has one owner, and one with state a standby if there is somebody for it.
    fn assert_rest(&self) {
        let (mut active, mut standby) = (BTreeSet::new(), BTreeSet::new());
        for member in &self.members {
            for task in &member.active {
                assert!(active.insert(task.clone()), "{task:?} has two owners at rest");
            }
            for task in &member.standby {
                assert!(standby.insert(task.clone()), "{task:?} has two standbys at rest");
            }
        }
        let tasks = |(id, count): &(&str, i32)| {
            let id = (*id).to_owned();
            (0..*count).map(move |partition| (id.clone(), partition)).collect::<Vec<Task>>()
        };
        let wanted: BTreeSet<Task> = SUBTOPOLOGIES.iter().flat_map(tasks).collect();
        assert_eq!(active, wanted, "{:#?}", self.members);
        let stateful: BTreeSet<Task> = if self.members.len() > 1 {
            tasks(&SUBTOPOLOGIES[1]).into_iter().collect()
        } else {
            BTreeSet::new()
        };
        assert_eq!(standby, stateful, "{:#?}", self.members);
    }
}
