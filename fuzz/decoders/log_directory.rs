//! The files of a log directory, each with any bytes in it: a start refuses or repairs them, and what is served then is whole.

use std::io::IoSlice;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use config::{BrokerConfig, Properties, TopicConfig};
use protocol::Uuid;
use records::{BatchBuilder, batches};
use storage::disk::{CrashStyle, Disk, OpenMode, SimDisk};
use storage::{AppendOrigin, LogManager, LogManagerConfig, StorageError, SyncExecution};

const NOW_MS: i64 = 1_700_000_000_000;
const DIRECTORY: &str = "/data";

/// A directory that a node has left cleanly, and the files in it.
pub static LEFT_BEHIND: LazyLock<(SimDisk, Vec<PathBuf>)> = LazyLock::new(|| {
    let disk = SimDisk::new();
    fill(&disk).expect("a disk without faults");
    let mut files = files_in(&disk, Path::new(DIRECTORY));
    files.extend(files_in(&disk, &Path::new(DIRECTORY).join("t-0")));
    files.retain(|path| !path.ends_with(".lock"));
    (disk, files)
});

fn topic_config() -> Arc<TopicConfig> {
    let text = |pairs: &[(&str, &str)]| -> Properties {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    };
    let node = [
        ("node.id", "1"),
        ("process.roles", "broker,controller"),
        ("controller.listener.names", "CONTROLLER"),
    ];
    let broker = BrokerConfig::from_properties(&text(&node)).expect("valid");
    let small = [("internal.segment.bytes", "2000"), ("index.interval.bytes", "200")];
    Arc::new(TopicConfig::resolve(&broker, &text(&small)))
}

fn open(disk: &SimDisk) -> Result<LogManager, StorageError> {
    let config = LogManagerConfig {
        sync: SyncExecution::Manual,
        recovery_threads_per_directory: 1,
        ..LogManagerConfig::new(vec![PathBuf::from(DIRECTORY)], 1)
    };
    let mut last = 1_000_u128;
    let mut random_id = || {
        last += 1;
        Uuid::from_u128(last)
    };
    let manager = LogManager::open(Arc::new(disk.clone()), config, &mut random_id)?;
    let topic_config = topic_config();
    manager.load_logs(&|_| topic_config.clone(), NOW_MS)?;
    Ok(manager)
}

/// Two segments of an idempotent and a transactional producer, with an aborted transaction.
fn fill(disk: &SimDisk) -> Result<(), StorageError> {
    let manager = open(disk)?;
    let log = manager.get_or_create("t", 0, Some(Uuid::from_u128(7)), topic_config(), NOW_MS)?;
    for number in 0..20_i32 {
        let mut builder = BatchBuilder::new(0).producer(9, 0, number);
        builder.append(NOW_MS + i64::from(number), None, Some(&[7; 150]), &[]);
        let appended = log.append_as_leader(&builder.build(), number / 7, AppendOrigin::Client, NOW_MS);
        appended.expect("a disk without faults");
    }
    manager.shutdown(42)
}

fn files_in(disk: &SimDisk, directory: &Path) -> Vec<PathBuf> {
    let entries = disk.list(directory).expect("it is there").into_iter();
    entries.filter(|entry| !entry.is_directory).map(|entry| directory.join(entry.name)).collect()
}

/// One byte that picks a file of a directory that was left cleanly, then what it holds instead.
pub fn log_directory(data: &[u8]) {
    let Some((picked, contents)) = data.split_first() else { return };
    let (disk, files) = &*LEFT_BEHIND;
    let disk = disk.crash_image(CrashStyle::KeepAll);
    let path = &files[usize::from(*picked) % files.len()];
    let file = disk.open(path, OpenMode::Truncate).expect("it is there");
    if !contents.is_empty() {
        file.write_at(0, &[IoSlice::new(contents)]).expect("a disk without faults");
    }
    let Ok(manager) = open(&disk) else { return };
    for log in manager.logs() {
        read(&log);
    }
    // What was repaired is not damaged for the next start.
    drop(manager);
    open(&disk).expect("a start that went well once goes well again");
}

fn read(log: &storage::PartitionLog) {
    let end = log.log_end_offset();
    let mut next = log.log_start_offset();
    while next < end {
        // Damage that is met is told, and nothing is served in its place.
        let Ok(found) = log.read(next, 700, end, true) else { break };
        let bytes = found.records.to_bytes().expect("a simulated disk gives bytes");
        assert!(!bytes.is_empty(), "nothing at offset {next}, below {end}");
        for batch in batches(&bytes) {
            let batch = batch.expect("whole batches");
            batch.verify_crc().expect("no wrong bytes are served");
            let header = batch.header;
            assert!(
                header.base_offset <= next && next <= header.last_offset(),
                "{header:?} at offset {next}"
            );
            next = header.last_offset() + 1;
        }
    }
    for timestamp in [0, NOW_MS + 7, i64::MAX] {
        if let Ok(Some(found)) = log.offset_for_timestamp(timestamp) {
            assert!(found.timestamp >= timestamp && found.offset < end, "{found:?} for {timestamp}");
        }
    }
    let _ = log.end_offset_for_epoch(1);
}
