//! ShareGroupDescribe (key 77, v1). State, epochs, members and assignments of share groups (KIP-932).

use groups::{ShareReply, ShareRequest};
use protocol::ErrorCode;
use protocol::messages::share_group_describe_response::DescribedGroup;
use protocol::messages::{ShareGroupDescribeRequest, ShareGroupDescribeResponse};

use crate::authorized_operations;
use crate::context::RequestContext;
use crate::share_groups::ask_share;

/// Asks each group's shard in turn.
pub async fn handle(
    context: &RequestContext,
    request: ShareGroupDescribeRequest,
) -> ShareGroupDescribeResponse {
    let mut response = ShareGroupDescribeResponse::default();
    for group_id in request.group_ids {
        if !context.broker.supports_share_groups() {
            response.groups.push(refused(group_id, ErrorCode::UnsupportedVersion));
        } else if group_id.is_empty() {
            response.groups.push(refused(group_id, ErrorCode::InvalidGroupId));
        } else {
            let asked = ShareRequest::Describe(vec![group_id.clone()]);
            if let ShareReply::Describe(described) = ask_share(context, &group_id, asked).await {
                response.groups.extend(described);
            }
        }
    }
    if request.include_authorized_operations {
        for group in response.groups.iter_mut().filter(|group| group.error_code == 0) {
            group.authorized_operations = authorized_operations::GROUP;
        }
    }
    response
}

fn refused(group_id: String, error: ErrorCode) -> DescribedGroup {
    DescribedGroup { group_id, error_code: error.as_i16(), ..Default::default() }
}
