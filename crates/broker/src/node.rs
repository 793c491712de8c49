//! A whole node: log directories, metadata quorum, controller, broker and listeners, started and stopped in order.
//!
//! Start: claim the ports, recover the logs, replay the metadata, register (which gives every partition led here a new leader
//! epoch), lead the partitions, answer clients. Stop: the other way round.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use config::{BrokerConfig, TopicConfig};
use controller::features::SUPPORTED;
use controller::{Controller, ControllerSettings, Randomness};
use network::{BoundListener, DescriptorShares, NetworkError, Server};
use parking_lot::Mutex;
use protocol::Uuid;
use protocol::messages::BrokerRegistrationRequest;
use protocol::messages::broker_registration_request::{Feature, Listener};
use quorum::{
    InProcessTransport, Quorum, QuorumError, QuorumHandle, QuorumSettings, QuorumStorage, VoterNode,
    WallClock,
};
use replica::FetchSessions;
use storage::disk::{Disk, RealDisk};
use storage::{LogManager, LogManagerConfig, StorageError};
use thiserror::Error;
use tokio::sync::watch;
use tracing::{error, info};

use crate::broker::Broker;
use crate::broker_config::DynamicBrokerConfig;
use crate::broker_lifecycle::{BrokerLifecycle, LifecycleError};
use crate::clock::{Clock, SystemClock};
use crate::controller_client::ControllerClient;
use crate::controller_service::ControllerService;
use crate::dispatch::Connections;
use crate::group_coordinator::GroupCoordinator;
use crate::metadata_publisher::MetadataPublisher;
use crate::metadata_view::MetadataView;
use crate::partitions::Partitions;
use crate::producer_ids::ProducerIds;
use crate::settings;
use crate::topic_creation::TopicCreation;

/// How long a stop waits for requests under way, and for the controller's leave.
const PATIENCE_TO_STOP: Duration = Duration::from_secs(5);
/// Kafka's: a fetch session younger than this does not make room for another.
const FETCH_SESSION_MIN_EVICTION_MS: i64 = 120_000;

/// Why a node does not start, or stops badly.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum NodeError {
    /// A listener cannot be had.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The log directories cannot be used.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The metadata quorum cannot be started.
    #[error("the metadata quorum: {0}")]
    Quorum(#[from] QuorumError),
    /// The cluster does not take the broker.
    #[error(transparent)]
    Lifecycle(#[from] LifecycleError),
    /// The configuration asks for something that this build has not got.
    #[error("{0}")]
    Unsupported(String),
    /// A thread cannot be started.
    #[error("cannot start a thread: {0}")]
    Thread(std::io::Error),
}

/// A running node.
pub struct Node {
    broker: Arc<Broker>,
    server: Server,
    lifecycle: BrokerLifecycle,
    broker_epoch: i64,
    background: Vec<JoinHandle<()>>,
    stopping: watch::Sender<bool>,
}

impl Node {
    /// Starts a node; it answers clients when this returns.
    ///
    /// # Errors
    /// What keeps it from starting.
    pub async fn start(config: BrokerConfig) -> Result<Node, NodeError> {
        if !(config.is_broker() && config.is_controller() && config.is_alone()) {
            let message = "this build runs a single node: process.roles must be broker,controller and the quorum's only voter this node";
            return Err(NodeError::Unsupported(message.to_string()));
        }
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let descriptors = network::raise_descriptor_limit();
        let server = Server::bind(settings::server(&config, descriptors)?)?;
        let started = Self::start_broker(config, clock, &server, descriptors).await;
        match started {
            Ok((broker, lifecycle, broker_epoch, background, stopping)) => {
                let mut node = Node { broker, server, lifecycle, broker_epoch, background, stopping };
                node.open()?;
                Ok(node)
            }
            Err(error) => {
                server.shutdown(Duration::ZERO);
                Err(error)
            }
        }
    }

    async fn start_broker(
        config: BrokerConfig,
        clock: Arc<dyn Clock>,
        server: &Server,
        descriptors: DescriptorShares,
    ) -> Result<(Arc<Broker>, BrokerLifecycle, i64, Vec<JoinHandle<()>>, watch::Sender<bool>), NodeError>
    {
        let node_id = config.node.node_id;
        let disk: Arc<dyn Disk> = Arc::new(RealDisk::default());
        let logs = Arc::new(open_logs(&config, disk.clone(), descriptors)?);
        let dynamic_config = Arc::new(DynamicBrokerConfig::new(node_id, config.clone()));
        let metadata = Arc::new(MetadataView::default());
        let partitions = Arc::new(Partitions::new(
            node_id,
            logs.clone(),
            metadata.clone(),
            dynamic_config.clone(),
            clock.clone(),
        ));
        let groups = GroupCoordinator::new(
            settings::groups(&config),
            usize::try_from(config.groups.offsets_load_buffer_size).unwrap_or(usize::MAX),
            clock.clone(),
            metadata.clone(),
        );
        let publisher = MetadataPublisher::new(
            node_id,
            metadata.clone(),
            partitions.clone(),
            groups.clone(),
            dynamic_config.clone(),
        );
        let quorum = start_quorum(&config, disk, &logs, &clock, publisher.clone())?;
        load_logs(&logs, &metadata, &dynamic_config, clock.now_ms())?;

        let (stopping, stopped) = watch::channel(false);
        let (controller, decisions) = ControllerClient::new();
        let engine = Controller::new(ControllerSettings {
            node_id,
            cluster_id: logs.cluster_id().to_string(),
            quorum_node_ids: vec![node_id],
            supported_features: SUPPORTED,
            config: config.clone(),
        });
        let service = ControllerService::new(
            engine,
            Some(node_id),
            Randomness::new(rand::random()),
            quorum.clone(),
            metadata.clone(),
            clock.clone(),
        );
        let open_transaction = publisher.open_transaction();
        let mut background = vec![run_thread("klamm-controller", stopped.clone(), async move {
            service.run(open_transaction, decisions).await;
        })?];
        background.push(housekeeping(logs.clone(), clock.clone(), stopped.clone())?);

        let heartbeat = Duration::from_millis(config.node.broker_heartbeat_interval_ms.unsigned_abs().into());
        let lifecycle = BrokerLifecycle::new(node_id, controller.clone(), metadata.clone(), heartbeat);
        let broker_epoch = lifecycle.join(registration(&config, &logs, server)).await?;
        // From here on partitions are led in the epochs that the registration gave them.
        publisher.go_live();

        let broker = Arc::new(Broker {
            node_id,
            cluster_id: logs.cluster_id().to_string(),
            clock,
            topic_creation: TopicCreation::new(controller.clone(), metadata.clone(), dynamic_config.clone()),
            producer_ids: ProducerIds::new(node_id, controller.clone()),
            fetch_sessions: Mutex::new(FetchSessions::new(
                usize::try_from(config.replication.max_incremental_fetch_session_cache_slots).unwrap_or(0),
                FETCH_SESSION_MIN_EVICTION_MS,
            )),
            listeners_without_address: settings::listeners_without_address(&config),
            dynamic_config,
            metadata,
            partitions,
            logs,
            controller,
            quorum,
            groups,
        });
        Ok((broker, lifecycle, broker_epoch, background, stopping))
    }

    fn open(&mut self) -> Result<(), NodeError> {
        if let Some(core) = self.server.cores().first() {
            let (groups, lifecycle, epoch) =
                (self.broker.groups.clone(), self.lifecycle.clone(), self.broker_epoch);
            core.spawn(move || async move { groups.run_deadlines().await });
            core.spawn(move || async move { lifecycle.run(epoch).await });
        }
        self.server.serve(Arc::new(Connections::new(self.broker.clone())))?;
        info!(
            node = self.broker.node_id,
            cluster = self.broker.cluster_id,
            partitions = self.broker.partitions.all().len(),
            "the node is up"
        );
        Ok(())
    }

    /// The listeners, with their real ports.
    pub fn listeners(&self) -> &[BoundListener] {
        self.server.listeners()
    }

    /// Waits until every log directory has failed, which leaves nothing to serve.
    pub async fn failed(&self) -> String {
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            if self.broker.logs.directories().iter().all(|directory| directory.is_offline()) {
                return "every log directory is offline".to_string();
            }
        }
    }

    /// Stops cleanly: the next start need not verify the logs.
    ///
    /// # Errors
    /// What kept it from being clean; the node has ended all the same.
    pub async fn stop(self) -> Result<(), NodeError> {
        self.lifecycle.leave(self.broker_epoch, PATIENCE_TO_STOP).await;
        let server = self.server;
        let closed = tokio::task::spawn_blocking(move || server.shutdown(PATIENCE_TO_STOP)).await;
        if closed.is_err() {
            error!("closing the listeners panicked");
        }
        // Nobody is left who listens if the threads have ended before.
        let _ = self.stopping.send(true);
        for thread in self.background {
            if thread.join().is_err() {
                error!("a background thread has panicked");
            }
        }
        let quorum = self.broker.quorum.clone();
        if tokio::task::spawn_blocking(move || quorum.shutdown()).await.is_err() {
            error!("stopping the quorum panicked");
        }
        self.broker.logs.shutdown(self.broker_epoch)?;
        info!(node = self.broker.node_id, "stopped");
        Ok(())
    }
}

fn open_logs(
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

fn start_quorum(
    config: &BrokerConfig,
    disk: Arc<dyn Disk>,
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
    let storage = QuorumStorage { disk, directory: log.directory().path().join("__cluster_metadata-0"), log };
    let transport = InProcessTransport::default().endpoint(node_id);
    Ok(Quorum::start(settings::quorum(config, defaults), storage, Box::new(publisher), transport)?)
}

fn load_logs(
    logs: &LogManager,
    metadata: &MetadataView,
    config: &DynamicBrokerConfig,
    now_ms: i64,
) -> Result<(), NodeError> {
    let (image, config) = (metadata.image(), config.current());
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
fn registration(config: &BrokerConfig, logs: &LogManager, server: &Server) -> BrokerRegistrationRequest {
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
        log_dirs: logs.directories().iter().map(|directory| directory.id()).collect(),
        previous_broker_epoch: logs.previous_broker_epoch().unwrap_or(-1),
        ..Default::default()
    }
}

/// Checkpoints, retention and the like, on a thread of its own.
fn housekeeping(
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
fn run_thread(
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
