//! DescribeQuorum (key 55, v0-2). Voters and observers of the metadata log and how far they are (KIP-595, KIP-853).

use protocol::messages::describe_quorum_response::{Listener, Node, PartitionData, ReplicaState, TopicData};
use protocol::messages::{DescribeQuorumRequest, DescribeQuorumResponse};
use protocol::{ErrorCode, Uuid};
use quorum::QuorumStatus;

use crate::context::RequestContext;

const METADATA_TOPIC: &str = "__cluster_metadata";

/// Answers for the one partition there is.
pub async fn handle(context: &RequestContext, request: DescribeQuorumRequest) -> DescribeQuorumResponse {
    let status = context.broker.quorum.status();
    let is_metadata_alone = match request.topics.as_slice() {
        [topic] => {
            topic.topic_name == METADATA_TOPIC
                && topic.partitions.len() == 1
                && topic.partitions[0].partition_index == 0
        }
        _ => false,
    };
    if !is_metadata_alone {
        return unknown_partitions(request);
    }
    let topic = TopicData {
        topic_name: METADATA_TOPIC.to_string(),
        partitions: vec![describe(context.api_version, &status)],
        ..Default::default()
    };
    let nodes = status
        .nodes
        .iter()
        .map(|(node_id, node)| Node {
            node_id: *node_id,
            listeners: node
                .endpoints
                .iter()
                .map(|endpoint| Listener {
                    name: endpoint.name.clone(),
                    host: endpoint.host.clone(),
                    port: endpoint.port,
                    ..Default::default()
                })
                .collect(),
            ..Default::default()
        })
        .collect();
    let nodes = if context.api_version >= 2 { nodes } else { Vec::new() };
    DescribeQuorumResponse { topics: vec![topic], nodes, ..Default::default() }
}

fn describe(api_version: i16, status: &QuorumStatus) -> PartitionData {
    let Some(leader_id) = status.leader_id else {
        return PartitionData {
            error_code: ErrorCode::NotLeaderOrFollower.as_i16(),
            leader_id: -1,
            leader_epoch: status.leader_epoch,
            ..Default::default()
        };
    };
    PartitionData {
        leader_id,
        leader_epoch: status.leader_epoch,
        high_watermark: status.high_watermark,
        current_voters: status.voters.iter().map(|voter| replica(api_version, voter)).collect(),
        observers: status.observers.iter().map(|observer| replica(api_version, observer)).collect(),
        ..Default::default()
    }
}

fn replica(api_version: i16, state: &quorum::ReplicaState) -> ReplicaState {
    ReplicaState {
        replica_id: state.replica_id,
        // KIP-853 brought it.
        replica_directory_id: if api_version >= 2 { state.directory_id } else { Uuid::ZERO },
        log_end_offset: state.log_end_offset,
        last_fetch_timestamp: state.last_fetch_timestamp,
        last_caught_up_timestamp: state.last_caught_up_timestamp,
        ..Default::default()
    }
}

fn unknown_partitions(request: DescribeQuorumRequest) -> DescribeQuorumResponse {
    let topics = request
        .topics
        .into_iter()
        .map(|topic| TopicData {
            topic_name: topic.topic_name,
            partitions: topic
                .partitions
                .iter()
                .map(|partition| PartitionData {
                    partition_index: partition.partition_index,
                    error_code: ErrorCode::UnknownTopicOrPartition.as_i16(),
                    error_message: Some(ErrorCode::UnknownTopicOrPartition.message().to_string()),
                    ..Default::default()
                })
                .collect(),
            ..Default::default()
        })
        .collect();
    DescribeQuorumResponse { topics, ..Default::default() }
}
