//! The operating system's side of the disk seam.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, IoSlice};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use rustix::fs::{FallocateFlags, FlockOperation};
use rustix::io::{Errno, ReadWriteFlags};

use super::{
    DirectoryEntry, Disk, DiskFile, DiskLock, DiskSpace, DiskVolume, OpenMode, WRITE_BYTES_MAX, write_all_at,
};

/// Distance between probes of [`DiskFile::read_would_block`]: the kernel's usual read-ahead.
const PROBE_STRIDE: u64 = 128 * 1024;

/// Locks this process holds, by device and inode: the operating system's own lock does not see a second taker
/// inside one process.
static HELD_LOCKS: Mutex<Option<HashSet<(u64, u64)>>> = Mutex::new(None);

/// The file system of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

#[derive(Debug)]
struct RealFile(Arc<File>);

#[derive(Debug)]
struct RealLock {
    file: File,
    identity: (u64, u64),
}

impl DiskLock for RealLock {}

#[derive(Debug)]
struct RealVolume(File);

impl DiskVolume for RealVolume {
    fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::syncfs(&self.0)?)
    }
}

impl Drop for RealLock {
    fn drop(&mut self) {
        if let Some(held) = HELD_LOCKS.lock().as_mut() {
            held.remove(&self.identity);
        }
        // Closing the file releases the lock even if this call fails.
        let _ = rustix::fs::fcntl_lock(&self.file, FlockOperation::Unlock);
    }
}

impl Disk for RealDisk {
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<DirectoryEntry>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            match fs::metadata(entry.path()) {
                Ok(metadata) => entries.push(describe(name, &metadata)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        entries.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(entries)
    }

    fn entry(&self, path: &Path) -> io::Result<Option<DirectoryEntry>> {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        match fs::metadata(path) {
            Ok(metadata) => Ok(Some(describe(name, &metadata))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        let mut options = File::options();
        options.read(true).write(mode != OpenMode::Read);
        options.create(matches!(mode, OpenMode::Create | OpenMode::Truncate));
        options.truncate(mode == OpenMode::Truncate);
        Ok(Arc::new(RealFile(Arc::new(options.open(path)?))))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir_all(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>> {
        let mut held = HELD_LOCKS.lock();
        let held = held.get_or_insert_default();
        // Opening and closing a file this process has locked would drop the lock, so identity is asked first.
        if let Ok(metadata) = fs::metadata(path)
            && held.contains(&(metadata.dev(), metadata.ino()))
        {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let file = File::options().read(true).write(true).create(true).truncate(false).open(path)?;
        let metadata = file.metadata()?;
        let identity = (metadata.dev(), metadata.ino());
        match rustix::fs::fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::ACCESS | Errno::AGAIN) => return Err(io::ErrorKind::WouldBlock.into()),
            Err(errno) => return Err(errno.into()),
        }
        held.insert(identity);
        Ok(Box::new(RealLock { file, identity }))
    }

    fn volume(&self, path: &Path) -> io::Result<Arc<dyn DiskVolume>> {
        Ok(Arc::new(RealVolume(File::open(path)?)))
    }

    fn space(&self, path: &Path) -> io::Result<DiskSpace> {
        let volume = rustix::fs::statvfs(path)?;
        Ok(DiskSpace {
            total_bytes: volume.f_blocks.saturating_mul(volume.f_frsize),
            usable_bytes: volume.f_bavail.saturating_mul(volume.f_frsize),
        })
    }
}

impl DiskFile for RealFile {
    fn length(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read_at(&self, position: u64, into: &mut [u8]) -> io::Result<usize> {
        FileExt::read_at(self.0.as_ref(), into, position)
    }

    fn read_would_block(&self, position: u64, length: usize) -> bool {
        let end = position.saturating_add(length as u64);
        let mut at = position;
        while at < end {
            if probe_would_block(&self.0, at) {
                return true;
            }
            at = if end - at > PROBE_STRIDE { at + PROBE_STRIDE } else { end };
        }
        length > 1 && probe_would_block(&self.0, end - 1)
    }

    fn write_at(&self, position: u64, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        Ok(rustix::io::pwritev(self.0.as_ref(), parts, position)?)
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        match rustix::fs::fallocate(self.0.as_ref(), FallocateFlags::KEEP_SIZE, 0, length) {
            Err(Errno::OPNOTSUPP) => write_zeros(self, length),
            allocated => Ok(allocated?),
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn system_file(&self) -> Option<Arc<File>> {
        Some(Arc::clone(&self.0))
    }
}

/// Extends a file by zeros up to `length`, for file systems that cannot take space in advance.
fn write_zeros(file: &RealFile, length: u64) -> io::Result<()> {
    let zeros = vec![0; WRITE_BYTES_MAX];
    let mut position = file.length()?;
    while position < length {
        let step = (length - position).min(WRITE_BYTES_MAX as u64);
        write_all_at(file, position, &[&zeros[..step as usize]]).map_err(|failure| failure.source)?;
        position += step;
    }
    Ok(())
}

fn describe(name: String, metadata: &fs::Metadata) -> DirectoryEntry {
    let is_directory = metadata.is_dir();
    DirectoryEntry { name, is_directory, length: if is_directory { 0 } else { metadata.len() } }
}

/// File systems without the probe answer "not supported"; their reads count as ready.
fn probe_would_block(file: &File, position: u64) -> bool {
    let mut byte = [0];
    let mut into = [io::IoSliceMut::new(&mut byte)];
    matches!(rustix::io::preadv2(file, &mut into, position, ReadWriteFlags::NOWAIT), Err(Errno::AGAIN))
}
