//! DeleteShareGroupState (key 86, v0). Forgets the state of shared partitions.

use protocol::messages::delete_share_group_state_response::{DeleteStateResult, PartitionResult};
use protocol::messages::{DeleteShareGroupStateRequest, DeleteShareGroupStateResponse};
use share::Request;

use crate::context::RequestContext;
use crate::share_state_request::ask;

/// Asks for each partition.
pub async fn handle(
    context: &RequestContext,
    request: DeleteShareGroupStateRequest,
) -> DeleteShareGroupStateResponse {
    // KAFKA: a request that names nothing is answered with nothing.
    if request.group_id.is_empty() || request.topics.iter().any(|topic| topic.partitions.is_empty()) {
        return Default::default();
    }
    let mut results = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for asked in topic.partitions {
            let key = (request.group_id.as_str(), topic.topic_id, asked.partition);
            let reply = ask(context, key, Request::Delete).await;
            partitions.push(PartitionResult {
                partition: asked.partition,
                error_code: reply.error_code.as_i16(),
                error_message: reply.error_message,
                ..Default::default()
            });
        }
        results.push(DeleteStateResult { topic_id: topic.topic_id, partitions, ..Default::default() });
    }
    DeleteShareGroupStateResponse { results, ..Default::default() }
}
