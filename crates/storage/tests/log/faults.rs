//! Failing calls: what is refused, what goes offline, and what is still true after the next start.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use protocol::ErrorCode;
use storage::disk::{CrashStyle, Fault, FaultedCall, SimDisk};
use storage::{AppendOrigin, DirectoryObserver, LogDirectory, PartitionLog};

use crate::harness::*;
use crate::hooked_disk::{Call, HookedDisk};

const ENOSPC: i32 = 28;
const EIO: i32 = 5;
const EMFILE: i32 = 24;

fn try_append(log: &Arc<PartitionLog>, value: &[u8]) -> Result<i64, ErrorCode> {
    let info = log.append_as_leader(&batch(NOW_MS, &[value]), 0, AppendOrigin::Client, NOW_MS);
    info.map(|info| info.first_offset).map_err(|error| error.error_code)
}

#[derive(Default)]
struct Failures(AtomicUsize);

impl DirectoryObserver for Failures {
    fn directory_failed(&self, directory: &LogDirectory) {
        assert!(directory.is_offline());
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_full_disk_refuses_the_append_and_recovers_by_itself() {
    let (disk, manager, log) = new_log(topic_config(&[]));
    try_append(&log, b"a").expect("appends");
    disk.inject(Fault::errno(FaultedCall::Write, ".log", ENOSPC));
    assert_eq!(try_append(&log, b"b"), Err(ErrorCode::KafkaStorageError));
    assert!(!log.directory().is_offline(), "nothing was written, so nothing is unknown");
    assert_eq!(
        try_append(&log, b"c"),
        Err(ErrorCode::KafkaStorageError),
        "until somebody has looked for space"
    );
    manager.housekeep(NOW_MS);
    assert_eq!(try_append(&log, b"c"), Ok(1));
    manager.sync_pending().expect("syncs");
    assert_eq!(read_all(&log, 0, 2).expect("reads"), [(0, b"a".to_vec()), (1, b"c".to_vec())]);
}

#[test]
fn a_half_written_append_is_cut_off_when_the_disk_is_full() {
    let (disk, manager, log) = new_log(topic_config(&[]));
    try_append(&log, b"a").expect("appends");
    manager.sync_pending().expect("syncs");
    let length = contents(&disk, "/data/t-0/00000000000000000000.log").len();
    disk.inject(Fault::short_write(".log", 40));
    disk.inject(Fault::errno(FaultedCall::Write, ".log", ENOSPC));
    assert_eq!(try_append(&log, b"b"), Err(ErrorCode::KafkaStorageError));
    assert_eq!(contents(&disk, "/data/t-0/00000000000000000000.log").len(), length, "no half batch stays");
    assert!(!log.directory().is_offline());
    manager.housekeep(NOW_MS);
    assert_eq!(try_append(&log, b"c"), Ok(1));
    manager.sync_pending().expect("syncs");
    assert_eq!(read_all(&log, 0, 2).expect("reads"), [(0, b"a".to_vec()), (1, b"c".to_vec())]);
}

#[test]
fn a_half_written_append_is_cut_off_and_takes_the_directory_offline() {
    let (disk, manager, log) = new_log(topic_config(&[]));
    let failures = Arc::new(Failures::default());
    manager.set_directory_observer(failures.clone());
    try_append(&log, b"a").expect("appends");
    manager.sync_pending().expect("syncs");
    let length = contents(&disk, "/data/t-0/00000000000000000000.log").len();
    disk.inject(Fault::short_write(".log", 40));
    disk.inject(Fault::errno(FaultedCall::Write, ".log", EIO));
    assert_eq!(try_append(&log, b"b"), Err(ErrorCode::KafkaStorageError));
    assert_eq!(contents(&disk, "/data/t-0/00000000000000000000.log").len(), length, "no half batch stays");
    assert!(log.directory().is_offline());
    assert_eq!(failures.0.load(Ordering::SeqCst), 1);
    assert_eq!(try_append(&log, b"c"), Err(ErrorCode::KafkaStorageError));
    let error = log.read(0, 100, 10, true).expect_err("offline");
    assert_eq!(error.error_code(), ErrorCode::KafkaStorageError);
    manager.shutdown(1).expect("nothing is written to it any more");
    let (manager, report) = start(&disk, topic_config(&[])).expect("starts");
    assert!(report.failed.is_empty() && !manager.was_clean_shutdown());
    assert_eq!(manager.log("t", 0).expect("is there").log_end_offset(), 1);
}

#[test]
fn short_writes_are_resumed() {
    let (disk, manager, log) = new_log(topic_config(&[]));
    for bytes in [1, 60, 61, 62, 70] {
        disk.inject(Fault::short_write(".log", bytes));
        try_append(&log, &[b'x'; 200]).expect("the rest follows");
    }
    manager.sync_pending().expect("syncs");
    assert_eq!(read_all(&log, 0, 5).expect("reads").len(), 5);
}

#[test]
fn a_failed_sync_is_never_acknowledged_nor_tried_again() {
    let (disk, manager, log) = new_log(topic_config(&[]));
    try_append(&log, b"a").expect("appends");
    manager.sync_pending().expect("syncs");
    try_append(&log, b"b").expect("appends");
    disk.inject(Fault::errno(FaultedCall::Sync, ".log", EIO));
    manager.sync_pending().expect_err("the disk fails");
    assert_eq!(log.durable_end_offset(), 1);
    manager.sync_pending().expect_err("and stays offline");
    log.flush().expect_err("for everybody");
    assert_eq!(log.durable_end_offset(), 1);
    assert_eq!(try_append(&log, b"c"), Err(ErrorCode::KafkaStorageError));
    let image = disk.crash_image(CrashStyle::DropAll);
    let (manager, _) = start(&image, topic_config(&[])).expect("starts");
    assert_eq!(read_all(&manager.log("t", 0).expect("is there"), 0, 1).expect("reads"), [(0, b"a".to_vec())]);
}

#[test]
fn other_directories_go_on_when_one_fails() {
    let disk = SimDisk::new();
    let config = topic_config(&[]);
    let (manager, _) =
        start_in(Arc::new(disk.clone()), &["/one", "/two"], Arc::clone(&config)).expect("starts");
    let create = |partition| manager.get_or_create("t", partition, None, Arc::clone(&config), NOW_MS);
    let (first, second) = (create(0).expect("creates"), create(1).expect("creates"));
    assert_ne!(first.directory().path(), second.directory().path(), "logs are spread");
    try_append(&first, b"a").expect("appends");
    try_append(&second, b"b").expect("appends");
    disk.inject(Fault::errno(FaultedCall::Sync, "/one/", EIO));
    manager.sync_pending().expect_err("one fails");
    assert_eq!((first.durable_end_offset(), second.durable_end_offset()), (0, 1));
    assert_eq!(try_append(&second, b"c"), Ok(1));
    for partition in 2..5 {
        assert_eq!(create(partition).expect("creates").directory().path(), Path::new("/two"));
    }
}

#[test]
fn every_single_failing_call_leaves_what_was_durable() {
    for call in [FaultedCall::Write, FaultedCall::Sync, FaultedCall::Create, FaultedCall::Rename] {
        for after in 0..60 {
            let (disk, manager, log) = new_log(small_segments());
            disk.inject(Fault { after, ..Fault::errno(call, "/data/", EIO) });
            let mut durable = 0;
            for i in 0..25i64 {
                if try_append(&log, &[b'x'; 150]).is_err() {
                    break;
                }
                if i % 3 == 0 && manager.sync_pending().is_ok() {
                    durable = log.durable_end_offset();
                    log.set_high_watermark(durable);
                }
                manager.housekeep(NOW_MS + i * 30_000);
            }
            let _ = manager.shutdown(1);
            let image = disk.crash_image(CrashStyle::DropAll);
            let (manager, report) = start(&image, small_segments()).expect("starts");
            assert!(report.failed.is_empty(), "{call:?} {after}: {:?}", report.failed);
            let end = manager.log("t", 0).map_or(0, |log| {
                read_all(&log, 0, log.log_end_offset()).expect("reads");
                log.log_end_offset()
            });
            assert!(end >= durable, "{call:?} {after}: {end} < {durable}");
        }
    }
}

#[test]
fn damage_before_the_recovery_point_is_refused_and_nothing_is_cut() {
    let (disk, manager, log) = new_log(small_segments());
    for _ in 0..60 {
        try_append(&log, &[b'x'; 150]).expect("appends");
    }
    manager.sync_pending().expect("syncs");
    manager.checkpoint_recovery_points().expect("writes");
    let active = format!("/data/t-0/{:020}.log", log.active_segment_base_offset());
    let before = contents(&disk, &active);
    drop(manager);
    disk.damage(Path::new(&active), 100, b"!").expect("damages");
    let (manager, report) = start(&disk, small_segments()).expect("the node starts");
    let [failed] = report.failed.as_slice() else { panic!("one log fails: {:?}", report.failed) };
    assert_eq!((failed.topic.as_str(), failed.partition), ("t", 0));
    assert!(failed.error.to_string().contains(".log"), "{}", failed.error);
    assert!(manager.log("t", 0).is_none() && manager.failure("t", 0).is_some());
    manager.get_or_create("t", 0, None, small_segments(), NOW_MS).expect_err("not created over it");
    manager.shutdown(1).expect("stops");
    assert_eq!(contents(&disk, &active).len(), before.len(), "nothing was cut");
    // The stop was clean, but the log must not be trusted for that, nor forgotten.
    let (_manager, report) = start(&disk, small_segments()).expect("starts");
    assert_eq!(report.failed.len(), 1, "still refused");
}

#[test]
fn damaged_indexes_and_snapshots_are_rebuilt_or_passed_over() {
    for kind in ["index", "timeindex", "snapshot"] {
        for is_clean in [true, false] {
            let (disk, manager, log) = new_log(small_segments());
            let expected: Vec<(i64, Vec<u8>)> = (0..60u8)
                .map(|i| {
                    let value = vec![i; 150];
                    (try_append(&log, &value).expect("appends"), value)
                })
                .collect();
            manager.sync_pending().expect("syncs");
            if is_clean {
                manager.shutdown(1).expect("stops");
            } else {
                manager.checkpoint_recovery_points().expect("writes");
            }
            drop((manager, log));
            for name in names(&disk, "/data/t-0").iter().filter(|name| name.ends_with(&format!(".{kind}"))) {
                let path = format!("/data/t-0/{name}");
                let length = contents(&disk, &path).len();
                disk.damage(Path::new(&path), 0, &vec![0xA5; length]).expect("damages");
            }
            let (manager, report) = start(&disk, small_segments()).expect("starts");
            assert!(report.failed.is_empty(), "{kind}: {:?}", report.failed);
            let log = manager.log("t", 0).expect("is there");
            for start in 0..60 {
                let found = read_all(&log, start, 60).expect("reads");
                assert_eq!(found, expected[start as usize..], "{kind}, clean {is_clean}, from {start}");
            }
        }
    }
}

#[test]
fn what_could_not_be_prepared_for_a_recovery_point_is_prepared_for_the_next() {
    let failing = "t-0/00000000000000000011.snapshot";
    let sim = SimDisk::new();
    let disk = HookedDisk::new(Arc::new(sim.clone()));
    let config = topic_config(&[]);
    let (manager, _) = start_in(Arc::new(disk.clone()), &["/data"], Arc::clone(&config)).expect("starts");
    let create = |name| manager.get_or_create(name, 0, None, Arc::clone(&config), NOW_MS).expect("creates");
    let (log, other) = (create("t"), create("u"));
    for epoch in 0..11 {
        let records = batch(NOW_MS, &[b"x"]);
        log.append_as_leader(&records, epoch, AppendOrigin::Client, NOW_MS).expect("appends");
    }
    try_append(&other, b"y").expect("appends");
    log.roll(NOW_MS).expect("rolls");
    manager.sync_pending().expect("syncs");
    disk.before(Call::Open, failing, || Err(std::io::Error::from_raw_os_error(EMFILE)));
    manager.checkpoint_recovery_points().expect("the others go on");
    let text = contents(&sim, "/data/recovery-point-offset-checkpoint");
    assert_eq!(String::from_utf8_lossy(&text), "0\n2\nt 0 0\nu 0 1\n");
    manager.checkpoint_recovery_points().expect("works now");
    let image = sim.crash_image(CrashStyle::DropAll);
    let (manager, _) = start(&image, topic_config(&[])).expect("starts");
    let log = manager.log("t", 0).expect("is there");
    assert_eq!(log.end_offset_for_epoch(4).end_offset, 5, "the epochs are durable");
    assert!(names(&image, "/data/t-0").contains(&"00000000000000000011.snapshot".to_owned()));
}

#[test]
fn a_log_that_cannot_be_read_does_not_end_retention_for_the_others() {
    let config = topic_config(&[("retention.ms", "1000")]);
    let sim = SimDisk::new();
    let (manager, _) = start(&sim, Arc::clone(&config)).expect("starts");
    for name in ["a", "b", "c"] {
        let log = manager.get_or_create(name, 0, None, Arc::clone(&config), NOW_MS).expect("creates");
        try_append(&log, b"x").expect("appends");
        log.roll(NOW_MS).expect("rolls");
        try_append(&log, b"y").expect("appends");
    }
    manager.shutdown(1).expect("stops");
    let (manager, _) = start(&sim, Arc::clone(&config)).expect("starts");
    manager.logs().iter().for_each(|log| assert_eq!(log.set_high_watermark(2), 2));
    sim.inject(Fault::errno(FaultedCall::Read, "/a-0/", EIO));
    assert_eq!(manager.delete_old_segments(NOW_MS + 5000), 4);
    assert_eq!(manager.logs().iter().map(|log| log.log_start_offset()).collect::<Vec<_>>(), [0, 2, 2]);
    assert_eq!(manager.delete_old_segments(NOW_MS + 5000), 2, "the disk can be read again");
}

/// A disk on which the log of t-0 is damaged where a crash cannot have damaged it.
fn damaged_log() -> SimDisk {
    let (disk, manager, log) = new_log(small_segments());
    for _ in 0..60 {
        try_append(&log, &[b'x'; 150]).expect("appends");
    }
    manager.sync_pending().expect("syncs");
    manager.checkpoint_recovery_points().expect("writes");
    let active = format!("/data/t-0/{:020}.log", log.active_segment_base_offset());
    drop(manager);
    disk.damage(Path::new(&active), 100, b"!").expect("damages");
    disk
}

#[test]
fn a_name_can_be_used_again_once_the_log_that_could_not_be_opened_is_deleted_or_set_aside() {
    for is_deleted in [true, false] {
        let disk = damaged_log();
        let (manager, report) = start(&disk, small_segments()).expect("starts");
        assert_eq!(report.failed.len(), 1);
        assert_eq!(manager.failed_logs(), [("t".to_owned(), 0, Some(protocol::Uuid::from_u128(7)))]);
        if is_deleted {
            assert!(manager.delete("t", 0, 0xabc, NOW_MS).expect("deletes"));
            assert!(!manager.delete("t", 0, 0xabc, NOW_MS).expect("nothing there"));
            manager.housekeep(NOW_MS);
            assert!(names(&disk, "/data").iter().all(|name| !name.starts_with("t-0")));
        } else {
            let kept = manager.set_aside("t", 0, 0xabc).expect("renames");
            assert!(kept.to_string_lossy().ends_with("-stray"), "{}", kept.display());
            assert!(!names(&disk, &kept.to_string_lossy()).is_empty(), "the files are kept");
        }
        assert!(manager.failure("t", 0).is_none());
        let log = manager.get_or_create("t", 0, None, small_segments(), NOW_MS).expect("creates");
        assert_eq!(try_append(&log, b"new"), Ok(0));
        manager.shutdown(1).expect("stops");
        let (manager, report) = start(&disk, small_segments()).expect("starts");
        assert!(report.failed.is_empty() && manager.was_clean_shutdown());
        let log = manager.log("t", 0).expect("is there");
        assert_eq!((log.log_start_offset(), log.log_end_offset()), (0, 1));
    }
}
