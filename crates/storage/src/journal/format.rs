//! What stands in the journal: pieces of segments, each with its place, a checksum and its turn.
//!
//! The file has two halves that are written in turn. A round of entries begins at a block boundary, so that a torn
//! round never touches an earlier one. Entries of a half count up from 0 and carry the half's generation: what an
//! earlier turn has left behind them is told apart by it.

use crc_fast::{CrcAlgorithm, Digest};

/// Rounds begin at multiples of this.
pub(super) const BLOCK_BYTES: usize = 4096;

const MAGIC: u32 = 0x4b4c_4a31;
/// Magic, checksum, length of what follows.
const HEAD_BYTES: usize = 12;
/// Generation, sequence, base offset, position, length of the name.
const FIXED_BYTES: usize = 8 + 4 + 8 + 4 + 2;

/// A piece of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    /// Name of the partition's directory.
    pub(super) directory: &'a str,
    /// The segment.
    pub(super) base_offset: i64,
    /// Where in the segment the bytes belong.
    pub(super) position: u32,
    pub(super) bytes: &'a [u8],
}

/// When an entry was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Turn {
    pub(super) generation: u64,
    pub(super) sequence: u32,
}

/// Bytes that an entry takes beside those of the segment.
pub(super) fn overhead(directory: &str) -> usize {
    HEAD_BYTES + FIXED_BYTES + directory.len()
}

/// Adds an entry whose `length` bytes `fill` brings; on its error nothing is added.
pub(super) fn encode<E>(
    into: &mut Vec<u8>,
    turn: Turn,
    (directory, base_offset, position): (&str, i64, u32),
    length: usize,
    fill: impl FnOnce(&mut [u8]) -> Result<(), E>,
) -> Result<(), E> {
    let start = into.len();
    let body = FIXED_BYTES + directory.len() + length;
    into.extend(MAGIC.to_be_bytes());
    into.extend([0; 4]);
    into.extend((body as u32).to_be_bytes());
    into.extend(turn.generation.to_be_bytes());
    into.extend(turn.sequence.to_be_bytes());
    into.extend(base_offset.to_be_bytes());
    into.extend(position.to_be_bytes());
    into.extend((directory.len() as u16).to_be_bytes());
    into.extend(directory.as_bytes());
    let bytes = into.len();
    into.resize(bytes + length, 0);
    if let Err(error) = fill(&mut into[bytes..]) {
        into.truncate(start);
        return Err(error);
    }
    let checksum = checksum(&into[start + 8..]);
    into[start + 4..start + 8].copy_from_slice(&checksum.to_be_bytes());
    Ok(())
}

/// The entry that begins at the start of `bytes`, its turn, and its length; `None` if there is no whole one.
pub(super) fn decode(bytes: &[u8]) -> Option<(Turn, Entry<'_>, usize)> {
    let (magic, rest) = bytes.split_first_chunk()?;
    let (expected, rest) = rest.split_first_chunk()?;
    let (length, body) = rest.split_first_chunk()?;
    let length = u32::from_be_bytes(*length) as usize;
    let body = body.get(..length)?;
    let is_whole = u32::from_be_bytes(*magic) == MAGIC
        && u32::from_be_bytes(*expected) == checksum(bytes.get(8..HEAD_BYTES + length)?);
    if !is_whole {
        return None;
    }
    let (generation, body) = body.split_first_chunk()?;
    let (sequence, body) = body.split_first_chunk()?;
    let (base_offset, body) = body.split_first_chunk()?;
    let (position, body) = body.split_first_chunk()?;
    let (name_length, body) = body.split_first_chunk()?;
    let (directory, bytes) = body.split_at_checked(usize::from(u16::from_be_bytes(*name_length)))?;
    let turn = Turn { generation: u64::from_be_bytes(*generation), sequence: u32::from_be_bytes(*sequence) };
    let directory = std::str::from_utf8(directory).ok()?;
    let (base_offset, position) = (i64::from_be_bytes(*base_offset), u32::from_be_bytes(*position));
    Some((turn, Entry { directory, base_offset, position, bytes }, HEAD_BYTES + length))
}

/// The entries of one half.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Half<'a> {
    pub(super) generation: u64,
    pub(super) entries: Vec<Entry<'a>>,
    /// Something stands behind the last entry that was written after it.
    pub(super) is_damaged: bool,
}

/// Reads a half up to the first entry that is not whole or not the next one.
pub(super) fn read_half(bytes: &[u8]) -> Half<'_> {
    let mut half = Half::default();
    let mut at = 0;
    while at < bytes.len() {
        let next = decode(&bytes[at..]).filter(|(turn, ..)| {
            turn.sequence as usize == half.entries.len()
                && (half.entries.is_empty() || turn.generation == half.generation)
        });
        match next {
            Some((turn, entry, length)) => {
                half.generation = turn.generation;
                half.entries.push(entry);
                at += length;
            }
            None if at.is_multiple_of(BLOCK_BYTES) => break,
            None => at = at.next_multiple_of(BLOCK_BYTES),
        }
    }
    half.is_damaged = bytes.get(at..).unwrap_or_default().chunks(BLOCK_BYTES).any(|block| {
        let turn = decode_turn(block);
        turn.is_some_and(|turn| {
            !half.entries.is_empty()
                && turn.generation == half.generation
                && turn.sequence as usize > half.entries.len()
        })
    });
    half
}

/// The turn that the beginning of an entry names, whether it is whole or not.
fn decode_turn(bytes: &[u8]) -> Option<Turn> {
    let (magic, rest) = bytes.split_first_chunk()?;
    let (generation, rest) = rest.get(8..)?.split_first_chunk()?;
    let (sequence, _) = rest.split_first_chunk()?;
    (u32::from_be_bytes(*magic) == MAGIC).then(|| Turn {
        generation: u64::from_be_bytes(*generation),
        sequence: u32::from_be_bytes(*sequence),
    })
}

fn checksum(bytes: &[u8]) -> u32 {
    let mut digest = Digest::new(CrcAlgorithm::Crc32Iscsi);
    digest.update(bytes);
    digest.finalize() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(into: &mut Vec<u8>, generation: u64, sequence: u32, bytes: &[u8]) {
        let place = ("t-0", 7, sequence * 10);
        let added = encode::<()>(into, Turn { generation, sequence }, place, bytes.len(), |room| {
            room.copy_from_slice(bytes);
            Ok(())
        });
        added.expect("filled");
    }

    /// Three rounds of two entries each, the rest of an earlier turn behind them.
    fn half() -> Vec<u8> {
        let mut bytes = Vec::new();
        for round in 0..3 {
            add(&mut bytes, 5, round * 2, b"one");
            add(&mut bytes, 5, round * 2 + 1, &[round as u8; 5000]);
            bytes.resize(bytes.len().next_multiple_of(BLOCK_BYTES), 0);
        }
        add(&mut bytes, 4, 6, b"old");
        bytes.resize(bytes.len().next_multiple_of(BLOCK_BYTES) + BLOCK_BYTES, 0);
        bytes
    }

    #[test]
    fn what_was_written_is_read_and_what_was_left_behind_is_not() {
        let bytes = half();
        let read = read_half(&bytes);
        assert_eq!((read.generation, read.entries.len(), read.is_damaged), (5, 6, false));
        assert_eq!(read.entries[4], Entry { directory: "t-0", base_offset: 7, position: 40, bytes: b"one" });
        assert_eq!(read.entries[5].bytes, [2; 5000]);
        assert_eq!(read_half(&[0; 3 * BLOCK_BYTES]), Half::default());
        assert_eq!(read_half(&[]), Half::default());
    }

    #[test]
    fn any_changed_or_missing_byte_ends_it_there_and_is_noticed_before_the_last_round() {
        let bytes = half();
        let all = read_half(&bytes).entries;
        let last_round = 4 * BLOCK_BYTES;
        for at in (0..last_round + 6000).step_by(7) {
            let mut changed = bytes.clone();
            changed[at] ^= 0x55;
            let read = read_half(&changed);
            assert_eq!(read.entries, all[..read.entries.len()], "byte {at}: entries are whole");
            let is_noticed = read.entries.len() == all.len() || read.is_damaged || read.entries.is_empty();
            assert!(is_noticed || at >= last_round, "byte {at}: {} entries", read.entries.len());
            let cut = read_half(&bytes[..at]);
            assert_eq!(cut.entries, all[..cut.entries.len()], "cut at {at}");
        }
    }
}
