//! Heartbeat (key 12, v0-4). Keeps a classic group's member in its generation.

use groups::{Reply, Request};
use protocol::messages::{HeartbeatRequest, HeartbeatResponse};

use crate::context::RequestContext;
use crate::group_request::ask;

/// Passes the request to the shard of its group.
pub async fn handle(context: &RequestContext, request: HeartbeatRequest) -> HeartbeatResponse {
    let group_id = request.group_id.clone();
    ask!(context, &group_id, Request::Heartbeat(request), Reply::Heartbeat)
}
