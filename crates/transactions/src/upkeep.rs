//! What happens without a request: transactions time out, ids that nobody uses are forgotten.

use protocol::ErrorCode;

use crate::record;
use crate::request::{Action, Producer, Reply};
use crate::shard::{Effects, TransactionShard};

impl TransactionShard {
    pub(crate) fn tick(&mut self, now_ms: i64, effects: &mut Effects) {
        self.give_up_parked(now_ms, effects);
        if self.next_timeout_check_ms <= now_ms && self.timeouts.first().is_some_and(|(at, _)| *at < now_ms) {
            self.next_timeout_check_ms =
                now_ms.saturating_add(self.config.abort_timed_out_interval_ms.max(1));
            self.abort_all_timed_out(now_ms, effects);
        }
        if self.next_expiry_check_ms.is_some_and(|check_ms| check_ms <= now_ms) {
            self.next_expiry_check_ms =
                Some(now_ms.saturating_add(self.config.remove_expired_interval_ms.max(1)));
            self.remove_expired(now_ms, effects);
        }
    }

    fn abort_all_timed_out(&mut self, now_ms: i64, effects: &mut Effects) {
        let timed_out: Vec<String> = self
            .timeouts
            .iter()
            .take_while(|(at_ms, _)| *at_ms < now_ms)
            .map(|(_, transactional_id)| transactional_id.clone())
            .collect();
        for transactional_id in timed_out {
            if let Ok(false) = self.abort_open(now_ms, effects, &transactional_id, None)
                && let Some(open) = self.transactions.get(&transactional_id)
            {
                let producer = open.producer;
                effects.actions.push(Action::AbortTimedOut { transactional_id, producer });
            }
        }
    }

    /// A transaction that timed out, with the producer id that follows it.
    pub(crate) fn abort_timed_out(
        &mut self,
        now_ms: i64,
        effects: &mut Effects,
        transactional_id: &str,
        producer: Producer,
        fresh_producer_id: i64,
    ) -> Reply {
        let is_same = self.transactions.get(transactional_id).is_some_and(|known| {
            known.producer == producer && known.times_out_at().is_some_and(|at_ms| at_ms < now_ms)
        });
        let outcome = if is_same {
            self.abort_open(now_ms, effects, transactional_id, Some(fresh_producer_id)).map(|_| ())
        } else {
            Err(ErrorCode::InvalidTxnState)
        };
        Reply::Done(outcome)
    }

    fn remove_expired(&mut self, now_ms: i64, effects: &mut Effects) {
        let expiration_ms = self.config.transactional_id_expiration_ms;
        let expired: Vec<String> = self
            .transactions
            .iter()
            .filter(|(_, transaction)| {
                transaction.state.is_at_rest()
                    && transaction.last_update_ms.saturating_add(expiration_ms) <= now_ms
            })
            .map(|(transactional_id, _)| transactional_id.clone())
            .collect();
        for transactional_id in expired {
            effects.records.extend(record::tombstone(&transactional_id));
            self.forget(&transactional_id);
        }
    }
}
