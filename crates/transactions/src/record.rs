//! Records of `__transaction_state`, as Kafka 4.4 writes them.

use std::collections::BTreeMap;

use bytes::Bytes;
use coordinator::CoordinatorRecord;
use protocol::DecodeError;
use protocol::coordinator_records::transaction_log_value::PartitionsSchema;
use protocol::coordinator_records::{TransactionCoordinatorRecord, TransactionLogKey, TransactionLogValue};

use crate::request::Producer;
use crate::state::TransactionState;
use crate::transaction::Transaction;

/// Why a record was kept out of a shard. The rest of the partition is not affected.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayWarning {
    /// The record has no key.
    #[error("a record without a key")]
    NoKey,
    /// Key or value cannot be read.
    #[error("a record that cannot be read: {0}")]
    Undecodable(#[from] DecodeError),
    /// No state has this number.
    #[error("transactional id {transactional_id} has state {state}, which does not exist")]
    UnknownState {
        /// The transactional id.
        transactional_id: String,
        /// The number.
        state: i8,
    },
}

/// The record of an id's new state; none where it has no form (an id longer than the format has room for).
pub(crate) fn record(
    transactional_id: &str,
    transaction: &Transaction,
    transaction_version: i16,
) -> Option<CoordinatorRecord> {
    // Flexible from level 1 of transaction.version on: the tagged fields of KIP-890 have no place before.
    let version = i16::from(transaction_version >= 1);
    let is_empty = transaction.state == TransactionState::Empty;
    let partitions = transaction.partitions.iter().map(|(topic, indexes)| PartitionsSchema {
        topic: topic.clone(),
        partition_ids: indexes.iter().copied().collect(),
        ..Default::default()
    });
    let mut value = TransactionLogValue {
        producer_id: transaction.producer.id,
        producer_epoch: transaction.producer.epoch,
        transaction_timeout_ms: transaction.timeout_ms,
        transaction_status: transaction.state.id(),
        transaction_partitions: (!is_empty).then(|| partitions.collect()),
        transaction_last_update_timestamp_ms: transaction.last_update_ms,
        transaction_start_timestamp_ms: transaction.start_ms,
        ..Default::default()
    };
    if version >= 1 {
        value.previous_producer_id = transaction.previous_producer_id;
        value.next_producer_id = transaction.next_producer_id;
        value.client_transaction_version = transaction.client_transaction_version;
    }
    encode(transactional_id, Some(value), version)
}

/// The end of an id.
pub(crate) fn tombstone(transactional_id: &str) -> Option<CoordinatorRecord> {
    encode(transactional_id, None, 0)
}

fn encode(
    transactional_id: &str,
    value: Option<TransactionLogValue>,
    version: i16,
) -> Option<CoordinatorRecord> {
    let key = TransactionLogKey { transactional_id: transactional_id.to_owned() };
    let (key, value) = TransactionCoordinatorRecord::TransactionLog(key, value).encode(version).ok()?;
    Some(CoordinatorRecord { key, value })
}

/// A record read back: the id, and its state unless it is forgotten.
pub(crate) fn parse(
    key: Option<Bytes>,
    value: Option<Bytes>,
) -> Result<(String, Option<Transaction>), ReplayWarning> {
    let key = key.ok_or(ReplayWarning::NoKey)?;
    let TransactionCoordinatorRecord::TransactionLog(key, value) =
        TransactionCoordinatorRecord::decode(key, value)?;
    let transactional_id = key.transactional_id;
    let Some(value) = value else { return Ok((transactional_id, None)) };
    let Some(state) = TransactionState::from_id(value.transaction_status) else {
        return Err(ReplayWarning::UnknownState { transactional_id, state: value.transaction_status });
    };
    let mut partitions = BTreeMap::new();
    for topic in value.transaction_partitions.unwrap_or_default() {
        partitions.insert(topic.topic, topic.partition_ids.into_iter().collect());
    }
    let transaction = Transaction {
        producer: Producer { id: value.producer_id, epoch: value.producer_epoch },
        previous_producer_id: value.previous_producer_id,
        next_producer_id: value.next_producer_id,
        last_producer_epoch: -1,
        timeout_ms: value.transaction_timeout_ms,
        state,
        partitions,
        start_ms: value.transaction_start_timestamp_ms,
        last_update_ms: value.transaction_last_update_timestamp_ms,
        client_transaction_version: value.client_transaction_version,
    };
    Ok((transactional_id, Some(transaction)))
}
