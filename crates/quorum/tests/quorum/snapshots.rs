//! Snapshots: taken when due, loaded at start, deleted by retention together with the log in front of them.

use std::{path::Path, sync::atomic::Ordering};

use storage::disk::{Disk, SimDisk};

use crate::fixture::{Node, Setup};

fn files(disk: &dyn Disk, directory: &Path, suffix: &str) -> Vec<String> {
    let entries = disk.list(directory).unwrap();
    entries.into_iter().map(|entry| entry.name).filter(|name| name.ends_with(suffix)).collect()
}

fn snapshots(setup: &Setup) -> Vec<String> {
    files(&*setup.disk, &setup.metadata_directory(), ".checkpoint")
}

/// Proposes topics until one more snapshot is there.
fn fill(node: &Node, setup: &Setup, round: usize) -> Vec<String> {
    let before = snapshots(setup);
    let mut proposed = Vec::new();
    let name = |number| format!("topic-{round}-{number}-{}", "x".repeat(100));
    while snapshots(setup).iter().all(|name| before.contains(name)) {
        proposed.push(name(proposed.len()));
        node.propose(&[proposed.last().unwrap()]).unwrap();
        assert!(proposed.len() < 10_000, "no snapshot is ever taken");
    }
    proposed
}

#[test]
fn a_start_loads_the_newest_snapshot_and_replays_the_rest() {
    let setup = Setup::sole(&SimDisk::new()).with("metadata.log.max.record.bytes.between.snapshots", 5_000);
    let node = setup.start().unwrap();
    let mut names = fill(&node, &setup, 0);
    names.extend(fill(&node, &setup, 1));
    names.push("last".to_owned());
    node.propose(&["last"]).unwrap();
    assert!(node.names() == names);
    let end_offset = node.seen.lock().unwrap().end_offset;
    drop(node);
    let newest = snapshots(&setup).pop().unwrap();
    let node = setup.start().unwrap();
    assert!(node.names() == names);
    let seen = node.seen.lock().unwrap();
    assert_eq!(seen.loaded.len(), 1);
    let loaded = &seen.loaded[0];
    assert_eq!(newest, format!("{:020}-{:010}.checkpoint", loaded.end_offset, loaded.epoch));
    assert!(loaded.end_offset > 3 && loaded.last_contained_log_timestamp >= 1_000);
    assert_eq!(seen.batches.first().unwrap().base_offset, loaded.end_offset);
    assert_eq!(seen.batches.last().unwrap().base_offset, end_offset, "the leader change of this start");
}

#[test]
fn retention_deletes_old_snapshots_and_the_log_before_them() {
    let disk = SimDisk::new();
    let setup = Setup::sole(&disk)
        .with("metadata.log.max.record.bytes.between.snapshots", 5_000)
        .with("metadata.max.retention.bytes", 1);
    let node = setup.start().unwrap();
    let mut names = Vec::new();
    for round in 0..4 {
        names.extend(fill(&node, &setup, round));
    }
    node.wait_until("one snapshot is left", |_| snapshots(&setup).len() == 1);
    let first = || files(&disk, &setup.metadata_directory(), ".log").first().cloned().unwrap();
    node.wait_until("the first segment is gone", |_| first() != "00000000000000000000.log");
    assert!(node.names() == names);
    drop(node);
    // Several starts: each counts its entries from the snapshot.
    for run in 0..3 {
        let node = setup.start().unwrap();
        assert!(node.names() == names);
        names.push(format!("run{run}"));
        node.propose(&[names.last().unwrap()]).unwrap();
    }
}

#[test]
fn snapshots_older_than_retention_go() {
    let setup = Setup::sole(&SimDisk::new())
        .with("metadata.log.max.record.bytes.between.snapshots", 3_000)
        .with("metadata.max.retention.ms", 1_000_000);
    let node = setup.start().unwrap();
    fill(&node, &setup, 0);
    fill(&node, &setup, 1);
    assert_eq!(snapshots(&setup).len(), 2);
    let old = snapshots(&setup);
    setup.now_ms.fetch_add(2_000_000, Ordering::Relaxed);
    fill(&node, &setup, 2);
    node.wait_until("the old ones are gone", |_| snapshots(&setup).iter().all(|name| !old.contains(name)));
}

#[test]
fn a_snapshot_is_taken_when_its_time_has_come() {
    let setup = Setup::sole(&SimDisk::new()).with("metadata.log.max.snapshot.interval.ms", 50);
    let node = setup.start().unwrap();
    node.propose(&["a"]).unwrap();
    node.wait_until("a snapshot is taken", |_| !snapshots(&setup).is_empty());
}

#[test]
fn an_unfinished_snapshot_is_removed_and_a_damaged_one_stops_the_start() {
    let disk = SimDisk::new();
    let setup = Setup::sole(&disk).with("metadata.log.max.record.bytes.between.snapshots", 3_000);
    let node = setup.start().unwrap();
    let names = fill(&node, &setup, 0);
    drop(node);
    let directory = setup.metadata_directory();
    let part = directory.join("00000000000000009999-0000000001.checkpoint.part");
    disk.open(&part, storage::disk::OpenMode::Create).unwrap();
    let node = setup.start().unwrap();
    assert!(node.names() == names);
    drop(node);
    assert_eq!(files(&disk, &directory, ".part"), Vec::<String>::new());
    let newest = directory.join(snapshots(&setup).pop().unwrap());
    disk.damage(&newest, 300, &[0xff; 8]).unwrap();
    let error = setup.start().err().expect("a damaged snapshot");
    assert!(error.to_string().contains("metadata log"), "{error}");
}
