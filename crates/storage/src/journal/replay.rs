//! After an unclean stop: what the journal holds goes back into the segments, before any log is opened.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::format::{BLOCK_BYTES, Entry, Half, read_half};
use crate::disk::{Disk, DiskFile, OpenMode, is_out_of_space, read_full_at, write_all_at};
use crate::error::StorageError;
use crate::file_names::{JOURNAL_FILE, LogFileKind, RESERVE_FILE, log_file_path};

/// More than any configuration makes it.
const JOURNAL_BYTES_MAX: u64 = 1 << 30;

/// Brings the pieces in a directory's journal into its segments, durably, and removes it.
///
/// A segment that is not there was deleted after its piece was written: nothing is created.
pub(crate) fn replay(disk: &dyn Disk, directory: &Path) -> Result<(), StorageError> {
    let path = directory.join(JOURNAL_FILE);
    let bytes = match read(disk, &path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(StorageError::io("read", &path, error)),
    };
    let (first, second) = bytes.split_at(bytes.len() / 2 / BLOCK_BYTES * BLOCK_BYTES);
    let mut halves = [read_half(first), read_half(second)];
    for (half, bytes) in halves.iter().zip([first, second]) {
        warn_of_damage(&path, half, bytes);
    }
    halves.sort_by_key(|half| half.generation);
    let mut segments = Segments { disk, directory, open: BTreeMap::new() };
    let mut count = 0;
    for entry in halves.iter().flat_map(|half| &half.entries) {
        segments.put_back(entry)?;
        count += 1;
    }
    if count > 0 {
        tracing::info!(
            directory = %directory.display(),
            entries = count,
            segments = segments.open.len(),
            "brought what was in the journal into the segments"
        );
    }
    segments.sync()?;
    disk.remove_file(&path).map_err(|error| StorageError::io("remove", &path, error))?;
    disk.sync_dir(directory).map_err(|error| StorageError::io("sync", directory, error))
}

fn read(disk: &dyn Disk, path: &Path) -> io::Result<Vec<u8>> {
    let file = disk.open(path, OpenMode::Read)?;
    let mut bytes = vec![0; file.length()?.min(JOURNAL_BYTES_MAX) as usize];
    let count = read_full_at(file.as_ref(), 0, &mut bytes)?;
    bytes.truncate(count);
    Ok(bytes)
}

fn warn_of_damage(path: &Path, half: &Half<'_>, bytes: &[u8]) {
    if half.is_damaged {
        tracing::error!(
            journal = %path.display(),
            whole_entries = half.entries.len(),
            "the journal is damaged: records that were acknowledged may be missing at the ends of logs"
        );
    } else if half.entries.is_empty() && bytes.iter().take(BLOCK_BYTES).any(|byte| *byte != 0) {
        tracing::warn!(journal = %path.display(), "half of the journal begins with a round that is not whole");
    }
}

struct Segments<'a> {
    disk: &'a dyn Disk,
    directory: &'a Path,
    open: BTreeMap<PathBuf, Option<Arc<dyn DiskFile>>>,
}

impl Segments<'_> {
    fn put_back(&mut self, entry: &Entry<'_>) -> Result<(), StorageError> {
        let name = Path::new(entry.directory);
        if name.components().count() != 1 || name.file_name() != Some(name.as_os_str()) {
            return Err(StorageError::damaged(
                &self.directory.join(JOURNAL_FILE),
                "an entry is not for a log of this directory",
            ));
        }
        let path = log_file_path(&self.directory.join(name), entry.base_offset, LogFileKind::Log);
        let failed = |error| StorageError::io("put back what the journal holds into", &path, error);
        if !self.open.contains_key(&path) {
            let file = match self.disk.open(&path, OpenMode::ReadWrite) {
                Ok(file) => Some(file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                Err(error) => return Err(failed(error)),
            };
            self.open.insert(path.clone(), file);
        }
        let Some(Some(file)) = self.open.get(&path) else { return Ok(()) };
        let length = file.length().map_err(failed)?;
        if length < u64::from(entry.position) {
            tracing::error!(
                segment = %path.display(),
                length,
                position = entry.position,
                "the segment ends before what the journal holds of it, which is left out"
            );
            return Ok(());
        }
        let write = || write_all_at(file.as_ref(), u64::from(entry.position), &[entry.bytes]);
        let written = match write() {
            // It is there for writes that must not fail.
            Err(failure) if is_out_of_space(&failure.source) => {
                let given_up = self.disk.remove_file(&self.directory.join(RESERVE_FILE));
                if given_up.is_ok() { write() } else { Err(failure) }
            }
            written => written,
        };
        written.map_err(|failure| failed(failure.source))
    }

    fn sync(&self) -> Result<(), StorageError> {
        for (path, file) in &self.open {
            if let Some(file) = file {
                file.sync_data().map_err(|error| StorageError::io("sync", path, error))?;
            }
        }
        Ok(())
    }
}
