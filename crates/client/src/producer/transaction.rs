//! Transactions: begun, filled, committed or aborted, and fenced by whoever has the same id.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use protocol::ErrorCode;

use crate::error::ClientError;
use crate::group_offsets::{ConsumerGroupMetadata, OffsetAndMetadata};
use crate::producer::{Delivery, Producer, ProducerRecord, RecordMetadata};
use crate::topic_partition::TopicPartition;

/// Where a producer stands with its transactions.
#[derive(Clone, Debug)]
pub(super) enum Phase {
    /// `init_transactions` was not called yet.
    Uninitialized,
    /// Between transactions.
    Ready,
    /// A transaction is open.
    Open,
    /// A transaction is being ended.
    Ending,
    /// Nothing can be done any more.
    Fatal(ClientError),
}

/// What is known of the transaction. Without `transactional.id` it admits everything.
#[derive(Debug)]
pub(super) struct State {
    pub(super) transactional_id: Option<Arc<str>>,
    pub(super) progress: Mutex<Progress>,
    /// Whether brokers add partitions by themselves and each transaction has its own epoch (KIP-890).
    pub(super) is_v2: AtomicBool,
    /// One call at a time begins or ends transactions.
    pub(super) turn: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
pub(super) struct Progress {
    pub(super) phase: Phase,
    pub(super) added: HashSet<TopicPartition>,
    /// Whether the coordinator may know of the transaction.
    pub(super) is_started: bool,
    /// The transaction's handle is gone without an end.
    pub(super) is_abandoned: bool,
}

impl State {
    pub(super) fn new(transactional_id: Option<&str>) -> Self {
        let progress = Progress {
            phase: Phase::Uninitialized,
            added: HashSet::new(),
            is_started: false,
            is_abandoned: false,
        };
        Self {
            transactional_id: transactional_id.map(Arc::from),
            progress: Mutex::new(progress),
            is_v2: AtomicBool::new(false),
            turn: tokio::sync::Mutex::default(),
        }
    }

    /// Whether records may be sent now.
    pub(super) fn check_open(&self) -> Result<(), ClientError> {
        if self.transactional_id.is_none() {
            return Ok(());
        }
        match &self.progress.lock().phase {
            Phase::Open => Ok(()),
            Phase::Fatal(error) => Err(error.clone()),
            Phase::Uninitialized => Err(ClientError::IllegalState("init_transactions is to be called first")),
            Phase::Ready | Phase::Ending => {
                Err(ClientError::IllegalState("records of this producer belong in a transaction"))
            }
        }
    }

    pub(super) fn is_v1(&self) -> bool {
        self.transactional_id.is_some() && !self.is_v2.load(Ordering::Acquire)
    }

    /// Whether batches of the partition may be sent.
    pub(super) fn admits(&self, topic_partition: &TopicPartition) -> bool {
        !self.is_v1() || self.progress.lock().added.contains(topic_partition)
    }

    pub(super) fn note_added(&self, partitions: Vec<TopicPartition>) {
        self.progress.lock().added.extend(partitions);
    }

    pub(super) fn note_started(&self) {
        if self.transactional_id.is_some() {
            self.progress.lock().is_started = true;
        }
    }

    pub(super) fn is_fatal(&self) -> bool {
        matches!(self.progress.lock().phase, Phase::Fatal(_))
    }

    /// Turns codes that end this producer into a state that lasts.
    pub(super) fn judge(&self, error: ClientError) -> ClientError {
        let Some(transactional_id) = &self.transactional_id else { return error };
        let fatal = match error.code() {
            Some(code @ (ErrorCode::InvalidProducerEpoch | ErrorCode::ProducerFenced)) => {
                ClientError::Fenced { transactional_id: Arc::clone(transactional_id), code }
            }
            Some(
                ErrorCode::TransactionalIdAuthorizationFailed
                | ErrorCode::ClusterAuthorizationFailed
                | ErrorCode::InvalidTxnState
                | ErrorCode::UnsupportedVersion,
            ) => error,
            _ => return error,
        };
        self.progress.lock().phase = Phase::Fatal(fatal.clone());
        fatal
    }
}

/// An open transaction. What is sent in it becomes visible to `read_committed` readers with [`Self::commit`], or never.
/// Dropped without an end it is aborted.
#[derive(Debug)]
pub struct Transaction {
    producer: Producer,
    is_ended: bool,
}

impl Producer {
    /// Takes over the transactional id: older producers of it are fenced, what they left open is aborted.
    ///
    /// # Errors
    /// There is no `transactional.id`, or no coordinator within `max.block.ms`.
    pub async fn init_transactions(&self) -> Result<(), ClientError> {
        let _turn = self.shared.transaction.turn.lock().await;
        if let Phase::Fatal(error) = &self.shared.transaction.progress.lock().phase {
            return Err(error.clone());
        }
        self.shared.init_transactions().await?;
        self.shared.transaction.progress.lock().phase = Phase::Ready;
        Ok(())
    }

    /// Begins a transaction. One at a time: this waits for the end of one that was dropped.
    ///
    /// # Errors
    /// [`Self::init_transactions`] was not called, a transaction is open, or the producer is fenced.
    pub async fn begin(&self) -> Result<Transaction, ClientError> {
        let _turn = self.shared.transaction.turn.lock().await;
        let is_abandoned = self.shared.transaction.progress.lock().is_abandoned;
        if is_abandoned {
            self.shared.end(false).await?;
        }
        let mut progress = self.shared.transaction.progress.lock();
        match &progress.phase {
            Phase::Ready => {}
            Phase::Fatal(error) => return Err(error.clone()),
            Phase::Uninitialized => {
                return Err(ClientError::IllegalState("init_transactions is to be called first"));
            }
            Phase::Open | Phase::Ending => return Err(ClientError::IllegalState("a transaction is open")),
        }
        progress.added.clear();
        (progress.phase, progress.is_started, progress.is_abandoned) = (Phase::Open, false, false);
        Ok(Transaction { producer: self.clone(), is_ended: false })
    }
}

impl Transaction {
    /// As [`Producer::send`], within the transaction.
    ///
    /// # Errors
    /// As there.
    pub async fn send(&self, record: ProducerRecord) -> Result<RecordMetadata, ClientError> {
        self.producer.send(record).await
    }

    /// As [`Producer::enqueue`], within the transaction.
    ///
    /// # Errors
    /// As there.
    pub async fn enqueue(&self, record: ProducerRecord) -> Result<Delivery, ClientError> {
        self.producer.enqueue(record).await
    }

    /// Commits a group's offsets with the transaction: the next offset to read of each partition.
    ///
    /// # Errors
    /// The group went on without this member, this producer is fenced, or the transaction must be aborted.
    pub async fn send_offsets(
        &self,
        offsets: impl IntoIterator<Item = (TopicPartition, OffsetAndMetadata)>,
        group: &ConsumerGroupMetadata,
    ) -> Result<(), ClientError> {
        self.producer.shared.transaction.check_open()?;
        let offsets: Vec<_> = offsets.into_iter().collect();
        if offsets.is_empty() {
            return Ok(());
        }
        self.producer.shared.send_offsets(offsets, group).await
    }

    /// Waits until everything is written, then makes it visible at once.
    ///
    /// # Errors
    /// [`ClientError::AbortNeeded`] if something in it failed: call [`Self::abort`] on what comes back, or drop it.
    /// [`ClientError::Fenced`] if another producer took over.
    pub async fn commit(mut self) -> Result<(), (Self, ClientError)> {
        let shared = Arc::clone(&self.producer.shared);
        let _turn = shared.transaction.turn.lock().await;
        match shared.end(true).await {
            Ok(()) => {
                self.is_ended = true;
                Ok(())
            }
            Err(error) => Err((self, error)),
        }
    }

    /// Takes everything back that was sent in it.
    ///
    /// # Errors
    /// [`ClientError::Fenced`] if another producer took over, which aborted it.
    pub async fn abort(mut self) -> Result<(), ClientError> {
        let shared = Arc::clone(&self.producer.shared);
        let _turn = shared.transaction.turn.lock().await;
        let ended = shared.end(false).await;
        self.is_ended = ended.is_ok() || shared.transaction.is_fatal();
        ended
    }
}

impl Producer {
    /// Aborts a transaction that was dropped, unless that is done already.
    pub(super) async fn end_abandoned(&self) {
        let _turn = self.shared.transaction.turn.lock().await;
        let is_abandoned = self.shared.transaction.progress.lock().is_abandoned;
        if is_abandoned && let Err(error) = self.shared.end(false).await {
            tracing::warn!(%error, "a dropped transaction was not aborted");
        }
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if self.is_ended || self.producer.shared.transaction.is_fatal() {
            return;
        }
        self.producer.shared.transaction.progress.lock().is_abandoned = true;
        let producer = self.producer.clone();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { producer.end_abandoned().await });
        }
    }
}
