//! The snapshots of the metadata log: `<end offset>-<epoch>.checkpoint`, several of them until retention lets go.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::Mutex;
use protocol::metadata_records::MetadataRecord;
use storage::disk::{DirectoryEntry, Disk, OpenMode};
use tokio::sync::Notify;

use crate::{
    error::QuorumError,
    index::Purged,
    snapshot_file::SnapshotFile,
    snapshot_format,
    type_config::{LogId, SnapshotMeta, epoch_of},
};

const SUFFIX: &str = ".checkpoint";
const PART_SUFFIX: &str = ".checkpoint.part";
/// A snapshot that is being received has no name of its own yet.
const RECEIVING: &str = "receiving.checkpoint.part";

/// One complete snapshot of ours.
#[derive(Debug, Clone)]
pub(crate) struct StoredSnapshot {
    pub meta: SnapshotMeta,
    pub last_log_id: LogId,
    /// Offset behind the last record it covers.
    pub end_offset: i64,
    pub last_contained_log_timestamp: i64,
    pub size_in_bytes: u64,
}

impl StoredSnapshot {
    pub fn as_purged(&self) -> Purged {
        Purged { log_id: self.last_log_id, end_offset: self.end_offset }
    }
}

/// All of them, oldest first.
#[derive(Debug)]
pub(crate) struct SnapshotStore {
    disk: Arc<dyn Disk>,
    directory: PathBuf,
    snapshots: Mutex<Vec<StoredSnapshot>>,
    added: Notify,
}

/// Kafka's name of a snapshot, without its suffix; also its id towards openraft.
pub(crate) fn snapshot_id(end_offset: i64, epoch: i32) -> String {
    format!("{end_offset:020}-{epoch:010}")
}

fn parse_id(id: &str) -> Option<(i64, i32)> {
    let (end_offset, epoch) = id.split_once('-')?;
    let is_padded = end_offset.len() == 20 && epoch.len() == 10;
    is_padded.then_some((end_offset.parse().ok()?, epoch.parse().ok()?))
}

/// The newest complete snapshot among a directory's entries, whoever wrote it: name, end offset, epoch.
pub(crate) fn newest_file(entries: &[DirectoryEntry]) -> Option<(&str, i64, i32)> {
    let ids = entries.iter().filter_map(|entry| {
        let (end_offset, epoch) = parse_id(entry.name.strip_suffix(SUFFIX)?)?;
        Some((entry.name.as_str(), end_offset, epoch))
    });
    ids.max_by_key(|(_, end_offset, epoch)| (*end_offset, *epoch))
}

/// The complete snapshots among a directory's entries, oldest first: name and end offset.
pub(crate) fn snapshot_files(entries: &[DirectoryEntry]) -> Vec<(&str, i64)> {
    let ids = entries.iter().filter_map(|entry| {
        let (end_offset, _) = parse_id(entry.name.strip_suffix(SUFFIX)?)?;
        Some((entry.name.as_str(), end_offset))
    });
    let mut files: Vec<_> = ids.collect();
    files.sort_by_key(|(_, end_offset)| *end_offset);
    files
}

impl SnapshotStore {
    /// One that writes and has not looked at what there is.
    pub fn unlisted(disk: Arc<dyn Disk>, directory: PathBuf) -> Self {
        Self { disk, directory, snapshots: Mutex::default(), added: Notify::new() }
    }

    /// Lists what is there and removes what a crash left unfinished.
    pub fn open(disk: Arc<dyn Disk>, directory: PathBuf) -> Result<Self, QuorumError> {
        let store = Self::unlisted(disk, directory);
        let entries = store.disk.list(&store.directory);
        let entries = entries.map_err(|error| QuorumError::io("list", &store.directory, &error))?;
        let mut found = Vec::new();
        for entry in entries {
            let path = store.directory.join(&entry.name);
            if entry.name.ends_with(PART_SUFFIX) {
                store.disk.remove_file(&path).map_err(|error| QuorumError::io("remove", &path, &error))?;
            } else if let Some((end_offset, epoch)) = entry.name.strip_suffix(SUFFIX).and_then(parse_id) {
                let file = store.disk.open(&path, OpenMode::Read);
                let file = file.map_err(|error| QuorumError::io("open", &path, &error))?;
                let header = snapshot_format::read_header(&*file, &path)?;
                // Without our part it is Kafka's (the one a directory is formatted with).
                let Some(meta) = header.meta else { continue };
                let last_log_id = meta.last_log_id.filter(|log_id| epoch_of(log_id) == epoch);
                let last_log_id = last_log_id.ok_or_else(|| {
                    QuorumError::corrupt(format!("{}: header and name differ", path.display()))
                })?;
                found.push(StoredSnapshot {
                    meta,
                    last_log_id,
                    end_offset,
                    last_contained_log_timestamp: header.last_contained_log_timestamp,
                    size_in_bytes: entry.length,
                });
            }
        }
        found.sort_by_key(|snapshot| snapshot.end_offset);
        *store.snapshots.lock() = found;
        Ok(store)
    }

    pub fn newest(&self) -> Option<StoredSnapshot> {
        self.snapshots.lock().last().cloned()
    }

    /// All, oldest first.
    pub fn list(&self) -> Vec<StoredSnapshot> {
        self.snapshots.lock().clone()
    }

    /// Where the log continues behind the snapshot that ends with `log_id`; waits until there is one.
    ///
    /// openraft purges behind a snapshot while it is still being installed; a log must not go before its snapshot
    /// is on disk.
    pub async fn wait_for(&self, log_id: LogId) -> Purged {
        loop {
            let added = self.added.notified();
            let found = self.list().into_iter().find(|snapshot| snapshot.last_log_id == log_id);
            match found {
                Some(snapshot) => return snapshot.as_purged(),
                None => added.await,
            }
        }
    }

    /// Writes a snapshot of the state after `end_offset`.
    pub fn write(
        &self,
        meta: SnapshotMeta,
        end_offset: i64,
        last_contained_log_timestamp: i64,
        now_ms: i64,
        records: impl Iterator<Item = MetadataRecord>,
    ) -> Result<(), QuorumError> {
        let part = self.directory.join(format!("{}{PART_SUFFIX}", meta.snapshot_id));
        let file = self.disk.open(&part, OpenMode::Truncate);
        let file = file.map_err(|error| QuorumError::io("create", &part, &error))?;
        let size_in_bytes =
            snapshot_format::write(&*file, &part, &meta, last_contained_log_timestamp, now_ms, records)?;
        self.complete(&part, meta, end_offset, last_contained_log_timestamp, size_in_bytes)
    }

    /// An empty file for a snapshot from the leader.
    pub fn receive(&self) -> Result<SnapshotFile, QuorumError> {
        let path = self.directory.join(RECEIVING);
        let file = self.disk.open(&path, OpenMode::Truncate);
        Ok(SnapshotFile::new(file.map_err(|error| QuorumError::io("create", &path, &error))?, path))
    }

    /// Checks a received snapshot, keeps it, and returns its content.
    pub fn install(
        &self,
        meta: &SnapshotMeta,
        received: &SnapshotFile,
    ) -> Result<(StoredSnapshot, Vec<MetadataRecord>), QuorumError> {
        let (header, records) = snapshot_format::read(&received.file, &received.path)?;
        let (end_offset, _) = parse_id(&meta.snapshot_id)
            .ok_or_else(|| QuorumError::corrupt(format!("{} is no snapshot's id", meta.snapshot_id)))?;
        if header.meta.as_ref() != Some(meta) {
            return Err(QuorumError::corrupt(format!(
                "snapshot {} is not the one announced",
                meta.snapshot_id
            )));
        }
        let io = |error| QuorumError::io("sync", &received.path, &error);
        received.file.sync_data().map_err(io)?;
        let size_in_bytes = received.file.length().map_err(io)?;
        let timestamp = header.last_contained_log_timestamp;
        self.complete(&received.path, meta.clone(), end_offset, timestamp, size_in_bytes)?;
        let stored = self.list().into_iter().find(|snapshot| snapshot.meta == *meta);
        let stored =
            stored.ok_or_else(|| QuorumError::corrupt(format!("{} has no last entry", meta.snapshot_id)))?;
        Ok((stored, records))
    }

    fn complete(
        &self,
        part: &Path,
        meta: SnapshotMeta,
        end_offset: i64,
        last_contained_log_timestamp: i64,
        size_in_bytes: u64,
    ) -> Result<(), QuorumError> {
        let path = self.directory.join(format!("{}{SUFFIX}", meta.snapshot_id));
        self.disk.rename(part, &path).map_err(|error| QuorumError::io("name", &path, &error))?;
        let synced = self.disk.sync_dir(&self.directory);
        synced.map_err(|error| QuorumError::io("sync", &self.directory, &error))?;
        if let Some(last_log_id) = meta.last_log_id {
            let mut snapshots = self.snapshots.lock();
            snapshots.retain(|snapshot| snapshot.end_offset != end_offset);
            snapshots.push(StoredSnapshot {
                meta,
                last_log_id,
                end_offset,
                last_contained_log_timestamp,
                size_in_bytes,
            });
            snapshots.sort_by_key(|snapshot| snapshot.end_offset);
        }
        self.added.notify_waiters();
        Ok(())
    }

    /// Opens a snapshot to be sent.
    pub fn open_file(&self, snapshot: &StoredSnapshot) -> Result<SnapshotFile, QuorumError> {
        let path = self.directory.join(format!("{}{SUFFIX}", snapshot.meta.snapshot_id));
        let file = self.disk.open(&path, OpenMode::Read);
        Ok(SnapshotFile::new(file.map_err(|error| QuorumError::io("open", &path, &error))?, path))
    }

    /// Reads a snapshot of ours.
    pub fn load(&self, snapshot: &StoredSnapshot) -> Result<Vec<MetadataRecord>, QuorumError> {
        let file = self.open_file(snapshot)?;
        Ok(snapshot_format::read(&file.file, &file.path)?.1)
    }

    /// Deletes the oldest snapshot, never the last one.
    pub fn delete_oldest(&self) -> Result<(), QuorumError> {
        let mut snapshots = self.snapshots.lock();
        if snapshots.len() < 2 {
            return Ok(());
        }
        let path = self.directory.join(format!("{}{SUFFIX}", snapshots[0].meta.snapshot_id));
        self.disk.remove_file(&path).map_err(|error| QuorumError::io("remove", &path, &error))?;
        snapshots.remove(0);
        Ok(())
    }
}
