//! EndTxn: the outcome is decided once, and asking again is harmless (KIP-98, KIP-890).

use protocol::ErrorCode;

use crate::request::{Producer, Reply, Request};
use crate::shard::{Effects, TransactionShard};
use crate::state::TransactionState;
use crate::transaction::{EPOCH_BUMP_VERSION, LAST_CLIENT_EPOCH, Transaction};

/// What EndTxn comes to.
enum Decision {
    /// The outcome is decided now.
    Prepare,
    /// It was decided before, in the same way: who the producer is since.
    Repeated(Producer),
}

impl TransactionShard {
    pub(crate) fn end_transaction(&mut self, now_ms: i64, effects: &mut Effects, request: Request) -> Reply {
        let Request::EndTransaction {
            transactional_id,
            producer,
            committed,
            client_transaction_version: version,
            fresh_producer_id,
        } = request
        else {
            return request.refused(ErrorCode::InvalidRequest);
        };
        if transactional_id.is_empty() {
            return Reply::EndTransaction(Err(ErrorCode::InvalidRequest));
        }
        let Some(known) = self.transactions.get(&transactional_id) else {
            return Reply::EndTransaction(Err(ErrorCode::InvalidProducerIdMapping));
        };
        let decision = if version >= EPOCH_BUMP_VERSION {
            decide_bumping(known, producer, committed)
        } else {
            decide(known, producer, committed)
        };
        let outcome = match decision {
            Err(error) => Err(error),
            Ok(Decision::Repeated(producer)) => Ok(producer),
            Ok(Decision::Prepare) => {
                let mut next_producer_id = -1;
                if version >= EPOCH_BUMP_VERSION && known.is_epoch_exhausted() {
                    let Some(fresh) = fresh_producer_id else { return Reply::NeedsProducerId };
                    next_producer_id = fresh;
                }
                let prepared = known.prepared(committed, version, next_producer_id, now_ms);
                // The producer is told who it is when this is complete, and may go on as such.
                let after = prepared.completed(now_ms).producer;
                self.put(effects, &transactional_id, prepared).map(|()| after)
            }
        };
        if outcome.is_ok() && !effects.records.is_empty() {
            self.send_markers(now_ms, effects, &transactional_id);
        }
        Reply::EndTransaction(outcome)
    }

    /// The markers of a decided transaction are written; whatever else this may be about is left alone.
    pub(crate) fn markers_written(
        &mut self,
        now_ms: i64,
        effects: &mut Effects,
        transactional_id: &str,
        producer: Producer,
    ) {
        let Some(known) = self.transactions.get(transactional_id) else { return };
        if !known.state.is_prepared() || known.producer != producer {
            return;
        }
        let completed = known.completed(now_ms);
        if self.put(effects, transactional_id, completed).is_ok() {
            self.unpark(now_ms, effects, transactional_id);
        }
    }
}

/// For producers that keep their epoch from one transaction to the next.
fn decide(known: &Transaction, producer: Producer, committed: bool) -> Result<Decision, ErrorCode> {
    if known.producer.id != producer.id {
        return Err(ErrorCode::InvalidProducerIdMapping);
    }
    if known.producer.epoch != producer.epoch {
        return Err(ErrorCode::ProducerFenced);
    }
    match known.state {
        TransactionState::Ongoing => Ok(Decision::Prepare),
        TransactionState::CompleteCommit if committed => Ok(Decision::Repeated(known.producer)),
        TransactionState::CompleteAbort if !committed => Ok(Decision::Repeated(known.producer)),
        TransactionState::PrepareCommit if committed => Err(ErrorCode::ConcurrentTransactions),
        TransactionState::PrepareAbort if !committed => Err(ErrorCode::ConcurrentTransactions),
        TransactionState::Dead | TransactionState::PrepareEpochFence => Err(ErrorCode::UnknownServerError),
        _ => Err(ErrorCode::InvalidTxnState),
    }
}

/// For producers whose epoch every end bumps: a repeated request shows the epoch, or at the last one the producer id, from
/// before, and so never means the transaction after.
fn decide_bumping(known: &Transaction, producer: Producer, committed: bool) -> Result<Decision, ErrorCode> {
    let repeats_after_new_id = known.previous_producer_id == producer.id
        && producer.epoch == LAST_CLIENT_EPOCH
        && known.producer.epoch == 0
        && known.producer.id != producer.id;
    let repeats_after_bump = producer.epoch.checked_add(1) == Some(known.producer.epoch);
    let is_current = producer.epoch == known.producer.epoch;
    let is_valid = match known.state {
        TransactionState::PrepareCommit | TransactionState::PrepareAbort => repeats_after_bump,
        TransactionState::CompleteCommit | TransactionState::CompleteAbort => {
            repeats_after_bump || repeats_after_new_id || is_current
        }
        _ => is_current,
    };
    if known.producer.id != producer.id && !repeats_after_new_id {
        return Err(ErrorCode::InvalidProducerIdMapping);
    }
    if !is_valid {
        return Err(ErrorCode::ProducerFenced);
    }
    let repeats = repeats_after_bump || repeats_after_new_id;
    match known.state {
        TransactionState::Ongoing => Ok(Decision::Prepare),
        TransactionState::CompleteCommit if committed && repeats => Ok(Decision::Repeated(known.producer)),
        TransactionState::CompleteAbort if !committed && repeats => Ok(Decision::Repeated(known.producer)),
        // Aborting a transaction that never reached this coordinator: the epoch goes up all the same.
        TransactionState::Empty | TransactionState::CompleteAbort if !committed => Ok(Decision::Prepare),
        TransactionState::CompleteCommit if !committed && !repeats => Ok(Decision::Prepare),
        TransactionState::PrepareCommit if committed => Err(ErrorCode::ConcurrentTransactions),
        TransactionState::PrepareAbort if !committed => Err(ErrorCode::ConcurrentTransactions),
        TransactionState::Dead | TransactionState::PrepareEpochFence => Err(ErrorCode::UnknownServerError),
        _ => Err(ErrorCode::InvalidTxnState),
    }
}
