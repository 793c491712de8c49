//! One partition's decisions: leader epochs, producer state, high watermark, fetch sessions.
//!
//! Everything here is pure: no files, no clock, no randomness. Time comes in as milliseconds, random ids as numbers;
//! what comes out is state to ask, or bytes for whoever owns the files.

mod error;
mod leader_epochs;
mod producer_states;

pub use error::{ProducerError, ReplicaError};
pub use leader_epochs::{EpochEndOffset, EpochEntry, LeaderEpochs};
pub use producer_states::{
    AppendedBatch, CompletedTransaction, PreparedAppend, ProducerBatch, ProducerState, ProducerStates,
    ProducerUpdate, TransactionMarker,
};
