//! What a shard is asked, what it answers, and what it wants done.

use protocol::ErrorCode;
use protocol::messages::describe_transactions_response::TransactionState as DescribedTransaction;
use protocol::messages::{ListTransactionsRequest, ListTransactionsResponse};

/// One instance of a producer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Producer {
    /// Its id.
    pub id: i64,
    /// Its epoch.
    pub epoch: i16,
}

impl Producer {
    /// What stands where there is none.
    pub const NONE: Producer = Producer { id: -1, epoch: -1 };
}

/// A partition that takes part in a transaction.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicPartition {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
}

/// A request for this shard. Where a `fresh_producer_id` is missing and needed, the answer is
/// [`Reply::NeedsProducerId`] and nothing has changed: the same request is to come again with one.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// InitProducerId with a transactional id.
    InitProducerId {
        /// The transactional id.
        transactional_id: String,
        /// The producer's `transaction.timeout.ms`.
        transaction_timeout_ms: i32,
        /// Who the producer believes to be, if it goes on after an error (KIP-360).
        expected: Option<Producer>,
        /// Two-phase commit was asked for (KIP-939).
        enable_two_phase_commit: bool,
        /// An open transaction is to be kept (KIP-939).
        keep_prepared_transaction: bool,
        /// A producer id that nobody has.
        fresh_producer_id: Option<i64>,
    },
    /// AddPartitionsToTxn, AddOffsetsToTxn, or the first records of a transaction on partitions.
    AddPartitions {
        /// The transactional id.
        transactional_id: String,
        /// Who asks.
        producer: Producer,
        /// Partitions that exist.
        partitions: Vec<TopicPartition>,
        /// The level of `transaction.version` that the client speaks.
        client_transaction_version: i16,
    },
    /// AddPartitionsToTxn that only asks whether the partitions are in the open transaction (KIP-890).
    VerifyPartitions {
        /// The transactional id.
        transactional_id: String,
        /// Who asks.
        producer: Producer,
        /// The partitions.
        partitions: Vec<TopicPartition>,
    },
    /// EndTxn.
    EndTransaction {
        /// The transactional id.
        transactional_id: String,
        /// Who asks.
        producer: Producer,
        /// Commit or abort.
        committed: bool,
        /// The level of `transaction.version` that the client speaks.
        client_transaction_version: i16,
        /// A producer id that nobody has.
        fresh_producer_id: Option<i64>,
    },
    /// A transaction that has timed out is to be aborted: [`Action::AbortTimedOut`] asks for it.
    AbortTimedOut {
        /// The transactional id.
        transactional_id: String,
        /// The producer whose transaction has timed out.
        producer: Producer,
        /// A producer id that nobody has.
        fresh_producer_id: i64,
    },
    /// What [`Action::WriteMarkers`] asked for is done.
    MarkersWritten {
        /// The transactional id.
        transactional_id: String,
        /// The producer of the markers.
        producer: Producer,
        /// The epoch of the coordinator that asked.
        coordinator_epoch: i32,
    },
    /// One id of DescribeTransactions.
    Describe(String),
    /// ListTransactions without its pattern, which is the caller's.
    List(ListTransactionsRequest),
}

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// To InitProducerId.
    InitProducerId(Result<Producer, ErrorCode>),
    /// To AddPartitions: all or nothing.
    AddPartitions(Result<(), ErrorCode>),
    /// To VerifyPartitions: one error for all, or one for each partition, in the order of the request.
    VerifyPartitions(Result<Vec<ErrorCode>, ErrorCode>),
    /// To EndTransaction: who the producer is from now on.
    EndTransaction(Result<Producer, ErrorCode>),
    /// To AbortTimedOut and MarkersWritten.
    Done(Result<(), ErrorCode>),
    /// To Describe.
    Describe(DescribedTransaction),
    /// To List: this shard's part.
    List(ListTransactionsResponse),
    /// To any request with a `fresh_producer_id` that lacks it.
    NeedsProducerId,
}

/// Markers that end one transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarkersToWrite {
    /// The transactional id.
    pub transactional_id: String,
    /// The producer that the markers carry: under `transaction.version` 2 at an epoch above its records'.
    pub producer: Producer,
    /// Commit or abort.
    pub committed: bool,
    /// The epoch of this coordinator.
    pub coordinator_epoch: i32,
    /// The level of `transaction.version` that the transaction was ended by.
    pub transaction_version: i16,
    /// Where.
    pub partitions: Vec<TopicPartition>,
}

/// What a shard wants done outside of its partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Write these markers to the leaders of their partitions, however long it takes, then [`Request::MarkersWritten`].
    WriteMarkers(MarkersToWrite),
    /// Get a producer id, then [`Request::AbortTimedOut`] with it: the producer's epochs are used up.
    AbortTimedOut {
        /// The transactional id.
        transactional_id: String,
        /// The producer whose transaction has timed out.
        producer: Producer,
    },
}

impl Request {
    /// The answer that refuses it.
    pub fn refused(self, error: ErrorCode) -> Reply {
        match self {
            Request::InitProducerId { .. } => Reply::InitProducerId(Err(error)),
            Request::AddPartitions { .. } => Reply::AddPartitions(Err(error)),
            Request::VerifyPartitions { .. } => Reply::VerifyPartitions(Err(error)),
            Request::EndTransaction { .. } => Reply::EndTransaction(Err(error)),
            Request::AbortTimedOut { .. } | Request::MarkersWritten { .. } => Reply::Done(Err(error)),
            Request::Describe(transactional_id) => Reply::Describe(DescribedTransaction {
                transactional_id,
                error_code: error.as_i16(),
                ..Default::default()
            }),
            Request::List(_) => {
                Reply::List(ListTransactionsResponse { error_code: error.as_i16(), ..Default::default() })
            }
        }
    }
}

impl Reply {
    /// The same answer as a refusal.
    pub fn refused(self, error: ErrorCode) -> Reply {
        match self {
            Reply::InitProducerId(_) => Reply::InitProducerId(Err(error)),
            Reply::AddPartitions(_) => Reply::AddPartitions(Err(error)),
            Reply::VerifyPartitions(_) => Reply::VerifyPartitions(Err(error)),
            Reply::EndTransaction(_) => Reply::EndTransaction(Err(error)),
            Reply::Done(_) => Reply::Done(Err(error)),
            Reply::Describe(described) => Request::Describe(described.transactional_id).refused(error),
            Reply::List(_) => {
                Reply::List(ListTransactionsResponse { error_code: error.as_i16(), ..Default::default() })
            }
            Reply::NeedsProducerId => Reply::NeedsProducerId,
        }
    }
}
