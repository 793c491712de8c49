//! ListGroups (key 16, v0-5). The groups that this broker coordinates, by state (KIP-518) and type (KIP-848).

use groups::{Reply, Request};
use protocol::ErrorCode;
use protocol::messages::{ListGroupsRequest, ListGroupsResponse};

use crate::context::RequestContext;
use crate::group_request::shard_context;

/// Puts the answers of all shards together.
pub async fn handle(context: &RequestContext, request: ListGroupsRequest) -> ListGroupsResponse {
    let coordinator = &context.broker.groups;
    let mut response = ListGroupsResponse::default();
    if coordinator.is_loading() {
        response.error_code = ErrorCode::CoordinatorLoadInProgress.as_i16();
        return response;
    }
    for shard in coordinator.ready_shards() {
        let request = Request::ListGroups(request.clone());
        if let Reply::ListGroups(part) = coordinator.ask_shard(shard, (shard_context(context), request)).await
        {
            if part.error_code != ErrorCode::None.as_i16() {
                return ListGroupsResponse { error_code: part.error_code, ..Default::default() };
            }
            response.groups.extend(part.groups);
        }
    }
    response
}
