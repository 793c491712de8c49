//! A whole node: log directories, metadata quorum, controller, broker and listeners, started and stopped in order.
//!
//! Start: claim the ports, recover the logs, replay the metadata, register (which gives every partition led here a new leader
//! epoch), lead the partitions, answer clients. Stop: the other way round.

mod assembly;

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use config::BrokerConfig;
use controller::features::SUPPORTED;
use controller::{Controller, ControllerSettings, Randomness};
use network::{BoundListener, DescriptorShares, NetworkError, Server};
use parking_lot::Mutex;
use quorum::{QuorumError, QuorumHandle};
use replica::FetchSessions;
use storage::disk::{Disk, RealDisk};
use storage::{LogManager, StorageError};
use thiserror::Error;
use tokio::sync::watch;
use tracing::{error, info};

use crate::broker::Broker;
use crate::broker_config::DynamicBrokerConfig;
use crate::broker_lifecycle::{BrokerLifecycle, LifecycleError};
use crate::clock::{Clock, SystemClock};
use crate::controller_client::ControllerClient;
use crate::controller_reports::ControllerReports;
use crate::controller_service::ControllerService;
use crate::coordinator_runtime::{CoordinatedTopic, CoordinatorSettings};
use crate::directory_failures::DirectoryFailures;
use crate::dispatch::Connections;
use crate::group_coordinator::{CONSUMER_OFFSETS, GroupCoordinator};
use crate::metadata_publisher::{Coordinators, MetadataPublisher};
use crate::metadata_view::MetadataView;
use crate::producer_ids::ProducerIds;
use crate::replica_mover::ReplicaMover;
use crate::settings;
use crate::share_coordinator::{self, ShareState, share_coordinator};
use crate::share_groups;
use crate::share_partitions::SharePartitions;
use crate::topic_creation::TopicCreation;
use crate::transaction_coordinator::{self, TRANSACTION_STATE, TransactionCoordinator};

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

/// What a node needs of the machine, real or simulated.
pub struct NodeSeams {
    /// Its files.
    pub disk: Arc<dyn Disk>,
    /// Its time.
    pub clock: Arc<dyn Clock>,
}

impl Default for NodeSeams {
    /// The machine's own disk and clock.
    fn default() -> Self {
        NodeSeams { disk: Arc::new(RealDisk), clock: Arc::new(SystemClock) }
    }
}

/// A running node. Dropping it without [`Node::stop`] is a crash as far as its files are concerned.
pub struct Node {
    server: Server,
    started: StartedBroker,
}

/// Everything but the listeners.
struct StartedBroker {
    broker: Arc<Broker>,
    lifecycle: BrokerLifecycle,
    broker_epoch: i64,
    reports: Arc<ControllerReports>,
    background: Vec<JoinHandle<()>>,
    stopping: watch::Sender<bool>,
    directory_failures: watch::Receiver<usize>,
}

impl Node {
    /// Starts a node on this machine; it answers clients when this returns.
    ///
    /// # Errors
    /// What keeps it from starting.
    pub async fn start(config: BrokerConfig) -> Result<Node, NodeError> {
        Self::start_on(config, NodeSeams::default()).await
    }

    /// Starts a node on `seams`; it answers clients when this returns.
    ///
    /// # Errors
    /// What keeps it from starting.
    pub async fn start_on(config: BrokerConfig, seams: NodeSeams) -> Result<Node, NodeError> {
        if !config.is_sole_voter() {
            let message = "this build runs a single node: process.roles must be broker,controller and the quorum's only voter this node";
            return Err(NodeError::Unsupported(message.to_string()));
        }
        if config.metadata_log_dir() != config.log_dirs().first().map(String::as_str) {
            let message = "metadata.log.dir: this build keeps the metadata log in the first of log.dirs, name that or none";
            return Err(NodeError::Unsupported(message.to_string()));
        }
        let descriptors = network::raise_descriptor_limit();
        let server = Server::bind(settings::server(&config, descriptors)?)?;
        match Self::start_broker(config, seams, &server, descriptors).await {
            Ok(started) => {
                let mut node = Node { server, started };
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
        NodeSeams { disk, clock }: NodeSeams,
        server: &Server,
        descriptors: DescriptorShares,
    ) -> Result<StartedBroker, NodeError> {
        let node_id = config.node.node_id;
        assembly::check_directories(&config, &disk)?;
        let logs = Arc::new(assembly::open_logs(&config, disk.clone(), descriptors)?);
        let directory_failures = DirectoryFailures::observe(&logs);
        let dynamic_config = Arc::new(DynamicBrokerConfig::new(node_id, config.clone()));
        let metadata = Arc::new(MetadataView::default());
        let partitions = assembly::partitions(node_id, &logs, &metadata, &dynamic_config, &clock);
        let coordinators = coordinators(&config, &clock, &metadata);
        let reports = Arc::new(ControllerReports::default());
        let publisher = MetadataPublisher::new(
            node_id,
            metadata.clone(),
            partitions.clone(),
            coordinators.clone(),
            dynamic_config.clone(),
            reports.clone(),
        );
        let quorum = assembly::start_quorum(&config, &logs, &clock, publisher.clone())?;
        assembly::load_logs(&logs, &metadata, &dynamic_config, clock.now_ms())?;

        let (stopping, stopped) = watch::channel(false);
        let seams = (&disk, &clock, stopped.clone());
        let (controller, thread) = start_controller(&config, &logs, &quorum, &publisher, &metadata, seams)?;
        let mut background =
            vec![thread, assembly::housekeeping(logs.clone(), clock.clone(), stopped.clone())?];
        let lifecycle = lifecycle(&config, &controller, &metadata, &logs);
        let broker_epoch = lifecycle.join(assembly::registration(&config, &logs, server)).await?;
        // From here on partitions are led in the epochs that the registration gave them.
        publisher.go_live();
        let mover = ReplicaMover::new(&partitions, &publisher, &dynamic_config, &logs, &clock);
        background.push(assembly::start_upkeep(&mover, &logs, &dynamic_config, &clock, stopped)?);

        let Coordinators { groups, share, transactions } = coordinators;
        let topics = || TopicCreation::new(controller.clone(), metadata.clone(), dynamic_config.clone());
        let share_state = ShareState::new(share, metadata.clone(), topics());
        let broker = Arc::new(Broker {
            node_id,
            cluster_id: logs.cluster_id().to_string(),
            shared: SharePartitions::new(&partitions, &metadata, &dynamic_config, &clock, share_state),
            clock,
            topic_creation: topics(),
            producer_ids: ProducerIds::new(node_id, controller.clone()),
            fetch_sessions: Mutex::new(fetch_sessions(&config)),
            listeners_without_address: settings::listeners_without_address(&config),
            dynamic_config,
            metadata,
            partitions,
            logs,
            controller,
            quorum,
            groups,
            transactions,
            mover,
        });
        Ok(StartedBroker {
            broker,
            lifecycle,
            broker_epoch,
            reports,
            background,
            stopping,
            directory_failures,
        })
    }

    fn open(&mut self) -> Result<(), NodeError> {
        let StartedBroker { broker, lifecycle, broker_epoch, reports, directory_failures, .. } =
            &self.started;
        if let Some(core) = self.server.cores().first() {
            let (groups, failing, epoch) = (broker.groups.clone(), broker.clone(), *broker_epoch);
            let (lifecycle, failures) = (lifecycle.clone(), directory_failures.clone());
            let told = failures.clone();
            let (reports, reporting) = (reports.clone(), broker.clone());
            core.spawn(move || async move {
                let Broker { node_id, partitions, metadata, controller, .. } = &*reporting;
                let (partitions, metadata) = (partitions.clone(), metadata.clone());
                reports.run((*node_id, epoch), partitions, metadata, controller.clone()).await;
            });
            core.spawn(move || async move { groups.run_deadlines().await });
            let sharing = broker.clone();
            core.spawn(move || async move { share_coordinator::run(sharing).await });
            let (transactions, acting) = (broker.transactions.clone(), broker.clone());
            core.spawn(move || async move { transactions.run_deadlines().await });
            core.spawn(move || async move { transaction_coordinator::run_actions(acting).await });
            let grouping = broker.clone();
            core.spawn(move || async move { share_groups::run_actions(grouping).await });
            core.spawn(move || async move { lifecycle.run(epoch, told).await });
            core.spawn(move || async move { give_up_failed_directories(&failing, failures).await });
        }
        self.server.serve(Arc::new(Connections::new(broker.clone())))?;
        info!(
            node = broker.node_id,
            cluster = broker.cluster_id,
            partitions = broker.partitions.all().len(),
            "the node is up"
        );
        Ok(())
    }

    /// The listeners, with their real ports.
    pub fn listeners(&self) -> &[BoundListener] {
        self.server.listeners()
    }

    /// Waits until the node cannot go on, and says why: its metadata log has failed, or every log directory has.
    pub async fn failed(&self) -> String {
        let mut failures = self.started.directory_failures.clone();
        let mut leadership = self.started.broker.quorum.leadership();
        let directories = self.started.broker.logs.directories();
        loop {
            if directories.iter().all(|directory| directory.is_offline()) {
                return "every log directory is offline".to_string();
            }
            if directories[0].is_offline() {
                let path = directories[0].path().display();
                return format!("the log directory of the metadata log is offline: {path}");
            }
            tokio::select! {
                // The directories hold the other end.
                _ = failures.changed() => {}
                changed = leadership.changed() => {
                    if changed.is_err() {
                        return "the metadata quorum has ended; the log says why".to_string();
                    }
                }
            }
        }
    }

    /// Stops cleanly: the next start need not verify the logs.
    ///
    /// # Errors
    /// What kept it from being clean; the node has ended all the same.
    pub async fn stop(self) -> Result<(), NodeError> {
        let Node { server, started } = self;
        let StartedBroker { broker, lifecycle, broker_epoch, background, stopping, .. } = started;
        let (partitions, logs) = (broker.partitions.clone(), broker.logs.clone());
        let settled = tokio::task::spawn_blocking(move || {
            partitions.all().iter().for_each(|partition| partition.end_appends());
            logs.sync_pending()
        });
        if let Ok(Err(reason)) = settled.await {
            error!(%reason, "not everything that was appended could be synced");
        }
        lifecycle.leave(broker_epoch, PATIENCE_TO_STOP).await;
        let closed = tokio::task::spawn_blocking(move || server.shutdown(PATIENCE_TO_STOP)).await;
        if closed.is_err() {
            error!("closing the listeners panicked");
        }
        // Nobody is left who listens if the threads have ended before.
        let _ = stopping.send(true);
        for thread in background {
            if thread.join().is_err() {
                error!("a background thread has panicked");
            }
        }
        let quorum = broker.quorum.clone();
        if tokio::task::spawn_blocking(move || quorum.shutdown()).await.is_err() {
            error!("stopping the quorum panicked");
        }
        broker.logs.shutdown(broker_epoch)?;
        info!(node = broker.node_id, "stopped");
        Ok(())
    }
}

/// Starts the controller on a thread of its own, and makes the client to it.
fn start_controller(
    config: &BrokerConfig,
    logs: &Arc<LogManager>,
    quorum: &QuorumHandle,
    publisher: &MetadataPublisher,
    metadata: &Arc<MetadataView>,
    (disk, clock, stopped): (&Arc<dyn Disk>, &Arc<dyn Clock>, watch::Receiver<bool>),
) -> Result<(ControllerClient, JoinHandle<()>), NodeError> {
    let node_id = config.node.node_id;
    let is_new = metadata.image().features.metadata_version().is_none();
    let bootstrap = if is_new { assembly::bootstrap_records(config, disk)? } else { None };
    let (controller, decisions) = ControllerClient::new();
    let engine = Controller::new(ControllerSettings {
        node_id,
        cluster_id: logs.cluster_id().to_string(),
        quorum_node_ids: vec![node_id],
        supported_features: SUPPORTED,
        config: settings::controller(config),
    })
    .with_bootstrap(bootstrap);
    let service = ControllerService::new(
        engine,
        Some(node_id),
        Randomness::new(rand::random()),
        quorum.clone(),
        logs.directories()[0].clone(),
        metadata.clone(),
        clock.clone(),
    );
    let open_transaction = publisher.open_transaction();
    let thread = assembly::run_thread("klamm-controller", stopped, async move {
        service.run(open_transaction, decisions).await;
    })?;
    Ok((controller, thread))
}

/// Tells whoever waits for a log in a directory that has failed: requests get an error, groups lose their coordinator.
async fn give_up_failed_directories(broker: &Broker, mut failures: watch::Receiver<usize>) {
    loop {
        broker.partitions.wake_offline();
        broker.groups.directory_failed();
        broker.shared.state().coordinator.directory_failed();
        broker.transactions.directory_failed();
        if failures.changed().await.is_err() {
            return;
        }
    }
}

fn lifecycle(
    config: &BrokerConfig,
    controller: &ControllerClient,
    metadata: &Arc<MetadataView>,
    logs: &Arc<LogManager>,
) -> BrokerLifecycle {
    let heartbeat = Duration::from_millis(config.node.broker_heartbeat_interval_ms.unsigned_abs().into());
    BrokerLifecycle::new(config.node.node_id, controller.clone(), metadata.clone(), logs.clone(), heartbeat)
}

fn fetch_sessions(config: &BrokerConfig) -> FetchSessions {
    let slots = usize::try_from(config.replication.max_incremental_fetch_session_cache_slots).unwrap_or(0);
    FetchSessions::new(slots, FETCH_SESSION_MIN_EVICTION_MS)
}

fn coordinators(config: &BrokerConfig, clock: &Arc<dyn Clock>, metadata: &Arc<MetadataView>) -> Coordinators {
    Coordinators {
        groups: group_coordinator(config, clock, metadata),
        share: share_coordinator(config, clock, metadata),
        transactions: transaction_coordinator(config, clock, metadata),
    }
}

fn group_coordinator(
    config: &BrokerConfig,
    clock: &Arc<dyn Clock>,
    metadata: &Arc<MetadataView>,
) -> Arc<GroupCoordinator> {
    let groups = &config.groups;
    let coordinator = CoordinatorSettings {
        topic: CONSUMER_OFFSETS,
        loader: "klamm-groups",
        load_buffer_bytes: usize::try_from(groups.offsets_load_buffer_size).unwrap_or(usize::MAX),
        commit_timeout: Duration::from_millis(groups.offsets_commit_timeout_ms.unsigned_abs().into()),
    };
    let shards = settings::group_shards(config, metadata.image());
    GroupCoordinator::new(coordinator, shards, clock.clone(), metadata.clone())
}

fn transaction_coordinator(
    config: &BrokerConfig,
    clock: &Arc<dyn Clock>,
    metadata: &Arc<MetadataView>,
) -> Arc<TransactionCoordinator> {
    let coordinator = CoordinatorSettings {
        topic: TRANSACTION_STATE,
        loader: "klamm-transactions",
        load_buffer_bytes: usize::try_from(config.transactions.transaction_state_log_load_buffer_size)
            .unwrap_or(usize::MAX),
        commit_timeout: Duration::from_millis(config.network.request_timeout_ms.unsigned_abs().into()),
    };
    TransactionCoordinator::new(
        coordinator,
        settings::transactions(config, 0),
        clock.clone(),
        metadata.clone(),
    )
}
