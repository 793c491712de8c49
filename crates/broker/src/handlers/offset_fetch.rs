//! OffsetFetch (key 9, v1-10). How far groups have read: several groups since v8 (KIP-709), topics by id in v10 (KIP-848).

use groups::{Reply, Request};
use protocol::ErrorCode;
use protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartitions, OffsetFetchResponseTopics,
};
use protocol::messages::{OffsetFetchRequest, OffsetFetchResponse};

use crate::context::RequestContext;
use crate::group_request::ask;

/// Asks each group's shard in turn.
pub async fn handle(context: &RequestContext, request: OffsetFetchRequest) -> OffsetFetchResponse {
    let require_stable = request.require_stable;
    let mut groups = Vec::new();
    for group in groups::offset_fetch_request_groups(request, context.api_version) {
        groups.push(fetch(context, group, require_stable).await);
    }
    groups::offset_fetch_response(groups, context.api_version)
}

async fn fetch(
    context: &RequestContext,
    mut group: OffsetFetchRequestGroup,
    require_stable: bool,
) -> OffsetFetchResponseGroup {
    let group_id = group.group_id.clone();
    let mut unknown = Vec::new();
    if context.api_version >= 10
        && let Some(topics) = group.topics.take()
    {
        let mut known = Vec::with_capacity(topics.len());
        for topic in topics {
            match name_of(context, topic) {
                Ok(topic) => known.push(topic),
                Err(topic) => unknown.push(topic),
            }
        }
        group.topics = Some(known);
    }
    let mut fetched =
        ask!(context, &group_id, Request::OffsetFetch { group, require_stable }, Reply::OffsetFetch);
    if context.api_version >= 10 {
        let image = context.broker.metadata.image();
        for topic in &mut fetched.topics {
            topic.topic_id = image.topics.by_name(&topic.name).map(|topic| topic.id()).unwrap_or_default();
        }
        fetched.topics.retain(|topic| topic.topic_id != protocol::Uuid::ZERO);
    }
    fetched.topics.extend(unknown);
    fetched
}

/// The topic with its name, or its answer if no topic has its id.
fn name_of(
    context: &RequestContext,
    mut topic: OffsetFetchRequestTopics,
) -> Result<OffsetFetchRequestTopics, OffsetFetchResponseTopics> {
    let image = context.broker.metadata.image();
    if let Some(found) = image.topics.by_id(topic.topic_id) {
        topic.name = found.name().to_string();
        return Ok(topic);
    }
    let partitions = topic.partition_indexes.iter().map(|partition_index| OffsetFetchResponsePartitions {
        partition_index: *partition_index,
        committed_offset: -1,
        metadata: Some(String::new()),
        error_code: ErrorCode::UnknownTopicId.as_i16(),
        ..Default::default()
    });
    Err(OffsetFetchResponseTopics {
        topic_id: topic.topic_id,
        partitions: partitions.collect(),
        ..Default::default()
    })
}
