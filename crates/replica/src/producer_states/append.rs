//! Judging a producer's batches against its state, and taking them over.

use records::{AppendOrigin, BatchHeader, EndTransactionMarker};

use super::{CompletedTransaction, ProducerBatch, ProducerState, ProducerStates};
use crate::error::ProducerError;

/// A marker that ends a transaction, with the time its record carries, ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransactionMarker {
    /// Outcome and coordinator epoch.
    pub marker: EndTransactionMarker,
    /// Timestamp of the marker's record, ms.
    pub timestamp: i64,
}

/// A batch about to be appended, its offsets assigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AppendedBatch<'a> {
    /// Its header.
    pub header: &'a BatchHeader,
    /// What it says if it is a control batch with a transaction marker.
    pub marker: Option<TransactionMarker>,
}

/// What is to become of an append.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PreparedAppend {
    /// The batch is in the log already, at the offsets given here: answer with them, append nothing.
    Duplicate(ProducerBatch),
    /// Append, then [`apply`](ProducerStates::apply).
    Append(ProducerUpdate),
}

/// The changes of an append that has been judged but not yet written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProducerUpdate {
    changed: Vec<ProducerState>,
    started: Vec<(i64, i64)>,
    completed: Vec<CompletedTransaction>,
}

/// Who an append comes from, as far as producers are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trust {
    /// Sequences and epochs are checked.
    Client,
    /// Epochs are checked.
    Coordinator,
    /// A leader has checked all of it before.
    Replication,
}

impl ProducerStates {
    /// Judges batches a leader is about to append, in order.
    ///
    /// `transaction_version` is the finalised level of that feature; from 2 on a marker must carry a newer epoch
    /// than the transaction's batches (KIP-890).
    pub fn prepare<'a>(
        &self,
        batches: impl IntoIterator<Item = AppendedBatch<'a>>,
        origin: AppendOrigin,
        transaction_version: i16,
    ) -> Result<PreparedAppend, ProducerError> {
        let trust = match origin {
            AppendOrigin::Client => Trust::Client,
            AppendOrigin::Coordinator | AppendOrigin::Controller => Trust::Coordinator,
        };
        let mut update = ProducerUpdate::default();
        for batch in batches.into_iter().filter(|batch| batch.header.has_producer_id()) {
            if trust == Trust::Client
                && let Some(duplicate) = self.find_duplicate(batch.header)
            {
                return Ok(PreparedAppend::Duplicate(duplicate));
            }
            update.add(self, batch, trust, transaction_version)?;
        }
        Ok(PreparedAppend::Append(update))
    }

    /// Collects what a follower's append, or a replay of the log, changes: a leader has judged it before.
    pub fn prepare_replicated<'a>(
        &self,
        batches: impl IntoIterator<Item = AppendedBatch<'a>>,
    ) -> ProducerUpdate {
        let mut update = ProducerUpdate::default();
        for batch in batches.into_iter().filter(|batch| batch.header.has_producer_id()) {
            // KAFKA: a batch outside of an open transaction stops Kafka's replica here; a log that holds one is
            // readable all the same, and the producer's state is what the log says.
            let _ = update.add(self, batch, Trust::Replication, 0);
        }
        update
    }

    /// Takes over an append that has been written. The transactions it completed are returned in order.
    pub fn apply(&mut self, update: ProducerUpdate) -> Vec<CompletedTransaction> {
        for state in update.changed {
            self.producers.insert(state.producer_id, state);
        }
        self.ongoing.extend(update.started);
        let mut completed = update.completed;
        for transaction in &mut completed {
            transaction.last_stable_offset = self
                .ongoing
                .iter()
                .find(|(_, producer_id)| **producer_id != transaction.producer_id)
                .map_or(transaction.last_offset.wrapping_add(1), |(first_offset, _)| *first_offset);
            self.ongoing.remove(&transaction.first_offset);
            self.unreplicated.insert(transaction.first_offset, transaction.last_offset);
        }
        completed
    }

    /// The remembered batch with exactly these sequences at this epoch.
    fn find_duplicate(&self, header: &BatchHeader) -> Option<ProducerBatch> {
        let state =
            self.get(header.producer_id).filter(|state| state.producer_epoch == header.producer_epoch)?;
        let (first, last) = (header.base_sequence, header.last_sequence());
        state
            .batches()
            .iter()
            .find(|batch| batch.first_sequence() == first && batch.last_sequence == last)
            .copied()
    }
}

impl ProducerUpdate {
    fn add(
        &mut self,
        states: &ProducerStates,
        batch: AppendedBatch<'_>,
        trust: Trust,
        transaction_version: i16,
    ) -> Result<(), ProducerError> {
        let producer_id = batch.header.producer_id;
        let before = states.get(producer_id).copied().unwrap_or(ProducerState::unknown(producer_id));
        let index = match self.changed.iter().position(|state| state.producer_id == producer_id) {
            Some(index) => index,
            None => {
                self.changed.push(before);
                self.changed.len() - 1
            }
        };
        let state = &mut self.changed[index];
        match batch.marker {
            Some(marker) => {
                let header = batch.header;
                self.completed.extend(end_transaction(state, header, marker, trust, transaction_version)?);
            }
            None if batch.header.is_control() => {}
            None => {
                if let Some(first_offset) = append_data(state, &before, batch.header, trust)? {
                    self.started.push((first_offset, producer_id));
                }
            }
        }
        Ok(())
    }
}

/// Takes a data batch over; the first offset of the transaction it opens, if it does.
fn append_data(
    state: &mut ProducerState,
    before: &ProducerState,
    header: &BatchHeader,
    trust: Trust,
) -> Result<Option<i64>, ProducerError> {
    if header.producer_epoch < state.producer_epoch && trust != Trust::Replication {
        return Err(stale_epoch(state, header));
    }
    if trust == Trust::Client {
        check_sequence(state, before, header)?;
    }
    let batch = ProducerBatch {
        last_sequence: header.last_sequence(),
        last_offset: header.last_offset(),
        offset_delta: header.last_offset_delta,
        timestamp: header.max_timestamp,
    };
    state.add_batch(header.producer_epoch, batch);
    match (state.current_transaction_first_offset, header.is_transactional()) {
        (Some(_), false) => Err(ProducerError::InvalidTransactionState { producer_id: state.producer_id }),
        (None, true) => {
            state.current_transaction_first_offset = Some(header.base_offset);
            Ok(Some(header.base_offset))
        }
        _ => Ok(None),
    }
}

fn check_sequence(
    state: &ProducerState,
    before: &ProducerState,
    header: &BatchHeader,
) -> Result<(), ProducerError> {
    let (sequence, last_sequence) = (header.base_sequence, state.last_sequence());
    let in_order = if header.producer_epoch != state.producer_epoch {
        // A producer nobody remembers may go on anywhere: its state may have expired (KIP-360).
        sequence == 0 || state.producer_epoch == records::NO_PRODUCER_EPOCH
    } else {
        before.producer_epoch == records::NO_PRODUCER_EPOCH
            || i64::from(sequence) == i64::from(last_sequence) + 1
            || (sequence == 0 && last_sequence == i32::MAX)
    };
    if in_order {
        return Ok(());
    }
    Err(ProducerError::OutOfOrderSequenceNumber { producer_id: state.producer_id, sequence, last_sequence })
}

/// Takes a marker over; the transaction it completes, if one was open.
fn end_transaction(
    state: &mut ProducerState,
    header: &BatchHeader,
    marker: TransactionMarker,
    trust: Trust,
    transaction_version: i16,
) -> Result<Option<CompletedTransaction>, ProducerError> {
    if trust != Trust::Replication {
        check_marker_epoch(state, header, transaction_version)?;
        let (epoch, current_epoch) = (marker.marker.coordinator_epoch, state.coordinator_epoch);
        if epoch < current_epoch {
            let producer_id = state.producer_id;
            return Err(ProducerError::TransactionCoordinatorFenced { producer_id, epoch, current_epoch });
        }
    }
    let completed = state.current_transaction_first_offset.take().map(|first_offset| CompletedTransaction {
        producer_id: state.producer_id,
        first_offset,
        last_offset: header.base_offset,
        is_aborted: !marker.marker.committed,
        last_stable_offset: header.base_offset.wrapping_add(1),
    });
    state.set_epoch(header.producer_epoch);
    state.coordinator_epoch = marker.marker.coordinator_epoch;
    state.last_timestamp = marker.timestamp;
    Ok(completed)
}

fn check_marker_epoch(
    state: &ProducerState,
    header: &BatchHeader,
    transaction_version: i16,
) -> Result<(), ProducerError> {
    let (epoch, current_epoch) = (header.producer_epoch, state.producer_epoch);
    let is_repeated =
        epoch == current_epoch && (state.current_transaction_first_offset.is_none() || epoch == i16::MAX);
    let is_valid =
        if transaction_version >= 2 { epoch > current_epoch || is_repeated } else { epoch >= current_epoch };
    if is_valid { Ok(()) } else { Err(stale_epoch(state, header)) }
}

fn stale_epoch(state: &ProducerState, header: &BatchHeader) -> ProducerError {
    ProducerError::InvalidProducerEpoch {
        producer_id: state.producer_id,
        epoch: header.producer_epoch,
        current_epoch: state.producer_epoch,
    }
}
