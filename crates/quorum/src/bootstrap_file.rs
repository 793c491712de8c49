//! The first records of a cluster as `kafka-storage format` leaves them.

use std::path::Path;
use std::sync::Arc;

use protocol::metadata_records::MetadataRecord;
use storage::disk::{Disk, OpenMode};

use crate::error::QuorumError;
use crate::snapshot_format;

/// Since Kafka 4.4, in the folder of the metadata log.
const FIRST_SNAPSHOT: &str = "00000000000000000000-0000000000.checkpoint";
/// Before, in the log directory.
const BOOTSTRAP_CHECKPOINT: &str = "bootstrap.checkpoint";

/// The records a log directory was formatted with; `None` where it was not formatted, or with none. They count only
/// while the metadata log is empty.
///
/// # Errors
/// A file that is damaged, or that names voters other than `node_id`.
pub fn read_bootstrap_records(
    disk: &Arc<dyn Disk>,
    log_directory: &Path,
    node_id: i32,
) -> Result<Option<Vec<MetadataRecord>>, QuorumError> {
    let snapshot = log_directory.join("__cluster_metadata-0").join(FIRST_SNAPSHOT);
    for path in [snapshot, log_directory.join(BOOTSTRAP_CHECKPOINT)] {
        if disk.entry(&path).map_err(|error| QuorumError::io("read", &path, &error))?.is_none() {
            continue;
        }
        let file =
            disk.open(&path, OpenMode::Read).map_err(|error| QuorumError::io("open", &path, &error))?;
        let content = snapshot_format::read_content(&file, &path)?;
        let others: Vec<String> = content
            .voters
            .iter()
            .flat_map(|voters| voters.voter_ids())
            .filter(|id| *id != node_id)
            .map(|id| id.to_string())
            .collect();
        if !others.is_empty() {
            return Err(QuorumError::Storage(format!(
                "{} names voters other than node {node_id}: {}; this build runs a quorum of one",
                path.display(),
                others.join(", ")
            )));
        }
        if !content.records.is_empty() {
            return Ok(Some(content.records));
        }
    }
    Ok(None)
}
