//! One partition's batches: those that wait, and those that have a sequence, in order.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::producer::batch::{Batch, ProducerIdentity};
use crate::producer::delivery::BatchFate;

/// A batch with a sequence: on its way, or to be sent again.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) batch: Batch,
    pub(crate) base_sequence: i32,
    /// How many batches of the partition got a sequence before it.
    pub(crate) number: u64,
    pub(crate) is_in_flight: bool,
    /// Its time was over while it was on its way: whoever waited was told, the answer is only looked at for order.
    pub(crate) is_given_up: bool,
    /// Nobody knows whether the broker has written it, or still comes to.
    pub(crate) is_uncertain: bool,
}

/// The batches of a partition, oldest first.
#[derive(Debug)]
pub(crate) struct PartitionQueue {
    /// Without a sequence; only the last may be open.
    pub(crate) waiting: VecDeque<Batch>,
    pub(crate) window: VecDeque<Sent>,
    pub(crate) identity: ProducerIdentity,
    pub(crate) next_sequence: i32,
    pub(crate) next_number: u64,
    /// The broker said that sequences do not follow each other: a new epoch is due.
    pub(crate) needs_bump: bool,
    /// A sequence was given up: nothing new leaves before the rest of the window is known.
    pub(crate) has_gap: bool,
    /// The broker knows the identity here. Before, it takes whatever sequence comes first, so that a second batch
    /// could overtake a first one that was refused: one at a time leaves until then.
    pub(crate) is_established: bool,
}

impl Default for PartitionQueue {
    fn default() -> Self {
        Self {
            waiting: VecDeque::new(),
            window: VecDeque::new(),
            identity: ProducerIdentity::NONE,
            next_sequence: 0,
            next_number: 0,
            needs_bump: false,
            has_gap: false,
            is_established: false,
        }
    }
}

/// What has taken too long.
pub(super) struct Expired {
    /// Left the queue.
    pub(super) batches: Vec<Batch>,
    /// Still on its way.
    pub(super) given_up: Vec<Arc<BatchFate>>,
    /// When the next one will be due, ms.
    pub(super) next_ms: Option<i64>,
}

/// When the next batch may leave.
pub(super) enum Next {
    /// Now; its size in bytes.
    Ready(usize),
    /// At this time, ms, if nothing else happens before.
    At(i64),
    /// Not before something else happens.
    Blocked,
}

impl PartitionQueue {
    pub(crate) fn len(&self) -> usize {
        self.waiting.len() + self.window.len()
    }

    pub(super) fn batches(&self) -> impl Iterator<Item = &Batch> {
        self.window.iter().map(|sent| &sent.batch).chain(&self.waiting)
    }

    fn is_any_in_flight(&self) -> bool {
        self.window.iter().any(|sent| sent.is_in_flight)
    }

    /// A new epoch is due and nothing under the old one can be answered any more.
    pub(super) fn is_bump_due(&self) -> bool {
        let is_window_lost = self.needs_bump || (self.has_gap && self.window.is_empty());
        is_window_lost && !self.is_any_in_flight()
    }

    pub(super) fn sent_mut(&mut self, batch_id: u64) -> Option<&mut Sent> {
        self.window.iter_mut().find(|sent| sent.batch.id == batch_id)
    }

    /// The next to be sent again: with sequences only the oldest, for the others would be out of order.
    fn retry_index(&self, is_idempotent: bool) -> Option<usize> {
        let index = self.window.iter().position(|sent| !sent.is_in_flight)?;
        (index == 0 || !is_idempotent).then_some(index)
    }

    /// Whether so many batches have followed the oldest one that another could make the broker forget its sequence:
    /// where leaders move, later ones are answered by a new leader before the old one says a word.
    fn is_far_ahead(&self, window_max: usize, is_idempotent: bool) -> bool {
        let since = self.window.front().map_or(0, |oldest| self.next_number - oldest.number);
        is_idempotent && since >= window_max as u64
    }

    pub(super) fn next_ready(
        &self,
        now_ms: i64,
        linger_ms: i64,
        is_flushing: bool,
        window_max: usize,
        is_idempotent: bool,
    ) -> Next {
        if self.needs_bump {
            return Next::Blocked;
        }
        if self.window.iter().any(|sent| !sent.is_in_flight) {
            let Some(index) = self.retry_index(is_idempotent) else { return Next::Blocked };
            let batch = &self.window[index].batch;
            return match batch.retry_at_ms <= now_ms {
                true => Next::Ready(batch.size()),
                false => Next::At(batch.retry_at_ms),
            };
        }
        let window_max = if is_idempotent && !self.is_established { 1 } else { window_max };
        if self.has_gap || self.window.len() >= window_max || self.is_far_ahead(window_max, is_idempotent) {
            return Next::Blocked;
        }
        match self.waiting.front() {
            None => Next::Blocked,
            Some(batch) if batch.is_closed || is_flushing || self.waiting.len() > 1 => {
                Next::Ready(batch.size())
            }
            Some(batch) if batch.created_ms + linger_ms <= now_ms => Next::Ready(batch.size()),
            Some(batch) => Next::At(batch.created_ms + linger_ms),
        }
    }

    /// The batch that [`Self::next_ready`] meant; a new one gets its sequence.
    pub(super) fn next_to_send(
        &mut self,
        current: ProducerIdentity,
        is_idempotent: bool,
    ) -> Option<&mut Sent> {
        if let Some(index) = self.retry_index(is_idempotent) {
            return self.window.get_mut(index);
        }
        let batch = self.waiting.pop_front()?;
        if self.window.is_empty() && self.identity != current {
            (self.identity, self.next_sequence, self.is_established) = (current, 0, false);
        }
        let base_sequence = if is_idempotent { self.next_sequence } else { records::NO_SEQUENCE };
        self.next_sequence = records::increment_sequence(self.next_sequence, batch.record_count);
        let number = self.next_number;
        self.next_number += 1;
        self.window.push_back(Sent {
            batch,
            base_sequence,
            number,
            is_in_flight: false,
            is_given_up: false,
            is_uncertain: false,
        });
        self.window.back_mut()
    }

    /// Takes out what must not be written under another sequence: behind a gap whose fate is not known either, both may
    /// still be written under the old one.
    pub(super) fn take_uncertain(&mut self) -> Vec<Batch> {
        if !self.has_gap {
            return Vec::new();
        }
        let (uncertain, kept): (VecDeque<Sent>, VecDeque<Sent>) =
            self.window.drain(..).partition(|sent| sent.is_uncertain);
        self.window = kept;
        uncertain.into_iter().map(|sent| sent.batch).collect()
    }

    /// All batches of the window get sequences from 0 on under a new epoch.
    pub(super) fn restart(&mut self, identity: ProducerIdentity) {
        (self.identity, self.next_sequence) = (identity, 0);
        (self.needs_bump, self.has_gap, self.is_established) = (false, false, false);
        for sent in self.window.iter_mut().filter(|sent| sent.base_sequence >= 0) {
            sent.base_sequence = self.next_sequence;
            self.next_sequence = records::increment_sequence(self.next_sequence, sent.batch.record_count);
        }
    }

    /// Takes out what is older than the limit. What is on its way stays in the window, its waiters are to be told.
    pub(super) fn expire(&mut self, now_ms: i64, limit_ms: i64) -> Expired {
        let is_over = |batch: &Batch| batch.created_ms + limit_ms <= now_ms;
        let (mut batches, mut given_up) = (Vec::new(), Vec::new());
        if self.window.iter().any(|sent| !sent.is_in_flight && is_over(&sent.batch)) {
            let (over, kept): (VecDeque<Sent>, VecDeque<Sent>) =
                self.window.drain(..).partition(|sent| !sent.is_in_flight && is_over(&sent.batch));
            (self.window, self.has_gap) = (kept, true);
            batches.extend(over.into_iter().map(|sent| sent.batch));
        }
        for sent in self.window.iter_mut().filter(|sent| !sent.is_given_up && is_over(&sent.batch)) {
            sent.is_given_up = true;
            given_up.push(Arc::clone(&sent.batch.fate));
        }
        while self.waiting.front().is_some_and(is_over) {
            batches.extend(self.waiting.pop_front());
        }
        let pending = self.batches().filter(|batch| !is_over(batch));
        let next_ms = pending.map(|batch| batch.created_ms + limit_ms).min();
        Expired { batches, given_up, next_ms }
    }
}
