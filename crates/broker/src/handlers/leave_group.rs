//! LeaveGroup (key 13, v0-5). Members leave a classic group, several at once since v3 (KIP-345).

use groups::{Reply, Request};
use protocol::messages::{LeaveGroupRequest, LeaveGroupResponse};

use crate::context::RequestContext;
use crate::group_request::ask;

/// Passes the request to the shard of its group.
pub async fn handle(context: &RequestContext, request: LeaveGroupRequest) -> LeaveGroupResponse {
    let group_id = request.group_id.clone();
    ask!(context, &group_id, Request::LeaveGroup(request), Reply::LeaveGroup)
}
