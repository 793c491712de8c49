//! StreamsGroupHeartbeat (key 88, v0-1). The one request of a streams group's members (KIP-1071), and the internal topics that
//! their application lacks.

use groups::{Reply, Request};
use protocol::ErrorCode;
use protocol::messages::{StreamsGroupHeartbeatRequest, StreamsGroupHeartbeatResponse};

use crate::context::RequestContext;
use crate::group_request::{ask_group, knows_streams_groups};

/// `Status` code of an application whose internal topics are missing.
const MISSING_INTERNAL_TOPICS: i8 = 3;

/// Passes the request to the shard of its group; creates what topics it says are missing.
pub async fn handle(
    context: &RequestContext,
    request: StreamsGroupHeartbeatRequest,
) -> StreamsGroupHeartbeatResponse {
    if !knows_streams_groups(context) {
        return StreamsGroupHeartbeatResponse {
            error_code: ErrorCode::UnsupportedVersion.as_i16(),
            ..Default::default()
        };
    }
    let group_id = request.group_id.clone();
    let reply = ask_group(context, &group_id, Request::StreamsGroupHeartbeat(request)).await;
    let Reply::StreamsGroupHeartbeat(mut response, topics) = reply else {
        unreachable!("a shard answered with a reply of another kind: {reply:?}")
    };
    if topics.is_empty() {
        return response;
    }
    // A topic that somebody else has created meanwhile is no error.
    let failed: Vec<String> = context
        .broker
        .topic_creation
        .create_for_streams(topics)
        .await
        .into_iter()
        .map(|(topic, error)| format!("{topic} ({})", error.name()))
        .collect();
    if !failed.is_empty() {
        let statuses = response.status.iter_mut().flatten();
        for status in statuses.filter(|status| status.status_code == MISSING_INTERNAL_TOPICS) {
            status.status_detail =
                format!("{}; Creation failed: {}.", status.status_detail, failed.join(", "));
        }
    }
    response
}
