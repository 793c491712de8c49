//! OffsetCommit (key 8, v2-10). Stores how far a group has read. v10 names topics by id (KIP-848).
//!
//! Topics and partitions that do not exist are answered here; the shard sees names and ids of the others.

use std::collections::HashMap;

use groups::{Reply, Request};
use protocol::messages::offset_commit_request::OffsetCommitRequestTopic;
use protocol::messages::offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic};
use protocol::messages::{OffsetCommitRequest, OffsetCommitResponse};
use protocol::{ErrorCode, Uuid};

use crate::context::RequestContext;
use crate::group_request::ask;

/// Commits what exists and answers in the order of the request.
pub async fn handle(context: &RequestContext, mut request: OffsetCommitRequest) -> OffsetCommitResponse {
    let group_id = request.group_id.clone();
    let mut order = Vec::with_capacity(request.topics.len());
    let mut known = Vec::with_capacity(request.topics.len());
    for topic in std::mem::take(&mut request.topics) {
        let partitions: Vec<i32> =
            topic.partitions.iter().map(|partition| partition.partition_index).collect();
        order.push((topic.name.clone(), topic.topic_id, partitions));
        known.extend(resolve(context, topic));
    }
    let mut committed = HashMap::new();
    if !known.is_empty() || order.is_empty() {
        request.topics = known;
        let response = ask!(context, &group_id, Request::OffsetCommit(request), Reply::OffsetCommit);
        for topic in response.topics {
            for partition in topic.partitions {
                let key = if context.api_version >= 10 {
                    (String::new(), topic.topic_id)
                } else {
                    (topic.name.clone(), Uuid::ZERO)
                };
                committed.insert((key, partition.partition_index), partition.error_code);
            }
        }
    }
    let topics = order
        .into_iter()
        .map(|(name, topic_id, partitions)| {
            let by_id = context.api_version >= 10;
            let key = if by_id { (String::new(), topic_id) } else { (name.clone(), Uuid::ZERO) };
            let is_topic_known =
                if by_id { context.broker.metadata.image().topics.by_id(topic_id).is_some() } else { true };
            let missing =
                if is_topic_known { ErrorCode::UnknownTopicOrPartition } else { ErrorCode::UnknownTopicId };
            let partitions = partitions
                .into_iter()
                .map(|partition_index| OffsetCommitResponsePartition {
                    error_code: *committed.get(&(key.clone(), partition_index)).unwrap_or(&missing.as_i16()),
                    partition_index,
                    ..Default::default()
                })
                .collect();
            OffsetCommitResponseTopic { name, topic_id, partitions, ..Default::default() }
        })
        .collect();
    OffsetCommitResponse { topics, ..Default::default() }
}

/// The topic with its name and its id, and only the partitions that exist.
fn resolve(
    context: &RequestContext,
    mut topic: OffsetCommitRequestTopic,
) -> Option<OffsetCommitRequestTopic> {
    let image = context.broker.metadata.image();
    let found = if context.api_version >= 10 {
        image.topics.by_id(topic.topic_id)
    } else {
        image.topics.by_name(&topic.name)
    }?;
    topic.name = found.name().to_string();
    topic.topic_id = found.id();
    topic.partitions.retain(|partition| found.partition(partition.partition_index).is_some());
    (!topic.partitions.is_empty()).then_some(topic)
}
