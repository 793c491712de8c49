//! What is wrong with a ShareGroupHeartbeat in itself.

use protocol::ErrorCode;
use protocol::messages::{ShareGroupHeartbeatRequest, ShareGroupHeartbeatResponse};

use crate::refusal::Refusal;

/// The epoch of a member that leaves.
pub(super) const LEAVE_EPOCH: i32 = -1;

fn invalid(message: &str) -> Refusal {
    Refusal::new(ErrorCode::InvalidRequest, message)
}

/// Whether the request can be looked at.
pub(crate) fn validate_heartbeat(request: &ShareGroupHeartbeatRequest) -> Result<(), Refusal> {
    let is_blank = |text: &str| text.trim().is_empty();
    if is_blank(&request.member_id) {
        return Err(invalid("MemberId can't be empty."));
    }
    if is_blank(&request.group_id) {
        return Err(invalid("GroupId can't be empty."));
    }
    if request.rack_id.as_deref().is_some_and(is_blank) {
        return Err(invalid("RackId can't be empty."));
    }
    if request.member_epoch == 0 && request.subscribed_topic_names.as_ref().is_none_or(Vec::is_empty) {
        return Err(invalid("SubscribedTopicNames must be set in first request."));
    }
    if request.member_epoch < LEAVE_EPOCH {
        return Err(invalid("MemberEpoch is invalid."));
    }
    Ok(())
}

/// The answer to a heartbeat that is refused.
pub(crate) fn heartbeat_refusal(refusal: Refusal) -> ShareGroupHeartbeatResponse {
    ShareGroupHeartbeatResponse {
        error_code: refusal.error.as_i16(),
        error_message: Some(refusal.message),
        ..ShareGroupHeartbeatResponse::default()
    }
}
