//! How controllers reach each other: the seam under openraft's network.

use std::{collections::BTreeMap, future::Future, pin::Pin, sync::Arc, time::Duration};

use openraft::{
    AnyError, RaftNetwork, RaftNetworkFactory,
    error::{InstallSnapshotError, NetworkError, RPCError, RaftError, RemoteError, Timeout, Unreachable},
    network::RPCOption,
    raft::{
        AppendEntriesRequest, AppendEntriesResponse, InstallSnapshotRequest, InstallSnapshotResponse,
        VoteRequest, VoteResponse,
    },
};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::{
    settings::WallClock,
    type_config::{Raft, TypeConfig, VoterNode},
};

/// A call from one controller to another. Opaque, but for its serialised form.
#[derive(Debug, Serialize, Deserialize)]
pub struct QuorumRequest(pub(crate) Call);

/// The answer to a [`QuorumRequest`].
#[derive(Debug, Serialize, Deserialize)]
pub struct QuorumResponse(pub(crate) Answer);

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Call {
    Append(AppendEntriesRequest<TypeConfig>),
    Vote(VoteRequest<i32>),
    InstallSnapshot(InstallSnapshotRequest<TypeConfig>),
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    Append(Result<AppendEntriesResponse<i32>, RaftError<i32>>),
    Vote(Result<VoteResponse<i32>, RaftError<i32>>),
    InstallSnapshot(Result<InstallSnapshotResponse<i32>, RaftError<i32, InstallSnapshotError>>),
}

/// Why a call brought no answer.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// No connection: not tried again for a moment.
    #[error("controller {0} cannot be reached")]
    Unreachable(i32),
    /// The connection broke, or the answer made no sense.
    #[error("call to controller {replica_id} failed: {reason}")]
    Failed {
        /// Whom the call was for.
        replica_id: i32,
        /// What went wrong.
        reason: String,
    },
}

/// Carries calls to other controllers.
pub trait QuorumTransport: Send + Sync + 'static {
    /// Sends one call and waits for its answer. Calls to one controller are made one after the other by each of
    /// its callers (replication, elections). Dropping the future gives the call up.
    fn call(
        &self,
        replica_id: i32,
        node: &VoterNode,
        request: QuorumRequest,
    ) -> Pin<Box<dyn Future<Output = Result<QuorumResponse, TransportError>> + Send>>;
}

/// The receiving side: hands a call to raft.
pub(crate) async fn handle(raft: &Raft, request: QuorumRequest) -> QuorumResponse {
    QuorumResponse(match request.0 {
        Call::Append(request) => Answer::Append(raft.append_entries(request).await),
        Call::Vote(request) => Answer::Vote(raft.vote(request).await),
        Call::InstallSnapshot(request) => Answer::InstallSnapshot(raft.install_snapshot(request).await),
    })
}

/// When other controllers were last heard from, as Kafka reports it of those that fetch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Contact {
    pub last_fetch_timestamp: i64,
    pub last_caught_up_timestamp: i64,
}

/// What all connections share.
#[derive(Clone)]
pub(crate) struct Network {
    pub transport: Arc<dyn QuorumTransport>,
    pub contacts: Arc<Mutex<BTreeMap<i32, Contact>>>,
    pub clock: WallClock,
    /// Raft index of the last entry of our log.
    pub last_index: Arc<dyn Fn() -> Option<u64> + Send + Sync>,
}

impl RaftNetworkFactory<TypeConfig> for Network {
    type Network = Peer;

    async fn new_client(&mut self, replica_id: i32, node: &VoterNode) -> Peer {
        Peer { network: self.clone(), replica_id, node: node.clone() }
    }
}

/// One other controller.
pub(crate) struct Peer {
    network: Network,
    replica_id: i32,
    node: VoterNode,
}

type CallError<E = openraft::error::Infallible> = RPCError<i32, VoterNode, RaftError<i32, E>>;

impl Peer {
    async fn call<E: std::error::Error>(
        &self,
        call: Call,
        option: &RPCOption,
    ) -> Result<Answer, CallError<E>> {
        let limit: Duration = option.hard_ttl();
        let answer = self.network.transport.call(self.replica_id, &self.node, QuorumRequest(call));
        match tokio::time::timeout(limit, answer).await {
            Ok(Ok(answer)) => Ok(answer.0),
            Ok(Err(error @ TransportError::Unreachable(_))) => {
                Err(RPCError::Unreachable(Unreachable::new(&error)))
            }
            Ok(Err(error)) => Err(RPCError::Network(NetworkError::new(&error))),
            Err(_) => Err(RPCError::Timeout(Timeout {
                action: openraft::RPCTypes::AppendEntries,
                id: self.replica_id,
                target: self.replica_id,
                timeout: limit,
            })),
        }
    }

    fn remote<E: std::error::Error>(&self, error: RaftError<i32, E>) -> CallError<E> {
        RPCError::RemoteError(RemoteError::new(self.replica_id, error))
    }

    fn other_answer<E: std::error::Error>(&self) -> CallError<E> {
        RPCError::Network(NetworkError::new(&AnyError::error("the answer is one to another call")))
    }

    fn heard(&self, matched: Option<u64>, accepted: bool) {
        let now_ms = self.network.clock.now_ms();
        let is_caught_up = accepted && matched >= (self.network.last_index)();
        let mut contacts = self.network.contacts.lock();
        let contact = contacts.entry(self.replica_id).or_default();
        contact.last_fetch_timestamp = now_ms;
        if is_caught_up {
            contact.last_caught_up_timestamp = now_ms;
        }
    }
}

impl RaftNetwork<TypeConfig> for Peer {
    async fn append_entries(
        &mut self,
        request: AppendEntriesRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<i32>, CallError> {
        let last = request.entries.last().map(|entry| entry.log_id).or(request.prev_log_id);
        let Answer::Append(result) = self.call(Call::Append(request), &option).await? else {
            return Err(self.other_answer());
        };
        let response = result.map_err(|error| self.remote(error))?;
        self.heard(last.map(|log_id| log_id.index), matches!(response, AppendEntriesResponse::Success));
        Ok(response)
    }

    async fn install_snapshot(
        &mut self,
        request: InstallSnapshotRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<InstallSnapshotResponse<i32>, CallError<InstallSnapshotError>> {
        let Answer::InstallSnapshot(result) = self.call(Call::InstallSnapshot(request), &option).await?
        else {
            return Err(self.other_answer());
        };
        let response = result.map_err(|error| self.remote(error))?;
        self.heard(None, false);
        Ok(response)
    }

    async fn vote(
        &mut self,
        request: VoteRequest<i32>,
        option: RPCOption,
    ) -> Result<VoteResponse<i32>, CallError> {
        let Answer::Vote(result) = self.call(Call::Vote(request), &option).await? else {
            return Err(self.other_answer());
        };
        result.map_err(|error| self.remote(error))
    }
}
