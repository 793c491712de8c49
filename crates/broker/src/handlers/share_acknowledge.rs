//! ShareAcknowledge (key 79, v1-2). What a member of a share group has done with records (KIP-932); v2 renews locks (KIP-1222).

use std::collections::BTreeMap;

use protocol::messages::share_acknowledge_response::{
    LeaderIdAndEpoch, PartitionData, ShareAcknowledgeTopicResponse,
};
use protocol::messages::{ShareAcknowledgeRequest, ShareAcknowledgeResponse};
use protocol::{ErrorCode, Uuid};
use share::SharedPartition;

use crate::context::RequestContext;
use crate::handlers::share_fetch::leader_of;
use crate::share_acknowledgements::{
    AcknowledgeRules, Acknowledgements, acknowledge, end_session, is_member_id, session_key,
};

/// Answers when all that was acknowledged is written down.
pub async fn handle(context: &RequestContext, request: ShareAcknowledgeRequest) -> ShareAcknowledgeResponse {
    let refused = |error: ErrorCode, message: &str| ShareAcknowledgeResponse {
        error_code: error.as_i16(),
        error_message: Some(message.to_string()),
        ..Default::default()
    };
    let broker = &context.broker;
    if !broker.supports_share_groups() {
        let error = ErrorCode::UnsupportedVersion;
        return refused(error, error.message());
    }
    if !is_member_id(request.member_id.as_deref()) {
        return refused(ErrorCode::InvalidRequest, "Invalid member id in the request.");
    }
    let Some(session) = session_key(request.group_id.as_deref(), request.member_id.as_deref()) else {
        return refused(ErrorCode::InvalidRequest, ErrorCode::InvalidRequest.message());
    };
    let is_final = match broker.shared.sessions().lock().acknowledge(&session, request.share_session_epoch) {
        Ok(is_final) => is_final,
        Err(error) => return refused(error, error.message()),
    };
    let mut acknowledgements = Acknowledgements::new();
    for topic in request.topics {
        for partition in topic.partitions {
            let key = SharedPartition { topic_id: topic.topic_id, partition: partition.partition_index };
            let batches = partition.acknowledgement_batches.into_iter();
            let batches =
                batches.map(|batch| (batch.first_offset, batch.last_offset, batch.acknowledge_types));
            acknowledgements.entry(key).or_default().extend(batches);
        }
    }
    let rules = AcknowledgeRules {
        knows_renewal: context.api_version >= 2
            && broker.shared.group_config(&session.group_id).share_renew_acknowledge_enable,
        may_renew: request.is_renew_ack,
    };
    let outcomes = acknowledge(broker, &session, acknowledgements, rules).await;
    if is_final {
        end_session(broker, &session);
    }
    let mut topics: BTreeMap<Uuid, Vec<PartitionData>> = BTreeMap::new();
    for (key, (error, error_message)) in outcomes {
        let (leader_id, leader_epoch) = leader_of(context, key, error);
        topics.entry(key.topic_id).or_default().push(PartitionData {
            partition_index: key.partition,
            error_code: error.as_i16(),
            error_message,
            current_leader: LeaderIdAndEpoch { leader_id, leader_epoch, ..Default::default() },
            ..Default::default()
        });
    }
    let topic =
        |(topic_id, partitions)| ShareAcknowledgeTopicResponse { topic_id, partitions, ..Default::default() };
    ShareAcknowledgeResponse {
        acquisition_lock_timeout_ms: i32::try_from(
            broker.shared.limits(&session.group_id).record_lock_duration_ms,
        )
        .unwrap_or(i32::MAX),
        responses: topics.into_iter().map(topic).collect(),
        ..Default::default()
    }
}
