//! What can go wrong with the metadata log.

use std::{io, path::Path};

use openraft::{AnyError, ErrorSubject, ErrorVerb, StorageIOError};

use crate::type_config::StorageError;

/// Failures of the quorum as its callers see them.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum QuorumError {
    /// Only the leader takes proposals.
    #[error("not the leader of the metadata quorum; the leader is {leader:?}")]
    NotLeader {
        /// Replica id of the leader, if one is known.
        leader: Option<i32>,
    },
    /// The records of one proposal do not fit a batch.
    #[error("a proposal of {bytes} bytes exceeds the limit of {limit}")]
    TooLarge {
        /// Size of the records.
        bytes: usize,
        /// The most one proposal may have.
        limit: usize,
    },
    /// A record cannot be encoded.
    #[error("cannot encode a metadata record: {0}")]
    Encode(#[from] protocol::EncodeError),
    /// The files of the metadata log are damaged or cannot be read or written. The quorum has stopped.
    #[error("metadata log: {0}")]
    Storage(String),
    /// The quorum was shut down, or stopped after an error that was logged.
    #[error("the metadata quorum has stopped")]
    Stopped,
}

impl QuorumError {
    pub(crate) fn corrupt(what: impl Into<String>) -> Self {
        Self::Storage(what.into())
    }

    pub(crate) fn io(doing: &str, path: &Path, error: &io::Error) -> Self {
        Self::Storage(format!("cannot {doing} {}: {error}", path.display()))
    }
}

impl From<records::RecordsError> for QuorumError {
    fn from(error: records::RecordsError) -> Self {
        Self::Storage(error.to_string())
    }
}

impl From<protocol::DecodeError> for QuorumError {
    fn from(error: protocol::DecodeError) -> Self {
        Self::Storage(error.to_string())
    }
}

/// As openraft wants to hear it. Any such error ends its work: nothing is retried on a disk that failed.
pub(crate) fn storage_error(
    subject: ErrorSubject<i32>,
    verb: ErrorVerb,
    error: impl std::error::Error + 'static,
) -> StorageError {
    tracing::error!(%error, "metadata log failed");
    StorageIOError::new(subject, verb, AnyError::new(&error)).into()
}
