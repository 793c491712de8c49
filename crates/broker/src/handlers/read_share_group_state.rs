//! ReadShareGroupState (key 84, v0). Tells a partition's leader where a share group stands, and fences the leaders before.

use protocol::messages::read_share_group_state_response::{PartitionResult, ReadStateResult, StateBatch};
use protocol::messages::{ReadShareGroupStateRequest, ReadShareGroupStateResponse};
use share::Request;

use crate::context::RequestContext;
use crate::share_state_request::ask;

/// Asks for each partition.
pub async fn handle(
    context: &RequestContext,
    request: ReadShareGroupStateRequest,
) -> ReadShareGroupStateResponse {
    // KAFKA: a request that names nothing is answered with nothing.
    if request.group_id.is_empty() || request.topics.iter().any(|topic| topic.partitions.is_empty()) {
        return Default::default();
    }
    let mut results = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for asked in topic.partitions {
            let key = (request.group_id.as_str(), topic.topic_id, asked.partition);
            let reply = ask(context, key, Request::Read { leader_epoch: asked.leader_epoch }).await;
            let mut row = PartitionResult {
                partition: asked.partition,
                error_code: reply.error_code.as_i16(),
                error_message: reply.error_message,
                ..Default::default()
            };
            if let Some(state) = reply.state {
                row.state_epoch = state.state_epoch;
                row.start_offset = state.start_offset;
                let batch = |batch: share::StateBatch| StateBatch {
                    first_offset: batch.first_offset,
                    last_offset: batch.last_offset,
                    delivery_state: batch.delivery_state,
                    delivery_count: batch.delivery_count,
                    ..Default::default()
                };
                row.state_batches = state.batches.into_iter().map(batch).collect();
            }
            partitions.push(row);
        }
        results.push(ReadStateResult { topic_id: topic.topic_id, partitions, ..Default::default() });
    }
    ReadShareGroupStateResponse { results, ..Default::default() }
}
