//! The simulated disk keeps exactly what was synced, and fails when it is told to.

use std::io::{ErrorKind, IoSlice};
use std::path::Path;

use super::*;

fn write(file: &dyn DiskFile, position: u64, bytes: &[u8]) -> io::Result<usize> {
    file.write_at(position, &[IoSlice::new(bytes)])
}

fn content(disk: &SimDisk, path: &str) -> Option<Vec<u8>> {
    crate::disk::read_small_file(disk, Path::new(path), 1 << 20).ok()
}

#[test]
fn a_power_cut_keeps_what_was_synced_and_only_that() {
    let disk = SimDisk::new();
    disk.create_dir_all(Path::new("/a")).expect("create");
    disk.sync_dir(Path::new("/")).expect("sync");
    let file = disk.open(Path::new("/a/f"), OpenMode::Create).expect("open");
    write(file.as_ref(), 0, b"first").expect("write");
    file.sync_data().expect("sync");
    assert_eq!(content(&disk.crash_image(CrashStyle::DropAll), "/a/f"), None, "the name was never synced");
    disk.sync_dir(Path::new("/a")).expect("sync");
    write(file.as_ref(), 5, b"second").expect("write");
    assert_eq!(content(&disk.crash_image(CrashStyle::DropAll), "/a/f"), Some(b"first".to_vec()));
    assert_eq!(content(&disk.crash_image(CrashStyle::KeepAll), "/a/f"), Some(b"firstsecond".to_vec()));
    for seed in 0..200 {
        let after = content(&disk.crash_image(CrashStyle::Seeded(seed)), "/a/f").expect("synced name");
        assert!(after.starts_with(b"first"), "seed {seed}");
    }
}

#[test]
fn seeded_images_show_kept_dropped_and_torn_writes() {
    let disk = SimDisk::new();
    let file = disk.open(Path::new("/f"), OpenMode::Create).expect("open");
    disk.sync_dir(Path::new("/")).expect("sync");
    write(file.as_ref(), 0, &[7; 2000]).expect("write");
    let lengths: Vec<usize> = (0..100)
        .map(|seed| content(&disk.crash_image(CrashStyle::Seeded(seed)), "/f").expect("synced name"))
        .map(|bytes| bytes.iter().filter(|byte| **byte == 7).count())
        .collect();
    assert!(lengths.contains(&0) && lengths.contains(&2000));
    assert!(lengths.iter().any(|length| *length > 0 && *length < 2000));
}

#[test]
fn renames_are_whole_or_not_at_all() {
    let disk = SimDisk::new();
    let file = disk.open(Path::new("/new"), OpenMode::Create).expect("open");
    write(file.as_ref(), 0, b"new").expect("write");
    file.sync_data().expect("sync");
    let old = disk.open(Path::new("/old"), OpenMode::Create).expect("open");
    write(old.as_ref(), 0, b"old").expect("write");
    old.sync_data().expect("sync");
    disk.sync_dir(Path::new("/")).expect("sync");
    disk.rename(Path::new("/new"), Path::new("/old")).expect("rename");
    for seed in 0..50 {
        let image = disk.crash_image(CrashStyle::Seeded(seed));
        let (new, old) = (content(&image, "/new"), content(&image, "/old").expect("always there"));
        assert!((new.is_some() && old == b"old") || (new.is_none() && old == b"new"), "seed {seed}");
    }
}

#[test]
fn faults_strike_the_named_call_once() {
    let disk = SimDisk::new();
    let file = disk.open(Path::new("/f"), OpenMode::Create).expect("open");
    disk.inject(Fault::errno(FaultedCall::Write, "/f", libc::ENOSPC));
    disk.inject(Fault::short_write("/f", 3));
    assert_eq!(write(file.as_ref(), 0, b"abcdef").expect_err("full").kind(), ErrorKind::StorageFull);
    assert_eq!(write(file.as_ref(), 0, b"abcdef").expect("short"), 3);
    assert_eq!(write(file.as_ref(), 3, b"def").expect("whole"), 3);
    disk.power_off_at(disk.operations());
    assert!(write(file.as_ref(), 6, b"x").is_err());
    assert!(file.sync_data().is_err());
    assert!(file.read_at(0, &mut [0; 1]).is_err());
}

#[test]
fn a_lock_has_one_holder() {
    let disk = SimDisk::new();
    let held = disk.lock(Path::new("/.lock")).expect("free");
    assert_eq!(disk.lock(Path::new("/.lock")).expect_err("taken").kind(), ErrorKind::WouldBlock);
    drop(held);
    disk.lock(Path::new("/.lock")).expect("free again");
}
