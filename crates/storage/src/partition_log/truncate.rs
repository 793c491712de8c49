//! Moving the ends of a log: cutting the tail, beginning anew, advancing the start.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use parking_lot::MutexGuard;

use super::{LogState, PartitionLog, ReadHint};
use crate::error::StorageError;
use crate::file_names::LogFileKind;
use crate::segment::Segment;

/// Where the tail of a log is cut off.
struct Cut {
    /// How many segments stay.
    kept: usize,
    /// Where the last of them is cut; none if it stays whole.
    position: Option<u32>,
    /// Where the log ends then.
    end_offset: i64,
}

impl PartitionLog {
    /// Cuts everything at or above `offset`; returns whether anything was cut. Durable on return.
    ///
    /// An offset inside of a batch cuts the whole batch. Below the log start offset the log begins anew at `offset`.
    pub fn truncate_to(self: &Arc<Self>, offset: i64, now_ms: i64) -> Result<bool, StorageError> {
        if offset >= self.log_end_offset() {
            return Ok(false);
        }
        if offset < self.first_segment_offset() {
            self.truncate_fully_and_start_at(offset, now_ms)?;
            return Ok(true);
        }
        let _upkeep = self.upkeep.lock();
        let _turn = self.lower_recovery_point(self.cut_at(&self.segments(), offset)?.end_offset)?;
        let _between_rounds = self.retire_from_journal()?;
        let mut state = self.writable_state()?;
        self.truncations.fetch_add(1, Ordering::AcqRel);
        let cut = self.cut_tail(&mut state, offset, now_ms);
        self.truncations.fetch_add(1, Ordering::AcqRel);
        cut?;
        self.rebuild_after_cut(&mut state, now_ms)?;
        drop(state);
        self.save_side_files()?;
        Ok(true)
    }

    /// Drops the whole content; the next record gets `offset`. Durable on return.
    pub fn truncate_fully_and_start_at(
        self: &Arc<Self>,
        offset: i64,
        now_ms: i64,
    ) -> Result<(), StorageError> {
        let _upkeep = self.upkeep.lock();
        let _turn = self.lower_recovery_point(offset.min(self.log_start_offset()))?;
        let between_rounds = self.retire_from_journal()?;
        let mut state = self.writable_state()?;
        self.truncations.fetch_add(1, Ordering::AcqRel);
        let cleared = self.clear(&mut state, offset, now_ms);
        self.truncations.fetch_add(1, Ordering::AcqRel);
        cleared?;
        drop((state, between_rounds));
        self.save_side_files()?;
        self.directory().checkpoint_log_start_offsets()
    }

    /// Where a cut at `offset` goes. The log then ends where a batch does, also where compaction has left a gap: the
    /// next start looks for the end there.
    fn cut_at(&self, segments: &[Arc<Segment>], offset: i64) -> Result<Cut, StorageError> {
        let kept = segments.partition_point(|segment| segment.base_offset <= offset).max(1);
        let Some(last) = segments.get(kept - 1) else {
            return Ok(Cut { kept, position: None, end_offset: offset });
        };
        let position = last.find_offset(&self.place, offset)?.map(|batch| batch.position);
        let end_offset = last.end_before(&self.place, position.unwrap_or(last.size()))?;
        Ok(Cut { kept, position, end_offset: end_offset.min(offset) })
    }

    /// Sees to it that no crash brings back from the journal what is cut, replaced or renamed while rounds are held back.
    pub(super) fn retire_from_journal(&self) -> Result<MutexGuard<'_, ()>, StorageError> {
        let directory = self.directory();
        let between_rounds = directory.sync_queue.between_rounds();
        directory.journal().retire(directory, self)?;
        Ok(between_rounds)
    }

    /// A crash during or after the cut must not find a recovery point that vouches for what was cut. Nobody writes
    /// recovery points until the cut is done.
    fn lower_recovery_point(&self, offset: i64) -> Result<MutexGuard<'_, ()>, StorageError> {
        let directory = self.directory();
        let turn = directory.recovery_points_turn();
        let was = {
            let _state = self.writable_state()?;
            self.synced_end_offset.fetch_min(offset, Ordering::AcqRel)
        };
        if was > offset {
            directory.write_recovery_points(&turn)?;
        }
        // What is written at these offsets next has not been cleaned.
        directory.lower_cleaner_offset(self.topic(), self.partition(), offset)?;
        Ok(turn)
    }

    fn cut_tail(
        self: &Arc<Self>,
        state: &mut LogState,
        offset: i64,
        now_ms: i64,
    ) -> Result<(), StorageError> {
        let segments = self.segments();
        let Cut { kept, position, end_offset } = self.cut_at(&segments, offset)?;
        let last = &segments[kept - 1];
        self.publish_end(state, end_offset);
        self.replace_segments(segments[..kept].to_vec());
        // From the last on, so that a crash in between leaves a log without a gap.
        for segment in segments[kept..].iter().rev() {
            self.discard_segment(segment, now_ms)?;
        }
        self.remove_snapshots(state, |snapshot| snapshot > end_offset)?;
        self.sync_names()?;
        if let Some(position) = position {
            last.set_end(position, end_offset);
            let path = last.path(&self.place, LogFileKind::Log);
            let cut = last.file(&self.place, LogFileKind::Log).and_then(|file| {
                file.set_length(u64::from(position))?;
                file.sync_data()
            });
            cut.map_err(|source| self.write_error("truncate", &path, source))?;
            last.restore_missing_indexes(&self.place).map_err(|source| {
                self.write_error("truncate", &last.path(&self.place, LogFileKind::OffsetIndex), source)
            })?;
        }
        self.synced_end_offset.fetch_min(end_offset, Ordering::AcqRel);
        Ok(())
    }

    fn rebuild_after_cut(&self, state: &mut LogState, now_ms: i64) -> Result<(), StorageError> {
        let end_offset = self.log_end_offset();
        state.epochs_are_unsaved |= state.epochs.truncate_from_end(end_offset);
        // The transaction index of the segment that was cut is written anew. It is made durable at once: what is below
        // the recovery point is not looked at after a crash.
        let cut = self.active_segment().filter(|active| active.has_transaction_index());
        let Some(cut) = cut else { return self.rebuild_producers(state, end_offset, end_offset, now_ms) };
        self.empty_transaction_index(&cut)?;
        self.rebuild_producers(state, cut.base_offset, cut.base_offset, now_ms)?;
        let synced = cut.file(&self.place, LogFileKind::TransactionIndex).and_then(|file| file.sync_data());
        synced.map_err(|source| {
            self.write_error("sync", &cut.path(&self.place, LogFileKind::TransactionIndex), source)
        })
    }

    pub(super) fn empty_transaction_index(&self, segment: &Arc<Segment>) -> Result<(), StorageError> {
        let path = segment.path(&self.place, LogFileKind::TransactionIndex);
        let emptied =
            segment.file(&self.place, LogFileKind::TransactionIndex).and_then(|file| file.set_length(0));
        emptied.map_err(|source| self.write_error("truncate", &path, source))?;
        segment.set_has_transaction_index(false);
        segment.note_proven_transactions();
        segment.mark_unsynced(LogFileKind::TransactionIndex);
        Ok(())
    }

    fn clear(self: &Arc<Self>, state: &mut LogState, offset: i64, now_ms: i64) -> Result<(), StorageError> {
        self.put_on_disk()?;
        let segments = self.segments();
        self.publish_end(state, offset);
        self.log_start_offset.store(offset, Ordering::Release);
        self.high_watermark.store(offset, Ordering::Release);
        self.replace_segments(Vec::new());
        for segment in segments.iter().rev() {
            self.discard_segment(segment, now_ms)?;
        }
        self.remove_snapshots(state, |_| true)?;
        self.sync_names()?;
        state.epochs.clear();
        state.epochs_are_unsaved = true;
        state.producers.clear(offset);
        self.publish_first_unstable_offset(state);
        self.synced_end_offset.store(offset, Ordering::Release);
        self.durable_end_offset.store(offset, Ordering::Release);
        self.add_segment(offset, now_ms)?;
        self.sync_names()
    }

    /// Lowers every offset that lies above the new end, and forgets where readers were.
    fn publish_end(&self, _state: &LogState, end_offset: i64) {
        self.log_end_offset.store(end_offset, Ordering::Release);
        let bounded =
            [&self.log_start_offset, &self.durable_end_offset, &self.high_watermark, &self.synced_end_offset];
        for bounded in bounded {
            bounded.fetch_min(end_offset, Ordering::AcqRel);
        }
        self.directory().unsaved().note_log_start_offset();
        self.directory().unsaved().note_high_watermark();
        *self.read_hints.lock() = [ReadHint::default(); super::READ_HINTS];
    }

    pub(super) fn sync_names(&self) -> Result<(), StorageError> {
        let path = self.place.path();
        let synced = self.directory().disk().sync_dir(&path);
        synced.map_err(|source| self.write_error("sync", &path, source))?;
        self.names_are_unsynced.store(false, Ordering::Release);
        Ok(())
    }

    /// Moves the log start offset up to `offset` and deletes segments that lie wholly below it (DeleteRecords, or
    /// the start of a snapshot). Returns the log start offset. Beyond the high watermark is refused with `None`.
    pub fn delete_records_before(
        self: &Arc<Self>,
        offset: i64,
        now_ms: i64,
    ) -> Result<Option<i64>, StorageError> {
        if offset > self.high_watermark() {
            return Ok(None);
        }
        self.advance_log_start_offset(offset)?;
        self.delete_segments_below_start(now_ms)?;
        Ok(Some(self.log_start_offset()))
    }

    /// Follows the leader's log start offset, which is bounded by this log's end only.
    pub fn advance_log_start_offset(&self, offset: i64) -> Result<(), StorageError> {
        let mut state = self.writable_state()?;
        let offset = offset.min(self.log_end_offset());
        if offset <= self.log_start_offset() {
            return Ok(());
        }
        self.log_start_offset.store(offset, Ordering::Release);
        self.high_watermark.fetch_max(offset, Ordering::AcqRel);
        self.directory().unsaved().note_log_start_offset();
        self.directory().unsaved().note_high_watermark();
        state.epochs_are_unsaved |= state.epochs.truncate_from_start(offset);
        state.producers.on_log_start_offset_incremented(offset);
        self.publish_first_unstable_offset(&state);
        Ok(())
    }
}
