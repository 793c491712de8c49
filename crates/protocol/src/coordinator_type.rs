//! The kinds of coordinator that FindCoordinator can be asked for.

/// What a coordinator key names. The wire value is FindCoordinatorRequest's `key_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CoordinatorType {
    /// A group id, kept on `__consumer_offsets`.
    Group,
    /// A transactional id, kept on `__transaction_state`.
    Transaction,
    /// A share partition `group:topicId:partition`, kept on `__share_group_state` (KIP-932).
    Share,
}

impl CoordinatorType {
    /// The type with this wire value, if there is one.
    pub fn from_i8(value: i8) -> Option<Self> {
        match value {
            0 => Some(Self::Group),
            1 => Some(Self::Transaction),
            2 => Some(Self::Share),
            _ => None,
        }
    }

    /// The value on the wire.
    pub fn as_i8(self) -> i8 {
        match self {
            Self::Group => 0,
            Self::Transaction => 1,
            Self::Share => 2,
        }
    }
}
