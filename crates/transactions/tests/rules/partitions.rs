//! AddPartitionsToTxn: joining a transaction, and asking whether one has.

use protocol::ErrorCode;
use transactions::{Producer, Reply, Request, TransactionCoordinatorConfig};

use crate::shard::{ID, Shard, partition};

#[test]
fn only_the_present_producer_adds() {
    let mut shard = Shard::new();
    let nobody = Producer { id: 1, epoch: 0 };
    assert_eq!(shard.add(nobody, 0, 2), Err(ErrorCode::InvalidProducerIdMapping));
    let producer = shard.init(None).expect("new");
    assert_eq!(shard.add(nobody, 0, 2), Err(ErrorCode::InvalidProducerIdMapping));
    assert_eq!(shard.add(Producer { epoch: 7, ..producer }, 0, 2), Err(ErrorCode::ProducerFenced));
    assert_eq!(shard.add(producer, 0, 2), Ok(()));
    assert_eq!(shard.state(), "Ongoing");
    let written = shard.log.len();
    assert_eq!(shard.add(producer, 0, 2), Ok(()));
    assert_eq!(shard.log.len(), written, "nothing new is not written");
}

#[test]
fn partitions_are_looked_up_one_by_one() {
    let mut shard = Shard::new();
    let producer = shard.init(None).expect("new");
    shard.add(producer, 0, 0).expect("added");
    let mut ask = |producer| {
        shard.ask(Request::VerifyPartitions {
            transactional_id: ID.to_owned(),
            producer,
            partitions: vec![partition(0), partition(1)],
        })
    };
    let each = vec![ErrorCode::None, ErrorCode::TransactionAbortable];
    assert_eq!(ask(producer), Some(Reply::VerifyPartitions(Ok(each))));
    let fenced = Some(Reply::VerifyPartitions(Err(ErrorCode::ProducerFenced)));
    assert_eq!(ask(Producer { epoch: 1, ..producer }), fenced);
}

#[test]
fn adding_waits_for_the_transaction_before_to_be_complete() {
    let mut shard =
        Shard::with(TransactionCoordinatorConfig { add_partitions_wait_ms: 100, ..Default::default() });
    let producer = shard.init(None).expect("new");
    shard.add(producer, 0, 2).expect("added");
    let next = shard.end(producer, true, 2).expect("committed");
    assert_eq!(shard.ask(Shard::adding(next, 1, 2)), None, "parked");
    shard.complete();
    assert_eq!(shard.replies.pop().map(|(_, reply)| reply), Some(Reply::AddPartitions(Ok(()))));
    assert_eq!(shard.state(), "Ongoing");
}

#[test]
fn whoever_waits_too_long_is_told_to_come_back() {
    let mut shard =
        Shard::with(TransactionCoordinatorConfig { add_partitions_wait_ms: 100, ..Default::default() });
    let producer = shard.init(None).expect("new");
    shard.add(producer, 0, 2).expect("added");
    let next = shard.end(producer, false, 2).expect("aborted");
    assert_eq!(shard.ask(Shard::adding(next, 1, 2)), None, "parked");
    shard.now_ms += 100;
    shard.tick();
    let refused = Reply::AddPartitions(Err(ErrorCode::ConcurrentTransactions));
    assert_eq!(shard.replies.pop().map(|(_, reply)| reply), Some(refused));
}
