//! What a partition knows about its idempotent and transactional producers.
//!
//! Rules of Kafka's `ProducerStateManager` and `ProducerAppendInfo`: [`ProducerStates::prepare`] judges batches
//! without changing anything, [`ProducerStates::apply`] takes the outcome over once they are written.

mod append;
mod snapshot;

use std::collections::BTreeMap;

pub use append::{AppendedBatch, PreparedAppend, ProducerUpdate, TransactionMarker};
use records::decrement_sequence;

/// Batches remembered per producer to recognise repeated sends; clients keep at most that many in flight.
const BATCHES_REMEMBERED: usize = 5;

/// A batch of a producer that is in the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProducerBatch {
    /// Sequence of its last record.
    pub last_sequence: i32,
    /// Offset of its last record.
    pub last_offset: i64,
    /// Last offset minus first offset.
    pub offset_delta: i32,
    /// Its maximum timestamp, ms: the append time where the broker gives timestamps.
    pub timestamp: i64,
}

impl ProducerBatch {
    /// Sequence of its first record.
    pub fn first_sequence(&self) -> i32 {
        decrement_sequence(self.last_sequence, self.offset_delta)
    }

    /// Offset of its first record.
    pub fn first_offset(&self) -> i64 {
        self.last_offset.wrapping_sub(i64::from(self.offset_delta))
    }
}

/// One producer as this partition knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerState {
    /// The producer.
    pub producer_id: i64,
    /// Its newest epoch seen here, or -1.
    pub producer_epoch: i16,
    /// Epoch of the coordinator that last wrote a marker for it, or -1.
    pub coordinator_epoch: i32,
    /// Time of its last batch or marker, ms, or -1.
    pub last_timestamp: i64,
    /// First offset of its open transaction.
    pub current_transaction_first_offset: Option<i64>,
    batches: [ProducerBatch; BATCHES_REMEMBERED],
    batch_count: usize,
}

impl ProducerState {
    /// A producer of which nothing is known yet.
    pub const fn unknown(producer_id: i64) -> Self {
        Self {
            producer_id,
            producer_epoch: records::NO_PRODUCER_EPOCH,
            coordinator_epoch: -1,
            last_timestamp: records::NO_TIMESTAMP,
            current_transaction_first_offset: None,
            batches: [ProducerBatch { last_sequence: 0, last_offset: 0, offset_delta: 0, timestamp: 0 };
                BATCHES_REMEMBERED],
            batch_count: 0,
        }
    }

    /// The remembered batches of the current epoch, oldest first.
    pub fn batches(&self) -> &[ProducerBatch] {
        &self.batches[..self.batch_count]
    }

    /// Sequence of the last record, or -1.
    pub fn last_sequence(&self) -> i32 {
        self.batches().last().map_or(records::NO_SEQUENCE, |batch| batch.last_sequence)
    }

    /// Offset of the last record, or -1.
    pub fn last_offset(&self) -> i64 {
        self.batches().last().map_or(-1, |batch| batch.last_offset)
    }

    fn set_epoch(&mut self, producer_epoch: i16) {
        if self.producer_epoch != producer_epoch {
            self.batch_count = 0;
            self.producer_epoch = producer_epoch;
        }
    }

    fn add_batch(&mut self, producer_epoch: i16, batch: ProducerBatch) {
        self.set_epoch(producer_epoch);
        if self.batch_count == BATCHES_REMEMBERED {
            self.batches.rotate_left(1);
            self.batch_count -= 1;
        }
        self.batches[self.batch_count] = batch;
        self.batch_count += 1;
        self.last_timestamp = batch.timestamp;
    }

    fn is_expired(&self, now_ms: i64, expiration_ms: i64) -> bool {
        self.current_transaction_first_offset.is_none()
            && now_ms.saturating_sub(self.last_timestamp) >= expiration_ms
    }
}

/// A transaction whose marker is in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompletedTransaction {
    /// The producer.
    pub producer_id: i64,
    /// Offset of its first batch.
    pub first_offset: i64,
    /// Offset of the marker.
    pub last_offset: i64,
    /// Aborted ones go to the transaction index.
    pub is_aborted: bool,
    /// The last stable offset when the marker was written, as the transaction index records it.
    pub last_stable_offset: i64,
}

/// All producers of a partition, and its transactions that are open or not yet replicated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProducerStates {
    producers: BTreeMap<i64, ProducerState>,
    /// First offset to producer.
    ongoing: BTreeMap<i64, i64>,
    /// First offset to the marker's offset, until the high watermark has passed the marker.
    unreplicated: BTreeMap<i64, i64>,
    map_end_offset: i64,
}

impl ProducerStates {
    /// Number of producers known.
    pub fn len(&self) -> usize {
        self.producers.len()
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.producers.is_empty() && self.unreplicated.is_empty()
    }

    /// One producer.
    pub fn get(&self, producer_id: i64) -> Option<&ProducerState> {
        self.producers.get(&producer_id)
    }

    /// All producers, by id (DescribeProducers).
    pub fn iter(&self) -> impl Iterator<Item = &ProducerState> {
        self.producers.values()
    }

    /// The offset up to which the log is reflected here.
    pub fn map_end_offset(&self) -> i64 {
        self.map_end_offset
    }

    /// Notes that the log is reflected up to here, whether or not its batches had producers.
    pub fn set_map_end_offset(&mut self, offset: i64) {
        self.map_end_offset = offset;
    }

    /// Whether this producer has a transaction open at this epoch.
    pub fn has_ongoing_transaction(&self, producer_id: i64, producer_epoch: i16) -> bool {
        self.get(producer_id).is_some_and(|state| {
            state.producer_epoch == producer_epoch && state.current_transaction_first_offset.is_some()
        })
    }

    /// First offset of the oldest transaction that is open, or decided but with a marker above the high watermark.
    /// The last stable offset is this or the high watermark, whichever is lower.
    pub fn first_unstable_offset(&self) -> Option<i64> {
        let undecided = self.first_undecided_offset();
        let unreplicated = self.unreplicated.first_key_value().map(|(first, _)| *first);
        undecided.into_iter().chain(unreplicated).min()
    }

    /// First offset of the oldest open transaction.
    pub fn first_undecided_offset(&self) -> Option<i64> {
        self.ongoing.first_key_value().map(|(first, _)| *first)
    }

    /// Time of the last write of the producer with the oldest open transaction, ms (late transaction detection).
    pub fn oldest_transaction_last_timestamp(&self) -> Option<i64> {
        let (_, producer_id) = self.ongoing.first_key_value()?;
        self.get(*producer_id).map(|state| state.last_timestamp)
    }

    /// Lets go of decided transactions whose marker lies below the high watermark.
    pub fn on_high_watermark_updated(&mut self, high_watermark: i64) {
        self.unreplicated.retain(|_, last_offset| *last_offset >= high_watermark);
    }

    /// The log now begins here.
    pub fn on_log_start_offset_incremented(&mut self, log_start_offset: i64) {
        self.on_high_watermark_updated(log_start_offset);
        self.map_end_offset = self.map_end_offset.max(log_start_offset);
    }

    /// Forgets producers that were silent for `expiration_ms` (`producer.id.expiration.ms`) and have no open
    /// transaction.
    pub fn remove_expired(&mut self, now_ms: i64, expiration_ms: i64) {
        self.producers.retain(|_, state| !state.is_expired(now_ms, expiration_ms));
    }

    /// Forgets everything; the log is to be replayed, or begins anew, at `offset`.
    pub fn clear(&mut self, offset: i64) {
        *self = Self { map_end_offset: offset, ..Self::default() };
    }

    /// Begins with the content of a snapshot taken at `offset`, leaving out what has expired since.
    pub fn load(&mut self, states: Vec<ProducerState>, offset: i64, now_ms: i64, expiration_ms: i64) {
        self.clear(offset);
        for state in states.into_iter().filter(|state| !state.is_expired(now_ms, expiration_ms)) {
            if let Some(first_offset) = state.current_transaction_first_offset {
                self.ongoing.insert(first_offset, state.producer_id);
            }
            self.producers.insert(state.producer_id, state);
        }
    }
}

#[cfg(test)]
mod tests;
