//! What DescribeQuorum tells of the metadata quorum.

use protocol::Uuid;

use crate::type_config::VoterNode;

/// Who leads, and since which epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaderAndEpoch {
    /// Replica id of the leader, if one is known.
    pub leader_id: Option<i32>,
    /// The epoch.
    pub epoch: i32,
    /// Whether this node leads and has replayed everything committed in earlier epochs: only then may it decide.
    pub is_active_here: bool,
}

/// One replica of the metadata log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicaState {
    /// Its id.
    pub replica_id: i32,
    /// Its log directory.
    pub directory_id: Uuid,
    /// Its log end offset as far as the leader knows; -1 if it does not.
    pub log_end_offset: i64,
    /// When the leader last heard from it, ms; -1 if never. Of the leader itself: now.
    pub last_fetch_timestamp: i64,
    /// When it last had all of the leader's log, ms; -1 if never. Of the leader itself: now.
    pub last_caught_up_timestamp: i64,
}

/// The quorum as this node sees it; replicas are known to the leader only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuorumStatus {
    /// Replica id of the leader, if one is known.
    pub leader_id: Option<i32>,
    /// Its epoch.
    pub leader_epoch: i32,
    /// Offset behind the last committed and replayed record.
    pub high_watermark: i64,
    /// The voters, by id.
    pub voters: Vec<ReplicaState>,
    /// Those that follow the log without a vote.
    pub observers: Vec<ReplicaState>,
    /// Ids and endpoints of voters and observers.
    pub nodes: Vec<(i32, VoterNode)>,
}
