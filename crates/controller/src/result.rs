//! What a decision gives: records to append and an answer, or an error in Kafka's words.

use protocol::ErrorCode;
use protocol::metadata_records::MetadataRecord;

/// Records to append to the metadata log, as one atomic batch, and what to answer once they are committed.
#[derive(Clone, Debug, PartialEq)]
pub struct ControllerResult<R> {
    /// To be appended; empty if nothing changes.
    pub records: Vec<MetadataRecord>,
    /// The answer.
    pub response: R,
}

impl<R> ControllerResult<R> {
    /// Records and the answer that goes with them.
    pub fn new(records: Vec<MetadataRecord>, response: R) -> Self {
        Self { records, response }
    }

    /// An answer that changes nothing.
    pub fn unchanged(response: R) -> Self {
        Self { records: Vec::new(), response }
    }

    /// The same answer without the records if only validation was asked for.
    pub fn validate_only(mut self, validate_only: bool) -> Self {
        if validate_only {
            self.records.clear();
        }
        self
    }
}

/// A client-visible error: Kafka's code and, where Kafka gives one, its message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {}", .code.name(), .message.as_deref().unwrap_or_else(|| .code.message()))]
pub struct ApiError {
    /// The code, never [`ErrorCode::None`].
    pub code: ErrorCode,
    /// What to tell; `None` where Kafka answers null.
    pub message: Option<String>,
}

impl ApiError {
    /// A code with this message.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: Some(message.into()) }
    }

    /// A code with the message that belongs to it.
    pub fn of(code: ErrorCode) -> Self {
        Self::new(code, code.message())
    }

    /// A code and no message.
    pub fn silent(code: ErrorCode) -> Self {
        Self { code, message: None }
    }
}

/// The two fields that most answers have: code 0 and no message, or the error's.
pub(crate) fn code_and_message<T>(result: &Result<T, ApiError>) -> (i16, Option<String>) {
    match result {
        Ok(_) => (ErrorCode::None.into(), None),
        Err(error) => (error.code.into(), error.message.clone()),
    }
}
