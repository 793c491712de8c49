//! Why an append or a file's content is refused.

use protocol::ErrorCode;

/// Why a producer's batch or marker may not be appended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProducerError {
    /// Sequences of the producer do not follow one another.
    #[error("producer {producer_id} sent sequence {sequence} after {last_sequence}")]
    OutOfOrderSequenceNumber {
        /// The producer.
        producer_id: i64,
        /// First sequence of the refused batch.
        sequence: i32,
        /// Last sequence appended before, or -1.
        last_sequence: i32,
    },
    /// A newer instance of the producer has been seen.
    #[error("producer {producer_id} has epoch {epoch}, but {current_epoch} was seen")]
    InvalidProducerEpoch {
        /// The producer.
        producer_id: i64,
        /// Epoch of the refused batch.
        epoch: i16,
        /// Newest epoch seen.
        current_epoch: i16,
    },
    /// A batch outside of a transaction came while the producer has one open.
    #[error("producer {producer_id} has an open transaction and sent a batch outside of it")]
    InvalidTransactionState {
        /// The producer.
        producer_id: i64,
    },
    /// A marker came from a coordinator that has been replaced.
    #[error(
        "transaction marker of producer {producer_id} has coordinator epoch {epoch}, but {current_epoch} was seen"
    )]
    TransactionCoordinatorFenced {
        /// The producer.
        producer_id: i64,
        /// Coordinator epoch of the refused marker.
        epoch: i32,
        /// Newest coordinator epoch seen.
        current_epoch: i32,
    },
}

impl ProducerError {
    /// What the client is told.
    pub const fn error_code(&self) -> ErrorCode {
        match self {
            Self::OutOfOrderSequenceNumber { .. } => ErrorCode::OutOfOrderSequenceNumber,
            Self::InvalidProducerEpoch { .. } => ErrorCode::InvalidProducerEpoch,
            Self::InvalidTransactionState { .. } => ErrorCode::InvalidTxnState,
            Self::TransactionCoordinatorFenced { .. } => ErrorCode::TransactionCoordinatorFenced,
        }
    }
}

/// Why the content of one of a replica's own files is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplicaError {
    /// A producer snapshot is damaged or of another version.
    #[error("corrupt producer snapshot: {0}")]
    CorruptSnapshot(&'static str),
    /// A leader epoch checkpoint is damaged or of another version.
    #[error("malformed leader epoch checkpoint: {0}")]
    MalformedCheckpoint(&'static str),
}
