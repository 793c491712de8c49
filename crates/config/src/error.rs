//! What can be wrong with a configuration, in the words Kafka's tools and scripts look for.

use std::fmt;

/// One thing wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A value that its key's type or validator rejects; `value` is `[hidden]` for a password.
    #[error("Invalid value {value} for configuration {name}: {reason}")]
    InvalidValue {
        /// The key.
        name: String,
        /// The value as Kafka prints it.
        value: String,
        /// What the key wants instead.
        reason: String,
    },
    /// A key that must be set and is not.
    #[error("Missing required configuration \"{name}\" which has no default value.")]
    Missing {
        /// The key.
        name: &'static str,
    },
    /// Values that are valid each, but not together.
    #[error("{0}")]
    Conflict(String),
    /// A setting that promises what this server cannot keep yet, so that ignoring it would be unsafe.
    #[error("Configuration {name} cannot be honoured: {reason}")]
    Refused {
        /// The key.
        name: String,
        /// Why, and what to do.
        reason: String,
    },
    /// Text that is no properties file or no `key=value`.
    #[error("line {line}: {reason}")]
    Syntax {
        /// Counted from 1.
        line: usize,
        /// What is wrong there.
        reason: String,
    },
}

impl ConfigError {
    /// An [`ConfigError::InvalidValue`].
    pub(crate) fn invalid(name: &str, value: impl fmt::Display, reason: impl Into<String>) -> Self {
        Self::InvalidValue { name: name.to_owned(), value: value.to_string(), reason: reason.into() }
    }

    /// A [`ConfigError::Refused`].
    pub(crate) fn refused(name: &str, reason: impl Into<String>) -> Self {
        Self::Refused { name: name.to_owned(), reason: reason.into() }
    }
}

/// Everything wrong with a configuration, so that a user mends it in one go; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}
