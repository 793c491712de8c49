//! What the tests share: a node's logs on a disk, batches to append, and reading them back with every check.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use config::{BrokerConfig, Properties, TopicConfig};
use protocol::Uuid;
use records::{BatchBuilder, batches};
use storage::disk::{CrashStyle, Disk, SimDisk};
use storage::{
    AppendOrigin, LoadReport, LogManager, LogManagerConfig, PartitionLog, ReadError, StorageError,
    SyncExecution,
};

/// The time of every test that does not care.
pub const NOW_MS: i64 = 1_700_000_000_000;

pub fn topic_config(pairs: &[(&str, &str)]) -> Arc<TopicConfig> {
    let node = [
        ("node.id", "1"),
        ("process.roles", "broker,controller"),
        ("controller.listener.names", "CONTROLLER"),
    ];
    let broker = BrokerConfig::from_properties(&properties(&node)).expect("valid");
    Arc::new(TopicConfig::resolve(&broker, &properties(pairs)))
}

fn properties(pairs: &[(&str, &str)]) -> Properties {
    pairs.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
}

/// `KLAMM_CRASH_SEEDS`: how many images with writes torn, kept and reordered by chance are taken at each boundary.
pub fn crash_seeds(by_default: u64) -> u64 {
    std::env::var("KLAMM_CRASH_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(by_default)
}

/// What a power cut at one boundary may leave.
pub fn crash_styles(boundary: u64, seeds: u64) -> impl Iterator<Item = CrashStyle> {
    let seeded = (0..seeds).map(move |seed| CrashStyle::Seeded(boundary * 100_000 + seed));
    [CrashStyle::KeepAll, CrashStyle::DropAll].into_iter().chain(seeded)
}

/// Small segments and a dense index, so that a few kilobytes show everything.
pub fn small_segments() -> Arc<TopicConfig> {
    topic_config(&[("internal.segment.bytes", "2000"), ("index.interval.bytes", "200")])
}

pub fn random_ids() -> impl FnMut() -> Uuid {
    let mut last = 0x1234_5678_u128 << 64;
    move || {
        last += 1;
        Uuid::from_u128(last)
    }
}

pub fn manager_config(directories: &[&str]) -> LogManagerConfig {
    let directories = directories.iter().map(PathBuf::from).collect();
    LogManagerConfig {
        sync: SyncExecution::Manual,
        recovery_threads_per_directory: 1,
        journal_bytes: 64 * 1024,
        ..LogManagerConfig::new(directories, 1)
    }
}

/// A log manager on `/data` with every log loaded.
pub fn start(disk: &SimDisk, config: Arc<TopicConfig>) -> Result<(LogManager, LoadReport), StorageError> {
    start_in(Arc::new(disk.clone()), &["/data"], config)
}

pub fn start_in(
    disk: Arc<dyn Disk>,
    directories: &[&str],
    config: Arc<TopicConfig>,
) -> Result<(LogManager, LoadReport), StorageError> {
    let manager = LogManager::open(disk, manager_config(directories), &mut random_ids())?;
    let report = manager.load_logs(&|_| Arc::clone(&config), NOW_MS)?;
    Ok((manager, report))
}

pub fn new_log(config: Arc<TopicConfig>) -> (SimDisk, LogManager, Arc<PartitionLog>) {
    let disk = SimDisk::new();
    let (manager, _) = start(&disk, Arc::clone(&config)).expect("starts");
    let log = manager.get_or_create("t", 0, Some(Uuid::from_u128(7)), config, NOW_MS).expect("creates");
    (disk, manager, log)
}

/// A batch as a client sends it, with one record for each value.
pub fn batch(timestamp: i64, values: &[&[u8]]) -> Bytes {
    let mut builder = BatchBuilder::new(0);
    for value in values {
        builder.append(timestamp, None, Some(value), &[]);
    }
    builder.build()
}

pub fn append(log: &Arc<PartitionLog>, values: &[&[u8]]) -> storage::AppendInfo {
    append_at(log, NOW_MS, values)
}

pub fn append_at(log: &Arc<PartitionLog>, timestamp: i64, values: &[&[u8]]) -> storage::AppendInfo {
    log.append_as_leader(&batch(timestamp, values), 0, AppendOrigin::Client, NOW_MS).expect("appends")
}

/// Everything from `start` up to `end`, batch by batch as a consumer fetches it: offset and value. Every checksum
/// is verified, offsets must be dense.
pub fn read_all(log: &PartitionLog, start: i64, end: i64) -> Result<Vec<(i64, Vec<u8>)>, ReadError> {
    let mut found = Vec::new();
    let mut next = start;
    while next < end {
        let result = log.read(next, 700, end, true)?;
        let bytes = result.records.to_bytes().expect("a simulated disk gives bytes");
        assert!(!bytes.is_empty(), "nothing at offset {next} of {log:?}, below {end}");
        for batch in batches(&bytes) {
            let batch = batch.expect("well formed");
            batch.verify_crc().expect("no wrong bytes are served");
            assert!(batch.header.last_offset() >= next, "a batch before the one asked for");
            for record in batch.records(1 << 20).expect("decompresses") {
                let record = record.expect("well formed");
                if record.offset >= next {
                    assert_eq!(record.offset, next, "offsets are dense");
                    found.push((record.offset, record.value.expect("has a value").to_vec()));
                    next += 1;
                }
            }
        }
        assert_eq!(result.end_offset, next, "the end offset is where the batches end");
    }
    Ok(found)
}

/// The names in a directory of a simulated disk.
pub fn names(disk: &SimDisk, path: &str) -> Vec<String> {
    disk.list(Path::new(path)).expect("lists").into_iter().map(|entry| entry.name).collect()
}

pub fn contents(disk: &SimDisk, path: &str) -> Vec<u8> {
    storage::disk::read_small_file(disk, Path::new(path), 1 << 20).expect("reads")
}
