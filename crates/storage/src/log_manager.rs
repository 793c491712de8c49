//! All logs of a node: its log directories, their identity, start, upkeep and stop.
//!
//! `open` takes the directories, `load_logs` the logs in them once their configurations are known; the metadata log
//! is opened before on request. Time and random ids come in as values; the only threads are one for each
//! directory's syncs, and those that load.

mod directories;
mod housekeeping;
mod loading;
mod moves;
mod placement;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use config::TopicConfig;
use parking_lot::Mutex;
use protocol::Uuid;

pub use self::loading::{FailedLog, LoadReport};
pub use self::moves::UnfinishedMove;

use self::housekeeping::Schedule;
use self::loading::Quarantined;
use crate::cleaner::{Cleaner, CleanerConfig};
use crate::disk::Disk;
use crate::error::StorageError;
use crate::file_cache::FileCache;
use crate::file_names::{
    CLUSTER_METADATA_TOPIC, deleting_directory_name, partition_directory_name, stray_directory_name,
};
use crate::log_directory::{DirectoryObserver, LogDirectory};
use crate::partition_log::PartitionLog;
use crate::place::Place;
use crate::sync_queue;

/// Who runs the syncs of a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncExecution {
    /// A thread for each directory.
    Threads,
    /// Whoever calls [`LogManager::sync_pending`]: for simulations.
    Manual,
}

/// What a log manager must know. Intervals are in ms.
#[derive(Clone, Debug)]
pub struct LogManagerConfig {
    /// `log.dirs`.
    pub directories: Vec<PathBuf>,
    /// `node.id`.
    pub node_id: i32,
    /// Cluster the node belongs to; without one the directories decide, and a new one is made up for new ones.
    pub cluster_id: Option<String>,
    /// Files kept open at most, beside those in use.
    pub file_budget: usize,
    /// `num.recovery.threads.per.data.dir`.
    pub recovery_threads_per_directory: usize,
    /// `producer.id.expiration.ms`.
    pub producer_id_expiration_ms: i64,
    /// `log.flush.offset.checkpoint.interval.ms`.
    pub recovery_point_checkpoint_interval_ms: i64,
    /// `log.flush.start.offset.checkpoint.interval.ms`.
    pub log_start_offset_checkpoint_interval_ms: i64,
    /// `replica.high.watermark.checkpoint.interval.ms`.
    pub high_watermark_checkpoint_interval_ms: i64,
    /// `log.retention.check.interval.ms`.
    pub retention_check_interval_ms: i64,
    /// `producer.id.expiration.check.interval.ms`.
    pub producer_id_expiration_check_interval_ms: i64,
    /// Size of the journal that each directory gets once many partitions wait for syncs at a time; 0 for none.
    pub journal_bytes: u64,
    /// How compaction goes about its work.
    pub cleaner: CleanerConfig,
    /// Who runs the syncs.
    pub sync: SyncExecution,
}

/// Two halves, each worth seconds of small appends.
const JOURNAL_BYTES: u64 = 64 * 1024 * 1024;

impl LogManagerConfig {
    /// Kafka 4.4's defaults.
    pub fn new(directories: Vec<PathBuf>, node_id: i32) -> LogManagerConfig {
        LogManagerConfig {
            directories,
            node_id,
            cluster_id: None,
            file_budget: 4096,
            recovery_threads_per_directory: 2,
            producer_id_expiration_ms: 86_400_000,
            recovery_point_checkpoint_interval_ms: 60_000,
            log_start_offset_checkpoint_interval_ms: 60_000,
            high_watermark_checkpoint_interval_ms: 5_000,
            retention_check_interval_ms: 300_000,
            producer_id_expiration_check_interval_ms: 600_000,
            journal_bytes: JOURNAL_BYTES,
            cleaner: CleanerConfig::default(),
            sync: SyncExecution::Threads,
        }
    }
}

/// The logs of a node.
pub struct LogManager {
    config: LogManagerConfig,
    cluster_id: String,
    directories: Vec<Arc<LogDirectory>>,
    sync_threads: Mutex<Vec<JoinHandle<()>>>,
    /// Logs that are on disk but could not be opened.
    failed: Mutex<BTreeMap<(String, i32), Quarantined>>,
    schedule: Mutex<Schedule>,
    creating: Mutex<()>,
    pub(crate) cleaner: Arc<Cleaner>,
    /// Tells cleaner threads the time, once they have been started.
    pub(crate) cleaner_clock: Mutex<Option<Arc<dyn Fn() -> i64 + Send + Sync>>>,
}

impl LogManager {
    /// Takes the log directories: creates what is missing, locks them, checks that they belong together, and reads
    /// how the last run ended. `random_id` makes up ids for new directories and a new cluster.
    ///
    /// A directory that cannot be read is taken offline if others can; a locked or foreign one is an error.
    pub fn open(
        disk: Arc<dyn Disk>,
        config: LogManagerConfig,
        random_id: &mut dyn FnMut() -> Uuid,
    ) -> Result<LogManager, StorageError> {
        let files = Arc::new(FileCache::new(config.file_budget));
        let (cluster_id, directories) = directories::open(&disk, &config, &files, random_id)?;
        let seed = random_id().as_u128() as u64;
        let cleaner = Cleaner::new(config.cleaner, seed);
        let mut sync_threads = Vec::new();
        if config.sync == SyncExecution::Threads {
            for (index, directory) in directories.iter().enumerate() {
                sync_threads.push(start(directory, format!("log-sync-{index}"), sync_queue::run)?);
                let run_journal = |directory: &LogDirectory| directory.journal().run(directory);
                sync_threads.push(start(directory, format!("log-journal-{index}"), run_journal)?);
            }
        }
        Ok(LogManager {
            config,
            cluster_id,
            directories,
            sync_threads: Mutex::new(sync_threads),
            failed: Mutex::new(BTreeMap::new()),
            schedule: Mutex::new(Schedule::default()),
            creating: Mutex::new(()),
            cleaner: Arc::new(cleaner),
            cleaner_clock: Mutex::new(None),
        })
    }

    /// The cluster the directories belong to.
    pub fn cluster_id(&self) -> &str {
        &self.cluster_id
    }

    /// The log directories in the order of the configuration, offline ones included.
    pub fn directories(&self) -> &[Arc<LogDirectory>] {
        &self.directories
    }

    /// Whether every directory was left by a clean stop. After an unclean one a leader takes a new leader epoch.
    pub fn was_clean_shutdown(&self) -> bool {
        self.directories.iter().all(|directory| directory.last_shutdown().was_clean)
    }

    /// The broker epoch of the last run, if it ended cleanly in every directory with the same one (KIP-966).
    pub fn previous_broker_epoch(&self) -> Option<i64> {
        let mut epochs = self.directories.iter().map(|directory| directory.last_shutdown().broker_epoch);
        let first = epochs.next().flatten()?;
        epochs.all(|epoch| epoch == Some(first)).then_some(first)
    }

    /// Who is told when a directory goes offline.
    pub fn set_directory_observer(&self, observer: Arc<dyn DirectoryObserver>) {
        for directory in &self.directories {
            directory.set_observer(Arc::clone(&observer));
        }
    }

    /// The log of a topic partition, if it is open.
    pub fn log(&self, topic: &str, partition: i32) -> Option<Arc<PartitionLog>> {
        self.directories.iter().find_map(|directory| directory.log(topic, partition))
    }

    /// Every open log.
    pub fn logs(&self) -> Vec<Arc<PartitionLog>> {
        self.directories.iter().flat_map(|directory| directory.logs()).collect()
    }

    /// Why a log that is on disk is not open, if that is so.
    pub fn failure(&self, topic: &str, partition: i32) -> Option<String> {
        self.failed.lock().get(&(topic.to_owned(), partition)).map(|failed| failed.reason.clone())
    }

    /// The logs that are on disk and not open: topic, partition, and the topic id where that can be read.
    pub fn failed_logs(&self) -> Vec<(String, i32, Option<Uuid>)> {
        let failed = self.failed.lock();
        failed.iter().map(|((topic, partition), log)| (topic.clone(), *partition, log.topic_id)).collect()
    }

    /// The log of a topic partition, created in the directory with the fewest logs if there is none.
    pub fn get_or_create(
        &self,
        topic: &str,
        partition: i32,
        topic_id: Option<Uuid>,
        config: Arc<TopicConfig>,
        now_ms: i64,
    ) -> Result<Arc<PartitionLog>, StorageError> {
        self.get_or_create_in(None, topic, partition, topic_id, config, now_ms)
    }

    /// The same; if there is none it is created in the directory with this id, unless that is none of ours or offline.
    pub fn get_or_create_in(
        &self,
        assigned: Option<Uuid>,
        topic: &str,
        partition: i32,
        topic_id: Option<Uuid>,
        config: Arc<TopicConfig>,
        now_ms: i64,
    ) -> Result<Arc<PartitionLog>, StorageError> {
        let _turn = self.creating.lock();
        if let Some(log) = self.log(topic, partition) {
            return Ok(log);
        }
        if let Some(reason) = self.failure(topic, partition) {
            return Err(StorageError::Closed(format!("{topic}-{partition} ({reason})")));
        }
        let Some(directory) = placement::directory_for_new_log(&self.directories, assigned) else {
            return Err(StorageError::Mismatch("every log directory is offline".to_owned()));
        };
        directory.forget_before_create(topic, partition)?;
        let place = Place::new(Arc::clone(directory), partition_directory_name(topic, partition));
        let log = PartitionLog::create(
            place,
            directory.shared_topic(topic),
            partition,
            topic_id,
            config,
            self.config.producer_id_expiration_ms,
            now_ms,
        );
        let log = Arc::new(log);
        directory.add_log(Arc::clone(&log));
        Ok(log)
    }

    /// The metadata log, in the first directory; before [`LogManager::load_logs`], which leaves it out.
    pub fn metadata_log(
        &self,
        topic_id: Uuid,
        config: Arc<TopicConfig>,
        now_ms: i64,
    ) -> Result<Arc<PartitionLog>, StorageError> {
        if let Some(log) = self.log(CLUSTER_METADATA_TOPIC, 0) {
            return Ok(log);
        }
        let directory = &self.directories[0];
        let name = partition_directory_name(CLUSTER_METADATA_TOPIC, 0);
        let path = directory.path().join(&name);
        let found = directory.disk().entry(&path).map_err(|error| StorageError::io("read", &path, error))?;
        let place = Place::new(Arc::clone(directory), name);
        let topic = Arc::from(CLUSTER_METADATA_TOPIC);
        let expiration_ms = self.config.producer_id_expiration_ms;
        let log = if found.is_some() {
            let known = directory.known(CLUSTER_METADATA_TOPIC, 0);
            PartitionLog::open(place, topic, 0, config, expiration_ms, known, now_ms)?
        } else {
            directory.forget_before_create(CLUSTER_METADATA_TOPIC, 0)?;
            Arc::new(PartitionLog::create(place, topic, 0, None, config, expiration_ms, now_ms))
        };
        if log.topic_id().is_none() {
            // Durable before the first record: nobody could say later what a torn id was.
            log.assign_topic_id(topic_id)?;
        }
        directory.add_log(Arc::clone(&log));
        Ok(log)
    }

    /// Ends a log: its directory is renamed at once, its files go after `file.delete.delay.ms`; those of a log that
    /// could not be opened go with the next upkeep. `unique` is a random number that tells several deletions of one
    /// name apart. False if there is no such log.
    pub fn delete(
        &self,
        topic: &str,
        partition: i32,
        unique: u128,
        now_ms: i64,
    ) -> Result<bool, StorageError> {
        let _turn = self.creating.lock();
        self.drop_future(topic, partition, unique, now_ms);
        let open = self.log(topic, partition);
        if let Some(log) = &open {
            let delay_ms = log.config().file_delete_delay_ms;
            log.delete(unique, now_ms, delay_ms)?;
            self.forget(log);
        }
        let failed = self.end_failed(topic, partition, &deleting_directory_name(topic, partition, unique))?;
        if let Some((directory, renamed)) = &failed {
            directory.delete_later(renamed.clone(), true, now_ms);
        }
        Ok(open.is_some() || failed.is_some())
    }

    fn forget(&self, log: &PartitionLog) {
        let (topic, partition) = (log.topic(), log.partition());
        log.directory().remove_log(topic, partition);
        log.directory().note_forgotten(topic, partition);
        self.cleaner.forget(topic, partition);
    }

    /// Gives the directory of a log that could not be opened another name, so that its own can be used again.
    fn end_failed(
        &self,
        topic: &str,
        partition: i32,
        name: &str,
    ) -> Result<Option<(Arc<LogDirectory>, PathBuf)>, StorageError> {
        let mut failed = self.failed.lock();
        let key = (topic.to_owned(), partition);
        let Some(log) = failed.get(&key) else { return Ok(None) };
        let directory = Arc::clone(&log.directory);
        let renamed = directory.rename_failed_log(topic, partition, name)?;
        failed.remove(&key);
        Ok(Some((directory, renamed)))
    }

    /// Ends a log that the metadata does not know and keeps its files under another name, which is returned.
    pub fn set_aside(&self, topic: &str, partition: i32, unique: u128) -> Result<PathBuf, StorageError> {
        let _turn = self.creating.lock();
        if let Some(log) = self.log(topic, partition) {
            let renamed = log.set_aside(unique)?;
            self.forget(&log);
            return Ok(renamed);
        }
        let failed = self.end_failed(topic, partition, &stray_directory_name(topic, partition, unique))?;
        failed.map(|(_, renamed)| renamed).ok_or_else(|| StorageError::Closed(format!("{topic}-{partition}")))
    }

    /// One round of syncs in every directory, on the caller's thread. A directory that is or goes offline is an
    /// error, after the others have had their round.
    pub fn sync_pending(&self) -> Result<(), StorageError> {
        let mut result = Ok(());
        for directory in &self.directories {
            let round = sync_queue::sync_waiting(directory);
            result = result.and(round).and_then(|()| directory.journal().do_chores(directory));
        }
        result
    }

    /// Stops cleanly: everything goes to disk, then the marker of a clean stop with `broker_epoch`. A directory that
    /// fails, or that holds a log which could not be opened, gets no marker, so that the next start verifies it.
    pub fn shutdown(&self, broker_epoch: i64) -> Result<(), StorageError> {
        self.cleaner.stop();
        self.stop_syncing();
        let mut result = Ok(());
        for directory in &self.directories {
            if !directory.is_offline()
                && let Err(error) = directories::close(directory, broker_epoch)
            {
                tracing::error!(directory = %directory.path().display(), %error, "no clean stop");
                result = Err(error);
            }
            directory.release();
        }
        result
    }

    /// Ends the sync threads after a last round each.
    fn stop_syncing(&self) {
        for directory in &self.directories {
            directory.sync_queue.stop();
            directory.journal().stop();
        }
        for thread in self.sync_threads.lock().drain(..) {
            if thread.join().is_err() {
                tracing::error!("a sync thread has panicked");
            }
        }
    }
}

fn start(
    directory: &Arc<LogDirectory>,
    name: String,
    run: fn(&LogDirectory),
) -> Result<JoinHandle<()>, StorageError> {
    let (directory, path) = (Arc::clone(directory), directory.path().to_owned());
    std::thread::Builder::new()
        .name(name)
        .spawn(move || run(&directory))
        .map_err(|error| StorageError::io("start a thread for", &path, error))
}

impl Drop for LogManager {
    fn drop(&mut self) {
        // Without a shutdown this is a crash as far as the directories are concerned; only threads and locks end.
        self.cleaner.stop();
        self.stop_syncing();
        for directory in &self.directories {
            directory.release();
        }
    }
}
