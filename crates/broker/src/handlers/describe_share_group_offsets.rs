//! DescribeShareGroupOffsets (key 90, v0-1). Where share groups stand in their partitions; v1 says how far behind (KIP-1226).

use futures_util::future::join_all;
use groups::{ShareReply, ShareRequest};
use protocol::messages::describe_share_group_offsets_request::DescribeShareGroupOffsetsRequestGroup;
use protocol::messages::describe_share_group_offsets_response::{
    DescribeShareGroupOffsetsResponseGroup, DescribeShareGroupOffsetsResponsePartition,
    DescribeShareGroupOffsetsResponseTopic,
};
use protocol::messages::{DescribeShareGroupOffsetsRequest, DescribeShareGroupOffsetsResponse};
use protocol::{ErrorCode, Uuid};
use share::{Request, SharePartitionKey};

use crate::context::RequestContext;
use crate::share_groups::ask_share;

/// A topic and the partitions that are asked for.
type Asked = (String, Option<Uuid>, Vec<i32>);

/// Asks the share coordinator for each partition; the ends of the logs are looked up here.
pub async fn handle(
    context: &RequestContext,
    request: DescribeShareGroupOffsetsRequest,
) -> DescribeShareGroupOffsetsResponse {
    let mut groups = Vec::with_capacity(request.groups.len());
    for group in request.groups {
        groups.push(describe(context, group).await);
    }
    DescribeShareGroupOffsetsResponse { groups, ..Default::default() }
}

async fn describe(
    context: &RequestContext,
    group: DescribeShareGroupOffsetsRequestGroup,
) -> DescribeShareGroupOffsetsResponseGroup {
    let group_id = group.group_id;
    let refused = |error: ErrorCode, group_id: &str| DescribeShareGroupOffsetsResponseGroup {
        group_id: group_id.to_string(),
        error_code: error.as_i16(),
        error_message: Some(error.message().to_string()),
        ..Default::default()
    };
    if !context.broker.supports_share_groups() {
        return refused(ErrorCode::UnsupportedVersion, &group_id);
    }
    let image = context.broker.metadata.image();
    let asked: Vec<Asked> = match group.topics {
        Some(topics) => topics
            .into_iter()
            .map(|topic| {
                let topic_id = image.topics.by_name(&topic.topic_name).map(|found| found.id());
                (topic.topic_name, topic_id, topic.partitions)
            })
            .collect(),
        None => {
            let all = ShareRequest::InitializedPartitions { group_id: group_id.clone() };
            match ask_share(context, &group_id, all).await {
                ShareReply::InitializedPartitions(ErrorCode::None, topics) => topics
                    .into_iter()
                    .filter_map(|topic| {
                        let name = image.topics.by_id(topic.topic_id)?.name().to_string();
                        Some((name, Some(topic.topic_id), topic.partitions))
                    })
                    .collect(),
                ShareReply::InitializedPartitions(error, _) => return refused(error, &group_id),
                _ => return refused(ErrorCode::UnknownServerError, &group_id),
            }
        }
    };
    let mut topics = Vec::with_capacity(asked.len());
    for (topic_name, topic_id, partitions) in asked {
        let rows = partitions.into_iter().map(async |index| match topic_id {
            Some(topic_id) => row(context, &group_id, topic_id, index).await,
            None => unknown(index),
        });
        topics.push(DescribeShareGroupOffsetsResponseTopic {
            partitions: join_all(rows).await,
            topic_id: topic_id.unwrap_or(Uuid::ZERO),
            topic_name,
            ..Default::default()
        });
    }
    DescribeShareGroupOffsetsResponseGroup { group_id, topics, ..Default::default() }
}

fn unknown(partition_index: i32) -> DescribeShareGroupOffsetsResponsePartition {
    DescribeShareGroupOffsetsResponsePartition { partition_index, start_offset: -1, ..Default::default() }
}

async fn row(
    context: &RequestContext,
    group_id: &str,
    topic_id: Uuid,
    partition_index: i32,
) -> DescribeShareGroupOffsetsResponsePartition {
    let key = SharePartitionKey { group_id: group_id.into(), topic_id, partition: partition_index };
    let reply = context.broker.shared.state().ask_patiently(&key, Request::ReadSummary).await;
    // KAFKA: whatever is wrong with a partition, it just has no offset.
    let Some(state) = reply.state else { return unknown(partition_index) };
    let mut row = DescribeShareGroupOffsetsResponsePartition {
        partition_index,
        start_offset: state.start_offset,
        leader_epoch: state.leader_epoch,
        lag: -1,
        ..Default::default()
    };
    if state.start_offset == -1 || state.delivery_complete_count == -1 {
        return row;
    }
    match context.broker.partitions.by_id(topic_id, partition_index).map_err(ErrorCode::from) {
        Ok(partition) => {
            let end = partition.log.high_watermark();
            row.lag = end - state.start_offset - i64::from(state.delivery_complete_count);
            row
        }
        Err(error) => DescribeShareGroupOffsetsResponsePartition {
            partition_index,
            error_code: error.as_i16(),
            error_message: Some(error.message().to_string()),
            ..Default::default()
        },
    }
}
