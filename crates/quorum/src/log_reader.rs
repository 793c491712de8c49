//! Entries read back: from memory where they are recent, else from the segments.

use std::{
    fmt::Debug,
    ops::{Bound, RangeBounds},
    os::unix::fs::FileExt,
};

use bytes::Bytes;
use openraft::{ErrorSubject, ErrorVerb, OptionalSend, RaftLogReader};
use protocol::{Records, RecordsPart};
use records::Batch;
use storage::PartitionLog;

use crate::{
    control_batches::payload_of,
    entry::LogEntry,
    error::{QuorumError, storage_error},
    log_store::LogStore,
    type_config::{StorageError, TypeConfig, log_id},
};

/// Bytes of one read of the log, and about of one message to a follower.
const READ_BYTES: usize = 1024 * 1024;

/// Calls `visit` with every batch of the log, in order.
pub(crate) fn for_each_batch(
    log: &PartitionLog,
    mut visit: impl FnMut(&Batch) -> Result<(), QuorumError>,
) -> Result<(), QuorumError> {
    let mut offset = log.log_start_offset();
    while offset < log.log_end_offset() {
        let bytes = read_from(log, offset, log.log_end_offset())?;
        let start = offset;
        for batch in records::batches(&bytes) {
            let batch = batch?;
            if batch.header.next_offset() > offset {
                visit(&batch)?;
                offset = batch.header.next_offset();
            }
        }
        if offset == start {
            return Err(QuorumError::corrupt(format!("nothing can be read at offset {offset}")));
        }
    }
    Ok(())
}

/// Whole batches from the one that holds `offset` on.
fn read_from(log: &PartitionLog, offset: i64, end_offset: i64) -> Result<Bytes, QuorumError> {
    let read = log.read(offset, READ_BYTES, end_offset, true);
    in_memory(read.map_err(|error| QuorumError::corrupt(error.to_string()))?.records)
}

fn in_memory(records: Records) -> Result<Bytes, QuorumError> {
    if let Some(bytes) = records.to_bytes() {
        return Ok(bytes);
    }
    let mut bytes = Vec::with_capacity(records.len());
    for part in &records.parts {
        match part {
            RecordsPart::Bytes(part) => bytes.extend_from_slice(part),
            RecordsPart::Region(region) => {
                let start = bytes.len();
                bytes.resize(start + region.length, 0);
                let read = region.file.read_exact_at(&mut bytes[start..], region.position);
                read.map_err(|error| QuorumError::corrupt(format!("cannot read the metadata log: {error}")))?;
            }
        }
    }
    Ok(Bytes::from(bytes))
}

impl LogStore {
    /// Entries of `start..end` as far as they are present.
    fn entries(&self, start: u64, end: u64, bytes_max: usize) -> Result<Vec<LogEntry>, QuorumError> {
        let mut entries = Vec::new();
        let mut next = self.with_state(|state| start.max(state.index.first_index()));
        let end = self.with_state(|state| end.min(state.index.next_index()));
        let mut left = bytes_max;
        while next < end && (left > 0 || entries.is_empty()) {
            let recent = self.with_state(|state| state.recent_batch(next));
            let bytes = match recent {
                Some(batch) => batch,
                None => {
                    let place = self.with_state(|state| state.index.get(next).copied());
                    let place = place.ok_or_else(|| QuorumError::corrupt(format!("entry {next} is gone")))?;
                    read_from(
                        self.log(),
                        place.base_offset,
                        self.with_state(|state| state.index.end_offset()),
                    )?
                }
            };
            let before = next;
            for batch in records::batches(&bytes) {
                let batch = batch?;
                let expected = self.with_state(|state| state.index.get(next).copied());
                if next >= end || expected.is_none_or(|entry| entry.base_offset != batch.header.base_offset) {
                    break;
                }
                left = left.saturating_sub(batch.bytes.len());
                let payload = payload_of(&batch)?;
                let log_id = log_id(batch.header.partition_leader_epoch, next);
                entries.push(LogEntry { log_id, payload, batch: batch.bytes });
                next += 1;
            }
            if next == before {
                return Err(QuorumError::corrupt(format!("entry {next} cannot be read")));
            }
        }
        Ok(entries)
    }
}

impl RaftLogReader<TypeConfig> for LogStore {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Result<Vec<LogEntry>, StorageError> {
        let start = match range.start_bound() {
            Bound::Included(start) => *start,
            Bound::Excluded(start) => start.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(end) => end.saturating_add(1),
            Bound::Excluded(end) => *end,
            Bound::Unbounded => u64::MAX,
        };
        let entries = self.entries(start, end, usize::MAX);
        entries.map_err(|error| storage_error(ErrorSubject::LogIndex(start), ErrorVerb::Read, error))
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> Result<Vec<LogEntry>, StorageError> {
        let entries = self.entries(start, end, READ_BYTES);
        entries.map_err(|error| storage_error(ErrorSubject::LogIndex(start), ErrorVerb::Read, error))
    }
}
