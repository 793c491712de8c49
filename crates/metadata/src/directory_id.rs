//! Ids of log directories, and those that stand for something other than a directory (KIP-858).

use protocol::Uuid;

/// The directory is not known: the broker ran before directories had ids.
pub const MIGRATING: Uuid = Uuid::ZERO;
/// The broker has yet to choose a directory.
pub const UNASSIGNED: Uuid = Uuid::from_u128(1);
/// A directory that is offline and whose id the broker does not know.
pub const LOST: Uuid = Uuid::from_u128(2);

/// Whether the id cannot belong to a real directory: the first hundred are kept back.
pub fn is_reserved(id: Uuid) -> bool {
    id.as_u128() < 100
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_hundred_ids_are_reserved() {
        assert!(is_reserved(MIGRATING) && is_reserved(UNASSIGNED) && is_reserved(LOST));
        assert!(is_reserved(Uuid::from_u128(99)));
        assert!(!is_reserved(Uuid::from_u128(100)));
        assert!(!is_reserved(Uuid::from_u128(1 << 127)));
    }
}
