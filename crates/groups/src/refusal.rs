//! The same error for a whole request, in the shape each answer has for it.

use protocol::ErrorCode;
use protocol::messages::consumer_group_describe_response::DescribedGroup as DescribedConsumerGroup;
use protocol::messages::delete_groups_response::DeletableGroupResult;
use protocol::messages::describe_groups_response::DescribedGroup;
use protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartitions, OffsetFetchResponseTopics,
};
use protocol::messages::streams_group_describe_response::DescribedGroup as DescribedStreamsGroup;
use protocol::messages::{
    ConsumerGroupHeartbeatResponse, HeartbeatResponse, LeaveGroupResponse, ListGroupsResponse,
    OffsetDeleteResponse, StreamsGroupHeartbeatResponse, SyncGroupResponse,
};

use crate::classic::join_response;
use crate::effects::Reply;
use crate::event::Request;
use crate::offsets::commit::{commit_refusal, commit_transactional_refusal};

/// A refusal with its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) error: ErrorCode,
    pub(crate) message: String,
}

impl Refusal {
    pub(crate) fn new(error: ErrorCode, message: impl Into<String>) -> Self {
        Self { error, message: message.into() }
    }
}

/// Refuses a request that was not looked at.
pub(crate) fn refuse_request(request: Request, error: ErrorCode, api_version: i16) -> Reply {
    let error_code = error.as_i16();
    match request {
        Request::JoinGroup(request) => {
            let mut response = join_response(&request.member_id, error);
            if api_version < 7 {
                response.protocol_name = Some(String::new());
            }
            Reply::JoinGroup(response)
        }
        Request::SyncGroup(_) => {
            Reply::SyncGroup(SyncGroupResponse { error_code, ..SyncGroupResponse::default() })
        }
        // Clients of the classic protocol take it for fatal: a group that is being loaded answers as if all were well.
        Request::Heartbeat(_) if error == ErrorCode::CoordinatorLoadInProgress => {
            Reply::Heartbeat(HeartbeatResponse::default())
        }
        Request::Heartbeat(_) => {
            Reply::Heartbeat(HeartbeatResponse { error_code, ..HeartbeatResponse::default() })
        }
        Request::LeaveGroup(_) => {
            Reply::LeaveGroup(LeaveGroupResponse { error_code, ..LeaveGroupResponse::default() })
        }
        Request::ConsumerGroupHeartbeat(_) => consumer_heartbeat_error(error_code),
        Request::ConsumerGroupDescribe(group_ids) => Reply::ConsumerGroupDescribe(
            group_ids.into_iter().map(|group_id| described_consumer_group(group_id, error)).collect(),
        ),
        Request::StreamsGroupHeartbeat(_) => streams_heartbeat_error(error_code),
        Request::StreamsGroupDescribe(group_ids) => Reply::StreamsGroupDescribe(
            group_ids.into_iter().map(|group_id| described_streams_group(group_id, error)).collect(),
        ),
        Request::Share(request) => Reply::Share(request.refused(error)),
        Request::OffsetCommit(request) => Reply::OffsetCommit(commit_refusal(&request, error)),
        Request::TxnOffsetCommit(request) => {
            Reply::TxnOffsetCommit(commit_transactional_refusal(&request, error))
        }
        Request::OffsetFetch { group, .. } => Reply::OffsetFetch(fetch_refusal(group, error)),
        Request::OffsetDelete(_) => {
            Reply::OffsetDelete(OffsetDeleteResponse { error_code, ..OffsetDeleteResponse::default() })
        }
        Request::ListGroups(_) => {
            Reply::ListGroups(ListGroupsResponse { error_code, ..ListGroupsResponse::default() })
        }
        Request::DescribeGroups(group_ids) => Reply::DescribeGroups(
            group_ids
                .into_iter()
                .map(|group_id| DescribedGroup { group_id, error_code, ..DescribedGroup::default() })
                .collect(),
        ),
        Request::DeleteGroups(group_ids) => Reply::DeleteGroups(
            group_ids.into_iter().map(|group_id| delete_result(group_id, error)).collect(),
        ),
    }
}

/// Every partition that was asked for, refused.
fn fetch_refusal(group: OffsetFetchRequestGroup, error: ErrorCode) -> OffsetFetchResponseGroup {
    let topics = group.topics.unwrap_or_default().into_iter().map(|topic| OffsetFetchResponseTopics {
        name: topic.name,
        topic_id: topic.topic_id,
        partitions: topic
            .partition_indexes
            .into_iter()
            .map(|partition| no_offset(partition, error))
            .collect(),
        ..OffsetFetchResponseTopics::default()
    });
    OffsetFetchResponseGroup {
        topics: topics.collect(),
        group_id: group.group_id,
        error_code: error.as_i16(),
        ..OffsetFetchResponseGroup::default()
    }
}

/// Turns an answer into a refusal.
pub(crate) fn refuse_reply(reply: Reply, error: ErrorCode) -> Reply {
    let error_code = error.as_i16();
    match reply {
        Reply::JoinGroup(response) => {
            let protocol_name = response.protocol_name.map(|_| String::new());
            Reply::JoinGroup(protocol::messages::JoinGroupResponse {
                protocol_name,
                ..join_response("", error)
            })
        }
        Reply::SyncGroup(_) => {
            Reply::SyncGroup(SyncGroupResponse { error_code, ..SyncGroupResponse::default() })
        }
        Reply::Heartbeat(_) => {
            Reply::Heartbeat(HeartbeatResponse { error_code, ..HeartbeatResponse::default() })
        }
        Reply::LeaveGroup(_) => {
            Reply::LeaveGroup(LeaveGroupResponse { error_code, ..LeaveGroupResponse::default() })
        }
        Reply::ConsumerGroupHeartbeat(_) => consumer_heartbeat_error(error_code),
        Reply::ConsumerGroupDescribe(groups) => Reply::ConsumerGroupDescribe(
            groups.into_iter().map(|group| described_consumer_group(group.group_id, error)).collect(),
        ),
        Reply::StreamsGroupHeartbeat(..) => streams_heartbeat_error(error_code),
        Reply::StreamsGroupDescribe(groups) => Reply::StreamsGroupDescribe(
            groups.into_iter().map(|group| described_streams_group(group.group_id, error)).collect(),
        ),
        Reply::Share(reply) => Reply::Share(reply.refused(error)),
        Reply::OffsetCommit(mut response) => {
            let partitions = response.topics.iter_mut().flat_map(|topic| &mut topic.partitions);
            partitions.for_each(|partition| partition.error_code = error_code);
            Reply::OffsetCommit(response)
        }
        Reply::TxnOffsetCommit(mut response) => {
            let partitions = response.topics.iter_mut().flat_map(|topic| &mut topic.partitions);
            partitions.for_each(|partition| partition.error_code = error_code);
            Reply::TxnOffsetCommit(response)
        }
        Reply::OffsetFetch(mut group) => {
            group.error_code = error_code;
            for partition in group.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
                *partition = no_offset(partition.partition_index, error);
            }
            Reply::OffsetFetch(group)
        }
        Reply::OffsetDelete(_) => {
            Reply::OffsetDelete(OffsetDeleteResponse { error_code, ..OffsetDeleteResponse::default() })
        }
        Reply::ListGroups(_) => {
            Reply::ListGroups(ListGroupsResponse { error_code, ..ListGroupsResponse::default() })
        }
        Reply::DescribeGroups(groups) => Reply::DescribeGroups(
            groups
                .into_iter()
                .map(|group| DescribedGroup {
                    group_id: group.group_id,
                    error_code,
                    ..DescribedGroup::default()
                })
                .collect(),
        ),
        Reply::DeleteGroups(results) => Reply::DeleteGroups(
            results.into_iter().map(|result| delete_result(result.group_id, error)).collect(),
        ),
    }
}

/// What one group of a DeleteGroups is answered.
pub(crate) fn delete_result(group_id: String, error: ErrorCode) -> DeletableGroupResult {
    DeletableGroupResult { group_id, error_code: error.as_i16(), ..DeletableGroupResult::default() }
}

fn consumer_heartbeat_error(error_code: i16) -> Reply {
    Reply::ConsumerGroupHeartbeat(ConsumerGroupHeartbeatResponse {
        error_code,
        ..ConsumerGroupHeartbeatResponse::default()
    })
}

fn streams_heartbeat_error(error_code: i16) -> Reply {
    let response = StreamsGroupHeartbeatResponse { error_code, ..StreamsGroupHeartbeatResponse::default() };
    Reply::StreamsGroupHeartbeat(response, Vec::new())
}

fn described_streams_group(group_id: String, error: ErrorCode) -> DescribedStreamsGroup {
    DescribedStreamsGroup { group_id, error_code: error.as_i16(), ..DescribedStreamsGroup::default() }
}

fn described_consumer_group(group_id: String, error: ErrorCode) -> DescribedConsumerGroup {
    DescribedConsumerGroup { group_id, error_code: error.as_i16(), ..DescribedConsumerGroup::default() }
}

fn no_offset(partition_index: i32, error: ErrorCode) -> OffsetFetchResponsePartitions {
    OffsetFetchResponsePartitions {
        partition_index,
        committed_offset: -1,
        committed_leader_epoch: -1,
        metadata: Some(String::new()),
        error_code: error.as_i16(),
        ..OffsetFetchResponsePartitions::default()
    }
}
