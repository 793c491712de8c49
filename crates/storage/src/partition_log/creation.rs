//! A new log: it is on disk from its first record on.
//!
//! A partition without records has nothing that the metadata log does not know, so that creating many of them costs no
//! directory, and a restart none to list.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use config::TopicConfig;
use protocol::Uuid;

use super::PartitionLog;
use crate::disk::{OpenMode, write_all_at};
use crate::error::StorageError;
use crate::file_names::PARTITION_METADATA_FILE;
use crate::partition_metadata;
use crate::place::Place;

impl PartitionLog {
    /// A log without records, of which nothing is on disk yet.
    pub(crate) fn create(
        place: Place,
        topic: Arc<str>,
        partition: i32,
        topic_id: Option<Uuid>,
        config: Arc<TopicConfig>,
        producer_id_expiration_ms: i64,
        now_ms: i64,
    ) -> PartitionLog {
        let log = PartitionLog::empty(place, topic, partition, config, producer_id_expiration_ms, now_ms);
        *log.topic_id.lock() = topic_id;
        log
    }

    /// Whether the log has a directory. One that has none holds nothing and never has.
    pub fn is_on_disk(&self) -> bool {
        self.is_on_disk.load(Ordering::Acquire)
    }

    /// Makes the log's directory unless it is there; the caller holds the state. It is synced together with what comes first.
    pub(super) fn put_on_disk(&self) -> Result<(), StorageError> {
        if self.is_on_disk() {
            return Ok(());
        }
        let path = self.place.path();
        let disk = self.directory().disk();
        let created = disk.create_dir_all(&path).and_then(|()| match self.topic_id() {
            Some(topic_id) => {
                let file = disk.open(&path.join(PARTITION_METADATA_FILE), OpenMode::Truncate)?;
                write_all_at(file.as_ref(), 0, &[partition_metadata::encode(topic_id).as_bytes()])
                    .map_err(|failure| failure.source)
            }
            None => Ok(()),
        });
        created.map_err(|source| self.refused_write("create", &path, source))?;
        self.names_are_unsynced.store(true, Ordering::Release);
        self.parent_is_unsynced.store(true, Ordering::Release);
        self.is_on_disk.store(true, Ordering::Release);
        Ok(())
    }
}
