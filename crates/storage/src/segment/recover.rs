//! Verifying a segment byte by byte, and rebuilding what can be derived from its batches.

use std::io;
use std::sync::Arc;

use records::{BATCH_OVERHEAD, BatchHeader};

use super::header_scan::{HeaderScan, ScanError, check_shape};
use super::sorted_entries::{OffsetEntry, SortedEntries, TimeEntry};
use super::{IndexState, Indexes, Segment};
use crate::disk::{DiskFile, read_full_at};
use crate::file_names::LogFileKind;
use crate::place::Place;

/// Bytes verified at once; a longer batch is checked in pieces of this size.
const WINDOW_BYTES: usize = 1 << 20;
/// The checksum covers everything from the attributes on.
const CHECKSUMMED_FROM: usize = 21;
/// Distance of rebuilt index entries: Kafka's default of `index.interval.bytes`.
const REBUILT_INDEX_INTERVAL_BYTES: u32 = 4096;

/// How far a segment holds valid batches.
#[derive(Debug)]
pub(crate) struct Verified {
    /// Bytes of the valid batches.
    pub(crate) valid_bytes: u32,
    /// Offset after the last valid batch.
    pub(crate) next_offset: i64,
    /// What is wrong with the bytes behind them, if there are any.
    pub(crate) damage: Option<String>,
}

/// What must hold between a batch and those before it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expected {
    pub(crate) offset: i64,
    pub(crate) leader_epoch: i32,
    /// Whether the offset may lie inside of the first batch, as the one that a reader asks for.
    pub(crate) is_inside: bool,
    /// Highest offset the segment's indexes can express.
    pub(crate) offset_max: i64,
}

/// What the log says of the batches in it.
#[derive(Clone, Copy)]
pub(crate) struct LogRules<'a> {
    /// Whether an offset may be missing.
    pub(crate) admits_gap: &'a dyn Fn(i64) -> bool,
    /// The leader epoch of the record at an offset, where it is known.
    pub(crate) epoch_of: &'a dyn Fn(i64) -> Option<i32>,
}

impl LogRules<'_> {
    /// Of a log of which nothing is known.
    const NONE: LogRules<'static> = LogRules { admits_gap: &|_| true, epoch_of: &|_| None };

    /// Whether the batch may follow the offset before `due`.
    pub(crate) fn check(&self, header: &BatchHeader, due: i64) -> Result<(), String> {
        if header.base_offset > due && !(self.admits_gap)(due) {
            return Err(format!("offset {due} is missing"));
        }
        let epoch = header.partition_leader_epoch;
        match (self.epoch_of)(header.base_offset) {
            Some(known) if known != epoch => {
                Err(format!("leader epoch {epoch}, but its checkpoint says {known}"))
            }
            _ => Ok(()),
        }
    }
}

/// Checks every batch in the first `length` bytes: shape, checksum, offsets that rise, epochs that do not fall.
pub(crate) fn verify(
    file: &dyn DiskFile,
    length: u32,
    expected: Expected,
    rules: &LogRules<'_>,
    mut valid: impl FnMut(u32, &BatchHeader),
) -> io::Result<Verified> {
    let mut verified = Verified { valid_bytes: 0, next_offset: expected.offset, damage: None };
    verified.damage = verify_range(
        file,
        0..length,
        length,
        expected,
        |_| true,
        rules,
        |position, header| {
            valid(position, header);
            verified.valid_bytes = position + header.size_in_bytes() as u32;
            verified.next_offset = header.next_offset();
        },
    )?;
    Ok(verified)
}

/// Checks the batches that lie wholly in `range` as [`verify`] does, as long as they are `wanted`; the batches of the
/// file end at `end`. Returns what is wrong with the batch that ended it.
pub(crate) fn verify_range(
    file: &dyn DiskFile,
    range: std::ops::Range<u32>,
    end: u32,
    mut expected: Expected,
    wanted: impl Fn(&BatchHeader) -> bool,
    rules: &LogRules<'_>,
    mut valid: impl FnMut(u32, &BatchHeader),
) -> io::Result<Option<String>> {
    let bytes = vec![0; WINDOW_BYTES.min(range.len().max(BATCH_OVERHEAD))];
    let mut window = Window { file, bytes, start: 0, filled: 0 };
    let mut position = range.start;
    while position < range.end {
        let header = match window.header(position, end - position)? {
            Ok(header) => header,
            Err(reason) => return Ok(Some(reason)),
        };
        let size = header.size_in_bytes();
        let checked = check_order(&header, &expected).and_then(|()| rules.check(&header, expected.offset));
        if let Err(reason) = checked {
            return Ok(Some(reason));
        }
        if size > (range.end - position) as usize || !wanted(&header) {
            return Ok(None);
        }
        if window.checksum(position, size)? != Some(header.crc) {
            return Ok(Some("the checksum does not match".to_owned()));
        }
        valid(position, &header);
        expected.offset = header.next_offset();
        expected.leader_epoch = expected.leader_epoch.max(header.partition_leader_epoch);
        expected.is_inside = false;
        position += size as u32;
    }
    Ok(None)
}

struct Window<'a> {
    file: &'a dyn DiskFile,
    bytes: Vec<u8>,
    start: u32,
    filled: usize,
}

impl Window<'_> {
    fn header(&mut self, position: u32, available: u32) -> io::Result<Result<BatchHeader, String>> {
        let Some(bytes) = self.at(position, BATCH_OVERHEAD)? else {
            return Ok(Err(format!("only {available} bytes are left")));
        };
        let header = match BatchHeader::parse(bytes) {
            Ok(header) => header,
            Err(error) => return Ok(Err(error.to_string())),
        };
        Ok(check_shape(&header, available).map(|()| header))
    }

    fn checksum(&mut self, position: u32, size: usize) -> io::Result<Option<u32>> {
        let mut digest = crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc32Iscsi);
        let mut at = CHECKSUMMED_FROM;
        while at < size {
            let piece = (size - at).min(self.bytes.len());
            let Some(bytes) = self.at(position + at as u32, piece)? else { return Ok(None) };
            digest.update(bytes);
            at += piece;
        }
        Ok(Some(digest.finalize() as u32))
    }

    /// `count` bytes at `position`; `None` when the file ends before.
    fn at(&mut self, position: u32, count: usize) -> io::Result<Option<&[u8]>> {
        let within = position.checked_sub(self.start).map(|offset| offset as usize);
        if within.is_none_or(|offset| offset + count > self.filled) {
            self.filled = read_full_at(self.file, u64::from(position), &mut self.bytes)?;
            self.start = position;
        }
        let offset = (position - self.start) as usize;
        Ok(self.bytes[..self.filled].get(offset..offset + count))
    }
}

fn check_order(header: &BatchHeader, expected: &Expected) -> Result<(), String> {
    let reached = if expected.is_inside { header.last_offset() } else { header.base_offset };
    if reached < expected.offset {
        return Err(format!("offset {} where at least {} is due", header.base_offset, expected.offset));
    }
    if header.last_offset() > expected.offset_max {
        return Err(format!("offset {} is beyond the segment's range", header.last_offset()));
    }
    if header.partition_leader_epoch < expected.leader_epoch {
        let (epoch, before) = (header.partition_leader_epoch, expected.leader_epoch);
        return Err(format!("leader epoch {epoch} after {before}"));
    }
    Ok(())
}

impl Segment {
    /// Highest offset this segment's indexes can express.
    pub(crate) fn offset_max(&self) -> i64 {
        self.base_offset.saturating_add(i64::from(i32::MAX))
    }

    /// Forgets the indexes and builds them again from the batch headers; the files are cut to nothing first. An offset
    /// that the index `claimed` and no batch has is the trace of batches that are lost: then nothing is changed.
    pub(super) fn rebuild_indexes(
        self: &Arc<Self>,
        place: &Place,
        state: &mut IndexState,
        claimed: Option<i64>,
    ) -> io::Result<()> {
        tracing::info!(
            segment = %self.path(place, LogFileKind::Log).display(),
            "rebuilding the offset and time index"
        );
        let mut rebuilt = RebuiltIndexes::new(self.base_offset);
        let file = self.file(place, LogFileKind::Log)?;
        let mut end_offset = self.base_offset;
        // A damaged batch ends the index there; whoever reads it meets the damage itself.
        let damage = self.verify_headers(file.as_ref(), 0, |position, header| {
            rebuilt.add(position, header);
            end_offset = header.next_offset();
        })?;
        if damage.is_some() {
            rebuilt.largest = TimeEntry::UNKNOWN;
        } else if let Some(claimed) = claimed.filter(|claimed| *claimed >= end_offset) {
            let reason = format!("it knows offset {claimed}, but the batches end before {end_offset}");
            return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
        }
        self.install_indexes(place, state, rebuilt)
    }

    /// Walks over the batches from byte `from` on and checks each as recovery does, but for leader epochs; returns what
    /// is wrong with the one that ended it.
    pub(super) fn verify_headers(
        &self,
        file: &dyn DiskFile,
        from: u32,
        mut valid: impl FnMut(u32, &BatchHeader),
    ) -> io::Result<Option<String>> {
        let (size, offset_max) = (self.size(), self.offset_max());
        let expected = Expected { offset: self.base_offset, leader_epoch: -1, is_inside: false, offset_max };
        if self.is_proven(from, size) {
            let mut scan = HeaderScan::new(file, from, size);
            return loop {
                match scan.next() {
                    Ok(Some(batch)) => valid(batch.position, &batch.header),
                    Ok(None) => break Ok(None),
                    Err(ScanError::Damaged { reason, .. }) => break Ok(Some(reason)),
                    Err(ScanError::Io(error)) => break Err(error),
                }
            };
        }
        verify_range(file, from..size, size, expected, |_| true, &LogRules::NONE, valid)
    }

    /// Replaces the indexes by rebuilt ones.
    pub(crate) fn replace_indexes(
        self: &Arc<Self>,
        place: &Place,
        rebuilt: RebuiltIndexes,
    ) -> io::Result<()> {
        let mut state = self.indexes.lock();
        self.install_indexes(place, &mut state, rebuilt)
    }

    /// Rebuilds the indexes if one of their files is missing.
    pub(crate) fn restore_missing_indexes(self: &Arc<Self>, place: &Place) -> io::Result<()> {
        let mut state = self.indexes.lock();
        self.rebuild_indexes(place, &mut state, None)
    }

    fn install_indexes(
        self: &Arc<Self>,
        place: &Place,
        state: &mut IndexState,
        rebuilt: RebuiltIndexes,
    ) -> io::Result<()> {
        for kind in [LogFileKind::OffsetIndex, LogFileKind::TimeIndex] {
            let file = self.file(place, kind)?;
            if file.length()? > 0 {
                file.set_length(0)?;
                self.mark_unsynced(kind);
            }
        }
        state.largest = Some(rebuilt.largest);
        let mut indexes = rebuilt.indexes;
        self.write_pending(place, &mut indexes)?;
        state.loaded = Some(Box::new(indexes));
        Ok(())
    }

    /// Sets what readers see after recovery or truncation.
    pub(crate) fn set_end(&self, size: u32, next_offset: i64) {
        self.size.store(size, std::sync::atomic::Ordering::Release);
        self.durable_size.fetch_min(size, std::sync::atomic::Ordering::AcqRel);
        self.next_offset.store(next_offset, std::sync::atomic::Ordering::Release);
        self.proven.cut(size);
        if size == 0 {
            self.first_timestamp.store(super::UNKNOWN_TIMESTAMP, std::sync::atomic::Ordering::Relaxed);
        }
    }
}

/// Indexes gathered from a walk over the batches.
pub(crate) struct RebuiltIndexes {
    indexes: Indexes,
    largest: TimeEntry,
    interval_bytes: u32,
}

impl RebuiltIndexes {
    pub(crate) fn new(base_offset: i64) -> RebuiltIndexes {
        RebuiltIndexes::with_interval(base_offset, REBUILT_INDEX_INTERVAL_BYTES)
    }

    /// Indexes with an entry about every `interval_bytes`.
    pub(crate) fn with_interval(base_offset: i64, interval_bytes: u32) -> RebuiltIndexes {
        let indexes = Indexes {
            offsets: SortedEntries::empty(),
            times: SortedEntries::empty(),
            bytes_since_last_entry: 0,
        };
        let largest = TimeEntry { timestamp: -1, offset: base_offset };
        RebuiltIndexes { indexes, largest, interval_bytes }
    }

    /// Takes the next batch in.
    pub(crate) fn add(&mut self, position: u32, header: &BatchHeader) {
        if header.max_timestamp > self.largest.timestamp {
            self.largest = TimeEntry { timestamp: header.max_timestamp, offset: header.last_offset() };
        }
        let indexes = &mut self.indexes;
        if indexes.bytes_since_last_entry > self.interval_bytes {
            indexes.offsets.push(OffsetEntry { offset: header.last_offset(), position });
            indexes.maybe_push_time(self.largest);
            indexes.bytes_since_last_entry = 0;
        }
        indexes.bytes_since_last_entry =
            indexes.bytes_since_last_entry.saturating_add(header.size_in_bytes() as u32);
    }

    /// Writes both indexes of a segment that takes no more batches to empty files; returns its largest timestamp.
    pub(crate) fn write_to(
        mut self,
        offsets: &dyn DiskFile,
        times: &dyn DiskFile,
        base_offset: i64,
    ) -> io::Result<TimeEntry> {
        self.indexes.maybe_push_time(self.largest);
        self.indexes.offsets.write_pending(offsets, base_offset)?;
        self.indexes.times.write_pending(times, base_offset)?;
        Ok(self.largest)
    }
}
