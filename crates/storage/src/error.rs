//! What can go wrong between a log and its disk.

use std::io;
use std::path::{Path, PathBuf};

/// A failure of storage. Clients see `KAFKA_STORAGE_ERROR` for every variant.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// The operating system refused; the log directory goes offline when it was a write or a sync.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The log directory went offline earlier.
    #[error("log directory {} is offline: {reason}", path.display())]
    DirectoryOffline {
        /// The log directory.
        path: PathBuf,
        /// The failure that took it offline.
        reason: String,
    },
    /// The volume is full; nothing is appended until space returns.
    #[error("log directory {} is full", path.display())]
    Full {
        /// The log directory.
        path: PathBuf,
    },
    /// A file's content is not what its format allows.
    #[error("{} is damaged: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where in the file.
        reason: String,
    },
    /// Another process uses the log directory.
    #[error("log directory {} is locked by another process", path.display())]
    Locked {
        /// The log directory.
        path: PathBuf,
    },
    /// The log directories cannot be used together, or not by this node.
    #[error("{0}")]
    Mismatch(String),
    /// The log was deleted or closed.
    #[error("the log of {0} is closed")]
    Closed(String),
}

impl StorageError {
    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> StorageError {
        StorageError::Io { action, path: path.to_owned(), source }
    }

    /// Whether there was no space for a write.
    pub(crate) fn is_out_of_space(&self) -> bool {
        match self {
            StorageError::Io { source, .. } => crate::disk::is_out_of_space(source),
            StorageError::Full { .. } => true,
            _ => false,
        }
    }

    pub(crate) fn damaged(path: &Path, reason: impl Into<String>) -> StorageError {
        StorageError::Damaged { path: path.to_owned(), reason: reason.into() }
    }
}
