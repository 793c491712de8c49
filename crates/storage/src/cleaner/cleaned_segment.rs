//! The segment that a compaction writes beside those it will replace, under names that end in `.cleaned`.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use records::BatchHeader;

use crate::disk::{Disk, DiskFile, OpenMode, write_all_at};
use crate::file_names::{LogFileKind, SegmentStage, log_file_path, staged_path};
use crate::segment::SEGMENT_BYTES_MAX;
use crate::segment::recover::RebuiltIndexes;
use crate::segment::sorted_entries::TimeEntry;
use crate::transaction_index::{self, AbortedEntry};

/// Bytes collected before they are written.
const WRITE_BYTES: usize = 512 * 1024;

/// A segment being written.
pub(crate) struct CleanedSegment<'a> {
    disk: &'a dyn Disk,
    directory: PathBuf,
    base_offset: i64,
    log: Arc<dyn DiskFile>,
    buffer: Vec<u8>,
    /// Bytes before those in the buffer.
    written: u32,
    indexes: RebuiltIndexes,
    next_offset: i64,
    /// The aborted transactions whose markers are in here.
    pub(crate) aborted: Vec<AbortedEntry>,
}

/// What was written, durably but for the names.
pub(crate) struct Cleaned {
    pub(crate) base_offset: i64,
    pub(crate) size: u32,
    /// Offset after the last batch.
    pub(crate) next_offset: i64,
    pub(crate) largest: TimeEntry,
    pub(crate) has_aborted: bool,
}

impl<'a> CleanedSegment<'a> {
    /// Begins a segment in a partition's directory; what an attempt before has left there is overwritten.
    pub(crate) fn create(
        disk: &'a dyn Disk,
        directory: PathBuf,
        base_offset: i64,
        index_interval_bytes: u32,
    ) -> io::Result<CleanedSegment<'a>> {
        let path = staged_path(&directory, base_offset, LogFileKind::Log, SegmentStage::Cleaned);
        let log = disk.open(&path, OpenMode::Truncate)?;
        Ok(CleanedSegment {
            disk,
            directory,
            base_offset,
            log,
            buffer: Vec::new(),
            written: 0,
            next_offset: base_offset,
            indexes: RebuiltIndexes::with_interval(base_offset, index_interval_bytes),
            aborted: Vec::new(),
        })
    }

    /// Appends a batch; returns the bytes that were written to the disk now. The error kind of a segment that grows
    /// beyond what positions can tell is `FileTooLarge`.
    pub(crate) fn append(&mut self, header: &BatchHeader, bytes: &[u8]) -> io::Result<usize> {
        let position = self.written as usize + self.buffer.len();
        if position + bytes.len() > SEGMENT_BYTES_MAX as usize {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.indexes.add(position as u32, header);
        self.next_offset = header.next_offset();
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() < WRITE_BYTES { Ok(0) } else { self.write() }
    }

    fn write(&mut self) -> io::Result<usize> {
        let length = self.buffer.len();
        write_all_at(self.log.as_ref(), u64::from(self.written), &[&self.buffer])
            .map_err(|failure| failure.source)?;
        self.written += length as u32;
        self.buffer.clear();
        Ok(length)
    }

    /// Writes what is left and all indexes, and makes the contents durable. An empty transaction index is written
    /// with `needs_transaction_index`, so that it takes the place of one that is outdated.
    pub(crate) fn finish(mut self, needs_transaction_index: bool) -> io::Result<Cleaned> {
        self.write()?;
        self.log.sync_data()?;
        let path = |kind| staged_path(&self.directory, self.base_offset, kind, SegmentStage::Cleaned);
        let create = |kind| self.disk.open(&path(kind), OpenMode::Truncate);
        let (offsets, times) = (create(LogFileKind::OffsetIndex)?, create(LogFileKind::TimeIndex)?);
        let largest = self.indexes.write_to(offsets.as_ref(), times.as_ref(), self.base_offset)?;
        offsets.sync_data()?;
        times.sync_data()?;
        if needs_transaction_index || !self.aborted.is_empty() {
            let bytes: Vec<u8> = self.aborted.iter().flat_map(transaction_index::encode).collect();
            let file = create(LogFileKind::TransactionIndex)?;
            write_all_at(file.as_ref(), 0, &[&bytes]).map_err(|failure| failure.source)?;
            file.sync_data()?;
        }
        Ok(Cleaned {
            base_offset: self.base_offset,
            size: self.written,
            next_offset: self.next_offset,
            largest,
            has_aborted: !self.aborted.is_empty(),
        })
    }
}

/// Removes what a compaction that was given up has written.
pub(crate) fn remove_cleaned(disk: &dyn Disk, directory: &std::path::Path, base_offset: i64) {
    for kind in LogFileKind::OF_SEGMENT {
        let path = staged_path(directory, base_offset, kind, SegmentStage::Cleaned);
        match disk.remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(file = %path.display(), %error, "cannot remove what a compaction has left");
            }
            _ => {}
        }
    }
}

/// Whether the live segment has a transaction index.
pub(crate) fn has_transaction_index(disk: &dyn Disk, directory: &std::path::Path, base_offset: i64) -> bool {
    let path = log_file_path(directory, base_offset, LogFileKind::TransactionIndex);
    disk.entry(&path).is_ok_and(|entry| entry.is_some())
}
