//! One partition's decisions: leader epochs, producer state, high watermark, fetch sessions.
//!
//! Everything here is pure: no files, no clock, no randomness. Time comes in as milliseconds, random ids as numbers;
//! what comes out is state to ask, or bytes for whoever owns the files.

mod error;
mod fetch_sessions;
mod isr;
mod leader;
mod leader_epochs;
mod producer_states;

pub use error::{ProducerError, ReplicaError};
pub use fetch_sessions::{
    FINAL_EPOCH, FetchAnswer, FetchCompletion, FetchContext, FetchMetadata, FetchParameters, FetchPartition,
    FetchSessions, FetchTopic, INITIAL_EPOCH, NO_SESSION,
};
pub use isr::{IsrChange, IsrState};
pub use leader::{FollowerFetch, FollowerState, Leader, Leadership, LocalLog, Outcome, Replicated};
pub use leader_epochs::{EpochEndOffset, EpochEntry, LeaderEpochs};
pub use producer_states::{
    AppendedBatch, CompletedTransaction, PreparedAppend, ProducerBatch, ProducerState, ProducerStates,
    ProducerUpdate, TransactionMarker,
};
