//! ElectLeaders (key 43, v0-2). Preferred leaders, or unclean ones where there is no other (KIP-460).

use protocol::ErrorCode;
use protocol::messages::elect_leaders_response::{PartitionResult, ReplicaElectionResult};
use protocol::messages::{ElectLeadersRequest, ElectLeadersResponse};

use crate::context::RequestContext;
use crate::controller_client::settle;

/// Has the controller elect them.
pub async fn handle(context: &RequestContext, request: ElectLeadersRequest) -> ElectLeadersResponse {
    let asked = request.topic_partitions.clone().unwrap_or_default();
    let decided = context
        .broker
        .controller
        .decide(move |deciding| settle(deciding.controller.elect_leaders(deciding.image, &request)));
    let (error, message) = match decided.await {
        Ok(Ok(response)) => return response,
        Ok(Err(refusal)) => (refusal.code, refusal.message),
        Err(error) => (error, None),
    };
    let refuse = |partition_id: &i32| PartitionResult {
        partition_id: *partition_id,
        error_code: error.as_i16(),
        error_message: message.clone(),
        ..Default::default()
    };
    ElectLeadersResponse {
        // v0 has no error of the whole.
        error_code: if context.api_version >= 1 { error.as_i16() } else { ErrorCode::None.as_i16() },
        replica_election_results: asked
            .into_iter()
            .map(|topic| ReplicaElectionResult {
                partition_result: topic.partitions.iter().map(refuse).collect(),
                topic: topic.topic,
                ..Default::default()
            })
            .collect(),
        ..Default::default()
    }
}
