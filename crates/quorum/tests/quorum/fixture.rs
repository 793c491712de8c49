//! A node of a quorum on a simulated disk, with a state machine that remembers everything.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use config::{BrokerConfig, Properties};
use protocol::{
    Uuid,
    metadata_records::{MetadataRecord, TopicRecord},
};
use quorum::{
    CommittedAt, CommittedBatch, InProcessTransport, LoadedSnapshot, MetadataStateMachine, Quorum,
    QuorumError, QuorumHandle, QuorumSettings, QuorumStorage, SnapshotRecords, VoterEndpoint, VoterNode,
    WallClock, metadata_log_config,
};
use storage::{
    LogManager, LogManagerConfig, SyncExecution,
    disk::{CrashStyle, Disk, SimDisk},
};

/// Long enough for a busy machine, short enough for a test that hangs.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What a power cut at one boundary may leave; `KLAMM_CRASH_SEEDS` says how many images with writes torn, kept and
/// reordered by chance there are.
pub fn crash_styles(boundary: u64) -> impl Iterator<Item = CrashStyle> {
    let seeds = std::env::var("KLAMM_CRASH_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(2);
    let seeded = (0..seeds).map(move |seed: u64| CrashStyle::Seeded(boundary * 100_000 + seed));
    [CrashStyle::DropAll, CrashStyle::KeepAll].into_iter().chain(seeded)
}

/// What a state machine has seen.
#[derive(Debug, Default)]
pub struct Seen {
    pub batches: Vec<CommittedBatch>,
    pub loaded: Vec<LoadedSnapshot>,
    /// Every record that the state consists of, in order.
    pub names: Vec<String>,
    pub end_offset: i64,
}

pub type Shared = Arc<Mutex<Seen>>;

struct Machine(Shared);

impl MetadataStateMachine for Machine {
    fn replay(&mut self, batch: CommittedBatch) {
        let mut seen = self.0.lock().unwrap();
        assert_eq!(batch.base_offset, seen.end_offset, "batches follow each other");
        seen.end_offset = batch.last_offset + 1;
        seen.names.extend(batch.records.iter().map(name_of));
        seen.batches.push(batch);
    }

    fn snapshot(&self) -> SnapshotRecords {
        let names = self.0.lock().unwrap().names.clone();
        Box::new(names.into_iter().map(|name| topic(&name)))
    }

    fn load(&mut self, snapshot: LoadedSnapshot) {
        let mut seen = self.0.lock().unwrap();
        seen.end_offset = snapshot.end_offset;
        seen.names = snapshot.records.iter().map(name_of).collect();
        seen.loaded.push(snapshot);
    }
}

pub fn topic(name: &str) -> MetadataRecord {
    let topic_id = Uuid::from_u128(name.len() as u128);
    MetadataRecord::Topic(TopicRecord { name: name.to_owned(), topic_id, ..Default::default() })
}

fn name_of(record: &MetadataRecord) -> String {
    match record {
        MetadataRecord::Topic(record) => record.name.clone(),
        other => panic!("nobody proposed {other:?}"),
    }
}

pub fn voters(ids: &[i32]) -> BTreeMap<i32, VoterNode> {
    let node = |id: i32| VoterNode {
        directory_id: Uuid::from_u128(id as u128),
        endpoints: vec![VoterEndpoint {
            name: "CONTROLLER".to_owned(),
            host: "127.0.0.1".to_owned(),
            port: 9093,
        }],
    };
    ids.iter().map(|id| (*id, node(*id))).collect()
}

/// How a node is started.
#[derive(Clone)]
pub struct Setup {
    pub id: i32,
    pub voters: Vec<i32>,
    pub disk: Arc<dyn Disk>,
    pub directory: PathBuf,
    pub wires: InProcessTransport,
    pub now_ms: Arc<AtomicI64>,
    pub properties: Vec<(&'static str, String)>,
}

impl Setup {
    pub fn sole(disk: &SimDisk) -> Self {
        Self::of(1, &[1], Arc::new(disk.clone()), InProcessTransport::default())
    }

    pub fn of(id: i32, voters: &[i32], disk: Arc<dyn Disk>, wires: InProcessTransport) -> Self {
        Self {
            id,
            voters: voters.to_vec(),
            disk,
            directory: PathBuf::from("/data"),
            wires,
            now_ms: Arc::new(AtomicI64::new(1_000)),
            properties: Vec::new(),
        }
    }

    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.properties.push((name, value.to_string()));
        self
    }

    pub fn metadata_directory(&self) -> PathBuf {
        self.directory.join("__cluster_metadata-0")
    }

    pub fn start(&self) -> Result<Node, QuorumError> {
        let mut properties: Properties = [
            ("node.id", self.id.to_string()),
            ("process.roles", "broker,controller".to_owned()),
            ("controller.listener.names", "CONTROLLER".to_owned()),
        ]
        .into_iter()
        .map(|(name, text)| (name.to_owned(), text))
        .collect();
        properties.extend(self.properties.iter().map(|(name, text)| ((*name).to_owned(), text.clone())));
        let config = BrokerConfig::from_properties(&properties).unwrap();
        let mut manager = LogManagerConfig::new(vec![self.directory.clone()], self.id);
        manager.sync = SyncExecution::Manual;
        let storage_error = |error: storage::StorageError| QuorumError::Storage(error.to_string());
        let id = self.id;
        let manager = LogManager::open(self.disk.clone(), manager, &mut || Uuid::from_u128(id as u128));
        let manager = manager.map_err(storage_error)?;
        let now_ms = self.now_ms.load(Ordering::Relaxed);
        let log =
            manager.metadata_log(Uuid::METADATA_TOPIC_ID, Arc::new(metadata_log_config(&config)), now_ms);
        let log = log.map_err(storage_error)?;
        let clock = self.now_ms.clone();
        let clock = WallClock(Arc::new(move || clock.fetch_add(1, Ordering::Relaxed)));
        let directory_id = Uuid::from_u128(id as u128);
        let settings =
            QuorumSettings::new(self.id, directory_id, voters(&self.voters), clock).configured(&config);
        let seen = Shared::default();
        let storage = QuorumStorage::new(self.disk.clone(), log);
        let machine = Box::new(Machine(seen.clone()));
        let handle = Quorum::start(settings, storage, machine, self.wires.endpoint(self.id))?;
        self.wires.attach(self.id, handle.clone());
        Ok(Node { handle, seen, _manager: manager, id: self.id, wires: self.wires.clone() })
    }
}

/// A running node; dropping it is a crash of the process.
pub struct Node {
    pub handle: QuorumHandle,
    pub seen: Shared,
    pub id: i32,
    _manager: LogManager,
    wires: InProcessTransport,
}

impl Node {
    pub fn propose(&self, names: &[&str]) -> Result<CommittedAt, QuorumError> {
        block_on(self.handle.propose(names.iter().map(|name| topic(name)).collect()))
    }

    pub fn names(&self) -> Vec<String> {
        self.seen.lock().unwrap().names.clone()
    }

    /// Waits for something that other threads bring about.
    pub fn wait_until(&self, what: &str, holds: impl Fn(&Node) -> bool) {
        wait_until(&format!("node {}: {what}", self.id), || holds(self));
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.wires.detach(self.id);
        self.handle.shutdown();
    }
}

pub fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "never happened: {what}");
        std::thread::yield_now();
    }
}

pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(PATIENCE, future).await.expect("in time") })
}
