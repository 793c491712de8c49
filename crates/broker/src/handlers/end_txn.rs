//! EndTxn (key 26, v0-5). Commits or aborts a transaction (KIP-98).
//!
//! v5 is for clients of `transaction.version` 2: every end bumps the epoch, and the answer says who the producer is from
//! then on (KIP-890). The answer leaves when the decision is committed; the markers follow.

use protocol::ErrorCode;
use protocol::messages::{EndTxnRequest, EndTxnResponse};
use transactions::{Producer, Reply, Request};

use crate::context::RequestContext;
use crate::transaction_coordinator;

/// From this version on every end bumps the epoch.
const FIRST_BUMPING_VERSION: i16 = 5;
/// From this version on clients know PRODUCER_FENCED.
const FIRST_VERSION_WITH_FENCED: i16 = 2;

/// Ends the transaction.
pub async fn handle(context: &RequestContext, request: EndTxnRequest) -> EndTxnResponse {
    let producer = Producer { id: request.producer_id, epoch: request.producer_epoch };
    let bumps = context.api_version >= FIRST_BUMPING_VERSION;
    let reply =
        transaction_coordinator::ask(&context.broker, &request.transactional_id, |fresh_producer_id| {
            Request::EndTransaction {
                transactional_id: request.transactional_id.clone(),
                producer,
                committed: request.committed,
                client_transaction_version: if bumps { 2 } else { 0 },
                fresh_producer_id,
            }
        });
    let (error, producer) = match reply.await {
        Reply::EndTransaction(Ok(producer)) => (ErrorCode::None, producer),
        Reply::EndTransaction(Err(ErrorCode::ProducerFenced))
            if context.api_version < FIRST_VERSION_WITH_FENCED =>
        {
            (ErrorCode::InvalidProducerEpoch, Producer::NONE)
        }
        Reply::EndTransaction(Err(error)) => (error, Producer::NONE),
        other => unreachable!("a shard answered with a reply of another kind: {other:?}"),
    };
    let response = EndTxnResponse { error_code: error.as_i16(), ..Default::default() };
    if bumps {
        EndTxnResponse { producer_id: producer.id, producer_epoch: producer.epoch, ..response }
    } else {
        response
    }
}
