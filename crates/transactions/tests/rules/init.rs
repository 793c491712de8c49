//! InitProducerId: who the producer is, and whom it fences.

use protocol::ErrorCode;
use transactions::{Producer, Reply, Request};

use crate::shard::{ID, Shard};

#[test]
fn each_instance_gets_the_next_epoch_of_the_same_id() {
    let mut shard = Shard::new();
    let first = shard.init(None).expect("new");
    assert_eq!(first.epoch, 0);
    assert_eq!(shard.init(None), Ok(Producer { epoch: 1, ..first }));
    shard.fail_over();
    assert_eq!(shard.init(None), Ok(Producer { epoch: 2, ..first }));
}

#[test]
fn an_open_transaction_is_aborted_first() {
    for version in [0, 2] {
        let mut shard = Shard::new();
        shard.config.transaction_version = version;
        shard.fail_over();
        let first = shard.init(None).expect("new");
        shard.add(first, 0, version).expect("added");
        assert_eq!(shard.init(None), Err(ErrorCode::ConcurrentTransactions));
        assert_eq!(shard.init(None), Err(ErrorCode::ConcurrentTransactions), "markers are under way");
        let markers = shard.markers();
        assert_eq!(markers.len(), 1);
        assert_eq!((markers[0].committed, markers[0].producer.epoch), (false, 1));
        assert_eq!(shard.add(first, 1, version), Err(ErrorCode::ProducerFenced));
        assert_eq!(
            shard.end(first, true, version),
            if version == 2 { Err(ErrorCode::InvalidTxnState) } else { Err(ErrorCode::ProducerFenced) }
        );
        shard.written(&markers[0]);
        assert_eq!(shard.init(None).map(|producer| producer.epoch), Ok(2));
    }
}

#[test]
fn a_producer_that_goes_on_may_repeat_its_question() {
    let mut shard = Shard::new();
    let first = shard.init(None).expect("new");
    let second = shard.init(Some(first)).expect("bumped");
    assert_eq!(second.epoch, 1);
    assert_eq!(shard.init(Some(first)), Ok(second), "the answer was lost");
    assert_eq!(shard.init(Some(second)).map(|producer| producer.epoch), Ok(2));
    assert_eq!(shard.init(Some(first)), Err(ErrorCode::ProducerFenced));
    let stranger = Producer { id: first.id + 77, epoch: 0 };
    assert_eq!(shard.init(Some(stranger)), Err(ErrorCode::ProducerFenced));
}

#[test]
fn used_up_epochs_lead_to_a_new_id() {
    let mut shard = Shard::new();
    let first = shard.init(None).expect("new");
    for epoch in 1..i16::MAX {
        assert_eq!(shard.init(None), Ok(Producer { epoch, ..first }));
    }
    let last = Producer { epoch: i16::MAX - 1, ..first };
    let next = shard.init(Some(last)).expect("a new id");
    assert_eq!(next.epoch, 0);
    assert_ne!(next.id, first.id);
    assert_eq!(shard.init(Some(last)), Ok(next), "the answer was lost");
    assert_eq!(shard.init(Some(Producer { epoch: 5, ..first })), Err(ErrorCode::ProducerFenced));
}

#[test]
fn what_cannot_be_is_refused() {
    let mut shard = Shard::new();
    let mut ask = |transactional_id: &str, transaction_timeout_ms, two_phase, keep| {
        shard.ask(Request::InitProducerId {
            transactional_id: transactional_id.to_owned(),
            transaction_timeout_ms,
            expected: None,
            enable_two_phase_commit: two_phase,
            keep_prepared_transaction: keep,
            fresh_producer_id: Some(9),
        })
    };
    let refused = |error| Some(Reply::InitProducerId(Err(error)));
    assert_eq!(ask("", 1_000, false, false), refused(ErrorCode::InvalidRequest));
    assert_eq!(ask(ID, 0, false, false), refused(ErrorCode::InvalidTransactionTimeout));
    assert_eq!(ask(ID, 900_001, false, false), refused(ErrorCode::InvalidTransactionTimeout));
    assert_eq!(ask(ID, 1_000, true, false), refused(ErrorCode::TransactionalIdAuthorizationFailed));
    assert_eq!(ask(ID, 1_000, false, true), refused(ErrorCode::UnsupportedVersion));
    assert!(shard.log.is_empty());
}
