//! DeleteGroups (key 42, v0-3). Removes empty groups with their offsets.

use groups::{Reply, Request};
use protocol::messages::{DeleteGroupsRequest, DeleteGroupsResponse};

use crate::context::RequestContext;
use crate::group_request::ask_group;

/// Asks each group's shard in turn.
pub async fn handle(context: &RequestContext, request: DeleteGroupsRequest) -> DeleteGroupsResponse {
    let mut response = DeleteGroupsResponse::default();
    for group_id in request.groups_names {
        let asked = Request::DeleteGroups(vec![group_id.clone()]);
        if let Reply::DeleteGroups(deleted) = ask_group(context, &group_id, asked).await {
            response.results.extend(deleted);
        }
    }
    response
}
