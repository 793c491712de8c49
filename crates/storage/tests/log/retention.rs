//! Segments that go: by age, by size, below the log start; and what truncation leaves.

use crate::harness::*;

fn filled() -> (storage::disk::SimDisk, storage::LogManager, std::sync::Arc<storage::PartitionLog>) {
    let (disk, manager, log) = new_log(small_segments());
    for i in 0..60i64 {
        append_at(&log, NOW_MS + i, &[&[b'x'; 200]]);
    }
    manager.sync_pending().expect("syncs");
    log.set_high_watermark(60);
    (disk, manager, log)
}

#[test]
fn deleting_records_moves_the_start_and_frees_whole_segments() {
    let (disk, manager, log) = filled();
    let segments = log.segment_count();
    assert_eq!(log.delete_records_before(61, NOW_MS).expect("works"), None, "beyond the high watermark");
    assert_eq!(log.delete_records_before(25, NOW_MS).expect("works"), Some(25));
    assert!(log.segment_count() < segments);
    log.read(24, 100, i64::MAX, true).expect_err("below the start");
    assert_eq!(read_all(&log, 25, 60).expect("reads").len(), 35);
    assert!(names(&disk, "/data/t-0").iter().any(|name| name.ends_with(".log.deleted")));
    manager.housekeep(NOW_MS + 60_000);
    assert!(!names(&disk, "/data/t-0").iter().any(|name| name.ends_with(".deleted")));
    manager.shutdown(1).expect("stops");
    assert_eq!(contents(&disk, "/data/log-start-offset-checkpoint"), b"0\n1\nt 0 25\n");
    let (manager, _) = start(&disk, small_segments()).expect("starts");
    let log = manager.log("t", 0).expect("is there");
    assert_eq!((log.log_start_offset(), log.log_end_offset(), log.high_watermark()), (25, 60, 60));
    assert_eq!(read_all(&log, 25, 60).expect("reads").len(), 35);
}

#[test]
fn deleting_records_leaves_old_ones_to_retention() {
    let (_disk, _manager, log) = filled();
    let much_later = NOW_MS + 365 * 86_400_000;
    assert_eq!(log.delete_records_before(25, much_later).expect("works"), Some(25), "Kafka answers 25");
    assert_eq!(read_all(&log, 25, 60).expect("reads").len(), 35);
    assert!(log.delete_old_segments(much_later).expect("works") > 0);
    assert_eq!(log.log_start_offset(), 60);
}

#[test]
fn retention_deletes_by_age_and_keeps_the_offsets() {
    let (disk, manager, log) = filled();
    let mut pairs = vec![("internal.segment.bytes", "2000"), ("index.interval.bytes", "200")];
    pairs.push(("retention.ms", "1000"));
    log.set_config(topic_config(&pairs));
    assert_eq!(log.delete_old_segments(NOW_MS + 1000).expect("works"), 0);
    let before = log.segment_count();
    assert_eq!(log.delete_old_segments(NOW_MS + 5000).expect("works"), before, "the active one as well");
    assert_eq!((log.log_start_offset(), log.log_end_offset(), log.segment_count()), (60, 60, 1));
    assert_eq!(append(&log, &[b"next"]).first_offset, 60);
    manager.shutdown(1).expect("stops");
    let (manager, _) = start(&disk, small_segments()).expect("starts");
    let log = manager.log("t", 0).expect("is there");
    assert_eq!((log.log_start_offset(), log.log_end_offset()), (60, 61));
}

#[test]
fn retention_deletes_by_size() {
    let (_disk, _manager, log) = filled();
    let pairs = [("internal.segment.bytes", "2000"), ("retention.bytes", "5000")];
    log.set_config(topic_config(&pairs));
    log.delete_old_segments(NOW_MS).expect("works");
    assert!(log.size() >= 5000 && log.size() < 7000, "{} bytes", log.size());
    assert_eq!(
        read_all(&log, log.log_start_offset(), 60).expect("reads").len() as i64,
        60 - log.log_start_offset()
    );
}

#[test]
fn truncation_cuts_whole_batches_epochs_and_indexes() {
    let (disk, manager, log) = new_log(small_segments());
    for epoch in 0..30 {
        let values: [&[u8]; 3] = [b"a", b"b", &[b'x'; 150]];
        log.append_as_leader(&batch(NOW_MS, &values), epoch, storage::AppendOrigin::Client, NOW_MS)
            .expect("appends");
    }
    manager.sync_pending().expect("syncs");
    log.set_high_watermark(90);
    read_all(&log, 0, 90).expect("reads");
    assert!(!log.truncate_to(90, NOW_MS).expect("works"), "nothing lies at the end");
    assert!(log.truncate_to(46, NOW_MS).expect("works"));
    assert_eq!((log.log_end_offset(), log.high_watermark(), log.durable_end_offset()), (45, 45, 45));
    assert_eq!(log.latest_epoch().map(|entry| entry.epoch), Some(14));
    assert_eq!(read_all(&log, 0, 45).expect("reads").len(), 45);
    for _ in 0..20 {
        let values: [&[u8]; 2] = [b"new", &[b'y'; 100]];
        log.append_as_leader(&batch(NOW_MS, &values), 99, storage::AppendOrigin::Client, NOW_MS)
            .expect("appends");
    }
    let after = read_all(&log, 0, 85).expect("reads");
    assert_eq!(after[45], (45, b"new".to_vec()));
    drop(manager);
    let (manager, report) = start(&disk, small_segments()).expect("starts");
    assert!(report.failed.is_empty() && !manager.was_clean_shutdown());
    let log = manager.log("t", 0).expect("is there");
    assert_eq!(read_all(&log, 0, 85).expect("reads"), after);
    assert_eq!(log.end_offset_for_epoch(14).end_offset, 45);
}

#[test]
fn a_log_can_begin_anew_anywhere() {
    let (disk, manager, log) = filled();
    log.truncate_fully_and_start_at(1000, NOW_MS).expect("works");
    assert_eq!((log.log_start_offset(), log.log_end_offset(), log.durable_end_offset()), (1000, 1000, 1000));
    assert_eq!(append(&log, &[b"first"]).first_offset, 1000);
    drop(manager);
    let (manager, _) = start(&disk, small_segments()).expect("starts");
    let log = manager.log("t", 0).expect("is there");
    assert_eq!((log.log_start_offset(), log.log_end_offset()), (1000, 1001));
}

#[test]
fn readers_and_retention_at_once_never_bring_a_segment_back() {
    let (disk, manager, log) = filled();
    let wanted: Vec<i64> = (0..60).collect();
    let all_read = std::sync::Barrier::new(4);
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let mut served = 0;
                    let mut pass = || {
                        for offset in &wanted {
                            match log.read(*offset, 500, 60, true) {
                                Ok(result) => served += result.records.len(),
                                Err(storage::ReadError::OffsetOutOfRange { .. }) => {}
                                Err(error) => panic!("offset {offset}: {error}"),
                            }
                        }
                    };
                    pass();
                    all_read.wait();
                    while log.log_start_offset() < 50 {
                        pass();
                    }
                    served
                })
            })
            .collect();
        all_read.wait();
        for up_to in 1..=50 {
            log.delete_records_before(up_to, NOW_MS).expect("deletes");
        }
        readers.into_iter().for_each(|reader| assert!(reader.join().expect("no panic") > 0));
    });
    manager.housekeep(NOW_MS + 60_000);
    let logs = names(&disk, "/data/t-0").into_iter().filter(|name| name.ends_with(".log"));
    assert_eq!(logs.count(), log.segment_count());
}

#[test]
fn upkeep_of_idle_logs_touches_nothing() {
    let (disk, manager, log) = filled();
    manager.sync_pending().expect("syncs");
    log.set_high_watermark(log.log_end_offset());
    // The first calls start the intervals and save what has changed.
    for seconds in [0, 120] {
        manager.housekeep(NOW_MS + seconds * 1000);
    }
    let before = disk.operations();
    for seconds in 121..3_000 {
        manager.housekeep(NOW_MS + seconds * 1000);
    }
    assert_eq!(disk.operations(), before, "no checkpoint is written while nothing changes");
    log.set_high_watermark(log.high_watermark() - 1);
    manager.housekeep(NOW_MS + 3_010_000);
    assert!(disk.operations() > before, "a change is saved");
}

#[test]
fn records_of_page_cache_logs_are_synced_in_time() {
    let config = topic_config(&[("klamm.durability", "page-cache"), ("flush.ms", "5000")]);
    let (_disk, manager, log) = new_log(config);
    append(&log, &[b"x"]);
    manager.housekeep(NOW_MS + 4_999);
    manager.sync_pending().expect("syncs");
    assert_eq!(log.synced_end_offset(), 0);
    manager.housekeep(NOW_MS + 5_000);
    manager.sync_pending().expect("syncs");
    assert_eq!(log.synced_end_offset(), 1);
    manager.housekeep(NOW_MS + 6_000);
    append(&log, &[b"y"]);
    manager.housekeep(NOW_MS + 10_999);
    manager.sync_pending().expect("syncs");
    assert_eq!(log.synced_end_offset(), 1);
    manager.housekeep(NOW_MS + 11_000);
    manager.sync_pending().expect("syncs");
    assert_eq!(log.synced_end_offset(), 2);
    log.set_config(topic_config(&[("klamm.durability", "page-cache")]));
    append(&log, &[b"z"]);
    log.set_config(topic_config(&[("klamm.durability", "page-cache"), ("flush.ms", "1")]));
    manager.housekeep(NOW_MS + 20_000);
    manager.sync_pending().expect("syncs");
    assert_eq!(log.synced_end_offset(), 3, "a changed setting counts for what is there");
}
