//! A disk whose syncs and cold reads wait at a gate that the test opens: what is not durable yet can be looked at, and who waits.

use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use storage::disk::{DirectoryEntry, Disk, DiskFile, DiskLock, DiskSpace, DiskVolume, OpenMode};

/// Another disk behind a gate. Clones share it.
#[derive(Clone, Debug)]
pub struct GatedDisk {
    behind: Arc<dyn Disk>,
    gate: Arc<Gate>,
}

#[derive(Debug, Default)]
struct Gate {
    state: Mutex<GateState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct GateState {
    /// Syncs of files whose path contains this wait.
    closed_for: Option<String>,
    usable_bytes: Option<u64>,
    /// Files whose path contains this are in no cache: reads of them wait.
    cold: Option<String>,
    cold_reads_waiting: usize,
}

impl GatedDisk {
    /// `behind`, with the gate open.
    pub fn new(behind: Arc<dyn Disk>) -> Self {
        GatedDisk { behind, gate: Arc::default() }
    }

    /// From now on syncs of files whose path contains `text` wait.
    pub fn close_for(&self, text: &str) {
        self.gate.state.lock().closed_for = Some(text.to_owned());
    }

    /// Lets all syncs through, those that wait included.
    pub fn open(&self) {
        self.gate.state.lock().closed_for = None;
        self.gate.changed.notify_all();
    }

    /// From now on what lies in files whose path contains `text` is in no cache, and who reads it waits.
    pub fn make_cold(&self, text: &str) {
        self.gate.state.lock().cold = Some(text.to_owned());
    }

    /// Waits until somebody reads what is cold; whether that came in time.
    pub fn wait_for_cold_read(&self, patience: Duration) -> bool {
        let mut state = self.gate.state.lock();
        let until = Instant::now() + patience;
        while state.cold_reads_waiting == 0 {
            if self.gate.changed.wait_until(&mut state, until).timed_out() {
                return false;
            }
        }
        true
    }

    /// Everything is in the cache again; those who waited get on.
    pub fn warm_up(&self) {
        self.gate.state.lock().cold = None;
        self.gate.changed.notify_all();
    }

    /// The free bytes that the volume claims to have from now on.
    pub fn pretend_free(&self, usable_bytes: u64) {
        self.gate.state.lock().usable_bytes = Some(usable_bytes);
    }
}

impl Gate {
    fn pass(&self, path: &str) {
        let mut state = self.state.lock();
        while state.closed_for.as_ref().is_some_and(|text| path.contains(text)) {
            self.changed.wait(&mut state);
        }
    }

    fn is_cold(&self, path: &str) -> bool {
        self.state.lock().is_cold(path)
    }

    fn pass_cold(&self, path: &str) {
        let mut state = self.state.lock();
        if !state.is_cold(path) {
            return;
        }
        state.cold_reads_waiting += 1;
        self.changed.notify_all();
        while state.is_cold(path) {
            self.changed.wait(&mut state);
        }
        state.cold_reads_waiting -= 1;
    }
}

impl GateState {
    fn is_cold(&self, path: &str) -> bool {
        self.cold.as_ref().is_some_and(|text| path.contains(text))
    }
}

impl Disk for GatedDisk {
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.behind.create_dir_all(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<DirectoryEntry>> {
        self.behind.list(path)
    }

    fn entry(&self, path: &Path) -> io::Result<Option<DirectoryEntry>> {
        self.behind.entry(path)
    }

    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        let file = self.behind.open(path, mode)?;
        Ok(Arc::new(GatedFile { file, path: path.to_string_lossy().into_owned(), gate: self.gate.clone() }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.behind.rename(from, to)
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
        let space = self.behind.space(path)?;
        let usable_bytes = self.gate.state.lock().usable_bytes.unwrap_or(space.usable_bytes);
        Ok(DiskSpace { usable_bytes, ..space })
    }
}

#[derive(Debug)]
struct GatedFile {
    file: Arc<dyn DiskFile>,
    path: String,
    gate: Arc<Gate>,
}

impl DiskFile for GatedFile {
    fn length(&self) -> io::Result<u64> {
        self.file.length()
    }

    fn read_at(&self, position: u64, into: &mut [u8]) -> io::Result<usize> {
        self.gate.pass_cold(&self.path);
        self.file.read_at(position, into)
    }

    fn read_would_block(&self, position: u64, length: usize) -> bool {
        self.gate.is_cold(&self.path) || self.file.read_would_block(position, length)
    }

    fn write_at(&self, position: u64, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        self.file.write_at(position, parts)
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.file.set_length(length)
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        self.file.allocate(length)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.gate.pass(&self.path);
        self.file.sync_data()
    }

    fn system_file(&self) -> Option<Arc<std::fs::File>> {
        self.file.system_file()
    }
}
