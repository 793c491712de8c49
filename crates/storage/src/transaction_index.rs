//! `.txnindex`: the aborted transactions that end in a segment, 34 bytes each, in the order of their markers.

use std::io;

use crate::disk::{DiskFile, read_full_at};

const VERSION: i16 = 0;
/// Bytes of one entry.
pub const ENTRY_BYTES: usize = 34;
/// Entries read at once.
const BLOCK_ENTRIES: usize = 120;

/// An aborted transaction as the index keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbortedEntry {
    /// The producer.
    pub producer_id: i64,
    /// Offset of its first batch.
    pub first_offset: i64,
    /// Offset of the abort marker.
    pub last_offset: i64,
    /// Last stable offset when the marker was written.
    pub last_stable_offset: i64,
}

/// The bytes of an entry.
pub fn encode(entry: &AbortedEntry) -> [u8; ENTRY_BYTES] {
    let mut bytes = [0; ENTRY_BYTES];
    bytes[..2].copy_from_slice(&VERSION.to_be_bytes());
    let fields = [entry.producer_id, entry.first_offset, entry.last_offset, entry.last_stable_offset];
    for (chunk, field) in bytes[2..].chunks_exact_mut(8).zip(fields) {
        chunk.copy_from_slice(&field.to_be_bytes());
    }
    bytes
}

/// Reads an entry; `None` for a version this cannot be read as.
pub fn decode(bytes: &[u8; ENTRY_BYTES]) -> Option<AbortedEntry> {
    let (version, fields) = bytes.split_first_chunk::<2>()?;
    if i16::from_be_bytes(*version) != VERSION {
        return None;
    }
    let mut numbers =
        fields.chunks_exact(8).map(|field| i64::from_be_bytes(field.try_into().expect("eight bytes")));
    Some(AbortedEntry {
        producer_id: numbers.next()?,
        first_offset: numbers.next()?,
        last_offset: numbers.next()?,
        last_stable_offset: numbers.next()?,
    })
}

/// Hands every entry of a file to `visit` until that says to stop (`false`). The error kind for bytes that are no
/// entries is `InvalidData`.
pub(crate) fn visit(file: &dyn DiskFile, mut visit: impl FnMut(AbortedEntry) -> bool) -> io::Result<()> {
    let mut bytes = [0; ENTRY_BYTES * BLOCK_ENTRIES];
    let mut position = 0;
    loop {
        let read = read_full_at(file, position, &mut bytes)?;
        let (entries, rest) = bytes[..read].as_chunks::<ENTRY_BYTES>();
        for entry in entries {
            let entry = decode(entry).ok_or(io::ErrorKind::InvalidData)?;
            if !visit(entry) {
                return Ok(());
            }
        }
        if !rest.is_empty() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        if read < bytes.len() {
            return Ok(());
        }
        position += read as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_kafkas() {
        let entry =
            AbortedEntry { producer_id: 1, first_offset: 2, last_offset: 3, last_stable_offset: 0x0405 };
        let bytes = encode(&entry);
        let mut expected = [0; ENTRY_BYTES];
        (expected[9], expected[17], expected[25], expected[32], expected[33]) = (1, 2, 3, 4, 5);
        assert_eq!(bytes, expected);
        assert_eq!(decode(&bytes), Some(entry));
        let mut other = bytes;
        other[1] = 1;
        assert_eq!(decode(&other), None);
    }
}
