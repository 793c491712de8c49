//! A log on its way to another log directory (KIP-113): a copy under a name of its own, which takes the log's name when
//! it holds everything.
//!
//! For a moment both directories have a log of that name. The copy carries a mark then, so that a start after a crash
//! knows which one goes on; both hold the same records.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::LogManager;
use crate::disk::{OpenMode, write_all_at};
use crate::error::StorageError;
use crate::file_names::{
    CLUSTER_METADATA_TOPIC, PartitionDirectory, deleting_directory_name, future_directory_name,
    parse_future_directory, parse_partition_directory, partition_directory_name,
};
use crate::log_directory::LogDirectory;
use crate::partition_log::PartitionLog;
use crate::place::Place;

/// In a partition's directory that takes the place of one elsewhere.
const TAKING_OVER_FILE: &str = "taking-over";

/// A move that the last run did not finish.
#[derive(Clone)]
pub struct UnfinishedMove {
    /// Topic.
    pub topic: String,
    /// Partition index.
    pub partition: i32,
    /// Where it was to go.
    pub directory: Arc<LogDirectory>,
}

impl LogManager {
    /// The copy of a log that is on its way to another directory.
    pub fn future_log(&self, topic: &str, partition: i32) -> Option<Arc<PartitionLog>> {
        self.directories.iter().find_map(|directory| directory.future(topic, partition))
    }

    /// The log directory at this path.
    pub fn directory_at(&self, path: &Path) -> Option<&Arc<LogDirectory>> {
        let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let wanted = absolute(path);
        self.directories.iter().find(|directory| absolute(directory.path()) == wanted)
    }

    /// Begins an empty copy of a log in another directory. What an earlier attempt has left goes.
    ///
    /// # Errors
    /// There is no such log, or the directory cannot be written.
    pub fn begin_move(
        &self,
        (topic, partition): (&str, i32),
        to: &Arc<LogDirectory>,
        unique: u128,
        now_ms: i64,
    ) -> Result<Arc<PartitionLog>, StorageError> {
        let _turn = self.creating.lock();
        let current = self.log(topic, partition);
        let current = current.ok_or_else(|| StorageError::Closed(format!("{topic}-{partition}")))?;
        to.check_online()?;
        let leftovers = self.future_directories(topic, partition);
        let name = future_directory_name(topic, partition, unique);
        let (config, id) = (current.config(), current.topic_id());
        let place = Place::new(Arc::clone(to), name);
        let expiration_ms = self.config.producer_id_expiration_ms;
        let shared = Arc::clone(current.shared_topic());
        let future =
            Arc::new(PartitionLog::create(place, shared, partition, id, config, expiration_ms, now_ms));
        // Puts it on disk as well, so that the next start finds it.
        future.truncate_fully_and_start_at(current.log_start_offset(), now_ms)?;
        to.add_future(Arc::clone(&future));
        for (directory, name) in leftovers {
            directory.delete_later(directory.path().join(name), true, now_ms);
        }
        Ok(future)
    }

    /// Ends a move; the log stays where it is. False if there was none.
    pub fn cancel_move(&self, topic: &str, partition: i32, unique: u128, now_ms: i64) -> bool {
        let _turn = self.creating.lock();
        self.drop_future(topic, partition, unique, now_ms)
    }

    pub(super) fn drop_future(&self, topic: &str, partition: i32, unique: u128, now_ms: i64) -> bool {
        let futures =
            self.directories.iter().filter_map(|directory| directory.remove_future(topic, partition));
        let futures: Vec<_> = futures.collect();
        for future in &futures {
            if let Err(error) = future.delete(unique, now_ms, 0) {
                tracing::error!(topic, partition, %error, "cannot delete the copy of a log");
            }
        }
        !futures.is_empty()
    }

    /// Lets the copy take the log's place. The caller has seen to it that nobody appends to the log and that the copy holds
    /// all of it.
    ///
    /// # Errors
    /// A disk that fails. Up to the renaming of the copy the log goes on where it was.
    pub fn complete_move(
        &self,
        topic: &str,
        partition: i32,
        unique: u128,
        now_ms: i64,
    ) -> Result<Arc<PartitionLog>, StorageError> {
        let _turn = self.creating.lock();
        let missing = || StorageError::Closed(format!("{topic}-{partition}"));
        let future = self.future_log(topic, partition).ok_or_else(missing)?;
        let current = self.log(topic, partition).ok_or_else(missing)?;
        future.advance_log_start_offset(current.log_start_offset())?;
        future.set_high_watermark(current.high_watermark());
        future.flush()?;
        let (from, to) = (current.directory(), Arc::clone(future.directory()));
        to.forget_before_create(topic, partition)?;
        remove_mark(from, &from.path().join(partition_directory_name(topic, partition)))?;
        write_mark(&to, &future.path())?;
        future.take_name(partition_directory_name(topic, partition))?;
        self.forget(&current);
        to.remove_future(topic, partition);
        to.add_log(Arc::clone(&future));
        // Altered while it was on its way.
        future.set_config(current.config());
        // Readers of the old log have its files open.
        let delay_ms = current.config().file_delete_delay_ms;
        if let Err(error) = current.delete(unique, now_ms, delay_ms) {
            // Its directory is offline now; the mark tells the next start which of them goes on.
            tracing::error!(topic, partition, %error, "the log has moved, but the old one cannot be deleted");
            return Ok(future);
        }
        if let Err(error) = remove_mark(&to, &future.path()) {
            tracing::error!(topic, partition, %error, "the log has moved, and its directory has failed");
        }
        Ok(future)
    }

    /// The moves that the last run did not finish; to be begun anew, or ended with [`LogManager::cancel_move`].
    pub fn unfinished_moves(&self) -> Vec<UnfinishedMove> {
        let mut found = BTreeMap::new();
        for directory in self.directories.iter().filter(|directory| !directory.is_offline()) {
            for (topic, partition) in
                future_names(directory).into_iter().filter_map(|name| parse_future_directory(&name))
            {
                found.insert((topic, partition), Arc::clone(directory));
            }
        }
        let moves = found.into_iter().filter(|((topic, partition), directory)| {
            let current = self.log(topic, *partition);
            current.is_some_and(|current| !Arc::ptr_eq(current.directory(), directory))
        });
        moves.map(|((topic, partition), directory)| UnfinishedMove { topic, partition, directory }).collect()
    }

    fn future_directories(&self, topic: &str, partition: i32) -> Vec<(Arc<LogDirectory>, String)> {
        let mut found = Vec::new();
        for directory in self.directories.iter().filter(|directory| !directory.is_offline()) {
            let names = future_names(directory).into_iter();
            let of_it = names.filter(|name| {
                parse_future_directory(name)
                    .is_some_and(|(named, index)| named == topic && index == partition)
            });
            found.extend(of_it.map(|name| (Arc::clone(directory), name)));
        }
        found
    }

    /// Ends the moves that a crash has cut between the renaming of the copy and the deletion of the log.
    pub(super) fn settle_moves(&self) -> Result<(), StorageError> {
        let mut places: BTreeMap<String, Vec<&Arc<LogDirectory>>> = BTreeMap::new();
        let online: Vec<_> = self.directories.iter().filter(|directory| !directory.is_offline()).collect();
        if online.len() < 2 {
            return Ok(());
        }
        for directory in online {
            // A directory that cannot be listed is reported where its logs are loaded.
            for entry in directory.disk().list(directory.path()).unwrap_or_default() {
                let parsed = parse_partition_directory(&entry.name);
                if matches!(parsed, PartitionDirectory::Log { topic, .. } if topic != CLUSTER_METADATA_TOPIC)
                {
                    places.entry(entry.name).or_default().push(directory);
                }
            }
        }
        for (name, directories) in places.into_iter().filter(|(_, directories)| directories.len() > 1) {
            let is_marked = |directory: &Arc<LogDirectory>| {
                let mark = directory.path().join(&name).join(TAKING_OVER_FILE);
                directory.disk().entry(&mark).is_ok_and(|found| found.is_some())
            };
            let Some(winner) = directories.iter().find(|directory| is_marked(directory)) else { continue };
            for directory in directories.iter().filter(|directory| !Arc::ptr_eq(directory, winner)) {
                end_directory(directory, &name)?;
            }
            remove_mark(winner, &winner.path().join(&name))?;
        }
        Ok(())
    }
}

fn end_directory(directory: &Arc<LogDirectory>, name: &str) -> Result<(), StorageError> {
    let PartitionDirectory::Log { topic, partition } = parse_partition_directory(name) else { return Ok(()) };
    let (from, to) =
        (directory.path().join(name), directory.path().join(deleting_directory_name(&topic, partition, 0)));
    tracing::info!(directory = %from.display(), "has moved to another log directory");
    let disk = directory.disk();
    let renamed = disk.rename(&from, &to).and_then(|()| disk.sync_dir(directory.path()));
    renamed.map_err(|error| directory.fail(StorageError::io("rename", &from, error)))
}

fn write_mark(directory: &LogDirectory, path: &Path) -> Result<(), StorageError> {
    let mark = path.join(TAKING_OVER_FILE);
    let disk = directory.disk();
    let written = disk.open(&mark, OpenMode::Truncate).and_then(|file| {
        write_all_at(&*file, 0, &[b"0\n"]).map_err(|failure| failure.source)?;
        file.sync_data()?;
        disk.sync_dir(path)
    });
    written.map_err(|error| directory.fail(StorageError::io("write", &mark, error)))
}

fn remove_mark(directory: &LogDirectory, path: &Path) -> Result<(), StorageError> {
    let mark = path.join(TAKING_OVER_FILE);
    let disk = directory.disk();
    match disk.remove_file(&mark).and_then(|()| disk.sync_dir(path)) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(directory.fail(StorageError::io("remove", &mark, error))),
    }
}

fn future_names(directory: &LogDirectory) -> Vec<String> {
    let open: Vec<String> = directory.future_names();
    let entries = directory.disk().list(directory.path()).unwrap_or_default().into_iter();
    let is_left = |name: &String| parse_future_directory(name).is_some() && !open.contains(name);
    entries.filter(|entry| entry.is_directory).map(|entry| entry.name).filter(is_left).collect()
}
