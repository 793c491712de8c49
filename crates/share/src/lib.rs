//! Share groups (KIP-932) as pure state machines: the partition that is shared, the sessions of who shares it, the state
//! that survives.
//!
//! | module          | what it holds                                                                            |
//! |-----------------|------------------------------------------------------------------------------------------|
//! | `partition`     | one topic partition as one share group sees it: who holds which record, for how long     |
//! | `sessions`      | share sessions: what each member reads, epoch by epoch                                   |
//! | `state_coordinator` | the shard of one `__share_group_state` partition: what of all that survives              |
//! | `state_batch`   | runs of records in one state, as they travel between the first and the last              |
//!
//! Nothing here reads a clock or a log: time, limits and batches come in as values. Who is in a share group, and which
//! partitions its members are assigned, is the group coordinator's business (crate `groups`).

mod partition;
mod record_state;
mod sessions;
mod state_batch;
mod state_coordinator;

pub use partition::{
    AcknowledgeBatch, AcknowledgeType, AcquireMode, AcquireRequest, AcquiredRecords, DeadLetter,
    DeadLetterCause, FetchedBatch, Limits, PersistedState, Refusal, SharePartition, StateChange,
    TransitionId,
};
pub use record_state::RecordState;
pub use sessions::{Session, SessionFetch, SessionKey, SessionRequest, ShareSessions, SharedPartition};
pub use state_batch::{StateBatch, combine};
pub use state_coordinator::{
    InitializeState, PartitionReply, ReadState, ReplayWarning, Request, ShareAction, ShareCoordinatorConfig,
    SharePartitionKey, ShareShard, ShareStateRequest, WriteState,
};
