//! DeleteGroups (key 42, v0-3). Removes empty groups with their offsets.

use groups::{Reply, Request, ShareReply, ShareRequest};
use protocol::ErrorCode;
use protocol::messages::delete_groups_response::DeletableGroupResult;
use protocol::messages::{DeleteGroupsRequest, DeleteGroupsResponse};

use crate::context::RequestContext;
use crate::group_request::ask_group;
use crate::share_groups::{ask_share, delete};

/// Asks each group's shard in turn.
pub async fn handle(context: &RequestContext, request: DeleteGroupsRequest) -> DeleteGroupsResponse {
    let mut response = DeleteGroupsResponse::default();
    for group_id in request.groups_names {
        if let Err(error) = delete_share_states(context, &group_id).await {
            let error_code = error.as_i16();
            response.results.push(DeletableGroupResult { group_id, error_code, ..Default::default() });
            continue;
        }
        let asked = Request::DeleteGroups(vec![group_id.clone()]);
        if let Reply::DeleteGroups(deleted) = ask_group(context, &group_id, asked).await {
            response.results.extend(deleted);
        }
    }
    response
}

/// The states of a share group go before the group itself; groups of other kinds have none.
async fn delete_share_states(context: &RequestContext, group_id: &str) -> Result<(), ErrorCode> {
    let begin = ShareRequest::BeginDelete { group_id: group_id.to_string() };
    match ask_share(context, group_id, begin).await {
        ShareReply::BeginDelete(ErrorCode::None, topics) => {
            let outcomes = delete(&context.broker, group_id, &topics).await;
            outcomes.into_iter().try_for_each(|(_, outcome)| outcome)
        }
        ShareReply::BeginDelete(error, _) => Err(error),
        _ => Err(ErrorCode::UnknownServerError),
    }
}
