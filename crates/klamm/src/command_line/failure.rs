//! How a tool's run ends when it does not end well.

use std::fmt;

/// Why a tool stops, and what it still has to say.
#[derive(Debug)]
pub enum Failure {
    /// The options make no sense: the message and the usage, on standard error.
    Usage(String),
    /// The message alone on standard error, whatever the tool puts before others.
    Bare(String),
    /// The tool's refusal with its prefix.
    Refused(String),
    /// Everything was said already.
    Ended(u8),
}

impl Failure {
    /// The options make no sense.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::Usage(message.into())
    }

    /// The work cannot be done.
    pub fn refused(message: impl fmt::Display) -> Self {
        Self::Refused(message.to_string())
    }

    /// A message without the tool's prefix.
    pub fn bare(message: impl Into<String>) -> Self {
        Self::Bare(message.into())
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Refused(format!("{error:#}"))
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Refused(error.to_string())
    }
}
