//! One partition of `__transaction_state` as a state machine: the one door.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use coordinator::{
    CoordinatorEvent, CoordinatorShard, RecordPosition, RequestId, append_error_to_client_error,
};
use protocol::ErrorCode;

use crate::config::TransactionCoordinatorConfig;
use crate::record::{self, ReplayWarning};
use crate::request::{Action, MarkersToWrite, Reply, Request};
use crate::state::TransactionState;
use crate::transaction::Transaction;

/// What a step of this shard asks for.
pub(crate) type Effects = coordinator::Effects<Reply, Action>;

/// Bytes of an empty record batch, and the most that a record takes besides key and value.
const BATCH_OVERHEAD: usize = 61 + 32;

/// Every transactional id that maps to one partition of `__transaction_state`.
#[derive(Debug)]
pub struct TransactionShard {
    pub(crate) config: TransactionCoordinatorConfig,
    batch_bytes_max: usize,
    coordinator_epoch: i32,
    pub(crate) transactions: BTreeMap<String, Transaction>,
    /// Open transactions by the time that they run out.
    pub(crate) timeouts: BTreeSet<(i64, String)>,
    /// Requests that wait until the transaction before is complete.
    pub(crate) parked: BTreeMap<String, Vec<Parked>>,
    pub(crate) parked_deadlines: BTreeSet<(i64, String)>,
    /// No sooner than this are open transactions looked at again.
    pub(crate) next_timeout_check_ms: i64,
    pub(crate) next_expiry_check_ms: Option<i64>,
    is_unloaded: bool,
}

/// A request that waits.
#[derive(Debug, Clone)]
pub(crate) struct Parked {
    pub(crate) id: RequestId,
    pub(crate) until_ms: i64,
    pub(crate) request: Request,
}

impl TransactionShard {
    /// How many transactional ids there are.
    pub fn len(&self) -> usize {
        self.transactions.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.transactions.is_empty()
    }

    fn request(&mut self, now_ms: i64, effects: &mut Effects, id: RequestId, request: Request) {
        let reply = match request {
            Request::InitProducerId { .. } => self.init_producer_id(now_ms, effects, request),
            Request::AddPartitions { .. } => match self.add_partitions(now_ms, effects, id, request) {
                Some(reply) => reply,
                None => return,
            },
            Request::VerifyPartitions { transactional_id, producer, partitions } => {
                Reply::VerifyPartitions(self.verify_partitions(&transactional_id, producer, &partitions))
            }
            Request::EndTransaction { .. } => self.end_transaction(now_ms, effects, request),
            Request::AbortTimedOut { transactional_id, producer, fresh_producer_id } => {
                self.abort_timed_out(now_ms, effects, &transactional_id, producer, fresh_producer_id)
            }
            Request::MarkersWritten { transactional_id, producer, coordinator_epoch } => {
                if coordinator_epoch == self.coordinator_epoch {
                    self.markers_written(now_ms, effects, &transactional_id, producer);
                }
                Reply::Done(Ok(()))
            }
            Request::Describe(transactional_id) => Reply::Describe(self.describe(transactional_id)),
            Request::List(request) => Reply::List(self.list(now_ms, &request)),
        };
        effects.replies.push((id, reply));
    }

    /// Takes a new state of an id over and asks for its record; nothing happens when that cannot be written.
    pub(crate) fn put(
        &mut self,
        effects: &mut Effects,
        transactional_id: &str,
        transaction: Transaction,
    ) -> Result<(), ErrorCode> {
        let record = record::record(transactional_id, &transaction, self.config.transaction_version);
        let record = record.ok_or(ErrorCode::UnknownServerError)?;
        let size = BATCH_OVERHEAD + record.key.len() + record.value.as_ref().map_or(0, Bytes::len);
        // A decided transaction must be written: the state before it, which was as long, has been.
        if size > self.batch_bytes_max && transaction.state == TransactionState::Ongoing {
            return Err(ErrorCode::UnknownServerError);
        }
        effects.records.push(record);
        self.store(transactional_id.to_owned(), transaction);
        Ok(())
    }

    /// Takes a state over.
    fn store(&mut self, transactional_id: String, transaction: Transaction) {
        self.forget(&transactional_id);
        if let Some(times_out_at) = transaction.times_out_at() {
            self.timeouts.insert((times_out_at, transactional_id.clone()));
        }
        self.transactions.insert(transactional_id, transaction);
    }

    /// Forgets an id.
    pub(crate) fn forget(&mut self, transactional_id: &str) {
        let Some(before) = self.transactions.remove(transactional_id) else { return };
        if let Some(times_out_at) = before.times_out_at() {
            self.timeouts.remove(&(times_out_at, transactional_id.to_owned()));
        }
    }

    /// Asks for the markers of a decided transaction; without partitions it is complete at once.
    pub(crate) fn send_markers(&mut self, now_ms: i64, effects: &mut Effects, transactional_id: &str) {
        let Some(transaction) = self.transactions.get(transactional_id) else { return };
        let partitions = transaction.topic_partitions();
        if partitions.is_empty() {
            return self.markers_written(now_ms, effects, transactional_id, transaction.producer);
        }
        effects.actions.push(Action::WriteMarkers(MarkersToWrite {
            transactional_id: transactional_id.to_owned(),
            producer: transaction.producer,
            committed: transaction.state == TransactionState::PrepareCommit,
            coordinator_epoch: self.coordinator_epoch,
            transaction_version: transaction.client_transaction_version,
            partitions,
        }));
    }

    /// Decided transactions go on where the coordinator before us stopped.
    fn loaded(&mut self, now_ms: i64, effects: &mut Effects, leader_epoch: i32) {
        self.coordinator_epoch = leader_epoch;
        self.next_timeout_check_ms = now_ms;
        self.next_expiry_check_ms =
            Some(now_ms.saturating_add(self.config.remove_expired_interval_ms.max(1)));
        let prepared: Vec<String> = self
            .transactions
            .iter()
            .filter(|(_, transaction)| transaction.state.is_prepared())
            .map(|(id, _)| id.clone())
            .collect();
        for transactional_id in prepared {
            self.send_markers(now_ms, effects, &transactional_id);
        }
    }

    fn unload(&mut self, effects: &mut Effects) {
        self.is_unloaded = true;
        for parked in std::mem::take(&mut self.parked).into_values().flatten() {
            effects.replies.push((parked.id, parked.request.refused(ErrorCode::NotCoordinator)));
        }
        self.parked_deadlines.clear();
        self.timeouts.clear();
        self.transactions.clear();
        self.next_expiry_check_ms = None;
    }
}

impl CoordinatorShard for TransactionShard {
    type Config = TransactionCoordinatorConfig;
    type Request = Request;
    type Reply = Reply;
    type Notice = std::convert::Infallible;
    type Action = Action;
    type ReplayWarning = ReplayWarning;

    fn new(config: &TransactionCoordinatorConfig, batch_bytes_max: usize) -> Self {
        Self {
            config: config.clone(),
            batch_bytes_max,
            coordinator_epoch: -1,
            transactions: BTreeMap::new(),
            timeouts: BTreeSet::new(),
            parked: BTreeMap::new(),
            parked_deadlines: BTreeSet::new(),
            next_timeout_check_ms: 0,
            next_expiry_check_ms: None,
            is_unloaded: false,
        }
    }

    fn configure(&mut self, config: &TransactionCoordinatorConfig, batch_bytes_max: usize) {
        self.config = config.clone();
        self.batch_bytes_max = batch_bytes_max;
    }

    fn step(&mut self, now_ms: i64, event: CoordinatorEvent<Self>) -> Effects {
        let mut effects = Effects::default();
        match event {
            CoordinatorEvent::Request { id, request } if self.is_unloaded => {
                effects.replies.push((id, request.refused(ErrorCode::NotCoordinator)));
            }
            _ if self.is_unloaded => {}
            CoordinatorEvent::Request { id, request } => self.request(now_ms, &mut effects, id, request),
            CoordinatorEvent::Loaded { leader_epoch } => self.loaded(now_ms, &mut effects, leader_epoch),
            CoordinatorEvent::Tick => self.tick(now_ms, &mut effects),
            CoordinatorEvent::Notice(never) => match never {},
            // Nobody writes transactionally to this topic.
            CoordinatorEvent::TransactionCompleted { .. } => {}
            CoordinatorEvent::Unload => self.unload(&mut effects),
        }
        effects
    }

    fn next_deadline(&self) -> Option<i64> {
        let timeout =
            self.timeouts.first().map(|(at_ms, _)| at_ms.saturating_add(1).max(self.next_timeout_check_ms));
        let parked = self.parked_deadlines.first().map(|(at_ms, _)| *at_ms);
        [timeout, parked, self.next_expiry_check_ms].into_iter().flatten().min()
    }

    fn replay(
        &mut self,
        _: RecordPosition,
        key: Option<Bytes>,
        value: Option<Bytes>,
    ) -> Result<(), ReplayWarning> {
        match record::parse(key, value)? {
            (transactional_id, Some(transaction)) => self.store(transactional_id, transaction),
            (transactional_id, None) => self.forget(&transactional_id),
        }
        Ok(())
    }

    fn replay_end_transaction(&mut self, _: i64, _: bool) {}

    fn refuse(request: Request, error: ErrorCode) -> Reply {
        request.refused(error)
    }

    fn refuse_reply(reply: Reply, append_error: ErrorCode) -> Reply {
        reply.refused(append_error_to_client_error(append_error))
    }
}
