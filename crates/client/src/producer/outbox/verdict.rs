//! What a broker's answer means for a batch and for those behind it.

use protocol::ErrorCode;

use super::{Outbox, QueueKey, Sent};
use crate::error::ClientError;
use crate::producer::delivery::BatchOutcome;

/// Why a batch was not acknowledged.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The broker's code; none if there was no answer.
    pub(crate) code: Option<ErrorCode>,
    pub(crate) error: ClientError,
}

/// What happened to the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It goes again.
    Retried,
    /// Whoever waited was told.
    Finished,
    /// It goes again in halves.
    Split,
    /// It is not known here.
    Unknown,
}

impl Outbox {
    /// A batch was written.
    pub(crate) fn written(
        &mut self,
        key: QueueKey,
        batch_id: u64,
        base_offset: i64,
        log_append_time_ms: i64,
    ) -> Verdict {
        let Some((sent, _)) = self.take_answered(key, batch_id) else { return Verdict::Unknown };
        self.queue_mut(key).is_established = true;
        self.finish(&sent.batch, BatchOutcome::Written { base_offset, log_append_time_ms });
        self.settle(key);
        Verdict::Finished
    }

    /// A batch was not written, or nobody knows.
    pub(crate) fn failed(&mut self, key: QueueKey, batch_id: u64, failure: Failure, now_ms: i64) -> Verdict {
        let Some((mut sent, index)) = self.take_answered(key, batch_id) else { return Verdict::Unknown };
        sent.is_in_flight = false;
        sent.is_uncertain |= failure.code.is_none_or(may_be_written);
        let (is_idempotent, is_transactional) = (self.limits.is_idempotent, self.limits.is_transactional);
        let is_ending = self.abort_reason.is_some();
        let is_order_lost = is_idempotent && !is_ending && failure.code.is_some_and(breaks_order);
        let verdict = match failure.code {
            // The answer to the first attempt was lost: the batch is there.
            Some(ErrorCode::DuplicateSequenceNumber) => {
                let outcome = BatchOutcome::Written { base_offset: -1, log_append_time_ms: -1 };
                self.finish(&sent.batch, outcome);
                Verdict::Finished
            }
            Some(ErrorCode::MessageTooLarge) if sent.batch.record_count > 1 && !sent.is_given_up => {
                self.split(key, sent, index)
            }
            // Batches before it failed, or a gap was left: those behind can only succeed after them.
            Some(_) if is_order_lost && (!is_transactional || index > 0) && !sent.is_given_up => {
                self.queue_mut(key).needs_bump |= index == 0 && !is_transactional;
                self.retry(key, sent, index, now_ms)
            }
            _ if failure.error.is_retriable() && self.may_retry(&sent, now_ms) => {
                self.retry(key, sent, index, now_ms)
            }
            _ => {
                self.queue_mut(key).has_gap |= is_idempotent;
                self.fail(&sent.batch, failure.error);
                Verdict::Finished
            }
        };
        self.settle(key);
        verdict
    }

    /// Takes an answered batch out of its window, with its place there.
    fn take_answered(&mut self, key: QueueKey, batch_id: u64) -> Option<(Sent, usize)> {
        let queue = self.queue_mut(key);
        let index = queue.window.iter().position(|sent| sent.batch.id == batch_id)?;
        Some((queue.window.remove(index)?, index))
    }

    fn may_retry(&self, sent: &Sent, now_ms: i64) -> bool {
        !sent.is_given_up
            && sent.batch.attempts < self.limits.retries
            && now_ms < sent.batch.created_ms + self.limits.delivery_timeout_ms
            && self.abort_reason.is_none()
    }

    fn retry(&mut self, key: QueueKey, mut sent: Sent, index: usize, now_ms: i64) -> Verdict {
        sent.batch.attempts += 1;
        let attempts = sent.batch.attempts;
        sent.batch.retry_at_ms = now_ms + self.limits.retry_backoff.wait_ms(attempts, &mut self.jitter);
        let queue = self.queue_mut(key);
        queue.window.insert(index.min(queue.window.len()), sent);
        Verdict::Retried
    }

    /// Puts the two halves in the place of a batch that is too large for the broker.
    fn split(&mut self, key: QueueKey, sent: Sent, index: usize) -> Verdict {
        let ids = [self.take_batch_id(), self.take_batch_id()];
        let (compression, is_transactional) = (self.limits.compression, self.limits.is_transactional);
        let halves = match sent.batch.split(compression, is_transactional, ids) {
            Ok(Some(halves)) => halves,
            Ok(None) | Err(_) => {
                let error = ClientError::RecordTooLarge {
                    size: sent.batch.size(),
                    limit: 0,
                    setting: "max.message.bytes",
                };
                self.queue_mut(key).has_gap = true;
                self.fail(&sent.batch, error);
                return Verdict::Finished;
            }
        };
        let mut base_sequence = sent.base_sequence;
        let is_sequenced = base_sequence >= 0;
        for (offset, batch) in halves.into_iter().enumerate() {
            let count = batch.record_count;
            let half = Sent {
                batch,
                base_sequence,
                number: sent.number,
                is_in_flight: false,
                is_given_up: false,
                is_uncertain: false,
            };
            self.queue_mut(key).window.insert(index + offset, half);
            if is_sequenced {
                base_sequence = records::increment_sequence(base_sequence, count);
            }
        }
        Verdict::Split
    }
}

/// Codes that say: the sequence or the epoch of this batch does not follow what the broker has.
fn breaks_order(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::OutOfOrderSequenceNumber | ErrorCode::UnknownProducerId | ErrorCode::InvalidProducerEpoch
    )
}

/// Codes of a leader that has written the batch, but not heard of all the replicas that it waited for.
fn may_be_written(code: ErrorCode) -> bool {
    matches!(code, ErrorCode::NotEnoughReplicasAfterAppend | ErrorCode::RequestTimedOut)
}
