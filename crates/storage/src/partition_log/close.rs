//! The end of a log's use: a clean stop, or deletion.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::PartitionLog;
use crate::error::StorageError;
use crate::file_names::{LogFileKind, deleting_directory_name, stray_directory_name};
use crate::sync_batch::SyncBatch;

impl PartitionLog {
    /// Ends appends, writes what the next start will trust after a clean stop, and adds it to what is to be synced.
    pub(crate) fn prepare_close(self: &Arc<Self>, batch: &mut SyncBatch) -> Result<(), StorageError> {
        let _upkeep = self.upkeep.lock();
        let mut state = self.state.lock();
        let is_new = self.names_are_unsynced.load(Ordering::Acquire)
            || self.parent_is_unsynced.load(Ordering::Acquire);
        let is_due = state.is_changed || is_new || self.synced_end_offset() < self.log_end_offset();
        if std::mem::replace(&mut state.is_closed, true) || !is_due || !self.is_on_disk() {
            return Ok(());
        }
        let log_end_offset = self.log_end_offset();
        for segment in self.segments().iter() {
            if segment.next_offset() == log_end_offset && segment.size() > 0 {
                segment.finish_indexes(&self.place).map_err(|source| {
                    self.write_error("write", &segment.path(&self.place, LogFileKind::OffsetIndex), source)
                })?;
            }
            for kind in LogFileKind::OF_SEGMENT {
                if segment.take_unsynced(kind) {
                    batch.add_file(segment.path(&self.place, kind), || segment.file(&self.place, kind))?;
                }
            }
        }
        if self.active_segment().is_some() && log_end_offset > self.log_start_offset() {
            self.take_producer_snapshot(&mut state, log_end_offset)?;
        }
        let (snapshots, epochs) = state.take_side_files();
        drop(state);
        self.add_taken_side_files(batch, &snapshots, epochs.as_deref())?;
        // Index files may have been created without anything to write to them.
        self.names_are_unsynced.store(true, Ordering::Release);
        self.add_names(batch)
    }

    /// Everything that [`PartitionLog::prepare_close`] has added is durable.
    pub(crate) fn closed(&self) {
        let log_end_offset = self.log_end_offset();
        self.synced_end_offset.store(log_end_offset, Ordering::Release);
        self.durable_end_offset.store(log_end_offset, Ordering::Release);
        self.release_files();
    }

    /// Ends every use of the log and renames its directory; the files go after `delay_ms`. `unique` tells several
    /// deletions of one name apart.
    pub(crate) fn delete(&self, unique: u128, now_ms: i64, delay_ms: i64) -> Result<(), StorageError> {
        let renamed = self.end_as(deleting_directory_name(&self.topic, self.partition, unique))?;
        self.directory().delete_later(renamed, true, now_ms.saturating_add(delay_ms));
        Ok(())
    }

    /// Ends every use of the log and keeps its files under another name, which is returned.
    pub(crate) fn set_aside(&self, unique: u128) -> Result<PathBuf, StorageError> {
        self.end_as(stray_directory_name(&self.topic, self.partition, unique))
    }

    fn end_as(&self, name: String) -> Result<PathBuf, StorageError> {
        let _upkeep = self.upkeep.lock();
        let directory = self.directory();
        // Whoever writes recovery points renames files in the directory of every log.
        let _points = directory.recovery_points_turn();
        self.state.lock().is_closed = true;
        let _between_rounds = self.retire_from_journal()?;
        let (from, to) = (self.place.path(), directory.path().join(&name));
        directory.check_online()?;
        if self.is_on_disk() {
            let disk = directory.disk();
            let renamed = disk.rename(&from, &to).and_then(|()| disk.sync_dir(directory.path()));
            renamed.map_err(|source| self.write_error("rename", &from, source))?;
        }
        self.place.renamed(name);
        self.release_files();
        Ok(to)
    }

    fn release_files(&self) {
        for segment in self.segments().iter() {
            segment.close_files();
        }
    }

    /// Whether the log takes no more appends.
    pub fn is_closed(&self) -> bool {
        self.state.lock().is_closed
    }

    /// Keeps the files of a segment that cannot be part of the log aside, for people to look at.
    pub(super) fn quarantine_segment(&self, segment: &crate::segment::Segment) -> Result<(), StorageError> {
        segment.discard();
        for kind in LogFileKind::OF_SEGMENT {
            let path = segment.path(&self.place, kind);
            let mut aside = path.as_os_str().to_owned();
            aside.push(crate::file_names::QUARANTINED_SUFFIX);
            match self.directory().disk().rename(&path, Path::new(&aside)) {
                Ok(()) if kind == LogFileKind::Log => tracing::error!(
                    segment = %path.display(),
                    "a segment is kept aside, its records are not served"
                ),
                Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                    return Err(self.write_error("rename", &path, source));
                }
                _ => {}
            }
        }
        self.names_are_unsynced.store(true, Ordering::Release);
        Ok(())
    }

    /// Removes the files of a segment that is no longer part of the log: renamed at once, gone after
    /// `file.delete.delay.ms`. The oldest go first when the start moves, the newest first when the end does.
    pub(super) fn discard_segment(
        &self,
        segment: &crate::segment::Segment,
        now_ms: i64,
    ) -> Result<(), StorageError> {
        let directory = self.directory();
        let due_ms = now_ms.saturating_add(self.config().file_delete_delay_ms);
        segment.discard();
        for kind in LogFileKind::OF_SEGMENT {
            let path = segment.path(&self.place, kind);
            let mut renamed = path.as_os_str().to_owned();
            renamed.push(crate::file_names::DELETED_SUFFIX);
            let renamed = std::path::PathBuf::from(renamed);
            match directory.disk().rename(&path, &renamed) {
                Ok(()) => directory.delete_later(renamed, false, due_ms),
                Err(source) if source.kind() == std::io::ErrorKind::NotFound => {}
                Err(source) => return Err(self.write_error("rename", &path, source)),
            }
        }
        self.names_are_unsynced.store(true, Ordering::Release);
        Ok(())
    }
}
