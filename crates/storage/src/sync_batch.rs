//! Several files made durable together: segments through the journal, other files one by one while they are few and by one
//! sync of the volume when they are many.
//!
//! A sync of the volume is one journal commit however many files are dirty: thousands of files in the time of some
//! dozen single syncs. It also writes what others have dirtied there, so few files do not pay for it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::{DiskFile, OpenMode, write_all_at};
use crate::error::StorageError;
use crate::file_names::LogFileKind;
use crate::journal::{JOURNAL_FILES_MIN, SegmentSync};
use crate::log_directory::LogDirectory;

/// From here on the volume is synced as a whole.
const VOLUME_SYNC_FILES_MIN: usize = 48;

/// What is to be durable when [`SyncBatch::commit`] returns.
#[derive(Default)]
pub(crate) struct SyncBatch {
    segments: Vec<SegmentSync>,
    count: usize,
    files: Vec<(PathBuf, Arc<dyn DiskFile>)>,
    directories: Vec<PathBuf>,
    /// Complete new contents under their temporary names, and the names they get.
    replacements: Vec<(PathBuf, PathBuf)>,
}

impl SyncBatch {
    /// Adds a file with unsynced content. Handles are kept only while single syncs are still likely.
    pub(crate) fn add_file(
        &mut self,
        path: PathBuf,
        open: impl FnOnce() -> io::Result<Arc<dyn DiskFile>>,
    ) -> Result<(), StorageError> {
        self.count += 1;
        if self.is_whole_volume() {
            self.files = Vec::new();
            return Ok(());
        }
        let file = open().map_err(|error| StorageError::io("open", &path, error))?;
        self.files.push((path, file));
        Ok(())
    }

    /// Adds a segment with content that is not durable.
    pub(crate) fn add_segment(&mut self, segment: SegmentSync) {
        self.segments.push(segment);
    }

    /// Adds a directory with unsynced names.
    pub(crate) fn add_directory(&mut self, path: PathBuf) {
        self.directories.push(path);
    }

    /// Writes new contents of a file aside; the commit puts them in place in one step that a crash cannot tear.
    pub(crate) fn add_replacement(
        &mut self,
        directory: &LogDirectory,
        path: PathBuf,
        bytes: &[u8],
    ) -> Result<(), StorageError> {
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(".tmp");
        let temporary = PathBuf::from(temporary);
        let written = directory.disk().open(&temporary, OpenMode::Truncate).and_then(|file| {
            write_all_at(file.as_ref(), 0, &[bytes]).map_err(|failure| failure.source)?;
            Ok(file)
        });
        let file = written
            .map_err(|source| directory.fail_unless_full(StorageError::io("write", &temporary, source)))?;
        self.add_file(temporary.clone(), || Ok(file))?;
        self.directories.extend(path.parent().map(Path::to_owned));
        self.replacements.push((temporary, path));
        Ok(())
    }

    /// Makes it so. Any failure takes the directory offline.
    pub(crate) fn commit(mut self, directory: &LogDirectory) -> Result<(), StorageError> {
        directory.check_online()?;
        let segments = std::mem::take(&mut self.segments);
        let has_many_names = self.count + self.directories.len() >= VOLUME_SYNC_FILES_MIN;
        let may_be_journaled = segments.len() >= JOURNAL_FILES_MIN && !has_many_names;
        if !may_be_journaled || !directory.journal().write(directory, &segments)? {
            self.add_segment_files(directory, segments)?;
        }
        let is_whole_volume = self.is_whole_volume() || has_many_names;
        if is_whole_volume {
            self.files.clear();
            sync_volume(directory)?;
        }
        for (path, file) in &self.files {
            file.sync_data().map_err(|source| fail(directory, "sync", path, source))?;
        }
        for (temporary, path) in &self.replacements {
            let renamed = directory.disk().rename(temporary, path);
            renamed.map_err(|source| fail(directory, "rename", temporary, source))?;
        }
        if is_whole_volume && self.replacements.is_empty() {
            return Ok(());
        }
        if is_whole_volume {
            return sync_volume(directory);
        }
        // Children before their parents: a name must not outlive what it stands for.
        self.directories.sort_by(|left, right| {
            right.components().count().cmp(&left.components().count()).then(left.cmp(right))
        });
        self.directories.dedup();
        for path in &self.directories {
            directory.disk().sync_dir(path).map_err(|source| fail(directory, "sync", path, source))?;
        }
        Ok(())
    }

    fn add_segment_files(
        &mut self,
        directory: &LogDirectory,
        segments: Vec<SegmentSync>,
    ) -> Result<(), StorageError> {
        for piece in segments {
            // Whatever is written after this is due again.
            piece.segment.take_unsynced(LogFileKind::Log);
            match self.add_file(piece.path(), || piece.file()) {
                // Deleted since.
                Err(_) if piece.segment.is_discarded() => {}
                added => added.map_err(|error| directory.fail(error))?,
            }
        }
        Ok(())
    }

    fn is_whole_volume(&self) -> bool {
        self.count >= VOLUME_SYNC_FILES_MIN
    }
}

fn sync_volume(directory: &LogDirectory) -> Result<(), StorageError> {
    directory.volume_sync().map_err(|source| fail(directory, "sync the volume of", directory.path(), source))
}

fn fail(directory: &LogDirectory, action: &'static str, path: &Path, source: io::Error) -> StorageError {
    directory.fail(StorageError::io(action, path, source))
}
