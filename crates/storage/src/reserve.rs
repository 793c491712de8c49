//! Space that a log directory keeps for itself, so that a full disk never leaves a log that cannot be opened.
//!
//! A file holds blocks that nothing is written to. When the disk is full, appends are refused from then on and the
//! file goes: what it held is left for indexes, snapshots, checkpoints, the metadata log and the mark of a clean stop.
//! Appends go on by themselves once the file has its blocks again and as much space is free beside it.

mod reserving_disk;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

pub(crate) use self::reserving_disk::ReservingDisk;
use crate::disk::{Disk, OpenMode};
use crate::error::StorageError;
use crate::file_names::RESERVE_FILE;

/// Shows whether there is space beside the reserve, and goes at once.
const PROBE_FILE: &str = ".klamm-reserve.tmp";
/// Checkpoints of 100,000 partitions take a third of it.
const RESERVE_BYTES_MAX: u64 = 32 * 1024 * 1024;
/// A small volume gives this part of itself.
const RESERVE_ONE_IN: u64 = 64;

/// The reserve of one log directory.
#[derive(Debug)]
pub(crate) struct Reserve {
    disk: Arc<dyn Disk>,
    directory: PathBuf,
    /// Whether appends are refused.
    is_full: AtomicBool,
    /// Whether the file has its blocks.
    is_held: Mutex<bool>,
}

impl Reserve {
    /// Nothing is taken before the first [`Reserve::maintain`].
    pub(crate) fn new(disk: Arc<dyn Disk>, directory: PathBuf) -> Reserve {
        Reserve { disk, directory, is_full: AtomicBool::new(false), is_held: Mutex::new(false) }
    }

    /// An error while appends are refused.
    pub(crate) fn check_space(&self) -> Result<(), StorageError> {
        if self.is_full.load(Ordering::Relaxed) {
            return Err(StorageError::Full { path: self.directory.clone() });
        }
        Ok(())
    }

    /// Refuses appends from now on, and says so once: `what` did not fit.
    pub(crate) fn note_full(&self, what: &dyn std::fmt::Display) {
        if self.is_full.swap(true, Ordering::Relaxed) {
            return;
        }
        tracing::error!(
            directory = %self.directory.display(),
            %what,
            "log directory is full: appends are refused with KAFKA_STORAGE_ERROR until space returns, reads go on; \
             delete topics or records, shorten retention, or enlarge the volume"
        );
    }

    /// Gives the space back for a write to `path` that must not fail; false if nothing was left to give.
    fn give_up(&self, path: &Path) -> bool {
        let mut is_held = self.is_held.lock();
        self.note_full(&path.display());
        *is_held && {
            *is_held = false;
            self.remove(RESERVE_FILE)
        }
    }

    /// Takes the reserve where it is not held, and ends the refusal of appends once there is space.
    pub(crate) fn maintain(&self) {
        let mut is_held = self.is_held.lock();
        let is_full = self.is_full.load(Ordering::Relaxed);
        if *is_held && !is_full {
            return;
        }
        let Ok(space) = self.disk.space(&self.directory) else { return };
        let size = (space.total_bytes / RESERVE_ONE_IN).min(RESERVE_BYTES_MAX);
        if is_full && space.usable_bytes < size {
            return;
        }
        if !*is_held {
            self.remove(PROBE_FILE);
            match self.take(RESERVE_FILE, size) {
                Ok(()) => *is_held = true,
                Err(error) if crate::disk::is_out_of_space(&error) => {
                    self.remove(RESERVE_FILE);
                    return self.note_full(&"the reserve of the log directory");
                }
                Err(error) => {
                    tracing::debug!(directory = %self.directory.display(), %error, "cannot reserve space");
                }
            }
        }
        if is_full {
            // Space that a quota withholds counts as free, so it is asked for.
            let is_free = self.take(PROBE_FILE, size).is_ok();
            if self.remove(PROBE_FILE) && is_free {
                self.is_full.store(false, Ordering::Relaxed);
                tracing::info!(directory = %self.directory.display(), "log directory has space again");
            }
        }
    }

    fn take(&self, name: &str, size: u64) -> io::Result<()> {
        let file = self.disk.open(&self.directory.join(name), OpenMode::Create)?;
        if size == 0 { Ok(()) } else { file.allocate(size) }
    }

    fn remove(&self, name: &str) -> bool {
        match self.disk.remove_file(&self.directory.join(name)) {
            Ok(()) => true,
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        }
    }
}
