//! What happens to records of a shared partition, step by step.

use std::sync::Arc;

use protocol::ErrorCode;

use super::*;

const LIMITS: Limits = Limits {
    delivery_count_limit: 5,
    max_record_locks: 200,
    record_lock_duration_ms: 30_000,
    has_dead_letter_topic: false,
};

/// A partition and a log of batches of ten records to read it from.
struct World {
    partition: SharePartition,
    limits: Limits,
    now_ms: i64,
    log_end: i64,
}

impl World {
    fn new() -> Self {
        let partition = SharePartition::new(3, &PersistedState::default());
        Self { partition, limits: LIMITS, now_ms: 0, log_end: 100 }
    }

    fn batches(&self, from: i64) -> Vec<FetchedBatch> {
        let bases = (0..self.log_end).step_by(10).filter(|base| base + 9 >= from);
        bases
            .map(|base_offset| FetchedBatch { base_offset, last_offset: base_offset + 9, is_aborted: false })
            .collect()
    }

    fn acquire_of(
        &mut self,
        member: &str,
        mode: AcquireMode,
        max_records: i64,
        batches: &[FetchedBatch],
    ) -> Vec<(i64, i64, i16)> {
        let member: Arc<str> = member.into();
        let acquired = self.partition.acquire(&AcquireRequest {
            member_id: &member,
            mode,
            max_records,
            batch_size: 500,
            fetch_offset: self.partition.next_fetch_offset(),
            batches,
            limits: &self.limits,
            now_ms: self.now_ms,
        });
        acquired.into_iter().map(|row| (row.first_offset, row.last_offset, row.delivery_count)).collect()
    }

    fn acquire(&mut self, member: &str, max_records: i64) -> Vec<(i64, i64, i16)> {
        let batches = self.batches(self.partition.next_fetch_offset());
        self.acquire_of(member, AcquireMode::BatchOptimized, max_records, &batches)
    }

    fn say(
        &mut self,
        member: &str,
        first: i64,
        last: i64,
        types: &[AcknowledgeType],
    ) -> Result<Option<StateChange>, Refusal> {
        let batch = AcknowledgeBatch { first_offset: first, last_offset: last, types: types.to_vec() };
        self.partition.acknowledge(member, &[batch], &self.limits, self.now_ms)
    }

    /// Says something and writes it down.
    fn acknowledge(
        &mut self,
        member: &str,
        first: i64,
        last: i64,
        kind: AcknowledgeType,
    ) -> Vec<(i64, i64, i8, i16)> {
        let change = self.say(member, first, last, &[kind]).expect("the member holds the records");
        self.written(change)
    }

    fn written(&mut self, change: Option<StateChange>) -> Vec<(i64, i64, i8, i16)> {
        let Some(change) = change else { return Vec::new() };
        if let Some(transition) = change.transition {
            self.partition.complete(transition, true);
        }
        let row = |batch: &StateBatch| {
            (batch.first_offset, batch.last_offset, batch.delivery_state, batch.delivery_count)
        };
        change.batches.iter().map(row).collect()
    }
}

fn error_of(said: Result<Option<StateChange>, Refusal>) -> ErrorCode {
    said.expect_err("refused").error_code
}

#[test]
fn records_go_out_once_and_the_start_follows_what_is_done() {
    let mut world = World::new();
    assert_eq!(world.acquire("one", 15), [(0, 19, 1)], "whole batches, beyond the limit");
    assert_eq!(world.acquire("two", 5), [(20, 29, 1)]);
    assert_eq!(world.acknowledge("two", 20, 29, AcknowledgeType::Accept), [(20, 29, 2, 1)]);
    assert_eq!(world.partition.start_offset(), 0);
    assert_eq!(world.acknowledge("one", 0, 9, AcknowledgeType::Accept), [(0, 9, 2, 1)]);
    assert_eq!(world.partition.start_offset(), 10);
    assert_eq!(world.acknowledge("one", 10, 19, AcknowledgeType::Reject), [(10, 19, 4, 1)]);
    assert_eq!((world.partition.start_offset(), world.partition.in_flight_records()), (30, 0));
}

#[test]
fn a_record_limit_cuts_batches() {
    let mut world = World::new();
    let batches = world.batches(0);
    assert_eq!(world.acquire_of("one", AcquireMode::RecordLimit, 3, &batches), [(0, 2, 1)]);
    assert_eq!(world.acquire_of("two", AcquireMode::RecordLimit, 12, &batches), [(3, 14, 1)]);
    world.acknowledge("one", 0, 2, AcknowledgeType::Release);
    assert_eq!(world.acquire_of("two", AcquireMode::RecordLimit, 2, &batches), [(0, 1, 2)]);
    assert_eq!(world.acquire_of("two", AcquireMode::RecordLimit, 2, &batches), [(2, 2, 2), (15, 15, 1)]);
}

#[test]
fn each_record_can_be_answered_for_itself() {
    use AcknowledgeType::{Accept, Gap, Reject, Release};
    let mut world = World::new();
    world.acquire("one", 10);
    let change = world.say(
        "one",
        0,
        9,
        &[Accept, Accept, Release, Gap, Reject, Accept, Accept, Accept, Accept, Release],
    );
    let written = world.written(change.expect("all are held"));
    assert_eq!(written, [(0, 1, 2, 1), (2, 2, 0, 1), (3, 4, 4, 1), (5, 8, 2, 1), (9, 9, 0, 1)]);
    assert_eq!(world.partition.start_offset(), 2);
    assert_eq!(world.acquire("two", 10), [(2, 2, 2), (9, 9, 2), (10, 19, 1)]);
}

#[test]
fn only_the_holder_answers_and_only_once() {
    let mut world = World::new();
    assert_eq!(error_of(world.say("one", 0, 9, &[AcknowledgeType::Accept])), ErrorCode::InvalidRecordState);
    world.acquire("one", 10);
    assert_eq!(error_of(world.say("two", 0, 9, &[AcknowledgeType::Accept])), ErrorCode::InvalidRecordState);
    assert_eq!(error_of(world.say("one", 0, 10, &[AcknowledgeType::Accept])), ErrorCode::InvalidRequest);
    let first = world.say("one", 0, 4, &[AcknowledgeType::Accept]).expect("held").expect("to be written");
    assert_eq!(error_of(world.say("one", 4, 9, &[AcknowledgeType::Accept])), ErrorCode::InvalidRecordState);
    assert_eq!(world.partition.start_offset(), 0, "not written down yet");
    assert_eq!(first.delivery_complete_count, 5);
    world.partition.complete(first.transition.expect("one to complete"), true);
    assert_eq!(world.partition.start_offset(), 5);
    assert_eq!(world.say("one", 0, 4, &[AcknowledgeType::Accept]), Ok(None), "done with long ago");
}

#[test]
fn what_could_not_be_written_is_the_holders_again() {
    let mut world = World::new();
    world.acquire("one", 10);
    let change = world.say("one", 0, 9, &[AcknowledgeType::Release]).expect("held").expect("to be written");
    assert_eq!(world.acquire("two", 1), [(10, 19, 1)], "released records wait for the write");
    world.partition.complete(change.transition.expect("one to complete"), false);
    assert_eq!(world.acknowledge("one", 0, 9, AcknowledgeType::Accept), [(0, 9, 2, 1)]);
}

#[test]
fn a_lock_lasts_as_long_as_it_is_renewed() {
    let mut world = World::new();
    world.acquire("one", 10);
    assert_eq!(world.partition.next_deadline(), Some(30_000));
    world.now_ms = 20_000;
    assert_eq!(world.acknowledge("one", 0, 4, AcknowledgeType::Renew), []);
    world.now_ms = 30_000;
    let expired = world.partition.expire_locks(world.now_ms, &LIMITS);
    assert_eq!(world.written(expired), [(5, 9, 0, 1)]);
    assert_eq!(world.acquire("two", 1), [(5, 9, 2)]);
    assert_eq!(error_of(world.say("one", 5, 9, &[AcknowledgeType::Accept])), ErrorCode::InvalidRecordState);
    assert_eq!(world.partition.next_deadline(), Some(50_000));
}

#[test]
fn the_last_deliveries_go_out_in_smaller_portions_and_then_no_more() {
    let mut world = World::new();
    world.log_end = 10;
    let mut portions = Vec::new();
    while world.partition.start_offset() < 10 {
        let acquired = world.acquire("one", 500);
        let (Some(first), Some(last)) = (acquired.first(), acquired.last()) else {
            panic!("nothing is available")
        };
        portions.push((first.2, acquired.len(), last.1 - first.0 + 1));
        let (first, last) = (first.0, last.1);
        world.acknowledge("one", first, last, AcknowledgeType::Release);
    }
    assert_eq!(portions[..3], [(1, 1, 10), (2, 1, 10), (3, 1, 10)]);
    assert_eq!(portions.iter().filter(|(count, ..)| *count == 5).count(), 10, "one by one in the end");
    assert!(portions.iter().filter(|(count, ..)| *count == 4).all(|(_, _, records)| *records <= 5));
}

#[test]
fn what_is_given_up_goes_to_the_dead_letters_first() {
    let mut world = World::new();
    world.limits = Limits { has_dead_letter_topic: true, delivery_count_limit: 2, ..LIMITS };
    world.acquire("one", 10);
    let change = world.say("one", 0, 9, &[AcknowledgeType::Reject]).expect("held").expect("to be written");
    let letter =
        DeadLetter { first_offset: 0, last_offset: 9, delivery_count: 1, cause: DeadLetterCause::Rejected };
    assert_eq!(change.dead_letters, [letter]);
    assert_eq!(world.written(Some(change)), [(0, 9, 3, 1)]);
    assert_eq!(world.partition.start_offset(), 0, "the dead letters are not there yet");
    let again = PersistedState {
        start_offset: 0,
        state_epoch: 0,
        batches: vec![StateBatch { first_offset: 0, last_offset: 9, delivery_state: 3, delivery_count: 1 }],
    };
    assert_eq!(SharePartition::new(4, &again).interrupted_dead_letters(&world.limits), [letter]);
    let archived = world.partition.archive(0, 9);
    assert_eq!(world.written(archived), [(0, 9, 4, 1)]);
    assert_eq!(world.partition.start_offset(), 10);
    for _ in 0..2 {
        world.acquire("one", 10);
        world.now_ms += 30_000;
        let expired =
            world.partition.expire_locks(world.now_ms, &world.limits.clone()).expect("locks have expired");
        let causes: Vec<DeadLetterCause> = expired.dead_letters.iter().map(|letter| letter.cause).collect();
        let is_last = expired.batches[0].delivery_count == 2;
        assert_eq!(causes.is_empty(), !is_last);
        assert!(causes.iter().all(|cause| *cause == DeadLetterCause::DeliveryCountExceeded));
    }
}

#[test]
fn so_many_records_are_out_and_no_more() {
    let mut world = World::new();
    world.limits.max_record_locks = 25;
    assert_eq!(world.acquire("one", 500), [(0, 29, 1)], "the batch that reaches the limit goes whole");
    assert!(!world.partition.can_acquire(&world.limits));
    assert_eq!(world.acquire("two", 500), []);
    world.acknowledge("one", 20, 29, AcknowledgeType::Release);
    assert!(world.partition.can_acquire(&world.limits));
    assert_eq!(world.acquire("two", 500), [(20, 29, 2)], "what came back goes out again");
}

#[test]
fn aborted_records_are_nobodys() {
    let mut world = World::new();
    let mut batches = world.batches(0);
    batches.truncate(3);
    batches[1].is_aborted = true;
    let acquired = world.acquire_of("one", AcquireMode::BatchOptimized, 500, &batches);
    assert_eq!(acquired, [(0, 9, 1), (20, 29, 1)]);
    world.acknowledge("one", 0, 9, AcknowledgeType::Accept);
    assert_eq!(world.partition.start_offset(), 20);
    let mut all_aborted = world.batches(30);
    all_aborted.truncate(1);
    all_aborted[0].is_aborted = true;
    world.acknowledge("one", 20, 29, AcknowledgeType::Accept);
    assert_eq!(world.acquire_of("one", AcquireMode::BatchOptimized, 500, &all_aborted), []);
    assert_eq!(world.partition.start_offset(), 40);
}

#[test]
fn a_new_leader_takes_up_what_was_written() {
    let persisted = PersistedState {
        start_offset: 5,
        state_epoch: 7,
        batches: vec![
            StateBatch { first_offset: 3, last_offset: 7, delivery_state: 2, delivery_count: 1 },
            StateBatch { first_offset: 12, last_offset: 14, delivery_state: 0, delivery_count: 2 },
            StateBatch { first_offset: 15, last_offset: 19, delivery_state: 4, delivery_count: 1 },
        ],
    };
    let mut world = World::new();
    world.partition = SharePartition::new(9, &persisted);
    assert_eq!((world.partition.start_offset(), world.partition.state_epoch()), (8, 7));
    assert_eq!(world.partition.next_fetch_offset(), 8);
    assert_eq!(world.acquire("one", 11), [(8, 11, 1), (12, 14, 3), (20, 29, 1)]);
}

#[test]
fn what_the_log_has_lost_is_done_with() {
    let mut world = World::new();
    let far = FetchedBatch { base_offset: 20, last_offset: 29, is_aborted: false };
    world.acquire("one", 10);
    assert_eq!(world.acquire_of("two", AcquireMode::BatchOptimized, 500, &[far]), [(20, 29, 1)]);
    world.acknowledge("one", 0, 9, AcknowledgeType::Release);
    let later = FetchedBatch { base_offset: 30, last_offset: 39, is_aborted: false };
    assert_eq!(world.acquire_of("two", AcquireMode::BatchOptimized, 500, &[later]), [(30, 39, 1)]);
    assert_eq!(world.partition.start_offset(), 20, "the log skipped what was released");
    world.partition.log_start_moved(25);
    assert_eq!(world.partition.start_offset(), 25);
    assert_eq!(world.acknowledge("two", 20, 29, AcknowledgeType::Accept), [(25, 29, 2, 1)]);
    world.partition.log_start_moved(1_000);
    assert_eq!((world.partition.start_offset(), world.partition.next_fetch_offset()), (1_000, 1_000));
    assert_eq!(world.say("two", 30, 39, &[AcknowledgeType::Accept]), Ok(None));
}

#[test]
fn a_session_that_ends_gives_everything_back() {
    let mut world = World::new();
    world.acquire("one", 10);
    world.acquire("two", 10);
    let change = world.partition.release("one", &LIMITS);
    assert_eq!(world.written(change), [(0, 9, 0, 1)]);
    assert_eq!(world.partition.release("one", &LIMITS), None);
    assert_eq!(world.acquire("three", 1), [(0, 9, 2)]);
    assert_eq!(world.acknowledge("two", 10, 19, AcknowledgeType::Accept), [(10, 19, 2, 1)]);
}
