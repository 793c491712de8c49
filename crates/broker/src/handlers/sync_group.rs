//! SyncGroup (key 14, v0-5). A member hands in or fetches the generation's assignment.

use bytes::Bytes;
use groups::{Reply, Request};
use protocol::messages::{SyncGroupRequest, SyncGroupResponse};

use crate::context::RequestContext;
use crate::group_request::ask;

/// Passes the request to the shard of its group.
pub async fn handle(context: &RequestContext, mut request: SyncGroupRequest) -> SyncGroupResponse {
    // The group keeps it; a piece of the frame would keep all of the frame.
    for member in &mut request.assignments {
        member.assignment = Bytes::copy_from_slice(&member.assignment);
    }
    let group_id = request.group_id.clone();
    ask!(context, &group_id, Request::SyncGroup(request), Reply::SyncGroup)
}
