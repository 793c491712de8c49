//! The disk of one log directory: a write that finds no space gets the reserve and is tried again, unless it is of
//! records, which can wait for space.

use std::io::{self, IoSlice};
use std::path::{Component, Path};
use std::sync::Arc;

use super::Reserve;
use crate::disk::{
    DirectoryEntry, Disk, DiskFile, DiskLock, DiskSpace, DiskVolume, OpenMode, is_out_of_space,
};
use crate::file_names::{CLUSTER_METADATA_TOPIC, partition_directory_name};

/// A disk whose smaller writes may use a reserve.
#[derive(Debug)]
pub(crate) struct ReservingDisk {
    behind: Arc<dyn Disk>,
    reserve: Arc<Reserve>,
}

#[derive(Debug)]
struct ReservingFile {
    behind: Arc<dyn DiskFile>,
    path: Box<Path>,
    reserve: Arc<Reserve>,
}

/// Whether a file holds what can be refused: records, also those that compaction copies.
fn holds_records(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let segment = [".log", ".log.swap", ".log.deleted", ".cleaned"];
    if !segment.iter().any(|suffix| name.ends_with(suffix)) {
        return false;
    }
    let metadata = partition_directory_name(CLUSTER_METADATA_TOPIC, 0);
    !path.components().any(|component| component == Component::Normal(metadata.as_ref()))
}

impl ReservingDisk {
    pub(crate) fn new(behind: Arc<dyn Disk>, reserve: Arc<Reserve>) -> ReservingDisk {
        ReservingDisk { behind, reserve }
    }

    fn with_reserve<T>(&self, path: &Path, attempt: impl Fn() -> io::Result<T>) -> io::Result<T> {
        match attempt() {
            Err(error) if is_out_of_space(&error) && !holds_records(path) && self.reserve.give_up(path) => {
                attempt()
            }
            result => result,
        }
    }
}

impl Disk for ReservingDisk {
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.with_reserve(path, || self.behind.create_dir_all(path))
    }

    fn list(&self, path: &Path) -> io::Result<Vec<DirectoryEntry>> {
        self.behind.list(path)
    }

    fn entry(&self, path: &Path) -> io::Result<Option<DirectoryEntry>> {
        self.behind.entry(path)
    }

    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        let behind = self.with_reserve(path, || self.behind.open(path, mode))?;
        if mode == OpenMode::Read || holds_records(path) {
            return Ok(behind);
        }
        Ok(Arc::new(ReservingFile { behind, path: path.into(), reserve: Arc::clone(&self.reserve) }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        // A longer name may need room in its directory; records are not written by it.
        match self.behind.rename(from, to) {
            Err(error) if is_out_of_space(&error) && self.reserve.give_up(to) => self.behind.rename(from, to),
            result => result,
        }
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.behind.remove_file(path)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        self.behind.remove_dir_all(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.behind.sync_dir(path)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>> {
        self.behind.lock(path)
    }

    fn volume(&self, path: &Path) -> io::Result<Arc<dyn DiskVolume>> {
        self.behind.volume(path)
    }

    fn space(&self, path: &Path) -> io::Result<DiskSpace> {
        self.behind.space(path)
    }
}

impl DiskFile for ReservingFile {
    fn length(&self) -> io::Result<u64> {
        self.behind.length()
    }

    fn read_at(&self, position: u64, into: &mut [u8]) -> io::Result<usize> {
        self.behind.read_at(position, into)
    }

    fn read_would_block(&self, position: u64, length: usize) -> bool {
        self.behind.read_would_block(position, length)
    }

    fn write_at(&self, position: u64, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        match self.behind.write_at(position, parts) {
            Err(error) if is_out_of_space(&error) && self.reserve.give_up(&self.path) => {
                self.behind.write_at(position, parts)
            }
            result => result,
        }
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.behind.set_length(length)
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        self.behind.allocate(length)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.behind.sync_data()
    }

    fn system_file(&self) -> Option<Arc<std::fs::File>> {
        self.behind.system_file()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_wait_for_space_and_the_rest_may_use_the_reserve() {
        for name in
            ["t-0/00000000000000000000.log", "t-0/0.log.cleaned", "t-0/0.index.cleaned", "t-0/0.log.swap"]
        {
            assert!(holds_records(&Path::new("/data").join(name)), "{name}");
        }
        for name in [
            "t-0/0.index",
            "t.log-0/0.snapshot",
            "meta.properties.tmp",
            "__cluster_metadata-0/0.log",
            "t.log-0",
        ] {
            assert!(!holds_records(&Path::new("/data").join(name)), "{name}");
        }
    }
}
