//! Starting the quorum on a thread of its own, and the handle to it.

use std::{
    collections::BTreeSet,
    sync::{Arc, mpsc as std_mpsc},
    thread::JoinHandle,
};

use openraft::{Config, SnapshotPolicy, error::RaftError};
use parking_lot::Mutex;
use protocol::metadata_records::MetadataRecord;
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    error::QuorumError,
    log_store::LogStore,
    machine::{Machine, MetadataStateMachine},
    proposer::{self, BATCH_BYTES_MAX, CommittedAt, Waiting},
    settings::{QuorumSettings, QuorumStorage},
    snapshot_store::SnapshotStore,
    status::{LeaderAndEpoch, QuorumStatus, ReplicaState},
    transport::{self, Network, QuorumRequest, QuorumResponse, QuorumTransport},
    type_config::Raft,
    upkeep::{self, Upkeep},
};

/// The metadata quorum of one node.
pub struct Quorum;

impl Quorum {
    /// Loads the log and its newest snapshot and starts the quorum's thread. A sole voter has elected itself and
    /// replayed the whole log when this returns; one of several knows nothing of the others yet.
    pub fn start(
        settings: QuorumSettings,
        storage: QuorumStorage,
        state_machine: Box<dyn MetadataStateMachine>,
        transport: Arc<dyn QuorumTransport>,
    ) -> Result<QuorumHandle, QuorumError> {
        let (started, starting) = std_mpsc::channel();
        let (stop, stopping) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let runtime =
            runtime.map_err(|error| QuorumError::Storage(format!("no runtime for the quorum: {error}")))?;
        let thread = std::thread::Builder::new().name("klamm-quorum".to_owned()).spawn(move || {
            runtime.block_on(async move {
                match start(settings, storage, state_machine, transport).await {
                    Ok(inner) => {
                        let raft = inner.raft.clone();
                        // If nobody waits for the handle any more, the sender of `stop` is gone, too.
                        let _ = started.send(Ok(inner));
                        let _ = stopping.await;
                        if let Err(error) = raft.shutdown().await {
                            tracing::error!(%error, "the metadata quorum ended badly");
                        }
                    }
                    Err(error) => {
                        let _ = started.send(Err(error));
                    }
                }
            });
        });
        let thread =
            thread.map_err(|error| QuorumError::Storage(format!("no thread for the quorum: {error}")))?;
        let inner = starting.recv().map_err(|_| QuorumError::Stopped)??;
        Ok(QuorumHandle {
            inner: Arc::new(inner),
            running: Arc::new(Mutex::new(Some(Running { stop, thread }))),
        })
    }
}

struct Inner {
    raft: Raft,
    log: LogStore,
    network: Network,
    replica_id: i32,
    proposals: mpsc::UnboundedSender<Waiting>,
    leadership: watch::Receiver<LeaderAndEpoch>,
}

struct Running {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

async fn start(
    settings: QuorumSettings,
    storage: QuorumStorage,
    state_machine: Box<dyn MetadataStateMachine>,
    transport: Arc<dyn QuorumTransport>,
) -> Result<Inner, QuorumError> {
    let snapshots = Arc::new(SnapshotStore::open(storage.disk.clone(), storage.directory.clone())?);
    let log = LogStore::open(&settings, storage, snapshots.clone())?;
    let upkeep = Arc::new(Upkeep::new(&settings));
    let machine =
        Machine::open(state_machine, log.clone(), snapshots.clone(), upkeep.clone(), settings.clock.clone())?;
    let last_index = {
        let log = log.clone();
        Arc::new(move || log.with_state(|state| state.index.last_log_id().map(|log_id| log_id.index)))
    };
    let network = Network { transport, contacts: Arc::default(), clock: settings.clock.clone(), last_index };
    let config = Arc::new(raft_config(&settings));
    let is_empty = log.with_state(|state| state.index.last_log_id().is_none());
    let raft = Raft::new(settings.replica_id, config, network.clone(), log.clone(), machine).await;
    let raft = raft.map_err(|error| QuorumError::Storage(error.to_string()))?;
    if is_empty && !settings.initial_voters.is_empty() {
        // Before the first entry: a log without the file would be somebody else's.
        log.claim()?;
        raft.initialize(settings.initial_voters.clone()).await.map_err(|error| match error {
            RaftError::APIError(error) => QuorumError::Storage(error.to_string()),
            RaftError::Fatal(_) => QuorumError::Stopped,
        })?;
    }
    elect_sole_voter(&raft, settings.replica_id).await?;
    let (proposals, line) = mpsc::unbounded_channel();
    let (leader, leadership) = watch::channel(leader_and_epoch(&raft.metrics().borrow()));
    tokio::spawn(proposer::run(raft.clone(), line, settings.clock.clone()));
    tokio::spawn(announce_leaders(raft.clone(), leader));
    tokio::spawn(upkeep::run(raft.clone(), upkeep, log.clone(), snapshots, settings.clone()));
    Ok(Inner { raft, log, network, replica_id: settings.replica_id, proposals, leadership })
}

fn raft_config(settings: &QuorumSettings) -> Config {
    let election_timeout = u64::try_from(settings.election_timeout.as_millis()).unwrap_or(u64::MAX).max(3);
    let request_timeout = u64::try_from(settings.request_timeout.as_millis()).unwrap_or(u64::MAX);
    Config {
        cluster_name: "klamm".to_owned(),
        election_timeout_min: election_timeout,
        election_timeout_max: election_timeout.saturating_mul(2),
        heartbeat_interval: election_timeout / 3,
        install_snapshot_timeout: request_timeout,
        // Snapshots and what is deleted behind them follow Kafka's settings: see `upkeep`.
        snapshot_policy: SnapshotPolicy::Never,
        max_in_snapshot_log_to_keep: u64::MAX,
        // A follower that lacks entries gets entries as long as there are any.
        replication_lag_threshold: u64::MAX,
        ..Config::default()
    }
}

/// A voter without others need not wait for anybody.
async fn elect_sole_voter(raft: &Raft, replica_id: i32) -> Result<(), QuorumError> {
    let voters = raft.with_raft_state(|state| state.membership_state.effective().voter_ids().collect());
    let voters: BTreeSet<i32> = voters.await.map_err(|_| QuorumError::Stopped)?;
    if voters != BTreeSet::from([replica_id]) {
        return Ok(());
    }
    raft.trigger().elect().await.map_err(|_| QuorumError::Stopped)?;
    let waiting = raft.wait(None);
    let ready = waiting.metrics(|metrics| leader_and_epoch(metrics).is_active_here, "leads and has replayed");
    ready.await.map(|_| ()).map_err(|_| QuorumError::Stopped)
}

fn leader_and_epoch(metrics: &openraft::RaftMetrics<i32, crate::VoterNode>) -> LeaderAndEpoch {
    // The leader's first entry of its term commits whatever came before.
    let has_replayed =
        metrics.last_applied.is_some_and(|applied| applied.leader_id.term == metrics.current_term);
    LeaderAndEpoch {
        leader_id: metrics.current_leader,
        epoch: i32::try_from(metrics.current_term).unwrap_or(i32::MAX),
        is_active_here: metrics.current_leader == Some(metrics.id) && has_replayed,
    }
}

async fn announce_leaders(raft: Raft, leader: watch::Sender<LeaderAndEpoch>) {
    let mut metrics = raft.metrics();
    loop {
        let now = leader_and_epoch(&metrics.borrow_and_update());
        leader.send_if_modified(|before| std::mem::replace(before, now) != now);
        if metrics.changed().await.is_err() {
            return;
        }
    }
}

/// A running quorum. Clones share it; it is usable from every thread and runtime.
#[derive(Clone)]
pub struct QuorumHandle {
    inner: Arc<Inner>,
    running: Arc<Mutex<Option<Running>>>,
}

impl QuorumHandle {
    /// Appends records as one batch and waits until they are committed, durable, and replayed here. Proposals that
    /// come together share a batch; each stays whole and in order. Nothing happens for no records.
    pub async fn propose(&self, records: Vec<MetadataRecord>) -> Result<CommittedAt, QuorumError> {
        let records = records.iter().map(MetadataRecord::encode_framed).collect::<Result<Vec<_>, _>>()?;
        let bytes = records.iter().map(|record| record.len()).sum();
        if bytes > BATCH_BYTES_MAX {
            return Err(QuorumError::TooLarge { bytes, limit: BATCH_BYTES_MAX });
        }
        if records.is_empty() {
            return self.nothing_proposed();
        }
        let (reply, answer) = oneshot::channel();
        let sent = self.inner.proposals.send(Waiting { records, reply });
        sent.map_err(|_| QuorumError::Stopped)?;
        answer.await.map_err(|_| QuorumError::Stopped)?
    }

    fn nothing_proposed(&self) -> Result<CommittedAt, QuorumError> {
        let leader = *self.inner.leadership.borrow();
        if leader.leader_id != Some(self.inner.replica_id) {
            return Err(QuorumError::NotLeader { leader: leader.leader_id });
        }
        Ok(CommittedAt { last_offset: self.inner.log.log().high_watermark() - 1, epoch: leader.epoch })
    }

    /// The offset that the next record gets: behind everything appended, committed or not.
    pub fn log_end_offset(&self) -> i64 {
        self.inner.log.with_state(|state| state.index.end_offset())
    }

    /// Who leads; changes can be waited for.
    pub fn leadership(&self) -> watch::Receiver<LeaderAndEpoch> {
        self.inner.leadership.clone()
    }

    /// The quorum as this node sees it.
    pub fn status(&self) -> QuorumStatus {
        let metrics = self.inner.raft.metrics().borrow().clone();
        let leads = metrics.current_leader == Some(self.inner.replica_id);
        let now_ms = self.inner.network.clock.now_ms();
        let membership = metrics.membership_config.membership().clone();
        let voter_ids: BTreeSet<i32> = membership.voter_ids().collect();
        let replica = |replica_id: i32, node: &crate::VoterNode| {
            let is_self = replica_id == self.inner.replica_id;
            let contact = self.inner.network.contacts.lock().get(&replica_id).copied().unwrap_or_default();
            let known = |timestamp: i64| {
                if is_self {
                    now_ms
                } else if timestamp == 0 {
                    -1
                } else {
                    timestamp
                }
            };
            let matched =
                metrics.replication.as_ref().and_then(|all| all.get(&replica_id).copied().flatten());
            ReplicaState {
                replica_id,
                directory_id: node.directory_id,
                log_end_offset: self.inner.log.with_state(|state| match matched {
                    _ if is_self => state.index.end_offset(),
                    Some(log_id) => state.index.end_offset_of(log_id.index).unwrap_or(-1),
                    None => -1,
                }),
                last_fetch_timestamp: known(contact.last_fetch_timestamp),
                last_caught_up_timestamp: known(contact.last_caught_up_timestamp),
            }
        };
        let (mut voters, mut observers) = (Vec::new(), Vec::new());
        if leads {
            for (replica_id, node) in membership.nodes() {
                let list = if voter_ids.contains(replica_id) { &mut voters } else { &mut observers };
                list.push(replica(*replica_id, node));
            }
        }
        QuorumStatus {
            leader_id: metrics.current_leader,
            leader_epoch: i32::try_from(metrics.current_term).unwrap_or(i32::MAX),
            high_watermark: self.inner.log.log().high_watermark(),
            voters,
            observers,
            nodes: membership.nodes().map(|(id, node)| (*id, node.clone())).collect(),
        }
    }

    /// Answers a call from another controller.
    pub async fn handle(&self, request: QuorumRequest) -> QuorumResponse {
        transport::handle(&self.inner.raft, request).await
    }

    /// Ends the quorum's thread. Proposals under way fail. Blocks; a second call does nothing.
    pub fn shutdown(&self) {
        let running = self.running.lock().take();
        if let Some(Running { stop, thread }) = running {
            drop(stop);
            if thread.join().is_err() {
                tracing::error!("the quorum's thread panicked");
            }
        }
    }
}
