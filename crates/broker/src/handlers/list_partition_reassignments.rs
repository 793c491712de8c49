//! ListPartitionReassignments (key 46, v0). The replicas that are on the move (KIP-455).

use controller::ControllerResult;
use protocol::messages::{ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse};

use crate::context::RequestContext;

/// Lists what the controller has recorded.
pub async fn handle(
    context: &RequestContext,
    request: ListPartitionReassignmentsRequest,
) -> ListPartitionReassignmentsResponse {
    let decided = context.broker.controller.decide(move |deciding| {
        ControllerResult::unchanged(
            deciding.controller.list_partition_reassignments(deciding.image, &request),
        )
    });
    decided.await.unwrap_or_else(|error| ListPartitionReassignmentsResponse {
        error_code: error.as_i16(),
        error_message: Some(error.message().to_string()),
        ..Default::default()
    })
}
