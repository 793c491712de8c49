//! ShareGroupHeartbeat (key 76, v1). The one request of a share group's members to its coordinator (KIP-932).

use groups::{ShareReply, ShareRequest};
use protocol::ErrorCode;
use protocol::messages::{ShareGroupHeartbeatRequest, ShareGroupHeartbeatResponse};

use crate::context::RequestContext;
use crate::share_groups::ask_share;

/// Members choose their ids; a UUID in words is as long as one may be.
const MEMBER_ID_LENGTH_MAX: usize = 36;

/// Passes the request to the shard of its group.
pub async fn handle(
    context: &RequestContext,
    request: ShareGroupHeartbeatRequest,
) -> ShareGroupHeartbeatResponse {
    let refused = |error: ErrorCode| ShareGroupHeartbeatResponse {
        error_code: error.as_i16(),
        error_message: Some(error.message().to_string()),
        ..Default::default()
    };
    if !context.broker.supports_share_groups() {
        return refused(ErrorCode::UnsupportedVersion);
    }
    if request.member_id.is_empty() || request.member_id.chars().count() > MEMBER_ID_LENGTH_MAX {
        return ShareGroupHeartbeatResponse {
            error_code: ErrorCode::InvalidRequest.as_i16(),
            ..Default::default()
        };
    }
    let group_id = request.group_id.clone();
    match ask_share(context, &group_id, ShareRequest::Heartbeat(request)).await {
        ShareReply::Heartbeat(response) => response,
        _ => refused(ErrorCode::UnknownServerError),
    }
}
