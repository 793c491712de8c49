//! The metadata log, replicated by openraft on our storage.
//!
//! One raft entry is one record batch. Raft counts entries, Kafka counts records: `index` derives one from the
//! other. On disk everything is Kafka's: the log is a partition log named `__cluster_metadata-0`, votes are in
//! `quorum-state`, snapshots are `.checkpoint` files.

mod adoption;
mod adoption_scan;
mod bootstrap_file;
mod control_batches;
mod entry;
mod error;
mod in_process;
mod index;
mod log_reader;
mod log_store;
mod machine;
mod membership;
mod proposer;
mod quorum;
mod settings;
mod snapshot_file;
mod snapshot_format;
mod snapshot_store;
mod status;
mod transport;
mod type_config;
mod upkeep;
mod vote_file;

pub use adoption::{FoundMetadata, check_ownership, read_metadata_log};
pub use bootstrap_file::read_bootstrap_records;
pub use error::QuorumError;
pub use in_process::InProcessTransport;
pub use machine::{CommittedBatch, LoadedSnapshot, MetadataStateMachine, SnapshotRecords};
pub use proposer::CommittedAt;
pub use quorum::{Quorum, QuorumHandle};
pub use settings::{QuorumSettings, QuorumStorage, WallClock, metadata_log_config};
pub use status::{LeaderAndEpoch, QuorumStatus, ReplicaState};
pub use transport::{QuorumRequest, QuorumResponse, QuorumTransport, TransportError};
pub use type_config::{VoterEndpoint, VoterNode};
