//! EndTxn: one outcome for each transaction, however often it is asked for.

use protocol::ErrorCode;
use transactions::Producer;

use crate::shard::{Shard, partition};

#[test]
fn a_transaction_ends_as_decided_and_says_so_again() {
    for committed in [true, false] {
        let mut shard = Shard::new();
        let producer = shard.init(None).expect("new");
        shard.add(producer, 0, 0).expect("added");
        shard.add(producer, 2, 0).expect("added");
        assert_eq!(shard.end(producer, committed, 0), Ok(producer));
        assert_eq!(shard.end(producer, committed, 0), Err(ErrorCode::ConcurrentTransactions));
        assert_eq!(shard.end(producer, !committed, 0), Err(ErrorCode::InvalidTxnState));
        let markers = shard.markers();
        assert_eq!(markers[0].partitions, [partition(0), partition(2)]);
        assert_eq!((markers[0].committed, markers[0].coordinator_epoch), (committed, 3));
        shard.written(&markers[0]);
        assert_eq!(shard.state(), if committed { "CompleteCommit" } else { "CompleteAbort" });
        assert_eq!(shard.end(producer, committed, 0), Ok(producer));
        assert_eq!(shard.end(producer, !committed, 0), Err(ErrorCode::InvalidTxnState));
    }
}

#[test]
fn every_end_bumps_the_epoch_and_a_late_one_never_means_the_transaction_after() {
    let mut shard = Shard::new();
    let first = shard.init(None).expect("new");
    shard.add(first, 0, 2).expect("added");
    let second = shard.end(first, true, 2).expect("committed");
    assert_eq!(second, Producer { epoch: 1, ..first });
    assert_eq!(shard.end(first, true, 2), Err(ErrorCode::ConcurrentTransactions), "not complete yet");
    shard.complete();
    assert_eq!(shard.end(first, true, 2), Ok(second), "repeated");
    assert_eq!(shard.end(first, false, 2), Err(ErrorCode::InvalidTxnState));
    shard.add(second, 0, 2).expect("the transaction after");
    for committed in [true, false] {
        assert_eq!(shard.end(first, committed, 2), Err(ErrorCode::ProducerFenced));
    }
    assert_eq!(shard.state(), "Ongoing");
    assert!(shard.markers().is_empty());
}

#[test]
fn aborting_nothing_bumps_the_epoch_and_committing_nothing_is_refused() {
    let mut shard = Shard::new();
    let first = shard.init(None).expect("new");
    assert_eq!(shard.end(first, true, 2), Err(ErrorCode::InvalidTxnState));
    assert_eq!(shard.end(first, true, 0), Err(ErrorCode::InvalidTxnState));
    let second = shard.end(first, false, 2).expect("aborted");
    assert_eq!((second.epoch, shard.state().as_str()), (1, "CompleteAbort"));
    assert_eq!(shard.end(first, false, 2), Ok(second), "repeated");
    assert_eq!(shard.end(second, false, 2).map(|producer| producer.epoch), Ok(2));
}

#[test]
fn the_last_epoch_ends_in_a_new_id() {
    let mut shard = Shard::new();
    let first = shard.init(None).expect("new");
    let mut producer = first;
    while producer.epoch < i16::MAX - 1 {
        producer = shard.end(producer, false, 2).expect("aborted");
    }
    assert_eq!(producer.id, first.id);
    shard.add(producer, 0, 2).expect("added");
    let next = shard.end(producer, true, 2).expect("committed");
    assert_eq!(next.epoch, 0);
    assert_ne!(next.id, first.id);
    let markers = shard.markers();
    assert_eq!(markers[0].producer, Producer { epoch: i16::MAX, ..first }, "the last epoch is the markers'");
    shard.fail_over();
    shard.complete();
    assert_eq!(shard.end(producer, true, 2), Ok(next), "repeated");
    shard.add(next, 0, 2).expect("goes on");
}

#[test]
fn a_decided_transaction_goes_on_with_the_next_coordinator() {
    let mut shard = Shard::new();
    let producer = shard.init(None).expect("new");
    shard.add(producer, 1, 2).expect("added");
    shard.end(producer, true, 2).expect("committed");
    let of_the_old = shard.markers();
    shard.fail_over();
    let markers = shard.markers();
    assert_eq!(markers[0].coordinator_epoch, 4);
    assert_eq!(markers[0].partitions, [partition(1)]);
    shard.written(&of_the_old[0]);
    assert_eq!(shard.state(), "PrepareCommit", "the old coordinator's word counts no more");
    shard.written(&markers[0]);
    assert_eq!(shard.state(), "CompleteCommit");
}
