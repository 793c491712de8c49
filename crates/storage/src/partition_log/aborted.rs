//! Which transactions in a range of a log were aborted, from indexes that the log must bear out.

use std::sync::Arc;

use super::PartitionLog;
use crate::error::StorageError;
use crate::file_names::LogFileKind;
use crate::segment::Segment;
use crate::segment::header_scan::ScannedBatch;
use crate::transaction_index::{self, AbortedEntry};

/// How many entries must say that no later one concerns a reader. One alone may be damaged: nothing else in the log
/// tells the last stable offset that it names.
const CONFIRMATIONS: u32 = 2;

/// An aborted transaction that a `read_committed` fetch must name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbortedTransaction {
    /// The producer.
    pub producer_id: i64,
    /// Offset of its first batch.
    pub first_offset: i64,
}

impl PartitionLog {
    /// The aborted transactions that a `read_committed` fetch of `start_offset..end_offset` must name, as Kafka
    /// collects them.
    pub fn aborted_transactions(
        &self,
        start_offset: i64,
        end_offset: i64,
    ) -> Result<Vec<AbortedTransaction>, StorageError> {
        let entries =
            self.while_swapped(|| self.aborted_entries(&self.segments(), start_offset, end_offset))?;
        let named = entries.into_iter().map(|entry| AbortedTransaction {
            producer_id: entry.producer_id,
            first_offset: entry.first_offset,
        });
        Ok(named.collect())
    }

    /// The entries of the transaction indexes that concern `start_offset..end_offset`.
    pub(super) fn aborted_entries(
        &self,
        segments: &[Arc<Segment>],
        start_offset: i64,
        end_offset: i64,
    ) -> Result<Vec<AbortedEntry>, StorageError> {
        let first = segments.partition_point(|segment| segment.base_offset <= start_offset).saturating_sub(1);
        let mut aborted = Vec::new();
        let mut confirmed = 0;
        for segment in segments[first..].iter().filter(|segment| segment.has_transaction_index()) {
            if confirmed >= CONFIRMATIONS {
                break;
            }
            if !segment.has_proven_transactions() {
                self.prove_transactions(segment)?;
            }
            self.visit_aborted(segment, |entry| {
                if entry.last_offset >= start_offset && entry.first_offset < end_offset {
                    aborted.push(entry);
                }
                confirmed += u32::from(entry.last_stable_offset >= end_offset);
                confirmed < CONFIRMATIONS
            })?;
        }
        Ok(aborted)
    }

    fn visit_aborted(
        &self,
        segment: &Arc<Segment>,
        visit: impl FnMut(AbortedEntry) -> bool,
    ) -> Result<(), StorageError> {
        let error = |error| segment.io_error(&self.place, LogFileKind::TransactionIndex, error);
        let file = segment.file(&self.place, LogFileKind::TransactionIndex).map_err(error)?;
        transaction_index::visit(file.as_ref(), visit).map_err(error)
    }

    /// Checks every entry against the log, once for each segment that was not written by this process: markers ascend,
    /// and both the marker and the first batch are there. Whole entries that are missing at the end leave no trace.
    fn prove_transactions(&self, segment: &Arc<Segment>) -> Result<(), StorageError> {
        let mut entries = Vec::new();
        self.visit_aborted(segment, |entry| {
            entries.push(entry);
            true
        })?;
        let mut last_marker = segment.base_offset - 1;
        for entry in entries {
            let is_ordered = entry.first_offset >= 0
                && entry.first_offset < entry.last_offset
                && last_marker < entry.last_offset
                && entry.last_offset < segment.next_offset();
            if !is_ordered || !self.has_marker(&entry)? || !self.has_first_batch(&entry)? {
                return Err(StorageError::damaged(
                    &segment.path(&self.place, LogFileKind::TransactionIndex),
                    format!("the log does not bear out {entry:?}"),
                ));
            }
            last_marker = entry.last_offset;
        }
        segment.note_proven_transactions();
        Ok(())
    }

    fn has_marker(&self, entry: &AbortedEntry) -> Result<bool, StorageError> {
        Ok(match self.batch_holding(entry.last_offset)? {
            Some(batch) => batch.header.is_control() && batch.header.producer_id == entry.producer_id,
            None => self.admits_gap(entry.last_offset),
        })
    }

    fn has_first_batch(&self, entry: &AbortedEntry) -> Result<bool, StorageError> {
        if entry.first_offset < self.log_start_offset() {
            return Ok(true);
        }
        Ok(match self.batch_holding(entry.first_offset)? {
            Some(ScannedBatch { header, .. }) => {
                header.base_offset == entry.first_offset
                    && header.producer_id == entry.producer_id
                    && header.is_transactional()
                    && !header.is_control()
            }
            None => self.admits_gap(entry.first_offset),
        })
    }

    fn batch_holding(&self, offset: i64) -> Result<Option<ScannedBatch>, StorageError> {
        let Some(segment) = self.segment_of(offset) else { return Ok(None) };
        let found = segment.find_offset(&self.place, offset)?;
        Ok(found.filter(|batch| batch.header.base_offset <= offset))
    }
}
