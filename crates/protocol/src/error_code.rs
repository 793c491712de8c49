//! Kafka's error codes with their names and whether a client may retry.

use std::fmt;

pub use crate::generated::error_codes::ErrorCode;
use crate::generated::error_codes::ROWS;

/// What is known about one code.
#[derive(Debug)]
pub struct ErrorRow {
    pub code: ErrorCode,
    pub name: &'static str,
    pub retriable: bool,
    pub message: &'static str,
}

impl ErrorCode {
    /// All codes, from -1 on.
    pub fn all() -> impl ExactSizeIterator<Item = Self> {
        ROWS.iter().map(|row| row.code)
    }

    /// The code with this number. Clients treat one they do not know as [`ErrorCode::UnknownServerError`].
    pub fn from_i16(code: i16) -> Option<Self> {
        let index = usize::try_from(i32::from(code) + 1).ok()?;
        ROWS.get(index).map(|row| row.code)
    }

    /// The number on the wire.
    pub fn as_i16(self) -> i16 {
        self as i16
    }

    fn row(self) -> &'static ErrorRow {
        ROWS.get((self as i16 + 1) as usize).expect("the rows have no gap")
    }

    /// Kafka's name, as in `NOT_LEADER_OR_FOLLOWER`.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// Whether the same request may succeed later.
    pub fn is_retriable(self) -> bool {
        self.row().retriable
    }

    /// A sentence for a person, for when nothing more exact is known.
    pub fn message(self) -> &'static str {
        self.row().message
    }

    /// Whether this is success.
    pub fn is_none(self) -> bool {
        self == Self::None
    }
}

impl From<ErrorCode> for i16 {
    fn from(code: ErrorCode) -> Self {
        code.as_i16()
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_in_the_order_of_their_numbers() {
        assert_eq!(
            ErrorCode::all().map(ErrorCode::as_i16).collect::<Vec<_>>(),
            (-1..=136).collect::<Vec<_>>()
        );
        assert_eq!(ErrorCode::from_i16(-2), None);
        assert_eq!(ErrorCode::from_i16(137), None);
        assert_eq!(ErrorCode::from_i16(6).map(ErrorCode::name), Some("NOT_LEADER_OR_FOLLOWER"));
        assert!(
            ErrorCode::NotLeaderOrFollower.is_retriable() && !ErrorCode::InvalidTopicException.is_retriable()
        );
    }
}
