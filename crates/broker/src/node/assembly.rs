//! The parts of a node, each made from the configuration: logs, quorum, registration, background threads.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use config::{BrokerConfig, TopicConfig};
use controller::bootstrap::bootstrap_obstacle;
use controller::features::SUPPORTED;
use network::{DescriptorShares, Server};
use protocol::Uuid;
use protocol::messages::BrokerRegistrationRequest;
use protocol::messages::broker_registration_request::{Feature, Listener};
use protocol::metadata_records::MetadataRecord;
use quorum::{InProcessTransport, Quorum, QuorumHandle, QuorumSettings, QuorumStorage, VoterNode, WallClock};
use storage::disk::Disk;
use storage::{LogManager, LogManagerConfig};
use tokio::sync::watch;
use tracing::info;

use super::NodeError;
use crate::broker_config::DynamicBrokerConfig;
use crate::clock::Clock;
use crate::metadata_publisher::MetadataPublisher;
use crate::metadata_view::MetadataView;
use crate::partitions::Partitions;
use crate::replica_mover::ReplicaMover;
use crate::settings;

/// The folder of the metadata log in its log directory.
const METADATA_LOG: &str = "__cluster_metadata-0";

/// Fails on log directories that are Apache Kafka's, or were formatted with what this build has not got, before anything in
/// them is touched.
pub(super) fn check_directories(config: &BrokerConfig, disk: &Arc<dyn Disk>) -> Result<(), NodeError> {
    let directories: Vec<PathBuf> = config.log_dirs().iter().map(PathBuf::from).collect();
    let Some(first) = directories.first() else { return Ok(()) };
    let is_new = quorum::check_ownership(disk, &first.join(METADATA_LOG), &directories)
        .map_err(|error| NodeError::Unsupported(error.to_string()))?;
    if is_new {
        bootstrap_records(config, disk)?;
    }
    Ok(())
}

/// What a new cluster begins with, if the directory of the metadata log was formatted with something.
pub(super) fn bootstrap_records(
    config: &BrokerConfig,
    disk: &Arc<dyn Disk>,
) -> Result<Option<Vec<MetadataRecord>>, NodeError> {
    let Some(first) = config.log_dirs().first() else { return Ok(None) };
    let records = quorum::read_bootstrap_records(disk, Path::new(first), config.node.node_id)?;
    match records.as_ref().and_then(|records| bootstrap_obstacle(SUPPORTED, records)) {
        None => Ok(records),
        Some(obstacle) => Err(NodeError::Unsupported(format!(
            "{first} was formatted with records that cannot be had: {obstacle}"
        ))),
    }
}

pub(super) fn open_logs(
    config: &BrokerConfig,
    disk: Arc<dyn Disk>,
    descriptors: DescriptorShares,
) -> Result<LogManager, NodeError> {
    let directories = config.log_dirs().iter().map(PathBuf::from).collect();
    let settings = LogManagerConfig {
        file_budget: descriptors.files,
        ..settings::logs(config, LogManagerConfig::new(directories, config.node.node_id))
    };
    let mut random_id = || Uuid::from_u128(rand::random());
    Ok(LogManager::open(disk, settings, &mut random_id)?)
}

pub(super) fn partitions(
    node_id: i32,
    logs: &Arc<LogManager>,
    metadata: &Arc<MetadataView>,
    config: &Arc<DynamicBrokerConfig>,
    clock: &Arc<dyn Clock>,
) -> Arc<Partitions> {
    let (logs, metadata) = (logs.clone(), metadata.clone());
    Arc::new(Partitions::new(node_id, logs, metadata, config.clone(), clock.clone()))
}

pub(super) fn start_quorum(
    config: &BrokerConfig,
    logs: &Arc<LogManager>,
    clock: &Arc<dyn Clock>,
    publisher: MetadataPublisher,
) -> Result<QuorumHandle, NodeError> {
    let log =
        logs.metadata_log(Uuid::METADATA_TOPIC_ID, Arc::new(settings::metadata_log(config)), clock.now_ms())?;
    let node_id = config.node.node_id;
    let now = clock.clone();
    let voters = BTreeMap::from([(node_id, VoterNode::default())]);
    let defaults =
        QuorumSettings::new(node_id, log.directory().id(), voters, WallClock(Arc::new(move || now.now_ms())));
    let disk = log.directory().shared_disk();
    let storage = QuorumStorage { disk, directory: log.directory().path().join(METADATA_LOG), log };
    let transport = InProcessTransport::default().endpoint(node_id);
    Ok(Quorum::start(settings::quorum(config, defaults), storage, Box::new(publisher), transport)?)
}

pub(super) fn load_logs(
    logs: &LogManager,
    metadata: &MetadataView,
    config: &DynamicBrokerConfig,
    now_ms: i64,
) -> Result<(), NodeError> {
    // Topics inherit what was altered before the last stop.
    config.alter(&metadata.image().configs);
    let (image, config) = (metadata.image(), config.current());
    logs.set_cordoned(&config.log.cordoned_log_dirs);
    let config_of = |topic: &str| Arc::new(TopicConfig::resolve(&config, image.configs.of_topic(topic)));
    let report = logs.load_logs(&config_of, now_ms)?;
    info!(
        logs = report.opened,
        failed = report.failed.len(),
        clean_stop = logs.was_clean_shutdown(),
        "opened the logs"
    );
    Ok(())
}

/// What the broker tells the controller of itself.
pub(super) fn registration(
    config: &BrokerConfig,
    logs: &LogManager,
    server: &Server,
) -> BrokerRegistrationRequest {
    BrokerRegistrationRequest {
        broker_id: config.node.node_id,
        cluster_id: logs.cluster_id().to_string(),
        incarnation_id: Uuid::from_u128(rand::random()),
        listeners: settings::advertised(config, server.listeners())
            .into_iter()
            .map(|(listener, host, port)| Listener {
                name: listener.name.clone(),
                host,
                port,
                security_protocol: listener.protocol.id(),
                ..Default::default()
            })
            .collect(),
        features: SUPPORTED
            .iter()
            .filter(|feature| feature.max > 0)
            .map(|feature| Feature {
                name: feature.name.to_string(),
                min_supported_version: feature.min,
                max_supported_version: feature.max,
                ..Default::default()
            })
            .collect(),
        rack: config.node.broker_rack.clone(),
        log_dirs: logs
            .directories()
            .iter()
            .filter(|directory| !directory.is_offline())
            .map(|directory| directory.id())
            .collect(),
        previous_broker_epoch: logs.previous_broker_epoch().unwrap_or(-1),
        ..Default::default()
    }
}

/// Compaction, on threads of its own, with what was altered before the last stop; and moves between log directories.
pub(super) fn start_upkeep(
    mover: &Arc<ReplicaMover>,
    logs: &Arc<LogManager>,
    config: &DynamicBrokerConfig,
    clock: &Arc<dyn Clock>,
    stopped: watch::Receiver<bool>,
) -> Result<JoinHandle<()>, NodeError> {
    logs.set_cleaner_config(settings::cleaner(&config.current()));
    let clock = clock.clone();
    logs.start_cleaners(Arc::new(move || clock.now_ms()));
    run_thread("klamm-mover", stopped, mover.clone().run())
}

/// Checkpoints, retention and the like, on a thread of its own.
pub(super) fn housekeeping(
    logs: Arc<LogManager>,
    clock: Arc<dyn Clock>,
    stopped: watch::Receiver<bool>,
) -> Result<JoinHandle<()>, NodeError> {
    run_thread("klamm-housekeeping", stopped, async move {
        loop {
            let now_ms = clock.now_ms();
            let next_ms = logs.housekeep(now_ms);
            let wait = Duration::from_millis(u64::try_from(next_ms - now_ms).unwrap_or(0).max(1));
            tokio::time::sleep(wait).await;
        }
    })
}

/// Runs `work` on a thread of its own until it ends or the node stops.
pub(super) fn run_thread(
    name: &str,
    mut stopped: watch::Receiver<bool>,
    work: impl Future<Output = ()> + Send + 'static,
) -> Result<JoinHandle<()>, NodeError> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(NodeError::Thread)?;
    let run = move || {
        runtime.block_on(async move {
            tokio::select! {
                () = work => {}
                // An error means that the node is gone, which is a stop, too.
                _ = stopped.wait_for(|stopped| *stopped) => {}
            }
        });
    };
    std::thread::Builder::new().name(name.to_string()).spawn(run).map_err(NodeError::Thread)
}
