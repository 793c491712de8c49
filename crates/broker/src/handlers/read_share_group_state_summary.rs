//! ReadShareGroupStateSummary (key 87, v0-1). Where share groups stand, without details; v1 counts what is done with (KIP-1226).

use protocol::messages::read_share_group_state_summary_response::{PartitionResult, ReadStateSummaryResult};
use protocol::messages::{ReadShareGroupStateSummaryRequest, ReadShareGroupStateSummaryResponse};
use share::Request;

use crate::context::RequestContext;
use crate::share_state_request::ask;

/// Asks for each partition.
pub async fn handle(
    context: &RequestContext,
    request: ReadShareGroupStateSummaryRequest,
) -> ReadShareGroupStateSummaryResponse {
    // KAFKA: a request that names nothing is answered with nothing.
    if request.group_id.is_empty() || request.topics.iter().any(|topic| topic.partitions.is_empty()) {
        return Default::default();
    }
    let mut results = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for asked in topic.partitions {
            let key = (request.group_id.as_str(), topic.topic_id, asked.partition);
            let reply = ask(context, key, Request::ReadSummary).await;
            let mut row = PartitionResult {
                partition: asked.partition,
                error_code: reply.error_code.as_i16(),
                error_message: reply.error_message,
                ..Default::default()
            };
            if let Some(state) = reply.state {
                row.state_epoch = state.state_epoch;
                row.leader_epoch = state.leader_epoch;
                row.start_offset = state.start_offset;
                row.delivery_complete_count = state.delivery_complete_count;
            }
            partitions.push(row);
        }
        results.push(ReadStateSummaryResult { topic_id: topic.topic_id, partitions, ..Default::default() });
    }
    ReadShareGroupStateSummaryResponse { results, ..Default::default() }
}
