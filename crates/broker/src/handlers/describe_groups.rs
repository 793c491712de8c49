//! DescribeGroups (key 15, v0-6). State, protocol and members of classic groups.

use groups::{Reply, Request};
use protocol::messages::{DescribeGroupsRequest, DescribeGroupsResponse};

use crate::authorized_operations;
use crate::context::RequestContext;
use crate::group_request::ask_group;

/// Asks each group's shard in turn.
pub async fn handle(context: &RequestContext, request: DescribeGroupsRequest) -> DescribeGroupsResponse {
    let mut response = DescribeGroupsResponse::default();
    for group_id in request.groups {
        let asked = Request::DescribeGroups(vec![group_id.clone()]);
        if let Reply::DescribeGroups(described) = ask_group(context, &group_id, asked).await {
            response.groups.extend(described);
        }
    }
    for group in response.groups.iter_mut().filter(|group| group.error_code == 0) {
        if request.include_authorized_operations {
            group.authorized_operations = authorized_operations::GROUP;
        }
    }
    response
}
