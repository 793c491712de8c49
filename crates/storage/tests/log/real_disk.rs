//! The real side of the disk seam: regions of files, sync threads, locks, the budget of open files.

use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, mpsc};

use bytes::Bytes;
use config::TopicConfig;
use parking_lot::Mutex;
use protocol::RecordsPart;
use storage::disk::{Disk, OpenMode, RealDisk, write_all_at};
use storage::{
    AppendOrigin, LogManager, LogManagerConfig, LogObserver, PartitionLog, StorageError, SyncExecution,
};

use crate::harness::*;

fn open(directory: &Path, config: &Arc<TopicConfig>, file_budget: usize) -> Result<LogManager, StorageError> {
    let manager_config = LogManagerConfig {
        file_budget,
        sync: SyncExecution::Threads,
        ..LogManagerConfig::new(vec![directory.to_owned()], 1)
    };
    let manager = LogManager::open(Arc::new(RealDisk), manager_config, &mut random_ids())?;
    let report = manager.load_logs(&|_| Arc::clone(config), NOW_MS)?;
    assert!(report.failed.is_empty(), "{:?}", report.failed);
    Ok(manager)
}

#[derive(Debug)]
struct Durable(Mutex<mpsc::Sender<i64>>);

impl LogObserver for Durable {
    fn durable_end_offset_advanced(&self, log: &PartitionLog) {
        let _ = self.0.lock().send(log.durable_end_offset());
    }
}

/// Reads a result wherever it lies.
fn bytes_of(result: &storage::ReadResult) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in &result.records.parts {
        match part {
            RecordsPart::Bytes(part) => bytes.extend_from_slice(part),
            RecordsPart::Region(region) => {
                let mut part = vec![0; region.length];
                region.file.read_exact_at(&mut part, region.position).expect("reads");
                bytes.extend_from_slice(&part);
            }
        }
    }
    bytes
}

#[test]
fn large_reads_are_regions_that_end_at_whole_batches() {
    let directory = tempfile::tempdir().expect("a directory");
    let config = topic_config(&[]);
    let manager = open(directory.path(), &config, 100).expect("opens");
    let log = manager.get_or_create("t", 0, None, Arc::clone(&config), NOW_MS).expect("creates");
    let mut expected = Vec::new();
    for i in 0..200u8 {
        let info = append(&log, &[&vec![i; 3000], &[i; 10]]);
        assert_eq!(info.first_offset, i64::from(i) * 2);
    }
    log.flush().expect("syncs");
    let mut next = 0;
    while next < 400 {
        let result = log.read(next, 100_000, 400, true).expect("reads");
        let [RecordsPart::Region(region)] = result.records.parts.as_slice() else {
            assert!(result.records.len() < 32 * 1024, "only a small rest comes as bytes");
            expected.extend(bytes_of(&result));
            next = result.end_offset;
            continue;
        };
        assert!(region.length <= 100_000);
        let bytes = Bytes::from(bytes_of(&result));
        let mut end = next;
        for batch in records::batches(&bytes) {
            let batch = batch.expect("well formed");
            batch.verify_crc().expect("checksum");
            assert_eq!(batch.header.base_offset, end);
            end = batch.header.next_offset();
        }
        assert_eq!(result.end_offset, end);
        expected.extend_from_slice(&bytes);
        next = end;
    }
    let file = std::fs::read(directory.path().join("t-0/00000000000000000000.log")).expect("reads");
    assert_eq!(file, expected);
    let bounded = log.read(0, 100_000, 21, true).expect("reads");
    assert_eq!(bounded.end_offset, 20, "the bound cuts at a batch");
    assert!(!log.read_would_block(0, 100_000), "just written, so in memory");
}

#[test]
fn the_sync_thread_tells_when_appends_are_durable() {
    let directory = tempfile::tempdir().expect("a directory");
    let config = topic_config(&[]);
    let manager = open(directory.path(), &config, 100).expect("opens");
    let (sender, receiver) = mpsc::channel();
    let observer = Arc::new(Durable(Mutex::new(sender)));
    let create = |partition| manager.get_or_create("t", partition, None, Arc::clone(&config), NOW_MS);
    let logs: Vec<_> = (0..8).map(|partition| create(partition).expect("creates")).collect();
    for log in &logs {
        log.set_observer(Some(observer.clone()));
    }
    std::thread::scope(|scope| {
        for log in &logs {
            scope.spawn(move || {
                for _ in 0..50 {
                    let info = log.append_as_leader(&batch(NOW_MS, &[b"x"]), 0, AppendOrigin::Client, NOW_MS);
                    assert!(info.expect("appends").durable_end_offset <= log.log_end_offset());
                }
            });
        }
    });
    let mut finished = 0;
    while finished < logs.len() {
        let durable = receiver.recv().expect("the thread goes on until all is durable");
        assert!(durable <= 50);
        finished = logs.iter().filter(|log| log.durable_end_offset() == 50).count();
    }
    manager.shutdown(1).expect("stops");
}

#[test]
fn a_log_directory_has_one_user() {
    let directory = tempfile::tempdir().expect("a directory");
    let config = topic_config(&[]);
    let manager = open(directory.path(), &config, 10).expect("opens");
    assert!(matches!(open(directory.path(), &config, 10), Err(StorageError::Locked { .. })));
    drop(manager);
    open(directory.path(), &config, 10).expect("opens again");
}

fn open_files_below(directory: &Path) -> usize {
    let descriptors = std::fs::read_dir("/proc/self/fd").expect("lists");
    let targets = descriptors.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    targets.filter(|target| target.starts_with(directory)).count()
}

#[test]
fn many_logs_share_a_few_open_files() {
    let directory = tempfile::tempdir().expect("a directory");
    let config = topic_config(&[]);
    let manager = open(directory.path(), &config, 20).expect("opens");
    let create = |partition| manager.get_or_create("t", partition, None, Arc::clone(&config), NOW_MS);
    let logs: Vec<_> = (0..100).map(|partition| create(partition).expect("creates")).collect();
    assert!(open_files_below(directory.path()) <= 2, "the lock and the volume: an idle log holds no file");
    for round in 0..2 {
        for log in &logs {
            append(log, &[b"x"]);
            log.flush().expect("syncs");
            assert_eq!(read_all_anywhere(log), round + 1);
        }
    }
    let open_now = open_files_below(directory.path());
    assert!(open_now <= 20 + 3, "{open_now} files are open");
    manager.shutdown(1).expect("stops");
    assert_eq!(open_files_below(directory.path()), 0);
    let manager = open(directory.path(), &config, 20).expect("opens");
    assert_eq!(manager.logs().iter().map(|log| log.log_end_offset()).sum::<i64>(), 200);
    assert!(open_files_below(directory.path()) <= 20 + 3);
}

fn read_all_anywhere(log: &PartitionLog) -> i64 {
    log.read(0, 1 << 20, i64::MAX, true).expect("reads").end_offset
}

#[test]
fn large_writes_arrive_whole_and_in_order() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("f");
    let file = RealDisk.open(&path, OpenMode::Create).expect("opens");
    let parts: Vec<Vec<u8>> = (0..200u32).map(|i| vec![i as u8; (i as usize * 977) % 20_000]).collect();
    let slices: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    write_all_at(file.as_ref(), 3, &slices).expect("writes");
    let written = std::fs::read(&path).expect("reads");
    assert_eq!(written[3..], parts.concat());
}
