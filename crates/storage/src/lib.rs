//! Log directories, segments, indexes, recovery and group commit, over one disk seam.

pub mod disk;
pub mod file_names;
pub mod plan;

mod checkpoint;
mod clean_shutdown;
mod cleaner;
mod error;
mod file_cache;
mod journal;
mod log_directory;
mod log_manager;
mod meta_properties;
mod partition_log;
mod partition_metadata;
mod place;
mod reserve;
mod segment;
mod sync_batch;
mod sync_queue;
mod transaction_index;

pub use clean_shutdown::LastShutdown;
pub use cleaner::{CleanedLog, CleanerConfig, UncleanableLog};
pub use error::StorageError;
pub use log_directory::{DirectoryObserver, LogDirectory};
pub use log_manager::{FailedLog, LoadReport, LogManager, LogManagerConfig, SyncExecution, UnfinishedMove};
pub use partition_log::{
    AbortedTransaction, AppendError, AppendInfo, LogObserver, PartitionLog, ReadError, ReadResult,
    TimestampOffset,
};
pub use records::AppendOrigin;
