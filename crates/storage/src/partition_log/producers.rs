//! Producer state of a log on its disk: snapshots, replay, and the index of aborted transactions.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use records::{BatchHeader, EndTransactionMarker};
use replica::{AppendedBatch, CompletedTransaction, ProducerStates, TransactionMarker};

use super::{LogState, PartitionLog};
use crate::disk::{OpenMode, read_small_file, write_all_at};
use crate::error::StorageError;
use crate::file_names::{LogFileKind, log_file_path};
use crate::segment::Segment;
use crate::segment::header_scan::HeaderScan;
use crate::segment::lookup::read_range;
use crate::transaction_index::{self, AbortedEntry, ENTRY_BYTES};

/// More than a snapshot of a million producers needs.
const SNAPSHOT_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// A marker's record is a few dozen bytes.
const MARKER_BYTES_MAX: usize = 4096;

/// A batch as producer state sees it; `tail` is what follows its header.
pub(super) fn producer_batch<'a>(header: &'a BatchHeader, tail: &Bytes) -> AppendedBatch<'a> {
    let is_marker = header.is_control() && header.has_producer_id();
    AppendedBatch { header, marker: if is_marker { parse_marker(header, tail) } else { None } }
}

fn parse_marker(header: &BatchHeader, tail: &Bytes) -> Option<TransactionMarker> {
    let mut bytes = Vec::with_capacity(records::BATCH_OVERHEAD + tail.len());
    bytes.extend_from_slice(&header.to_bytes());
    bytes.extend_from_slice(tail);
    let batch = records::Batch { header: *header, bytes: Bytes::from(bytes) };
    let record = batch.records(MARKER_BYTES_MAX).ok()?.next()?.ok()?;
    let marker = EndTransactionMarker::parse(&record).ok()??;
    Some(TransactionMarker { marker, timestamp: record.timestamp })
}

impl PartitionLog {
    /// Writes the producer state before `offset`, once. The file is synced before a recovery point passes it.
    pub(super) fn take_producer_snapshot(
        &self,
        state: &mut LogState,
        offset: i64,
    ) -> Result<(), StorageError> {
        if state.snapshots.last() == Some(&offset) {
            return Ok(());
        }
        let path = log_file_path(&self.place.path(), offset, LogFileKind::ProducerSnapshot);
        let bytes = state.producers.encode_snapshot();
        let written = self
            .directory()
            .disk()
            .open(&path, OpenMode::Truncate)
            .and_then(|file| write_all_at(file.as_ref(), 0, &[&bytes]).map_err(|failure| failure.source));
        written.map_err(|source| self.refused_write("write", &path, source))?;
        self.names_are_unsynced.store(true, std::sync::atomic::Ordering::Release);
        state.snapshots.push(offset);
        state.unsynced_snapshots.push(offset);
        Ok(())
    }

    /// Removes the snapshots with an offset that `goes`.
    pub(super) fn remove_snapshots(
        &self,
        state: &mut LogState,
        goes: impl Fn(i64) -> bool,
    ) -> Result<(), StorageError> {
        let directory = self.place.path();
        for offset in state.snapshots.extract_if(.., |offset| goes(*offset)) {
            let path = log_file_path(&directory, offset, LogFileKind::ProducerSnapshot);
            match self.directory().disk().remove_file(&path) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => {
                    return Err(self.write_error("remove", &path, source));
                }
                _ => {}
            }
        }
        state.unsynced_snapshots.retain(|offset| !goes(*offset));
        Ok(())
    }

    /// Builds the producer state at the log end offset from the newest usable snapshot at or below
    /// `snapshot_offset_max` and the batches after it. Aborted transactions that end at or after `reindex_from` go
    /// to the transaction indexes, which the caller has emptied from there on.
    pub(super) fn rebuild_producers(
        &self,
        state: &mut LogState,
        snapshot_offset_max: i64,
        reindex_from: i64,
        now_ms: i64,
    ) -> Result<(), StorageError> {
        let log_start_offset = self.log_start_offset();
        let mut from = log_start_offset;
        state.producers.clear(log_start_offset);
        while let Some(offset) =
            state.snapshots.iter().rev().copied().find(|offset| *offset <= snapshot_offset_max)
        {
            if offset < log_start_offset {
                break;
            }
            let path = log_file_path(&self.place.path(), offset, LogFileKind::ProducerSnapshot);
            let bytes = read_small_file(self.directory().disk(), &path, SNAPSHOT_BYTES_MAX);
            match bytes
                .map_err(|error| error.to_string())
                .and_then(|bytes| ProducerStates::decode_snapshot(&bytes).map_err(|error| error.to_string()))
            {
                Ok(states) => {
                    state.producers.load(states, offset, now_ms, self.producer_id_expiration_ms);
                    from = offset;
                    break;
                }
                Err(reason) => {
                    tracing::warn!(snapshot = %path.display(), reason, "unusable producer snapshot, taking an older one");
                    self.remove_snapshots(state, |other| other == offset)?;
                }
            }
        }
        self.replay(state, from, reindex_from)?;
        state.producers.set_map_end_offset(self.log_end_offset());
        state.producers.on_high_watermark_updated(self.high_watermark());
        self.publish_first_unstable_offset(state);
        Ok(())
    }

    fn replay(&self, state: &mut LogState, from: i64, reindex_from: i64) -> Result<(), StorageError> {
        for segment in self.segments().iter().filter(|segment| segment.next_offset() > from) {
            let Some(first) = segment.find_offset(&self.place, from)? else { continue };
            let file = segment
                .file(&self.place, LogFileKind::Log)
                .map_err(|error| segment.io_error(&self.place, LogFileKind::Log, error))?;
            let mut scan = HeaderScan::new(file.as_ref(), first.position, segment.size());
            while let Some(batch) = scan.next().map_err(|error| segment.scan_error(&self.place, error))? {
                if !batch.header.has_producer_id() {
                    continue;
                }
                let tail = if batch.header.is_control() {
                    let start = batch.position + records::BATCH_OVERHEAD as u32;
                    let length = batch.header.size_in_bytes() - records::BATCH_OVERHEAD;
                    read_range(file.as_ref(), start, length)
                        .map_err(|error| segment.io_error(&self.place, LogFileKind::Log, error))?
                } else {
                    Bytes::new()
                };
                let update = state.producers.prepare_replicated([producer_batch(&batch.header, &tail)]);
                let mut completed = state.producers.apply(update);
                completed.retain(|transaction| transaction.last_offset >= reindex_from);
                self.index_aborted_in(segment, &completed)?;
            }
        }
        Ok(())
    }

    /// Adds the aborted ones of `completed` to the active segment's transaction index.
    pub(super) fn index_aborted_transactions(
        &self,
        completed: &[CompletedTransaction],
    ) -> Result<(), StorageError> {
        if !completed.iter().any(|transaction| transaction.is_aborted) {
            return Ok(());
        }
        match self.active_segment() {
            Some(segment) => self.index_aborted_in(&segment, completed),
            None => Ok(()),
        }
    }

    fn index_aborted_in(
        &self,
        segment: &Arc<Segment>,
        completed: &[CompletedTransaction],
    ) -> Result<(), StorageError> {
        for transaction in completed.iter().filter(|transaction| transaction.is_aborted) {
            let entry = AbortedEntry {
                producer_id: transaction.producer_id,
                first_offset: transaction.first_offset,
                last_offset: transaction.last_offset,
                last_stable_offset: transaction.last_stable_offset,
            };
            let written = segment.file(&self.place, LogFileKind::TransactionIndex).and_then(|file| {
                let end = file.length()? / ENTRY_BYTES as u64 * ENTRY_BYTES as u64;
                write_all_at(file.as_ref(), end, &[&transaction_index::encode(&entry)])
                    .map_err(|failure| failure.source)
            });
            written.map_err(|source| {
                let path = segment.path(&self.place, LogFileKind::TransactionIndex);
                self.write_error("append to", &path, source)
            })?;
            segment.mark_unsynced(LogFileKind::TransactionIndex);
            segment.set_has_transaction_index(true);
        }
        Ok(())
    }

    /// Runs `ask` on the producer state, for DescribeProducers and the verification of transactions.
    pub fn with_producer_states<R>(&self, ask: impl FnOnce(&ProducerStates) -> R) -> R {
        ask(&self.state.lock().producers)
    }

    /// Forgets producers that were silent for `producer.id.expiration.ms`.
    pub fn remove_expired_producers(&self, now_ms: i64) {
        self.state.lock().producers.remove_expired(now_ms, self.producer_id_expiration_ms);
    }
}
