//! What a shard is asked about share groups, and what it answers.
//!
//! The state of shared partitions lies with the share coordinator, perhaps on another broker. A shard says what is to be set
//! up or deleted there, first in its own records; whoever did that tells the shard, which then writes down that it is done.

use protocol::messages::share_group_describe_response::DescribedGroup;
use protocol::messages::{
    AlterShareGroupOffsetsRequest, AlterShareGroupOffsetsResponse, DeleteShareGroupOffsetsRequest,
    DeleteShareGroupOffsetsResponse, ShareGroupHeartbeatRequest, ShareGroupHeartbeatResponse,
};
use protocol::{ErrorCode, Uuid};

use super::{describe_not_found, heartbeat_refusal};
use crate::refusal::Refusal;

/// Partitions of one topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareTopicPartitions {
    /// The topic.
    pub topic_id: Uuid,
    /// Some of its partitions.
    pub partitions: Vec<i32>,
}

/// Where a group begins in a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StartOffset {
    /// The topic.
    pub topic_id: Uuid,
    /// The partition.
    pub partition: i32,
    /// The offset; -1 leaves it to `share.auto.offset.reset`.
    pub start_offset: i64,
}

/// States to be set up by the share coordinator; [`ShareRequest::StateInitialized`] is to follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InitializeShareState {
    /// The group.
    pub group_id: String,
    /// The epoch of the new states.
    pub state_epoch: i32,
    /// Where they begin.
    pub partitions: Vec<StartOffset>,
}

/// A topic whose states are to be deleted by the share coordinator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicStateToDelete {
    /// The topic.
    pub topic_id: Uuid,
    /// Its name.
    pub topic_name: String,
    /// The partitions with a state.
    pub partitions: Vec<i32>,
}

/// A request about share groups.
#[derive(Debug, Clone, PartialEq)]
pub enum ShareRequest {
    /// ShareGroupHeartbeat v1.
    Heartbeat(ShareGroupHeartbeatRequest),
    /// The groups of a ShareGroupDescribe v1 that belong to this shard.
    Describe(Vec<String>),
    /// The share coordinator has set states up, or could not.
    StateInitialized {
        /// The group.
        group_id: String,
        /// The partitions.
        topics: Vec<ShareTopicPartitions>,
        /// Whether they are set up now; if not, the next heartbeat tries again.
        is_done: bool,
    },
    /// Which partitions of a group have a state, for DescribeShareGroupOffsets.
    InitializedPartitions {
        /// The group.
        group_id: String,
    },
    /// AlterShareGroupOffsets v0.
    AlterOffsets(AlterShareGroupOffsetsRequest),
    /// DeleteShareGroupOffsets v0; [`ShareRequest::StateDeleted`] is to follow.
    DeleteOffsets(DeleteShareGroupOffsetsRequest),
    /// The share coordinator has deleted the states of these topics.
    StateDeleted {
        /// The group.
        group_id: String,
        /// The topics.
        topic_ids: Vec<Uuid>,
    },
    /// The first half of deleting a group: its states go. For groups of other kinds there is nothing to do.
    BeginDelete {
        /// The group.
        group_id: String,
    },
}

/// An answer about share groups.
#[derive(Debug, Clone, PartialEq)]
pub enum ShareReply {
    /// To a heartbeat.
    Heartbeat(ShareGroupHeartbeatResponse),
    /// To a description.
    Describe(Vec<DescribedGroup>),
    /// Whether it was heard what became of states.
    Heard(ErrorCode),
    /// Partitions with a state.
    InitializedPartitions(ErrorCode, Vec<ShareTopicPartitions>),
    /// To AlterShareGroupOffsets: what is answered if the states can be set up.
    AlterOffsets(AlterShareGroupOffsetsResponse, Option<InitializeShareState>),
    /// To DeleteShareGroupOffsets: what is answered, but for the topics whose states can be deleted.
    DeleteOffsets(DeleteShareGroupOffsetsResponse, Vec<TopicStateToDelete>),
    /// What is to be deleted before the group itself can be.
    BeginDelete(ErrorCode, Vec<TopicStateToDelete>),
}

impl ShareRequest {
    /// The answer that refuses the whole request.
    pub(crate) fn refused(self, error: ErrorCode) -> ShareReply {
        match self {
            Self::Heartbeat(_) => ShareReply::Heartbeat(refused_heartbeat(error)),
            Self::Describe(group_ids) => ShareReply::Describe(
                group_ids.into_iter().map(|group_id| refused_description(group_id, error)).collect(),
            ),
            Self::StateInitialized { .. } | Self::StateDeleted { .. } => ShareReply::Heard(error),
            Self::InitializedPartitions { .. } => ShareReply::InitializedPartitions(error, Vec::new()),
            Self::AlterOffsets(_) => ShareReply::AlterOffsets(refused_alteration(error), None),
            Self::DeleteOffsets(_) => ShareReply::DeleteOffsets(refused_deletion(error), Vec::new()),
            Self::BeginDelete { .. } => ShareReply::BeginDelete(error, Vec::new()),
        }
    }
}

impl ShareReply {
    /// The same answer as a refusal.
    pub(crate) fn refused(self, error: ErrorCode) -> Self {
        match self {
            Self::Heartbeat(_) => Self::Heartbeat(refused_heartbeat(error)),
            Self::Describe(groups) => Self::Describe(
                groups.into_iter().map(|group| refused_description(group.group_id, error)).collect(),
            ),
            Self::Heard(_) => Self::Heard(error),
            Self::InitializedPartitions(..) => Self::InitializedPartitions(error, Vec::new()),
            Self::AlterOffsets(..) => Self::AlterOffsets(refused_alteration(error), None),
            Self::DeleteOffsets(..) => Self::DeleteOffsets(refused_deletion(error), Vec::new()),
            Self::BeginDelete(..) => Self::BeginDelete(error, Vec::new()),
        }
    }
}

fn refused_heartbeat(error: ErrorCode) -> ShareGroupHeartbeatResponse {
    heartbeat_refusal(Refusal::new(error, error.message()))
}

fn refused_description(group_id: String, error: ErrorCode) -> DescribedGroup {
    DescribedGroup { error_code: error.as_i16(), ..describe_not_found(group_id, error.message().to_owned()) }
}

/// The answer to an AlterShareGroupOffsets that fails as a whole.
pub(super) fn refused_alteration(error: ErrorCode) -> AlterShareGroupOffsetsResponse {
    AlterShareGroupOffsetsResponse {
        error_code: error.as_i16(),
        error_message: Some(error.message().to_owned()),
        ..AlterShareGroupOffsetsResponse::default()
    }
}

/// The answer to a DeleteShareGroupOffsets that fails as a whole.
pub(super) fn refused_deletion(error: ErrorCode) -> DeleteShareGroupOffsetsResponse {
    DeleteShareGroupOffsetsResponse {
        error_code: error.as_i16(),
        error_message: Some(error.message().to_owned()),
        ..DeleteShareGroupOffsetsResponse::default()
    }
}
