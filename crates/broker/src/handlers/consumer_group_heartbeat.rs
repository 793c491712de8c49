//! ConsumerGroupHeartbeat (key 68, v0-1). The one request of a consumer group's members (KIP-848): join, live, reconcile, leave.

use groups::{Reply, Request};
use protocol::ErrorCode;
use protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};

use crate::context::RequestContext;
use crate::group_request::{ask, knows_consumer_groups};

/// Passes the request to the shard of its group.
pub async fn handle(
    context: &RequestContext,
    request: ConsumerGroupHeartbeatRequest,
) -> ConsumerGroupHeartbeatResponse {
    if !knows_consumer_groups(context) {
        return ConsumerGroupHeartbeatResponse {
            error_code: ErrorCode::UnsupportedVersion.as_i16(),
            ..Default::default()
        };
    }
    let group_id = request.group_id.clone();
    ask!(context, &group_id, Request::ConsumerGroupHeartbeat(request), Reply::ConsumerGroupHeartbeat)
}
