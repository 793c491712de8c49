//! Log directories: identity, locks, what is created and deleted, what is left alone.

use std::path::Path;
use std::sync::Arc;

use protocol::Uuid;
use storage::disk::{Disk, OpenMode, SimDisk};
use storage::{LogManager, StorageError};

use crate::harness::*;

fn open(disk: &SimDisk, directories: &[&str], node_id: i32) -> Result<LogManager, StorageError> {
    let config = storage::LogManagerConfig { node_id, ..manager_config(directories) };
    LogManager::open(Arc::new(disk.clone()), config, &mut random_ids())
}

#[test]
fn a_first_start_gives_ids_and_later_ones_keep_them() {
    let disk = SimDisk::new();
    let manager = open(&disk, &["/a", "/b"], 5).expect("opens");
    let ids: Vec<Uuid> = manager.directories().iter().map(|directory| directory.id()).collect();
    assert_ne!(ids[0], ids[1]);
    let cluster_id = manager.cluster_id().to_owned();
    let text = String::from_utf8(contents(&disk, "/a/meta.properties")).expect("text");
    let expected = format!("cluster.id={cluster_id}\ndirectory.id={}\nnode.id=5\nversion=1\n", ids[0]);
    assert_eq!(text, expected);
    manager.shutdown(42).expect("stops");
    assert_eq!(contents(&disk, "/b/.kafka_cleanshutdown"), br#"{"version":0,"brokerEpoch":42}"#);
    let manager = open(&disk, &["/a", "/b"], 5).expect("opens");
    assert_eq!(manager.cluster_id(), cluster_id);
    assert_eq!(manager.directories().iter().map(|directory| directory.id()).collect::<Vec<_>>(), ids);
    assert!(manager.was_clean_shutdown());
    assert_eq!(manager.previous_broker_epoch(), Some(42));
    assert!(!names(&disk, "/a").contains(&".kafka_cleanshutdown".to_owned()), "the mark is taken");
}

#[test]
fn what_does_not_belong_here_is_an_error() {
    let disk = SimDisk::new();
    let manager = open(&disk, &["/a"], 5).expect("opens");
    assert!(matches!(open(&disk, &["/a"], 5), Err(StorageError::Locked { .. })));
    drop(manager);
    let error = open(&disk, &["/a"], 6).err().expect("another node's");
    assert!(error.to_string().contains("belongs to node 5"), "{error}");
    drop(open(&disk, &["/other"], 5).expect("opens"));
    let text = contents(&disk, "/other/meta.properties");
    let text = String::from_utf8(text).expect("text").replace("cluster.id=", "cluster.id=x");
    disk.damage(Path::new("/other/meta.properties"), 0, text.as_bytes()).expect("writes");
    let error = open(&disk, &["/a", "/other"], 5).err().expect("two clusters");
    assert!(error.to_string().contains("belongs to cluster x"), "{error}");
    disk.damage(Path::new("/a/meta.properties"), 0, b"version=9\n#").expect("damages");
    assert!(matches!(open(&disk, &["/a"], 5), Err(StorageError::Damaged { .. })));
}

#[test]
fn a_new_log_is_on_disk_from_its_first_record_on() {
    let (disk, manager, log) = new_log(topic_config(&[]));
    assert!(!names(&disk, "/data").contains(&"t-0".to_owned()));
    append(&log, &[b"a"]);
    assert_eq!(names(&disk, "/data/t-0"), ["00000000000000000000.log", "partition.metadata"]);
    assert_eq!(
        contents(&disk, "/data/t-0/partition.metadata"),
        b"version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAABw"
    );
    manager.shutdown(1).expect("stops");
    let expected = [
        "00000000000000000000.index",
        "00000000000000000000.log",
        "00000000000000000000.timeindex",
        "00000000000000000001.snapshot",
        "leader-epoch-checkpoint",
        "partition.metadata",
    ];
    assert_eq!(names(&disk, "/data/t-0"), expected);
    assert_eq!(contents(&disk, "/data/recovery-point-offset-checkpoint"), b"0\n1\nt 0 1\n");
    let (manager, _) = start(&disk, topic_config(&[])).expect("starts");
    let log = manager.log("t", 0).expect("is there");
    assert_eq!(log.topic_id(), Some(Uuid::from_u128(7)));
    log.assign_topic_id(Uuid::from_u128(8)).expect_err("another id");
}

#[test]
fn a_log_without_records_leaves_nothing_behind() {
    let (disk, manager, log) = new_log(topic_config(&[]));
    manager.housekeep(NOW_MS);
    manager.checkpoint_recovery_points().expect("writes");
    manager.checkpoint_high_watermarks().expect("writes");
    assert_eq!(contents(&disk, "/data/recovery-point-offset-checkpoint"), b"0\n0\n");
    log.truncate_to(0, NOW_MS).expect("nothing to cut");
    assert!(manager.delete("t", 0, 0xabc, NOW_MS).expect("deletes"));
    assert!(!names(&disk, "/data").iter().any(|name| name.starts_with("t-0")));
    let again = manager.get_or_create("t", 0, None, topic_config(&[]), NOW_MS).expect("creates");
    drop((log, again));
    manager.shutdown(1).expect("stops");
    assert!(!names(&disk, "/data").contains(&"t-0".to_owned()));
    let (manager, report) = start(&disk, topic_config(&[])).expect("starts");
    assert_eq!((report.opened, report.failed.len()), (0, 0));
    assert!(manager.log("t", 0).is_none());
}

#[test]
fn a_deleted_log_is_renamed_at_once_and_removed_later() {
    let (disk, manager, log) = new_log(topic_config(&[]));
    append(&log, &[b"a"]);
    manager.sync_pending().expect("syncs");
    assert!(manager.delete("t", 0, 0xabc, NOW_MS).expect("deletes"));
    assert!(!manager.delete("t", 0, 0xabc, NOW_MS).expect("nothing there"));
    let renamed = "t-0.00000000000000000000000000000abc-delete";
    assert!(names(&disk, "/data").contains(&renamed.to_owned()));
    let refused = log.append_as_leader(&batch(NOW_MS, &[b"b"]), 0, storage::AppendOrigin::Client, NOW_MS);
    refused.expect_err("the log is closed");
    manager.housekeep(NOW_MS + 59_999);
    assert!(names(&disk, "/data").contains(&renamed.to_owned()));
    manager.housekeep(NOW_MS + 60_000);
    assert!(!names(&disk, "/data").contains(&renamed.to_owned()));
}

#[test]
fn a_log_created_anew_does_not_inherit_checkpoints_even_through_a_crash() {
    let (disk, manager, log) = new_log(topic_config(&[]));
    for _ in 0..10 {
        append(&log, &[b"a"]);
    }
    manager.sync_pending().expect("syncs");
    log.set_high_watermark(10);
    log.delete_records_before(5, NOW_MS).expect("deletes");
    manager.checkpoint_recovery_points().expect("writes");
    manager.checkpoint_log_start_offsets().expect("writes");
    manager.delete("t", 0, 1, NOW_MS).expect("deletes");
    let image = disk.crash_image(storage::disk::CrashStyle::KeepAll);
    for (disk, manager) in [(disk, manager), {
        let (manager, _) = start(&image, topic_config(&[])).expect("starts");
        (image, manager)
    }] {
        let log = manager.get_or_create("t", 0, None, topic_config(&[]), NOW_MS).expect("creates");
        assert_eq!((log.log_start_offset(), log.log_end_offset()), (0, 0));
        append(&log, &[b"new"]);
        manager.sync_pending().expect("syncs");
        drop((log, manager));
        let (manager, report) = start(&disk, topic_config(&[])).expect("starts");
        assert!(report.failed.is_empty(), "{:?}", report.failed);
        let log = manager.log("t", 0).expect("is there");
        assert_eq!(read_all(&log, 0, 1).expect("reads"), [(0, b"new".to_vec())]);
    }
}

#[test]
fn foreign_names_are_left_alone_and_unfinished_ones_removed() {
    let (disk, manager, log) = new_log(topic_config(&[]));
    append(&log, &[b"a"]);
    manager.shutdown(1).expect("stops");
    for directory in
        ["/data/t-0.0af3-stray", "/data/t-1.0af3-future", "/data/t-2.0af3-delete", "/data/lost+found"]
    {
        disk.create_dir_all(Path::new(directory)).expect("creates");
    }
    for file in ["/data/notes.txt", "/data/t-0/readme", "/data/t-0/00000000000000000000.log.deleted"] {
        disk.open(Path::new(file), OpenMode::Create).expect("creates");
    }
    disk.open(Path::new("/data/t-0/00000000000000000077.index"), OpenMode::Create).expect("creates");
    let (_manager, report) = start(&disk, topic_config(&[])).expect("starts");
    assert_eq!((report.opened, report.failed.len()), (1, 0));
    let there = names(&disk, "/data");
    for name in ["t-0.0af3-stray", "t-1.0af3-future", "lost+found", "notes.txt"] {
        assert!(there.contains(&name.to_owned()), "{name}");
    }
    assert!(!there.contains(&"t-2.0af3-delete".to_owned()));
    let there = names(&disk, "/data/t-0");
    assert!(there.contains(&"readme".to_owned()));
    assert!(!there.iter().any(|name| name.ends_with(".deleted") || name.starts_with("00000000000000000077")));
}

#[test]
fn the_metadata_log_is_opened_on_its_own() {
    let disk = SimDisk::new();
    let config = topic_config(&[]);
    let manager = open(&disk, &["/a"], 1).expect("opens");
    let id = Uuid::METADATA_TOPIC_ID;
    let log = manager.metadata_log(id, Arc::clone(&config), NOW_MS).expect("creates");
    append(&log, &[b"a"]);
    log.flush().expect("syncs");
    assert_eq!(log.durable_end_offset(), 1);
    drop((log, manager));
    let manager = open(&disk, &["/a"], 1).expect("opens");
    let log = manager.metadata_log(id, Arc::clone(&config), NOW_MS).expect("opens");
    assert_eq!((log.log_end_offset(), log.topic_id()), (1, Some(id)));
    let report = manager.load_logs(&|_| Arc::clone(&config), NOW_MS).expect("loads");
    assert_eq!((report.opened, report.failed.len()), (0, 0));
}
