//! A cleaned segment takes the place of those it was made of, and a crash at any point leaves the one or the others.
//!
//! `.cleaned` files become `.swap` files and that is made durable: from then on the swap is finished, by recovery if
//! need be. The old segments go first, the oldest before the newer ones: what a record was superseded by must not go
//! before the record itself.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::PartitionLog;
use super::clean::CleaningError;
use crate::cleaner::cleaned_segment::Cleaned;
use crate::disk::{Disk, OpenMode};
use crate::error::StorageError;
use crate::file_names::{
    LogFileKind, PartitionFile, SegmentStage, log_file_path, parse_partition_file, staged_path,
};
use crate::segment::Segment;
use crate::segment::header_scan::HeaderScan;

/// The files of compactions that a crash has interrupted.
#[derive(Default)]
struct Interrupted {
    live: Vec<(i64, LogFileKind)>,
    cleaned: Vec<(i64, LogFileKind)>,
    swaps: Vec<(i64, LogFileKind)>,
}

impl PartitionLog {
    /// Lets `cleaned` take the place of `group`. If the log has changed meanwhile, nothing happens.
    pub(super) fn swap_segments(
        self: &Arc<Self>,
        group: &[Arc<Segment>],
        cleaned: &Cleaned,
        now_ms: i64,
    ) -> Result<(), CleaningError> {
        let _upkeep = self.upkeep.lock();
        let Some(at) = self.place_of(group) else { return Err(CleaningError::Abandoned) };
        let (Some(first), Some(last)) = (group.first(), group.last()) else { return Ok(()) };
        let _between_rounds = self.retire_from_journal()?;
        let directory = self.place.path();
        self.rename_staged(&directory, cleaned.base_offset)?;
        self.sync_partition_directory(&directory)?;
        // Readers that meet a file which is gone from here on wait for the end.
        self.swaps.fetch_add(1, Ordering::AcqRel);
        let swapped = self.take_place(group, cleaned, &directory, now_ms);
        let generation = self.swaps.load(Ordering::Acquire).wrapping_add(1);
        let segment = Segment::replacing(
            first.base_offset,
            cleaned.size,
            last.next_offset(),
            last.created_ms,
            generation,
            cleaned.largest,
        );
        segment.set_has_transaction_index(cleaned.has_aborted);
        {
            let mut state = self.state.lock();
            let mut segments = self.segments().to_vec();
            segments.splice(at..at + group.len(), [segment]);
            self.replace_segments(segments);
            let newest = state.snapshots.last().copied();
            let is_gone = |offset: i64| {
                group[1..].iter().any(|segment| segment.base_offset == offset) && Some(offset) != newest
            };
            let removed = self.remove_snapshots(&mut state, is_gone);
            self.swaps.fetch_add(1, Ordering::AcqRel);
            swapped.and(removed)?;
        }
        self.sync_partition_directory(&directory)?;
        Ok(())
    }

    /// Where the group lies in the list of segments, if it is there as a whole and does not reach the active one.
    fn place_of(&self, group: &[Arc<Segment>]) -> Option<usize> {
        if self.is_closed() {
            return None;
        }
        let segments = self.segments();
        let first = group.first()?;
        let at = segments.iter().position(|segment| Arc::ptr_eq(segment, first))?;
        let found = segments.get(at..at + group.len())?;
        let is_same = found.iter().zip(group).all(|(left, right)| Arc::ptr_eq(left, right));
        (is_same && at + group.len() < segments.len()).then_some(at)
    }

    fn rename_staged(&self, directory: &Path, base_offset: i64) -> Result<(), StorageError> {
        // The batches first, as Kafka does it: as long as anything is called `.cleaned`, nothing of it counts.
        for kind in LogFileKind::OF_SEGMENT.into_iter().rev() {
            let from = staged_path(directory, base_offset, kind, SegmentStage::Cleaned);
            let to = staged_path(directory, base_offset, kind, SegmentStage::Swap);
            self.rename_if_there(&from, &to)?;
        }
        Ok(())
    }

    /// The old segments go, and the cleaned one gets its name.
    fn take_place(
        &self,
        group: &[Arc<Segment>],
        cleaned: &Cleaned,
        directory: &Path,
        now_ms: i64,
    ) -> Result<(), StorageError> {
        let Some((first, others)) = group.split_first() else { return Ok(()) };
        first.discard();
        others.iter().for_each(|segment| segment.discard());
        for segment in others {
            // Recovery removes what the swap file covers by itself.
            if segment.base_offset >= cleaned.next_offset {
                self.sync_partition_directory(directory)?;
            }
            self.discard_segment(segment, now_ms)?;
        }
        self.sync_partition_directory(directory)?;
        for kind in LogFileKind::OF_SEGMENT {
            let from = staged_path(directory, first.base_offset, kind, SegmentStage::Swap);
            self.rename_if_there(&from, &log_file_path(directory, first.base_offset, kind))?;
        }
        Ok(())
    }

    fn rename_if_there(&self, from: &Path, to: &Path) -> Result<(), StorageError> {
        match self.directory().disk().rename(from, to) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                Err(self.write_error("rename", from, source))
            }
            _ => Ok(()),
        }
    }

    fn sync_partition_directory(&self, directory: &Path) -> Result<(), StorageError> {
        let synced = self.directory().disk().sync_dir(directory);
        synced.map_err(|source| self.write_error("sync", directory, source))
    }

    /// Before a log is opened: swaps that a crash has interrupted are finished, what was not complete goes.
    pub(super) fn finish_swaps(&self) -> Result<(), StorageError> {
        let directory = self.place.path();
        let disk = self.directory().disk();
        let mut found = find_interrupted(disk, &directory)?;
        if found.cleaned.is_empty() && found.swaps.is_empty() {
            return Ok(());
        }
        tracing::info!(directory = %directory.display(), "finishing a compaction that was interrupted");
        let remove = |path: &Path| match disk.remove_file(path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                Err(self.write_error("remove", path, source))
            }
            _ => Ok(()),
        };
        // Kafka's rule: what lies at or behind something incomplete is incomplete itself.
        let complete_below = found.cleaned.iter().map(|(offset, _)| *offset).min().unwrap_or(i64::MAX);
        for (offset, kind) in found.swaps.extract_if(.., |(offset, _)| *offset >= complete_below) {
            remove(&staged_path(&directory, offset, kind, SegmentStage::Swap))?;
        }
        self.sync_partition_directory(&directory)?;
        for (offset, kind) in &found.cleaned {
            remove(&staged_path(&directory, *offset, *kind, SegmentStage::Cleaned))?;
        }
        let mut covered: Option<(i64, i64)> = None;
        for (offset, _) in found.swaps.iter().filter(|(_, kind)| *kind == LogFileKind::Log) {
            let end = swap_end(disk, &directory, *offset)?;
            covered = Some(covered.map_or((*offset, end), |(from, to)| (from.min(*offset), to.max(end))));
        }
        if let Some((from, to)) = covered {
            let is_swapped = |offset: i64| found.swaps.contains(&(offset, LogFileKind::Log));
            for (offset, kind) in &found.live {
                let is_outdated_index = *kind != LogFileKind::Log && is_swapped(*offset);
                let is_covered = (from..to).contains(offset) && !is_swapped(*offset);
                if is_outdated_index || is_covered {
                    remove(&log_file_path(&directory, *offset, *kind))?;
                }
            }
            self.sync_partition_directory(&directory)?;
        }
        for kind in LogFileKind::OF_SEGMENT {
            for (offset, _) in found.swaps.iter().filter(|(_, other)| *other == kind) {
                let from = staged_path(&directory, *offset, kind, SegmentStage::Swap);
                self.rename_if_there(&from, &log_file_path(&directory, *offset, kind))?;
            }
        }
        self.sync_partition_directory(&directory)
    }
}

fn find_interrupted(disk: &dyn Disk, directory: &Path) -> Result<Interrupted, StorageError> {
    let entries = disk.list(directory).map_err(|error| StorageError::io("list", directory, error))?;
    let mut found = Interrupted::default();
    for entry in entries.into_iter().filter(|entry| !entry.is_directory) {
        match parse_partition_file(&entry.name) {
            PartitionFile::Log(_, LogFileKind::ProducerSnapshot) => {}
            PartitionFile::Log(offset, kind) => found.live.push((offset, kind)),
            PartitionFile::Staged(offset, kind, SegmentStage::Cleaned) => found.cleaned.push((offset, kind)),
            PartitionFile::Staged(offset, kind, SegmentStage::Swap) => found.swaps.push((offset, kind)),
            _ => {}
        }
    }
    Ok(found)
}

/// The offset after the last batch of a swap file.
fn swap_end(disk: &dyn Disk, directory: &Path, base_offset: i64) -> Result<i64, StorageError> {
    let path = staged_path(directory, base_offset, LogFileKind::Log, SegmentStage::Swap);
    let file = disk.open(&path, OpenMode::Read).map_err(|error| StorageError::io("open", &path, error))?;
    let length = file.length().map_err(|error| StorageError::io("read", &path, error))?;
    let length = u32::try_from(length).map_err(|_| StorageError::damaged(&path, "too long for a segment"))?;
    let mut scan = HeaderScan::new(file.as_ref(), 0, length);
    let mut end = base_offset;
    while let Ok(Some(batch)) = scan.next() {
        end = batch.header.next_offset();
    }
    Ok(end)
}
