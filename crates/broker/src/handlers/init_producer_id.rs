//! InitProducerId (key 22, v0-5). Hands an idempotent producer an id that nobody else has (KIP-98).
//!
//! Ids come from blocks that the controller records. A producer that kept its id and lost its place gets a new id (KIP-360).

use protocol::ErrorCode;
use protocol::messages::{InitProducerIdRequest, InitProducerIdResponse};
use tracing::warn;

use crate::context::RequestContext;

/// Answers with an id at epoch 0.
pub async fn handle(context: &RequestContext, request: InitProducerIdRequest) -> InitProducerIdResponse {
    if request.transactional_id.is_some() {
        warn!(
            client_id = context.client_id(),
            "refused a transactional producer: transactions are not served by this broker yet"
        );
        return refuse(ErrorCode::InvalidRequest);
    }
    if (request.producer_id == -1) != (request.producer_epoch == -1) {
        return refuse(ErrorCode::InvalidRequest);
    }
    match context.broker.producer_ids.next().await {
        Ok(producer_id) => InitProducerIdResponse { producer_id, producer_epoch: 0, ..Default::default() },
        Err(error) => refuse(error),
    }
}

fn refuse(error: ErrorCode) -> InitProducerIdResponse {
    InitProducerIdResponse {
        error_code: error.as_i16(),
        producer_id: -1,
        producer_epoch: -1,
        ..Default::default()
    }
}
