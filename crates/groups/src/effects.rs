//! Everything a shard can ask for.

use bytes::Bytes;
use protocol::ErrorCode;
use protocol::messages::delete_groups_response::DeletableGroupResult;
use protocol::messages::describe_groups_response::DescribedGroup;
use protocol::messages::offset_fetch_response::OffsetFetchResponseGroup;
use protocol::messages::{
    HeartbeatResponse, JoinGroupResponse, LeaveGroupResponse, ListGroupsResponse, OffsetCommitResponse,
    OffsetDeleteResponse, SyncGroupResponse, TxnOffsetCommitResponse,
};

use crate::event::RequestId;

/// One record for `__consumer_offsets`, key and value with their version prefixes. No value: a tombstone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoordinatorRecord {
    /// The record's key.
    pub key: Bytes,
    /// The record's value.
    pub value: Option<Bytes>,
}

/// The producer whose transaction the records of one step belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransactionalWrite {
    /// The producer's id.
    pub producer_id: i64,
    /// The producer's epoch.
    pub producer_epoch: i16,
}

/// What a step asks for. Records are appended in order; a reply goes out once these records and everything appended to
/// the partition before them are committed. If the append fails, the caller sends each held reply's
/// [`Reply::refused`] instead and unloads the shard, whose state is ahead of the log.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Effects {
    /// What to append.
    pub records: Vec<CoordinatorRecord>,
    /// What to answer. Requests parked earlier may be among them.
    pub replies: Vec<(RequestId, Reply)>,
    /// Set when the records are part of a transaction: the batch carries this producer.
    pub transaction: Option<TransactionalWrite>,
}

/// An answer, ready to be encoded at the version its request came in.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// To JoinGroup.
    JoinGroup(JoinGroupResponse),
    /// To SyncGroup.
    SyncGroup(SyncGroupResponse),
    /// To Heartbeat.
    Heartbeat(HeartbeatResponse),
    /// To LeaveGroup.
    LeaveGroup(LeaveGroupResponse),
    /// To OffsetCommit.
    OffsetCommit(OffsetCommitResponse),
    /// To TxnOffsetCommit.
    TxnOffsetCommit(TxnOffsetCommitResponse),
    /// To one group of an OffsetFetch ([`crate::offset_fetch_response`] puts them together).
    OffsetFetch(OffsetFetchResponseGroup),
    /// To OffsetDelete.
    OffsetDelete(OffsetDeleteResponse),
    /// To ListGroups: this shard's part.
    ListGroups(ListGroupsResponse),
    /// To DescribeGroups: this shard's part.
    DescribeGroups(Vec<DescribedGroup>),
    /// To DeleteGroups: this shard's part.
    DeleteGroups(Vec<DeletableGroupResult>),
}

impl Reply {
    /// The same answer as a refusal, for when its records could not be appended. Errors of the log become those a
    /// group's client understands: a lost leadership or a broken disk is NOT_COORDINATOR, too few replicas or a timeout
    /// COORDINATOR_NOT_AVAILABLE, too large a batch UNKNOWN_SERVER_ERROR.
    pub fn refused(self, append_error: ErrorCode) -> Self {
        crate::refusal::refuse_reply(self, crate::refusal::append_error_to_client_error(append_error))
    }
}
