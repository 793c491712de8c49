//! Everything a shard can ask for.

pub use coordinator::{CoordinatorRecord, TransactionalWrite};
use protocol::ErrorCode;
use protocol::messages::consumer_group_describe_response::DescribedGroup as DescribedConsumerGroup;
use protocol::messages::create_topics_request::CreatableTopic;
use protocol::messages::delete_groups_response::DeletableGroupResult;
use protocol::messages::describe_groups_response::DescribedGroup;
use protocol::messages::offset_fetch_response::OffsetFetchResponseGroup;
use protocol::messages::streams_group_describe_response::DescribedGroup as DescribedStreamsGroup;
use protocol::messages::{
    ConsumerGroupHeartbeatResponse, HeartbeatResponse, JoinGroupResponse, LeaveGroupResponse,
    ListGroupsResponse, OffsetCommitResponse, OffsetDeleteResponse, StreamsGroupHeartbeatResponse,
    SyncGroupResponse, TxnOffsetCommitResponse,
};

use crate::share::{InitializeShareState, ShareReply};

/// What a group shard wants done outside of its partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// States of shared partitions are to be set up with the share coordinator.
    InitializeShareState(InitializeShareState),
}

/// What a step of a group shard asks for.
pub type Effects = coordinator::Effects<Reply, Action>;

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
    /// To ConsumerGroupHeartbeat.
    ConsumerGroupHeartbeat(ConsumerGroupHeartbeatResponse),
    /// To ConsumerGroupDescribe: this shard's part.
    ConsumerGroupDescribe(Vec<DescribedConsumerGroup>),
    /// To StreamsGroupHeartbeat: the answer, and internal topics that the application lacks and the caller is to create.
    StreamsGroupHeartbeat(StreamsGroupHeartbeatResponse, Vec<CreatableTopic>),
    /// To StreamsGroupDescribe: this shard's part.
    StreamsGroupDescribe(Vec<DescribedStreamsGroup>),
    /// To a request about share groups.
    Share(ShareReply),
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
        crate::refusal::refuse_reply(self, coordinator::append_error_to_client_error(append_error))
    }
}
