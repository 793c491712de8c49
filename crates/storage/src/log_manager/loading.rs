//! Opening every log at start, several at a time in each directory.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use config::TopicConfig;
use parking_lot::Mutex;
use protocol::Uuid;

use super::LogManager;
use crate::disk::read_small_file;
use crate::error::StorageError;
use crate::file_names::{
    CLUSTER_METADATA_TOPIC, PARTITION_METADATA_FILE, PartitionDirectory, parse_partition_directory,
    partition_directory_name,
};
use crate::log_directory::LogDirectory;
use crate::partition_log::PartitionLog;
use crate::partition_metadata;
use crate::place::Place;

/// Seconds between two lines in the log about the progress of a start.
const REPORT_SECONDS: u64 = 2;

/// A log that is on disk and could not be opened: damaged where a crash cannot have damaged it, or unreadable.
/// Its files are left as they are.
#[derive(Debug)]
pub struct FailedLog {
    /// Topic.
    pub topic: String,
    /// Partition index.
    pub partition: i32,
    /// The log directory it lies in.
    pub directory: PathBuf,
    /// The topic id in its `partition.metadata`, if that can be read.
    pub topic_id: Option<Uuid>,
    /// What is wrong.
    pub error: StorageError,
}

/// What is known of a log that is on disk and not open.
pub(super) struct Quarantined {
    pub(super) reason: String,
    pub(super) topic_id: Option<Uuid>,
    pub(super) directory: Arc<LogDirectory>,
}

/// The outcome of a start.
#[derive(Debug, Default)]
pub struct LoadReport {
    /// How many logs were opened.
    pub opened: usize,
    /// Those that were not.
    pub failed: Vec<FailedLog>,
}

impl LogManager {
    /// Opens the logs of every directory but the metadata log. `config_of` gives the configuration of a topic.
    pub fn load_logs(
        &self,
        config_of: &(dyn Fn(&str) -> Arc<TopicConfig> + Sync),
        now_ms: i64,
    ) -> Result<LoadReport, StorageError> {
        self.settle_moves()?;
        let report = Mutex::new(LoadReport::default());
        let online: Vec<_> = self.directories.iter().filter(|directory| !directory.is_offline()).collect();
        if let [only] = online.as_slice() {
            self.load_directory(only, config_of, now_ms, &report)?;
        } else {
            let results: Vec<_> = std::thread::scope(|scope| {
                let loads: Vec<_> = online
                    .iter()
                    .map(|directory| {
                        scope.spawn(|| self.load_directory(directory, config_of, now_ms, &report))
                    })
                    .collect();
                loads.into_iter().map(|load| load.join().expect("loading does not panic")).collect()
            });
            results.into_iter().collect::<Result<(), _>>()?;
        }
        let mut report = report.into_inner();
        report
            .failed
            .sort_by(|left, right| (&left.topic, left.partition).cmp(&(&right.topic, right.partition)));
        let mut failed = self.failed.lock();
        for log in &report.failed {
            tracing::error!(
                topic = %log.topic,
                partition = log.partition,
                directory = %log.directory.display(),
                error = %log.error,
                "log is not opened and its files are left alone"
            );
            let lies_in = self.directories.iter().find(|directory| directory.path() == log.directory);
            let Some(directory) = lies_in.map(Arc::clone) else { continue };
            let (reason, topic_id) = (log.error.to_string(), log.topic_id);
            failed.insert((log.topic.clone(), log.partition), Quarantined { reason, topic_id, directory });
        }
        Ok(report)
    }

    fn load_directory(
        &self,
        directory: &Arc<LogDirectory>,
        config_of: &(dyn Fn(&str) -> Arc<TopicConfig> + Sync),
        now_ms: i64,
        report: &Mutex<LoadReport>,
    ) -> Result<(), StorageError> {
        let found = find_logs(directory)?;
        let names: HashSet<(&str, i32)> =
            found.iter().map(|(topic, index)| (topic.as_str(), *index)).collect();
        directory.forget_unless(|topic, partition| {
            topic == CLUSTER_METADATA_TOPIC || names.contains(&(topic, partition))
        });
        let next = AtomicUsize::new(0);
        let (began, reported) = (Instant::now(), AtomicU64::new(0));
        let work = || {
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some((topic, partition)) = found.get(index) else { return };
                let seconds = began.elapsed().as_secs();
                if seconds >= reported.load(Ordering::Relaxed) + REPORT_SECONDS
                    && reported.fetch_max(seconds, Ordering::Relaxed) < seconds
                {
                    tracing::info!(
                        directory = %directory.path().display(),
                        opened = index,
                        of = found.len(),
                        seconds,
                        clean_stop = directory.last_shutdown().was_clean,
                        "opening the logs"
                    );
                }
                match self.load_log(directory, topic, *partition, config_of(topic), now_ms) {
                    Ok(()) => report.lock().opened += 1,
                    Err(error) => {
                        directory.note_failed_log();
                        report.lock().failed.push(FailedLog {
                            topic: topic.clone(),
                            partition: *partition,
                            directory: directory.path().to_owned(),
                            topic_id: topic_id_of(directory, topic, *partition),
                            error,
                        });
                    }
                }
            }
        };
        let threads = self.config.recovery_threads_per_directory.min(found.len());
        if threads <= 1 {
            work();
        } else {
            std::thread::scope(|scope| {
                for _ in 0..threads {
                    scope.spawn(work);
                }
            });
        }
        directory.check_online()
    }

    fn load_log(
        &self,
        directory: &Arc<LogDirectory>,
        topic: &str,
        partition: i32,
        config: Arc<TopicConfig>,
        now_ms: i64,
    ) -> Result<(), StorageError> {
        if let Some(other) = self.log(topic, partition) {
            let (here, there) = (directory.path().display(), other.directory().path().display());
            return Err(StorageError::Mismatch(format!("{topic}-{partition} lies in {here} and in {there}")));
        }
        let place = Place::new(Arc::clone(directory), partition_directory_name(topic, partition));
        let log = PartitionLog::open(
            place,
            directory.shared_topic(topic),
            partition,
            config,
            self.config.producer_id_expiration_ms,
            directory.known(topic, partition),
            now_ms,
        )?;
        directory.add_log(log);
        Ok(())
    }
}

/// The topic id that a log names, as far as it can be read.
fn topic_id_of(directory: &LogDirectory, topic: &str, partition: i32) -> Option<Uuid> {
    let name = partition_directory_name(topic, partition);
    let path = directory.path().join(name).join(PARTITION_METADATA_FILE);
    let bytes = read_small_file(directory.disk(), &path, partition_metadata::BYTES_MAX).ok()?;
    partition_metadata::decode(&String::from_utf8_lossy(&bytes)).ok().flatten()
}

/// The logs in a directory. Those being deleted go for good now; anything foreign is left alone.
fn find_logs(directory: &LogDirectory) -> Result<Vec<(String, i32)>, StorageError> {
    let entries = directory.disk().list(directory.path());
    let entries =
        entries.map_err(|error| directory.fail(StorageError::io("list", directory.path(), error)))?;
    let mut found = Vec::new();
    for entry in entries.into_iter().filter(|entry| entry.is_directory) {
        let path = directory.path().join(&entry.name);
        match parse_partition_directory(&entry.name) {
            PartitionDirectory::Log { topic, .. } if topic == CLUSTER_METADATA_TOPIC => {}
            PartitionDirectory::Log { topic, partition } => found.push((topic, partition)),
            PartitionDirectory::Deleting => directory.delete_later(path, true, i64::MIN),
            PartitionDirectory::Future | PartitionDirectory::Stray => {
                tracing::info!(directory = %path.display(), "left alone");
            }
            PartitionDirectory::Foreign => {
                tracing::warn!(directory = %path.display(), "not a partition's directory, ignored");
            }
        }
    }
    directory.delete_due(i64::MIN);
    Ok(found)
}
