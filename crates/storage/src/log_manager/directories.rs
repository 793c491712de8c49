//! Taking log directories into use and giving them back.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use protocol::Uuid;

use super::LogManagerConfig;
use crate::clean_shutdown;
use crate::disk::{Disk, DiskLock, read_small_file, replace_file};
use crate::error::StorageError;
use crate::file_cache::FileCache;
use crate::file_names::{LOCK_FILE, META_PROPERTIES_FILE};
use crate::journal::{self, Journal};
use crate::log_directory::LogDirectory;
use crate::meta_properties::{self, MetaProperties};
use crate::sync_batch::SyncBatch;

const PROPERTIES_BYTES_MAX: u64 = 64 * 1024;

/// A directory that is there and ours alone.
struct Taken<'a> {
    path: &'a Path,
    lock: Box<dyn DiskLock>,
    properties: Option<MetaProperties>,
}

/// Opens every directory; returns the cluster id and the directories in the order given.
pub(super) fn open(
    disk: &Arc<dyn Disk>,
    config: &LogManagerConfig,
    files: &Arc<FileCache>,
    random_id: &mut dyn FnMut() -> Uuid,
) -> Result<(String, Vec<Arc<LogDirectory>>), StorageError> {
    let mut taken = Vec::new();
    for path in &config.directories {
        match take(disk.as_ref(), path) {
            Err(error @ StorageError::Io { .. }) if config.directories.len() > 1 => {
                taken.push(Err((path, error)))
            }
            Err(error) => return Err(error),
            Ok(directory) => taken.push(Ok(directory)),
        }
    }
    if !taken.iter().any(Result::is_ok) {
        return match taken.into_iter().find_map(Result::err) {
            Some((_, error)) => Err(error),
            None => Err(StorageError::Mismatch("there is no log directory".to_owned())),
        };
    }
    let found: Vec<_> = taken
        .iter()
        .flatten()
        .filter_map(|taken| taken.properties.as_ref().map(|p| (taken.path, p)))
        .collect();
    let cluster_id = agree(config, &found)?.unwrap_or_else(|| random_id().to_string());
    let mut directories = Vec::with_capacity(taken.len());
    for outcome in taken {
        directories.push(Arc::new(match outcome {
            Ok(taken) => identify(disk, taken, &cluster_id, config, files, random_id)?,
            Err((path, error)) => {
                let last = clean_shutdown::LastShutdown::default();
                let directory = LogDirectory::new(
                    Arc::clone(disk),
                    path.clone(),
                    Uuid::ZERO,
                    last,
                    Arc::clone(files),
                    None,
                    Journal::new(0),
                );
                directory.fail(error);
                directory
            }
        }));
    }
    Ok((cluster_id, directories))
}

fn take<'a>(disk: &dyn Disk, path: &'a Path) -> Result<Taken<'a>, StorageError> {
    create_durably(disk, path).map_err(|error| StorageError::io("create", path, error))?;
    let lock = disk.lock(&path.join(LOCK_FILE)).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => StorageError::Locked { path: path.to_owned() },
        _ => StorageError::io("lock", path, error),
    })?;
    Ok(Taken { path, lock, properties: read_properties(disk, &path.join(META_PROPERTIES_FILE))? })
}

/// Makes a directory and its missing parents, names included: what is synced inside must not hang in the air.
fn create_durably(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    let mut missing = Vec::new();
    for ancestor in path.ancestors().filter(|ancestor| !ancestor.as_os_str().is_empty()) {
        if disk.entry(ancestor)?.is_some() {
            break;
        }
        missing.push(ancestor);
    }
    disk.create_dir_all(path)?;
    for created in missing {
        let parent = created.parent().filter(|parent| !parent.as_os_str().is_empty());
        disk.sync_dir(parent.unwrap_or(Path::new(".")))?;
    }
    Ok(())
}

fn read_properties(disk: &dyn Disk, path: &Path) -> Result<Option<MetaProperties>, StorageError> {
    let bytes = match read_small_file(disk, path, PROPERTIES_BYTES_MAX) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StorageError::io("read", path, error)),
    };
    let properties: BTreeMap<String, String> =
        config::properties::parse(&bytes).map_err(|error| StorageError::damaged(path, error.to_string()))?;
    meta_properties::decode(&properties).map(Some).map_err(|reason| StorageError::damaged(path, reason))
}

/// The cluster id that configuration and directories agree on, if any names one.
fn agree(
    config: &LogManagerConfig,
    found: &[(&Path, &MetaProperties)],
) -> Result<Option<String>, StorageError> {
    let mut cluster_id = config.cluster_id.clone();
    for (path, properties) in found {
        let path = path.display();
        if properties.node_id != config.node_id {
            return Err(StorageError::Mismatch(format!(
                "log directory {path} belongs to node {}, but this is node {}: check node.id and log.dirs",
                properties.node_id, config.node_id
            )));
        }
        match &cluster_id {
            Some(expected) if *expected != properties.cluster_id => {
                return Err(StorageError::Mismatch(format!(
                    "log directory {path} belongs to cluster {}, but {expected} is expected",
                    properties.cluster_id
                )));
            }
            Some(_) => {}
            None => cluster_id = Some(properties.cluster_id.clone()),
        }
    }
    let mut ids: Vec<Uuid> = found.iter().filter_map(|(_, properties)| properties.directory_id).collect();
    ids.sort_unstable();
    if ids.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(StorageError::Mismatch("two log directories have the same directory.id".to_owned()));
    }
    Ok(cluster_id)
}

fn identify(
    disk: &Arc<dyn Disk>,
    taken: Taken<'_>,
    cluster_id: &str,
    config: &LogManagerConfig,
    files: &Arc<FileCache>,
    random_id: &mut dyn FnMut() -> Uuid,
) -> Result<LogDirectory, StorageError> {
    let known = taken.properties.as_ref().and_then(|properties| properties.directory_id);
    let id = match known {
        Some(id) => id,
        None => {
            let id = random_id();
            let properties = MetaProperties {
                cluster_id: cluster_id.to_owned(),
                node_id: config.node_id,
                directory_id: Some(id),
            };
            let path = taken.path.join(META_PROPERTIES_FILE);
            replace_file(disk.as_ref(), &path, meta_properties::encode(&properties).as_bytes())
                .map_err(|error| StorageError::io("write", &path, error))?;
            id
        }
    };
    let volume = disk.volume(taken.path).map_err(|error| StorageError::io("open", taken.path, error))?;
    journal::replay(disk.as_ref(), taken.path)?;
    let last_shutdown = clean_shutdown::take(disk.as_ref(), taken.path)?;
    let directory = LogDirectory::new(
        Arc::clone(disk),
        taken.path.to_owned(),
        id,
        last_shutdown,
        Arc::clone(files),
        Some((taken.lock, volume)),
        Journal::new(config.journal_bytes),
    );
    directory.read_checkpoints();
    directory.read_cleaner_offsets();
    Ok(directory)
}

/// Brings a directory to rest.
pub(super) fn close(directory: &LogDirectory, broker_epoch: i64) -> Result<(), StorageError> {
    let logs = directory.logs();
    let mut batch = SyncBatch::default();
    for log in &logs {
        log.prepare_close(&mut batch)?;
    }
    batch.commit(directory)?;
    logs.iter().for_each(|log| log.closed());
    directory.journal().close(directory)?;
    directory.checkpoint_recovery_points()?;
    directory.checkpoint_high_watermarks()?;
    directory.checkpoint_log_start_offsets()?;
    directory.delete_due(i64::MAX);
    if directory.has_unopened_logs() {
        tracing::warn!(
            directory = %directory.path().display(),
            "stopped without the mark of a clean stop, because logs in it could not be opened"
        );
        return Ok(());
    }
    clean_shutdown::write(directory.disk(), directory.path(), broker_epoch)
}
