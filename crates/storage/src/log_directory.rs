//! One log directory: its logs, its sync queue, and whether it can still be used.
//!
//! The first failed write or sync takes the whole directory offline until the process restarts: after a failed
//! sync nobody knows what the disk holds, so nothing is tried again.

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

    /// Writes the recovery points if one has changed.
    pub(crate) fn maybe_checkpoint_recovery_points(&self) -> Result<(), StorageError> {
        if self.unsaved.recovery_points.load(Ordering::Acquire) {
            self.checkpoint_recovery_points()
        } else {
            Ok(())
        }
    }

    /// Writes the high watermarks if one has changed.
    pub(crate) fn maybe_checkpoint_high_watermarks(&self) -> Result<(), StorageError> {
        if self.unsaved.high_watermarks.load(Ordering::Acquire) {
            self.checkpoint_high_watermarks()
        } else {
            Ok(())
        }
    }

    /// Writes the log start offsets if one has changed.
    pub(crate) fn maybe_checkpoint_log_start_offsets(&self) -> Result<(), StorageError> {
        if self.unsaved.log_start_offsets.load(Ordering::Acquire) {
            self.checkpoint_log_start_offsets()
        } else {
            Ok(())
        }
    }

    /// Notes that the checkpoints may name a log that is not there.
    pub(crate) fn note_forgotten(&self, topic: &str, partition: i32) {
        self.forgotten.lock().insert((topic.to_owned(), partition));
        self.unsaved.note_high_watermark();
        self.unsaved.note_log_start_offset();
    }

    /// Before a log is created under a name that the checkpoints may still hold, they are written without it: a
    /// crash must not find the old log's offsets for the new one.
    pub(crate) fn forget_before_create(&self, topic: &str, partition: i32) -> Result<(), StorageError> {
        if !self.forgotten.lock().contains(&(topic.to_owned(), partition)) {
            return Ok(());
        }
        let forgotten = std::mem::take(&mut *self.forgotten.lock());
        let is_gone = |topic: &str, partition| forgotten.contains(&(topic.to_owned(), partition));
        let written = self
            .forget_cleaner_offsets(is_gone)
            .and_then(|()| self.checkpoint_recovery_points())
            .and_then(|()| self.checkpoint_high_watermarks())
            .and_then(|()| self.checkpoint_log_start_offsets());
        if written.is_err() {
            self.forgotten.lock().extend(forgotten);
        }
        written
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

    /// Keeps others from writing recovery points while a log is being cut or renamed.
    pub(crate) fn recovery_points_turn(&self) -> MutexGuard<'_, ()> {
        self.checkpointing.lock()
    }

    /// Writes the recovery points, after everything that recovery trusts below them is on disk.
    pub(crate) fn checkpoint_recovery_points(&self) -> Result<(), StorageError> {
        self.write_recovery_points(&self.recovery_points_turn())
    }

    /// As [`LogDirectory::checkpoint_recovery_points`], for whoever has the turn.
    pub(crate) fn write_recovery_points(&self, _turn: &MutexGuard<'_, ()>) -> Result<(), StorageError> {
        unsaved::take(&self.unsaved.recovery_points);
        let logs = self.logs_on_disk();
        let mut points = Vec::with_capacity(logs.len());
        let mut batch = SyncBatch::default();
        for log in &logs {
            let point = match log.prepare_recovery_point(&mut batch) {
                Ok(point) => point,
                Err(error) => {
                    self.check_online()?;
                    // The log may have been deleted a moment ago.
                    if !log.is_closed() {
                        tracing::warn!(?log, %error, "the recovery point of a log stays where it is");
                    }
                    self.unsaved.note_recovery_point();
                    log.known_recovery_point()
                }
            };
            points.push((Arc::clone(log), point));
        }
        batch.commit(self)?;
        let saved: Vec<i64> = points.iter().map(|(_, point)| *point).collect();
        self.write_checkpoint(RECOVERY_POINT_CHECKPOINT_FILE, points, |known| known.recovery_point)
            .inspect_err(|_| self.unsaved.note_recovery_point())?;
        logs.iter().zip(saved).for_each(|(log, point)| log.recovery_point_saved(point));
        Ok(())
    }

    /// Writes the high watermarks.
    pub(crate) fn checkpoint_high_watermarks(&self) -> Result<(), StorageError> {
        let _saving = self.saving_offsets.lock();
        unsaved::take(&self.unsaved.high_watermarks);
        let offsets = self.logs_on_disk().into_iter().map(|log| {
            let high_watermark = log.high_watermark();
            (log, high_watermark)
        });
        self.write_checkpoint(HIGH_WATERMARK_CHECKPOINT_FILE, offsets.collect(), |known| known.high_watermark)
            .inspect_err(|_| self.unsaved.note_high_watermark())
    }

    /// Writes the log start offsets that the names of the segments do not tell.
    pub(crate) fn checkpoint_log_start_offsets(&self) -> Result<(), StorageError> {
        let _saving = self.saving_offsets.lock();
        unsaved::take(&self.unsaved.log_start_offsets);
        let offsets = {
            let _between_rounds = self.sync_queue.between_rounds();
            let logs = self.logs().into_iter();
            logs.filter_map(|log| log.start_offset_to_save().map(|offset| (log, offset))).collect()
        };
        self.write_checkpoint(LOG_START_OFFSET_CHECKPOINT_FILE, offsets, |known| known.log_start_offset)
            .inspect_err(|_| self.unsaved.note_log_start_offset())
    }

    /// Writes the offsets of open logs, and of those that are not open as they were found.
    fn write_checkpoint(
        &self,
        name: &str,
        logs: Vec<(Arc<PartitionLog>, i64)>,
        found: impl Fn(&FoundOffsets) -> Option<i64>,
    ) -> Result<(), StorageError> {
        self.check_online()?;
        let unopened = self.unopened.lock();
        let kept = unopened
            .iter()
            .filter_map(|((topic, partition), known)| Some((topic.as_str(), *partition, found(known)?)));
        let mut entries: Vec<(&str, i32, i64)> =
            logs.iter().map(|(log, offset)| (log.topic(), log.partition(), *offset)).chain(kept).collect();
        entries.sort_unstable();
        let text = checkpoint::encode_offsets(entries.into_iter());
        let written = checkpoint::write_text(self.disk(), &self.path.join(name), &text);
        written.map_err(|error| self.fail_unless_full(error))
    }

    /// Reads the checkpoints. One that cannot be read counts as empty: everything is then verified.
    pub(crate) fn read_checkpoints(&self) {
        let mut unopened = self.unopened.lock();
        type Field = fn(&mut FoundOffsets) -> &mut Option<i64>;
        let files: [(&str, Field); 3] = [
            (RECOVERY_POINT_CHECKPOINT_FILE, |found| &mut found.recovery_point),
            (HIGH_WATERMARK_CHECKPOINT_FILE, |found| &mut found.high_watermark),
            (LOG_START_OFFSET_CHECKPOINT_FILE, |found| &mut found.log_start_offset),
        ];
        for (name, field) in files {
            match checkpoint::read_offsets(self.disk(), &self.path.join(name)) {
                Ok(offsets) => {
                    for (key, offset) in offsets {
                        *field(unopened.entry(key).or_default()) = Some(offset);
                    }
                }
                Err(error) => tracing::warn!(%error, "going on without a checkpoint"),
            }
        }
    }

    /// What the checkpoints say of a log that is to be opened.
    pub(crate) fn known(&self, topic: &str, partition: i32) -> LoadedLog {
        let found = self.unopened.lock().get(&(topic.to_owned(), partition)).copied().unwrap_or_default();
        LoadedLog {
            recovery_point: found.recovery_point.unwrap_or(0),
            log_start_offset: found.log_start_offset.unwrap_or(0),
            high_watermark: found.high_watermark.unwrap_or(0),
            was_clean: self.last_shutdown.was_clean,
        }
    }

    /// Lets go of what the checkpoints said of logs that are not there.
    pub(crate) fn forget_unless(&self, is_there: impl Fn(&str, i32) -> bool) {
        let mut unopened = self.unopened.lock();
        let gone = unopened.extract_if(.., |(topic, partition), _| !is_there(topic, *partition));
        self.forgotten.lock().extend(gone.map(|(key, _)| key));
        self.cleaner_offsets.lock().retain(|(topic, partition), _| is_there(topic, *partition));
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
