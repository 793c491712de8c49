//! AddPartitionsToTxn (key 24, v0-5). Partitions join a transaction before its records are sent to them.
//!
//! v4 carries several transactions and can ask without adding: brokers do so in the name of their clients (KIP-890).

use protocol::ErrorCode;
use protocol::messages::add_partitions_to_txn_request::{
    AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction,
};
use protocol::messages::add_partitions_to_txn_response::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnResult, AddPartitionsToTxnTopicResult,
};
use protocol::messages::{AddPartitionsToTxnRequest, AddPartitionsToTxnResponse};
use transactions::{Producer, Reply, Request, TopicPartition};

use crate::context::RequestContext;

/// From this version on brokers ask, several transactions at a time.
const FIRST_BATCHED_VERSION: i16 = 4;
/// From this version on clients know PRODUCER_FENCED.
const FIRST_VERSION_WITH_FENCED: i16 = 2;

/// Answers for each transaction, or in the old form for the one.
pub async fn handle(
    context: &RequestContext,
    request: AddPartitionsToTxnRequest,
) -> AddPartitionsToTxnResponse {
    if context.api_version < FIRST_BATCHED_VERSION {
        let transaction = AddPartitionsToTxnTransaction {
            transactional_id: request.v3_and_below_transactional_id,
            producer_id: request.v3_and_below_producer_id,
            producer_epoch: request.v3_and_below_producer_epoch,
            topics: request.v3_and_below_topics,
            ..Default::default()
        };
        let results_by_topic_v3_and_below = one(context, transaction).await.topic_results;
        return AddPartitionsToTxnResponse { results_by_topic_v3_and_below, ..Default::default() };
    }
    let mut results_by_transaction = Vec::new();
    for transaction in request.transactions {
        results_by_transaction.push(one(context, transaction).await);
    }
    AddPartitionsToTxnResponse { results_by_transaction, ..Default::default() }
}

async fn one(
    context: &RequestContext,
    transaction: AddPartitionsToTxnTransaction,
) -> AddPartitionsToTxnResult {
    let AddPartitionsToTxnTransaction { transactional_id, topics, .. } = &transaction;
    let partitions: Vec<TopicPartition> = topics
        .iter()
        .flat_map(|topic| {
            let partition =
                |partition: &i32| TopicPartition { topic: topic.name.clone(), partition: *partition };
            topic.partitions.iter().map(partition)
        })
        .collect();
    let outcomes = match refuse_missing(context, &partitions) {
        Some(outcomes) => outcomes,
        None => ask(context, &transaction, partitions).await,
    };
    AddPartitionsToTxnResult {
        transactional_id: transactional_id.clone(),
        topic_results: rows(topics, outcomes),
        ..Default::default()
    }
}

/// One partition that does not exist keeps the others out, too.
fn refuse_missing(context: &RequestContext, partitions: &[TopicPartition]) -> Option<Vec<ErrorCode>> {
    let image = context.broker.metadata.image();
    let exists = |partition: &TopicPartition| {
        image
            .topics
            .by_name(&partition.topic)
            .is_some_and(|topic| topic.partition(partition.partition).is_some())
    };
    let outcome = |partition: &TopicPartition| {
        if exists(partition) { ErrorCode::OperationNotAttempted } else { ErrorCode::UnknownTopicOrPartition }
    };
    (!partitions.iter().all(exists)).then(|| partitions.iter().map(outcome).collect())
}

async fn ask(
    context: &RequestContext,
    transaction: &AddPartitionsToTxnTransaction,
    partitions: Vec<TopicPartition>,
) -> Vec<ErrorCode> {
    let count = partitions.len();
    let transactional_id = transaction.transactional_id.clone();
    let producer = Producer { id: transaction.producer_id, epoch: transaction.producer_epoch };
    let is_batched = context.api_version >= FIRST_BATCHED_VERSION;
    let request = if transaction.verify_only {
        Request::VerifyPartitions { transactional_id, producer, partitions }
    } else {
        let client_transaction_version = if is_batched { 2 } else { 0 };
        Request::AddPartitions { transactional_id, producer, partitions, client_transaction_version }
    };
    match context.broker.transactions.ask(&transaction.transactional_id, request).await {
        Reply::AddPartitions(Ok(())) => vec![ErrorCode::None; count],
        Reply::VerifyPartitions(Ok(outcomes)) => outcomes,
        Reply::AddPartitions(Err(ErrorCode::ProducerFenced))
            if context.api_version < FIRST_VERSION_WITH_FENCED =>
        {
            vec![ErrorCode::InvalidProducerEpoch; count]
        }
        Reply::AddPartitions(Err(error)) | Reply::VerifyPartitions(Err(error)) => vec![error; count],
        other => unreachable!("a shard answered with a reply of another kind: {other:?}"),
    }
}

fn rows(topics: &[AddPartitionsToTxnTopic], outcomes: Vec<ErrorCode>) -> Vec<AddPartitionsToTxnTopicResult> {
    let mut outcomes = outcomes.into_iter();
    topics
        .iter()
        .map(|topic| AddPartitionsToTxnTopicResult {
            name: topic.name.clone(),
            results_by_partition: topic
                .partitions
                .iter()
                .zip(&mut outcomes)
                .map(|(partition_index, error)| AddPartitionsToTxnPartitionResult {
                    partition_index: *partition_index,
                    partition_error_code: error.as_i16(),
                    ..Default::default()
                })
                .collect(),
            ..Default::default()
        })
        .collect()
}
