//! SyncGroup (key 14, v0-5). A member hands in or fetches the generation's assignment.

use groups::{Reply, Request};
use protocol::messages::{SyncGroupRequest, SyncGroupResponse};

use crate::context::RequestContext;
use crate::group_request::ask;

/// Passes the request to the shard of its group.
pub async fn handle(context: &RequestContext, request: SyncGroupRequest) -> SyncGroupResponse {
    let group_id = request.group_id.clone();
    ask!(context, &group_id, Request::SyncGroup(request), Reply::SyncGroup)
}
