//! Logs on their way to another log directory: power cuts at every step, failing disks, what the next start finds.

use std::sync::Arc;

use protocol::Uuid;
use storage::disk::{CrashStyle, Disk, SimDisk};
use storage::{LogManager, PartitionLog, StorageError};

use crate::harness::*;

const DIRECTORIES: [&str; 2] = ["/a", "/b"];
const COUNT: i64 = 40;

/// A log in `/a` with durable records, and a complete copy of it in `/b`.
fn copied(disk: &SimDisk) -> Result<(LogManager, Arc<PartitionLog>), StorageError> {
    let (manager, _) = start_in(Arc::new(disk.clone()), &DIRECTORIES, small_segments())?;
    let log = manager.get_or_create("t", 0, Some(Uuid::from_u128(7)), small_segments(), NOW_MS)?;
    for number in 0..COUNT {
        append(&log, &[format!("value {number} {}", "x".repeat(100)).as_bytes()]);
    }
    log.flush()?;
    log.set_high_watermark(COUNT);
    let to = manager.directories()[1].clone();
    let future = manager.begin_move(("t", 0), &to, 11, NOW_MS)?;
    while future.log_end_offset() < log.log_end_offset() {
        let bytes = log.read_bytes(future.log_end_offset(), 700, COUNT).expect("reads");
        future
            .append_as_follower(&bytes, NOW_MS)
            .map_err(|error| StorageError::Mismatch(error.to_string()))?;
    }
    Ok((manager, log))
}

fn check(disk: &SimDisk, when: &str) -> usize {
    let (manager, report) = start_in(Arc::new(disk.clone()), &DIRECTORIES, small_segments()).expect("starts");
    assert!(report.failed.is_empty(), "{when}: {:?}", report.failed);
    let log = manager.log("t", 0).unwrap_or_else(|| panic!("{when}: the log is gone"));
    assert_eq!(read_all(&log, 0, COUNT).expect("reads").len() as i64, COUNT, "{when}");
    assert_eq!((log.log_end_offset(), log.topic_id()), (COUNT, Some(Uuid::from_u128(7))), "{when}");
    let place = usize::from(log.directory().path().ends_with("b"));
    // Whatever is left of the move is taken up again, or nothing is.
    for unfinished in manager.unfinished_moves() {
        assert_eq!((unfinished.topic.as_str(), unfinished.partition, place), ("t", 0, 0), "{when}");
    }
    append(&log, &[b"goes on"]);
    place
}

#[test]
fn power_cuts_leave_one_whole_log() {
    let disk = SimDisk::new();
    let (manager, _log) = copied(&disk).expect("copies");
    let before = disk.operations();
    let moved = manager.complete_move("t", 0, 12, NOW_MS).expect("moves");
    assert_eq!(read_all(&moved, 0, COUNT).expect("reads").len() as i64, COUNT);
    let after = disk.operations();
    manager.shutdown(5).expect("stops");
    assert_eq!(check(&disk.crash_image(CrashStyle::DropAll), "after a clean stop"), 1);

    let (seeds, mut places) = (crash_seeds(2), [0_u64; 2]);
    for cut in before..after {
        let disk = SimDisk::new();
        let (manager, _log) = copied(&disk).expect("copies");
        disk.power_off_at(cut);
        let moved = manager.complete_move("t", 0, 12, NOW_MS);
        drop((moved, manager));
        for style in crash_styles(cut, seeds) {
            places[check(&disk.crash_image(style), &format!("cut {cut}, {style:?}"))] += 1;
        }
    }
    println!("{} crash images of a move recovered", places.iter().sum::<u64>());
    assert!(places.iter().all(|count| *count > 0), "{places:?}");
}

#[test]
fn a_move_that_was_cut_is_found_and_one_that_ended_is_not() {
    let disk = SimDisk::new();
    drop(copied(&disk).expect("copies"));
    let (manager, _) = start_in(Arc::new(disk.clone()), &DIRECTORIES, small_segments()).expect("starts");
    let unfinished = manager.unfinished_moves();
    assert_eq!(unfinished.len(), 1);
    manager.begin_move(("t", 0), &unfinished[0].directory, 13, NOW_MS).expect("begins anew");
    // What the last attempt has left goes with the next upkeep.
    manager.housekeep(NOW_MS);
    assert!(manager.future_log("t", 0).is_some() && manager.unfinished_moves().is_empty());
    assert!(manager.cancel_move("t", 0, 14, NOW_MS) && !manager.cancel_move("t", 0, 15, NOW_MS));
    manager.housekeep(NOW_MS + 1);
    let left = disk.list(std::path::Path::new("/b")).expect("lists");
    assert!(!left.iter().any(|entry| entry.is_directory), "{left:?}");
    assert!(manager.log("t", 0).is_some());
}
