//! Asks a transaction's coordinator before the first records of the transaction are appended (KIP-890).
//!
//! Clients of `transaction.version` 2 need not add partitions themselves: asking adds them. For older clients it is only
//! looked up whether they did.

use protocol::ErrorCode;
use transactions::{Producer, Reply, Request, TopicPartition};

use crate::broker::Broker;

/// How the client of a request that carries transactional records takes the outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Looks up, for clients that do not know TRANSACTION_ABORTABLE.
    VerifyForOldClient,
    /// Looks up.
    Verify,
    /// Adds.
    Add,
}

impl Operation {
    /// What Produce of this version means.
    pub fn of_produce(api_version: i16) -> Self {
        match api_version {
            ..=10 => Operation::VerifyForOldClient,
            11 => Operation::Verify,
            _ => Operation::Add,
        }
    }

    /// What TxnOffsetCommit of this version means.
    pub fn of_txn_offset_commit(api_version: i16) -> Self {
        match api_version {
            ..=3 => Operation::VerifyForOldClient,
            4 => Operation::Verify,
            _ => Operation::Add,
        }
    }

    /// Whether the client speaks `transaction.version` 2.
    pub fn adds(self) -> bool {
        self == Operation::Add
    }
}

/// Asks for `partitions`; the outcome for each, in their order.
pub async fn ask(
    broker: &Broker,
    operation: Operation,
    transactional_id: &str,
    producer: Producer,
    partitions: Vec<TopicPartition>,
) -> Vec<ErrorCode> {
    let count = partitions.len();
    let id = transactional_id.to_owned();
    let request = if operation.adds() {
        Request::AddPartitions { transactional_id: id, producer, partitions, client_transaction_version: 2 }
    } else {
        Request::VerifyPartitions { transactional_id: id, producer, partitions }
    };
    let outcomes = match broker.transactions.ask(transactional_id, request).await {
        Reply::AddPartitions(Ok(())) => vec![ErrorCode::None; count],
        Reply::VerifyPartitions(Ok(each)) => each,
        Reply::AddPartitions(Err(error)) | Reply::VerifyPartitions(Err(error)) => vec![error; count],
        other => unreachable!("a shard answered with a reply of another kind: {other:?}"),
    };
    outcomes.into_iter().map(|error| as_seen_by_client(error, operation)).collect()
}

fn as_seen_by_client(error: ErrorCode, operation: Operation) -> ErrorCode {
    match error {
        // Producers know this one from their partitions.
        ErrorCode::ProducerFenced => ErrorCode::InvalidProducerEpoch,
        ErrorCode::TransactionAbortable if operation == Operation::VerifyForOldClient => {
            ErrorCode::InvalidTxnState
        }
        other => other,
    }
}
