//! InitializeShareGroupState (key 83, v0). Sets up the state of shared partitions; brokers ask the share coordinator (KIP-932).

use protocol::messages::initialize_share_group_state_response::{InitializeStateResult, PartitionResult};
use protocol::messages::{InitializeShareGroupStateRequest, InitializeShareGroupStateResponse};
use share::{InitializeState, Request};

use crate::context::RequestContext;
use crate::share_state_request::ask;

/// Asks for each partition.
pub async fn handle(
    context: &RequestContext,
    request: InitializeShareGroupStateRequest,
) -> InitializeShareGroupStateResponse {
    // KAFKA: a request that names nothing is answered with nothing.
    if request.group_id.is_empty() || request.topics.iter().any(|topic| topic.partitions.is_empty()) {
        return Default::default();
    }
    let mut results = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for asked in topic.partitions {
            let state = InitializeState { state_epoch: asked.state_epoch, start_offset: asked.start_offset };
            let key = (request.group_id.as_str(), topic.topic_id, asked.partition);
            let reply = ask(context, key, Request::Initialize(state)).await;
            partitions.push(PartitionResult {
                partition: asked.partition,
                error_code: reply.error_code.as_i16(),
                error_message: reply.error_message,
                ..Default::default()
            });
        }
        results.push(InitializeStateResult { topic_id: topic.topic_id, partitions, ..Default::default() });
    }
    InitializeShareGroupStateResponse { results, ..Default::default() }
}
