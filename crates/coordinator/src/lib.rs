//! What a coordinator shard is: one partition of an internal topic as a state machine.
//!
//! Groups, transactions and share groups are coordinated in the same way: a [`CoordinatorShard`] is stepped with
//! [`CoordinatorEvent`]s and answers with [`Effects`]: records to append to its partition, replies and actions that wait
//! until those records are committed. Replaying the partition builds the same state again. A shard owns no clock, socket,
//! file or random number.

mod effects;
mod key_partition;
mod refusal;
mod shard;

pub use effects::{CoordinatorRecord, Effects, TransactionalWrite};
pub use key_partition::{coordinator_key_partition, java_string_hash};
pub use refusal::append_error_to_client_error;
pub use shard::{CoordinatorEvent, CoordinatorShard, RecordPosition, RequestId};
