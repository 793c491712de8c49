//! DescribeTopicPartitions (key 75, v0). Topics page by page, with eligible leader replicas (KIP-966).
//!
//! Topics come in the order of their names; a cursor says where the next page begins.

use metadata::{MetadataImage, NO_LEADER, PartitionRegistration};
use protocol::ErrorCode;
use protocol::messages::describe_topic_partitions_response::{
    Cursor, DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
};
use protocol::messages::{DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse};

use crate::authorized_operations;
use crate::context::RequestContext;

/// Describes up to as many partitions as the request and `max.request.partition.size.limit` allow.
pub async fn handle(
    context: &RequestContext,
    request: DescribeTopicPartitionsRequest,
) -> DescribeTopicPartitionsResponse {
    let image = context.broker.metadata.image();
    let all = request.topics.is_empty();
    let mut names: Vec<String> = if all {
        image.topics.iter().map(|topic| topic.name().to_string()).collect()
    } else {
        request.topics.into_iter().map(|topic| topic.name).collect()
    };
    names.sort_unstable();
    names.dedup();
    if let Some(cursor) = &request.cursor {
        let is_gone = !all && !names.contains(&cursor.topic_name);
        if cursor.partition_index < 0 || is_gone {
            return malformed(names);
        }
    }
    let (first_topic, first_partition) = match &request.cursor {
        Some(cursor) => (cursor.topic_name.as_str(), cursor.partition_index),
        None => ("", 0),
    };
    let configured = context.broker.config().topics.max_request_partition_size_limit;
    let mut room = usize::try_from(request.response_partition_limit.min(configured)).unwrap_or(0).max(1);
    let mut response = DescribeTopicPartitionsResponse::default();
    for name in names.iter().filter(|name| name.as_str() >= first_topic) {
        let skip = if name == first_topic { first_partition } else { 0 };
        let Some(topic) = image.topics.by_name(name) else {
            let is_deleted_meanwhile = all || name == first_topic && skip > 0;
            if !is_deleted_meanwhile {
                response.topics.push(unknown(name));
            }
            continue;
        };
        let rest: Vec<_> = topic.partitions().filter(|(index, _)| *index >= skip).collect();
        let taken = rest.len().min(room);
        room -= taken;
        response.topics.push(DescribeTopicPartitionsResponseTopic {
            error_code: ErrorCode::None.as_i16(),
            name: Some(name.clone()),
            topic_id: topic.id(),
            is_internal: controller::topics::names::is_internal(name),
            partitions: rest[..taken]
                .iter()
                .map(|(index, now)| partition(context, &image, *index, now))
                .collect(),
            topic_authorized_operations: authorized_operations::TOPIC,
            ..Default::default()
        });
        if let Some((partition_index, _)) = rest.get(taken) {
            response.next_cursor = Some(Cursor {
                topic_name: name.clone(),
                partition_index: *partition_index,
                ..Default::default()
            });
            break;
        }
    }
    response
}

/// The cursor is none that an answer has given.
fn malformed(names: Vec<String>) -> DescribeTopicPartitionsResponse {
    let refuse = |name| DescribeTopicPartitionsResponseTopic {
        error_code: ErrorCode::InvalidRequest.as_i16(),
        name: Some(name),
        ..Default::default()
    };
    DescribeTopicPartitionsResponse { topics: names.into_iter().map(refuse).collect(), ..Default::default() }
}

fn unknown(name: &str) -> DescribeTopicPartitionsResponseTopic {
    let error = if controller::topics::names::check(name).is_ok() {
        ErrorCode::UnknownTopicOrPartition
    } else {
        ErrorCode::InvalidTopicException
    };
    DescribeTopicPartitionsResponseTopic {
        error_code: error.as_i16(),
        name: Some(name.to_string()),
        is_internal: controller::topics::names::is_internal(name),
        topic_authorized_operations: authorized_operations::TOPIC,
        ..Default::default()
    }
}

fn partition(
    context: &RequestContext,
    image: &MetadataImage,
    partition_index: i32,
    now: &PartitionRegistration,
) -> DescribeTopicPartitionsResponsePartition {
    let leader_is_reached = now.leader != NO_LEADER && context.is_reached(now.leader);
    DescribeTopicPartitionsResponsePartition {
        error_code: if leader_is_reached { ErrorCode::None } else { ErrorCode::LeaderNotAvailable }.as_i16(),
        partition_index,
        leader_id: if leader_is_reached { now.leader } else { NO_LEADER },
        leader_epoch: now.leader_epoch,
        replica_nodes: now.replicas.to_vec(),
        isr_nodes: now.isr.to_vec(),
        eligible_leader_replicas: Some(now.elr.to_vec()),
        last_known_elr: Some(now.last_known_elr.to_vec()),
        offline_replicas: now
            .replicas
            .iter()
            .copied()
            .filter(|replica| !image.cluster.is_active(*replica))
            .collect(),
        ..Default::default()
    }
}
