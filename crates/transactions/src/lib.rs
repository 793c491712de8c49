//! Transaction coordinator shards as pure state machines (KIP-98, KIP-360, KIP-588, KIP-664, KIP-890).
//!
//! A [`TransactionShard`] holds every transactional id that maps to one partition of `__transaction_state`. It implements
//! [`coordinator::CoordinatorShard`]: requests in; records, replies and actions out. The one action is to write markers
//! ([`Action::WriteMarkers`]); whoever carried it out says so with [`Request::MarkersWritten`].
//!
//! ```text
//!              add partitions             end                     markers written
//!   Empty ────────────────────▶ Ongoing ───────▶ PrepareCommit ───────────────────▶ CompleteCommit
//!     ▲                           ▲ │                                                  │
//!     │ init producer id          │ └──────────▶ PrepareAbort  ───────────────────▶ CompleteAbort
//!     │                           │   end, timeout,                                    │
//!     └──────────────────────────  └── init producer id ◀──────────────────────────────┘
//! ```
//!
//! Kafka's PrepareEpochFence is a moment between deciding to fence and beginning to abort; here both are one step, so it
//! occurs in the names only. Dead is the moment before an expired id is forgotten, which is one step, too.

mod add_partitions;
mod admin;
mod config;
mod end_transaction;
mod init_producer_id;
mod record;
mod request;
mod shard;
mod state;
mod transaction;
mod upkeep;

pub use config::TransactionCoordinatorConfig;
pub use record::ReplayWarning;
pub use request::{Action, MarkersToWrite, Producer, Reply, Request, TopicPartition};
pub use shard::TransactionShard;
pub use state::TransactionState;
