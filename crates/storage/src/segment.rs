//! One segment of a log: its files, its indexes, and how much of it readers may see.
//!
//! Appends happen under the log's append lock; readers see the size as an atomic and read the file without a lock.
//! Index entries are kept in memory until a few hundred have gathered, the segment rolls, or the log stops: they
//! are caches, rebuilt by recovery from the batches.

pub(crate) mod header_scan;
pub(crate) mod lookup;
mod proven;
pub(crate) mod recover;
pub(crate) mod sorted_entries;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU32, Ordering};

use parking_lot::Mutex;

use self::proven::Proven;
use self::sorted_entries::{OffsetEntry, SortedEntries, TimeEntry};
use crate::disk::{DiskFile, OpenMode, WriteFailure, is_out_of_space, write_all_at};
use crate::file_cache::{FileSlot, SlotOwner};
use crate::file_names::{LogFileKind, log_file_path};
use crate::place::Place;

/// Pending index entries that are worth a write.
const PENDING_ENTRIES_MAX: usize = 512;
/// A timestamp that nobody looked up yet.
const UNKNOWN_TIMESTAMP: i64 = i64::MIN;
/// Kafka's segment sizes and positions are Java ints.
pub(crate) const SEGMENT_BYTES_MAX: u32 = i32::MAX as u32;

/// A segment of a log.
pub(crate) struct Segment {
    pub(crate) base_offset: i64,
    pub(crate) created_ms: i64,
    /// Tells segments apart that had the same base offset one after the other.
    pub(crate) generation: u32,
    size: AtomicU32,
    /// Bytes below are durable, by a sync or by the journal.
    durable_size: AtomicU32,
    next_offset: AtomicI64,
    first_timestamp: AtomicI64,
    slots: [FileSlot; 4],
    unsynced: AtomicU8,
    has_transaction_index: AtomicBool,
    is_discarded: AtomicBool,
    indexes: Mutex<IndexState>,
    proven: Proven,
}

/// The indexes of a segment as far as they are known; an idle segment keeps nothing here.
#[derive(Default)]
struct IndexState {
    loaded: Option<Box<Indexes>>,
    largest: Option<TimeEntry>,
}

struct Indexes {
    offsets: SortedEntries<OffsetEntry>,
    times: SortedEntries<TimeEntry>,
    bytes_since_last_entry: u32,
}

/// What an append must know of a batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AppendedBatch {
    pub(crate) last_offset: i64,
    pub(crate) max_timestamp: i64,
    pub(crate) size: u32,
}

impl SlotOwner for Segment {
    fn slot(&self, index: usize) -> &FileSlot {
        &self.slots[index]
    }
}

impl Segment {
    /// A segment whose file may not exist yet.
    pub(crate) fn new(base_offset: i64, size: u32, next_offset: i64, created_ms: i64) -> Arc<Segment> {
        let largest = (size == 0).then_some(TimeEntry { timestamp: -1, offset: base_offset });
        let mut segment = Segment::with_generation(base_offset, size, next_offset, created_ms, 0, largest);
        segment.proven = Proven::from(size);
        Arc::new(segment)
    }

    /// A segment that takes the place of others.
    pub(crate) fn replacing(
        base_offset: i64,
        size: u32,
        next_offset: i64,
        created_ms: i64,
        generation: u32,
        largest: TimeEntry,
    ) -> Arc<Segment> {
        let largest = Some(largest);
        Arc::new(Segment::with_generation(base_offset, size, next_offset, created_ms, generation, largest))
    }

    fn with_generation(
        base_offset: i64,
        size: u32,
        next_offset: i64,
        created_ms: i64,
        generation: u32,
        largest: Option<TimeEntry>,
    ) -> Segment {
        Segment {
            base_offset,
            created_ms,
            generation,
            size: AtomicU32::new(size),
            durable_size: AtomicU32::new(size),
            next_offset: AtomicI64::new(next_offset),
            first_timestamp: AtomicI64::new(UNKNOWN_TIMESTAMP),
            slots: Default::default(),
            unsynced: AtomicU8::new(0),
            has_transaction_index: AtomicBool::new(false),
            is_discarded: AtomicBool::new(false),
            indexes: Mutex::new(IndexState { loaded: None, largest }),
            proven: Proven::from(0),
        }
    }

    /// Bytes of whole batches that readers may see.
    pub(crate) fn size(&self) -> u32 {
        self.size.load(Ordering::Acquire)
    }

    /// Offset after the last batch.
    pub(crate) fn next_offset(&self) -> i64 {
        self.next_offset.load(Ordering::Acquire)
    }

    /// Up to where the content is durable: what was found at a start without a need to verify it, and what rounds of
    /// syncs have made so.
    pub(crate) fn durable_size(&self) -> u32 {
        self.durable_size.load(Ordering::Acquire)
    }

    /// A round has made the content durable up to `size`.
    pub(crate) fn made_durable(&self, size: u32) {
        self.durable_size.fetch_max(size, Ordering::AcqRel);
    }

    /// Nothing is known to be durable any more.
    pub(crate) fn forget_durable(&self) {
        self.durable_size.store(0, Ordering::Release);
    }

    pub(crate) fn path(&self, place: &Place, kind: LogFileKind) -> PathBuf {
        log_file_path(&place.path(), self.base_offset, kind)
    }

    /// The open file of a kind, created when absent; an error once the segment is no part of the log any more, so
    /// that a late reader does not bring its names back.
    pub(crate) fn file(self: &Arc<Self>, place: &Place, kind: LogFileKind) -> io::Result<Arc<dyn DiskFile>> {
        let directory = place.directory();
        directory.files().get(self, slot_index(kind), || {
            if self.is_discarded() {
                return Err(io::ErrorKind::NotFound.into());
            }
            directory.disk().open(&self.path(place, kind), OpenMode::Create)
        })
    }

    /// Whether the segment is no part of the log any more.
    pub(crate) fn is_discarded(&self) -> bool {
        self.is_discarded.load(Ordering::Acquire)
    }

    /// Ends every use of the files before they are renamed: closing waits for whoever opens one right now.
    pub(crate) fn discard(&self) {
        self.is_discarded.store(true, Ordering::Release);
        self.close_files();
    }

    /// Writes batches at the end. On failure nothing of them counts: the caller cuts off what was written.
    pub(crate) fn append(
        self: &Arc<Self>,
        place: &Place,
        batches: &[AppendedBatch],
        parts: &[&[u8]],
        index_interval_bytes: u32,
    ) -> Result<(), WriteFailure> {
        let unwritten = |source| WriteFailure { written: 0, source };
        let file = self.file(place, LogFileKind::Log).map_err(unwritten)?;
        let start = self.size.load(Ordering::Relaxed);
        write_all_at(file.as_ref(), u64::from(start), parts)?;
        self.mark_unsynced(LogFileKind::Log);
        let mut end = start;
        let mut state = self.indexes.lock();
        for batch in batches {
            if start == end {
                self.note_first_timestamp(start, batch.max_timestamp);
            }
            let indexed = self.index_batch(place, &mut state, *batch, end, index_interval_bytes);
            end += batch.size;
            indexed.map_err(|source| WriteFailure { written: u64::from(end - start), source })?;
        }
        drop(state);
        if let Some(last) = batches.last() {
            self.next_offset.store(last.last_offset + 1, Ordering::Release);
        }
        self.size.store(end, Ordering::Release);
        Ok(())
    }

    /// Cuts a half-written append off again.
    pub(crate) fn cut_to_size(self: &Arc<Self>, place: &Place) -> io::Result<()> {
        self.file(place, LogFileKind::Log)?.set_length(u64::from(self.size()))
    }

    fn note_first_timestamp(&self, position: u32, max_timestamp: i64) {
        if position == 0 {
            self.first_timestamp.store(max_timestamp, Ordering::Relaxed);
        }
    }

    /// Kafka's rule: an entry once more than the interval's bytes lie behind the last one.
    fn index_batch(
        self: &Arc<Self>,
        place: &Place,
        state: &mut IndexState,
        batch: AppendedBatch,
        position: u32,
        index_interval_bytes: u32,
    ) -> io::Result<()> {
        // What the segment held before this process began may be newer.
        self.load_largest(place, state)?;
        self.load_indexes(place, state)?;
        let largest = state.largest.unwrap_or(TimeEntry { timestamp: -1, offset: self.base_offset });
        let largest = if batch.max_timestamp > largest.timestamp {
            TimeEntry { timestamp: batch.max_timestamp, offset: batch.last_offset }
        } else {
            largest
        };
        state.largest = Some(largest);
        let Some(indexes) = state.loaded.as_mut() else { return Ok(()) };
        if indexes.bytes_since_last_entry > index_interval_bytes {
            indexes.offsets.push(OffsetEntry { offset: batch.last_offset, position });
            indexes.maybe_push_time(largest);
            indexes.bytes_since_last_entry = 0;
            if indexes.offsets.pending() >= PENDING_ENTRIES_MAX {
                match self.write_pending(place, indexes) {
                    // They wait in memory: appends are refused until space returns.
                    Err(error) if is_out_of_space(&error) => {}
                    written => written?,
                }
            }
        }
        indexes.bytes_since_last_entry = indexes.bytes_since_last_entry.saturating_add(batch.size);
        Ok(())
    }

    fn write_pending(self: &Arc<Self>, place: &Place, indexes: &mut Indexes) -> io::Result<()> {
        if indexes.offsets.pending() > 0 {
            let file = self.file(place, LogFileKind::OffsetIndex)?;
            indexes.offsets.write_pending(file.as_ref(), self.base_offset)?;
            self.mark_unsynced(LogFileKind::OffsetIndex);
        }
        if indexes.times.pending() > 0 {
            let file = self.file(place, LogFileKind::TimeIndex)?;
            indexes.times.write_pending(file.as_ref(), self.base_offset)?;
            self.mark_unsynced(LogFileKind::TimeIndex);
        }
        Ok(())
    }

    /// Makes the indexes whole on file: the last time entry that Kafka adds when a segment becomes inactive, all
    /// pending entries, and empty files where there is none, as Kafka expects both to exist.
    pub(crate) fn finish_indexes(self: &Arc<Self>, place: &Place) -> io::Result<()> {
        let mut state = self.indexes.lock();
        self.load_indexes(place, &mut state)?;
        self.load_largest(place, &mut state)?;
        let largest = state.largest;
        let Some(indexes) = state.loaded.as_mut() else { return Ok(()) };
        if let Some(largest) = largest {
            indexes.maybe_push_time(largest);
        }
        self.write_pending(place, indexes)?;
        self.file(place, LogFileKind::OffsetIndex)?;
        self.file(place, LogFileKind::TimeIndex)?;
        // What is on file can be loaded again when somebody asks.
        state.loaded = None;
        Ok(())
    }

    /// Lets go of what can be loaded from the index files again.
    pub(crate) fn release_indexes(&self) {
        let mut state = self.indexes.lock();
        state.loaded.take_if(|indexes| indexes.offsets.pending() == 0 && indexes.times.pending() == 0);
    }

    /// Entries in the fuller of the two indexes, for the decision to roll.
    pub(crate) fn index_entries(self: &Arc<Self>, place: &Place) -> io::Result<(u32, u32)> {
        let mut state = self.indexes.lock();
        if state.loaded.is_none() && self.size() == 0 {
            return Ok((0, 0));
        }
        self.load_indexes(place, &mut state)?;
        Ok(state.loaded.as_ref().map_or((0, 0), |indexes| (indexes.offsets.count(), indexes.times.count())))
    }

    /// The largest timestamp and the last offset of the batch that first reached it; (-1, base offset) if none.
    pub(crate) fn largest_timestamp(self: &Arc<Self>, place: &Place) -> io::Result<TimeEntry> {
        let mut state = self.indexes.lock();
        self.load_largest(place, &mut state)?;
        Ok(state.largest.unwrap_or(TimeEntry { timestamp: -1, offset: self.base_offset }))
    }

    /// The largest timestamp of the first batch, which time-based rolling counts from; -1 for an empty segment.
    pub(crate) fn first_timestamp(self: &Arc<Self>, place: &Place) -> io::Result<i64> {
        let known = self.first_timestamp.load(Ordering::Relaxed);
        if known != UNKNOWN_TIMESTAMP {
            return Ok(known);
        }
        if self.size() == 0 {
            return Ok(-1);
        }
        let file = self.file(place, LogFileKind::Log)?;
        let first = header_scan::HeaderScan::new(file.as_ref(), 0, self.size()).next();
        let timestamp = match first {
            Ok(first) => first.map_or(-1, |batch| batch.header.max_timestamp),
            Err(header_scan::ScanError::Io(error)) => return Err(error),
            Err(header_scan::ScanError::Damaged { .. }) => -1,
        };
        self.first_timestamp.store(timestamp, Ordering::Relaxed);
        Ok(timestamp)
    }

    /// Remembers that a file has content that is not synced.
    pub(crate) fn mark_unsynced(&self, kind: LogFileKind) {
        let bit = bit(kind);
        if self.unsynced.load(Ordering::Relaxed) & bit == 0 {
            self.unsynced.fetch_or(bit, Ordering::AcqRel);
        }
    }

    /// Whether the file was written since it was last taken for a sync; the caller syncs it now.
    pub(crate) fn take_unsynced(&self, kind: LogFileKind) -> bool {
        self.unsynced.fetch_and(!bit(kind), Ordering::AcqRel) & bit(kind) != 0
    }

    /// Whether an aborted transaction ends in this segment.
    pub(crate) fn has_transaction_index(&self) -> bool {
        self.has_transaction_index.load(Ordering::Acquire)
    }

    pub(crate) fn set_has_transaction_index(&self, has: bool) {
        self.has_transaction_index.store(has, Ordering::Release);
    }

    /// Drops the handles; they open again on demand.
    pub(crate) fn close_files(&self) {
        for slot in &self.slots {
            slot.close();
        }
    }
}

impl Indexes {
    /// Kafka's `maybeAppend`: only a later timestamp makes an entry.
    fn maybe_push_time(&mut self, entry: TimeEntry) {
        let last = self.times.last();
        let is_known = entry.timestamp >= 0 && entry.offset >= 0;
        if is_known && last.is_none_or(|last| entry.timestamp > last.timestamp) {
            self.times.push(entry);
        }
    }
}

fn slot_index(kind: LogFileKind) -> usize {
    match kind {
        LogFileKind::Log | LogFileKind::ProducerSnapshot => 0,
        LogFileKind::OffsetIndex => 1,
        LogFileKind::TimeIndex => 2,
        LogFileKind::TransactionIndex => 3,
    }
}

fn bit(kind: LogFileKind) -> u8 {
    match kind {
        LogFileKind::Log => 1,
        LogFileKind::OffsetIndex => 2,
        LogFileKind::TimeIndex => 4,
        LogFileKind::TransactionIndex => 8,
        LogFileKind::ProducerSnapshot => 16,
    }
}
