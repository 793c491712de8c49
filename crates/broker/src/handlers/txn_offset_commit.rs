//! TxnOffsetCommit (key 28, v0-6). Offsets that count when a transaction commits (KIP-98, KIP-447).
//!
//! From v5 on the group's partition joins the transaction here (KIP-890); v6 names topics by id (KIP-1319).

use std::collections::HashMap;

use groups::{Reply, Request};
use protocol::messages::txn_offset_commit_request::TxnOffsetCommitRequestTopic;
use protocol::messages::txn_offset_commit_response::{
    TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};
use protocol::messages::{TxnOffsetCommitRequest, TxnOffsetCommitResponse};
use protocol::{ErrorCode, Uuid};
use transactions::{Producer, TopicPartition};

use crate::context::RequestContext;
use crate::group_coordinator::CONSUMER_OFFSETS;
use crate::group_request::shard_context;
use crate::transaction_verification::{self, Operation};
use crate::verification::{FirstBatch, VerificationGuard};

/// From this version on topics are named by id.
const FIRST_VERSION_WITH_TOPIC_IDS: i16 = 6;
/// Clients before this version take COORDINATOR_LOAD_IN_PROGRESS for fatal.
const FIRST_VERSION_WITH_LOADING: i16 = 2;

/// Commits what exists and answers in the order of the request.
pub async fn handle(
    context: &RequestContext,
    mut request: TxnOffsetCommitRequest,
) -> TxnOffsetCommitResponse {
    let by_id = context.api_version >= FIRST_VERSION_WITH_TOPIC_IDS;
    let mut order = Vec::with_capacity(request.topics.len());
    let mut known = Vec::with_capacity(request.topics.len());
    for topic in std::mem::take(&mut request.topics) {
        let partitions: Vec<i32> =
            topic.partitions.iter().map(|partition| partition.partition_index).collect();
        order.push((topic.name.clone(), topic.topic_id, partitions));
        known.extend(resolve(context, topic, by_id));
    }
    let mut committed = HashMap::new();
    if !known.is_empty() || order.is_empty() {
        request.topics = known;
        for topic in commit(context, request).await.topics {
            for partition in topic.partitions {
                let key = key(by_id, &topic.name, topic.topic_id);
                committed.insert((key, partition.partition_index), partition.error_code);
            }
        }
    }
    let image = context.broker.metadata.image();
    let topics = order.into_iter().map(|(name, topic_id, partitions)| {
        let is_missing = by_id && image.topics.by_id(topic_id).is_none();
        let missing = if is_missing { ErrorCode::UnknownTopicId } else { ErrorCode::UnknownTopicOrPartition };
        let row = |partition_index: i32| {
            let found = committed.get(&(key(by_id, &name, topic_id), partition_index));
            TxnOffsetCommitResponsePartition {
                partition_index,
                error_code: self::error_code(context, found.copied().unwrap_or(missing.as_i16())),
                ..Default::default()
            }
        };
        let partitions = partitions.into_iter().map(row).collect();
        TxnOffsetCommitResponseTopic { name, topic_id, partitions, ..Default::default() }
    });
    TxnOffsetCommitResponse { topics: topics.collect(), ..Default::default() }
}

fn key(by_id: bool, name: &str, topic_id: Uuid) -> (String, Uuid) {
    if by_id { (String::new(), topic_id) } else { (name.to_owned(), Uuid::ZERO) }
}

fn error_code(context: &RequestContext, error_code: i16) -> i16 {
    let is_loading = error_code == ErrorCode::CoordinatorLoadInProgress.as_i16();
    if is_loading && context.api_version < FIRST_VERSION_WITH_LOADING {
        ErrorCode::CoordinatorNotAvailable.as_i16()
    } else {
        error_code
    }
}

/// The topic with its name and its id, and only the partitions that exist.
fn resolve(
    context: &RequestContext,
    mut topic: TxnOffsetCommitRequestTopic,
    by_id: bool,
) -> Option<TxnOffsetCommitRequestTopic> {
    let image = context.broker.metadata.image();
    let found = if by_id { image.topics.by_id(topic.topic_id) } else { image.topics.by_name(&topic.name) }?;
    topic.name = found.name().to_string();
    topic.topic_id = found.id();
    topic.partitions.retain(|partition| found.partition(partition.partition_index).is_some());
    (!topic.partitions.is_empty()).then_some(topic)
}

/// Asks the transaction's coordinator, then the group's shard.
async fn commit(context: &RequestContext, request: TxnOffsetCommitRequest) -> TxnOffsetCommitResponse {
    let broker = &context.broker;
    let batch = FirstBatch {
        producer_id: request.producer_id,
        producer_epoch: request.producer_epoch,
        base_sequence: records::NO_SEQUENCE,
    };
    let Some(index) = broker.groups.partition_of(&request.group_id) else {
        return refused(context, request, ErrorCode::NotCoordinator);
    };
    let operation = Operation::of_txn_offset_commit(context.api_version);
    let is_verified =
        operation.adds() || broker.config().transactions.transaction_partition_verification_enable;
    let guard = if is_verified {
        match verify(context, &request, index, operation, batch).await {
            Ok(guard) => guard,
            Err(error) => return refused(context, request, error),
        }
    } else {
        None
    };
    let asked = (shard_context(context), Request::TxnOffsetCommit(request));
    let may_append =
        |partition: &crate::partition::Partition| partition.check_transactional(batch, guard, is_verified);
    match broker.groups.ask_shard_if(index, may_append, asked).await {
        Reply::TxnOffsetCommit(response) => response,
        other => unreachable!("a shard answered with a reply of another kind: {other:?}"),
    }
}

async fn verify(
    context: &RequestContext,
    request: &TxnOffsetCommitRequest,
    index: i32,
    operation: Operation,
    batch: FirstBatch,
) -> Result<Option<VerificationGuard>, ErrorCode> {
    let broker = &context.broker;
    let partition =
        broker.partitions.by_name(CONSUMER_OFFSETS, index).map_err(|_| ErrorCode::NotCoordinator)?;
    if partition.has_ongoing_transaction(batch.producer_id, batch.producer_epoch) {
        return Ok(None);
    }
    let expiration_ms = broker.config().transactions.producer_id_expiration_ms.into();
    let guard = partition.begin_verification(batch, operation.adds(), context.now_ms, expiration_ms);
    let producer = Producer { id: batch.producer_id, epoch: batch.producer_epoch };
    let partitions = vec![TopicPartition { topic: CONSUMER_OFFSETS.to_owned(), partition: index }];
    let outcome =
        transaction_verification::ask(broker, operation, &request.transactional_id, producer, partitions);
    match outcome.await.first() {
        None | Some(ErrorCode::None) => Ok(Some(guard)),
        Some(error) => Err(*error),
    }
}

fn refused(
    context: &RequestContext,
    request: TxnOffsetCommitRequest,
    error: ErrorCode,
) -> TxnOffsetCommitResponse {
    match Request::TxnOffsetCommit(request).refused(error, context.api_version) {
        Reply::TxnOffsetCommit(response) => response,
        other => unreachable!("a request was refused with a reply of another kind: {other:?}"),
    }
}
