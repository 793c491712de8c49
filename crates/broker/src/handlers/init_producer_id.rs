//! InitProducerId (key 22, v0-5). Hands a producer an id that nobody else has, or its own at an epoch that fences others.
//!
//! Without a transactional id (KIP-98) ids come from blocks that the controller records; with one, its coordinator answers
//! (KIP-360, KIP-588).

use protocol::ErrorCode;
use protocol::messages::{InitProducerIdRequest, InitProducerIdResponse};
use transactions::{Producer, Reply, Request};

use crate::context::RequestContext;
use crate::transaction_coordinator;

/// From this version on clients know PRODUCER_FENCED.
const FIRST_VERSION_WITH_FENCED: i16 = 4;

/// Answers with an id and an epoch.
pub async fn handle(context: &RequestContext, request: InitProducerIdRequest) -> InitProducerIdResponse {
    let expected = match (Producer { id: request.producer_id, epoch: request.producer_epoch }) {
        Producer::NONE => None,
        Producer { id: -1, .. } | Producer { epoch: -1, .. } => return refuse(ErrorCode::InvalidRequest),
        expected => Some(expected),
    };
    let Some(transactional_id) = request.transactional_id else {
        return match context.broker.producer_ids.next().await {
            Ok(id) => answer(Producer { id, epoch: 0 }),
            Err(error) => refuse(error),
        };
    };
    let reply = transaction_coordinator::ask(&context.broker, &transactional_id, |fresh_producer_id| {
        Request::InitProducerId {
            transactional_id: transactional_id.clone(),
            transaction_timeout_ms: request.transaction_timeout_ms,
            expected,
            enable_two_phase_commit: request.enable2_pc,
            keep_prepared_transaction: request.keep_prepared_txn,
            fresh_producer_id,
        }
    });
    match reply.await {
        Reply::InitProducerId(Ok(producer)) => answer(producer),
        Reply::InitProducerId(Err(ErrorCode::ProducerFenced))
            if context.api_version < FIRST_VERSION_WITH_FENCED =>
        {
            refuse(ErrorCode::InvalidProducerEpoch)
        }
        Reply::InitProducerId(Err(error)) => refuse(error),
        other => unreachable!("a shard answered with a reply of another kind: {other:?}"),
    }
}

fn answer(producer: Producer) -> InitProducerIdResponse {
    InitProducerIdResponse { producer_id: producer.id, producer_epoch: producer.epoch, ..Default::default() }
}

fn refuse(error: ErrorCode) -> InitProducerIdResponse {
    InitProducerIdResponse {
        error_code: error.as_i16(),
        producer_id: -1,
        producer_epoch: -1,
        ..Default::default()
    }
}
