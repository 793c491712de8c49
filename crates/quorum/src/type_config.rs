//! What openraft is instantiated with.

use openraft::TokioRuntime;
use protocol::Uuid;
use serde::{Deserialize, Serialize};

use crate::{
    entry::{LogEntry, Proposal},
    proposer::Applied,
    snapshot_file::SnapshotFile,
};

openraft::declare_raft_types!(
    /// Voters are known by Kafka's replica ids, terms are Kafka's leader epochs.
    pub TypeConfig:
        D = Proposal,
        R = Applied,
        NodeId = i32,
        Node = VoterNode,
        Entry = LogEntry,
        SnapshotData = SnapshotFile,
        AsyncRuntime = TokioRuntime,
);

pub(crate) type LogId = openraft::LogId<i32>;
pub(crate) type Membership = openraft::Membership<i32, VoterNode>;
pub(crate) type StoredMembership = openraft::StoredMembership<i32, VoterNode>;
pub(crate) type SnapshotMeta = openraft::SnapshotMeta<i32, VoterNode>;
pub(crate) type StorageError = openraft::StorageError<i32>;
pub(crate) type Vote = openraft::Vote<i32>;
pub(crate) type Raft = openraft::Raft<TypeConfig>;

/// Kafka's leader epoch of a log id: raft's term.
pub(crate) fn epoch_of(log_id: &LogId) -> i32 {
    // Epochs on disk and on the wire are 32 bits wide; terms grow by one an election.
    i32::try_from(log_id.leader_id.term).unwrap_or(i32::MAX)
}

/// The log id of an entry.
pub(crate) fn log_id(epoch: i32, index: u64) -> LogId {
    let term = u64::try_from(epoch).unwrap_or_default();
    LogId::new(openraft::CommittedLeaderId::new(term, 0), index)
}

/// One listener of a voter.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VoterEndpoint {
    /// Name of the listener, such as `CONTROLLER`.
    pub name: String,
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
}

/// What is known of a voter besides its id (KIP-853).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VoterNode {
    /// Id of the log directory its metadata log lies in.
    #[serde(with = "uuid_text")]
    pub directory_id: Uuid,
    /// Where other controllers reach it.
    pub endpoints: Vec<VoterEndpoint>,
}

mod uuid_text {
    use protocol::Uuid;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(id: &Uuid, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(id)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Uuid, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}
