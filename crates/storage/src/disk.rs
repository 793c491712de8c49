//! The one seam through which every file of the project is reached: a real and a simulated side.
//!
//! Nothing above this module calls `std::fs`. Paths are whole paths; a write is durable only after `sync_data`
//! on its file, a name only after `sync_dir` on its directory. The simulated side takes both rules at their word.

mod real;
mod sim;

use std::fmt::Debug;
use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::Arc;

pub use real::RealDisk;
pub use sim::{CrashStyle, Fault, FaultedCall, SimDisk};

/// How many bytes one write call carries at most; larger single writes into a fresh page cache were measured to
/// cost several times more per byte.
pub const WRITE_BYTES_MAX: usize = 512 * 1024;

/// Slices one vectored write carries at most, well below the kernel's 1024.
const WRITE_SLICES_MAX: usize = 64;

/// How [`Disk::open`] treats a file that is or is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// Read only; absent is an error of kind `NotFound`.
    Read,
    /// Read and write; absent is an error of kind `NotFound`.
    ReadWrite,
    /// Read and write; created empty when absent.
    Create,
    /// Read and write; created when absent, cut to length 0 when present.
    Truncate,
}

/// One name in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryEntry {
    /// The last component; names that are not UTF-8 are not listed, because Kafka never creates one.
    pub name: String,
    /// Whether the name stands for a directory.
    pub is_directory: bool,
    /// Length in bytes; 0 for a directory.
    pub length: u64,
}

/// Bytes of a volume.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiskSpace {
    /// Size of the volume.
    pub total_bytes: u64,
    /// Bytes an unprivileged process can still write.
    pub usable_bytes: u64,
}

/// A held file lock; dropping it releases the lock.
pub trait DiskLock: Send + Sync + Debug {}

/// The volume that holds a directory, opened before anything is written to it: a write that fails in the background
/// is then reported by the next sync.
pub trait DiskVolume: Send + Sync + Debug {
    /// Makes everything on the volume durable, names and contents.
    fn sync(&self) -> io::Result<()>;
}

/// A file system as this project uses it.
pub trait Disk: Send + Sync + Debug {
    /// Creates `path` and its missing parents; present already is fine.
    fn create_dir_all(&self, path: &Path) -> io::Result<()>;
    /// Every entry of a directory, in name order.
    fn list(&self, path: &Path) -> io::Result<Vec<DirectoryEntry>>;
    /// What `path` is, or `None` when nothing is there.
    fn entry(&self, path: &Path) -> io::Result<Option<DirectoryEntry>>;
    /// Opens a file.
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>>;
    /// Renames a file or directory, replacing a file that is there.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    /// Removes a directory and everything below it.
    fn remove_dir_all(&self, path: &Path) -> io::Result<()>;
    /// Makes the names inside a directory durable.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
    /// Takes the exclusive lock that Java's `FileChannel.lock` takes on `path`, creating the file; `WouldBlock` when
    /// another holder has it.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>>;
    /// The volume that holds `path`.
    fn volume(&self, path: &Path) -> io::Result<Arc<dyn DiskVolume>>;
    /// Total and usable bytes of the volume that holds `path`.
    fn space(&self, path: &Path) -> io::Result<DiskSpace>;
}

/// An open file. Positions are explicit, so that handles are shared freely.
pub trait DiskFile: Send + Sync + Debug {
    /// Length in bytes.
    fn length(&self) -> io::Result<u64>;
    /// Reads at `position`, returning how many bytes came; 0 at the end of the file.
    fn read_at(&self, position: u64, into: &mut [u8]) -> io::Result<usize>;
    /// Whether reading this range now would wait for the device instead of being served from memory.
    fn read_would_block(&self, position: u64, length: usize) -> bool;
    /// One vectored write at `position`; may write less than asked, and returns how much.
    fn write_at(&self, position: u64, parts: &[IoSlice<'_>]) -> io::Result<usize>;
    /// Cuts or extends (with zeros) to `length`.
    fn set_length(&self, length: u64) -> io::Result<()>;
    /// Takes the space of the first `length` bytes; the length and what is read stay as they are where the file
    /// system can do that, otherwise the file grows by zeros.
    fn allocate(&self, length: u64) -> io::Result<()>;
    /// Makes contents and length durable.
    fn sync_data(&self) -> io::Result<()>;
    /// The operating system's file, for `sendfile`; `None` on a simulated disk.
    fn system_file(&self) -> Option<Arc<std::fs::File>>;
}

/// Whether a call failed because the volume, or the part of it that we may use, has no space left.
pub fn is_out_of_space(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// A write that did not complete.
#[derive(Debug)]
pub struct WriteFailure {
    /// Bytes that reached the file before the failure.
    pub written: u64,
    /// What the operating system said.
    pub source: io::Error,
}

/// Writes every byte of `parts` at `position`, in calls of at most [`WRITE_BYTES_MAX`].
pub fn write_all_at(file: &dyn DiskFile, position: u64, parts: &[&[u8]]) -> Result<(), WriteFailure> {
    let mut written = 0u64;
    let mut index = 0;
    let mut within = 0;
    while index < parts.len() {
        let mut slices = [IoSlice::new(&[]); WRITE_SLICES_MAX];
        let mut count = 0;
        let mut bytes = 0;
        let (mut next, mut skip) = (index, within);
        while next < parts.len() && count < WRITE_SLICES_MAX && bytes < WRITE_BYTES_MAX {
            let rest = &parts[next][skip..];
            let taken = rest.len().min(WRITE_BYTES_MAX - bytes);
            slices[count] = IoSlice::new(&rest[..taken]);
            bytes += taken;
            count += 1;
            next += 1;
            skip = 0;
        }
        if bytes == 0 {
            break;
        }
        let done = match file.write_at(position + written, &slices[..count]) {
            Ok(0) => return Err(WriteFailure { written, source: io::ErrorKind::WriteZero.into() }),
            Ok(done) => done,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(source) => return Err(WriteFailure { written, source }),
        };
        written += done as u64;
        let mut left = done;
        while left > 0 {
            let step = left.min(parts[index].len() - within);
            within += step;
            left -= step;
            if within == parts[index].len() {
                index += 1;
                within = 0;
            }
        }
        while index < parts.len() && parts[index].len() == within {
            index += 1;
            within = 0;
        }
    }
    Ok(())
}

/// Reads until `into` is full or the file ends; returns the bytes read.
pub fn read_full_at(file: &dyn DiskFile, position: u64, into: &mut [u8]) -> io::Result<usize> {
    let mut read = 0;
    while read < into.len() {
        match file.read_at(position + read as u64, &mut into[read..]) {
            Ok(0) => break,
            Ok(count) => read += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}

/// The whole of a small file; longer than `bytes_max` is an error, so that a damaged directory costs no memory.
pub fn read_small_file(disk: &dyn Disk, path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let file = disk.open(path, OpenMode::Read)?;
    let length = file.length()?;
    if length > bytes_max {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("{length} bytes, more than {bytes_max}"),
        ));
    }
    let mut bytes = vec![0; length as usize];
    let read = read_full_at(file.as_ref(), 0, &mut bytes)?;
    bytes.truncate(read);
    Ok(bytes)
}

/// Replaces a file in one step that a crash cannot tear: temporary file, sync, rename, and a sync of the directory
/// (`parent`) that makes the new name last.
pub fn replace_file(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".tmp");
    let temporary = Path::new(&temporary);
    let file = disk.open(temporary, OpenMode::Truncate)?;
    write_all_at(file.as_ref(), 0, &[bytes]).map_err(|failure| failure.source)?;
    file.sync_data()?;
    disk.rename(temporary, path)?;
    match path.parent() {
        Some(parent) => disk.sync_dir(parent),
        None => Ok(()),
    }
}
