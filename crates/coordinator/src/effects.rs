//! Everything a shard can ask for.

use std::convert::Infallible;

use bytes::Bytes;

use crate::shard::RequestId;

/// One record for the shard's partition, key and value with their version prefixes. No value: a tombstone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoordinatorRecord {
    /// The record's key.
    pub key: Bytes,
    /// The record's value.
    pub value: Option<Bytes>,
}

/// The producer whose transaction the records of one step belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransactionalWrite {
    /// The producer's id.
    pub producer_id: i64,
    /// The producer's epoch.
    pub producer_epoch: i16,
}

/// What a step asks for. Records are appended in order; replies go out, and actions are carried out, once these records
/// and everything appended to the partition before them are committed. If the append fails, each reply becomes its
/// refusal, the actions are dropped, and the shard, whose state is ahead of the log, is unloaded and replayed.
#[derive(Debug, Clone, PartialEq)]
pub struct Effects<Reply, Action = Infallible> {
    /// What to append.
    pub records: Vec<CoordinatorRecord>,
    /// What to answer. Requests parked earlier may be among them.
    pub replies: Vec<(RequestId, Reply)>,
    /// What to do outside of the partition. A coordinator that fails may do it twice or never: a shard asks again
    /// when it is loaded, and takes an outcome that it has heard already without harm.
    pub actions: Vec<Action>,
    /// Set when the records are part of a transaction: the batch carries this producer.
    pub transaction: Option<TransactionalWrite>,
}

impl<Reply, Action> Default for Effects<Reply, Action> {
    fn default() -> Self {
        Self { records: Vec::new(), replies: Vec::new(), actions: Vec::new(), transaction: None }
    }
}
