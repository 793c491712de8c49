//! `.kafka_cleanshutdown`: proof of a clean stop, with the broker epoch it ended (KIP-966).
//!
//! The marker is removed as soon as it was read, so that a crash later in the same run is seen as one.

use std::io;
use std::path::Path;

use crate::disk::{Disk, read_small_file, replace_file};
use crate::error::StorageError;
use crate::file_names::CLEAN_SHUTDOWN_FILE;

const MARKER_BYTES_MAX: u64 = 4096;

/// What the last run left in a log directory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LastShutdown {
    /// Whether the marker was there.
    pub was_clean: bool,
    /// The broker epoch of the last run, if the marker names one.
    pub broker_epoch: Option<i64>,
}

/// The marker's text.
pub fn encode(broker_epoch: i64) -> String {
    format!("{{\"version\":0,\"brokerEpoch\":{broker_epoch}}}")
}

/// The broker epoch in a marker. Kafka reads an unreadable marker as one without an epoch.
pub fn decode(text: &str) -> Option<i64> {
    let (_, rest) = text.split_once("\"brokerEpoch\"")?;
    let rest = rest.trim_start().strip_prefix(':')?.trim_start();
    let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '-')).unwrap_or(rest.len());
    rest[..end].parse().ok()
}

/// Reads and removes the marker of a log directory; the removal is durable on return.
pub(crate) fn take(disk: &dyn Disk, directory: &Path) -> Result<LastShutdown, StorageError> {
    let path = directory.join(CLEAN_SHUTDOWN_FILE);
    let text = match read_small_file(disk, &path, MARKER_BYTES_MAX) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(LastShutdown::default()),
        Err(error) => return Err(StorageError::io("read", &path, error)),
    };
    disk.remove_file(&path).map_err(|error| StorageError::io("remove", &path, error))?;
    disk.sync_dir(directory).map_err(|error| StorageError::io("sync", directory, error))?;
    Ok(LastShutdown { was_clean: true, broker_epoch: decode(&String::from_utf8_lossy(&text)) })
}

/// Writes the marker; everything it vouches for must be durable before.
pub(crate) fn write(disk: &dyn Disk, directory: &Path, broker_epoch: i64) -> Result<(), StorageError> {
    let path = directory.join(CLEAN_SHUTDOWN_FILE);
    replace_file(disk, &path, encode(broker_epoch).as_bytes())
        .map_err(|error| StorageError::io("write", &path, error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::SimDisk;

    #[test]
    fn a_marker_is_read_once() {
        assert_eq!(encode(17), r#"{"version":0,"brokerEpoch":17}"#);
        assert_eq!(decode(r#"{ "brokerEpoch" : -1 , "version":0 }"#), Some(-1));
        assert_eq!(decode(r#"{"version":0}"#), None);
        let disk = SimDisk::new();
        let directory = Path::new("/d");
        disk.create_dir_all(directory).expect("create");
        write(&disk, directory, 17).expect("write");
        let first = take(&disk, directory).expect("take");
        assert_eq!(first, LastShutdown { was_clean: true, broker_epoch: Some(17) });
        assert_eq!(take(&disk, directory).expect("take"), LastShutdown::default());
    }
}
