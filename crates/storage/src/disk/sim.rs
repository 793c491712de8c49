//! The simulated side of the disk seam: a file system in memory that can lose power.
//!
//! A file keeps what was synced apart from what was only written, a directory likewise its names. `crash_image`
//! builds the disk a machine would find after a power cut: synced state always, unsynced writes kept, dropped or
//! torn, unsynced directory changes kept up to some point in their order (as a journalling file system does).

mod fault;
mod inode;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{self, IoSlice};
use std::path::{Component, Path};
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

use self::fault::Faults;
use self::inode::{Directory, DirectoryChange, FileChange, FileContent, Inode};
use super::{DirectoryEntry, Disk, DiskFile, DiskLock, DiskSpace, DiskVolume, OpenMode};

pub use self::fault::{Fault, FaultedCall};

/// What a power cut does to everything that was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrashStyle {
    /// The lucky case: all of it survives.
    KeepAll,
    /// None of it survives.
    DropAll,
    /// Each write is kept, dropped, or torn, and each directory keeps its changes up to some point, by a generator
    /// started from this seed.
    Seeded(u64),
}

/// A file system in memory; clones share it.
#[derive(Clone, Debug)]
pub struct SimDisk {
    state: Arc<Mutex<SimState>>,
}

#[derive(Debug)]
struct SimState {
    inodes: BTreeMap<u64, Inode>,
    next_inode: u64,
    locked: Vec<u64>,
    faults: Faults,
    /// Bytes that fit, if that is bounded.
    capacity: Option<u64>,
}

#[derive(Debug)]
struct SimFile {
    state: Arc<Mutex<SimState>>,
    inode: u64,
    path: String,
}

#[derive(Debug)]
struct SimLock {
    state: Arc<Mutex<SimState>>,
    inode: u64,
}

impl DiskLock for SimLock {}

#[derive(Debug)]
struct SimVolume {
    state: Arc<Mutex<SimState>>,
    path: String,
}

impl DiskVolume for SimVolume {
    fn sync(&self) -> io::Result<()> {
        let mut state = self.state.lock();
        state.faults.strike(FaultedCall::Sync, &self.path)?;
        for inode in state.inodes.values_mut() {
            match inode {
                Inode::File(file) => file.sync(),
                Inode::Directory(directory) => directory.sync(),
            }
        }
        Ok(())
    }
}

impl Drop for SimLock {
    fn drop(&mut self) {
        let mut state = self.state.lock();
        state.locked.retain(|inode| *inode != self.inode);
    }
}

const ROOT: u64 = 0;

/// Pretended size of the simulated volume.
const VOLUME_BYTES: u64 = 1 << 40;

impl Default for SimDisk {
    fn default() -> Self {
        SimDisk::new()
    }
}

impl SimDisk {
    /// An empty disk with a root directory.
    pub fn new() -> SimDisk {
        let inodes = BTreeMap::from([(ROOT, Inode::Directory(Directory::default()))]);
        SimDisk::with(SimState {
            inodes,
            next_inode: 1,
            locked: Vec::new(),
            faults: Faults::default(),
            capacity: None,
        })
    }

    fn with(state: SimState) -> SimDisk {
        SimDisk { state: Arc::new(Mutex::new(state)) }
    }

    /// Adds a fault; faults are tried in the order they were added and each strikes once.
    pub fn inject(&self, fault: Fault) {
        self.state.lock().faults.add(fault);
    }

    /// Bounds the bytes of all files together: a write beyond that is short, and one without any room fails with
    /// `ENOSPC`. `None` lifts the bound.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.state.lock().capacity = bytes;
    }

    /// Bytes of all files that have a name.
    pub fn used(&self) -> u64 {
        self.state.lock().used(ROOT)
    }

    /// How many calls that change the disk were made so far (writes, syncs, names).
    pub fn operations(&self) -> u64 {
        self.state.lock().faults.operations()
    }

    /// From change number `operation` on (counted from 0, as [`SimDisk::operations`] counts) every call fails: the
    /// machine has lost power.
    pub fn power_off_at(&self, operation: u64) {
        self.state.lock().faults.power_off_at(operation);
    }

    /// The disk found after a power cut now. This disk stays as it is, so that many images can be taken of it.
    pub fn crash_image(&self, style: CrashStyle) -> SimDisk {
        let mut choices = inode::Choices::new(style);
        let state = self.state.lock();
        let inodes = state.inodes.iter().map(|(id, inode)| (*id, inode.after_crash(&mut choices))).collect();
        let (next_inode, capacity) = (state.next_inode, state.capacity);
        let (locked, faults) = (Vec::new(), Faults::default());
        SimDisk::with(SimState { inodes, next_inode, locked, faults, capacity })
    }

    /// Overwrites bytes of a file as damage on the medium would: durable at once, past every check.
    pub fn damage(&self, path: &Path, position: u64, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.state.lock();
        let inode = state.find(path)?;
        state.file_mut(inode)?.damage(position, bytes);
        Ok(())
    }
}

impl SimState {
    fn find(&self, path: &Path) -> io::Result<u64> {
        let mut at = ROOT;
        for component in path.components() {
            if let Component::Normal(name) = component {
                at = self.directory(at)?.lookup(text(name)?).ok_or(io::ErrorKind::NotFound)?;
            }
        }
        Ok(at)
    }

    fn parent_and_name<'a>(&self, path: &'a Path) -> io::Result<(u64, &'a str)> {
        let name = text(path.file_name().ok_or(io::ErrorKind::InvalidInput)?)?;
        Ok((self.find(path.parent().unwrap_or(Path::new("")))?, name))
    }

    fn directory(&self, inode: u64) -> io::Result<&Directory> {
        match self.inodes.get(&inode) {
            Some(Inode::Directory(directory)) => Ok(directory),
            Some(Inode::File(_)) => Err(io::ErrorKind::NotADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn directory_mut(&mut self, inode: u64) -> io::Result<&mut Directory> {
        match self.inodes.get_mut(&inode) {
            Some(Inode::Directory(directory)) => Ok(directory),
            Some(Inode::File(_)) => Err(io::ErrorKind::NotADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn file(&self, inode: u64) -> io::Result<&FileContent> {
        match self.inodes.get(&inode) {
            Some(Inode::File(file)) => Ok(file),
            Some(Inode::Directory(_)) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn file_mut(&mut self, inode: u64) -> io::Result<&mut FileContent> {
        match self.inodes.get_mut(&inode) {
            Some(Inode::File(file)) => Ok(file),
            Some(Inode::Directory(_)) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// Bytes of the files at and below an inode.
    fn used(&self, inode: u64) -> u64 {
        match self.inodes.get(&inode) {
            Some(Inode::File(file)) => file.occupied(),
            Some(Inode::Directory(directory)) => {
                directory.names().values().map(|inode| self.used(*inode)).sum()
            }
            None => 0,
        }
    }

    /// How far a file may grow, up to the end offset `wanted`.
    fn room_up_to(&self, inode: u64, wanted: u64) -> io::Result<u64> {
        let occupied = self.file(inode)?.occupied();
        let Some(capacity) = self.capacity.filter(|_| wanted > occupied) else { return Ok(wanted) };
        Ok(wanted.min(occupied + capacity.saturating_sub(self.used(ROOT))))
    }

    fn add_inode(&mut self, inode: Inode) -> u64 {
        let id = self.next_inode;
        self.next_inode += 1;
        self.inodes.insert(id, inode);
        id
    }

    fn describe(&self, name: &str, inode: u64) -> Option<DirectoryEntry> {
        let (is_directory, length) = match self.inodes.get(&inode)? {
            Inode::Directory(_) => (true, 0),
            Inode::File(file) => (false, file.bytes().len() as u64),
        };
        Some(DirectoryEntry { name: name.to_owned(), is_directory, length })
    }
}

impl Disk for SimDisk {
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        let mut at = ROOT;
        for component in path.components() {
            let Component::Normal(name) = component else { continue };
            let name = text(name)?;
            at = match state.directory(at)?.lookup(name) {
                Some(inode) => inode,
                None => {
                    state.faults.strike(FaultedCall::Create, &path.to_string_lossy())?;
                    let inode = state.add_inode(Inode::Directory(Directory::default()));
                    let link = DirectoryChange::Link { name: name.to_owned(), inode };
                    state.directory_mut(at)?.change(link);
                    inode
                }
            };
        }
        state.directory(at).map(|_| ())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<DirectoryEntry>> {
        let state = self.state.lock();
        let names = state.directory(state.find(path)?)?.names();
        Ok(names.iter().filter_map(|(name, inode)| state.describe(name, *inode)).collect())
    }

    fn entry(&self, path: &Path) -> io::Result<Option<DirectoryEntry>> {
        let state = self.state.lock();
        let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        match state.find(path) {
            Ok(inode) => Ok(state.describe(&name, inode)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.state.lock();
        let (parent, name) = state.parent_and_name(path)?;
        let shown = path.to_string_lossy().into_owned();
        let inode = match state.directory(parent)?.lookup(name) {
            Some(inode) => inode,
            None if matches!(mode, OpenMode::Create | OpenMode::Truncate) => {
                state.faults.strike(FaultedCall::Create, &shown)?;
                let inode = state.add_inode(Inode::File(FileContent::default()));
                let link = DirectoryChange::Link { name: name.to_owned(), inode };
                state.directory_mut(parent)?.change(link);
                inode
            }
            None => return Err(io::ErrorKind::NotFound.into()),
        };
        if mode == OpenMode::Truncate && !state.file(inode)?.bytes().is_empty() {
            state.faults.strike(FaultedCall::Write, &shown)?;
            state.file_mut(inode)?.change(FileChange::Length(0));
        }
        state.file(inode)?;
        Ok(Arc::new(SimFile { state: Arc::clone(&self.state), inode, path: shown }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        let (from_parent, from_name) = state.parent_and_name(from)?;
        let (to_parent, to_name) = state.parent_and_name(to)?;
        let inode = state.directory(from_parent)?.lookup(from_name).ok_or(io::ErrorKind::NotFound)?;
        state.faults.strike(FaultedCall::Rename, &from.to_string_lossy())?;
        let (from_name, to_name) = (from_name.to_owned(), to_name.to_owned());
        if from_parent == to_parent {
            let rename = DirectoryChange::Rename { from: from_name, to: to_name, inode };
            state.directory_mut(from_parent)?.change(rename);
        } else {
            state.directory_mut(to_parent)?.change(DirectoryChange::Link { name: to_name, inode });
            state.directory_mut(from_parent)?.change(DirectoryChange::Unlink { name: from_name });
        }
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        let (parent, name) = state.parent_and_name(path)?;
        let inode = state.directory(parent)?.lookup(name).ok_or(io::ErrorKind::NotFound)?;
        state.file(inode)?;
        state.faults.strike(FaultedCall::Remove, &path.to_string_lossy())?;
        let name = name.to_owned();
        state.directory_mut(parent)?.change(DirectoryChange::Unlink { name });
        Ok(())
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        for entry in self.list(path)? {
            let child = path.join(&entry.name);
            if entry.is_directory {
                self.remove_dir_all(&child)?;
            } else {
                self.remove_file(&child)?;
            }
        }
        let mut state = self.state.lock();
        let (parent, name) = state.parent_and_name(path)?;
        state.faults.strike(FaultedCall::Remove, &path.to_string_lossy())?;
        let name = name.to_owned();
        state.directory_mut(parent)?.change(DirectoryChange::Unlink { name });
        Ok(())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        let inode = state.find(path)?;
        state.faults.strike(FaultedCall::Sync, &path.to_string_lossy())?;
        state.directory_mut(inode)?.sync();
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>> {
        self.open(path, OpenMode::Create)?;
        let mut state = self.state.lock();
        let inode = state.find(path)?;
        if state.locked.contains(&inode) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        state.locked.push(inode);
        Ok(Box::new(SimLock { state: Arc::clone(&self.state), inode }))
    }

    fn volume(&self, path: &Path) -> io::Result<Arc<dyn DiskVolume>> {
        Ok(Arc::new(SimVolume { state: Arc::clone(&self.state), path: path.to_string_lossy().into_owned() }))
    }

    fn space(&self, _path: &Path) -> io::Result<DiskSpace> {
        let state = self.state.lock();
        let total_bytes = state.capacity.unwrap_or(VOLUME_BYTES);
        let used = if state.capacity.is_some() { state.used(ROOT) } else { 0 };
        Ok(DiskSpace { total_bytes, usable_bytes: total_bytes.saturating_sub(used) })
    }
}

impl SimFile {
    fn state(&self) -> MutexGuard<'_, SimState> {
        self.state.lock()
    }
}

impl DiskFile for SimFile {
    fn length(&self) -> io::Result<u64> {
        Ok(self.state().file(self.inode)?.bytes().len() as u64)
    }

    fn read_at(&self, position: u64, into: &mut [u8]) -> io::Result<usize> {
        let mut state = self.state();
        state.faults.strike_read(&self.path)?;
        let bytes = state.file(self.inode)?.bytes();
        let rest = usize::try_from(position).ok().and_then(|start| bytes.get(start..)).unwrap_or_default();
        let count = rest.len().min(into.len());
        into[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn read_would_block(&self, _position: u64, _length: usize) -> bool {
        false
    }

    fn write_at(&self, position: u64, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut state = self.state();
        let mut bytes: Vec<u8> = parts.iter().flat_map(|part| part.iter().copied()).collect();
        if let Some(short) = state.faults.strike_write(&self.path)? {
            bytes.truncate(short);
        }
        let room = state.room_up_to(self.inode, position + bytes.len() as u64)?.saturating_sub(position);
        if room == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        bytes.truncate(usize::try_from(room).unwrap_or(usize::MAX));
        let written = bytes.len();
        state.file_mut(self.inode)?.change(FileChange::Write { position, bytes });
        Ok(written)
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        let mut state = self.state();
        state.faults.strike(FaultedCall::Write, &self.path)?;
        state.file_mut(self.inode)?.change(FileChange::Length(length));
        Ok(())
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        let mut state = self.state();
        state.faults.strike(FaultedCall::Write, &self.path)?;
        let room = state.room_up_to(self.inode, length)?;
        state.file_mut(self.inode)?.allocate(room);
        if room < length { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.state();
        state.faults.strike(FaultedCall::Sync, &self.path)?;
        state.file_mut(self.inode)?.sync();
        Ok(())
    }

    fn system_file(&self) -> Option<Arc<std::fs::File>> {
        None
    }
}

fn text(name: &OsStr) -> io::Result<&str> {
    name.to_str().ok_or_else(|| io::ErrorKind::InvalidInput.into())
}

#[cfg(test)]
mod tests;
