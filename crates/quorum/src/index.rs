//! Raft indexes and Kafka offsets: entries counted against records counted, kept in memory.

use std::collections::VecDeque;

use crate::type_config::{LogId, epoch_of, log_id};

/// One entry of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct IndexedEntry {
    pub epoch: i32,
    pub base_offset: i64,
    /// Offset behind the last record.
    pub end_offset: i64,
    pub size_in_bytes: u32,
}

/// What is in front of the entries: purged ones, covered by a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Purged {
    pub log_id: LogId,
    pub end_offset: i64,
}

/// The entries present, without a hole.
#[derive(Debug, Default)]
pub(crate) struct LogIndex {
    purged: Option<Purged>,
    entries: VecDeque<IndexedEntry>,
}

impl LogIndex {
    pub fn new(purged: Option<Purged>) -> Self {
        Self { purged, entries: VecDeque::new() }
    }

    pub fn purged(&self) -> Option<Purged> {
        self.purged
    }

    /// Raft index of the first entry present, or of the next to come.
    pub fn first_index(&self) -> u64 {
        self.purged.map_or(0, |purged| purged.log_id.index + 1)
    }

    /// Raft index of the next entry.
    pub fn next_index(&self) -> u64 {
        self.first_index() + self.entries.len() as u64
    }

    /// Offset of the next record.
    pub fn end_offset(&self) -> i64 {
        let purged = self.purged.map_or(0, |purged| purged.end_offset);
        self.entries.back().map_or(purged, |last| last.end_offset)
    }

    pub fn last_log_id(&self) -> Option<LogId> {
        match self.entries.back() {
            Some(last) => Some(log_id(last.epoch, self.next_index() - 1)),
            None => self.purged.map(|purged| purged.log_id),
        }
    }

    pub fn push(&mut self, entry: IndexedEntry) {
        debug_assert!(entry.base_offset >= self.end_offset() && entry.end_offset > entry.base_offset);
        self.entries.push_back(entry);
    }

    pub fn get(&self, index: u64) -> Option<&IndexedEntry> {
        self.entries.get(usize::try_from(index.checked_sub(self.first_index())?).ok()?)
    }

    /// Offset behind an entry; known for those present and for the last purged one.
    pub fn end_offset_of(&self, index: u64) -> Option<i64> {
        match self.purged {
            Some(purged) if purged.log_id.index == index => Some(purged.end_offset),
            _ => self.get(index).map(|entry| entry.end_offset),
        }
    }

    /// The entry that ends at an offset.
    pub fn entry_ending_at(&self, end_offset: i64) -> Option<LogId> {
        if let Some(purged) = self.purged
            && purged.end_offset == end_offset
        {
            return Some(purged.log_id);
        }
        let at = self.entries.binary_search_by_key(&end_offset, |entry| entry.end_offset).ok()?;
        Some(log_id(self.entries[at].epoch, self.first_index() + at as u64))
    }

    /// Removes the entries from `index` on.
    pub fn truncate(&mut self, index: u64) {
        let kept = index.saturating_sub(self.first_index());
        self.entries.truncate(usize::try_from(kept).unwrap_or(usize::MAX));
    }

    /// Removes the entries up to `purged`, which may lie beyond them.
    pub fn purge(&mut self, purged: Purged) {
        let gone = (purged.log_id.index + 1).saturating_sub(self.first_index());
        let gone = usize::try_from(gone).unwrap_or(usize::MAX).min(self.entries.len());
        self.entries.drain(..gone);
        self.purged = Some(purged);
    }
}

/// What the batches on disk turned out to be.
#[derive(Debug)]
pub(crate) enum Built {
    /// The entries, counted.
    Whole(LogIndex),
    /// A snapshot from the leader left the log behind: it must be dropped, and begin anew behind the snapshot.
    LeftBehind(Purged),
    /// Records between the newest snapshot and the log are missing.
    Hole,
}

/// Builds the index from the batches on disk, in order, and the newest snapshot, whose raft index is known.
///
/// Batches do not carry their raft index. The newest snapshot ends with a batch and says which entry that was, so all
/// others can be counted from there. `oldest` is the oldest snapshot that does not end before the log begins.
pub(crate) fn build(batches: Vec<IndexedEntry>, newest: Option<Purged>, oldest: Option<Purged>) -> Built {
    let first_offset = batches.first().map(|first| first.base_offset);
    let Some(newest) = newest else {
        // Without a snapshot nothing was ever purged.
        return if first_offset.unwrap_or(0) == 0 {
            Built::Whole(with_all(None, batches))
        } else {
            Built::Hole
        };
    };
    if first_offset == Some(newest.end_offset) {
        return Built::Whole(with_all(Some(newest), batches));
    }
    if first_offset.is_some_and(|first| first > newest.end_offset) {
        return Built::Hole;
    }
    let epoch = epoch_of(&newest.log_id);
    let ends_it = |batch: &IndexedEntry| batch.end_offset == newest.end_offset && batch.epoch == epoch;
    let Some(position) = batches.iter().position(ends_it) else { return Built::LeftBehind(newest) };
    let Some(first_index) = newest.log_id.index.checked_sub(position as u64) else { return Built::Hole };
    let purged = if first_index == 0 { None } else { Some(oldest.unwrap_or(newest)) };
    let skipped = purged.map_or(0, |purged| (purged.log_id.index + 1).saturating_sub(first_index));
    let kept = batches.into_iter().skip(usize::try_from(skipped).unwrap_or(usize::MAX));
    Built::Whole(with_all(purged, kept))
}

fn with_all(purged: Option<Purged>, batches: impl IntoIterator<Item = IndexedEntry>) -> LogIndex {
    let mut index = LogIndex::new(purged);
    batches.into_iter().for_each(|batch| index.push(batch));
    index
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batches(sizes: &[i64], mut base_offset: i64) -> Vec<IndexedEntry> {
        sizes
            .iter()
            .map(|size| {
                let entry = IndexedEntry {
                    epoch: 1,
                    base_offset,
                    end_offset: base_offset + size,
                    size_in_bytes: 100,
                };
                base_offset += size;
                entry
            })
            .collect()
    }

    fn snapshot(index: u64, end_offset: i64) -> Purged {
        Purged { log_id: log_id(1, index), end_offset }
    }

    fn whole(batches: Vec<IndexedEntry>, newest: Option<Purged>, oldest: Option<Purged>) -> LogIndex {
        match build(batches, newest, oldest) {
            Built::Whole(index) => index,
            other => panic!("not a whole log: {other:?}"),
        }
    }

    #[test]
    fn offsets_and_indexes_are_derived_from_each_other() {
        let index = whole(batches(&[1, 3, 2], 0), None, None);
        assert_eq!((index.first_index(), index.next_index(), index.end_offset()), (0, 3, 6));
        assert_eq!(index.end_offset_of(1), Some(4));
        assert_eq!(index.entry_ending_at(4), Some(log_id(1, 1)));
        assert_eq!(index.entry_ending_at(3), None);
        assert_eq!(index.last_log_id(), Some(log_id(1, 2)));
    }

    #[test]
    fn a_snapshot_anchors_a_log_that_lost_its_start() {
        // Entries 7, 8, 9 are left; entry 8 ends the newest snapshot, entry 6 the oldest.
        let index = whole(batches(&[2, 2, 5], 20), Some(snapshot(8, 24)), Some(snapshot(6, 20)));
        assert_eq!((index.first_index(), index.next_index()), (7, 10));
        assert_eq!(index.purged(), Some(snapshot(6, 20)));
        // A segment is deleted whole: entries in front of the oldest snapshot's end may still be there.
        let index = whole(batches(&[2, 2, 5], 20), Some(snapshot(8, 24)), Some(snapshot(7, 22)));
        assert_eq!((index.first_index(), index.get(8).map(|entry| entry.base_offset)), (8, Some(22)));
        // A log from its beginning has lost nothing.
        let index = whole(batches(&[2, 2, 5], 0), Some(snapshot(1, 4)), Some(snapshot(1, 4)));
        assert_eq!((index.purged(), index.next_index()), (None, 3));
        // The log begins right behind the snapshot.
        let index = whole(batches(&[2, 2], 50), Some(snapshot(9, 50)), Some(snapshot(9, 50)));
        assert_eq!((index.first_index(), index.end_offset()), (10, 54));
    }

    #[test]
    fn a_log_that_ends_before_its_snapshot_is_left_behind() {
        let newest = snapshot(9, 50);
        let left = |batches, newest| matches!(build(batches, Some(newest), None), Built::LeftBehind(_));
        assert!(left(batches(&[2, 2], 0), newest));
        assert!(left(Vec::new(), newest));
        // The same offset in another epoch is another record.
        assert!(left(batches(&[2, 2, 1], 0), Purged { log_id: log_id(2, 1), end_offset: 4 }));
    }

    #[test]
    fn missing_records_are_not_papered_over() {
        assert!(matches!(build(batches(&[2], 60), Some(snapshot(9, 50)), None), Built::Hole));
        assert!(matches!(build(batches(&[2], 60), None, None), Built::Hole));
    }

    #[test]
    fn entries_are_cut_at_either_end() {
        let mut index = whole(batches(&[1, 1, 1, 1], 0), None, None);
        index.purge(snapshot(1, 2));
        assert_eq!((index.first_index(), index.next_index(), index.get(1)), (2, 4, None));
        index.truncate(3);
        assert_eq!(index.end_offset(), 3);
        index.truncate(2);
        assert_eq!((index.end_offset(), index.last_log_id()), (2, Some(log_id(1, 1))));
        index.purge(snapshot(100, 700));
        assert_eq!((index.next_index(), index.end_offset()), (101, 700));
    }
}
