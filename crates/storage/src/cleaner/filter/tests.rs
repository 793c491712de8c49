//! What remains of batches, case by case.

use std::collections::BTreeMap;

use bytes::Bytes;
use records::{Batch, BatchBuilder, Codec, Compression, EndTransactionMarker, batches};

use super::*;

const NOW_MS: i64 = 1_000_000;
const HORIZON_MS: i64 = NOW_MS + 500;

type Pair<'a> = (&'a str, Option<&'a str>);

fn only(bytes: &Bytes) -> Batch {
    batches(bytes).next().expect("one batch").expect("well formed")
}

fn data(base_offset: i64, builder: BatchBuilder, pairs: &[Pair<'_>]) -> Batch {
    let mut builder = builder;
    for (index, (key, value)) in pairs.iter().enumerate() {
        let key = Some(key.as_bytes()).filter(|key| !key.is_empty());
        let offset = base_offset + index as i64;
        builder.append_with_offset(offset, 100 + index as i64, key, value.map(str::as_bytes), &[]);
    }
    only(&builder.build())
}

fn plain(base_offset: i64, pairs: &[Pair<'_>]) -> Batch {
    data(base_offset, BatchBuilder::new(base_offset).partition_leader_epoch(3), pairs)
}

fn marker(offset: i64, producer_id: i64, committed: bool) -> Batch {
    let marker = EndTransactionMarker { committed, coordinator_epoch: 1 };
    let mut builder = BatchBuilder::new(offset).producer(producer_id, 0, -1).transactional().control();
    builder.append(100, Some(&marker.key()), Some(&marker.value()), &[]);
    only(&builder.build())
}

struct Round {
    keys: KeyOffsets,
    producers: BTreeMap<i64, LastOfProducer>,
    now_ms: i64,
    end_offset: i64,
    transactions: WalkedTransactions,
    aborted: Vec<AbortedEntry>,
}

impl Round {
    fn new(newest: &[(&str, i64)], latest_offset: i64) -> Round {
        let mut keys = KeyOffsets::new(24 * 1000, 0.9, 1).expect("fits");
        newest.iter().for_each(|(key, offset)| assert!(keys.put(key.as_bytes(), *offset)));
        keys.set_latest_offset(latest_offset);
        Round {
            keys,
            producers: BTreeMap::new(),
            now_ms: NOW_MS,
            end_offset: i64::MAX,
            transactions: WalkedTransactions::default(),
            aborted: Vec::new(),
        }
    }

    fn apply(&mut self, batch: &Batch) -> Remains {
        let filter = Filter {
            keys: &self.keys,
            producers: &self.producers,
            now_ms: self.now_ms,
            delete_retention_ms: 500,
            end_offset: self.end_offset,
            decompressed_bytes_max: 1 << 20,
        };
        filter.apply(&mut self.transactions, batch, &mut self.aborted).expect("well formed")
    }

    fn rebuilt(&mut self, batch: &Batch) -> Batch {
        match self.apply(batch) {
            Remains::Rebuilt(bytes) => {
                let batch = only(&bytes);
                batch.verify_crc().expect("sealed");
                batch
            }
            other => panic!("{other:?}"),
        }
    }
}

fn content(batch: &Batch) -> Vec<(i64, i64, String)> {
    let records = batch.records(1 << 20).expect("readable").map(|record| record.expect("well formed"));
    let text = |bytes: Option<Bytes>| String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned();
    records.map(|record| (record.offset, record.timestamp, text(record.key))).collect()
}

#[test]
fn the_newest_record_of_each_key_stays_with_its_offset_and_timestamp() {
    let mut round = Round::new(&[("a", 12), ("b", 20), ("c", 99)], 100);
    let before = plain(10, &[("a", Some("1")), ("b", Some("1")), ("a", Some("2")), ("c", Some("1"))]);
    let after = round.rebuilt(&before);
    assert_eq!(content(&after), [(12, 102, "a".to_owned())]);
    let (old, new) = (before.header, after.header);
    assert_eq!((new.base_offset, new.last_offset()), (10, 13), "the batch covers the same offsets");
    assert_eq!((new.partition_leader_epoch, new.record_count), (old.partition_leader_epoch, 1));
    assert_eq!(new.max_timestamp, 102);
    assert_eq!(round.apply(&plain(12, &[("a", Some("2"))])), Remains::Whole);
    assert_eq!(round.apply(&plain(12, &[("b", Some("2"))])), Remains::Nothing);
}

#[test]
fn what_the_map_has_not_seen_stays() {
    let mut round = Round::new(&[("a", 5)], 11);
    let after = round.rebuilt(&plain(10, &[("a", Some("1")), ("", Some("1")), ("a", Some("2")), ("", None)]));
    assert_eq!(
        content(&after),
        [(10, 100, "a".to_owned()), (12, 102, "a".to_owned()), (13, 103, String::new())]
    );
}

#[test]
fn a_record_without_a_key_goes() {
    let mut round = Round::new(&[], 100);
    assert_eq!(round.apply(&plain(10, &[("", Some("1"))])), Remains::Nothing);
}

#[test]
fn a_tombstone_goes_in_two_passes() {
    let mut round = Round::new(&[], 100);
    let stamped = round.rebuilt(&plain(10, &[("a", None), ("b", Some("1"))]));
    assert_eq!(stamped.header.delete_horizon_ms(), Some(HORIZON_MS));
    assert_eq!(content(&stamped), [(10, 100, "a".to_owned()), (11, 101, "b".to_owned())], "timestamps stay");
    assert_eq!(stamped.header.max_timestamp, 101);
    round.now_ms = HORIZON_MS - 1;
    assert_eq!(round.apply(&stamped), Remains::Whole, "not before its time, and no later one is stamped");
    round.now_ms = HORIZON_MS;
    let without = round.rebuilt(&stamped);
    assert_eq!(content(&without), [(11, 101, "b".to_owned())]);
    assert_eq!(without.header.delete_horizon_ms(), Some(HORIZON_MS));
    let lone = round.rebuilt(&plain(20, &[("a", None)]));
    round.now_ms = HORIZON_MS + 1000;
    assert_eq!(round.apply(&lone), Remains::Nothing);
}

#[test]
fn codec_producer_and_append_time_are_kept() {
    for codec in [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let builder =
            BatchBuilder::new(10).compression(Compression::of(codec)).producer(7, 2, 40).log_append_time(777);
        let before = data(10, builder, &[("a", Some("1")), ("b", Some("1")), ("c", Some("1"))]);
        let after = Round::new(&[("a", 50), ("c", 50)], 100).rebuilt(&before);
        let header = after.header;
        assert_eq!(header.compression().expect("known"), codec);
        assert_eq!((header.producer_id, header.producer_epoch, header.base_sequence), (7, 2, 40));
        assert_eq!(header.last_sequence(), 42, "the sequence of the last record that was there");
        assert_eq!(header.timestamp_type(), TimestampType::LogAppendTime);
        assert_eq!(header.max_timestamp, 777);
        assert_eq!(content(&after), [(11, 777, "b".to_owned())]);
    }
}

#[test]
fn the_last_batch_of_a_producer_and_of_the_round_stay_without_records() {
    let mut round = Round::new(&[("a", 50)], 100);
    let batch = data(10, BatchBuilder::new(10).producer(7, 2, 40), &[("a", Some("1")), ("a", Some("2"))]);
    assert_eq!(round.apply(&batch), Remains::Nothing, "nobody remembers the producer");
    round.producers.insert(7, LastOfProducer { data_offset: Some(30), producer_epoch: 2 });
    assert_eq!(round.apply(&batch), Remains::Nothing, "a later batch tells its sequence");
    round.producers.insert(7, LastOfProducer { data_offset: Some(11), producer_epoch: 2 });
    let empty = round.rebuilt(&batch);
    let header = empty.header;
    assert_eq!((header.record_count, empty.bytes.len()), (0, 61));
    assert_eq!((header.base_offset, header.last_offset(), header.last_sequence()), (10, 11, 41));
    assert_eq!(round.apply(&empty), Remains::Whole, "and stays so");
    round.producers.clear();
    assert_eq!(round.apply(&empty), Remains::Nothing, "until nobody needs it");
    round.end_offset = 12;
    assert_eq!(round.rebuilt(&batch).header.record_count, 0, "it says how far the log went");
}

#[test]
fn records_of_aborted_transactions_go_and_their_marker_follows() {
    let mut round = Round::new(&[], 100);
    let transactional = |offset, id| {
        data(offset, BatchBuilder::new(offset).producer(id, 0, 0).transactional(), &[("k", Some("1"))])
    };
    let entry = AbortedEntry { producer_id: 1, first_offset: 10, last_offset: 12, last_stable_offset: 13 };
    round.transactions.add_aborted([entry, entry]);
    assert_eq!(round.apply(&transactional(10, 1)), Remains::Nothing);
    assert_eq!(round.apply(&transactional(11, 2)), Remains::Whole, "another one's is undecided here");
    assert_eq!(round.apply(&marker(12, 1, false)), Remains::Whole, "its data was there a moment ago");
    assert_eq!(round.aborted, [entry], "the index keeps naming it");
    assert_eq!(round.apply(&marker(13, 2, true)), Remains::Whole, "data of a committed one is left");

    // The next round finds the marker without data.
    let mut round = Round::new(&[], 100);
    round.transactions.add_aborted([entry]);
    let stamped = round.rebuilt(&marker(12, 1, false));
    assert_eq!(stamped.header.delete_horizon_ms(), Some(HORIZON_MS));
    assert!(round.aborted.is_empty());
    assert!(
        stamped
            .end_transaction_marker()
            .expect("readable")
            .is_some_and(|(marker, at)| !marker.committed && at == 100)
    );
    round.now_ms = HORIZON_MS - 1;
    assert_eq!(round.apply(&stamped), Remains::Whole);
    round.now_ms = HORIZON_MS;
    assert_eq!(round.apply(&stamped), Remains::Nothing);
    round.producers.insert(1, LastOfProducer { data_offset: None, producer_epoch: 0 });
    assert_eq!(round.rebuilt(&stamped).header.record_count, 0, "the producer's last trace");
}

#[test]
fn a_commit_marker_goes_when_nothing_of_its_transaction_is_left() {
    let mut round = Round::new(&[], 100);
    let stamped = round.rebuilt(&marker(12, 1, true));
    round.now_ms = HORIZON_MS;
    assert_eq!(round.apply(&stamped), Remains::Nothing);
    let data = data(14, BatchBuilder::new(14).producer(1, 0, 0).transactional(), &[("k", Some("1"))]);
    round.apply(&data);
    assert_eq!(round.apply(&stamped), Remains::Whole, "with data before it, a stamped one stays, too");
}
