//! One run: faults for a while, then peace, in which the group has to come to rest.

use std::collections::{BTreeMap, BTreeSet};

use groups::RequestId;

use crate::coordinator::Coordinator;
use crate::member::{Member, Partition, TOPICS};
use crate::random::Random;

const STEP_MS: i64 = 50;
const FAULTS_UNTIL_MS: i64 = 120_000;
/// Sessions end, epochs are caught up with, and an assignment a second is computed.
const PEACE_UNTIL_MS: i64 = FAULTS_UNTIL_MS + 180_000;

/// What the runs have seen.
#[derive(Debug, Default)]
pub struct Tally {
    pub claims: u64,
    pub classic_claims: u64,
    pub failures: u64,
    pub fenced: u64,
}

pub struct World<'a> {
    seed: u64,
    random: Random,
    now_ms: i64,
    coordinator: Coordinator,
    members: Vec<Member>,
    /// Who waits for an answer, since when.
    waiting: BTreeMap<RequestId, (usize, i64)>,
    /// Who has owned a partition in an epoch.
    owners: BTreeMap<(Partition, i32), String>,
    tally: &'a mut Tally,
}

impl World<'_> {
    pub fn run(seed: u64, tally: &mut Tally) {
        World::run_with(seed, tally, false);
    }

    pub fn run_with(seed: u64, tally: &mut Tally, forgets: bool) {
        let mut world = World {
            seed,
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
        if self.coordinator.member_ids(self.now_ms).is_empty() {
            // An empty group may make way for one of the other kind, whose epochs begin anew.
            self.owners.clear();
        }
        self.maybe_disturb();
        for index in 0..self.members.len() {
            if !self.members[index].waits && self.members[index].next_ms <= self.now_ms {
                self.send(index);
            }
        }
        for (id, reply) in self.coordinator.commit() {
            let Some((index, _)) = self.waiting.remove(&id) else { continue };
            if self.chance(200) {
                self.members[index].lost(self.now_ms);
                continue;
            }
            let outcome = self.members[index].answered(self.now_ms, reply);
            self.tally.fenced += u64::from(outcome.fenced);
            if outcome.claimed {
                self.claim(index);
                self.assert_exclusive(index);
            }
        }
        let late: Vec<RequestId> = self
            .waiting
            .iter()
            .filter(|(_, (_, since_ms))| self.now_ms - since_ms > 60_000)
            .map(|(id, _)| *id)
            .collect();
        for id in late {
            let Some((index, _)) = self.waiting.remove(&id) else { continue };
            self.members[index].lost(self.now_ms);
        }
    }

    fn maybe_disturb(&mut self) {
        if self.members.len() < 6 && (self.members.is_empty() || self.chance(60)) {
            let member = self.new_member();
            self.members.push(member);
        }
        if self.chance(15) && !self.members.is_empty() {
            // Killed: nobody is told.
            let gone = self.random.below(self.members.len() as u64) as usize;
            self.members.remove(gone);
            self.waiting = std::mem::take(&mut self.waiting)
                .into_iter()
                .filter(|(_, (index, _))| *index != gone)
                .map(|(id, (index, since))| (id, (index - usize::from(index > gone), since)))
                .collect();
        }
        if self.chance(20) {
            self.tally.failures += 1;
            self.coordinator.fail(self.now_ms);
            for (index, _) in std::mem::take(&mut self.waiting).into_values() {
                self.members[index].lost(self.now_ms);
            }
        }
        if self.chance(100) && !self.members.is_empty() {
            // Paused for a while, perhaps beyond its session.
            let paused = self.random.below(self.members.len() as u64) as usize;
            let pause_ms = self.random.below(60_000) as i64;
            self.members[paused].next_ms = self.now_ms + pause_ms;
        }
    }

    fn new_member(&mut self) -> Member {
        let name = format!("{:x}", self.random.below(1 << 40));
        let is_classic = self.random.below(4) == 0;
        let all: Vec<&'static str> = TOPICS.iter().map(|(topic, ..)| *topic).collect();
        let topics = match self.random.below(3) {
            0 => vec![all[self.random.below(3) as usize]],
            _ => all,
        };
        let has_regex = !is_classic && self.random.below(4) == 0;
        let (topics, regex) = if has_regex { (Vec::new(), Some("t.*|one")) } else { (topics, None) };
        Member::new(name, is_classic, topics, regex)
    }

    fn send(&mut self, index: usize) {
        if self.chance(200) {
            self.members[index].lost(self.now_ms);
            return;
        }
        if self.chance(100) {
            // Said twice: the first answer is lost, so that the client says all when it asks again.
            self.ask(index);
            self.members[index].lost(self.now_ms);
        }
        let id = self.ask(index);
        self.members[index].waits = true;
        self.waiting.insert(id, (index, self.now_ms));
    }

    fn ask(&mut self, index: usize) -> RequestId {
        let (version, request) = (self.members[index].api_version(), self.members[index].request());
        let entropy = self.random.below(u64::MAX);
        self.coordinator.send(self.now_ms, version, request, entropy)
    }

    fn claim(&mut self, index: usize) {
        let member = &self.members[index];
        self.tally.claims += 1;
        self.tally.classic_claims += u64::from(member.is_classic);
        for partition in &member.owned {
            let owner =
                self.owners.entry((*partition, member.epoch)).or_insert_with(|| member.member_id.clone());
            assert_eq!(
                *owner, member.member_id,
                "seed {}: {partition:?} has two owners in epoch {}",
                self.seed, member.epoch
            );
        }
    }

    /// Nobody is told to own what another member of the group still takes for its own.
    fn assert_exclusive(&mut self, index: usize) {
        let known = self.coordinator.member_ids(self.now_ms);
        let claimant = &self.members[index];
        let others = self.members.iter().filter(|other| other.member_id != claimant.member_id);
        for other in others.filter(|other| known.contains(&other.member_id)) {
            let shared: Vec<_> = other.owned.intersection(&claimant.owned).collect();
            assert!(
                shared.is_empty(),
                "seed {} at {}: {shared:?} belong to two members: {claimant:?} and {other:?}",
                self.seed,
                self.now_ms
            );
        }
    }

    /// Every partition that somebody reads has one owner who reads it.
    fn assert_rest(&self) {
        let mut all = BTreeSet::new();
        for member in &self.members {
            for partition in &member.owned {
                assert!(all.insert(*partition), "seed {}: {partition:?} has two owners at rest", self.seed);
            }
        }
        let mut wanted = BTreeSet::new();
        for (topic, number, count) in TOPICS {
            let is_read = |member: &Member| member.regex.is_some() || member.topics.contains(&topic);
            if self.members.iter().any(is_read) {
                wanted.extend((0..count).map(|partition| (number, partition)));
            }
        }
        assert_eq!(all, wanted, "seed {}: {:#?}", self.seed, self.members);
    }
}
