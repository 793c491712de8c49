//! WriteShareGroupState (key 85, v0-1). A partition's leader says what became of records. v1 counts those done with (KIP-1226).

use protocol::messages::write_share_group_state_request::StateBatch;
use protocol::messages::write_share_group_state_response::{PartitionResult, WriteStateResult};
use protocol::messages::{WriteShareGroupStateRequest, WriteShareGroupStateResponse};
use share::{Request, WriteState};

use crate::context::RequestContext;
use crate::share_state_request::ask;

/// Asks for each partition.
pub async fn handle(
    context: &RequestContext,
    request: WriteShareGroupStateRequest,
) -> WriteShareGroupStateResponse {
    // KAFKA: a request that names nothing is answered with nothing.
    if request.group_id.is_empty() || request.topics.iter().any(|topic| topic.partitions.is_empty()) {
        return Default::default();
    }
    let mut results = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for asked in topic.partitions {
            let batch = |batch: StateBatch| share::StateBatch {
                first_offset: batch.first_offset,
                last_offset: batch.last_offset,
                delivery_state: batch.delivery_state,
                delivery_count: batch.delivery_count,
            };
            let state = WriteState {
                state_epoch: asked.state_epoch,
                leader_epoch: asked.leader_epoch,
                start_offset: asked.start_offset,
                delivery_complete_count: asked.delivery_complete_count,
                batches: asked.state_batches.into_iter().map(batch).collect(),
            };
            let key = (request.group_id.as_str(), topic.topic_id, asked.partition);
            let reply = ask(context, key, Request::Write(state)).await;
            partitions.push(PartitionResult {
                partition: asked.partition,
                error_code: reply.error_code.as_i16(),
                error_message: reply.error_message,
                ..Default::default()
            });
        }
        results.push(WriteStateResult { topic_id: topic.topic_id, partitions, ..Default::default() });
    }
    WriteShareGroupStateResponse { results, ..Default::default() }
}
