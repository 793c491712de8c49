//! The consumer: records of topic partitions, alone or shared with a group.

mod assignors;
mod classic;
mod config;
mod consumer_group;
mod fetch_session;
mod fetched;
mod handle;
mod membership;
mod offset_calls;
mod record;
mod streams;
mod subscriptions;
mod task;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;
use protocol::{ApiKey, ErrorCode};
use tokio::sync::{Notify, watch};

pub use assignors::AssignorName;
pub use config::{ConsumerConfig, GroupProtocol, IsolationLevel, OffsetReset};
pub use handle::ConsumerHandle;
pub use membership::RebalanceListener;
pub use offset_calls::OffsetAndTimestamp;
pub use record::{ConsumerBatch, ConsumerRecord, HeaderRef, RecordRef, RecordRefs};
pub use streams::{PartitionStream, RecordStream};

use crate::client::{Client, Lane};
use crate::error::ClientError;
use crate::group_offsets::{ConsumerGroupMetadata, OffsetAndMetadata};
use crate::topic_partition::TopicPartition;
use membership::Member;
use offset_calls::OffsetCalls;
use subscriptions::{Handed, Subscriptions};

/// What the consumer, its handles and its tasks share.
pub(crate) struct Shared {
    pub(crate) client: Client,
    pub(crate) config: ConsumerConfig,
    subscriptions: Mutex<Subscriptions>,
    group: Option<Arc<str>>,
    member: Mutex<Member>,
    failure: Mutex<Option<ClientError>>,
    commit_turn: tokio::sync::Mutex<()>,
    listener: Option<Arc<dyn RebalanceListener>>,
    /// There may be something to hand out.
    data: Notify,
    /// There may be something to fetch.
    wake: Notify,
    /// The interest has changed, or the end has come.
    group_wake: Notify,
    pollers: watch::Sender<usize>,
    last_poll_ms: AtomicI64,
    closing: watch::Sender<bool>,
    fetch_lane: Lane,
    group_lane: Lane,
}

/// Reads records. What a call for records has handed out counts as processed with the next call: with
/// `enable.auto.commit` only that is committed, so nothing is lost if the application stops in between.
///
/// All futures are cancel-safe: a dropped call has not taken a record. Dropping the consumer leaves the group in the
/// background as long as the runtime lives; use [`Consumer::close`] to wait for it.
pub struct Consumer {
    handle: ConsumerHandle,
    pending: VecDeque<ConsumerRecord>,
    /// The batch that `pending` comes from: its assignment and the offset behind it.
    pending_of: Option<(u64, i64)>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl std::fmt::Debug for Consumer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Consumer").field("group", &self.handle.shared.group).finish_non_exhaustive()
    }
}

impl std::ops::Deref for Consumer {
    type Target = ConsumerHandle;

    fn deref(&self) -> &ConsumerHandle {
        &self.handle
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.handle.shared.begin_closing();
    }
}

impl Consumer {
    /// A consumer on a client's brokers, with connections of its own. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// Settings that do not fit to each other.
    pub fn new(client: &Client, config: ConsumerConfig) -> Result<Self, ClientError> {
        Self::with_listener(client, config, None)
    }

    /// As [`Self::new`], with somebody who is told of rebalances.
    ///
    /// # Errors
    /// As there.
    pub fn with_listener(
        client: &Client,
        config: ConsumerConfig,
        listener: Option<Arc<dyn RebalanceListener>>,
    ) -> Result<Self, ClientError> {
        config.check()?;
        let group: Option<Arc<str>> = config.group_id.as_deref().map(Arc::from);
        let shared = Arc::new(Shared {
            client: client.clone(),
            subscriptions: Mutex::default(),
            group: group.clone(),
            member: Mutex::default(),
            failure: Mutex::default(),
            commit_turn: tokio::sync::Mutex::default(),
            listener,
            data: Notify::new(),
            wake: Notify::new(),
            group_wake: Notify::new(),
            pollers: watch::Sender::new(0),
            last_poll_ms: AtomicI64::new(client.now_ms()),
            closing: watch::Sender::new(false),
            fetch_lane: client.own_lane(),
            group_lane: client.own_lane(),
            config,
        });
        let mut tasks = vec![tokio::spawn(task::run(Arc::clone(&shared)))];
        if let Some(group) = group {
            tasks.push(match shared.config.group_protocol {
                GroupProtocol::Classic => tokio::spawn(classic::run(Arc::clone(&shared), group)),
                GroupProtocol::Consumer => tokio::spawn(consumer_group::run(Arc::clone(&shared), group)),
            });
        }
        let handle = ConsumerHandle { shared };
        Ok(Self { handle, pending: VecDeque::new(), pending_of: None, tasks })
    }

    /// The next record, waited for as long as it takes.
    ///
    /// # Errors
    /// A partition that cannot be read (the others go on with the next call), or a group that cannot be joined.
    #[allow(clippy::should_implement_trait, reason = "it is async; the stream is Self::stream")]
    pub async fn next(&mut self) -> Result<ConsumerRecord, ClientError> {
        loop {
            if let Some(record) = self.next_pending() {
                return Ok(record);
            }
            let (batch, stamp) = self.handle.shared.next_batch(None, Giving::Records).await?;
            let shared = &self.handle.shared;
            let records: Result<VecDeque<ConsumerRecord>, ClientError> = batch.records().collect();
            let records = records.inspect_err(|_| {
                // Damage is come upon again, never passed over.
                shared.rewind(batch.topic_partition(), stamp);
            })?;
            if records.is_empty() {
                shared.hand_out(batch.topic_partition(), stamp, batch.next_offset(), batch.leader_epoch());
            }
            (self.pending, self.pending_of) = (records, Some((stamp, batch.next_offset())));
        }
    }

    /// The next record of the batch at hand, unless its partition was taken away or sought elsewhere.
    fn next_pending(&mut self) -> Option<ConsumerRecord> {
        let (stamp, next_offset) = self.pending_of?;
        let record = self.pending.pop_front()?;
        let position = self.pending.front().map_or(next_offset, |next| next.offset);
        let shared = &self.handle.shared;
        shared.note_poll();
        shared.subscriptions.lock().note_processed();
        if shared.hand_out(&record.topic_partition, stamp, position, record.leader_epoch) {
            return Some(record);
        }
        self.pending.clear();
        None
    }

    /// The next batch of records as the broker stores it: the fast path, see [`ConsumerBatch::iter`].
    ///
    /// # Errors
    /// As [`Self::next`].
    pub async fn next_batch(&mut self) -> Result<ConsumerBatch, ClientError> {
        if let Some((stamp, _)) = self.pending_of.take()
            && let Some(first) = self.pending.front()
        {
            // What `next` has left over is fetched again.
            self.handle.shared.rewind(&first.topic_partition.clone(), stamp);
            self.pending.clear();
        }
        Ok(self.handle.shared.next_batch(None, Giving::Batches).await?.0)
    }

    /// Up to `max.poll.records` records, as soon as there are any; none when `limit` is over.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub async fn poll(&mut self, limit: Duration) -> Result<Vec<ConsumerRecord>, ClientError> {
        let first = match tokio::time::timeout(limit, self.next()).await {
            Ok(first) => first?,
            Err(_) => return Ok(Vec::new()),
        };
        let mut records = vec![first];
        while records.len() < self.handle.shared.config.max_poll_records && !self.pending.is_empty() {
            match self.next_of_poll() {
                Some(record) => records.push(record),
                None => break,
            }
        }
        Ok(records)
    }

    /// As `next_pending`, but what this call handed out before is not processed yet.
    fn next_of_poll(&mut self) -> Option<ConsumerRecord> {
        let (stamp, next_offset) = self.pending_of?;
        let record = self.pending.pop_front()?;
        let position = self.pending.front().map_or(next_offset, |next| next.offset);
        let is_current =
            self.handle.shared.hand_out(&record.topic_partition, stamp, position, record.leader_epoch);
        is_current.then_some(record)
    }

    /// Commits if that is automatic, leaves the group and ends; takes 30 s at most.
    pub async fn close(self) {
        self.close_within(Duration::from_secs(30)).await;
    }

    /// As [`Self::close`]; what the brokers have not answered when `limit` is over is given up.
    pub async fn close_within(mut self, limit: Duration) {
        // What was handed out last is processed: nobody asks for more.
        self.handle.shared.subscriptions.lock().note_processed();
        self.handle.shared.begin_closing();
        let mut tasks = std::mem::take(&mut self.tasks);
        let shared = Arc::clone(&self.handle.shared);
        let ended = async {
            for task in &mut tasks {
                if let Err(error) = task.await {
                    tracing::error!(%error, "a task of the consumer has failed");
                }
            }
            if shared.config.enable_auto_commit
                && let Err(error) = shared.commit_positions(false).await
            {
                tracing::warn!(%error, "positions were not committed at the end");
            }
        };
        if tokio::time::timeout(limit, ended).await.is_err() {
            tracing::warn!(?limit, "the consumer was not closed in good order");
            tasks.iter().for_each(tokio::task::JoinHandle::abort);
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.client.release_lane(self.fetch_lane);
        self.client.release_lane(self.group_lane);
    }
}

/// How a batch is given to the application, and so when the position moves.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Giving {
    /// As a whole: the position is behind it at once.
    Batches,
    /// Record by record, each of which moves the position.
    Records,
}

/// Counts as a call for records while it lives.
struct Polling<'a>(&'a Shared);

impl Drop for Polling<'_> {
    fn drop(&mut self) {
        self.0.note_poll();
        self.0.pollers.send_modify(|pollers| *pollers -= 1);
    }
}

impl Shared {
    pub(crate) fn is_closing(&self) -> bool {
        *self.closing.borrow()
    }

    fn begin_closing(&self) {
        self.closing.send_replace(true);
        self.wake.notify_one();
        self.group_wake.notify_one();
        self.data.notify_waiters();
    }

    fn note_poll(&self) {
        self.last_poll_ms.store(self.client.now_ms(), Ordering::Release);
    }

    fn offset_calls(&self) -> OffsetCalls {
        let is_read_committed = self.config.isolation_level == IsolationLevel::ReadCommitted;
        OffsetCalls { client: self.client.clone(), is_read_committed, lane: Lane::Coordinator }
    }

    fn group_metadata(&self) -> Option<ConsumerGroupMetadata> {
        let member = self.member.lock().clone();
        Some(ConsumerGroupMetadata {
            group_id: Arc::clone(self.group.as_ref()?),
            generation_id: member.generation,
            group_instance_id: match member.generation {
                0.. => self.config.group_instance_id.as_deref().map(Arc::from),
                _ => None,
            },
            member_id: member.id,
        })
    }

    /// The next batch of one partition or of all, with the stamp of its assignment.
    async fn next_batch(
        &self,
        only: Option<&TopicPartition>,
        giving: Giving,
    ) -> Result<(ConsumerBatch, u64), ClientError> {
        match only {
            None => self.subscriptions.lock().note_processed(),
            Some(named) => {
                if let Some(one) = self.subscriptions.lock().get_mut(named) {
                    (one.processed, one.processed_epoch) = (one.position, one.position_epoch);
                }
            }
        }
        // A rebalance that waits for this commits what is processed, so that is noted before.
        self.pollers.send_modify(|pollers| *pollers += 1);
        let _polling = Polling(self);
        loop {
            let data = self.data.notified();
            tokio::pin!(data);
            data.as_mut().enable();
            if self.is_closing() {
                return Err(ClientError::Closed);
            }
            if let Some(error) = self.failure.lock().take() {
                return Err(error);
            }
            let handed = self.subscriptions.lock().take(only);
            match handed {
                Some(Handed::Failed(error)) => {
                    self.wake.notify_one();
                    return Err(error);
                }
                Some(Handed::Batch { topic_partition, stamp, first_offset, fetched }) => {
                    self.wake.notify_one();
                    let Some(batch) = fetched.batch else { continue };
                    let opened = ConsumerBatch::open(
                        topic_partition.clone(),
                        &batch,
                        first_offset,
                        self.config.check_crcs,
                        self.config.decompressed_bytes_max,
                    );
                    let opened = match opened {
                        Ok(opened) => opened,
                        Err(error) => {
                            self.rewind(&topic_partition, stamp);
                            return Err(error);
                        }
                    };
                    let is_current = match giving {
                        Giving::Records => self.is_current(&topic_partition, stamp),
                        Giving::Batches => {
                            self.hand_out(&topic_partition, stamp, fetched.next_offset, fetched.epoch)
                        }
                    };
                    if is_current {
                        return Ok((opened, stamp));
                    }
                }
                None => data.await,
            }
        }
    }

    /// The application has what is below `position`; false if it is not to get it any more.
    fn hand_out(&self, named: &TopicPartition, stamp: u64, position: i64, epoch: Option<i32>) -> bool {
        let mut subscriptions = self.subscriptions.lock();
        let Some(one) = subscriptions.current_mut(named, stamp).filter(|one| !one.is_revoking) else {
            return false;
        };
        one.position = position;
        one.position_epoch = epoch.or(one.position_epoch);
        true
    }

    fn is_current(&self, named: &TopicPartition, stamp: u64) -> bool {
        self.subscriptions.lock().current_mut(named, stamp).is_some_and(|one| !one.is_revoking)
    }

    /// What was taken out and not handed out is fetched again.
    fn rewind(&self, named: &TopicPartition, stamp: u64) {
        let mut subscriptions = self.subscriptions.lock();
        if let Some(one) = subscriptions.current_mut(named, stamp) {
            let (offset, epoch) = (one.position, one.position_epoch);
            let (processed, committed) = ((one.processed, one.processed_epoch), one.committed);
            subscriptions.seek(named, subscriptions::Seek::Offset(offset, None));
            if let Some(one) = subscriptions.get_mut(named) {
                (one.position_epoch, one.fetch_epoch) = (epoch, epoch);
                ((one.processed, one.processed_epoch), one.committed) = (processed, committed);
            }
        }
        drop(subscriptions);
        self.wake.notify_one();
    }

    /// Commits what was processed, or with `all` everything that was handed out.
    async fn commit_positions(&self, all: bool) -> Result<(), ClientError> {
        let Some(group) = self.group_metadata() else { return Ok(()) };
        // One at a time: an older one that is tried again must not come after a newer one.
        let _turn = self.commit_turn.lock().await;
        let positions = self.subscriptions.lock().to_commit(all);
        if positions.is_empty() {
            return Ok(());
        }
        let offsets = positions.iter().map(|(named, offset, leader_epoch)| {
            let metadata = String::new();
            (named.clone(), OffsetAndMetadata { offset: *offset, leader_epoch: *leader_epoch, metadata })
        });
        self.commit_in_turn(&group, offsets.collect()).await
    }

    async fn commit(
        &self,
        group: &ConsumerGroupMetadata,
        offsets: Vec<(TopicPartition, OffsetAndMetadata)>,
    ) -> Result<(), ClientError> {
        let _turn = self.commit_turn.lock().await;
        self.commit_in_turn(group, offsets).await
    }

    /// Commits, with retries, and remembers what is committed.
    async fn commit_in_turn(
        &self,
        group: &ConsumerGroupMetadata,
        offsets: Vec<(TopicPartition, OffsetAndMetadata)>,
    ) -> Result<(), ClientError> {
        let calls = self.offset_calls();
        let group = Mutex::new(group.clone());
        let committed = self.client.with_retries("OffsetCommit", || {
            let known = group.lock().clone();
            let (calls, offsets, group) = (&calls, offsets.clone(), &group);
            async move {
                let committed = calls.commit(&known, offsets).await;
                // Only the epoch has grown meanwhile (KIP-848): the member is still the same.
                if committed.as_ref().is_err_and(|error| error.code() == Some(ErrorCode::StaleMemberEpoch))
                    && let Some(newer) = self.group_metadata()
                    && newer.member_id == known.member_id
                    && newer.generation_id > known.generation_id
                {
                    *group.lock() = newer;
                    return Err(ClientError::refused(ApiKey::OffsetCommit, ErrorCode::RequestTimedOut));
                }
                committed
            }
        });
        committed.await?;
        let mut subscriptions = self.subscriptions.lock();
        for (named, offset) in &offsets {
            if let Some(one) = subscriptions.get_mut(named) {
                one.committed = offset.offset;
            }
        }
        Ok(())
    }
}

pub(crate) fn wall_clock_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
