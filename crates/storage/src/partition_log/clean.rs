//! Compacting a log: how much there is to do, the map of its keys, and one group of segments after the other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use records::Batch;

use super::PartitionLog;
use crate::cleaner::batch_reader::{BatchReader, WalkError};
use crate::cleaner::cleaned_segment::{CleanedSegment, has_transaction_index, remove_cleaned};
use crate::cleaner::filter::{Filter, LastOfProducer, Remains};
use crate::cleaner::key_offsets::KeyOffsets;
use crate::cleaner::transactions::WalkedTransactions;
use crate::error::StorageError;
use crate::file_names::LogFileKind;
use crate::plan::cleaning::{
    CleanableRange, CleaningBounds, SegmentToClean, choose_range, dirty_segments, first_dirty_offset,
    group_segments, is_overdue,
};
use crate::segment::Segment;

/// What a compaction may use.
pub(crate) struct CleaningResources<'a> {
    /// Bytes of the map of keys.
    pub(crate) map_bytes: usize,
    /// How full that map may become, from 0 to 1.
    pub(crate) load_factor: f64,
    /// Seed of its hashes.
    pub(crate) seed: u64,
    /// Bytes read at once.
    pub(crate) read_bytes: usize,
    /// Told of bytes read or written; waits as long as they must be spread over time. False: give up.
    pub(crate) charge: &'a dyn Fn(usize) -> bool,
}

/// Why a compaction has ended early.
#[derive(Debug)]
pub(crate) enum CleaningError {
    /// The log was cut, deleted or closed meanwhile, or the cleaner stops: nothing is wrong.
    Abandoned,
    /// The log cannot be compacted; trying again would end the same way.
    Uncleanable(String),
    /// The disk failed.
    Storage(StorageError),
}

impl From<StorageError> for CleaningError {
    fn from(error: StorageError) -> Self {
        CleaningError::Storage(error)
    }
}

/// What a compaction has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CleaningSummary {
    /// Up to where the log is clean now.
    pub(crate) cleaned_offset: i64,
    pub(crate) keys: usize,
    pub(crate) segments_before: usize,
    pub(crate) segments_after: usize,
    pub(crate) bytes_before: u64,
    pub(crate) bytes_after: u64,
}

impl PartitionLog {
    /// What there is to clean, if it is due.
    pub(crate) fn due_cleaning(&self, now_ms: i64) -> Result<Option<CleanableRange>, StorageError> {
        let config = self.config();
        let segments = self.segments();
        if !config.compacts() || segments.len() < 2 {
            return Ok(None);
        }
        let facts: Vec<SegmentToClean> = segments.iter().map(|segment| facts(segment, (0, 0))).collect();
        let bounds = CleaningBounds {
            log_start_offset: self.log_start_offset(),
            log_end_offset: self.log_end_offset(),
            last_stable_offset: self.last_stable_offset(),
            cleaned_offset: self.directory().cleaner_offset(self.topic(), self.partition()),
        };
        let dirty = &segments[dirty_segments(&facts, first_dirty_offset(&bounds).0)];
        let mut too_young_offset = None;
        if config.min_compaction_lag_ms > 0 {
            let newest_ms = now_ms.saturating_sub(config.min_compaction_lag_ms);
            for segment in dirty {
                if self.largest(segment)?.0 > newest_ms {
                    too_young_offset = Some(segment.base_offset);
                    break;
                }
            }
        }
        let mut earliest = None;
        if config.max_compaction_lag_ms < i64::MAX {
            for segment in dirty {
                let first = segment.first_timestamp(&self.place);
                let first = first.map_err(|error| segment.io_error(&self.place, LogFileKind::Log, error))?;
                earliest = [earliest, Some(first).filter(|first| *first > 0)].into_iter().flatten().min();
            }
        }
        let range = choose_range(&facts, &bounds, too_young_offset);
        let overdue = is_overdue(earliest, config.max_compaction_lag_ms, now_ms);
        Ok(range.is_due(config.min_cleanable_dirty_ratio, overdue).then_some(range))
    }

    /// Compacts what is cleanable, as far as the map of keys reaches.
    pub(crate) fn clean(
        self: &Arc<Self>,
        range: &CleanableRange,
        resources: &CleaningResources<'_>,
        now_ms: i64,
    ) -> Result<CleaningSummary, CleaningError> {
        let truncations = self.truncations.load(Ordering::Acquire);
        // Recovery never looks at what was rewritten: a gap there is no torn tail.
        if self.synced_end_offset() < range.first_uncleanable_offset {
            self.flush()?;
        }
        if self.saved_recovery_point.load(Ordering::Acquire) < range.first_uncleanable_offset {
            self.directory().checkpoint_recovery_points()?;
        }
        let segments = self.segments();
        let mut keys = KeyOffsets::new(resources.map_bytes, resources.load_factor, resources.seed)
            .ok_or_else(|| CleaningError::Uncleanable("no key fits into the cleaner's memory".to_owned()))?;
        self.map_keys(&segments, range, resources, &mut keys)?;
        let end_offset = keys.latest_offset() + 1;
        let count = segments.partition_point(|segment| segment.base_offset < end_offset);
        let segments = &segments[..count.min(segments.len().saturating_sub(1))];
        let mut facts_of = Vec::with_capacity(segments.len());
        for segment in segments {
            let entries = segment.index_entries(&self.place);
            let (offsets, times) =
                entries.map_err(|error| segment.io_error(&self.place, LogFileKind::OffsetIndex, error))?;
            facts_of.push(facts(segment, (u64::from(offsets) * 8, u64::from(times) * 12)));
        }
        let config = self.config();
        let groups = group_segments(
            &facts_of,
            u64::try_from(config.effective_segment_bytes()).unwrap_or(0),
            u64::try_from(config.segment_index_bytes).unwrap_or(0),
            range.first_uncleanable_offset,
        );
        let mut summary = CleaningSummary {
            cleaned_offset: end_offset,
            keys: keys.count(),
            segments_before: segments.len(),
            segments_after: groups.len(),
            bytes_before: segments.iter().map(|segment| u64::from(segment.size())).sum(),
            bytes_after: 0,
        };
        let mut transactions = WalkedTransactions::default();
        for group in groups {
            let filter = Filter {
                keys: &keys,
                producers: &self.last_of_producers(),
                now_ms,
                delete_retention_ms: config.delete_retention_ms,
                end_offset: range.first_uncleanable_offset,
                decompressed_bytes_max: usize::try_from(config.max_decompressed_message_bytes).unwrap_or(0),
            };
            let group = &segments[group];
            summary.bytes_after += self.clean_group(group, &filter, &mut transactions, resources, now_ms)?;
        }
        // Logs are cut and deleted by whoever has the turn: what comes at these offsets since then is not clean.
        let _turn = self.directory().recovery_points_turn();
        if self.is_closed() || self.truncations.load(Ordering::Acquire) != truncations {
            return Err(CleaningError::Abandoned);
        }
        self.directory().set_cleaner_offset(self.topic(), self.partition(), end_offset)?;
        Ok(summary)
    }

    /// Notes the newest offset of each key in the dirty part, until the map is full.
    fn map_keys(
        &self,
        segments: &[Arc<Segment>],
        range: &CleanableRange,
        resources: &CleaningResources<'_>,
        keys: &mut KeyOffsets,
    ) -> Result<(), CleaningError> {
        let first_dirty = range.first_dirty_offset;
        let end = segments.partition_point(|segment| segment.base_offset < range.first_uncleanable_offset);
        let first =
            segments[..end].partition_point(|segment| segment.base_offset <= first_dirty).saturating_sub(1);
        let mut transactions = WalkedTransactions::default();
        transactions.add_aborted(self.aborted_entries(
            segments,
            first_dirty,
            range.first_uncleanable_offset,
        )?);
        for (index, segment) in segments[..end].iter().enumerate().skip(first) {
            let from = segment.find_offset(&self.place, first_dirty)?;
            let position = from.map_or(segment.size(), |batch| batch.position);
            let mut is_full = false;
            self.walk(segment, position, resources, |batch| {
                is_full = !self.map_batch(&batch, first_dirty, &mut transactions, keys)?;
                Ok(!is_full)
            })?;
            if is_full {
                return Ok(());
            }
            let next =
                segments.get(index + 1).map_or(range.first_uncleanable_offset, |next| next.base_offset);
            keys.set_latest_offset(next.min(range.first_uncleanable_offset) - 1);
        }
        Ok(())
    }

    /// False if the map could not take a key of the batch.
    fn map_batch(
        &self,
        batch: &Batch,
        first_dirty: i64,
        transactions: &mut WalkedTransactions,
        keys: &mut KeyOffsets,
    ) -> Result<bool, CleaningError> {
        let header = &batch.header;
        if header.is_control() {
            let marker = batch.end_transaction_marker().map_err(uncleanable)?;
            transactions.on_control(header, marker.map(|(marker, _)| marker));
        } else if !transactions.on_data(header) {
            for record in batch.records(self.decompressed_bytes_max(batch)).map_err(uncleanable)? {
                let record = record.map_err(uncleanable)?;
                if let Some(key) = record.key.filter(|_| record.offset >= first_dirty)
                    && !keys.put(&key, record.offset)
                {
                    return Ok(false);
                }
            }
        }
        if header.last_offset() >= first_dirty {
            keys.set_latest_offset(header.last_offset());
        }
        Ok(true)
    }

    /// Writes what remains of some neighbouring segments as one and lets it take their place; returns its size.
    fn clean_group(
        self: &Arc<Self>,
        group: &[Arc<Segment>],
        filter: &Filter<'_>,
        transactions: &mut WalkedTransactions,
        resources: &CleaningResources<'_>,
        now_ms: i64,
    ) -> Result<u64, CleaningError> {
        let Some(first) = group.first() else { return Ok(0) };
        let (directory, disk) = (self.place.path(), self.directory().disk());
        let result = self.write_cleaned(group, filter, transactions, resources);
        let swapped = match result {
            // Nothing went: the segment stays as it is.
            Ok(None) => Ok(u64::from(first.size())),
            Ok(Some(cleaned)) => {
                let size = u64::from(cleaned.size);
                self.swap_segments(group, &cleaned, now_ms).map(|()| size)
            }
            Err(error) => Err(error),
        };
        if !matches!(swapped, Err(CleaningError::Storage(_))) {
            remove_cleaned(disk, &directory, first.base_offset);
        }
        swapped
    }

    fn write_cleaned(
        &self,
        group: &[Arc<Segment>],
        filter: &Filter<'_>,
        transactions: &mut WalkedTransactions,
        resources: &CleaningResources<'_>,
    ) -> Result<Option<crate::cleaner::cleaned_segment::Cleaned>, CleaningError> {
        let base_offset = group.first().map_or(0, |first| first.base_offset);
        let (directory, disk) = (self.place.path(), self.directory().disk());
        let interval = u32::try_from(self.config().index_interval_bytes).unwrap_or(0);
        let failed = |error| self.cleaned_write_error(error);
        let mut cleaned =
            CleanedSegment::create(disk, directory.clone(), base_offset, interval).map_err(failed)?;
        let mut is_changed = group.len() > 1;
        for segment in group {
            transactions.add_aborted(self.aborted_entries(
                &self.segments(),
                segment.base_offset,
                segment.next_offset(),
            )?);
            self.walk(segment, 0, resources, |batch| {
                let limit = self.decompressed_bytes_max(&batch).max(filter.decompressed_bytes_max);
                let filter = Filter { decompressed_bytes_max: limit, ..*filter };
                let remains =
                    filter.apply(transactions, &batch, &mut cleaned.aborted).map_err(uncleanable)?;
                is_changed |= remains != Remains::Whole;
                let written = match remains {
                    Remains::Whole => cleaned.append(&batch.header, &batch.bytes),
                    Remains::Rebuilt(bytes) => {
                        let header = records::BatchHeader::parse(&bytes).map_err(uncleanable)?;
                        cleaned.append(&header, &bytes)
                    }
                    Remains::Nothing => Ok(0),
                };
                let written = written.map_err(failed)?;
                if written > 0 && !(resources.charge)(written) {
                    Err(CleaningError::Abandoned)
                } else {
                    Ok(true)
                }
            })?;
        }
        if !is_changed {
            return Ok(None);
        }
        let replaces_index = has_transaction_index(disk, &directory, base_offset);
        cleaned.finish(replaces_index).map(Some).map_err(failed)
    }

    /// Hands each batch to `visit` until that says false.
    fn walk(
        &self,
        segment: &Arc<Segment>,
        position: u32,
        resources: &CleaningResources<'_>,
        mut visit: impl FnMut(Batch) -> Result<bool, CleaningError>,
    ) -> Result<(), CleaningError> {
        let size = segment.size();
        let failed = |error| self.walk_error(segment, error);
        let file =
            segment.file(&self.place, LogFileKind::Log).map_err(|error| failed(WalkError::Io(error)))?;
        let mut reader = BatchReader::new(file.as_ref(), position, size, resources.read_bytes);
        while let Some((batch, read)) = reader.next().map_err(failed)? {
            if read > 0 && (segment.is_discarded() || !(resources.charge)(read)) {
                return Err(CleaningError::Abandoned);
            }
            if !visit(batch)? {
                break;
            }
        }
        Ok(())
    }

    fn walk_error(&self, segment: &Segment, error: WalkError) -> CleaningError {
        if segment.is_discarded() {
            return CleaningError::Abandoned;
        }
        let path = segment.path(&self.place, LogFileKind::Log);
        match error {
            WalkError::Io(source) => CleaningError::Storage(StorageError::io("read", &path, source)),
            WalkError::Damaged { position, reason } => CleaningError::Uncleanable(format!(
                "{}: no batch at byte {position}: {reason}",
                path.display()
            )),
        }
    }

    /// A full disk is no reason to give the directory up: the log is as it was.
    fn cleaned_write_error(&self, source: std::io::Error) -> CleaningError {
        let path = self.place.path();
        match source.kind() {
            std::io::ErrorKind::FileTooLarge => {
                CleaningError::Uncleanable("a segment would exceed 2 GiB by being cleaned".to_owned())
            }
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::NotFound => {
                CleaningError::Storage(StorageError::io("write a cleaned segment in", &path, source))
            }
            _ => CleaningError::Storage(self.write_error("write a cleaned segment in", &path, source)),
        }
    }

    /// The limit of batches that come in now, or what the batch takes compressed if that is more.
    fn decompressed_bytes_max(&self, batch: &Batch) -> usize {
        let limit = usize::try_from(self.config().max_decompressed_message_bytes).unwrap_or(0);
        limit.max(batch.bytes.len())
    }

    fn last_of_producers(&self) -> BTreeMap<i64, LastOfProducer> {
        let state = self.state.lock();
        let last = |producer: &replica::ProducerState| LastOfProducer {
            data_offset: Some(producer.last_offset()).filter(|offset| *offset >= 0),
            producer_epoch: producer.producer_epoch,
        };
        state.producers.iter().map(|producer| (producer.producer_id, last(producer))).collect()
    }
}

fn facts(segment: &Segment, index_bytes: (u64, u64)) -> SegmentToClean {
    SegmentToClean { base_offset: segment.base_offset, size: u64::from(segment.size()), index_bytes }
}

fn uncleanable(error: records::RecordsError) -> CleaningError {
    CleaningError::Uncleanable(error.to_string())
}
