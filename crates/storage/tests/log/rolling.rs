//! When a segment is closed, and when the files of one that goes are gone.

use crate::harness::*;

use protocol::Uuid;
use records::BatchBuilder;

#[test]
fn jitter_closes_segments_early_and_not_all_at_once() {
    let config = topic_config(&[("segment.ms", "100000"), ("segment.jitter.ms", "50000")]);
    let (_disk, manager, _) = new_log(config.clone());
    let rolled_after = |waited_ms: i64| {
        let rolled = (0..40).filter(|partition| {
            let topic = format!("waited-{waited_ms}");
            let log = manager
                .get_or_create(&topic, *partition, Some(Uuid::from_u128(8)), config.clone(), NOW_MS)
                .expect("creates");
            append_at(&log, NOW_MS - 200_000, &[b"first"]);
            append_at(&log, NOW_MS - 200_000 + waited_ms, &[b"second"]);
            log.segment_count() == 2
        });
        rolled.count()
    };
    assert_eq!(rolled_after(50_000), 0, "no share is that large");
    let some = rolled_after(75_000);
    assert!((5..35).contains(&some), "{some} of 40");
    assert_eq!(rolled_after(100_001), 40);
}

#[test]
fn offsets_too_far_apart_for_an_index_lie_in_two_segments() {
    // Only compaction leaves such gaps.
    let config = topic_config(&[("cleanup.policy", "compact")]);
    let (disk, manager, log) = new_log(config.clone());
    let last = i64::from(i32::MAX);
    // As a follower gets them of a compacted log.
    for offset in [0, last, last + 1, 2 * last + 2] {
        let mut builder = BatchBuilder::new(offset).partition_leader_epoch(0);
        builder.append(NOW_MS, Some(b"key"), Some(b"far"), &[]);
        log.append_as_follower(&builder.build(), NOW_MS).expect("appends");
    }
    assert_eq!(log.segment_count(), 3, "the offset i32::MAX still fits into the first");
    manager.sync_pending().expect("syncs");
    let check = |log: &storage::PartitionLog| {
        for (asked, found) in [(0, 0), (1, last), (last + 1, last + 1), (last + 2, 2 * last + 2)] {
            let result = log.read(asked, 100, i64::MAX, true).expect("reads");
            let bytes = result.records.to_bytes().expect("bytes");
            let batch = records::batches(&bytes).next().expect("one").expect("whole");
            assert_eq!(batch.header.base_offset, found, "asked for {asked}");
        }
    };
    check(&log);
    manager.shutdown(1).expect("stops");
    let (manager, report) = start(&disk, config).expect("starts");
    assert!(report.failed.is_empty());
    let log = manager.log("t", 0).expect("is there");
    assert_eq!(log.log_end_offset(), 2 * last + 3);
    check(&log);
}

#[test]
fn a_full_time_index_closes_a_segment() {
    let (_disk, _manager, log) =
        new_log(topic_config(&[("segment.index.bytes", "60"), ("index.interval.bytes", "0")]));
    // Five entries of 12 bytes, one of which is kept for the end; eight would fit into the offset index.
    for i in 0..6 {
        append_at(&log, NOW_MS - 1_000 + i, &[b"x"]);
    }
    assert_eq!(log.segment_count(), 2);
    assert!(log.active_segment_base_offset() <= 5);
}

#[test]
fn files_of_deleted_segments_stay_for_their_delay() {
    let delayed = |delay: &'static str| {
        topic_config(&[
            ("internal.segment.bytes", "2000"),
            ("index.interval.bytes", "200"),
            ("file.delete.delay.ms", delay),
        ])
    };
    let (disk, manager, log) = new_log(delayed("5000"));
    for _ in 0..60 {
        append(&log, &[&[b'x'; 200]]);
    }
    manager.sync_pending().expect("syncs");
    log.set_high_watermark(60);
    let deleted = || names(&disk, "/data/t-0").iter().filter(|name| name.ends_with(".deleted")).count();
    log.delete_records_before(20, NOW_MS).expect("deletes");
    let waiting = deleted();
    assert!(waiting > 0);
    manager.housekeep(NOW_MS + 4_999);
    assert_eq!(deleted(), waiting);
    manager.housekeep(NOW_MS + 5_000);
    assert_eq!(deleted(), 0);
    // A changed delay counts for what is deleted from then on.
    log.set_config(delayed("0"));
    log.delete_records_before(40, NOW_MS).expect("deletes");
    manager.housekeep(NOW_MS);
    assert_eq!(deleted(), 0);
    assert_eq!(read_all(&log, 40, 60).expect("reads").len(), 20);
}

#[test]
fn limits_of_age_and_size_are_not_for_compacted_topics_but_the_log_start_is() {
    let compacted = |policy: &'static str| {
        topic_config(&[
            ("internal.segment.bytes", "2000"),
            ("cleanup.policy", policy),
            ("retention.ms", "1"),
            ("retention.bytes", "1"),
        ])
    };
    let (_disk, manager, log) = new_log(topic_config(&[("internal.segment.bytes", "2000")]));
    for _ in 0..60 {
        append(&log, &[&[b'x'; 200]]);
    }
    manager.sync_pending().expect("syncs");
    log.set_high_watermark(60);
    let segments = log.segment_count();
    for policy in ["compact", ""] {
        log.set_config(compacted(policy));
        assert_eq!(log.delete_old_segments(NOW_MS + 1_000_000).expect("works"), 0, "{policy:?}");
    }
    log.set_config(compacted("compact"));
    assert_eq!(log.delete_records_before(30, NOW_MS).expect("deletes"), Some(30));
    assert!(log.segment_count() < segments && log.log_start_offset() == 30);
    log.set_config(compacted("compact,delete"));
    log.delete_old_segments(NOW_MS + 1_000_000).expect("works");
    assert_eq!((log.log_start_offset(), log.log_end_offset()), (60, 60));
}
