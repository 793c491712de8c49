//! One transactional id: its producer, and the transaction that it has open or had last.

use std::collections::{BTreeMap, BTreeSet};

use crate::request::{Producer, TopicPartition};
use crate::state::TransactionState;

/// The epochs of a producer id end below this: the last one is left for the coordinator to fence with.
pub(crate) const LAST_CLIENT_EPOCH: i16 = i16::MAX - 1;

/// From this level of `transaction.version` on every end of a transaction bumps the epoch (KIP-890).
pub(crate) const EPOCH_BUMP_VERSION: i16 = 2;

/// Everything known of a transactional id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Transaction {
    pub(crate) producer: Producer,
    /// The producer id before the last change of state.
    pub(crate) previous_producer_id: i64,
    /// The producer id that follows when this transaction is complete, or -1.
    pub(crate) next_producer_id: i64,
    /// The epoch before the last bump that the producer asked for, or -1: it may repeat its question. Not in the log.
    pub(crate) last_producer_epoch: i16,
    pub(crate) timeout_ms: i32,
    pub(crate) state: TransactionState,
    pub(crate) partitions: BTreeMap<String, BTreeSet<i32>>,
    /// -1 without a transaction.
    pub(crate) start_ms: i64,
    pub(crate) last_update_ms: i64,
    /// The level of `transaction.version` of whoever last changed the transaction.
    pub(crate) client_transaction_version: i16,
}

impl Transaction {
    /// An id seen for the first time; its first bump gives it epoch 0.
    pub(crate) fn new(producer_id: i64, timeout_ms: i32, now_ms: i64) -> Self {
        Self {
            producer: Producer { id: producer_id, epoch: -1 },
            previous_producer_id: -1,
            next_producer_id: -1,
            last_producer_epoch: -1,
            timeout_ms,
            state: TransactionState::Empty,
            partitions: BTreeMap::new(),
            start_ms: -1,
            last_update_ms: now_ms,
            client_transaction_version: 0,
        }
    }

    /// Whether a new epoch needs a new producer id.
    pub(crate) fn is_epoch_exhausted(&self) -> bool {
        self.producer.epoch >= LAST_CLIENT_EPOCH
    }

    /// Whether every one of `partitions` takes part.
    pub(crate) fn contains_all(&self, partitions: &[TopicPartition]) -> bool {
        partitions.iter().all(|partition| self.contains(partition))
    }

    /// Whether `partition` takes part.
    pub(crate) fn contains(&self, partition: &TopicPartition) -> bool {
        self.partitions.get(&partition.topic).is_some_and(|indexes| indexes.contains(&partition.partition))
    }

    /// Its partitions.
    pub(crate) fn topic_partitions(&self) -> Vec<TopicPartition> {
        let of_topic = |(topic, indexes): (&String, &BTreeSet<i32>)| {
            let topic = topic.clone();
            indexes
                .iter()
                .map(move |partition| TopicPartition { topic: topic.clone(), partition: *partition })
                .collect::<Vec<_>>()
        };
        self.partitions.iter().flat_map(of_topic).collect()
    }

    /// When the open transaction has run for too long.
    pub(crate) fn times_out_at(&self) -> Option<i64> {
        (self.state == TransactionState::Ongoing)
            .then(|| self.start_ms.saturating_add(self.timeout_ms.into()))
    }

    /// As [`Self::at`], with partitions added; the transaction begins if none is open.
    pub(crate) fn with_partitions(
        &self,
        partitions: Vec<TopicPartition>,
        client_transaction_version: i16,
        now_ms: i64,
    ) -> Self {
        let mut next = self.at(TransactionState::Ongoing, now_ms);
        if self.state != TransactionState::Ongoing {
            next.start_ms = now_ms;
        }
        for TopicPartition { topic, partition } in partitions {
            next.partitions.entry(topic).or_default().insert(partition);
        }
        next.client_transaction_version = client_transaction_version;
        next
    }

    /// A producer that begins anew, nothing being open.
    pub(crate) fn reset(
        &self,
        producer: Producer,
        last_producer_epoch: i16,
        timeout_ms: i32,
        now_ms: i64,
    ) -> Self {
        Self {
            producer,
            last_producer_epoch,
            timeout_ms,
            partitions: BTreeMap::new(),
            start_ms: -1,
            ..self.at(TransactionState::Empty, now_ms)
        }
    }

    /// The outcome is decided. From [`EPOCH_BUMP_VERSION`] on the epoch goes up, and at the last one `next_producer_id`
    /// is the id to go on with. Where nothing was open, the transaction begins and ends now.
    pub(crate) fn prepared(&self, committed: bool, version: i16, next_producer_id: i64, now_ms: i64) -> Self {
        let state = if committed { TransactionState::PrepareCommit } else { TransactionState::PrepareAbort };
        let mut next = self.at(state, now_ms);
        if version >= EPOCH_BUMP_VERSION {
            next.producer.epoch = self.producer.epoch.saturating_add(1);
            next.last_producer_epoch = self.producer.epoch;
        }
        if self.state != TransactionState::Ongoing {
            next.start_ms = now_ms;
        }
        next.next_producer_id = next_producer_id;
        next.client_transaction_version = version;
        next
    }

    /// Every marker is written.
    pub(crate) fn completed(&self, now_ms: i64) -> Self {
        let state = if self.state == TransactionState::PrepareCommit {
            TransactionState::CompleteCommit
        } else {
            TransactionState::CompleteAbort
        };
        let mut next = self.at(state, now_ms);
        if self.client_transaction_version >= EPOCH_BUMP_VERSION && self.next_producer_id != -1 {
            next.producer = Producer { id: self.next_producer_id, epoch: 0 };
        }
        next.next_producer_id = -1;
        next.partitions = BTreeMap::new();
        next
    }

    fn at(&self, state: TransactionState, now_ms: i64) -> Self {
        Self { state, previous_producer_id: self.producer.id, last_update_ms: now_ms, ..self.clone() }
    }
}
