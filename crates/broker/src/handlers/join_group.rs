//! JoinGroup (key 11, v0-9). A member asks into a classic group's next generation.

use bytes::Bytes;
use groups::{Reply, Request};
use protocol::messages::{JoinGroupRequest, JoinGroupResponse};

use crate::context::RequestContext;
use crate::group_request::ask;

/// Passes the request to the shard of its group.
pub async fn handle(context: &RequestContext, mut request: JoinGroupRequest) -> JoinGroupResponse {
    // The group keeps it; a piece of the frame would keep all of the frame.
    for protocol in &mut request.protocols {
        protocol.metadata = Bytes::copy_from_slice(&protocol.metadata);
        protocol.unknown_tagged_fields.clear();
    }
    let group_id = request.group_id.clone();
    ask!(context, &group_id, Request::JoinGroup(request), Reply::JoinGroup)
}
