//! The share coordinator's shard: what it refuses, what it writes, what a replay of that gives.

use bytes::Bytes;
use coordinator::{CoordinatorEvent, CoordinatorRecord, CoordinatorShard, RecordPosition, RequestId};
use protocol::{ErrorCode, Uuid};

use super::*;

/// A shard and the log that its records went into.
struct World {
    shard: ShareShard,
    log: Vec<CoordinatorRecord>,
    now_ms: i64,
}

fn config() -> ShareCoordinatorConfig {
    ShareCoordinatorConfig { snapshot_update_records_per_snapshot: 3, ..ShareCoordinatorConfig::default() }
}

fn key(partition: i32) -> SharePartitionKey {
    SharePartitionKey { group_id: "g".into(), topic_id: Uuid::from_u128(5), partition }
}

fn batch(first_offset: i64, last_offset: i64, delivery_state: i8, delivery_count: i16) -> StateBatch {
    StateBatch { first_offset, last_offset, delivery_state, delivery_count }
}

fn write(leader_epoch: i32, start_offset: i64, batches: &[StateBatch]) -> Request {
    Request::Write(WriteState {
        state_epoch: 1,
        leader_epoch,
        start_offset,
        delivery_complete_count: 0,
        batches: batches.to_vec(),
    })
}

fn asked(partition: i32, exists: bool, request: Request) -> CoordinatorEvent<ShareShard> {
    let request = ShareStateRequest { key: key(partition), exists, request };
    CoordinatorEvent::Request { id: RequestId(1), request }
}

fn replay(shard: &mut ShareShard, offset: usize, record: &CoordinatorRecord) {
    let position = RecordPosition { offset: offset as i64, producer_id: -1 };
    shard.replay(position, Some(record.key.clone()), record.value.clone()).expect("our own record");
}

impl World {
    fn new() -> Self {
        Self { shard: ShareShard::empty(config()), log: Vec::new(), now_ms: 1_000 }
    }

    fn step(&mut self, event: CoordinatorEvent<ShareShard>) -> Effects {
        let effects = self.shard.step(self.now_ms, event);
        self.shard.appended(self.log.len() as i64);
        self.log.extend(effects.records.iter().cloned());
        effects
    }

    fn ask(&mut self, partition: i32, request: Request) -> PartitionReply {
        let mut effects = self.step(asked(partition, true, request));
        let Some((RequestId(1), reply)) = effects.replies.pop() else { panic!("one answer") };
        reply
    }

    fn error(&mut self, partition: i32, request: Request) -> ErrorCode {
        self.ask(partition, request).error_code
    }

    fn replayed(&self) -> ShareShard {
        let mut shard = ShareShard::empty(config());
        for (offset, record) in self.log.iter().enumerate() {
            replay(&mut shard, offset, record);
        }
        shard
    }
}

fn initialize(state_epoch: i32, start_offset: i64) -> Request {
    Request::Initialize(InitializeState { state_epoch, start_offset })
}

#[test]
fn a_state_is_set_up_written_and_read() {
    let mut world = World::new();
    assert_eq!(world.error(0, Request::Read { leader_epoch: 0 }), ErrorCode::InvalidRequest);
    assert_eq!(world.error(0, write(0, 0, &[])), ErrorCode::InvalidRequest);
    assert_eq!(world.error(0, initialize(1, -1)), ErrorCode::None);
    let read = world.ask(0, Request::Read { leader_epoch: 4 }).state.expect("initialized");
    assert_eq!((read.state_epoch, read.start_offset, read.batches), (1, -1, vec![]));
    assert_eq!(world.error(0, write(4, 10, &[batch(10, 19, 0, 1)])), ErrorCode::None);
    assert_eq!(world.error(0, write(4, 12, &[batch(12, 14, 2, 2)])), ErrorCode::None);
    let read = world.ask(0, Request::Read { leader_epoch: 4 }).state.expect("initialized");
    assert_eq!((read.start_offset, &read.batches[..]), (12, &[batch(12, 14, 2, 2), batch(15, 19, 0, 1)][..]));
    let summary = world.ask(0, Request::ReadSummary).state.expect("always one");
    assert_eq!((summary.start_offset, summary.leader_epoch, summary.batches), (12, 4, vec![]));
    assert_eq!(world.ask(1, Request::ReadSummary).state.expect("always one").start_offset, -1);
}

#[test]
fn old_epochs_are_fenced() {
    let mut world = World::new();
    world.ask(0, initialize(1, 0));
    world.ask(0, Request::Read { leader_epoch: 4 });
    assert_eq!(world.error(0, Request::Read { leader_epoch: 3 }), ErrorCode::FencedLeaderEpoch);
    assert_eq!(world.error(0, write(3, 0, &[])), ErrorCode::FencedLeaderEpoch);
    assert_eq!(world.error(0, write(4, 0, &[])), ErrorCode::None);
    assert_eq!(world.error(0, initialize(2, 50)), ErrorCode::None);
    assert_eq!(world.error(0, write(4, 0, &[])), ErrorCode::FencedStateEpoch);
    assert_eq!(world.error(0, initialize(1, 0)), ErrorCode::FencedStateEpoch);
    assert_eq!(world.error(0, write(-1, 0, &[batch(9, 3, 0, 1)])), ErrorCode::InvalidRequest);
    assert_eq!(world.error(-1, initialize(1, 0)), ErrorCode::InvalidRequest);
}

#[test]
fn a_late_write_does_not_bring_back_what_is_done() {
    let mut world = World::new();
    world.ask(0, initialize(1, 0));
    world.ask(0, write(0, 0, &[batch(0, 9, 2, 1)]));
    world.ask(0, write(0, 10, &[batch(10, 14, 2, 1)]));
    world.ask(0, write(0, 0, &[batch(15, 19, 2, 1)]));
    let read = world.ask(0, Request::Read { leader_epoch: 0 }).state.expect("initialized");
    assert_eq!((read.start_offset, &read.batches[..]), (10, &[batch(10, 19, 2, 1)][..]));
    assert_eq!(world.replayed().states, world.shard.states);
}

#[test]
fn what_does_not_exist_has_no_state() {
    let mut world = World::new();
    let effects = world.step(asked(0, false, initialize(0, 0)));
    let unknown = PartitionReply::refused(ErrorCode::UnknownTopicOrPartition);
    assert_eq!(effects.replies, [(RequestId(1), unknown)]);
    world.ask(0, initialize(1, 0));
    world.step(CoordinatorEvent::Notice(vec![Uuid::from_u128(5)]));
    assert_eq!((world.shard.state_count(), world.replayed().state_count()), (0, 0));
}

#[test]
fn a_replay_gives_the_same_states() {
    let mut world = World::new();
    world.ask(0, initialize(1, 0));
    world.ask(1, initialize(1, 5));
    for round in 0..10 {
        world.ask(0, write(3, round, &[batch(round, round + 5, 0, 1)]));
    }
    world.ask(1, Request::Delete);
    let snapshots = world.log.iter().filter(|record| record.key[..2] == [0, 0]).count();
    assert_eq!(snapshots, 2 + 2 + 1, "two beginnings, one after each three updates, a tombstone");
    assert_eq!(world.replayed().states, world.shard.states);
}

#[test]
fn the_log_is_pruned_behind_the_oldest_snapshot_that_counts() {
    let mut world = World::new();
    world.ask(0, initialize(1, 0));
    world.ask(1, initialize(1, 0));
    world.ask(0, initialize(2, 0));
    world.now_ms = world.shard.next_deadline().expect("there are states");
    let effects = world.step(CoordinatorEvent::Tick);
    assert_eq!(effects.records.len(), 2, "both have not been written for long");
    assert_eq!(
        effects.actions,
        [ShareAction::DeleteRecordsBefore(1)],
        "partition 1 still needs its first record"
    );
    world.ask(0, write(0, 7, &[]));
    world.now_ms = world.shard.next_deadline().expect("there are states");
    assert_eq!(world.step(CoordinatorEvent::Tick).actions, [ShareAction::DeleteRecordsBefore(3)]);
    let mut pruned = ShareShard::empty(config());
    for (offset, record) in world.log.iter().enumerate().skip(3) {
        replay(&mut pruned, offset, record);
    }
    assert_eq!(pruned.states, world.replayed().states);
    world.ask(0, Request::Delete);
    world.ask(1, Request::Delete);
    assert_eq!(world.shard.next_deadline(), None, "nothing is left to look after");
}

#[test]
fn damaged_records_are_passed_over() {
    let mut shard = ShareShard::empty(config());
    assert!(shard.replay(RecordPosition { offset: 0, producer_id: -1 }, None, None).is_err());
    assert!(
        shard
            .replay(RecordPosition { offset: 0, producer_id: -1 }, Some(Bytes::from_static(&[0])), None)
            .is_err()
    );
    assert!(
        shard
            .replay(RecordPosition { offset: 0, producer_id: -1 }, Some(Bytes::from_static(&[0, 9, 1])), None)
            .is_err()
    );
    assert_eq!(shard.state_count(), 0);
}

#[test]
fn coordinator_keys_name_group_topic_and_partition() {
    let key = SharePartitionKey { group_id: "a:b".into(), topic_id: Uuid::from_u128(77), partition: 3 };
    assert_eq!(SharePartitionKey::from_coordinator_key(&key.coordinator_key()), Some(key));
    for text in ["", "g", "g:x:1", "g:AAAAAAAAAAAAAAAAAAAATQ:-1", ":AAAAAAAAAAAAAAAAAAAATQ:1"] {
        assert_eq!(SharePartitionKey::from_coordinator_key(text), None, "{text}");
    }
}
