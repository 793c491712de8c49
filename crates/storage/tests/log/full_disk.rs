//! A full disk: appends are refused and nothing else fails, every log can be opened, and it all goes on with space.

use std::sync::Arc;

use config::TopicConfig;
use protocol::{ErrorCode, Uuid};
use storage::disk::{CrashStyle, SimDisk};
use storage::{AppendOrigin, LogManager, PartitionLog};

use crate::harness::*;

/// Of which 16 KiB are the reserve.
const CAPACITY: u64 = 1024 * 1024;
const RESERVE: u64 = CAPACITY / 64;

fn config() -> Arc<TopicConfig> {
    topic_config(&[
        ("internal.segment.bytes", "60000"),
        ("index.interval.bytes", "200"),
        ("retention.bytes", "60000"),
    ])
}

fn small_disk() -> (SimDisk, LogManager, Arc<PartitionLog>) {
    let disk = SimDisk::new();
    disk.set_capacity(Some(CAPACITY));
    let (manager, _) = start(&disk, config()).expect("starts");
    manager.housekeep(NOW_MS);
    let log = manager.get_or_create("t", 0, Some(Uuid::from_u128(7)), config(), NOW_MS).expect("creates");
    (disk, manager, log)
}

fn value(i: i64) -> Vec<u8> {
    let mut value = vec![b'x'; 900];
    value[..8].copy_from_slice(&i.to_be_bytes());
    value
}

fn try_append(log: &Arc<PartitionLog>) -> Result<i64, ErrorCode> {
    let records = batch(NOW_MS, &[&value(log.log_end_offset())]);
    let info = log.append_as_leader(&records, 0, AppendOrigin::Client, NOW_MS);
    info.map(|info| info.first_offset).map_err(|error| error.error_code)
}

/// Appends until the disk is full; returns how many records there are.
fn fill(log: &Arc<PartitionLog>) -> i64 {
    loop {
        if let Err(error) = try_append(log) {
            assert_eq!(error, ErrorCode::KafkaStorageError);
            return log.log_end_offset();
        }
    }
}

fn check_all(log: &PartitionLog, end: i64) {
    assert_eq!(log.log_end_offset(), end);
    let found = read_all(log, log.log_start_offset(), end).expect("reads");
    let expected: Vec<_> = (log.log_start_offset()..end).map(|i| (i, value(i))).collect();
    assert_eq!(found, expected);
}

#[test]
fn appends_are_refused_until_space_returns_and_reads_go_on() {
    let (disk, manager, log) = small_disk();
    let end = fill(&log);
    assert!(disk.used() > CAPACITY - 1000 && end > 1000, "{end} records take {} bytes", disk.used());
    manager.sync_pending().expect("syncs what was appended");
    assert_eq!(log.durable_end_offset(), end);
    for second in 1..5 {
        manager.housekeep(NOW_MS + second * 60_000);
        assert_eq!(try_append(&log), Err(ErrorCode::KafkaStorageError));
        check_all(&log, end);
    }
    assert!(!log.directory().is_offline());
    // A little space is not enough to begin again, only to stop again.
    disk.set_capacity(Some(CAPACITY + RESERVE / 2));
    manager.housekeep(NOW_MS + 300_000);
    assert_eq!(try_append(&log), Err(ErrorCode::KafkaStorageError));
    disk.set_capacity(Some(CAPACITY * 2));
    manager.housekeep(NOW_MS + 360_000);
    assert_eq!(try_append(&log), Ok(end));
    let end = fill(&log);
    manager.sync_pending().expect("syncs");
    check_all(&log, end);
}

#[test]
fn retention_makes_space_on_a_full_disk() {
    let (_disk, manager, log) = small_disk();
    let end = fill(&log);
    manager.sync_pending().expect("syncs");
    log.set_high_watermark(end);
    assert!(manager.delete_old_segments(NOW_MS) > 10);
    check_all(&log, end);
    manager.checkpoint_log_start_offsets().expect("writes");
    manager.housekeep(NOW_MS + 60_000);
    manager.housekeep(NOW_MS + 120_000);
    assert_eq!(try_append(&log), Ok(end));
    check_all(&log, end + 1);
}

#[test]
fn a_full_disk_does_not_keep_a_node_from_stopping_cleanly_and_starting_again() {
    let (disk, manager, log) = small_disk();
    let other = manager.get_or_create("u", 0, Some(Uuid::from_u128(8)), config(), NOW_MS).expect("creates");
    try_append(&other).expect("appends");
    let end = fill(&log);
    manager
        .get_or_create("v", 0, Some(Uuid::from_u128(9)), config(), NOW_MS)
        .expect("creates from the reserve");
    manager.checkpoint_recovery_points().expect("writes from the reserve");
    manager.checkpoint_high_watermarks().expect("writes from the reserve");
    manager.shutdown(1).expect("stops cleanly");
    drop((manager, log, other));
    let (manager, report) = start(&disk, config()).expect("starts");
    assert!(report.failed.is_empty() && manager.was_clean_shutdown());
    check_all(&manager.log("t", 0).expect("is there"), end);
    check_all(&manager.log("u", 0).expect("is there"), 1);
    manager.housekeep(NOW_MS);
    let log = manager.log("t", 0).expect("is there");
    assert_eq!(try_append(&log), Err(ErrorCode::KafkaStorageError));
    disk.set_capacity(None);
    manager.housekeep(NOW_MS + 60_000);
    let end = log.log_end_offset();
    assert_eq!(try_append(&log), Ok(end));
    check_all(&log, end + 1);
}

#[test]
fn every_crash_of_a_full_disk_leaves_logs_that_open_while_it_is_full() {
    for seed in 0..60 {
        let (disk, manager, log) = small_disk();
        let mut durable = 0;
        while let Ok(offset) = try_append(&log) {
            if offset % 150 == 149 {
                manager.sync_pending().expect("syncs");
                durable = log.durable_end_offset();
            }
        }
        if seed % 3 == 0 {
            manager.checkpoint_recovery_points().expect("writes from the reserve");
            durable = durable.max(log.synced_end_offset());
        }
        let style = match seed {
            0 => CrashStyle::KeepAll,
            1 => CrashStyle::DropAll,
            seed => CrashStyle::Seeded(seed),
        };
        let image = disk.crash_image(style);
        // Not a byte more than what is there.
        image.set_capacity(Some(image.used()));
        let (manager, report) = start(&image, config()).expect("starts");
        assert!(report.failed.is_empty(), "{seed}: {:?}", report.failed);
        let log = manager.log("t", 0).expect("is there");
        let end = log.log_end_offset();
        assert!(end >= durable, "{seed}: {end} < {durable}");
        check_all(&log, end);
        manager.housekeep(NOW_MS);
        fill(&log);
        image.set_capacity(None);
        manager.housekeep(NOW_MS + 60_000);
        let end = log.log_end_offset();
        assert_eq!(try_append(&log), Ok(end), "{seed}");
        manager.shutdown(1).expect("stops cleanly");
    }
}

#[test]
fn the_metadata_log_goes_on_when_the_disk_is_full() {
    let disk = SimDisk::new();
    disk.set_capacity(Some(CAPACITY));
    let manager = LogManager::open(Arc::new(disk.clone()), manager_config(&["/data"]), &mut random_ids())
        .expect("opens");
    let metadata = manager.metadata_log(Uuid::from_u128(1), config(), NOW_MS).expect("opens");
    manager.load_logs(&|_| config(), NOW_MS).expect("loads");
    manager.housekeep(NOW_MS);
    let log = manager.get_or_create("t", 0, None, config(), NOW_MS).expect("creates");
    fill(&log);
    for _ in 0..5 {
        let mut builder = records::BatchBuilder::new(metadata.log_end_offset());
        builder.append(NOW_MS, None, Some(&value(0)), &[]);
        metadata.append_as_follower(&builder.build(), NOW_MS).expect("fits into the reserve");
        metadata.flush().expect("syncs");
        assert_eq!(try_append(&log), Err(ErrorCode::KafkaStorageError), "the reserve is not for records");
    }
    disk.set_capacity(Some(CAPACITY * 2));
    manager.housekeep(NOW_MS + 60_000);
    try_append(&log).expect("appends");
}
