//! The first records of a transaction on a partition: appended when the transaction's coordinator says that it is open.

use std::sync::Arc;

use bytes::Bytes;
use protocol::messages::ProduceRequest;
use protocol::{ErrorCode, Records};
use transactions::{Producer, TopicPartition};

use super::Refusal;
use crate::context::RequestContext;
use crate::partition::{AppendRefusal, Appended, Partition};
use crate::transaction_verification::{self, Operation};
use crate::verification::{FirstBatch, VerificationGuard};

/// What the coordinator says of each partition that it was asked for.
#[derive(Default)]
pub(super) struct Permissions {
    /// Whether records without permission are kept out.
    is_required: bool,
    of: Vec<(Arc<Partition>, Result<VerificationGuard, Refusal>)>,
}

/// Partitions whose records need permission.
pub(super) struct Needed {
    operation: Operation,
    transactional_id: String,
    producer: Producer,
    partitions: Vec<(Arc<Partition>, VerificationGuard)>,
}

/// The producer and place of transactional records; none for others.
pub(super) fn first_batch(records: &Bytes) -> Option<FirstBatch> {
    let batch = records::batches(records).next()?.ok()?;
    let header = &batch.header;
    header.is_transactional().then_some(FirstBatch {
        producer_id: header.producer_id,
        producer_epoch: header.producer_epoch,
        base_sequence: header.base_sequence,
    })
}

impl Permissions {
    /// The partitions of `request` that the coordinator must be asked for; none for most requests.
    ///
    /// # Errors
    /// The records are of several transactional producers.
    pub(super) fn needed(
        context: &RequestContext,
        request: &ProduceRequest,
    ) -> Result<Option<Needed>, ErrorCode> {
        let Some(transactional_id) = &request.transactional_id else { return Ok(None) };
        let transactions = &context.broker.config().transactions;
        let operation = Operation::of_produce(context.api_version);
        if !operation.adds() && !transactions.transaction_partition_verification_enable {
            return Ok(None);
        }
        let expiration_ms = transactions.producer_id_expiration_ms.into();
        let mut producer = None;
        let mut partitions = Vec::new();
        for topic in &request.topic_data {
            for data in &topic.partition_data {
                let records = data.records.as_ref().and_then(Records::to_bytes).unwrap_or_default();
                let Some(batch) = first_batch(&records) else { continue };
                let this = Producer { id: batch.producer_id, epoch: batch.producer_epoch };
                if *producer.get_or_insert(this) != this {
                    return Err(ErrorCode::InvalidProducerIdMapping);
                }
                let Ok(partition) = super::find(context, &topic.name, topic.topic_id, data.index) else {
                    continue;
                };
                if !partition.has_ongoing_transaction(batch.producer_id, batch.producer_epoch) {
                    let adds = operation.adds();
                    let guard = partition.begin_verification(batch, adds, context.now_ms, expiration_ms);
                    partitions.push((partition, guard));
                }
            }
        }
        let Some(producer) = producer else { return Ok(None) };
        let transactional_id = transactional_id.clone();
        Ok(Some(Needed { operation, transactional_id, producer, partitions }))
    }

    /// Appends transactional records, if the coordinator was asked for them and agreed, or their transaction is open here.
    ///
    /// # Errors
    /// What the coordinator said instead.
    pub(super) fn append(
        &self,
        partition: &Arc<Partition>,
        records: &Bytes,
        acks: i16,
        batch: FirstBatch,
        now_ms: i64,
    ) -> Result<Result<Appended, AppendRefusal>, Refusal> {
        let asked = self.of.iter().find(|(asked, _)| Arc::ptr_eq(asked, partition));
        let guard = match asked {
            Some((_, Ok(guard))) => Some(*guard),
            Some((_, Err(refusal))) => return Err(refusal.clone()),
            None => None,
        };
        Ok(partition.append_transactional(records, acks, batch, guard, self.is_required, now_ms))
    }
}

impl Needed {
    /// Asks the coordinator, if there is anything to ask for.
    pub(super) async fn ask(self, context: &RequestContext) -> Permissions {
        let Needed { operation, transactional_id, producer, partitions } = self;
        if partitions.is_empty() {
            return Permissions { is_required: true, of: Vec::new() };
        }
        let asked = partitions
            .iter()
            .map(|(partition, _)| TopicPartition {
                topic: partition.topic_partition.topic.to_string(),
                partition: partition.topic_partition.partition,
            })
            .collect();
        let outcomes =
            transaction_verification::ask(&context.broker, operation, &transactional_id, producer, asked);
        let of = partitions
            .into_iter()
            .zip(outcomes.await)
            .map(|((partition, guard), error)| match error {
                ErrorCode::None => (partition, Ok(guard)),
                error => (partition, Err(refusal(error, operation))),
            })
            .collect();
        Permissions { is_required: true, of }
    }
}

/// How producers are told: what old ones would not try again becomes what every producer does.
fn refusal(error: ErrorCode, operation: Operation) -> Refusal {
    match error {
        ErrorCode::InvalidTxnState => Refusal {
            message: Some("Partition was not added to the transaction".to_owned()),
            ..Refusal::of(error)
        },
        ErrorCode::ConcurrentTransactions if operation.adds() => Refusal::of(error),
        ErrorCode::ConcurrentTransactions
        | ErrorCode::NetworkException
        | ErrorCode::CoordinatorLoadInProgress
        | ErrorCode::CoordinatorNotAvailable
        | ErrorCode::NotCoordinator => Refusal {
            message: Some(format!(
                "Unable to verify the partition has been added to the transaction. Underlying error: {}",
                error.name()
            )),
            ..Refusal::of(ErrorCode::NotEnoughReplicas)
        },
        error => Refusal::of(error),
    }
}
