//! Deleting old segments: a plan made of values, and its execution.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::PartitionLog;
use crate::error::StorageError;
use crate::file_names::LogFileKind;
use crate::plan::retention::{RetentionLimits, SegmentAge, choose_deletable};

/// Which segments may go, and up to where the log was looked at.
#[derive(Clone, Copy)]
struct Judged {
    /// How many of the oldest.
    count: usize,
    log_end_offset: i64,
}

impl PartitionLog {
    /// Deletes the oldest segments that `retention.ms`, `retention.bytes` or the log start offset let go; returns
    /// how many.
    pub fn delete_old_segments(self: &Arc<Self>, now_ms: i64) -> Result<usize, StorageError> {
        self.delete_segments(self.config().deletes(), now_ms)
    }

    /// Deletes the segments that lie wholly below the log start offset; age and size are left to the next round of
    /// retention, as in Kafka.
    pub(super) fn delete_segments_below_start(self: &Arc<Self>, now_ms: i64) -> Result<(), StorageError> {
        self.delete_segments(false, now_ms).map(|_| ())
    }

    fn delete_segments(self: &Arc<Self>, by_age_and_size: bool, now_ms: i64) -> Result<usize, StorageError> {
        let _upkeep = self.upkeep.lock();
        let judged = self.judge_segments(by_age_and_size, now_ms)?;
        if judged.count > 0 { self.delete_oldest(judged, now_ms) } else { Ok(0) }
    }

    /// Appends go on meanwhile: what is judged of the active segment holds up to the end offset seen then.
    fn judge_segments(&self, by_age_and_size: bool, now_ms: i64) -> Result<Judged, StorageError> {
        let config = self.config();
        let log_end_offset = self.log_end_offset();
        let count = {
            let segments = self.segments();
            let mut ages = Vec::with_capacity(segments.len());
            for (index, segment) in segments.iter().enumerate() {
                let largest = segment.largest_timestamp(&self.place).map_err(|error| {
                    StorageError::io("read", &segment.path(&self.place, LogFileKind::TimeIndex), error)
                })?;
                let next = segments.get(index + 1).map_or(log_end_offset, |next| next.base_offset);
                ages.push(SegmentAge {
                    base_offset: segment.base_offset,
                    next_offset: next,
                    size: u64::from(segment.size()),
                    largest_timestamp: if largest.timestamp >= 0 {
                        largest.timestamp
                    } else {
                        segment.created_ms
                    },
                });
            }
            let limits = RetentionLimits {
                retention_ms: config.retention_ms,
                retention_bytes: config.retention_bytes,
                deletes: by_age_and_size,
                high_watermark: self.high_watermark(),
                log_start_offset: self.log_start_offset(),
            };
            choose_deletable(&ages, &limits, now_ms)
        };
        Ok(Judged { count, log_end_offset })
    }

    fn delete_oldest(self: &Arc<Self>, judged: Judged, now_ms: i64) -> Result<usize, StorageError> {
        let mut state = self.writable_state()?;
        let is_appended = self.log_end_offset() != judged.log_end_offset;
        if !is_appended && judged.count >= self.segment_count() {
            self.roll_at(&mut state, self.log_end_offset(), now_ms)?;
            // The new segment's name carries the offsets on once the others are gone.
            self.sync_names()?;
        }
        let segments = self.segments();
        // The segment that was active then holds records that were not judged, even if it has ended since.
        let judged_wholly =
            segments.partition_point(|segment| segment.next_offset() <= judged.log_end_offset);
        let count = judged.count.min(judged_wholly).min(segments.len().saturating_sub(1));
        let Some(first_kept) = segments.get(count).filter(|_| count > 0) else { return Ok(0) };
        let start_offset = first_kept.base_offset;
        self.names_are_unsynced.store(true, Ordering::Release);
        self.log_start_offset.fetch_max(start_offset, Ordering::AcqRel);
        self.directory().unsaved().note_log_start_offset();
        self.replace_segments(segments[count..].to_vec());
        for segment in &segments[..count] {
            tracing::info!(
                segment = %segment.path(&self.place, LogFileKind::Log).display(),
                "deleting a segment"
            );
            self.discard_segment(segment, now_ms)?;
        }
        self.remove_snapshots(&mut state, |snapshot| snapshot < start_offset)?;
        let log_start_offset = self.log_start_offset();
        state.epochs_are_unsaved |= state.epochs.truncate_from_start(log_start_offset);
        state.producers.on_log_start_offset_incremented(log_start_offset);
        self.publish_first_unstable_offset(&state);
        Ok(count)
    }
}

#[cfg(test)]
mod tests;
