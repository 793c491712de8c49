//! OffsetDelete (key 47, v0). Forgets committed offsets of topics that the group does not read now (KIP-496).

use groups::{Reply, Request};
use protocol::ErrorCode;
use protocol::messages::offset_delete_response::{OffsetDeleteResponsePartition, OffsetDeleteResponseTopic};
use protocol::messages::{OffsetDeleteRequest, OffsetDeleteResponse};

use crate::context::RequestContext;
use crate::group_request::ask;

/// Deletes what exists; unknown topics and partitions are answered here.
pub async fn handle(context: &RequestContext, mut request: OffsetDeleteRequest) -> OffsetDeleteResponse {
    let group_id = request.group_id.clone();
    let image = context.broker.metadata.image();
    let mut unknown = Vec::new();
    for topic in &mut request.topics {
        let found = image.topics.by_name(&topic.name);
        let mut missing = Vec::new();
        topic.partitions.retain(|partition| {
            let exists = found.is_some_and(|topic| topic.partition(partition.partition_index).is_some());
            if !exists {
                missing.push(OffsetDeleteResponsePartition {
                    partition_index: partition.partition_index,
                    error_code: ErrorCode::UnknownTopicOrPartition.as_i16(),
                });
            }
            exists
        });
        if !missing.is_empty() {
            unknown.push(OffsetDeleteResponseTopic { name: topic.name.clone(), partitions: missing });
        }
    }
    request.topics.retain(|topic| !topic.partitions.is_empty());
    if request.topics.is_empty() && !unknown.is_empty() {
        return OffsetDeleteResponse { topics: unknown, ..Default::default() };
    }
    let mut response = ask!(context, &group_id, Request::OffsetDelete(request), Reply::OffsetDelete);
    if response.error_code != ErrorCode::None.as_i16() {
        return response;
    }
    for topic in unknown {
        match response.topics.iter_mut().find(|answered| answered.name == topic.name) {
            Some(answered) => answered.partitions.extend(topic.partitions),
            None => response.topics.push(topic),
        }
    }
    response
}
