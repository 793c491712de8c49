//! AddOffsetsToTxn (key 25, v0-4). A group's partition of `__consumer_offsets` joins a transaction (KIP-98).

use protocol::ErrorCode;
use protocol::messages::{AddOffsetsToTxnRequest, AddOffsetsToTxnResponse};
use transactions::{Producer, Reply, Request, TopicPartition};

use crate::context::RequestContext;
use crate::group_coordinator::CONSUMER_OFFSETS;

/// From this version on clients know PRODUCER_FENCED.
const FIRST_VERSION_WITH_FENCED: i16 = 2;

/// Adds the partition, which is created if there is none.
pub async fn handle(context: &RequestContext, request: AddOffsetsToTxnRequest) -> AddOffsetsToTxnResponse {
    let error = match add(context, request).await {
        Err(ErrorCode::ProducerFenced) if context.api_version < FIRST_VERSION_WITH_FENCED => {
            ErrorCode::InvalidProducerEpoch
        }
        Err(error) => error,
        Ok(()) => ErrorCode::None,
    };
    AddOffsetsToTxnResponse { error_code: error.as_i16(), ..Default::default() }
}

async fn add(context: &RequestContext, request: AddOffsetsToTxnRequest) -> Result<(), ErrorCode> {
    let broker = &context.broker;
    if broker.groups.partition_of(&request.group_id).is_none() {
        broker.topic_creation.create_internal(CONSUMER_OFFSETS).await?;
    }
    let partition =
        broker.groups.partition_of(&request.group_id).ok_or(ErrorCode::CoordinatorNotAvailable)?;
    let transactional_id = request.transactional_id;
    let asked = Request::AddPartitions {
        transactional_id: transactional_id.clone(),
        producer: Producer { id: request.producer_id, epoch: request.producer_epoch },
        partitions: vec![TopicPartition { topic: CONSUMER_OFFSETS.to_owned(), partition }],
        client_transaction_version: if context.api_version >= 4 { 2 } else { 0 },
    };
    match broker.transactions.ask(&transactional_id, asked).await {
        Reply::AddPartitions(outcome) => outcome,
        other => unreachable!("a shard answered with a reply of another kind: {other:?}"),
    }
}
