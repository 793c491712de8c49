//! The files of the metadata log's directory, each with any bytes in it: the quorum starts with what is whole, or says why not.

use std::collections::BTreeMap;
use std::io::IoSlice;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use config::{BrokerConfig, Properties};
use protocol::Uuid;
use protocol::metadata_records::{MetadataRecord, TopicRecord};
use quorum::{
    CommittedBatch, InProcessTransport, LoadedSnapshot, MetadataStateMachine, Quorum, QuorumError,
    QuorumHandle, QuorumSettings, QuorumStorage, SnapshotRecords, VoterNode, WallClock, metadata_log_config,
};
use storage::disk::{CrashStyle, Disk, OpenMode, SimDisk};
use storage::{LogManager, LogManagerConfig, StorageError, SyncExecution};

const DIRECTORY: &str = "/data/__cluster_metadata-0";
/// Far beyond what a start takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A metadata log with a snapshot, as a crash has left it, and the files in it.
pub static LEFT_BEHIND: LazyLock<(SimDisk, Vec<PathBuf>)> = LazyLock::new(|| {
    let disk = SimDisk::new();
    fill(&disk).expect("a disk without faults");
    let entries = disk.list(Path::new(DIRECTORY)).expect("it is there").into_iter();
    let files = entries.filter(|entry| !entry.is_directory);
    let files = files.map(|entry| Path::new(DIRECTORY).join(entry.name)).collect();
    (disk, files)
});

/// Takes whatever is committed.
struct Indifferent;

impl MetadataStateMachine for Indifferent {
    fn replay(&mut self, _batch: CommittedBatch) {}

    fn snapshot(&self) -> SnapshotRecords {
        Box::new((0..3).map(topic))
    }

    fn load(&mut self, _snapshot: LoadedSnapshot) {}
}

fn topic(number: u128) -> MetadataRecord {
    let name = format!("topic-{number}-{}", "x".repeat(100));
    MetadataRecord::Topic(TopicRecord { name, topic_id: Uuid::from_u128(number), ..Default::default() })
}

/// A running quorum and what keeps its log open.
struct Running {
    handle: QuorumHandle,
    _manager: LogManager,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.handle.shutdown();
    }
}

fn start(disk: &SimDisk) -> Result<Running, QuorumError> {
    let pairs = [
        ("node.id", "1"),
        ("process.roles", "broker,controller"),
        ("controller.listener.names", "CONTROLLER"),
        ("metadata.log.max.record.bytes.between.snapshots", "1000"),
    ];
    let properties: Properties =
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let config = BrokerConfig::from_properties(&properties).expect("valid");
    let mut settings = LogManagerConfig::new(vec![PathBuf::from("/data")], 1);
    settings.sync = SyncExecution::Manual;
    let storage_error = |error: StorageError| QuorumError::Storage(error.to_string());
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let manager = LogManager::open(disk.clone(), settings, &mut || Uuid::from_u128(1_000));
    let manager = manager.map_err(storage_error)?;
    let log_config = Arc::new(metadata_log_config(&config));
    let log = manager.metadata_log(Uuid::METADATA_TOPIC_ID, log_config, 1).map_err(storage_error)?;
    let voters = BTreeMap::from([(1, VoterNode::default())]);
    let settings = QuorumSettings::new(1, Uuid::from_u128(1_000), voters, WallClock(Arc::new(|| 1)));
    let settings = settings.configured(&config);
    let transport = InProcessTransport::default().endpoint(1);
    let storage = QuorumStorage::new(disk, log);
    let handle = Quorum::start(settings, storage, Box::new(Indifferent), transport)?;
    Ok(Running { handle, _manager: manager })
}

fn fill(disk: &SimDisk) -> Result<(), QuorumError> {
    let running = start(disk)?;
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let deadline = Instant::now() + PATIENCE;
    let mut number = 0;
    let has_snapshot = || {
        let entries = disk.list(Path::new(DIRECTORY)).expect("it is there");
        entries.iter().any(|entry| entry.name.ends_with(".checkpoint"))
    };
    while !has_snapshot() {
        number += 1;
        runtime.block_on(running.handle.propose(vec![topic(number)]))?;
        assert!(Instant::now() < deadline, "no snapshot is ever taken");
    }
    Ok(())
}

/// One byte that picks a file of the metadata log's directory, then what it holds instead.
pub fn metadata_directory(data: &[u8]) {
    let Some((picked, contents)) = data.split_first() else { return };
    let (disk, files) = &*LEFT_BEHIND;
    let disk = disk.crash_image(CrashStyle::KeepAll);
    let path = &files[usize::from(*picked) % files.len()];
    let file = disk.open(path, OpenMode::Truncate).expect("it is there");
    if !contents.is_empty() {
        file.write_at(0, &[IoSlice::new(contents)]).expect("a disk without faults");
    }
    drop(start(&disk));
}
