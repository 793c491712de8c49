//! AddPartitionsToTxn: partitions join the transaction, or are looked up in it (KIP-98, KIP-890).

use coordinator::RequestId;
use protocol::ErrorCode;

use crate::request::{Producer, Reply, Request, TopicPartition};
use crate::shard::{Effects, Parked, TransactionShard};
use crate::state::TransactionState;

impl TransactionShard {
    /// Adds partitions; no answer yet while the markers of the transaction before are being written.
    pub(crate) fn add_partitions(
        &mut self,
        now_ms: i64,
        effects: &mut Effects,
        id: RequestId,
        request: Request,
    ) -> Option<Reply> {
        let Request::AddPartitions { transactional_id, producer, partitions, client_transaction_version } =
            &request
        else {
            return Some(request.refused(ErrorCode::InvalidRequest));
        };
        let outcome = match self.check_open(transactional_id, *producer) {
            Err(ErrorCode::ConcurrentTransactions) if self.config.add_partitions_wait_ms > 0 => {
                let until_ms = now_ms.saturating_add(self.config.add_partitions_wait_ms);
                self.park(Parked { id, until_ms, request: request.clone() }, transactional_id.clone());
                return None;
            }
            Err(error) => Err(error),
            Ok(known) if known.state == TransactionState::Ongoing && known.contains_all(partitions) => Ok(()),
            Ok(known) => {
                let next = known.with_partitions(partitions.clone(), *client_transaction_version, now_ms);
                self.put(effects, transactional_id, next)
            }
        };
        Some(Reply::AddPartitions(outcome))
    }

    fn check_open(
        &self,
        transactional_id: &str,
        producer: Producer,
    ) -> Result<&crate::transaction::Transaction, ErrorCode> {
        if transactional_id.is_empty() {
            return Err(ErrorCode::InvalidRequest);
        }
        let known = self.transactions.get(transactional_id).ok_or(ErrorCode::InvalidProducerIdMapping)?;
        if known.producer.id != producer.id {
            Err(ErrorCode::InvalidProducerIdMapping)
        } else if known.producer.epoch != producer.epoch {
            Err(ErrorCode::ProducerFenced)
        } else if known.state.is_prepared() {
            Err(ErrorCode::ConcurrentTransactions)
        } else {
            Ok(known)
        }
    }

    /// Whether each partition is in the open transaction of this producer: NONE, or TRANSACTION_ABORTABLE.
    pub(crate) fn verify_partitions(
        &self,
        transactional_id: &str,
        producer: Producer,
        partitions: &[TopicPartition],
    ) -> Result<Vec<ErrorCode>, ErrorCode> {
        let known = self.check_open(transactional_id, producer)?;
        let verdict = |partition: &TopicPartition| {
            if known.contains(partition) { ErrorCode::None } else { ErrorCode::TransactionAbortable }
        };
        Ok(partitions.iter().map(verdict).collect())
    }

    fn park(&mut self, parked: Parked, transactional_id: String) {
        self.parked_deadlines.insert((parked.until_ms, transactional_id.clone()));
        self.parked.entry(transactional_id).or_default().push(parked);
    }

    /// Lets those go on who waited for the transaction of this id to be complete.
    pub(crate) fn unpark(&mut self, now_ms: i64, effects: &mut Effects, transactional_id: &str) {
        for parked in self.parked.remove(transactional_id).unwrap_or_default() {
            self.parked_deadlines.remove(&(parked.until_ms, transactional_id.to_owned()));
            if let Some(reply) = self.add_partitions(now_ms, effects, parked.id, parked.request) {
                effects.replies.push((parked.id, reply));
            }
        }
    }

    /// Refuses those who have waited long enough.
    pub(crate) fn give_up_parked(&mut self, now_ms: i64, effects: &mut Effects) {
        while self.parked_deadlines.first().is_some_and(|(until_ms, _)| *until_ms <= now_ms) {
            let Some((_, transactional_id)) = self.parked_deadlines.pop_first() else { return };
            let Some(waiting) = self.parked.get_mut(&transactional_id) else { continue };
            for parked in waiting.extract_if(.., |parked| parked.until_ms <= now_ms) {
                effects
                    .replies
                    .push((parked.id, Reply::AddPartitions(Err(ErrorCode::ConcurrentTransactions))));
            }
            if waiting.is_empty() {
                self.parked.remove(&transactional_id);
            }
        }
    }
}
