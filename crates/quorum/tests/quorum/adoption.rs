//! A metadata log changes hands: power cuts at every step leave it the one's or the other's, whole.

use std::sync::Arc;

use protocol::Uuid;
use quorum::{FoundMetadata, check_ownership, read_metadata_log};
use storage::disk::{CrashStyle, Disk, OpenMode, SimDisk, write_all_at};

use crate::fixture::{Setup, crash_styles, topic};

fn shared(disk: &SimDisk) -> Arc<dyn Disk> {
    Arc::new(disk.clone())
}

fn found(disk: &SimDisk) -> FoundMetadata {
    read_metadata_log(&shared(disk), &Setup::sole(disk).metadata_directory()).unwrap().expect("a log")
}

fn is_refused(disk: &SimDisk) -> bool {
    let setup = Setup::sole(disk);
    let directories = [setup.directory.clone()];
    match check_ownership(&shared(disk), &setup.metadata_directory(), &directories) {
        Ok(_) => false,
        Err(error) => {
            assert!(error.to_string().contains("klamm storage adopt /data"), "{error}");
            true
        }
    }
}

fn take_over(disk: &SimDisk, names: &[String]) -> Result<(), quorum::QuorumError> {
    let directory = Setup::sole(disk).metadata_directory();
    let records = names.iter().map(|name| topic(name)).collect();
    found(disk).take_over(&shared(disk), &directory, (1, Uuid::from_u128(1)), 77, records)
}

fn give_back(disk: &SimDisk, words: &[&str]) -> Result<(), quorum::QuorumError> {
    let words: Vec<_> = words.iter().map(|name| topic(name)).collect();
    found(disk).give_back(&shared(disk), &Setup::sole(disk).metadata_directory(), 77, &words)
}

fn names(disk: &SimDisk) -> Vec<String> {
    Setup::sole(disk).start().unwrap().names()
}

/// A log of somebody else's, with these names in it.
fn foreign(snapshot_bytes: u64) -> (SimDisk, Vec<String>) {
    let disk = SimDisk::new();
    let setup = Setup::sole(&disk)
        .with("metadata.log.max.record.bytes.between.snapshots", snapshot_bytes)
        .with("metadata.max.retention.bytes", 4_000);
    let node = setup.start().unwrap();
    let names: Vec<String> = (0..30).map(|number| format!("{number}-{}", "x".repeat(60))).collect();
    for name in &names {
        node.propose(&[name]).unwrap();
    }
    drop(node);
    give_back(&disk, &[]).unwrap();
    assert!(is_refused(&disk));
    (disk.crash_image(CrashStyle::KeepAll), names)
}

#[test]
fn power_cuts_leave_the_log_to_one_of_them() {
    for snapshot_bytes in [1_500, 1_000_000] {
        let (disk, all) = foreign(snapshot_bytes);
        let before = found(&disk);
        let start = disk.operations();
        take_over(&disk, &all).unwrap();
        let operations = disk.operations() - start;
        assert!(operations >= 6, "{operations}");
        let mut outcomes = [0_u64; 2];
        for cut in 0..operations {
            let (disk, _) = foreign(snapshot_bytes);
            disk.power_off_at(disk.operations() + cut);
            assert!(take_over(&disk, &all).is_err());
            for style in crash_styles(cut) {
                let disk = disk.crash_image(style);
                let refused = is_refused(&disk);
                outcomes[usize::from(refused)] += 1;
                if refused {
                    // Whoever it belonged to reads what was there before, and so does the next attempt.
                    let after = found(&disk);
                    assert_eq!((after.end_offset, after.epoch), (before.end_offset, before.epoch));
                    take_over(&disk, &all).unwrap();
                }
                assert!(!is_refused(&disk));
                assert_eq!(names(&disk), all, "cut {cut}, {style:?}");
            }
        }
        assert!(outcomes.iter().all(|count| *count > 0), "{outcomes:?}");
        println!("{} crash images of a take-over recovered", outcomes.iter().sum::<u64>());
    }
}

#[test]
fn power_cuts_while_it_is_given_back_lose_nothing() {
    let (disk, all) = foreign(1_000_000);
    take_over(&disk, &all).unwrap();
    let start = disk.operations();
    give_back(&disk, &["last"]).unwrap();
    let mut with_last = all.clone();
    with_last.push("last".to_owned());
    let mut images = 0;
    for cut in 0..disk.operations() - start {
        let (disk, _) = foreign(1_000_000);
        take_over(&disk, &all).unwrap();
        disk.power_off_at(disk.operations() + cut);
        assert!(give_back(&disk, &["last"]).is_err());
        for style in crash_styles(cut) {
            let disk = disk.crash_image(style);
            let names = names(&disk);
            assert!(names == all || names == with_last, "cut {cut}, {style:?}: {names:?}");
            images += 1;
        }
    }
    println!("{images} crash images of a log that is given back recovered");
}

#[test]
fn a_log_goes_on_behind_what_was_taken_over() {
    for snapshot_bytes in [1_500, 1_000_000] {
        let (disk, mut all) = foreign(snapshot_bytes);
        let end_offset = found(&disk).end_offset;
        take_over(&disk, &all).unwrap();
        for round in 0..3 {
            let node = Setup::sole(&disk).start().unwrap();
            let name = format!("round {round}");
            assert!(node.propose(&[&name]).unwrap().last_offset >= end_offset);
            all.push(name);
            assert_eq!(node.names(), all);
        }
        give_back(&disk, &["last"]).unwrap();
        all.push("last".to_owned());
        take_over(&disk, &all).unwrap();
        assert_eq!(names(&disk), all);
    }
}

#[test]
fn what_is_missing_is_named() {
    let (disk, _) = foreign(1_000_000);
    let directory = Setup::sole(&disk).metadata_directory();
    let path = directory.join("00000000000000000000.log");
    let length = disk.entry(&path).unwrap().unwrap().length;
    disk.damage(&path, length / 2, &[0xff; 3]).unwrap();
    let error = read_metadata_log(&shared(&disk), &directory).unwrap_err().to_string();
    assert!(error.contains("00000000000000000000.log is damaged at position"), "{error}");

    let (disk, _) = foreign(1_000_000);
    disk.rename(&path, &directory.join("00000000000000000900.log")).unwrap();
    let error = read_metadata_log(&shared(&disk), &directory).unwrap_err().to_string();
    assert!(error.contains("offset 0 where 900 is due"), "{error}");

    let (disk, _) = foreign(1_000_000);
    let snapshot = directory.join("00000000000000000099-0000000001.checkpoint");
    let file = disk.open(&snapshot, OpenMode::Create).unwrap();
    write_all_at(&*file, 0, &[b"nothing of the kind"]).unwrap();
    let error = read_metadata_log(&shared(&disk), &directory).unwrap_err().to_string();
    assert!(error.contains("00000000000000000099-0000000001.checkpoint"), "{error}");

    let disk = SimDisk::new();
    disk.create_dir_all(&directory).unwrap();
    assert!(read_metadata_log(&shared(&disk), &directory).unwrap().is_none());
    assert!(!is_refused(&disk));
    disk.create_dir_all(std::path::Path::new("/data/orders-0")).unwrap();
    assert!(is_refused(&disk));
}
