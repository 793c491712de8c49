//! InitProducerId: a producer begins, or goes on after an error (KIP-360, KIP-588).

use protocol::ErrorCode;

use crate::request::{Producer, Reply, Request};
use crate::shard::{Effects, TransactionShard};
use crate::state::TransactionState;
use crate::transaction::{LAST_CLIENT_EPOCH, Transaction};

/// What InitProducerId comes to, before anything has changed.
enum Decision {
    /// This state is to be written, and its producer answered.
    Begin(Transaction),
    /// A transaction is open: it is aborted first, and the producer asks again.
    AbortOpen,
    NeedsProducerId,
}

impl TransactionShard {
    pub(crate) fn init_producer_id(&mut self, now_ms: i64, effects: &mut Effects, request: Request) -> Reply {
        let Request::InitProducerId {
            transactional_id,
            transaction_timeout_ms,
            expected,
            enable_two_phase_commit,
            keep_prepared_transaction,
            fresh_producer_id,
        } = request
        else {
            return request.refused(ErrorCode::InvalidRequest);
        };
        let refusal = if transactional_id.is_empty() {
            Some(ErrorCode::InvalidRequest)
        } else if enable_two_phase_commit {
            // KIP-939: only where the cluster allows it, and this one does not.
            Some(ErrorCode::TransactionalIdAuthorizationFailed)
        } else if keep_prepared_transaction {
            Some(ErrorCode::UnsupportedVersion)
        } else if !(1..=self.config.transaction_max_timeout_ms).contains(&transaction_timeout_ms) {
            Some(ErrorCode::InvalidTransactionTimeout)
        } else {
            None
        };
        if let Some(error) = refusal {
            return Reply::InitProducerId(Err(error));
        }
        let decision =
            self.decide_init(now_ms, &transactional_id, transaction_timeout_ms, expected, fresh_producer_id);
        let outcome = match decision {
            Ok(Decision::NeedsProducerId) => return Reply::NeedsProducerId,
            Ok(Decision::Begin(transaction)) => {
                let producer = transaction.producer;
                self.put(effects, &transactional_id, transaction).map(|()| producer)
            }
            Ok(Decision::AbortOpen) => {
                match self.abort_open(now_ms, effects, &transactional_id, fresh_producer_id) {
                    Ok(true) => Err(ErrorCode::ConcurrentTransactions),
                    Ok(false) => return Reply::NeedsProducerId,
                    Err(error) => Err(error),
                }
            }
            Err(error) => Err(error),
        };
        Reply::InitProducerId(outcome)
    }

    fn decide_init(
        &self,
        now_ms: i64,
        transactional_id: &str,
        timeout_ms: i32,
        expected: Option<Producer>,
        fresh_producer_id: Option<i64>,
    ) -> Result<Decision, ErrorCode> {
        let Some(known) = self.transactions.get(transactional_id) else {
            let Some(producer_id) = fresh_producer_id else { return Ok(Decision::NeedsProducerId) };
            let new = Transaction::new(producer_id, timeout_ms, now_ms);
            // The epoch is -1: whatever the producer expects is taken for its own.
            return next_epoch(&new, timeout_ms, expected, now_ms).map(Decision::Begin);
        };
        if !expected.is_none_or(|expected| is_known(known, expected)) {
            return Err(ErrorCode::ProducerFenced);
        }
        match known.state {
            TransactionState::PrepareCommit | TransactionState::PrepareAbort => {
                Err(ErrorCode::ConcurrentTransactions)
            }
            TransactionState::Ongoing => Ok(Decision::AbortOpen),
            TransactionState::Empty | TransactionState::CompleteCommit | TransactionState::CompleteAbort => {
                let is_current = expected.is_none_or(|expected| expected.epoch == known.producer.epoch);
                if !(known.is_epoch_exhausted() && is_current) {
                    return next_epoch(known, timeout_ms, expected, now_ms).map(Decision::Begin);
                }
                let Some(id) = fresh_producer_id else { return Ok(Decision::NeedsProducerId) };
                let last_producer_epoch = if expected.is_some() { known.producer.epoch } else { -1 };
                let producer = Producer { id, epoch: 0 };
                Ok(Decision::Begin(known.reset(producer, last_producer_epoch, timeout_ms, now_ms)))
            }
            TransactionState::Dead | TransactionState::PrepareEpochFence => {
                Err(ErrorCode::UnknownServerError)
            }
        }
    }

    /// Aborts an open transaction in the name of the coordinator: its producer is fenced by a higher epoch. False if a
    /// producer id is needed.
    pub(crate) fn abort_open(
        &mut self,
        now_ms: i64,
        effects: &mut Effects,
        transactional_id: &str,
        fresh_producer_id: Option<i64>,
    ) -> Result<bool, ErrorCode> {
        let Some(open) = self.transactions.get(transactional_id) else { return Ok(true) };
        let version = self.config.transaction_version;
        let mut next_producer_id = -1;
        let prepared = if version >= crate::transaction::EPOCH_BUMP_VERSION {
            if open.is_epoch_exhausted() {
                let Some(fresh) = fresh_producer_id else { return Ok(false) };
                next_producer_id = fresh;
            }
            open.prepared(false, version, next_producer_id, now_ms)
        } else {
            let mut prepared = open.prepared(false, version, next_producer_id, now_ms);
            prepared.producer.epoch = open.producer.epoch.saturating_add(1);
            prepared.last_producer_epoch = -1;
            prepared
        };
        self.put(effects, transactional_id, prepared)?;
        self.send_markers(now_ms, effects, transactional_id);
        Ok(true)
    }
}

/// Whether the id could be that of this producer: the present one, or the one before if its epochs were used up.
fn is_known(transaction: &Transaction, expected: Producer) -> bool {
    transaction.producer.epoch == -1
        || expected.id == transaction.producer.id
        || (expected.id == transaction.previous_producer_id && expected.epoch >= LAST_CLIENT_EPOCH)
}

/// The next epoch for a producer at rest; the same one again for a producer that repeats its question.
fn next_epoch(
    transaction: &Transaction,
    timeout_ms: i32,
    expected: Option<Producer>,
    now_ms: i64,
) -> Result<Transaction, ErrorCode> {
    let Producer { id, epoch } = transaction.producer;
    if transaction.is_epoch_exhausted() {
        return Err(ErrorCode::UnknownServerError);
    }
    let bumped = epoch.saturating_add(1);
    let (epoch, last_producer_epoch) = match expected.map(|expected| expected.epoch) {
        None => (bumped, -1),
        Some(expected) if epoch == -1 || expected == epoch => (bumped, epoch),
        Some(expected) if expected == transaction.last_producer_epoch => (epoch, expected),
        Some(_) => return Err(ErrorCode::ProducerFenced),
    };
    Ok(transaction.reset(Producer { id, epoch }, last_producer_epoch, timeout_ms, now_ms))
}
