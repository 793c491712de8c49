//! FindCoordinator (key 10, v0-6). Which broker leads the partition that holds the state of a group or a transactional id.
//!
//! v4 asks for several keys at once (KIP-699). The internal topic is created by the first who asks.

use protocol::messages::find_coordinator_response::Coordinator;
use protocol::messages::{FindCoordinatorRequest, FindCoordinatorResponse};
use protocol::{CoordinatorType, ErrorCode};
use share::SharePartitionKey;

use crate::context::RequestContext;
use crate::group_coordinator::CONSUMER_OFFSETS;
use crate::share_coordinator::SHARE_GROUP_STATE;
use crate::transaction_coordinator::TRANSACTION_STATE;

/// From here on share coordinators may be asked for (KIP-932).
const FIRST_VERSION_WITH_SHARE_KEYS: i16 = 6;

/// Answers for each key, or in the old form for the one.
pub async fn handle(context: &RequestContext, request: FindCoordinatorRequest) -> FindCoordinatorResponse {
    if context.api_version >= 4 {
        let mut coordinators = Vec::new();
        for key in request.coordinator_keys {
            coordinators.push(find(context, request.key_type, key).await);
        }
        return FindCoordinatorResponse { coordinators, ..Default::default() };
    }
    let found = find(context, request.key_type, request.key).await;
    // Kafka explains itself in the old form only.
    let error = ErrorCode::from_i16(found.error_code).unwrap_or(ErrorCode::UnknownServerError);
    let message = if error == ErrorCode::None { error.name() } else { error.message() };
    FindCoordinatorResponse {
        error_code: found.error_code,
        error_message: Some(message.to_string()),
        node_id: found.node_id,
        host: found.host,
        port: found.port,
        ..Default::default()
    }
}

async fn find(context: &RequestContext, key_type: i8, key: String) -> Coordinator {
    let broker = &context.broker;
    let (topic, partition_of): (_, &dyn Fn() -> Option<i32>) = match CoordinatorType::from_i8(key_type) {
        Some(CoordinatorType::Group) => (CONSUMER_OFFSETS, &|| broker.groups.partition_of(&key)),
        Some(CoordinatorType::Share)
            if context.api_version < FIRST_VERSION_WITH_SHARE_KEYS
                || SharePartitionKey::from_coordinator_key(&key).is_none() =>
        {
            return refused(key, ErrorCode::InvalidRequest, "");
        }
        Some(CoordinatorType::Share) => {
            (SHARE_GROUP_STATE, &|| broker.shared.state().coordinator.partition_of(&key))
        }
        Some(CoordinatorType::Transaction) => (TRANSACTION_STATE, &|| broker.transactions.partition_of(&key)),
        None => return refused(key, ErrorCode::InvalidRequest, ErrorCode::InvalidRequest.message()),
    };
    match leader_of(context, topic, partition_of).await {
        Some(leader) => match context.endpoint(leader) {
            Some(endpoint) => Coordinator {
                key,
                node_id: endpoint.node_id,
                host: endpoint.host,
                port: endpoint.port,
                error_code: ErrorCode::None.as_i16(),
                error_message: Some(String::new()),
                ..Default::default()
            },
            None => unavailable(key),
        },
        None => unavailable(key),
    }
}

/// The leader of the key's partition; the topic is created if it does not exist.
async fn leader_of(
    context: &RequestContext,
    topic: &str,
    partition_of: &dyn Fn() -> Option<i32>,
) -> Option<i32> {
    let broker = &context.broker;
    if partition_of().is_none() {
        broker.topic_creation.create_internal(topic).await.ok()?;
    }
    let (leader, _) = broker.leader_by_name(topic, partition_of()?)?;
    (leader >= 0).then_some(leader)
}

fn unavailable(key: String) -> Coordinator {
    refused(key, ErrorCode::CoordinatorNotAvailable, "")
}

fn refused(key: String, error: ErrorCode, message: &str) -> Coordinator {
    Coordinator {
        key,
        node_id: -1,
        port: -1,
        error_code: error.as_i16(),
        error_message: Some(message.to_string()),
        ..Default::default()
    }
}
