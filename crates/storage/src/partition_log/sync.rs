//! Durability of a log: what a sync round takes, what it publishes, and what a recovery point needs beside it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use config::Durability;
use smallvec::SmallVec;

use super::{LogState, PartitionLog};
use crate::disk::OpenMode;
use crate::error::StorageError;
use crate::file_names::{LEADER_EPOCH_CHECKPOINT_FILE, LogFileKind, PARTITION_METADATA_FILE, log_file_path};
use crate::journal::SegmentSync;
use crate::sync_batch::SyncBatch;
use crate::sync_queue::{self, SyncTicket};

impl PartitionLog {
    /// Makes everything appended so far durable before it returns, on the caller's thread.
    pub fn flush(self: &Arc<Self>) -> Result<(), StorageError> {
        sync_queue::sync_now(self.directory(), self)
    }

    /// Puts the log on the list of its directory's sync thread, once.
    pub fn schedule_sync(self: &Arc<Self>) {
        if !self.sync_is_scheduled.swap(true, Ordering::AcqRel) {
            self.directory().sync_queue.add(Arc::clone(self));
        }
    }

    /// For whoever waits until what was appended is durable: the round that makes it so begins at once.
    pub fn hurry_sync(&self) {
        if self.sync_is_scheduled.load(Ordering::Acquire) {
            self.directory().sync_queue.hurry();
        }
    }

    /// Adds what must be synced for the present end of the log to be durable.
    pub(crate) fn take_sync_ticket(
        self: &Arc<Self>,
        batch: &mut SyncBatch,
    ) -> Result<SyncTicket, StorageError> {
        // Whoever appends from now on schedules again.
        self.sync_is_scheduled.store(false, Ordering::Release);
        let state = self.state.lock();
        let mut ticket = SyncTicket {
            end_offset: self.log_end_offset(),
            truncations: self.truncations.load(Ordering::Acquire),
            segments: SmallVec::new(),
        };
        if state.is_closed {
            return Ok(ticket);
        }
        for segment in self.segments().iter().rev() {
            let (from, to) = (segment.durable_size(), segment.size());
            if from < to {
                let (log, segment) = (Arc::clone(self), Arc::clone(segment));
                ticket.segments.push((Arc::clone(&segment), to));
                batch.add_segment(SegmentSync { log, segment, from, to });
            } else if segment.next_offset() <= self.synced_end_offset() {
                break;
            }
        }
        self.add_names(batch)?;
        Ok(ticket)
    }

    /// Adds the names that are not synced, and with those of a new log its topic id.
    pub(super) fn add_names(&self, batch: &mut SyncBatch) -> Result<(), StorageError> {
        if self.names_are_unsynced.swap(false, Ordering::AcqRel) {
            batch.add_directory(self.place.path());
        }
        if self.parent_is_unsynced.swap(false, Ordering::AcqRel) {
            let path = self.place.path().join(PARTITION_METADATA_FILE);
            if self.topic_id().is_some() {
                let disk = self.directory().disk();
                batch.add_file(path.clone(), || disk.open(&path, OpenMode::ReadWrite))?;
            }
            batch.add_directory(self.directory().path().to_owned());
        }
        Ok(())
    }

    /// Publishes what a completed round has made durable.
    pub(crate) fn synced(&self, ticket: &SyncTicket) {
        let advanced = {
            let _state = self.state.lock();
            if self.truncations.load(Ordering::Acquire) != ticket.truncations {
                return;
            }
            for (segment, size) in &ticket.segments {
                segment.made_durable(*size);
            }
            if self.synced_end_offset.fetch_max(ticket.end_offset, Ordering::AcqRel) < ticket.end_offset {
                self.directory().unsaved().note_recovery_point();
            }
            self.durable_end_offset.fetch_max(ticket.end_offset, Ordering::AcqRel) < ticket.end_offset
        };
        if advanced {
            self.notify_observer();
        }
    }

    /// Has upkeep look at a page-cache log with records that are not synced, if `flush.ms` bounds their wait.
    pub(super) fn maybe_await_flush(self: &Arc<Self>) {
        let config = self.config();
        if config.klamm_durability == Durability::PageCache
            && config.flush_ms < i64::MAX
            && self.synced_end_offset() < self.log_end_offset()
            && !self.flush_is_awaited.swap(true, Ordering::AcqRel)
        {
            self.directory().flush_later(Arc::clone(self));
        }
    }

    /// Schedules a sync if a page-cache log has waited for `flush.ms`; false once there is nothing to wait for.
    pub(crate) fn maybe_schedule_flush(self: &Arc<Self>, now_ms: i64) -> bool {
        let config = self.config();
        let is_awaited = config.klamm_durability == Durability::PageCache
            && config.flush_ms < i64::MAX
            && self.synced_end_offset() < self.log_end_offset()
            && !self.is_closed();
        if !is_awaited {
            self.last_flush_ms.store(now_ms, Ordering::Relaxed);
            self.flush_is_awaited.store(false, Ordering::Release);
            // An append may have found the flag set a moment ago.
            self.maybe_await_flush();
            return false;
        }
        if now_ms.saturating_sub(self.last_flush_ms.load(Ordering::Relaxed)) >= config.flush_ms {
            self.last_flush_ms.store(now_ms, Ordering::Relaxed);
            self.schedule_sync();
        }
        true
    }

    /// The log start offset, if the names of the segments on disk may tell another after a crash. Between two sync
    /// rounds only: a round says that names are synced before they are.
    pub(crate) fn start_offset_to_save(&self) -> Option<i64> {
        let log_start_offset = self.log_start_offset();
        let is_implied = log_start_offset == self.first_segment_offset()
            && !self.names_are_unsynced.load(Ordering::Acquire);
        (log_start_offset > 0 && !is_implied).then_some(log_start_offset)
    }

    /// Adds what recovery trusts below the recovery point (indexes and snapshots of ended segments, leader epochs)
    /// and is not durable yet; returns that recovery point. What could not be added is not durable after an error, and is
    /// due again.
    pub(crate) fn prepare_recovery_point(&self, batch: &mut SyncBatch) -> Result<i64, StorageError> {
        let recovery_point = self.synced_end_offset();
        let segments = self.segments();
        let ended = segments.len().saturating_sub(1);
        for segment in segments[..ended]
            .iter()
            .filter(|segment| segment.next_offset() <= recovery_point && !segment.is_discarded())
        {
            for kind in [LogFileKind::OffsetIndex, LogFileKind::TimeIndex, LogFileKind::TransactionIndex] {
                if !segment.take_unsynced(kind) {
                    continue;
                }
                let path = segment.path(&self.place, kind);
                if let Err(error) = batch.add_file(path, || segment.file(&self.place, kind))
                    && !segment.is_discarded()
                {
                    segment.mark_unsynced(kind);
                    return Err(error);
                }
            }
        }
        self.add_side_files(batch)?;
        Ok(recovery_point)
    }

    /// The recovery point to go on with where [`PartitionLog::prepare_recovery_point`] has failed.
    pub(crate) fn known_recovery_point(&self) -> i64 {
        self.saved_recovery_point.load(Ordering::Acquire).min(self.synced_end_offset())
    }

    /// The checkpoint on disk names this recovery point now.
    pub(crate) fn recovery_point_saved(&self, recovery_point: i64) {
        self.saved_recovery_point.store(recovery_point, Ordering::Release);
    }

    /// Adds producer snapshots and leader epochs, where they have changed.
    pub(super) fn add_side_files(&self, batch: &mut SyncBatch) -> Result<(), StorageError> {
        let (snapshots, epochs) = {
            let mut state = self.state.lock();
            if state.is_closed || !self.is_on_disk() {
                return Ok(());
            }
            state.take_side_files()
        };
        let added = self.add_taken_side_files(batch, &snapshots, epochs.as_deref());
        if added.is_err() {
            let mut state = self.state.lock();
            state.unsynced_snapshots.extend(snapshots);
            state.epochs_are_unsaved |= epochs.is_some();
        }
        added
    }

    pub(super) fn add_taken_side_files(
        &self,
        batch: &mut SyncBatch,
        snapshots: &[i64],
        epochs: Option<&str>,
    ) -> Result<(), StorageError> {
        let path = self.place.path();
        let disk = self.directory().disk();
        for offset in snapshots {
            let path = log_file_path(&path, *offset, LogFileKind::ProducerSnapshot);
            match batch.add_file(path.clone(), || disk.open(&path, OpenMode::ReadWrite)) {
                // Retention has removed it since.
                Err(StorageError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {}
                added => added?,
            }
        }
        if let Some(epochs) = epochs {
            batch.add_replacement(
                self.directory(),
                path.join(LEADER_EPOCH_CHECKPOINT_FILE),
                epochs.as_bytes(),
            )?;
        }
        Ok(())
    }

    /// Makes producer snapshots and leader epochs durable now.
    pub(super) fn save_side_files(&self) -> Result<(), StorageError> {
        let mut batch = SyncBatch::default();
        self.add_side_files(&mut batch)?;
        batch.commit(self.directory())
    }
}

impl LogState {
    /// Snapshots not yet synced, and the text of the leader epochs if that is not saved; the caller saves both.
    pub(super) fn take_side_files(&mut self) -> (Vec<i64>, Option<String>) {
        let epochs = self.epochs_are_unsaved.then(|| self.epochs.to_checkpoint());
        self.epochs_are_unsaved = false;
        (std::mem::take(&mut self.unsynced_snapshots), epochs)
    }
}
