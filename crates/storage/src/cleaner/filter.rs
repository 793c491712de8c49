//! What remains of one batch after compaction.
//!
//! Offsets never change: a batch keeps its base and last offset whatever records it loses. Tombstones and markers go
//! in two passes: the first one to find that nothing needs them stamps the batch with the time at which they may go
//! (KIP-534), a later one drops them.

use std::collections::BTreeMap;

use bytes::Bytes;
use records::{Batch, BatchBuilder, BatchHeader, Compression, Record, RecordsError, TimestampType};

use super::key_offsets::KeyOffsets;
use super::transactions::{MarkerUse, WalkedTransactions};
use crate::transaction_index::AbortedEntry;

/// The last thing a producer wrote, as far as its state must survive compaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LastOfProducer {
    /// Last offset of its last batch of data; none if only a marker is known.
    pub(crate) data_offset: Option<i64>,
    pub(crate) producer_epoch: i16,
}

/// What decides about batches in one round.
pub(crate) struct Filter<'a> {
    pub(crate) keys: &'a KeyOffsets,
    pub(crate) producers: &'a BTreeMap<i64, LastOfProducer>,
    pub(crate) now_ms: i64,
    pub(crate) delete_retention_ms: i64,
    /// The batch that ends here stays, if only as an empty one: it says how far the log went.
    pub(crate) end_offset: i64,
    /// Bytes a batch may have decompressed.
    pub(crate) decompressed_bytes_max: usize,
}

/// What remains of a batch.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Remains {
    /// All of it.
    Whole,
    /// These bytes.
    Rebuilt(Bytes),
    /// Nothing.
    Nothing,
}

impl Filter<'_> {
    /// Decides about the next batch of the walk. Aborted transactions whose marker stays are handed to `aborted`.
    pub(crate) fn apply(
        &self,
        transactions: &mut WalkedTransactions,
        batch: &Batch,
        aborted: &mut Vec<AbortedEntry>,
    ) -> Result<Remains, RecordsError> {
        let header = &batch.header;
        if !header.is_control() {
            let is_aborted = transactions.on_data(header);
            return self.data_batch(batch, is_aborted);
        }
        let marker = batch.end_transaction_marker()?.map(|(marker, _)| marker);
        match transactions.on_control(header, marker) {
            MarkerUse::Needed(entry) => {
                aborted.extend(entry);
                Ok(Remains::Whole)
            }
            MarkerUse::Unneeded => self.unneeded_marker(batch),
        }
    }

    fn unneeded_marker(&self, batch: &Batch) -> Result<Remains, RecordsError> {
        match batch.header.delete_horizon_ms() {
            _ if batch.header.record_count == 0 => Ok(self.emptied(&batch.header)),
            Some(horizon_ms) if horizon_ms <= self.now_ms => Ok(self.emptied(&batch.header)),
            Some(_) => Ok(Remains::Whole),
            None => {
                let records: Result<Vec<Record>, _> = batch.records(self.decompressed_bytes_max)?.collect();
                self.rebuilt(&batch.header, &records?, true)
            }
        }
    }

    fn data_batch(&self, batch: &Batch, is_aborted: bool) -> Result<Remains, RecordsError> {
        let header = &batch.header;
        if is_aborted || header.record_count == 0 {
            return Ok(self.emptied(header));
        }
        let mut kept = Vec::new();
        let mut has_tombstones = false;
        for record in batch.records(self.decompressed_bytes_max)? {
            let record = record?;
            if self.keeps(header, &record) {
                has_tombstones |= record.value.is_none();
                kept.push(record);
            }
        }
        let is_whole = i32::try_from(kept.len()) == Ok(header.record_count);
        let needs_horizon = has_tombstones && header.delete_horizon_ms().is_none();
        match kept.as_slice() {
            [] => Ok(self.emptied(header)),
            _ if is_whole && !needs_horizon => Ok(Remains::Whole),
            kept => self.rebuilt(header, kept, needs_horizon),
        }
    }

    fn keeps(&self, header: &BatchHeader, record: &Record) -> bool {
        if record.offset > self.keys.latest_offset() {
            return true;
        }
        // Without a key a record is of no use here: it was written before the policy was to compact.
        let Some(key) = &record.key else { return false };
        let is_newest = self.keys.get(key).is_none_or(|newest| record.offset >= newest);
        let may_go = header.delete_horizon_ms().is_some_and(|horizon_ms| horizon_ms <= self.now_ms);
        is_newest && (record.value.is_some() || !may_go)
    }

    /// A batch without records stays if it is the last that tells a producer's sequence, or how far the log went.
    fn emptied(&self, header: &BatchHeader) -> Remains {
        let is_last_of_producer = || {
            self.producers.get(&header.producer_id).is_some_and(|last| match last.data_offset {
                Some(offset) => header.last_offset() == offset,
                None => header.is_control() && header.producer_epoch == last.producer_epoch,
            })
        };
        let stays =
            (header.has_producer_id() && is_last_of_producer()) || header.next_offset() == self.end_offset;
        match (stays, header.record_count) {
            (true, 0) => Remains::Whole,
            (true, _) => Remains::Rebuilt(header.without_records()),
            (false, _) => Remains::Nothing,
        }
    }

    fn rebuilt(
        &self,
        header: &BatchHeader,
        records: &[Record],
        needs_horizon: bool,
    ) -> Result<Remains, RecordsError> {
        let mut builder = BatchBuilder::new(header.base_offset)
            .compression(Compression::of(header.compression()?))
            .partition_leader_epoch(header.partition_leader_epoch)
            .producer(header.producer_id, header.producer_epoch, header.base_sequence)
            .ends_at(header.last_offset());
        if header.is_transactional() {
            builder = builder.transactional();
        }
        if header.is_control() {
            builder = builder.control();
        }
        if header.timestamp_type() == TimestampType::LogAppendTime {
            builder = builder.log_append_time(header.max_timestamp);
        }
        let horizon_ms = if needs_horizon {
            Some(self.now_ms.saturating_add(self.delete_retention_ms))
        } else {
            header.delete_horizon_ms()
        };
        if let Some(horizon_ms) = horizon_ms {
            builder = builder.delete_horizon(horizon_ms);
        }
        for record in records {
            let (key, value) = (record.key.as_deref(), record.value.as_deref());
            builder.append_with_offset(record.offset, record.timestamp, key, value, &record.headers);
        }
        Ok(Remains::Rebuilt(builder.build()))
    }
}

#[cfg(test)]
mod tests;
