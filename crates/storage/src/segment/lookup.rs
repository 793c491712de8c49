//! Finding batches in a segment: by offset, by timestamp, by size.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use records::Batch;

use super::header_scan::{HeaderScan, ScanError, ScannedBatch};
use super::sorted_entries::{IndexEntry, OffsetEntry, SortedEntries, TimeEntry, floor_on_file};
use super::{IndexState, Indexes, Segment};
use crate::disk::{DiskFile, read_full_at};
use crate::error::StorageError;
use crate::file_names::LogFileKind;
use crate::place::Place;

impl Segment {
    /// The first batch whose last offset is at least `offset`.
    pub(crate) fn find_offset(
        self: &Arc<Self>,
        place: &Place,
        offset: i64,
    ) -> Result<Option<ScannedBatch>, StorageError> {
        let floor = self.floor_offset(place, |entry| entry.offset <= offset);
        let floor = floor.map_err(|error| self.io_error(place, LogFileKind::OffsetIndex, error))?;
        self.scan_from(place, floor, |batch| batch.header.last_offset() >= offset)
    }

    /// The first batch from `starting_offset` on with a record at or after `timestamp`.
    pub(crate) fn find_timestamp(
        self: &Arc<Self>,
        place: &Place,
        timestamp: i64,
        starting_offset: i64,
    ) -> Result<Option<ScannedBatch>, StorageError> {
        let index_error = |error| self.io_error(place, LogFileKind::TimeIndex, error);
        // Of batches with the same timestamp the entry names the first; a damaged one may name another of them.
        let from = self.floor_time(place, |entry| entry.timestamp < timestamp).map_err(index_error)?;
        let from = match from {
            Some(entry) if self.has_time(place, entry).map_err(index_error)? => entry.offset,
            // An entry that no batch bears out says nothing about where to begin.
            _ => self.base_offset,
        };
        let from = from.max(starting_offset);
        let floor = self.floor_offset(place, |entry| entry.offset <= from);
        let floor = floor.map_err(|error| self.io_error(place, LogFileKind::OffsetIndex, error))?;
        let is_proven = |batch: &ScannedBatch| self.is_proven(batch.position, batch.end());
        let mut first_damage = None;
        let found = self.scan_from(place, floor, |batch| {
            // Who skips a batch for its timestamp must know that it is the right one.
            first_damage = if is_proven(batch) { None } else { self.read_batch(place, batch).err() };
            first_damage.is_some()
                || batch.header.max_timestamp >= timestamp && batch.header.last_offset() >= starting_offset
        })?;
        first_damage.map_or(Ok(found), Err)
    }

    /// Where the last whole batch ends that begins at or after `start`, lies before byte `limit` and below
    /// `upper_bound_offset`, and the offset after it. `start` is where the batch with offset `start_offset` begins.
    pub(crate) fn batches_before(
        self: &Arc<Self>,
        place: &Place,
        start: (u32, i64),
        limit: u32,
        upper_bound_offset: i64,
    ) -> Result<(u32, i64), StorageError> {
        let fits = |entry: &OffsetEntry| entry.position <= limit && entry.offset < upper_bound_offset;
        let floor = self.floor_offset(place, fits);
        let floor = floor.map_err(|error| self.io_error(place, LogFileKind::OffsetIndex, error))?;
        let from = floor.map_or(start.0, |entry| entry.position.max(start.0));
        let file = self
            .file(place, LogFileKind::Log)
            .map_err(|error| self.io_error(place, LogFileKind::Log, error))?;
        let mut scan = HeaderScan::new(file.as_ref(), from, self.size());
        let mut end = if from == start.0 { start } else { (from, start.1) };
        while let Some(batch) = scan.next().map_err(|error| self.scan_error(place, error))? {
            end = (batch.position, batch.header.base_offset.max(start.1));
            if batch.end() > limit || batch.header.last_offset() >= upper_bound_offset {
                break;
            }
            end = (batch.end(), batch.header.next_offset());
        }
        Ok(end)
    }

    /// The offset after the last batch. Bytes that are no batch are damage.
    pub(crate) fn last_batch_end(self: &Arc<Self>, place: &Place) -> Result<i64, StorageError> {
        self.end_before(place, self.size())
    }

    /// The offset after the last batch that begins before byte `position`; the base offset if none does.
    pub(crate) fn end_before(self: &Arc<Self>, place: &Place, position: u32) -> Result<i64, StorageError> {
        let floor = self.floor_offset(place, |entry| entry.position < position);
        let floor = floor.map_err(|error| self.io_error(place, LogFileKind::OffsetIndex, error))?;
        let mut end = self.base_offset;
        self.scan_from(place, floor, |batch| {
            let is_before = batch.position < position;
            if is_before {
                end = batch.header.next_offset();
            }
            !is_before
        })?;
        Ok(end)
    }

    /// Checks the batches that are passed over on the way to `offset`, which no batch holds: none of them may have been
    /// another one.
    pub(crate) fn check_passed_over(
        self: &Arc<Self>,
        place: &Place,
        offset: i64,
    ) -> Result<(), StorageError> {
        let floor = self.floor_offset(place, |entry| entry.offset <= offset);
        let floor = floor.map_err(|error| self.io_error(place, LogFileKind::OffsetIndex, error))?;
        let mut damage = None;
        self.scan_from(place, floor, |batch| {
            let is_passed = batch.header.base_offset <= offset;
            if is_passed && !self.is_proven(batch.position, batch.end()) {
                damage = self.read_batch(place, batch).err();
            }
            !is_passed || damage.is_some()
        })?;
        damage.map_or(Ok(()), Err)
    }

    /// Whether a look into the offset index would wait for the device.
    pub(crate) fn index_would_block(self: &Arc<Self>, place: &Place) -> bool {
        let file = self.file(place, LogFileKind::OffsetIndex);
        file.is_ok_and(|file| {
            let length = file.length().unwrap_or(0);
            length > 0 && file.read_would_block(0, usize::try_from(length).unwrap_or(usize::MAX))
        })
    }

    /// Whether [`Segment::find_offset`] would wait for the device once it has the index, whose entries lie about
    /// `index_interval_bytes` apart.
    pub(crate) fn search_would_block(
        self: &Arc<Self>,
        place: &Place,
        offset: i64,
        index_interval_bytes: usize,
    ) -> bool {
        let Ok(floor) = self.floor_offset(place, |entry| entry.offset <= offset) else { return false };
        let from = floor.map_or(0, |entry| entry.position);
        let length = index_interval_bytes.min(self.size().saturating_sub(from) as usize);
        let file = self.file(place, LogFileKind::Log);
        file.is_ok_and(|file| file.read_would_block(u64::from(from), length))
    }

    /// All bytes of a batch.
    pub(crate) fn read_batch(
        self: &Arc<Self>,
        place: &Place,
        found: &ScannedBatch,
    ) -> Result<Batch, StorageError> {
        let file = self
            .file(place, LogFileKind::Log)
            .map_err(|error| self.io_error(place, LogFileKind::Log, error))?;
        let bytes = read_range(file.as_ref(), found.position, found.header.size_in_bytes())
            .map_err(|error| self.io_error(place, LogFileKind::Log, error))?;
        let batch = Batch { header: found.header, bytes };
        batch.verify_crc().map_err(|error| {
            let reason = error.to_string();
            self.scan_error(place, ScanError::Damaged { position: found.position, reason })
        })?;
        Ok(batch)
    }

    pub(crate) fn io_error(&self, place: &Place, kind: LogFileKind, source: io::Error) -> StorageError {
        if source.kind() == io::ErrorKind::InvalidData {
            return StorageError::damaged(&self.path(place, kind), source.to_string());
        }
        StorageError::io("read", &self.path(place, kind), source)
    }

    pub(crate) fn scan_error(&self, place: &Place, error: ScanError) -> StorageError {
        match error {
            ScanError::Io(source) => self.io_error(place, LogFileKind::Log, source),
            ScanError::Damaged { position, reason } => StorageError::damaged(
                &self.path(place, LogFileKind::Log),
                format!("no batch at byte {position}: {reason}"),
            ),
        }
    }

    /// Scans from an index entry to the first batch that is `wanted`. An entry that does not point at the batch it
    /// names is not trusted: the scan then starts at the beginning of the segment.
    fn scan_from(
        self: &Arc<Self>,
        place: &Place,
        floor: Option<OffsetEntry>,
        mut wanted: impl FnMut(&ScannedBatch) -> bool,
    ) -> Result<Option<ScannedBatch>, StorageError> {
        let size = self.size();
        let file = self
            .file(place, LogFileKind::Log)
            .map_err(|error| self.io_error(place, LogFileKind::Log, error))?;
        let mut from = 0;
        if let Some(entry) = floor {
            match HeaderScan::new(file.as_ref(), entry.position, size).next() {
                Ok(Some(batch)) if batch.header.last_offset() == entry.offset => from = entry.position,
                Err(ScanError::Io(error)) => return Err(self.io_error(place, LogFileKind::Log, error)),
                _ => tracing::warn!(
                    index = %self.path(place, LogFileKind::OffsetIndex).display(),
                    offset = entry.offset,
                    position = entry.position,
                    "index entry points at no such batch, scanning the segment instead"
                ),
            }
        }
        let mut scan = HeaderScan::new(file.as_ref(), from, size);
        let mut due = self.base_offset;
        while let Some(batch) = scan.next().map_err(|error| self.scan_error(place, error))? {
            let (position, offset) = (batch.position, batch.header.base_offset);
            if offset < due || batch.header.last_offset() >= self.next_offset() {
                let reason =
                    format!("offset {offset} where at least {due} is due, and no more than the segment has");
                return Err(self.scan_error(place, ScanError::Damaged { position, reason }));
            }
            if wanted(&batch) {
                return Ok(Some(batch));
            }
            due = batch.header.next_offset();
        }
        Ok(None)
    }

    fn floor_offset(
        self: &Arc<Self>,
        place: &Place,
        fits: impl Fn(&OffsetEntry) -> bool,
    ) -> io::Result<Option<OffsetEntry>> {
        let size = self.size();
        let within = |entry: &OffsetEntry| entry.position < size && fits(entry);
        self.floor(place, LogFileKind::OffsetIndex, |indexes| &indexes.offsets, within)
    }

    fn floor_time(
        self: &Arc<Self>,
        place: &Place,
        fits: impl Fn(&TimeEntry) -> bool,
    ) -> io::Result<Option<TimeEntry>> {
        self.floor(place, LogFileKind::TimeIndex, |indexes| &indexes.times, fits)
    }

    /// Looks among the entries in memory under the lock, then on file without it.
    fn floor<E: IndexEntry>(
        self: &Arc<Self>,
        place: &Place,
        kind: LogFileKind,
        entries: impl Fn(&Indexes) -> &SortedEntries<E>,
        fits: impl Fn(&E) -> bool,
    ) -> io::Result<Option<E>> {
        let on_file = {
            let mut state = self.indexes.lock();
            self.load_indexes(place, &mut state)?;
            let Some(indexes) = state.loaded.as_ref() else { return Ok(None) };
            if let Some(found) = entries(indexes).floor_pending(&fits) {
                return Ok(Some(found));
            }
            entries(indexes).on_file()
        };
        if on_file == 0 {
            return Ok(None);
        }
        floor_on_file(self.file(place, kind)?.as_ref(), on_file, self.base_offset, fits)
    }

    /// Takes up the index files, rebuilding them when they cannot be right.
    pub(super) fn load_indexes(self: &Arc<Self>, place: &Place, state: &mut IndexState) -> io::Result<()> {
        if state.loaded.is_some() {
            return Ok(());
        }
        let size = self.size();
        if size == 0 {
            let empty = Indexes {
                offsets: SortedEntries::empty(),
                times: SortedEntries::empty(),
                bytes_since_last_entry: 0,
            };
            state.loaded = Some(Box::new(empty));
            return Ok(());
        }
        let offsets =
            SortedEntries::load(self.file(place, LogFileKind::OffsetIndex)?.as_ref(), self.base_offset)?;
        let times =
            SortedEntries::load(self.file(place, LogFileKind::TimeIndex)?.as_ref(), self.base_offset)?;
        match (offsets, times) {
            (Some(offsets), Some(times)) if self.are_sane(place, &offsets, &times, size)? => {
                let indexed = offsets.last().map_or(0, |entry: OffsetEntry| entry.position);
                let bytes_since_last_entry = size - indexed;
                state.loaded = Some(Box::new(Indexes { offsets, times, bytes_since_last_entry }));
                Ok(())
            }
            (offsets, times) => {
                let last_offset = offsets.and_then(|entries| entries.last()).map(|entry| entry.offset);
                let last_time = times.and_then(|entries| entries.last()).map(|entry| entry.offset);
                let covered = self.base_offset..self.next_offset();
                let claimed = [last_offset, last_time].into_iter().flatten();
                let claimed = claimed.filter(|offset| covered.contains(offset)).max();
                self.rebuild_indexes(place, state, claimed)
            }
        }
    }

    /// Whether the last entry of each index stands for a batch that is there.
    fn are_sane(
        self: &Arc<Self>,
        place: &Place,
        offsets: &SortedEntries<OffsetEntry>,
        times: &SortedEntries<TimeEntry>,
        size: u32,
    ) -> io::Result<bool> {
        let covered = self.base_offset..self.next_offset();
        if let Some(entry) = offsets.last()
            && !(entry.position < size && covered.contains(&entry.offset) && self.has_offset(place, entry)?)
        {
            return Ok(false);
        }
        let Some(entry) = times.last() else { return Ok(true) };
        if !covered.contains(&entry.offset) {
            return Ok(false);
        }
        self.is_borne_out(place, entry, floor_before(self, place, offsets, entry.offset)?)
    }

    /// Whether the batch that an entry of the offset index names is where it says.
    fn has_offset(self: &Arc<Self>, place: &Place, entry: OffsetEntry) -> io::Result<bool> {
        let file = self.file(place, LogFileKind::Log)?;
        match HeaderScan::new(file.as_ref(), entry.position, self.size()).next() {
            Ok(batch) => Ok(batch.is_some_and(|batch| batch.header.last_offset() == entry.offset)),
            Err(ScanError::Damaged { .. }) => Ok(false),
            Err(ScanError::Io(error)) => Err(error),
        }
    }

    /// Whether the batch that an entry of the time index names has the timestamp it says.
    fn has_time(self: &Arc<Self>, place: &Place, entry: TimeEntry) -> io::Result<bool> {
        let floor = self.floor_offset(place, |indexed| indexed.offset <= entry.offset)?;
        self.is_borne_out(place, entry, floor)
    }

    fn is_borne_out(
        self: &Arc<Self>,
        place: &Place,
        entry: TimeEntry,
        floor: Option<OffsetEntry>,
    ) -> io::Result<bool> {
        let from = match floor {
            Some(floor) if self.has_offset(place, floor)? => floor.position,
            _ => 0,
        };
        let file = self.file(place, LogFileKind::Log)?;
        let mut scan = HeaderScan::new(file.as_ref(), from, self.size());
        loop {
            match scan.next() {
                Ok(Some(batch)) if batch.header.last_offset() < entry.offset => {}
                Ok(Some(batch)) => {
                    let header = &batch.header;
                    return Ok(header.base_offset <= entry.offset && header.max_timestamp == entry.timestamp);
                }
                Ok(None) | Err(ScanError::Damaged { .. }) => return Ok(false),
                Err(ScanError::Io(error)) => return Err(error),
            }
        }
    }

    /// The newest time entry, and for a segment still being written the batches after it.
    pub(super) fn load_largest(self: &Arc<Self>, place: &Place, state: &mut IndexState) -> io::Result<()> {
        if state.largest.is_some() {
            return Ok(());
        }
        self.load_indexes(place, state)?;
        let last = state.loaded.as_ref().and_then(|indexes| indexes.times.last());
        let mut largest = last.unwrap_or(TimeEntry { timestamp: -1, offset: self.base_offset });
        // From the entry on, not from the end of the offset index: entries may have been lost.
        let indexed = match state.loaded.as_ref() {
            Some(indexes) if last.is_some() => floor_before(self, place, &indexes.offsets, largest.offset)?,
            _ => None,
        };
        let file = self.file(place, LogFileKind::Log)?;
        let from = match indexed {
            Some(entry) if self.has_offset(place, entry)? => entry.position,
            _ => 0,
        };
        let damage = self.verify_headers(file.as_ref(), from, |_, header| {
            if header.max_timestamp > largest.timestamp {
                largest = TimeEntry { timestamp: header.max_timestamp, offset: header.last_offset() };
            }
        })?;
        if damage.is_some() {
            largest = TimeEntry::UNKNOWN;
        }
        state.largest = Some(largest);
        Ok(())
    }
}

/// The last entry for a batch that ends at or before `offset`.
fn floor_before(
    segment: &Arc<Segment>,
    place: &Place,
    offsets: &SortedEntries<OffsetEntry>,
    offset: i64,
) -> io::Result<Option<OffsetEntry>> {
    let (size, base_offset) = (segment.size(), segment.base_offset);
    let fits = |entry: &OffsetEntry| entry.position < size && entry.offset <= offset;
    if let Some(found) = offsets.floor_pending(fits) {
        return Ok(Some(found));
    }
    match offsets.on_file() {
        0 => Ok(None),
        count => {
            floor_on_file(segment.file(place, LogFileKind::OffsetIndex)?.as_ref(), count, base_offset, fits)
        }
    }
}

/// Reads exactly `length` bytes.
pub(crate) fn read_range(file: &dyn DiskFile, position: u32, length: usize) -> io::Result<Bytes> {
    let mut bytes = vec![0; length];
    let read = read_full_at(file, u64::from(position), &mut bytes)?;
    if read < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Bytes::from(bytes))
}
