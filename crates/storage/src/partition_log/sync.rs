//! Durability of a log: what a sync round takes, what it publishes, and what a recovery point needs beside it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use config::Durability;

use super::PartitionLog;
use crate::checkpoint;
use crate::disk::OpenMode;
use crate::error::StorageError;
use crate::file_names::{LEADER_EPOCH_CHECKPOINT_FILE, LogFileKind, PARTITION_METADATA_FILE, log_file_path};
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

    /// What must be synced for the present end of the log to be durable.
    pub(crate) fn take_sync_ticket(&self) -> Result<SyncTicket, StorageError> {
        // Whoever appends from now on schedules again.
        self.sync_is_scheduled.store(false, Ordering::Release);
        let state = self.state.lock();
        let mut ticket = SyncTicket {
            end_offset: self.log_end_offset(),
            truncations: self.truncations.load(Ordering::Acquire),
            files: Vec::new(),
            directories: Vec::new(),
        };
        if state.is_closed {
            return Ok(ticket);
        }
        for segment in self.segments().iter().rev() {
            if segment.take_unsynced(LogFileKind::Log) {
                let path = segment.path(&self.place, LogFileKind::Log);
                let file = segment.file(&self.place, LogFileKind::Log);
                ticket
                    .files
                    .push((path.clone(), file.map_err(|error| StorageError::io("open", &path, error))?));
            } else if segment.next_offset() <= self.synced_end_offset() {
                break;
            }
        }
        if self.names_are_unsynced.swap(false, Ordering::AcqRel) {
            ticket.directories.push(self.place.path());
        }
        if self.parent_is_unsynced.swap(false, Ordering::AcqRel) {
            let path = self.place.path().join(PARTITION_METADATA_FILE);
            if let Ok(file) = self.directory().disk().open(&path, OpenMode::ReadWrite) {
                ticket.files.push((path, file));
            }
            ticket.directories.push(self.directory().path().to_owned());
        }
        Ok(ticket)
    }

    /// Publishes what a completed round has made durable.
    pub(crate) fn synced(&self, ticket: &SyncTicket) {
        let advanced = {
            let _state = self.state.lock();
            if self.truncations.load(Ordering::Acquire) != ticket.truncations {
                return;
            }
            self.synced_end_offset.fetch_max(ticket.end_offset, Ordering::AcqRel);
            self.durable_end_offset.fetch_max(ticket.end_offset, Ordering::AcqRel) < ticket.end_offset
        };
        if advanced {
            self.notify_observer();
        }
    }

    /// Schedules a sync if a page-cache log has waited for `flush.ms`.
    pub(crate) fn maybe_schedule_flush(self: &Arc<Self>, now_ms: i64) {
        let config = self.config();
        if config.klamm_durability == Durability::Synced || self.synced_end_offset() >= self.log_end_offset()
        {
            self.last_flush_ms.store(now_ms, Ordering::Relaxed);
        } else if now_ms.saturating_sub(self.last_flush_ms.load(Ordering::Relaxed)) >= config.flush_ms {
            self.last_flush_ms.store(now_ms, Ordering::Relaxed);
            self.schedule_sync();
        }
    }

    /// Makes deletions of segments durable, so that the log start offset they imply is. The flag stays set: only a
    /// round that takes it may count on names being synced.
    pub(crate) fn sync_deletions(&self) -> Result<(), StorageError> {
        if !self.names_are_unsynced.load(Ordering::Acquire) || self.is_closed() {
            return Ok(());
        }
        let path = self.place.path();
        let synced = self.directory().disk().sync_dir(&path);
        synced.map_err(|source| self.write_error("sync", &path, source))
    }

    /// Makes durable what recovery trusts below the recovery point (indexes and snapshots of ended segments, leader
    /// epochs), and returns that recovery point.
    pub(crate) fn prepare_recovery_point(&self) -> Result<i64, StorageError> {
        let recovery_point = self.synced_end_offset();
        let segments = self.segments();
        let ended = segments.len().saturating_sub(1);
        for segment in segments[..ended].iter().filter(|segment| segment.next_offset() <= recovery_point) {
            for kind in [LogFileKind::OffsetIndex, LogFileKind::TimeIndex, LogFileKind::TransactionIndex] {
                if !segment.take_unsynced(kind) {
                    continue;
                }
                let synced = segment.file(&self.place, kind).and_then(|file| file.sync_data());
                synced
                    .map_err(|source| self.write_error("sync", &segment.path(&self.place, kind), source))?;
            }
        }
        self.save_side_files()?;
        Ok(recovery_point)
    }

    /// Syncs producer snapshots and saves the leader epochs, where they have changed.
    pub(super) fn save_side_files(&self) -> Result<(), StorageError> {
        let (snapshots, epochs) = {
            let mut state = self.state.lock();
            if state.is_closed {
                return Ok(());
            }
            let epochs = state.epochs_are_unsaved.then(|| state.epochs.to_checkpoint());
            state.epochs_are_unsaved = false;
            (std::mem::take(&mut state.unsynced_snapshots), epochs)
        };
        let directory = self.place.path();
        let disk = self.directory().disk();
        for offset in snapshots {
            let path = log_file_path(&directory, offset, LogFileKind::ProducerSnapshot);
            match disk.open(&path, OpenMode::ReadWrite).and_then(|file| file.sync_data()) {
                Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                    return Err(self.write_error("sync", &path, source));
                }
                _ => {}
            }
        }
        if let Some(epochs) = epochs {
            let path = directory.join(LEADER_EPOCH_CHECKPOINT_FILE);
            checkpoint::write_text(disk, &path, &epochs).map_err(|error| self.directory().fail(error))?;
        }
        Ok(())
    }
}
