//! Timeouts, expiry, and what administrators see.

use coordinator::CoordinatorShard;
use protocol::ErrorCode;
use protocol::messages::ListTransactionsRequest;

use crate::shard::{ID, Shard};

#[test]
fn a_transaction_that_takes_too_long_is_aborted_and_its_producer_fenced() {
    let mut shard = Shard::new();
    let producer = shard.init(None).expect("new");
    shard.add(producer, 0, 2).expect("added");
    assert_eq!(shard.engine.next_deadline(), Some(61_001));
    shard.now_ms = 61_000;
    shard.tick();
    assert_eq!(shard.state(), "Ongoing");
    shard.now_ms = 61_001;
    shard.tick();
    assert_eq!(shard.state(), "PrepareAbort");
    assert_eq!(shard.end(producer, true, 0), Err(ErrorCode::ProducerFenced));
    shard.complete();
    assert_eq!(shard.state(), "CompleteAbort");
    assert_eq!(shard.add(producer, 0, 2), Err(ErrorCode::ProducerFenced));
    assert_eq!(shard.init(Some(producer)).map(|next| next.epoch), Ok(1), "but it may go on");
}

#[test]
fn ids_that_nobody_uses_are_forgotten() {
    let mut shard = Shard::new();
    shard.init(None).expect("new");
    shard.now_ms += 604_800_000 - 1;
    shard.tick();
    assert_eq!(shard.state(), "Empty");
    shard.now_ms += 3_600_000;
    shard.tick();
    assert_eq!(shard.state(), format!("error {}", ErrorCode::TransactionalIdNotFound.as_i16()));
    shard.fail_over();
    assert!(shard.engine.is_empty());
}

#[test]
fn lists_are_filtered() {
    let mut shard = Shard::new();
    let producer = shard.init(None).expect("new");
    shard.add(producer, 0, 2).expect("added");
    shard.now_ms += 5_000;
    let filter = |states: &[&str], producer_ids: &[i64], duration_filter| ListTransactionsRequest {
        state_filters: states.iter().map(|state| (*state).to_owned()).collect(),
        producer_id_filters: producer_ids.to_vec(),
        duration_filter,
        ..Default::default()
    };
    assert_eq!(shard.list(filter(&[], &[], -1)), [ID]);
    assert_eq!(shard.list(filter(&["Ongoing"], &[producer.id], 4_999)), [ID]);
    assert!(shard.list(filter(&["Empty"], &[], -1)).is_empty());
    assert!(shard.list(filter(&["Nowhere"], &[], -1)).is_empty());
    assert!(shard.list(filter(&[], &[producer.id + 1], -1)).is_empty());
    assert!(shard.list(filter(&[], &[], 5_000)).is_empty());
}
