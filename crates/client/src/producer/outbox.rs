//! All records that wait or are on their way: which batch they join, when it leaves, what its answer means.
//!
//! A plain state machine. Time comes in as a value; what to do comes out as values.

mod partition_queue;
mod verdict;

#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use protocol::{ApiKey, ErrorCode};
use records::Compression;

pub(crate) use partition_queue::{PartitionQueue, Sent};
pub(crate) use verdict::Failure;

use crate::backoff::{Backoff, Jitter};
use crate::error::ClientError;
use crate::producer::batch::{Batch, ProducerIdentity, Sending};
use crate::producer::delivery::{BatchFate, BatchOutcome, Delivery};
use crate::producer::record::ProducerRecord;
use crate::topic_partition::TopicPartition;

/// What the producer was told, as far as it matters here.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    pub(crate) batch_size: usize,
    pub(crate) linger_ms: i64,
    pub(crate) delivery_timeout_ms: i64,
    pub(crate) request_bytes_max: usize,
    pub(crate) in_flight_max: usize,
    pub(crate) retries: u32,
    pub(crate) compression: Compression,
    pub(crate) retry_backoff: Backoff,
    pub(crate) is_idempotent: bool,
    pub(crate) is_transactional: bool,
}

/// A partition by the number of its topic here.
pub(crate) type QueueKey = (usize, i32);

/// Records in batches, by partition.
#[derive(Debug)]
pub(crate) struct Outbox {
    limits: Limits,
    topics: Vec<(Arc<str>, Vec<PartitionQueue>)>,
    numbers: HashMap<Arc<str>, usize>,
    /// Queues with batches in them; ordered, so that the same events give the same requests.
    busy: BTreeSet<QueueKey>,
    identity: ProducerIdentity,
    jitter: Jitter,
    next_batch_id: u64,
    flushing: usize,
    /// Bytes that finished batches held, since it was last asked.
    freed: usize,
    /// Why the open transaction cannot be committed.
    abort_reason: Option<ClientError>,
    /// Whether an identity is needed before anything can be sent.
    wants_identity: bool,
    rotation: usize,
}

/// A batch to be sent now.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) key: QueueKey,
    pub(crate) topic_partition: TopicPartition,
    pub(crate) batch_id: u64,
    pub(crate) sending: Sending,
    pub(crate) identity: ProducerIdentity,
    pub(crate) base_sequence: i32,
    pub(crate) size: usize,
}

/// What is to be done now.
#[derive(Debug, Default)]
pub(crate) struct Due {
    /// Batches by broker; each list is one request.
    pub(crate) requests: Vec<(i32, Vec<Outgoing>)>,
    /// Topics with batches whose leader is not known.
    pub(crate) leaderless: BTreeSet<Arc<str>>,
    /// When something is due without another event, ms.
    pub(crate) next_ms: Option<i64>,
}

/// What the outbox may know of the world outside.
pub(crate) trait Surroundings {
    /// The partition's leader, if it is known.
    fn leader(&self, topic_partition: &TopicPartition) -> Option<i32>;
    /// How many more requests the broker takes now.
    fn capacity(&self, broker: i32) -> usize;
    /// Whether batches of the partition may leave: with transactions, once the partition is part of it.
    fn admits(&self, topic_partition: &TopicPartition) -> bool;
}

impl Outbox {
    pub(crate) fn new(limits: Limits, seed: u64) -> Self {
        Self {
            wants_identity: limits.is_idempotent && !limits.is_transactional,
            limits,
            topics: Vec::new(),
            numbers: HashMap::new(),
            busy: BTreeSet::new(),
            identity: ProducerIdentity::NONE,
            jitter: Jitter::new(seed),
            next_batch_id: 0,
            flushing: 0,
            freed: 0,
            abort_reason: None,
            rotation: 0,
        }
    }

    /// Adds a record to its partition's open batch, or to a new one. True: a batch has become ready, or began.
    pub(crate) fn append(
        &mut self,
        topic_partition: &TopicPartition,
        record: &ProducerRecord,
        timestamp_ms: i64,
        size: usize,
        now_ms: i64,
    ) -> Result<(Delivery, bool), ClientError> {
        if let Some(reason) = &self.abort_reason {
            return Err(ClientError::AbortNeeded { source: Box::new(reason.clone()) });
        }
        let key = self.key(topic_partition);
        let bytes_max = self.limits.batch_size;
        let queue = self.queue_mut(key);
        if let Some(last) = queue.waiting.back_mut() {
            if let Some(delivery) = last.try_append(record, timestamp_ms, size, bytes_max) {
                let is_full = last.size() >= bytes_max;
                last.is_closed |= is_full;
                return Ok((delivery, is_full));
            }
            last.is_closed = true;
        }
        let (compression, is_transactional) = (self.limits.compression, self.limits.is_transactional);
        let id = self.take_batch_id();
        let mut batch = Batch::new(id, topic_partition.clone(), compression, is_transactional, now_ms);
        let delivery = batch
            .try_append(record, timestamp_ms, size, bytes_max)
            .expect("the first record of a batch always fits");
        batch.is_closed = batch.size() >= bytes_max;
        self.queue_mut(key).waiting.push_back(batch);
        self.busy.insert(key);
        Ok((delivery, true))
    }

    /// How many batches of a partition are not acknowledged.
    pub(crate) fn queue_length(&self, topic: &str, partition: i32) -> usize {
        let index = usize::try_from(partition).unwrap_or(usize::MAX);
        let queues = self.numbers.get(topic).map(|number| &self.topics[*number].1);
        queues.and_then(|queues| queues.get(index)).map_or(0, PartitionQueue::len)
    }

    /// Whether nothing waits and nothing is on its way.
    pub(crate) fn is_empty(&self) -> bool {
        self.busy.is_empty()
    }

    /// Those batches that exist now, for a flush to wait for.
    pub(crate) fn fates(&self) -> Vec<Arc<BatchFate>> {
        let queues = self.busy.iter().filter_map(|key| self.queue(*key));
        queues.flat_map(|queue| queue.batches().map(|batch| Arc::clone(&batch.fate))).collect()
    }

    /// From now on nothing lingers, until as many calls with false have come.
    pub(crate) fn set_flushing(&mut self, flushing: bool) {
        match flushing {
            true => self.flushing += 1,
            false => self.flushing = self.flushing.saturating_sub(1),
        }
    }

    /// Bytes of buffer memory that became free since the last call.
    pub(crate) fn take_freed(&mut self) -> usize {
        std::mem::take(&mut self.freed)
    }

    pub(crate) fn wants_identity(&self) -> bool {
        self.wants_identity && !self.busy.is_empty()
    }

    /// The producer's name towards brokers; sequences begin at 0 under a new one.
    pub(crate) fn set_identity(&mut self, identity: ProducerIdentity) {
        self.identity = identity;
        self.wants_identity = false;
    }

    pub(crate) fn identity(&self) -> ProducerIdentity {
        self.identity
    }

    /// Why the open transaction cannot be committed.
    pub(crate) fn abort_reason(&self) -> Option<&ClientError> {
        self.abort_reason.as_ref()
    }

    /// A new transaction begins: what failed before is over.
    pub(crate) fn clear_abort_reason(&mut self) {
        self.abort_reason = None;
    }

    /// Fails all that is not on its way, and remembers why; what is on its way is still answered.
    pub(crate) fn fail_waiting(&mut self, error: &ClientError) {
        if self.limits.is_transactional {
            self.abort_reason.get_or_insert_with(|| error.clone());
        }
        for key in self.busy.clone() {
            let queue = self.queue_mut(key);
            let (mut failed, kept): (Vec<Sent>, Vec<Sent>) =
                queue.window.drain(..).partition(|sent| !sent.is_in_flight);
            queue.has_gap |= !failed.is_empty();
            queue.window.extend(kept);
            let waiting = std::mem::take(&mut queue.waiting);
            let batches = failed.drain(..).map(|sent| sent.batch).chain(waiting);
            for batch in batches.collect::<Vec<_>>() {
                self.finish(&batch, BatchOutcome::Failed(error.clone()));
            }
            self.settle(key);
        }
    }

    /// Fails everything, what is on its way included: its answers are not waited for.
    pub(crate) fn fail_all(&mut self, error: &ClientError) {
        for key in std::mem::take(&mut self.busy) {
            let queue = self.queue_mut(key);
            let window = std::mem::take(&mut queue.window).into_iter().map(|sent| sent.batch);
            for batch in window.chain(std::mem::take(&mut queue.waiting)).collect::<Vec<_>>() {
                self.finish(&batch, BatchOutcome::Failed(error.clone()));
            }
        }
    }

    /// The bytes of a batch that was opened to be sent, kept for sending it again.
    pub(crate) fn sealed(&mut self, key: QueueKey, batch_id: u64, bytes: Bytes) {
        if let Some(sent) = self.queue_mut(key).sent_mut(batch_id) {
            sent.batch.sealed(bytes);
        }
    }

    /// What is to be sent, and what has taken too long.
    pub(crate) fn due(&mut self, now_ms: i64, surroundings: &dyn Surroundings) -> Due {
        let mut due = Due::default();
        if self.wants_identity && !self.busy.is_empty() {
            self.expire(now_ms, &mut due);
            return due;
        }
        self.expire(now_ms, &mut due);
        let keys: Vec<QueueKey> = self.busy.iter().copied().collect();
        let start = self.rotation.checked_rem(keys.len()).unwrap_or(0);
        self.rotation = self.rotation.wrapping_add(1);
        let mut open: HashMap<i32, (usize, usize)> = HashMap::new();
        for key in keys[start..].iter().chain(&keys[..start]).copied() {
            let Some(ready) = self.ready(key, now_ms, &mut due) else { continue };
            let topic_partition = self.topic_partition(key);
            let Some(leader) = surroundings.leader(&topic_partition) else {
                due.leaderless.insert(topic_partition.topic);
                continue;
            };
            if !surroundings.admits(&topic_partition) {
                continue;
            }
            let (index, bytes) = match open.get(&leader) {
                Some((index, bytes)) if bytes + ready <= self.limits.request_bytes_max => (*index, *bytes),
                _ => {
                    let used = due.requests.iter().filter(|(broker, _)| *broker == leader).count();
                    if used >= surroundings.capacity(leader) {
                        continue;
                    }
                    due.requests.push((leader, Vec::new()));
                    (due.requests.len() - 1, 0)
                }
            };
            if let Some(outgoing) = self.take(key, topic_partition) {
                open.insert(leader, (index, bytes + outgoing.size));
                due.requests[index].1.push(outgoing);
            }
        }
        due.requests.retain(|(_, batches)| !batches.is_empty());
        due
    }

    /// The size of the partition's next batch if it may leave now.
    fn ready(&mut self, key: QueueKey, now_ms: i64, due: &mut Due) -> Option<usize> {
        let (linger_ms, flushing) = (self.limits.linger_ms, self.flushing > 0);
        let (window_max, is_idempotent) = (self.limits.in_flight_max, self.limits.is_idempotent);
        if self.queue(key)?.is_bump_due() {
            self.bump(key);
            self.settle(key);
        }
        let wait = self.queue(key)?.next_ready(now_ms, linger_ms, flushing, window_max, is_idempotent);
        match wait {
            partition_queue::Next::Ready(size) => Some(size),
            partition_queue::Next::At(at_ms) => {
                due.next_ms = Some(due.next_ms.map_or(at_ms, |known| known.min(at_ms)));
                None
            }
            partition_queue::Next::Blocked => None,
        }
    }

    /// Puts the partition's next batch on its way.
    fn take(&mut self, key: QueueKey, topic_partition: TopicPartition) -> Option<Outgoing> {
        let (identity, is_idempotent) = (self.identity, self.limits.is_idempotent);
        let queue = self.queue_mut(key);
        let sent = queue.next_to_send(identity, is_idempotent)?;
        let size = sent.batch.size();
        let (batch_id, base_sequence) = (sent.batch.id, sent.base_sequence);
        let sending = sent.batch.take_for_sending()?;
        sent.is_in_flight = true;
        let identity = queue.identity;
        Some(Outgoing { key, topic_partition, batch_id, sending, identity, base_sequence, size })
    }

    /// Begins a new epoch for the partition's batches (KIP-360): nothing of it is on its way.
    fn bump(&mut self, key: QueueKey) {
        let is_current = self.queue(key).is_some_and(|queue| queue.identity == self.identity);
        if !self.limits.is_idempotent || self.limits.is_transactional {
            // A transaction that failed ends with a new epoch; without sequences there is no order to restore.
            let identity = self.identity;
            if !self.limits.is_idempotent || !is_current {
                self.queue_mut(key).restart(identity);
            }
            return;
        }
        if is_current {
            match self.identity.epoch.checked_add(1).filter(|epoch| *epoch < i16::MAX) {
                Some(epoch) => self.identity.epoch = epoch,
                None => {
                    self.wants_identity = true;
                    return;
                }
            }
        }
        let identity = self.identity;
        for batch in self.queue_mut(key).take_uncertain() {
            let code = ErrorCode::OutOfOrderSequenceNumber;
            let error = ClientError::refused(ApiKey::Produce, code).about(batch.fate.topic_partition());
            self.fail(&batch, error);
        }
        self.queue_mut(key).restart(identity);
    }

    fn expire(&mut self, now_ms: i64, due: &mut Due) {
        let limit_ms = self.limits.delivery_timeout_ms;
        for key in self.busy.clone() {
            let expired = self.queue_mut(key).expire(now_ms, limit_ms);
            if let Some(next_ms) = expired.next_ms {
                due.next_ms = Some(due.next_ms.map_or(next_ms, |known| known.min(next_ms)));
            }
            let error = |fate: &BatchFate| {
                let what = format!("delivery to {}", fate.topic_partition());
                ClientError::TimedOut { what, limit_ms, setting: "delivery.timeout.ms", last: None }
            };
            for fate in expired.given_up {
                if self.limits.is_transactional {
                    self.abort_reason.get_or_insert_with(|| error(&fate));
                }
                fate.resolve(BatchOutcome::Failed(error(&fate)));
            }
            for batch in expired.batches {
                self.fail(&batch, error(&batch.fate));
            }
            self.settle(key);
        }
    }

    fn fail(&mut self, batch: &Batch, error: ClientError) {
        if self.limits.is_transactional {
            self.abort_reason.get_or_insert_with(|| error.clone());
        }
        self.finish(batch, BatchOutcome::Failed(error));
    }

    fn finish(&mut self, batch: &Batch, outcome: BatchOutcome) {
        self.freed += batch.charged;
        batch.fate.resolve(outcome);
    }

    /// A queue that has become empty is not looked at any more.
    fn settle(&mut self, key: QueueKey) {
        if self.queue(key).is_none_or(|queue| queue.len() == 0) {
            self.busy.remove(&key);
        }
    }

    fn take_batch_id(&mut self) -> u64 {
        self.next_batch_id += 1;
        self.next_batch_id
    }

    fn topic_partition(&self, (number, partition): QueueKey) -> TopicPartition {
        TopicPartition { topic: Arc::clone(&self.topics[number].0), partition }
    }

    fn key(&mut self, topic_partition: &TopicPartition) -> QueueKey {
        let number = match self.numbers.get(&topic_partition.topic) {
            Some(number) => *number,
            None => {
                self.numbers.insert(Arc::clone(&topic_partition.topic), self.topics.len());
                self.topics.push((Arc::clone(&topic_partition.topic), Vec::new()));
                self.topics.len() - 1
            }
        };
        (number, topic_partition.partition)
    }

    fn queue(&self, (number, partition): QueueKey) -> Option<&PartitionQueue> {
        self.topics[number].1.get(usize::try_from(partition).ok()?)
    }

    fn queue_mut(&mut self, (number, partition): QueueKey) -> &mut PartitionQueue {
        let index = usize::try_from(partition).expect("callers check that the partition exists");
        let queues = &mut self.topics[number].1;
        if queues.len() <= index {
            queues.resize_with(index + 1, PartitionQueue::default);
        }
        &mut queues[index]
    }
}
