//! What is wrong with a ConsumerGroupHeartbeat, whatever its group is like.

use protocol::ErrorCode;
use protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};

use super::member::{LEAVE_MEMBER_EPOCH, LEAVE_STATIC_MEMBER_EPOCH};
use crate::config::GroupCoordinatorConfig;
use crate::refusal::Refusal;

/// From this version on the client makes up its member id (KIP-1082).
const CLIENT_MEMBER_ID_MIN_VERSION: i16 = 1;

/// An answer that says no more than why not.
pub(crate) fn heartbeat_refusal(refusal: Refusal) -> ConsumerGroupHeartbeatResponse {
    ConsumerGroupHeartbeatResponse {
        error_code: refusal.error.as_i16(),
        error_message: Some(refusal.message),
        ..ConsumerGroupHeartbeatResponse::default()
    }
}

/// Kafka's checks, in Kafka's order.
pub(crate) fn validate_heartbeat(
    config: &GroupCoordinatorConfig,
    request: &ConsumerGroupHeartbeatRequest,
    api_version: i16,
) -> Result<(), Refusal> {
    let epoch = request.member_epoch;
    if api_version >= CLIENT_MEMBER_ID_MIN_VERSION || epoch > 0 || epoch == LEAVE_MEMBER_EPOCH {
        check_filled(Some(&request.member_id), "MemberId can't be empty.")?;
    }
    check_filled(Some(&request.group_id), "GroupId can't be empty.")?;
    check_filled(request.instance_id.as_ref(), "InstanceId can't be empty.")?;
    check_filled(request.rack_id.as_ref(), "RackId can't be empty.")?;
    if epoch == 0 {
        validate_join(request)?;
    } else if epoch == LEAVE_STATIC_MEMBER_EPOCH {
        check(request.instance_id.is_some(), "InstanceId can't be null.")?;
    } else {
        check(epoch > LEAVE_STATIC_MEMBER_EPOCH, "MemberEpoch is invalid.")?;
    }
    let known = &config.consumer.assignors;
    match &request.server_assignor {
        Some(assignor) if !known.contains(assignor) => Err(Refusal::new(
            ErrorCode::UnsupportedAssignor,
            format!("ServerAssignor {assignor} is not supported. Supported assignors: {}.", known.join(", ")),
        )),
        _ => Ok(()),
    }
}

fn validate_join(request: &ConsumerGroupHeartbeatRequest) -> Result<(), Refusal> {
    check(request.rebalance_timeout_ms != -1, "RebalanceTimeoutMs must be provided in first request.")?;
    let owns_nothing = request.topic_partitions.as_ref().is_some_and(Vec::is_empty);
    check(owns_nothing, "TopicPartitions must be empty when (re-)joining.")?;
    let is_subscribed = request.subscribed_topic_names.is_some() || request.subscribed_topic_regex.is_some();
    let needed = "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.";
    check(is_subscribed, needed)
}

pub(crate) fn check_filled(value: Option<&String>, message: &str) -> Result<(), Refusal> {
    check(value.is_none_or(|value| !value.trim().is_empty()), message)
}

pub(crate) fn check(holds: bool, message: &str) -> Result<(), Refusal> {
    if holds { Ok(()) } else { Err(Refusal::new(ErrorCode::InvalidRequest, message)) }
}
