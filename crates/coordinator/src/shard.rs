//! The contract between a shard and whoever runs it.

use std::fmt;

use bytes::Bytes;
use protocol::ErrorCode;

use crate::effects::Effects;

/// The caller's name for one request; every request is answered exactly once, under this id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub u64);

/// Where a replayed record stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordPosition {
    /// The record's offset in the partition.
    pub offset: i64,
    /// The producer id of a transactional batch; -1 for any other batch.
    pub producer_id: i64,
}

/// Everything that can happen to a shard `S`.
#[derive(Debug, Clone)]
pub enum CoordinatorEvent<S: CoordinatorShard> {
    /// Replay has reached the end of the partition, which this broker leads in `leader_epoch`.
    Loaded {
        /// The epoch.
        leader_epoch: i32,
    },
    /// A request.
    Request {
        /// Under which id it is answered.
        id: RequestId,
        /// What is asked, and what comes along with it.
        request: S::Request,
    },
    /// Time has passed: given when [`CoordinatorShard::next_deadline`] is reached.
    Tick,
    /// Something that every shard of the kind is told.
    Notice(S::Notice),
    /// An end-transaction marker was appended to the shard's partition.
    TransactionCompleted {
        /// The transaction's producer id.
        producer_id: i64,
        /// Whether it was committed; an aborted one leaves nothing behind.
        committed: bool,
    },
    /// The partition is led elsewhere, or could not be written: parked requests are answered with NOT_COORDINATOR.
    /// Nothing but dropping the shard follows.
    Unload,
}

/// One partition of a coordinator's topic as a state machine.
///
/// Its life: [`Self::replay`] for each record of the partition, [`CoordinatorEvent::Loaded`], then events as they come,
/// and [`CoordinatorEvent::Unload`] at the end. What a step decides holds at once for the steps after it, although its
/// records are not committed yet; the caller therefore holds back every reply until all that was appended before it is.
/// A step may set a deadline for now, so [`Self::next_deadline`] is asked after each.
pub trait CoordinatorShard: Sized + Send + 'static {
    /// The settings of the kind.
    type Config: Clone + Send + Sync;
    /// What can be asked, with what comes along from the connection.
    type Request: Send;
    /// What is answered.
    type Reply: Send + 'static;
    /// What every shard of the kind is told.
    type Notice: Clone + Send;
    /// What a shard wants done outside of its partition.
    type Action: Send + 'static;
    /// Why a record was kept out.
    type ReplayWarning: fmt::Display;

    /// A shard of an empty partition that takes batches of `batch_bytes_max`.
    fn new(config: &Self::Config, batch_bytes_max: usize) -> Self;
    /// Other settings from now on.
    fn configure(&mut self, config: &Self::Config, batch_bytes_max: usize);
    /// Lets one event happen at `now_ms`.
    fn step(&mut self, now_ms: i64, event: CoordinatorEvent<Self>) -> Effects<Self::Reply, Self::Action>;
    /// The records of the last step were appended, the first of them at `first_offset`.
    fn appended(&mut self, _first_offset: i64) {}
    /// When the next [`CoordinatorEvent::Tick`] is due, ms; perhaps a moment that has passed already.
    fn next_deadline(&self) -> Option<i64>;
    /// Takes over one record of the partition, control records excepted.
    ///
    /// # Errors
    /// Why it was kept out; the rest of the partition is not affected.
    fn replay(
        &mut self,
        position: RecordPosition,
        key: Option<Bytes>,
        value: Option<Bytes>,
    ) -> Result<(), Self::ReplayWarning>;
    /// Takes over an end-transaction marker of the partition.
    fn replay_end_transaction(&mut self, producer_id: i64, committed: bool);
    /// The answer to a request that no shard has seen.
    fn refuse(request: Self::Request, error: ErrorCode) -> Self::Reply;
    /// The same answer as a refusal, for when its records could not be appended with `append_error`.
    fn refuse_reply(reply: Self::Reply, append_error: ErrorCode) -> Self::Reply;
}
