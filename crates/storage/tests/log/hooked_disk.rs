//! A disk on which the test may act, or fail a call, at a moment of its choice.

use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use storage::disk::{DirectoryEntry, Disk, DiskFile, DiskLock, DiskSpace, DiskVolume, OpenMode};

/// A call that is about to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    Open,
    Rename,
    Remove,
    SyncFile,
    SyncDirectory,
}

type Hook = Box<dyn FnOnce() -> io::Result<()> + Send>;

/// Another disk with a hook before one of its calls. Clones share it.
#[derive(Clone, Debug)]
pub struct HookedDisk {
    behind: Arc<dyn Disk>,
    hooks: Arc<Hooks>,
}

#[derive(Default)]
struct Hooks(Mutex<Vec<(Call, String, Hook)>>);

impl HookedDisk {
    pub fn new(behind: Arc<dyn Disk>) -> HookedDisk {
        HookedDisk { behind, hooks: Arc::default() }
    }

    /// Runs `hook` once, before the next `call` on a path that ends with `path_end`. Its error becomes the call's.
    pub fn before(&self, call: Call, path_end: &str, hook: impl FnOnce() -> io::Result<()> + Send + 'static) {
        self.hooks.0.lock().push((call, path_end.to_owned(), Box::new(hook)));
    }
}

impl Hooks {
    fn run(&self, call: Call, path: &str) -> io::Result<()> {
        let hook = {
            let mut hooks = self.0.lock();
            let found = hooks.iter().position(|(of, end, _)| *of == call && path.ends_with(end.as_str()));
            found.map(|index| hooks.remove(index).2)
        };
        hook.map_or(Ok(()), |hook| hook())
    }
}

impl std::fmt::Debug for Hooks {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} hooks", self.0.lock().len())
    }
}

impl Disk for HookedDisk {
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
        let text = path.to_string_lossy().into_owned();
        self.hooks.run(Call::Open, &text)?;
        let file = self.behind.open(path, mode)?;
        Ok(Arc::new(HookedFile { file, path: text, hooks: Arc::clone(&self.hooks) }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.hooks.run(Call::Rename, &from.to_string_lossy())?;
        self.behind.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.hooks.run(Call::Remove, &path.to_string_lossy())?;
        self.behind.remove_file(path)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        self.behind.remove_dir_all(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.hooks.run(Call::SyncDirectory, &path.to_string_lossy())?;
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

#[derive(Debug)]
struct HookedFile {
    file: Arc<dyn DiskFile>,
    path: String,
    hooks: Arc<Hooks>,
}

impl DiskFile for HookedFile {
    fn length(&self) -> io::Result<u64> {
        self.file.length()
    }

    fn read_at(&self, position: u64, into: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(position, into)
    }

    fn read_would_block(&self, position: u64, length: usize) -> bool {
        self.file.read_would_block(position, length)
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
        self.hooks.run(Call::SyncFile, &self.path)?;
        self.file.sync_data()
    }

    fn system_file(&self) -> Option<Arc<std::fs::File>> {
        self.file.system_file()
    }
}
