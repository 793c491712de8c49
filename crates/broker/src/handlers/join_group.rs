//! JoinGroup (key 11, v0-9). A member asks into a classic group's next generation.

use groups::{Reply, Request};
use protocol::messages::{JoinGroupRequest, JoinGroupResponse};

use crate::context::RequestContext;
use crate::group_request::ask;

/// Passes the request to the shard of its group.
pub async fn handle(context: &RequestContext, request: JoinGroupRequest) -> JoinGroupResponse {
    let group_id = request.group_id.clone();
    ask!(context, &group_id, Request::JoinGroup(request), Reply::JoinGroup)
}
