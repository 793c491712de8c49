//! Transactions' half of the log: last stable offset, aborted index, markers, across restarts and crashes.

use std::sync::Arc;

use bytes::Bytes;
use records::{BatchBuilder, ControlRecordType, EndTransactionMarker};
use storage::disk::CrashStyle;
use storage::{AbortedTransaction, AppendOrigin, PartitionLog};

use crate::harness::*;

pub fn data(producer_id: i64, sequence: i32) -> Bytes {
    let mut builder = BatchBuilder::new(0).producer(producer_id, 0, sequence).transactional();
    builder.append(NOW_MS, None, Some(&[b'x'; 120]), &[]);
    builder.build()
}

pub fn marker(producer_id: i64, committed: bool) -> Bytes {
    let marker = EndTransactionMarker { committed, coordinator_epoch: 0 };
    let control = if committed { ControlRecordType::Commit } else { ControlRecordType::Abort };
    let mut builder = BatchBuilder::new(0).producer(producer_id, 0, -1).transactional().control();
    builder.append_control(NOW_MS, control, &marker.value());
    builder.build()
}

fn write(log: &Arc<PartitionLog>, producer_id: i64, sequence: i32) -> i64 {
    let info = log.append_as_leader(&data(producer_id, sequence), 0, AppendOrigin::Client, NOW_MS);
    info.expect("appends").first_offset
}

fn end(log: &Arc<PartitionLog>, producer_id: i64, committed: bool) -> i64 {
    let info = log.append_markers_as_leader(&marker(producer_id, committed), 0, 0, NOW_MS);
    info.expect("appends").first_offset
}

fn settle(log: &PartitionLog) {
    log.set_high_watermark(log.log_end_offset());
}

/// Offsets: producer 1 writes 0, 2, 4; producer 2 writes 1, 3; 1 aborts at 5, 2 commits at 6; then 3 writes at 7.
fn three_producers(log: &Arc<PartitionLog>) {
    for (producer_id, sequence) in [(1, 0), (2, 0), (1, 1), (2, 1), (1, 2)] {
        write(log, producer_id, sequence);
    }
    assert_eq!(end(log, 1, false), 5);
    assert_eq!(end(log, 2, true), 6);
    assert_eq!(write(log, 3, 0), 7);
}

#[test]
fn the_last_stable_offset_waits_for_decisions_and_their_replication() {
    let (_disk, _manager, log) = new_log(topic_config(&[]));
    write(&log, 1, 0);
    settle(&log);
    assert_eq!((log.high_watermark(), log.last_stable_offset()), (1, 0), "open");
    end(&log, 1, true);
    assert_eq!(log.last_stable_offset(), 0, "decided, but the marker is not replicated");
    settle(&log);
    assert_eq!(log.last_stable_offset(), 2);
    write(&log, 2, 0);
    settle(&log);
    assert_eq!(log.last_stable_offset(), 2);
}

#[test]
fn aborted_transactions_are_found_for_the_range_that_is_read() {
    let (_disk, _manager, log) = new_log(topic_config(&[]));
    three_producers(&log);
    settle(&log);
    let aborted = [AbortedTransaction { producer_id: 1, first_offset: 0 }];
    assert_eq!(log.aborted_transactions(0, 8).expect("reads"), aborted);
    assert_eq!(log.aborted_transactions(5, 8).expect("reads"), aborted, "its marker lies in the range");
    assert_eq!(log.aborted_transactions(6, 8).expect("reads"), []);
    assert_eq!(log.last_stable_offset(), 7, "producer 3 is open");
}

#[test]
fn state_is_the_same_after_a_clean_stop_a_crash_and_a_roll() {
    for (is_clean, segment_bytes) in [(true, "100000"), (false, "100000"), (true, "600"), (false, "600")] {
        let config = topic_config(&[("internal.segment.bytes", segment_bytes)]);
        let (disk, manager, log) = new_log(Arc::clone(&config));
        three_producers(&log);
        manager.sync_pending().expect("syncs");
        settle(&log);
        manager.checkpoint_high_watermarks().expect("writes");
        let disk = if is_clean {
            manager.shutdown(1).expect("stops");
            disk
        } else {
            disk.crash_image(CrashStyle::DropAll)
        };
        let (manager, report) = start(&disk, config).expect("starts");
        assert!(report.failed.is_empty(), "{:?}", report.failed);
        let log = manager.log("t", 0).expect("is there");
        assert_eq!(log.log_end_offset(), 8);
        assert_eq!(
            log.last_stable_offset(),
            7,
            "decided transactions below the saved high watermark are stable"
        );
        settle(&log);
        assert_eq!(log.last_stable_offset(), 7);
        let aborted = [AbortedTransaction { producer_id: 1, first_offset: 0 }];
        assert_eq!(
            log.aborted_transactions(0, 8).expect("reads"),
            aborted,
            "clean {is_clean}, {segment_bytes}"
        );
        assert!(log.with_producer_states(|states| states.has_ongoing_transaction(3, 0)));
        end(&log, 3, true);
        settle(&log);
        assert_eq!(log.last_stable_offset(), 9);
    }
}

#[test]
fn truncation_takes_transactions_back() {
    let (_disk, manager, log) = new_log(topic_config(&[]));
    three_producers(&log);
    manager.sync_pending().expect("syncs");
    settle(&log);
    log.truncate_to(5, NOW_MS).expect("works");
    assert_eq!(log.aborted_transactions(0, 5).expect("reads"), [], "the abort marker is gone");
    assert_eq!((log.high_watermark(), log.last_stable_offset()), (5, 0));
    end(&log, 1, true);
    end(&log, 2, false);
    settle(&log);
    assert_eq!(log.last_stable_offset(), 7);
    let aborted = [AbortedTransaction { producer_id: 2, first_offset: 1 }];
    assert_eq!(log.aborted_transactions(0, 7).expect("reads"), aborted);
}
