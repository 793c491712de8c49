//! Questions about offsets: by timestamp, by leader epoch.

use std::sync::Arc;

use replica::{EpochEndOffset, EpochEntry};

use super::PartitionLog;
use crate::error::StorageError;
use crate::file_names::LogFileKind;
use crate::segment::Segment;
use crate::segment::header_scan::ScannedBatch;

/// A record found by its timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimestampOffset {
    /// Its timestamp, ms.
    pub timestamp: i64,
    /// Its offset.
    pub offset: i64,
    /// The leader epoch it was written in; none if the batch does not say.
    pub leader_epoch: Option<i32>,
}

impl PartitionLog {
    /// The first record at or after the log start offset whose timestamp is at least `timestamp`.
    pub fn offset_for_timestamp(&self, timestamp: i64) -> Result<Option<TimestampOffset>, StorageError> {
        self.directory().check_online()?;
        self.while_swapped(|| self.find_timestamp(timestamp))
    }

    fn find_timestamp(&self, timestamp: i64) -> Result<Option<TimestampOffset>, StorageError> {
        let log_start_offset = self.log_start_offset();
        for segment in self.segments().iter() {
            if self.largest(segment)?.0 < timestamp || segment.next_offset() <= log_start_offset {
                continue;
            }
            let mut from = log_start_offset;
            while let Some(batch) = segment.find_timestamp(&self.place, timestamp, from)? {
                let wanted = |at: i64, offset: i64| at >= timestamp && offset >= log_start_offset;
                if let Some(found) = self.first_record(segment, &batch, wanted)? {
                    return Ok(Some(found));
                }
                from = batch.header.next_offset();
            }
        }
        Ok(None)
    }

    /// The first record with the largest timestamp in the log.
    pub fn offset_of_max_timestamp(&self) -> Result<Option<TimestampOffset>, StorageError> {
        self.directory().check_online()?;
        self.while_swapped(|| self.find_max_timestamp())
    }

    fn find_max_timestamp(&self) -> Result<Option<TimestampOffset>, StorageError> {
        let segments = self.segments();
        let mut newest: Option<(&Arc<Segment>, i64, i64)> = None;
        for segment in segments.iter().filter(|segment| segment.size() > 0) {
            let (timestamp, offset) = self.largest(segment)?;
            if newest.is_none_or(|(_, newest, _)| timestamp > newest) {
                newest = Some((segment, timestamp, offset));
            }
        }
        let Some((segment, timestamp, offset)) = newest else { return Ok(None) };
        if offset < 0 {
            let path = segment.path(&self.place, LogFileKind::Log);
            return Err(StorageError::damaged(&path, "its timestamps are not all known"));
        }
        // Of batches with this timestamp the index may name a later one, if it is damaged.
        let batch = segment.find_timestamp(&self.place, timestamp, segment.base_offset)?;
        let Some(batch) = batch else { return Ok(None) };
        self.first_record(segment, &batch, |at, _| at == timestamp)
    }

    /// Where `leader_epoch` ended in this log (KIP-101).
    pub fn end_offset_for_epoch(&self, leader_epoch: i32) -> EpochEndOffset {
        self.state.lock().epochs.end_offset_for(leader_epoch, self.log_end_offset())
    }

    /// The newest leader epoch in the log.
    pub fn latest_epoch(&self) -> Option<EpochEntry> {
        self.state.lock().epochs.latest()
    }

    /// The epoch in which the record at `offset` was written.
    pub fn epoch_for_offset(&self, offset: i64) -> Option<i32> {
        self.state.lock().epochs.epoch_for_offset(offset)
    }

    /// Notes that this replica leads in `leader_epoch` from the log end offset on; saved with the next checkpoint,
    /// and written in the batches themselves.
    pub fn assign_epoch_start(&self, leader_epoch: i32) -> Result<(), StorageError> {
        let mut state = self.writable_state()?;
        let assigned = state.epochs.assign(leader_epoch, self.log_end_offset());
        if assigned {
            state.epochs_are_unsaved = true;
            self.directory().unsaved().note_recovery_point();
        }
        Ok(())
    }

    pub(super) fn largest(&self, segment: &Arc<Segment>) -> Result<(i64, i64), StorageError> {
        let largest = segment.largest_timestamp(&self.place);
        let largest =
            largest.map_err(|error| segment.io_error(&self.place, LogFileKind::TimeIndex, error))?;
        Ok((largest.timestamp, largest.offset))
    }

    fn first_record(
        &self,
        segment: &Arc<Segment>,
        found: &ScannedBatch,
        wanted: impl Fn(i64, i64) -> bool,
    ) -> Result<Option<TimestampOffset>, StorageError> {
        let batch = segment.read_batch(&self.place, found)?;
        let limit = usize::try_from(self.config().max_decompressed_message_bytes).unwrap_or(0);
        let damaged = |error: &dyn std::fmt::Display| {
            let path = segment.path(&self.place, LogFileKind::Log);
            StorageError::damaged(&path, format!("batch at byte {}: {error}", found.position))
        };
        if !segment.is_proven(found.position, found.end()) {
            let due = segment.end_before(&self.place, found.position)?;
            let checked = self.with_rules(|rules| rules.check(&batch.header, due));
            checked.map_err(|reason| damaged(&reason))?;
        }
        for record in batch.records(limit.max(batch.bytes.len())).map_err(|error| damaged(&error))? {
            let record = record.map_err(|error| damaged(&error))?;
            if wanted(record.timestamp, record.offset) {
                let leader_epoch =
                    Some(batch.header.partition_leader_epoch).filter(|leader_epoch| *leader_epoch >= 0);
                return Ok(Some(TimestampOffset {
                    timestamp: record.timestamp,
                    offset: record.offset,
                    leader_epoch,
                }));
            }
        }
        Ok(None)
    }
}
