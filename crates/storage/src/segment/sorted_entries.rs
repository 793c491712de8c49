//! The entries of one index: those on file, found by binary search there, and those not yet written.
//!
//! Nothing but the newest entries is kept in memory, and for a segment nobody uses not even those.

use std::io;

use crate::disk::{DiskFile, read_full_at, write_all_at};

/// Entries that are read at once at the end of a search.
const BLOCK_ENTRIES: u32 = 256;
/// Longest entry of any index.
const ENTRY_BYTES_MAX: usize = 12;

/// One entry of a fixed size, ordered by a key that never falls.
pub(crate) trait IndexEntry: Copy {
    /// Bytes on file.
    const BYTES: usize;
    /// Writes the entry relative to the segment's base offset.
    fn encode(&self, base_offset: i64, into: &mut Vec<u8>);
    /// Reads an entry; `bytes` has [`IndexEntry::BYTES`] bytes.
    fn decode(bytes: &[u8], base_offset: i64) -> Self;
}

/// Offset index: the last offset of a batch and where the batch begins in the segment file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OffsetEntry {
    pub(crate) offset: i64,
    pub(crate) position: u32,
}

/// Time index: no batch up to `offset` has a later timestamp, ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimeEntry {
    pub(crate) timestamp: i64,
    pub(crate) offset: i64,
}

impl TimeEntry {
    /// Of a segment with damage in it: the largest timestamp may be any, so that nothing is concluded from it.
    pub(crate) const UNKNOWN: TimeEntry = TimeEntry { timestamp: i64::MAX, offset: -1 };
}

impl IndexEntry for OffsetEntry {
    const BYTES: usize = 8;

    fn encode(&self, base_offset: i64, into: &mut Vec<u8>) {
        into.extend_from_slice(&relative(self.offset, base_offset).to_be_bytes());
        into.extend_from_slice(&self.position.to_be_bytes());
    }

    fn decode(bytes: &[u8], base_offset: i64) -> Self {
        OffsetEntry {
            offset: base_offset.wrapping_add(i64::from(number(bytes, 0))),
            position: number(bytes, 4),
        }
    }
}

impl IndexEntry for TimeEntry {
    const BYTES: usize = 12;

    fn encode(&self, base_offset: i64, into: &mut Vec<u8>) {
        into.extend_from_slice(&self.timestamp.to_be_bytes());
        into.extend_from_slice(&relative(self.offset, base_offset).to_be_bytes());
    }

    fn decode(bytes: &[u8], base_offset: i64) -> Self {
        let timestamp = i64::from(number(bytes, 0)) << 32 | i64::from(number(bytes, 4));
        TimeEntry { timestamp, offset: base_offset.wrapping_add(i64::from(number(bytes, 8))) }
    }
}

/// The entries of one index of one segment.
#[derive(Debug)]
pub(crate) struct SortedEntries<E> {
    on_file: u32,
    pending: Vec<E>,
    last: Option<E>,
}

impl<E: IndexEntry> SortedEntries<E> {
    pub(crate) fn empty() -> Self {
        SortedEntries { on_file: 0, pending: Vec::new(), last: None }
    }

    /// Takes up an index file; `None` when its length is not a whole number of entries.
    pub(crate) fn load(file: &dyn DiskFile, base_offset: i64) -> io::Result<Option<Self>> {
        let length = file.length()?;
        let (Ok(on_file), 0) = (u32::try_from(length / E::BYTES as u64), length % E::BYTES as u64) else {
            return Ok(None);
        };
        let last = match on_file.checked_sub(1) {
            Some(index) => Some(read_entry(file, index, base_offset)?),
            None => None,
        };
        Ok(Some(SortedEntries { on_file, pending: Vec::new(), last }))
    }

    /// How many entries there are.
    pub(crate) fn count(&self) -> u32 {
        self.on_file + self.pending.len() as u32
    }

    /// The newest entry.
    pub(crate) fn last(&self) -> Option<E> {
        self.last
    }

    /// How many entries are not on file yet.
    pub(crate) fn pending(&self) -> usize {
        self.pending.len()
    }

    pub(crate) fn push(&mut self, entry: E) {
        self.pending.push(entry);
        self.last = Some(entry);
    }

    /// Writes the pending entries behind those on file.
    pub(crate) fn write_pending(&mut self, file: &dyn DiskFile, base_offset: i64) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(self.pending.len() * E::BYTES);
        for entry in &self.pending {
            entry.encode(base_offset, &mut bytes);
        }
        let position = u64::from(self.on_file) * E::BYTES as u64;
        write_all_at(file, position, &[&bytes]).map_err(|failure| failure.source)?;
        self.on_file += self.pending.len() as u32;
        self.pending = Vec::new();
        Ok(())
    }

    /// The last pending entry that `fits`, if the first one does; otherwise the answer lies on file.
    pub(crate) fn floor_pending(&self, fits: impl Fn(&E) -> bool) -> Option<E> {
        let end = self.pending.partition_point(fits);
        end.checked_sub(1).map(|index| self.pending[index])
    }

    /// Entries on file now, for [`floor_on_file`].
    pub(crate) fn on_file(&self) -> u32 {
        self.on_file
    }
}

/// The last of the first `count` entries on file that `fits`; entries that fit come before those that do not.
/// Needs no lock: entries on file change only when the log is truncated.
pub(crate) fn floor_on_file<E: IndexEntry>(
    file: &dyn DiskFile,
    count: u32,
    base_offset: i64,
    fits: impl Fn(&E) -> bool,
) -> io::Result<Option<E>> {
    let (mut low, mut high) = (0, count);
    while high - low > BLOCK_ENTRIES {
        let middle = low + (high - low) / 2;
        if fits(&read_entry(file, middle, base_offset)?) {
            low = middle;
        } else {
            high = middle;
        }
    }
    let mut bytes = [0; BLOCK_ENTRIES as usize * ENTRY_BYTES_MAX];
    let wanted = (high - low) as usize * E::BYTES;
    let read = read_full_at(file, u64::from(low) * E::BYTES as u64, &mut bytes[..wanted])?;
    let entries = bytes[..read].chunks_exact(E::BYTES).map(|entry| E::decode(entry, base_offset));
    Ok(entries.take_while(|entry| fits(entry)).last())
}

fn read_entry<E: IndexEntry>(file: &dyn DiskFile, index: u32, base_offset: i64) -> io::Result<E> {
    let mut bytes = [0; ENTRY_BYTES_MAX];
    let into = &mut bytes[..E::BYTES];
    if read_full_at(file, u64::from(index) * E::BYTES as u64, into)? < E::BYTES {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(E::decode(into, base_offset))
}

/// Relative offsets fit because a segment rolls before they would not.
fn relative(offset: i64, base_offset: i64) -> u32 {
    (offset - base_offset) as u32
}

fn number(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|field| field.try_into().ok()).map_or(0, u32::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::disk::{Disk, OpenMode, SimDisk};

    fn file() -> Arc<dyn DiskFile> {
        SimDisk::new().open(Path::new("/i"), OpenMode::Create).expect("opens")
    }

    #[test]
    fn bytes_are_kafkas() {
        let mut bytes = Vec::new();
        OffsetEntry { offset: 1_000_300, position: 0x0102 }.encode(1_000_000, &mut bytes);
        assert_eq!(bytes, [0, 0, 1, 44, 0, 0, 1, 2]);
        bytes.clear();
        let entry = TimeEntry { timestamp: 0x0123_4567_89AB_CDEF, offset: 1_000_007 };
        entry.encode(1_000_000, &mut bytes);
        assert_eq!(bytes, [0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF, 0, 0, 0, 7]);
        assert_eq!(TimeEntry::decode(&bytes, 1_000_000), entry);
    }

    #[test]
    fn every_lookup_agrees_with_a_plain_search() {
        let file = file();
        let mut index = SortedEntries::empty();
        let offsets: Vec<i64> = (0..2000).map(|i| 100 + i * 7 + i % 3).collect();
        for (i, offset) in offsets.iter().enumerate() {
            index.push(OffsetEntry { offset: *offset, position: i as u32 * 10 });
            if i == 1500 {
                index.write_pending(file.as_ref(), 100).expect("writes");
            }
        }
        let loaded = SortedEntries::<OffsetEntry>::load(file.as_ref(), 100).expect("reads").expect("whole");
        assert_eq!((loaded.count(), loaded.last().map(|entry| entry.offset)), (1501, Some(offsets[1500])));
        for target in 90..14_200 {
            let fits = |entry: &OffsetEntry| entry.offset <= target;
            let found = index
                .floor_pending(fits)
                .or_else(|| floor_on_file(file.as_ref(), index.on_file(), 100, fits).expect("reads"));
            let expected = offsets.partition_point(|offset| *offset <= target).checked_sub(1);
            assert_eq!(found.map(|entry| entry.position / 10), expected.map(|i| i as u32), "target {target}");
        }
    }

    #[test]
    fn a_cut_entry_is_not_whole() {
        let file = file();
        write_all_at(file.as_ref(), 0, &[&[0; 20]]).expect("writes");
        assert!(SortedEntries::<OffsetEntry>::load(file.as_ref(), 0).expect("reads").is_none());
        assert!(SortedEntries::<TimeEntry>::load(file.as_ref(), 0).expect("reads").is_none());
    }
}
