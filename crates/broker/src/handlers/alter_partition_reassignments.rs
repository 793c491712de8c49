//! AlterPartitionReassignments (key 45, v0-1). Moves replicas, or cancels a move (KIP-455).

use protocol::messages::{AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse};

use crate::context::RequestContext;

/// Has the controller record what is to move.
pub async fn handle(
    context: &RequestContext,
    request: AlterPartitionReassignmentsRequest,
) -> AlterPartitionReassignmentsResponse {
    let decided = context
        .broker
        .controller
        .decide(move |deciding| deciding.controller.alter_partition_reassignments(deciding.image, &request));
    decided.await.unwrap_or_else(|error| AlterPartitionReassignmentsResponse {
        error_code: error.as_i16(),
        error_message: Some(error.message().to_string()),
        ..Default::default()
    })
}
