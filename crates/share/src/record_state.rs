//! What can become of a record that a share group has in flight.

/// The state of one record, under the number it has in requests and records.
///
/// ```text
///                 acquire                accept
///    Available ------------> Acquired ------------> Acknowledged
///        ^                    |   |
///        |  release, lock     |   |  reject, gap, deliveries used up
///        +--- expired --------+   +--------------+-----------> Archived
///                                                |                ^
///                                                |   with a dead- |
///                                                |   letter topic |
///                                                +--> Archiving --+
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordState {
    /// May be handed to a member.
    Available = 0,
    /// Belongs to a member until its lock expires. Never written down: after a restart nobody holds anything.
    Acquired = 1,
    /// Processed.
    Acknowledged = 2,
    /// On its way to the dead-letter topic (KIP-1191).
    Archiving = 3,
    /// Given up, or never there: rejected, delivered too often, a gap of the log.
    Archived = 4,
}

impl RecordState {
    /// The state of this number.
    pub fn from_i8(number: i8) -> Option<Self> {
        Some(match number {
            0 => Self::Available,
            1 => Self::Acquired,
            2 => Self::Acknowledged,
            3 => Self::Archiving,
            4 => Self::Archived,
            _ => return None,
        })
    }

    /// Its number.
    pub fn as_i8(self) -> i8 {
        self as i8
    }

    /// Whether nothing more happens to such a record.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Acknowledged | Self::Archived)
    }
}
