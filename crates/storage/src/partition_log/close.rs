//! The end of a log's use: a clean stop, or deletion.

use std::path::PathBuf;
use std::sync::Arc;

use super::PartitionLog;
use crate::error::StorageError;
use crate::file_names::{LogFileKind, deleting_directory_name, stray_directory_name};

impl PartitionLog {
    /// Brings everything to disk that the next start will trust after a clean stop, and ends appends.
    pub(crate) fn close_cleanly(self: &Arc<Self>) -> Result<(), StorageError> {
        self.flush()?;
        let mut state = self.state.lock();
        if state.is_closed || !state.is_changed {
            state.is_closed = true;
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
                    let synced = segment.file(&self.place, kind).and_then(|file| file.sync_data());
                    synced.map_err(|source| {
                        self.write_error("sync", &segment.path(&self.place, kind), source)
                    })?;
                }
            }
        }
        if self.active_segment().is_some() && log_end_offset > self.log_start_offset() {
            self.take_producer_snapshot(&mut state, log_end_offset)?;
        }
        drop(state);
        self.save_side_files()?;
        let path = self.place.path();
        if self.names_are_unsynced.swap(false, std::sync::atomic::Ordering::AcqRel) {
            let synced = self.directory().disk().sync_dir(&path);
            synced.map_err(|source| self.write_error("sync", &path, source))?;
        }
        self.state.lock().is_closed = true;
        self.release_files();
        Ok(())
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
        self.state.lock().is_closed = true;
        let directory = self.directory();
        let _turn = directory.sync_queue.between_rounds();
        let (from, to) = (self.place.path(), directory.path().join(&name));
        directory.check_online()?;
        let renamed =
            directory.disk().rename(&from, &to).and_then(|()| directory.disk().sync_dir(directory.path()));
        renamed.map_err(|source| self.write_error("rename", &from, source))?;
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

    /// Removes the files of a segment that is no longer part of the log: renamed at once, gone after
    /// `file.delete.delay.ms`. The oldest go first when the start moves, the newest first when the end does.
    pub(super) fn discard_segment(
        &self,
        segment: &crate::segment::Segment,
        now_ms: i64,
    ) -> Result<(), StorageError> {
        let directory = self.directory();
        let due_ms = now_ms.saturating_add(self.config().file_delete_delay_ms);
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
        segment.close_files();
        self.names_are_unsynced.store(true, std::sync::atomic::Ordering::Release);
        Ok(())
    }
}
