//! Ids of log directories, and those that stand for something other than a directory (KIP-858).

use protocol::Uuid;

const fn reserved(low: u8) -> Uuid {
    let mut bytes = [0; 16];
    bytes[15] = low;
    Uuid::from_bytes(bytes)
}

/// The directory is not known: the broker ran before directories had ids.
pub const MIGRATING: Uuid = reserved(0);
/// The broker has yet to choose a directory.
pub const UNASSIGNED: Uuid = reserved(1);
/// A directory that is offline and whose id the broker does not know.
pub const LOST: Uuid = reserved(2);

/// Whether the id cannot belong to a real directory: the first hundred are kept back.
pub fn is_reserved(id: Uuid) -> bool {
    let bytes = id.as_bytes();
    bytes[..15].iter().all(|byte| *byte == 0) && bytes[15] < 100
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_hundred_ids_are_reserved() {
        assert!(is_reserved(MIGRATING) && is_reserved(UNASSIGNED) && is_reserved(LOST));
        assert!(is_reserved(reserved(99)));
        assert!(!is_reserved(reserved(100)));
        let mut bytes = [0; 16];
        bytes[0] = 1;
        assert!(!is_reserved(Uuid::from_bytes(bytes)));
    }
}
