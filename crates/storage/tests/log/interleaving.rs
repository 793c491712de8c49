//! Upkeep while topics come and go: what one thread does between two steps of another.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;
use protocol::Uuid;
use storage::disk::{CrashStyle, SimDisk};
use storage::{LogManager, PartitionLog};

use crate::compaction::{compacted, put, records_of, settle};
use crate::harness::*;
use crate::hooked_disk::{Call, HookedDisk};

/// How long a call waits for another thread, which may itself have to wait until the call is over.
const CHANCE: Duration = Duration::from_millis(100);

fn start_hooked() -> (SimDisk, HookedDisk, Arc<LogManager>) {
    let sim = SimDisk::new();
    let disk = HookedDisk::new(Arc::new(sim.clone()));
    let (manager, _) = start_in(Arc::new(disk.clone()), &["/data"], topic_config(&[])).expect("starts");
    (sim, disk, Arc::new(manager))
}

fn create(manager: &LogManager) -> Arc<PartitionLog> {
    manager.get_or_create("t", 0, Some(Uuid::from_u128(7)), topic_config(&[]), NOW_MS).expect("creates")
}

/// A log with ten records of which the first nine are deleted.
fn cut_log(manager: &LogManager) -> Arc<PartitionLog> {
    let log = create(manager);
    (0..10).for_each(|_| assert!(!append(&log, &[b"old"]).duplicate));
    manager.sync_pending().expect("syncs");
    log.set_high_watermark(10);
    log.delete_records_before(9, NOW_MS).expect("deletes");
    log
}

/// While a call is held, `other` runs on its own thread as far as it can.
fn meanwhile(
    disk: &HookedDisk,
    call: Call,
    path_end: &str,
    other: impl FnOnce() + Send + 'static,
) -> Arc<Mutex<Option<JoinHandle<()>>>> {
    let thread = Arc::new(Mutex::new(None));
    let slot = Arc::clone(&thread);
    disk.before(call, path_end, move || {
        let (done, is_done) = channel();
        *slot.lock() = Some(std::thread::spawn(move || {
            other();
            let _ = done.send(());
        }));
        assert_ne!(
            is_done.recv_timeout(CHANCE),
            Err(RecvTimeoutError::Disconnected),
            "the other thread panics"
        );
        Ok(())
    });
    thread
}

/// `act`, but for every call after the first.
fn once(act: impl FnOnce() + Send + 'static) -> impl Fn() -> io::Result<()> + Clone + Send + 'static {
    let act = Arc::new(Mutex::new(Some(act)));
    move || {
        let due = act.lock().take();
        due.into_iter().for_each(|act| act());
        Ok(())
    }
}

fn finish(thread: &Mutex<Option<JoinHandle<()>>>) {
    thread.lock().take().expect("the call was made").join().expect("no panic");
}

#[test]
fn a_topic_deleted_while_recovery_points_are_written_leaves_the_directory_in_use() {
    for (call, path_end) in [
        (Call::Open, "t-0/leader-epoch-checkpoint.tmp"),
        (Call::SyncFile, "t-0/leader-epoch-checkpoint.tmp"),
        (Call::Rename, "t-0/leader-epoch-checkpoint.tmp"),
        (Call::SyncDirectory, "t-0"),
    ] {
        let (_, disk, manager) = start_hooked();
        let log = create(&manager);
        append(&log, &[b"a"]);
        manager.sync_pending().expect("syncs");
        let deleting = Arc::clone(&manager);
        let thread = meanwhile(&disk, call, path_end, move || {
            assert!(deleting.delete("t", 0, 1, NOW_MS).expect("deletes"));
        });
        manager.checkpoint_recovery_points().unwrap_or_else(|error| panic!("{call:?}: {error}"));
        finish(&thread);
        assert!(!manager.directories()[0].is_offline(), "{call:?}");
        append(&create(&manager), &[b"new"]);
    }
}

/// Deletes the log's segments, so that the log start offset is told by names that are not durable.
fn cut_wholly(manager: &LogManager) -> Arc<PartitionLog> {
    let log = create(manager);
    (0..10).for_each(|_| assert!(!append_at(&log, NOW_MS - 1, &[b"old"]).duplicate));
    manager.sync_pending().expect("syncs");
    manager.checkpoint_recovery_points().expect("writes");
    log.set_high_watermark(10);
    log.set_config(topic_config(&[("retention.ms", "0")]));
    assert_eq!(log.delete_old_segments(NOW_MS).expect("deletes"), 1);
    log
}

fn recreate(manager: &LogManager) {
    manager.delete("t", 0, 1, NOW_MS).expect("deletes");
    let log = create(manager);
    (0..5).for_each(|_| assert!(!append(&log, &[b"new"]).duplicate));
    manager.sync_pending().expect("syncs");
}

fn assert_successor(disk: &SimDisk, file: &str) {
    let image = disk.crash_image(CrashStyle::DropAll);
    let (manager, _) = start(&image, topic_config(&[])).expect("starts");
    let log = manager.log("t", 0).expect("is there");
    assert_eq!((log.log_start_offset(), log.log_end_offset()), (0, 5), "{file}");
    let found = read_all(&log, 0, 5).expect("reads");
    assert!(found.iter().all(|(_, value)| value == b"new"), "{file}");
}

#[test]
fn a_topic_deleted_while_log_start_offsets_are_written_leaves_the_directory_in_use() {
    let (sim, disk, manager) = start_hooked();
    cut_wholly(&manager);
    let deleting = Arc::clone(&manager);
    let delete = once(move || assert!(deleting.delete("t", 0, 1, NOW_MS).expect("deletes")));
    disk.before(Call::SyncDirectory, "t-0", delete.clone());
    manager.checkpoint_log_start_offsets().expect("writes");
    delete().expect("deletes");
    assert!(!manager.directories()[0].is_offline());
    recreate(&manager);
    assert_successor(&sim, "afterwards");
}

#[test]
fn offsets_of_a_deleted_log_are_never_written_over_those_of_its_successor() {
    type Checkpoint = fn(&LogManager) -> Result<(), storage::StorageError>;
    let checkpoints: [(&str, Checkpoint); 3] = [
        ("log-start-offset-checkpoint", LogManager::checkpoint_log_start_offsets),
        ("replication-offset-checkpoint", LogManager::checkpoint_high_watermarks),
        ("recovery-point-offset-checkpoint", LogManager::checkpoint_recovery_points),
    ];
    for (file, checkpoint) in checkpoints {
        let (sim, disk, manager) = start_hooked();
        cut_log(&manager);
        let recreating = Arc::clone(&manager);
        let thread = meanwhile(&disk, Call::SyncFile, &format!("{file}.tmp"), move || {
            recreate(&recreating);
        });
        checkpoint(&manager).unwrap_or_else(|error| panic!("{file}: {error}"));
        finish(&thread);
        assert!(!manager.directories()[0].is_offline(), "{file}");
        assert_successor(&sim, file);
    }
    let (sim, disk, manager) = start_hooked();
    let log = cut_wholly(&manager);
    (0..5).for_each(|_| assert!(!append(&log, &[b"old"]).duplicate));
    log.set_high_watermark(15);
    assert_eq!(log.delete_records_before(13, NOW_MS).expect("deletes"), Some(13));
    let recreating = Arc::clone(&manager);
    let recreate = once(move || recreate(&recreating));
    disk.before(Call::SyncDirectory, "t-0", recreate.clone());
    manager.checkpoint_log_start_offsets().expect("writes");
    recreate().expect("recreates");
    assert_successor(&sim, "between the collection and the writing");
}

#[test]
fn a_deletion_of_segments_that_is_not_durable_is_in_the_checkpoint() {
    let (sim, _, manager) = start_hooked();
    cut_wholly(&manager);
    manager.checkpoint_log_start_offsets().expect("writes");
    let image = sim.crash_image(CrashStyle::DropAll);
    let (crashed, _) = start(&image, topic_config(&[])).expect("starts");
    let offsets = crashed.log("t", 0).map(|log| (log.log_start_offset(), log.log_end_offset()));
    assert_eq!(offsets, Some((10, 10)), "what was deleted does not come back");
    manager.sync_pending().expect("syncs");
    manager.checkpoint_log_start_offsets().expect("writes");
    assert_eq!(contents(&sim, "/data/log-start-offset-checkpoint"), b"0\n0\n", "the names tell it now");
}

#[test]
fn a_log_that_follows_one_deleted_during_its_compaction_is_compacted_from_its_start() {
    let (_, disk, manager) = start_hooked();
    let create = |manager: &LogManager| {
        let log = manager.get_or_create("t", 0, None, compacted(&[]), NOW_MS).expect("creates");
        log.set_config(compacted(&[]));
        log
    };
    let large = "x".repeat(700);
    let log = create(&manager);
    ["a", "b"].iter().for_each(|key| assert!(put(&log, &[(key, Some(&large))]) >= 0));
    settle(&manager, &log);
    let recreating = Arc::clone(&manager);
    // Nothing of the last segment went, so that its copy is removed again.
    disk.before(Call::Remove, "00000000000000000001.log.cleaned", move || {
        recreating.delete("t", 0, 1, NOW_MS).expect("deletes");
        create(&recreating);
        Ok(())
    });
    assert_eq!(manager.clean_filthiest(NOW_MS), None, "the log is gone");
    let log = manager.log("t", 0).expect("is there");
    assert_eq!(log.log_end_offset(), 0, "another log");
    ["a", "a"].iter().for_each(|key| assert!(put(&log, &[(key, Some(&large))]) >= 0));
    settle(&manager, &log);
    assert_eq!(manager.clean_filthiest(NOW_MS).expect("is due").cleaned_offset, 2);
    assert_eq!(records_of(&log), [(1, "a".to_owned(), Some(large))]);
}
