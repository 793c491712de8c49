//! Appending, rolling and reading back: limits, bounds, timestamps, restarts.

use records::batches;
use storage::{AppendOrigin, ReadError};

use crate::harness::*;

#[test]
fn what_was_appended_is_read_from_every_offset() {
    let (disk, manager, log) = new_log(small_segments());
    let mut expected = Vec::new();
    for i in 0..200 {
        let values: Vec<Vec<u8>> = (0..1 + i % 4).map(|j| format!("value {i}.{j}").into_bytes()).collect();
        let info = append(&log, &values.iter().map(Vec::as_slice).collect::<Vec<_>>());
        assert_eq!(info.first_offset, expected.len() as i64);
        for value in values {
            expected.push((expected.len() as i64, value));
        }
        assert_eq!(info.last_offset + 1, expected.len() as i64);
    }
    assert!(log.segment_count() > 5, "segments roll by size");
    let end = log.log_end_offset();
    for start in 0..=end {
        assert_eq!(read_all(&log, start, end).expect("reads"), expected[start as usize..]);
    }
    manager.shutdown(1).expect("stops");
    let (manager, report) = start(&disk, small_segments()).expect("starts");
    assert_eq!((report.opened, report.failed.len()), (1, 0));
    assert!(manager.was_clean_shutdown());
    assert_eq!(manager.previous_broker_epoch(), Some(1));
    let log = manager.log("t", 0).expect("is there");
    assert_eq!((log.log_end_offset(), log.durable_end_offset()), (end, end));
    for start in 0..=end {
        assert_eq!(read_all(&log, start, end).expect("reads"), expected[start as usize..]);
    }
}

#[test]
fn limits_of_a_read_hold_at_batch_granularity() {
    let (_disk, _manager, log) = new_log(topic_config(&[]));
    for i in 0..10u8 {
        append(&log, &[&[i; 100], &[i; 100], &[i; 100]]);
    }
    let size = |records: protocol::Records| records.to_bytes().expect("bytes").len();
    let one = size(log.read(0, 1, i64::MAX, true).expect("reads").records);
    assert!(one > 300, "the first batch comes whole");
    assert!(log.read(0, 1, i64::MAX, false).expect("reads").records.is_empty());
    assert!(log.read(0, 0, i64::MAX, false).expect("reads").records.is_empty());
    assert_eq!(size(log.read(4, one * 2 + 5, i64::MAX, false).expect("reads").records), one * 2);
    let bounded = log.read(0, 1 << 20, 8, true).expect("reads");
    assert_eq!((size(bounded.records), bounded.end_offset), (one * 2, 6), "offset 8 cuts its whole batch");
    assert!(log.read(6, 1 << 20, 6, true).expect("reads").records.is_empty());
    assert!(log.read(30, 1 << 20, i64::MAX, true).expect("at the end").records.is_empty());
    for outside in [-1, 31] {
        let error = log.read(outside, 1, i64::MAX, true).expect_err("out of range");
        assert!(matches!(error, ReadError::OffsetOutOfRange { log_end_offset: 30, .. }));
    }
}

#[test]
fn a_batch_is_found_by_offset_inside_of_it() {
    let (_disk, _manager, log) = new_log(topic_config(&[]));
    append(&log, &[b"a", b"b", b"c"]);
    append(&log, &[b"d", b"e", b"f"]);
    let bytes = log.read(4, 1000, i64::MAX, true).expect("reads").records.to_bytes().expect("bytes");
    let first = batches(&bytes).next().expect("one").expect("well formed");
    assert_eq!(first.header.base_offset, 3, "the batch begins before the offset asked for");
}

#[test]
fn timestamps_find_the_first_record_at_or_after_them() {
    let (disk, manager, log) = new_log(small_segments());
    for i in 0..300i64 {
        // Every fifth record lies back in time.
        let timestamp = NOW_MS - 100_000 + i * 10 - if i % 5 == 4 { 100 } else { 0 };
        append_at(&log, timestamp, &[&[b'x'; 40]]);
    }
    let check = |log: &storage::PartitionLog| {
        let timestamps: Vec<i64> =
            (0..300).map(|i| NOW_MS - 100_000 + i * 10 - if i % 5 == 4 { 100 } else { 0 }).collect();
        for target in (NOW_MS - 100_200..NOW_MS - 96_900).step_by(7) {
            let expected = timestamps.iter().position(|timestamp| *timestamp >= target);
            let found = log.offset_for_timestamp(target).expect("reads");
            assert_eq!(found.map(|found| found.offset as usize), expected, "{target}");
            assert_eq!(found.map(|found| found.leader_epoch), expected.map(|_| Some(0)));
        }
        let newest = log.offset_of_max_timestamp().expect("reads").expect("not empty");
        assert_eq!((newest.offset, newest.timestamp), (298, timestamps[298]));
    };
    check(&log);
    manager.shutdown(1).expect("stops");
    let (manager, _) = start(&disk, small_segments()).expect("starts");
    check(&manager.log("t", 0).expect("is there"));
}

#[test]
fn leader_epochs_survive_and_answer_where_they_ended() {
    let (disk, manager, log) = new_log(small_segments());
    for epoch in [0, 0, 3, 3, 7] {
        log.append_as_leader(&batch(NOW_MS, &[b"x", b"y"]), epoch, AppendOrigin::Client, NOW_MS)
            .expect("appends");
    }
    let ends = |log: &storage::PartitionLog| {
        [0, 1, 3, 5, 7, 9].map(|epoch| {
            let end = log.end_offset_for_epoch(epoch);
            (end.epoch, end.end_offset)
        })
    };
    let expected = [(0, 4), (0, 4), (3, 8), (3, 8), (7, 10), (-1, -1)];
    assert_eq!(ends(&log), expected);
    manager.shutdown(1).expect("stops");
    assert_eq!(contents(&disk, "/data/t-0/leader-epoch-checkpoint"), b"0\n3\n0 0\n3 4\n7 8\n");
    let (manager, _) = start(&disk, small_segments()).expect("starts");
    assert_eq!(ends(&manager.log("t", 0).expect("is there")), expected);
}

#[test]
fn repeated_batches_of_a_producer_answer_with_their_first_offset() {
    let (disk, manager, log) = new_log(small_segments());
    let sequenced = |sequence: i32| {
        let mut builder = records::BatchBuilder::new(0).producer(9, 0, sequence);
        builder.append(NOW_MS, None, Some(&[b'x'; 300]), &[]);
        builder.build()
    };
    let send = |log: &std::sync::Arc<storage::PartitionLog>, sequence| {
        log.append_as_leader(&sequenced(sequence), 0, AppendOrigin::Client, NOW_MS)
    };
    for sequence in 0..20 {
        assert_eq!(send(&log, sequence).expect("in order").first_offset, i64::from(sequence));
    }
    let repeated = send(&log, 17).expect("known");
    assert_eq!((repeated.duplicate, repeated.first_offset, log.log_end_offset()), (true, 17, 20));
    let error = send(&log, 25).expect_err("a gap");
    assert_eq!(error.error_code, protocol::ErrorCode::OutOfOrderSequenceNumber);
    manager.shutdown(1).expect("stops");
    let (manager, _) = start(&disk, small_segments()).expect("starts");
    let log = manager.log("t", 0).expect("is there");
    let repeated = send(&log, 19).expect("known after a restart");
    assert_eq!((repeated.duplicate, repeated.first_offset), (true, 19));
    assert_eq!(send(&log, 20).expect("goes on").first_offset, 20);
}

#[test]
fn a_durability_change_takes_effect_at_run_time() {
    let (_disk, manager, log) = new_log(topic_config(&[]));
    append(&log, &[b"a"]);
    assert_eq!((log.log_end_offset(), log.durable_end_offset()), (1, 0), "synced logs wait for the disk");
    log.set_config(topic_config(&[("klamm.durability", "page-cache")]));
    assert_eq!(log.durable_end_offset(), 1);
    assert_eq!(append(&log, &[b"b"]).durable_end_offset, 2);
    log.set_config(topic_config(&[]));
    assert_eq!(append(&log, &[b"c"]).durable_end_offset, 2, "never backwards, and no further without a sync");
    manager.sync_pending().expect("syncs");
    assert_eq!(log.durable_end_offset(), 3);
}

#[test]
fn segments_roll_by_time_and_by_a_full_index() {
    let (_disk, _manager, log) = new_log(topic_config(&[("segment.ms", "1000")]));
    append_at(&log, NOW_MS - 5000, &[b"a"]);
    append_at(&log, NOW_MS - 4000, &[b"b"]);
    assert_eq!(log.segment_count(), 1);
    append_at(&log, NOW_MS - 3999, &[b"c"]);
    assert_eq!((log.segment_count(), log.active_segment_base_offset()), (2, 2));
    let (_disk, _manager, log) =
        new_log(topic_config(&[("segment.index.bytes", "48"), ("index.interval.bytes", "0")]));
    for _ in 0..10 {
        append(&log, &[b"x"]);
    }
    assert!(log.segment_count() > 1, "six offset entries fill 48 bytes");
}

#[test]
fn a_follower_keeps_offsets_and_epochs_as_they_come() {
    let (_disk, _manager, leader) = new_log(topic_config(&[]));
    for epoch in [1, 1, 4] {
        leader
            .append_as_leader(&batch(NOW_MS, &[b"x"]), epoch, AppendOrigin::Client, NOW_MS)
            .expect("appends");
    }
    let bytes = leader.read(0, 1 << 20, i64::MAX, true).expect("reads").records.to_bytes().expect("bytes");
    let (_disk, _manager, follower) = new_log(topic_config(&[]));
    let info = follower.append_as_follower(&bytes, NOW_MS).expect("appends");
    assert_eq!((info.first_offset, info.last_offset), (0, 2));
    assert_eq!(follower.latest_epoch().map(|entry| (entry.epoch, entry.start_offset)), Some((4, 2)));
    let copied = follower.read(0, 1 << 20, i64::MAX, true).expect("reads").records.to_bytes().expect("bytes");
    assert_eq!(bytes, copied);
    follower.append_as_follower(&bytes, NOW_MS).expect_err("offsets must not go back");
    let mut damaged = bytes.to_vec();
    *damaged.last_mut().expect("not empty") ^= 1;
    let (_disk, _manager, other) = new_log(topic_config(&[]));
    other.append_as_follower(&damaged.into(), NOW_MS).expect_err("checksums are verified");
    assert_eq!(other.log_end_offset(), 0);
}
