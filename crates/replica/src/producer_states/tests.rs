//! The rules of Kafka's `ProducerStateManager`, `ProducerStateEntry` and `ProducerAppendInfo`.

use super::*;
use crate::error::{ProducerError, ReplicaError};
use proptest::prelude::*;
use records::{AppendOrigin, BatchHeader, EndTransactionMarker};

fn batch(producer_id: i64, epoch: i16, sequence: i32, base_offset: i64, count: i32) -> BatchHeader {
    let mut builder = records::BatchBuilder::new(base_offset).producer(producer_id, epoch, sequence);
    for _ in 0..count {
        builder.append(1_000 + base_offset, None, None, &[]);
    }
    BatchHeader::parse(&builder.build()).expect("built")
}

fn transactional(producer_id: i64, epoch: i16, sequence: i32, base_offset: i64) -> BatchHeader {
    let header = batch(producer_id, epoch, sequence, base_offset, 1);
    BatchHeader { attributes: header.attributes | 0x10, ..header }
}

fn append(states: &mut ProducerStates, header: &BatchHeader) -> Result<Option<ProducerBatch>, ProducerError> {
    match states.prepare([AppendedBatch { header, marker: None }], AppendOrigin::Client, 0)? {
        PreparedAppend::Duplicate(batch) => Ok(Some(batch)),
        PreparedAppend::Append(update) => {
            assert_eq!(states.apply(update), []);
            Ok(None)
        }
    }
}

fn end(
    states: &mut ProducerStates,
    producer_id: i64,
    epoch: i16,
    offset: i64,
    committed: bool,
) -> Vec<CompletedTransaction> {
    let header = transactional(producer_id, epoch, -1, offset);
    let header = BatchHeader { attributes: header.attributes | 0x20, ..header };
    let marker =
        TransactionMarker { marker: EndTransactionMarker { committed, coordinator_epoch: 0 }, timestamp: 1 };
    let batch = AppendedBatch { header: &header, marker: Some(marker) };
    match states.prepare([batch], AppendOrigin::Coordinator, 0) {
        Ok(PreparedAppend::Append(update)) => states.apply(update),
        other => panic!("{other:?}"),
    }
}

fn refused_sequence(states: &mut ProducerStates, header: &BatchHeader) -> bool {
    matches!(append(states, header), Err(ProducerError::OutOfOrderSequenceNumber { .. }))
}

#[test]
fn a_first_batch_may_begin_anywhere() {
    let mut states = ProducerStates::default();
    assert_eq!(append(&mut states, &batch(7, 0, 5, 100, 2)), Ok(None));
    assert_eq!(states.get(7).map(ProducerState::last_sequence), Some(6));
}

#[test]
fn sequences_follow_one_another_and_wrap() {
    let mut states = ProducerStates::default();
    append(&mut states, &batch(7, 0, i32::MAX - 1, 0, 2)).expect("first");
    assert!(refused_sequence(&mut states, &batch(7, 0, 1, 2, 1)), "a gap");
    append(&mut states, &batch(7, 0, 0, 2, 3)).expect("from 2^31-1 to 0");
    assert!(refused_sequence(&mut states, &batch(7, 0, 2, 5, 1)), "backwards");
    append(&mut states, &batch(7, 0, 3, 5, 1)).expect("next");
    let mut across = ProducerStates::default();
    append(&mut across, &batch(7, 0, i32::MAX, 10, 3)).expect("a batch may wrap within");
    assert_eq!(
        across.get(7).map(|state| (state.last_sequence(), state.batches()[0].first_sequence())),
        Some((1, i32::MAX))
    );
}

#[test]
fn the_last_five_batches_are_recognised() {
    let mut states = ProducerStates::default();
    for number in 0..6 {
        append(&mut states, &batch(7, 0, 2 * number, 10 * i64::from(number), 2)).expect("in order");
    }
    assert!(refused_sequence(&mut states, &batch(7, 0, 0, 99, 2)), "the sixth last is forgotten");
    let again = append(&mut states, &batch(7, 0, 2, 99, 2)).expect("known").expect("a duplicate");
    assert_eq!((again.first_offset(), again.last_offset, again.timestamp), (10, 11, 1_010));
    assert!(refused_sequence(&mut states, &batch(7, 0, 2, 99, 3)), "not the same range");
    let coordinator = states.prepare(
        [AppendedBatch { header: &batch(7, 0, 2, 99, 2), marker: None }],
        AppendOrigin::Coordinator,
        0,
    );
    assert!(matches!(coordinator, Ok(PreparedAppend::Append(_))), "only clients repeat themselves");
}

#[test]
fn a_new_epoch_begins_at_sequence_0_and_fences_the_old() {
    let mut states = ProducerStates::default();
    append(&mut states, &batch(7, 1, 0, 0, 1)).expect("first");
    assert!(refused_sequence(&mut states, &batch(7, 2, 1, 1, 1)));
    append(&mut states, &batch(7, 2, 0, 1, 1)).expect("from 0");
    assert_eq!(states.get(7).map(|state| state.batches().len()), Some(1), "the old epoch's are forgotten");
    let fenced = append(&mut states, &batch(7, 1, 1, 2, 1)).expect_err("an old instance");
    assert_eq!(fenced, ProducerError::InvalidProducerEpoch { producer_id: 7, epoch: 1, current_epoch: 2 });
    assert_eq!(states.get(7).map(ProducerState::last_offset), Some(1), "nothing of it is kept");
}

#[test]
fn batches_of_one_append_are_judged_in_a_row() {
    let mut states = ProducerStates::default();
    let headers = [batch(7, 0, 0, 0, 2), batch(8, 0, 5, 2, 1), batch(7, 0, 2, 3, 1), batch(-1, -1, -1, 4, 1)];
    let batches = || headers.iter().map(|header| AppendedBatch { header, marker: None });
    let Ok(PreparedAppend::Append(update)) = states.prepare(batches(), AppendOrigin::Client, 0) else {
        panic!("all are in order")
    };
    states.apply(update);
    assert_eq!((states.len(), states.get(7).map(ProducerState::last_sequence)), (2, Some(2)));
    let headers = [batch(7, 0, 3, 5, 1), batch(7, 0, 5, 6, 1)];
    let gap = states.prepare(
        headers.iter().map(|header| AppendedBatch { header, marker: None }),
        AppendOrigin::Client,
        0,
    );
    assert!(matches!(gap, Err(ProducerError::OutOfOrderSequenceNumber { last_sequence: 3, .. })));
}

#[test]
fn the_oldest_undecided_or_unreplicated_transaction_is_unstable() {
    let mut states = ProducerStates::default();
    append(&mut states, &transactional(1, 0, 0, 10)).expect("opens");
    append(&mut states, &transactional(2, 0, 0, 20)).expect("opens");
    append(&mut states, &transactional(1, 0, 1, 30)).expect("goes on");
    assert!(states.has_ongoing_transaction(1, 0) && !states.has_ongoing_transaction(1, 1));
    assert_eq!((states.first_unstable_offset(), states.first_undecided_offset()), (Some(10), Some(10)));
    let completed = end(&mut states, 1, 0, 40, false);
    let expected = CompletedTransaction {
        producer_id: 1,
        first_offset: 10,
        last_offset: 40,
        is_aborted: true,
        last_stable_offset: 20,
    };
    assert_eq!(completed, [expected]);
    assert_eq!((states.first_unstable_offset(), states.first_undecided_offset()), (Some(10), Some(20)));
    states.on_high_watermark_updated(40);
    assert_eq!(states.first_unstable_offset(), Some(10), "the marker itself is not replicated yet");
    states.on_high_watermark_updated(41);
    assert_eq!(states.first_unstable_offset(), Some(20));
    assert_eq!(end(&mut states, 2, 0, 50, true)[0].last_stable_offset, 51);
    states.on_log_start_offset_incremented(60);
    assert_eq!((states.first_unstable_offset(), states.map_end_offset()), (None, 60));
    assert_eq!(end(&mut states, 2, 0, 70, true), [], "a marker without a transaction completes nothing");
}

#[test]
fn inside_a_transaction_every_batch_is_transactional() {
    let mut states = ProducerStates::default();
    append(&mut states, &transactional(1, 0, 0, 10)).expect("opens");
    let outside = append(&mut states, &batch(1, 0, 1, 11, 1)).expect_err("not transactional");
    assert_eq!(outside, ProducerError::InvalidTransactionState { producer_id: 1 });
}

#[test]
fn silent_producers_expire_unless_a_transaction_is_open() {
    let mut states = ProducerStates::default();
    append(&mut states, &batch(1, 0, 0, 0, 1)).expect("at 1000");
    append(&mut states, &transactional(2, 0, 0, 1)).expect("at 1001");
    append(&mut states, &batch(3, 0, 0, 500, 1)).expect("at 1500");
    states.remove_expired(1_999, 1_000);
    assert_eq!(states.len(), 3);
    states.remove_expired(2_100, 1_000);
    assert_eq!(states.iter().map(|state| state.producer_id).collect::<Vec<_>>(), [2, 3]);
    let mut loaded = ProducerStates::default();
    loaded.load(states.iter().copied().collect(), 501, 9_000, 1_000);
    assert_eq!((loaded.len(), loaded.map_end_offset(), loaded.first_unstable_offset()), (1, 501, Some(1)));
}

#[test]
fn snapshots_keep_the_last_batch() {
    let mut states = ProducerStates::default();
    append(&mut states, &batch(1, 4, 0, 0, 2)).expect("first");
    append(&mut states, &batch(1, 4, 2, 2, 3)).expect("second");
    append(&mut states, &transactional(2, 0, 0, 9)).expect("opens");
    let bytes = states.encode_snapshot();
    let mut loaded = ProducerStates::default();
    loaded.load(ProducerStates::decode_snapshot(&bytes).expect("readable"), 10, 0, i64::MAX);
    assert_eq!(loaded.encode_snapshot(), bytes);
    assert_eq!(loaded.get(1).map(|state| state.batches().len()), Some(1));
    assert_eq!(loaded.first_unstable_offset(), Some(9));
    assert!(append(&mut loaded, &batch(1, 4, 2, 99, 3)).expect("known").is_some(), "still a duplicate");
    append(&mut loaded, &batch(1, 4, 5, 11, 1)).expect("and goes on");
}

#[test]
fn damaged_snapshots_are_refused() {
    let mut states = ProducerStates::default();
    append(&mut states, &batch(1, 4, 0, 0, 2)).expect("first");
    let good = states.encode_snapshot();
    for at in 0..good.len() {
        let mut damaged = good.to_vec();
        damaged[at] ^= 1;
        assert!(
            matches!(ProducerStates::decode_snapshot(&damaged), Err(ReplicaError::CorruptSnapshot(_))),
            "{at}"
        );
        assert!(ProducerStates::decode_snapshot(&good[..at]).is_err(), "{at}");
    }
    let mut lying = good.to_vec();
    lying[6..10].copy_from_slice(&i32::MAX.to_be_bytes());
    let crc = records::crc32c(&lying[6..]);
    lying[2..6].copy_from_slice(&crc.to_be_bytes());
    assert!(ProducerStates::decode_snapshot(&lying).is_err());
}

proptest! {
    #[test]
    fn any_bytes_are_survived(entries in prop::collection::vec(any::<[u8; 46]>(), 0..4), noise in prop::collection::vec(any::<u8>(), 0..60)) {
        let _ = ProducerStates::decode_snapshot(&noise);
        let mut bytes = vec![0, 1, 0, 0, 0, 0];
        bytes.extend_from_slice(&(entries.len() as u32).to_be_bytes());
        bytes.extend(entries.iter().flatten());
        let crc = records::crc32c(&bytes[6..]);
        bytes[2..6].copy_from_slice(&crc.to_be_bytes());
        let loaded = ProducerStates::decode_snapshot(&bytes).expect("well-formed");
        let mut states = ProducerStates::default();
        states.load(loaded, 0, 0, i64::MAX);
        let _ = append(&mut states, &batch(5, 0, 0, 0, 1));
        for state in states.iter() {
            for batch in state.batches() {
                let _ = (batch.first_offset(), batch.first_sequence());
            }
        }
        let _ = (states.first_unstable_offset(), states.oldest_transaction_last_timestamp());
    }

    #[test]
    fn any_text_is_survived_as_a_checkpoint(text in "[0-9 \\-\n]{0,40}") {
        if let Ok(epochs) = crate::LeaderEpochs::from_checkpoint(&text) {
            let again = crate::LeaderEpochs::from_checkpoint(&epochs.to_checkpoint());
            prop_assert_eq!(again, Ok(epochs));
        }
    }
}
