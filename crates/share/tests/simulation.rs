//! Random schedules over a shared partition and its state's shard: members that fetch, acknowledge, fall silent and come
//! back, writes that fail, come twice or late, leaders and coordinators that are replaced.
//!
//! Promises: a record that was acknowledged, and whose member was told so, is nobody's again; two members never hold the
//! same record; nothing is handed out more often than allowed; the start offset never goes back; without faults every
//! record comes to its end. `SIMULATION_SEEDS` says how many schedules are tried.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use coordinator::{CoordinatorEvent, CoordinatorRecord, CoordinatorShard, RecordPosition, RequestId};
use protocol::{ErrorCode, Uuid};
use share::{
    AcknowledgeBatch, AcknowledgeType, AcquireMode, AcquireRequest, FetchedBatch, InitializeState, Limits,
    PartitionReply, PersistedState, Request, ShareCoordinatorConfig, SharePartition, SharePartitionKey,
    ShareShard, ShareStateRequest, StateChange, WriteState,
};

const RECORDS: i64 = 60;
const LIMITS: Limits = Limits {
    delivery_count_limit: 3,
    max_record_locks: 25,
    record_lock_duration_ms: 100,
    has_dead_letter_topic: false,
};

/// A small generator: the schedule is decided by its seed alone.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    fn is_one_in(&mut self, chances: u64) -> bool {
        self.below(chances) == 0
    }
}

struct World {
    random: Random,
    now_ms: i64,
    shard: ShareShard,
    log: Vec<CoordinatorRecord>,
    partition: SharePartition,
    leader_epoch: i32,
    batches: Vec<FetchedBatch>,
    /// Who believes to hold a record, by the last delivery that it saw.
    holders: BTreeMap<i64, (usize, i64)>,
    /// Records whose end was confirmed to a member.
    ended: BTreeSet<i64>,
    /// Highest delivery count seen of each record, since the leader came.
    deliveries: BTreeMap<i64, i16>,
    start_offset: i64,
    /// Writes that are still on their way and may come late, or again.
    late: Vec<WriteState>,
    /// Whether some writes are said to be written and are not, to see that it is noticed.
    forgets: bool,
}

fn key() -> SharePartitionKey {
    SharePartitionKey { group_id: "g".into(), topic_id: Uuid::from_u128(1), partition: 0 }
}

fn config() -> ShareCoordinatorConfig {
    ShareCoordinatorConfig { snapshot_update_records_per_snapshot: 4, ..ShareCoordinatorConfig::default() }
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let mut batches = Vec::new();
        let mut base_offset = 0;
        while base_offset < RECORDS {
            let last_offset = (base_offset + random.below(9) as i64).min(RECORDS - 1);
            batches.push(FetchedBatch { base_offset, last_offset, is_aborted: random.is_one_in(12) });
            base_offset = last_offset + 1;
        }
        let mut world = World {
            random,
            now_ms: 0,
            shard: ShareShard::new(&config(), 1_000_000),
            log: Vec::new(),
            partition: SharePartition::new(0, &PersistedState::default()),
            leader_epoch: 0,
            batches,
            holders: BTreeMap::new(),
            ended: BTreeSet::new(),
            deliveries: BTreeMap::new(),
            start_offset: 0,
            late: Vec::new(),
            forgets: false,
        };
        world.ask(Request::Initialize(InitializeState { state_epoch: 1, start_offset: 0 }));
        world.new_leader();
        world
    }

    fn ask(&mut self, request: Request) -> PartitionReply {
        let request = ShareStateRequest { key: key(), exists: true, request };
        let event = CoordinatorEvent::Request { id: RequestId(0), request };
        let mut effects = self.shard.step(self.now_ms, event);
        self.shard.appended(self.log.len() as i64);
        self.log.append(&mut effects.records);
        effects.replies.pop().expect("every request is answered").1
    }

    /// The share coordinator moves: its shard is replayed elsewhere.
    fn new_coordinator(&mut self) {
        self.shard = ShareShard::new(&config(), 1_000_000);
        for (offset, record) in self.log.iter().enumerate() {
            let position = RecordPosition { offset: offset as i64, producer_id: -1 };
            self.shard
                .replay(position, Some(record.key.clone()), record.value.clone())
                .expect("our own record");
        }
    }

    /// The partition's leader moves: what was only in memory is gone.
    fn new_leader(&mut self) {
        self.leader_epoch += 1;
        let read = self.ask(Request::Read { leader_epoch: self.leader_epoch });
        let state = read.state.expect("it was initialized");
        let persisted = PersistedState {
            start_offset: state.start_offset,
            state_epoch: state.state_epoch,
            batches: state.batches,
        };
        self.partition = SharePartition::new(self.leader_epoch, &persisted);
        self.holders.clear();
        self.deliveries.clear();
        // The start offset that was written down lags behind; what lies between has ended.
        self.start_offset = self.partition.start_offset();
    }

    fn fetch(&mut self, member: usize) {
        let fetch_offset = self.partition.next_fetch_offset();
        let begins = self.batches.partition_point(|batch| batch.last_offset < fetch_offset);
        let count = 1 + self.random.below(4) as usize;
        let read: Vec<FetchedBatch> = self.batches.iter().skip(begins).take(count).copied().collect();
        let mode =
            if self.random.is_one_in(3) { AcquireMode::RecordLimit } else { AcquireMode::BatchOptimized };
        let max_records = 1 + self.random.below(12) as i64;
        let member_id: Arc<str> = format!("m{member}").into();
        let acquired = self.partition.acquire(&AcquireRequest {
            member_id: &member_id,
            mode,
            max_records,
            batch_size: 1 + self.random.below(6) as i64,
            fetch_offset,
            batches: &read,
            limits: &LIMITS,
            now_ms: self.now_ms,
        });
        let total: i64 = acquired.iter().map(|row| row.last_offset - row.first_offset + 1).sum();
        assert!(
            mode == AcquireMode::BatchOptimized || total <= max_records,
            "{total} of {max_records} records"
        );
        for row in acquired {
            for offset in row.first_offset..=row.last_offset {
                assert!(!self.ended.contains(&offset), "offset {offset} had come to its end");
                let aborted =
                    |batch: &&FetchedBatch| batch.base_offset <= offset && offset <= batch.last_offset;
                assert!(
                    !self.batches.iter().find(aborted).expect("a batch").is_aborted,
                    "offset {offset} was aborted"
                );
                if let Some((holder, until_ms)) = self.holders.get(&offset) {
                    assert!(*until_ms <= self.now_ms, "m{holder} and m{member} both hold offset {offset}");
                }
                assert!((1..=LIMITS.delivery_count_limit).contains(&row.delivery_count), "offset {offset}");
                if let Some(before) = self.deliveries.insert(offset, row.delivery_count) {
                    assert_eq!(row.delivery_count, before + 1, "deliveries of offset {offset}");
                }
                self.holders.insert(offset, (member, self.now_ms + LIMITS.record_lock_duration_ms));
            }
        }
    }

    fn acknowledge(&mut self, member: usize, may_fail: bool) {
        let held = |(offset, (holder, _)): (&i64, &(usize, i64))| (*holder == member).then_some(*offset);
        let mine: Vec<i64> = self.holders.iter().filter_map(held).collect();
        let Some(first) = mine.get(self.random.below(mine.len() as u64) as usize).copied() else { return };
        let mut last = first;
        while mine.contains(&(last + 1)) && !self.random.is_one_in(6) {
            last += 1;
        }
        let kinds = [
            AcknowledgeType::Accept,
            AcknowledgeType::Accept,
            AcknowledgeType::Accept,
            AcknowledgeType::Release,
            AcknowledgeType::Reject,
            AcknowledgeType::Gap,
            AcknowledgeType::Renew,
        ];
        let types: Vec<AcknowledgeType> = match self.random.is_one_in(2) {
            true => vec![kinds[self.random.below(7) as usize]],
            false => (first..=last).map(|_| kinds[self.random.below(7) as usize]).collect(),
        };
        let batch = AcknowledgeBatch { first_offset: first, last_offset: last, types: types.clone() };
        let said = self.partition.acknowledge(&format!("m{member}"), &[batch], &LIMITS, self.now_ms);
        let change = match said {
            Ok(change) => change,
            Err(refusal) => {
                // It has been too late for one of them: all of them are still whose they were.
                assert_eq!(refusal.error_code, ErrorCode::InvalidRecordState);
                let lapsed = (first..=last).any(|offset| self.holders[&offset].1 <= self.now_ms);
                assert!(lapsed, "m{member} held {first}..={last}");
                (first..=last).for_each(|offset| {
                    self.holders.remove(&offset);
                });
                return;
            }
        };
        // Records before the start offset are done with, one way or the other: the member is not told which.
        let batches = change.iter().flat_map(|change| &change.batches);
        let written: BTreeSet<i64> =
            batches.flat_map(|batch| batch.first_offset..=batch.last_offset).collect();
        let is_written = self.write(change, may_fail);
        for (index, offset) in (first..=last).enumerate() {
            let kind = if types.len() == 1 { types[0] } else { types[index] };
            match kind {
                AcknowledgeType::Renew => {
                    self.holders.insert(offset, (member, self.now_ms + LIMITS.record_lock_duration_ms));
                }
                AcknowledgeType::Release if is_written => {
                    self.holders.remove(&offset);
                }
                _ if !written.contains(&offset) => {
                    self.holders.remove(&offset);
                }
                _ if is_written => {
                    assert!(self.ended.insert(offset), "offset {offset} came to its end twice");
                    self.holders.remove(&offset);
                }
                _ => {}
            }
        }
    }

    /// Writes a change down, unless that fails; even then it may have been written.
    fn write(&mut self, change: Option<StateChange>, may_fail: bool) -> bool {
        let Some(change) = change else { return true };
        let write = WriteState {
            state_epoch: change.state_epoch,
            leader_epoch: change.leader_epoch,
            start_offset: change.start_offset,
            delivery_complete_count: change.delivery_complete_count,
            batches: change.batches,
        };
        let fails = may_fail && self.random.is_one_in(6);
        let is_forgotten = self.forgets && self.random.is_one_in(4);
        let is_written =
            is_forgotten || !fails && self.ask(Request::Write(write.clone())).error_code == ErrorCode::None;
        if may_fail && self.random.is_one_in(8) && is_written {
            self.late.push(write);
        }
        if let Some(transition) = change.transition {
            self.partition.complete(transition, is_written);
        }
        is_written
    }

    fn expire(&mut self) {
        let change = self.partition.expire_locks(self.now_ms, &LIMITS);
        for batch in change.iter().flat_map(|change| &change.batches) {
            for offset in batch.first_offset..=batch.last_offset {
                assert!(self.holders.get(&offset).is_none_or(|(_, until_ms)| *until_ms <= self.now_ms));
            }
        }
        self.write(change, true);
    }

    fn leave(&mut self, member: usize) {
        let change = self.partition.release(&format!("m{member}"), &LIMITS);
        let is_written = self.write(change, true);
        if is_written {
            self.holders.retain(|_, (holder, _)| *holder != member);
        }
    }

    fn step(&mut self) {
        let member = self.random.below(4) as usize;
        match self.random.below(20) {
            0..=6 => self.fetch(member),
            7..=13 => self.acknowledge(member, true),
            14 | 15 => self.now_ms += self.random.below(60) as i64,
            16 => self.expire(),
            17 => self.leave(member),
            18 if self.random.is_one_in(4) => self.new_leader(),
            18 if self.random.is_one_in(2) => self.new_coordinator(),
            _ => {
                if let Some(write) = self.late.pop() {
                    self.ask(Request::Write(write));
                }
            }
        }
        self.check();
    }

    fn check(&mut self) {
        let start_offset = self.partition.start_offset();
        assert!(start_offset >= self.start_offset, "from {} back to {start_offset}", self.start_offset);
        self.start_offset = start_offset;
        assert!(self.partition.in_flight_records() < LIMITS.max_record_locks + 12, "too many are out");
    }

    /// No more faults: every record comes to its end.
    fn finish(&mut self) {
        for _ in 0..2_000 {
            if self.partition.start_offset() == RECORDS {
                return;
            }
            self.now_ms += LIMITS.record_lock_duration_ms;
            let change = self.partition.expire_locks(self.now_ms, &LIMITS);
            self.write(change, false);
            self.holders.clear();
            for member in 0..2 {
                self.fetch(member);
                self.acknowledge(member, false);
            }
            self.check();
        }
        panic!("the start offset stays at {}", self.partition.start_offset());
    }
}

#[test]
fn promises_hold_in_every_schedule() {
    let seeds = std::env::var("SIMULATION_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(400);
    for seed in 1..=seeds {
        let run = std::panic::catch_unwind(|| {
            let mut world = World::new(seed);
            (0..300).for_each(|_| world.step());
            world.finish();
        });
        if let Err(reason) = run {
            let text = reason.downcast_ref::<String>().cloned().unwrap_or_default();
            panic!("seed {seed}: {text}");
        }
    }
}

#[test]
fn what_is_planted_is_noticed() {
    let run = |seed: &u64| {
        let run = || {
            let mut world = World::new(*seed);
            world.forgets = true;
            (0..300).for_each(|_| world.step());
            world.finish();
        };
        std::panic::catch_unwind(run).is_err()
    };
    let noticed = (1..=40).filter(run).count();
    println!("forgotten writes: noticed in {noticed} of 40 runs");
    assert!(noticed > 0);
}
