//! One log directory: its logs, its sync queue, and whether it can still be used.
//!
//! The first failed write or sync takes the whole directory offline until the process restarts: after a failed
//! sync nobody knows what the disk holds, so nothing is tried again.

mod checkpoints;
mod cleaner_offsets;
mod cordon;
mod futures;
mod unsaved;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::{Mutex, MutexGuard, RwLock};
use protocol::Uuid;

pub(crate) use self::unsaved::Unsaved;
use crate::checkpoint::{self, Offsets};
use crate::clean_shutdown::LastShutdown;
use crate::disk::{Disk, DiskLock, DiskSpace, DiskVolume};
use crate::error::StorageError;
use crate::file_cache::FileCache;
use crate::file_names::{
    HIGH_WATERMARK_CHECKPOINT_FILE, LOG_START_OFFSET_CHECKPOINT_FILE, RECOVERY_POINT_CHECKPOINT_FILE,
    partition_directory_name,
};
use crate::journal::Journal;
use crate::partition_log::{LoadedLog, PartitionLog};
use crate::reserve::{Reserve, ReservingDisk};
use crate::sync_batch::SyncBatch;
use crate::sync_queue::SyncQueue;

/// Told once when a log directory goes offline, from whichever thread met the failure.
pub trait DirectoryObserver: Send + Sync {
    /// The directory's logs answer every call with an error from now on.
    fn directory_failed(&self, directory: &LogDirectory);

    /// The directory gets new replicas no longer, or does again (KIP-1066).
    fn directory_cordoned(&self, _directory: &LogDirectory) {}
}

/// Logs by topic and partition.
pub(crate) type Logs = BTreeMap<Arc<str>, BTreeMap<i32, Arc<PartitionLog>>>;

/// A log directory (an entry of `log.dirs`).
pub struct LogDirectory {
    /// Reaches into the reserve where a write must not fail.
    disk: Arc<dyn Disk>,
    reserve: Arc<Reserve>,
    path: PathBuf,
    id: Uuid,
    last_shutdown: LastShutdown,
    files: Arc<FileCache>,
    volume: Mutex<Option<Arc<dyn DiskVolume>>>,
    is_offline: AtomicBool,
    is_cordoned: AtomicBool,
    failed_logs: AtomicUsize,
    failure: Mutex<Option<String>>,
    observer: RwLock<Option<Arc<dyn DirectoryObserver>>>,
    logs: RwLock<Logs>,
    log_count: AtomicUsize,
    /// Copies on their way here from other directories; not among the logs.
    futures: RwLock<Logs>,
    pub(crate) sync_queue: SyncQueue,
    journal: Journal,
    deletions: Mutex<Vec<Deletion>>,
    /// What the checkpoints say of logs that are not open.
    unopened: Mutex<BTreeMap<(String, i32), FoundOffsets>>,
    /// Partitions that the checkpoints on disk may still name although their logs are gone.
    forgotten: Mutex<BTreeSet<(String, i32)>>,
    checkpointing: Mutex<()>,
    /// Held while high watermarks or log start offsets are collected and written: what is known of a log that is
    /// gone must not come after what is known of its successor. Taken after the turn with the recovery points.
    saving_offsets: Mutex<()>,
    /// What has changed since the checkpoints were written.
    unsaved: Unsaved,
    /// Page-cache logs with records that `flush.ms` bounds.
    flushing: Mutex<Vec<Arc<PartitionLog>>>,
    /// Up to where each log has been compacted.
    cleaner_offsets: Mutex<Offsets>,
    /// The logs whose policy says that they are compacted.
    compacted: Mutex<Logs>,
    lock: Mutex<Option<Box<dyn DiskLock>>>,
}

/// One log's lines in the checkpoints.
#[derive(Clone, Copy, Default)]
struct FoundOffsets {
    recovery_point: Option<i64>,
    high_watermark: Option<i64>,
    log_start_offset: Option<i64>,
}

/// Files whose names are gone already and whose space is due back.
struct Deletion {
    due_ms: i64,
    path: PathBuf,
    is_directory: bool,
}

impl LogDirectory {
    pub(crate) fn new(
        disk: Arc<dyn Disk>,
        path: PathBuf,
        id: Uuid,
        last_shutdown: LastShutdown,
        files: Arc<FileCache>,
        held: Option<(Box<dyn DiskLock>, Arc<dyn DiskVolume>)>,
        journal: Journal,
    ) -> LogDirectory {
        let (lock, volume) = held.unzip();
        let reserve = Arc::new(Reserve::new(Arc::clone(&disk), path.clone()));
        LogDirectory {
            volume: Mutex::new(volume),
            disk: Arc::new(ReservingDisk::new(disk, Arc::clone(&reserve))),
            reserve,
            path,
            id,
            last_shutdown,
            files,
            is_offline: AtomicBool::new(false),
            is_cordoned: AtomicBool::new(false),
            failed_logs: AtomicUsize::new(0),
            failure: Mutex::new(None),
            observer: RwLock::new(None),
            logs: RwLock::new(Logs::new()),
            log_count: AtomicUsize::new(0),
            futures: RwLock::new(Logs::new()),
            sync_queue: SyncQueue::default(),
            journal,
            deletions: Mutex::new(Vec::new()),
            unopened: Mutex::new(BTreeMap::new()),
            forgotten: Mutex::new(BTreeSet::new()),
            checkpointing: Mutex::new(()),
            saving_offsets: Mutex::new(()),
            unsaved: Unsaved::default(),
            flushing: Mutex::new(Vec::new()),
            cleaner_offsets: Mutex::new(Offsets::new()),
            compacted: Mutex::new(Logs::new()),
            lock: Mutex::new(lock),
        }
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its id from `meta.properties` (KIP-858).
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// How the last run left it.
    pub fn last_shutdown(&self) -> LastShutdown {
        self.last_shutdown
    }

    /// Whether a failed write or sync has ended its use.
    pub fn is_offline(&self) -> bool {
        self.is_offline.load(Ordering::Acquire)
    }

    /// Total and usable bytes of its volume.
    pub fn space(&self) -> Result<DiskSpace, StorageError> {
        self.disk
            .space(&self.path)
            .map_err(|error| StorageError::io("ask for the space of", &self.path, error))
    }

    /// The disk that it lies on, for whatever else is written there: when the volume is full, that may use the
    /// space which the directory keeps in reserve.
    pub fn shared_disk(&self) -> Arc<dyn Disk> {
        Arc::clone(&self.disk)
    }

    pub(crate) fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Space for what must be written when the volume is full.
    pub(crate) fn reserve(&self) -> &Reserve {
        &self.reserve
    }

    pub(crate) fn disk(&self) -> &dyn Disk {
        self.disk.as_ref()
    }

    /// Makes everything on the volume durable.
    pub(crate) fn volume_sync(&self) -> std::io::Result<()> {
        let volume = self.volume.lock().clone();
        match volume {
            Some(volume) => volume.sync(),
            None => Err(std::io::ErrorKind::NotFound.into()),
        }
    }

    pub(crate) fn files(&self) -> &FileCache {
        &self.files
    }

    pub(crate) fn set_observer(&self, observer: Arc<dyn DirectoryObserver>) {
        *self.observer.write() = Some(observer);
    }

    /// An error when the directory is offline.
    pub(crate) fn check_online(&self) -> Result<(), StorageError> {
        if !self.is_offline() {
            return Ok(());
        }
        let reason = self.failure.lock().clone().unwrap_or_default();
        Err(StorageError::DirectoryOffline { path: self.path.clone(), reason })
    }

    /// Takes the directory offline because of `error`, which is handed back.
    pub(crate) fn fail(&self, error: StorageError) -> StorageError {
        {
            let mut failure = self.failure.lock();
            if failure.is_some() {
                return error;
            }
            *failure = Some(error.to_string());
            self.is_offline.store(true, Ordering::Release);
        }
        tracing::error!(directory = %self.path.display(), %error, "log directory goes offline");
        let observer = self.observer.read().clone();
        if let Some(observer) = observer {
            observer.directory_failed(self);
        }
        error
    }

    /// As [`LogDirectory::fail`], but a full volume only has appends refused until space returns: for writes after
    /// whose failure everything is as it was.
    pub(crate) fn fail_unless_full(&self, error: StorageError) -> StorageError {
        if !error.is_out_of_space() {
            return self.fail(error);
        }
        self.reserve.note_full(&error);
        error
    }

    /// The log of a topic partition, if it lies here.
    pub(crate) fn log(&self, topic: &str, partition: i32) -> Option<Arc<PartitionLog>> {
        self.logs.read().get(topic)?.get(&partition).cloned()
    }

    /// Every log, by topic and partition.
    pub fn logs(&self) -> Vec<Arc<PartitionLog>> {
        self.logs.read().values().flat_map(|partitions| partitions.values().cloned()).collect()
    }

    /// Those of which there is something that a checkpoint can say.
    fn logs_on_disk(&self) -> Vec<Arc<PartitionLog>> {
        let mut logs = self.logs();
        logs.retain(|log| log.is_on_disk());
        logs
    }

    pub(crate) fn add_log(&self, log: Arc<PartitionLog>) {
        self.unopened.lock().remove(&(log.topic().to_owned(), log.partition()));
        self.note_policy(&log);
        let mut logs = self.logs.write();
        // Partitions of a topic share one copy of its name.
        let topic = match logs.get_key_value(log.topic()) {
            Some((topic, _)) => Arc::clone(topic),
            None => Arc::clone(log.shared_topic()),
        };
        if logs.entry(topic).or_default().insert(log.partition(), log).is_none() {
            self.log_count.fetch_add(1, Ordering::AcqRel);
        }
        drop(logs);
        self.unsaved.note_high_watermark();
        self.unsaved.note_log_start_offset();
    }

    pub(crate) fn remove_log(&self, topic: &str, partition: i32) -> Option<Arc<PartitionLog>> {
        remove_from(&mut self.compacted.lock(), topic, partition);
        let removed = remove_from(&mut self.logs.write(), topic, partition);
        self.log_count.fetch_sub(usize::from(removed.is_some()), Ordering::AcqRel);
        removed
    }

    /// Notes whether a log is compacted.
    pub(crate) fn note_policy(&self, log: &Arc<PartitionLog>) {
        let mut compacted = self.compacted.lock();
        if log.config().compacts() {
            let partitions = compacted.entry(Arc::clone(log.shared_topic())).or_default();
            partitions.insert(log.partition(), Arc::clone(log));
        } else {
            remove_from(&mut compacted, log.topic(), log.partition());
        }
    }

    /// The logs that are compacted.
    pub(crate) fn compacted_logs(&self) -> Vec<Arc<PartitionLog>> {
        self.compacted.lock().values().flat_map(|partitions| partitions.values().cloned()).collect()
    }

    pub(crate) fn log_count(&self) -> usize {
        self.log_count.load(Ordering::Acquire)
    }

    /// Whether logs lie here that are not open.
    pub(crate) fn has_unopened_logs(&self) -> bool {
        !self.unopened.lock().is_empty() || self.failed_logs.load(Ordering::Acquire) > 0
    }

    /// Notes that a log that lies here could not be opened.
    pub(crate) fn note_failed_log(&self) {
        self.failed_logs.fetch_add(1, Ordering::AcqRel);
    }

    /// Ends what is known of a log that could not be opened: its directory gets another name.
    pub(crate) fn rename_failed_log(
        &self,
        topic: &str,
        partition: i32,
        name: &str,
    ) -> Result<PathBuf, StorageError> {
        self.check_online()?;
        let (from, to) = (self.path.join(partition_directory_name(topic, partition)), self.path.join(name));
        let renamed = self.disk.rename(&from, &to).and_then(|()| self.disk.sync_dir(&self.path));
        renamed.map_err(|source| self.fail(StorageError::io("rename", &from, source)))?;
        self.unopened.lock().remove(&(topic.to_owned(), partition));
        self.note_forgotten(topic, partition);
        self.failed_logs.fetch_sub(1, Ordering::AcqRel);
        Ok(to)
    }

    pub(crate) fn shared_topic(&self, topic: &str) -> Arc<str> {
        self.logs.read().get_key_value(topic).map_or_else(|| Arc::from(topic), |(topic, _)| Arc::clone(topic))
    }

    pub(crate) fn unsaved(&self) -> &Unsaved {
        &self.unsaved
    }

    /// Has a log looked at until it is synced; the caller makes sure that it is here once.
    pub(crate) fn flush_later(&self, log: Arc<PartitionLog>) {
        self.flushing.lock().push(log);
    }

    /// Schedules the syncs that `flush.ms` asks for.
    pub(crate) fn flush_due(&self, now_ms: i64) {
        let waiting = std::mem::take(&mut *self.flushing.lock());
        for log in waiting {
            if log.maybe_schedule_flush(now_ms) {
                self.flushing.lock().push(log);
            }
        }
    }

    /// Drops every log and gives the lock back; the directory is not used after that.
    pub(crate) fn release(&self) {
        self.journal.release();
        self.compacted.lock().clear();
        self.flushing.lock().clear();
        self.logs.write().clear();
        self.volume.lock().take();
        self.lock.lock().take();
    }

    pub(crate) fn delete_later(&self, path: PathBuf, is_directory: bool, due_ms: i64) {
        self.deletions.lock().push(Deletion { due_ms, path, is_directory });
    }

    /// Removes files and directories whose delay is over. What cannot be removed is left for the next start.
    pub(crate) fn delete_due(&self, now_ms: i64) {
        let due: Vec<Deletion> =
            self.deletions.lock().extract_if(.., |deletion| deletion.due_ms <= now_ms).collect();
        for deletion in due {
            let removed = if deletion.is_directory {
                self.disk.remove_dir_all(&deletion.path)
            } else {
                self.disk.remove_file(&deletion.path)
            };
            if let Err(error) = removed
                && error.kind() != std::io::ErrorKind::NotFound
            {
                tracing::warn!(path = %deletion.path.display(), %error, "cannot remove what was deleted");
            }
        }
    }
}

fn remove_from(logs: &mut Logs, topic: &str, partition: i32) -> Option<Arc<PartitionLog>> {
    let partitions = logs.get_mut(topic)?;
    let removed = partitions.remove(&partition);
    if partitions.is_empty() {
        logs.remove(topic);
    }
    removed
}
