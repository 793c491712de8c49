//! One topic partition on this broker: its log, its part in replication, and who waits for it.
//!
//! Appends of one partition take the log's own short lock; offsets are read as atomics. The high watermark moves when the log
//! says that more is durable, and then everybody who waits is woken once.

mod moving;
mod transactional;

use std::collections::BTreeSet;
use std::fmt;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, Ordering};
use std::sync::{Arc, Weak};
use std::task::Poll;

use bytes::Bytes;
use config::TopicConfig;
use parking_lot::{Mutex, RwLock};
use protocol::{ErrorCode, Uuid};
use records::{AppendOrigin, RecordError};
use replica::{Leader, Leadership, LocalLog, Replicated};
use storage::{AppendError, AppendInfo, LogObserver, PartitionLog, StorageError};

pub use self::transactional::Marker;
use crate::clock::Clock;
use crate::metadata_view::MetadataView;
use crate::parking::WaitList;
use crate::verification::Verifications;

/// A topic's name and a partition's number.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicPartition {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: i32,
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}", self.topic, self.partition)
    }
}

/// The leader epoch of a partition that this broker does not lead.
const NOT_LEADER: i32 = -1;

/// One partition whose replica lies on this broker.
pub struct Partition {
    /// Which one.
    pub topic_partition: TopicPartition,
    /// The topic's id.
    pub topic_id: Uuid,
    /// Its log.
    pub log: Arc<PartitionLog>,
    /// Requests that wait for its offsets or its leader to change.
    pub waiters: WaitList,
    metadata: Arc<MetadataView>,
    clock: Arc<dyn Clock>,
    leader_epoch: AtomicI32,
    /// Where the log ended when this broker became leader.
    leader_epoch_start: AtomicI64,
    /// Held for reading while somebody appends, for writing while leadership comes or goes: no append lands in an epoch that is
    /// over. Taken before `leader`, and that before any lock of the log.
    tenure: RwLock<()>,
    /// The node stops: nothing is appended any more, and leadership is about to go.
    is_leaving: AtomicBool,
    /// Who may open a transaction. Taken before `tenure`.
    verifications: Mutex<Verifications>,
    leader: Mutex<Option<Leader>>,
}

/// What a client's append came to, or the error that it gets.
#[derive(Debug, Clone)]
pub struct AppendRefusal {
    /// For the client.
    pub error_code: ErrorCode,
    /// Single records at fault.
    pub record_errors: Vec<RecordError>,
    /// In words.
    pub message: Option<String>,
}

impl From<ErrorCode> for AppendRefusal {
    fn from(error_code: ErrorCode) -> Self {
        AppendRefusal { error_code, record_errors: Vec::new(), message: None }
    }
}

impl From<AppendError> for AppendRefusal {
    fn from(error: AppendError) -> Self {
        let AppendError { error_code, record_errors, message } = error;
        AppendRefusal { error_code, record_errors, message: Some(message) }
    }
}

/// An append whose replication can be waited for.
#[derive(Debug, Clone, Copy)]
pub struct Appended {
    /// Where it lies.
    pub info: AppendInfo,
    leader_epoch: i32,
}

impl Partition {
    /// A replica that neither leads nor follows yet.
    pub fn new(
        topic_partition: TopicPartition,
        topic_id: Uuid,
        log: Arc<PartitionLog>,
        metadata: Arc<MetadataView>,
        clock: Arc<dyn Clock>,
    ) -> Arc<Self> {
        let partition = Arc::new(Partition {
            topic_partition,
            topic_id,
            log,
            waiters: WaitList::default(),
            metadata,
            clock,
            leader_epoch: AtomicI32::new(NOT_LEADER),
            leader_epoch_start: AtomicI64::new(0),
            tenure: RwLock::new(()),
            is_leaving: AtomicBool::new(false),
            verifications: Mutex::default(),
            leader: Mutex::new(None),
        });
        partition.log.set_observer(Some(Arc::new(DurableEnd(Arc::downgrade(&partition)))));
        partition
    }

    /// Leads from now on. `lag_max_ms` is `replica.lag.time.max.ms`.
    ///
    /// # Errors
    /// The log cannot take the epoch; the partition is led no longer.
    pub fn lead(&self, leadership: Leadership, lag_max_ms: i64) -> Result<(), StorageError> {
        let epoch = leadership.leader_epoch;
        {
            let _no_appends = self.tenure.write();
            self.leader_epoch.store(NOT_LEADER, Ordering::Release);
            *self.leader.lock() = None;
            self.log.assign_epoch_start(epoch).inspect_err(|_| self.waiters.wake_all())?;
            let log = LocalLog {
                log_end_offset: self.log.log_end_offset(),
                durable_end_offset: self.log.durable_end_offset(),
                high_watermark: self.log.high_watermark(),
            };
            let minimum = self.min_insync_replicas();
            *self.leader.lock() =
                Some(Leader::new(leadership, log, minimum, lag_max_ms, self.clock.now_ms()));
            self.leader_epoch_start.store(log.log_end_offset, Ordering::Release);
            self.leader_epoch.store(epoch, Ordering::Release);
        }
        // After an unclean stop consumers get what was there before only when it is known to be on disk.
        if self.log.durable_end_offset() < self.log.log_end_offset() {
            self.log.hurry_sync();
        }
        self.advance_high_watermark();
        self.waiters.wake_all();
        Ok(())
    }

    /// Takes over in-sync replicas that the controller has recorded, the leader epoch being the same.
    pub fn in_sync_replicas_changed(&self, isr: BTreeSet<i32>, partition_epoch: i32) {
        self.move_high_watermark(|leader, now_ms, is_eligible| {
            leader.on_isr_committed(isr, partition_epoch, now_ms, is_eligible)
        });
    }

    /// Takes changed settings over.
    pub fn reconfigure(&self, config: Arc<TopicConfig>) {
        self.log.set_config(config);
        let minimum = self.min_insync_replicas();
        if let Some(leader) = self.leader.lock().as_mut() {
            leader.set_min_insync_replicas(minimum);
        }
        self.advance_high_watermark();
    }

    fn min_insync_replicas(&self) -> usize {
        usize::try_from(self.log.config().min_insync_replicas).unwrap_or(1)
    }

    /// Refuses appends from now on. What was appended before can still become durable and be acknowledged: a producer that heard
    /// of neither would send it again.
    pub fn end_appends(&self) {
        let _no_appends = self.tenure.write();
        self.is_leaving.store(true, Ordering::Release);
    }

    /// Leads no longer.
    pub fn resign(&self) {
        {
            let _no_appends = self.tenure.write();
            self.leader_epoch.store(NOT_LEADER, Ordering::Release);
            *self.leader.lock() = None;
        }
        self.waiters.wake_all();
    }

    /// The epoch in which this broker leads, or -1.
    pub fn leader_epoch(&self) -> i32 {
        self.leader_epoch.load(Ordering::Acquire)
    }

    /// Where the log ended when this broker became leader: the first offset of its epoch.
    pub fn leader_epoch_start(&self) -> i64 {
        self.leader_epoch_start.load(Ordering::Acquire)
    }

    /// Whether a client that knows `current_leader_epoch` (-1: none) may be served.
    ///
    /// # Errors
    /// NOT_LEADER_OR_FOLLOWER, or what tells the client that it or we lag behind (KIP-320).
    pub fn check_leader_epoch(&self, current_leader_epoch: i32, only_leader: bool) -> Result<(), ErrorCode> {
        let ours = self.leader_epoch();
        if current_leader_epoch >= 0 && ours != NOT_LEADER {
            if current_leader_epoch < ours {
                return Err(ErrorCode::FencedLeaderEpoch);
            }
            if current_leader_epoch > ours {
                return Err(ErrorCode::UnknownLeaderEpoch);
            }
        }
        if only_leader && ours == NOT_LEADER { Err(ErrorCode::NotLeaderOrFollower) } else { Ok(()) }
    }

    /// Appends what a producer sent.
    ///
    /// # Errors
    /// As Kafka answers: not the leader, too few in-sync replicas for acks=all, batches that are not valid.
    pub fn append_from_client(
        self: &Arc<Self>,
        records: &Bytes,
        acks: i16,
        now_ms: i64,
    ) -> Result<Appended, AppendRefusal> {
        let (info, leader_epoch) = {
            let _tenure = self.tenure.read();
            let leader_epoch = self.epoch_to_append(acks)?;
            (self.log.append_as_leader(records, leader_epoch, AppendOrigin::Client, now_ms)?, leader_epoch)
        };
        Ok(self.appended(info, leader_epoch))
    }

    /// Appends what a producer sent in several requests, in order: an outcome for each.
    pub fn append_together_from_client(
        self: &Arc<Self>,
        requests: &[Bytes],
        acks: i16,
        now_ms: i64,
    ) -> Vec<Result<Appended, AppendRefusal>> {
        let (outcomes, leader_epoch) = {
            let _tenure = self.tenure.read();
            match self.epoch_to_append(acks) {
                Ok(epoch) => (self.log.append_together(requests, epoch, now_ms), epoch),
                Err(refusal) => return vec![Err(refusal); requests.len()],
            }
        };
        let last = outcomes.iter().rev().flatten().find(|info| !info.duplicate).copied();
        if let Some(info) = last {
            self.appended(info, leader_epoch);
        }
        let appended = |info| Appended { info, leader_epoch };
        outcomes.into_iter().map(|outcome| outcome.map(appended).map_err(AppendRefusal::from)).collect()
    }

    /// Appends a coordinator's records, unless the partition has changed hands since `leader_epoch`.
    ///
    /// # Errors
    /// As [`Self::append_from_client`] with acks=all.
    pub fn append_from_coordinator(
        self: &Arc<Self>,
        records: &Bytes,
        leader_epoch: i32,
        now_ms: i64,
    ) -> Result<Appended, AppendRefusal> {
        let info = {
            let _tenure = self.tenure.read();
            if self.epoch_to_append(-1)? != leader_epoch {
                return Err(ErrorCode::NotLeaderOrFollower.into());
            }
            self.log.append_as_leader(records, leader_epoch, AppendOrigin::Coordinator, now_ms)?
        };
        Ok(self.appended(info, leader_epoch))
    }

    fn epoch_to_append(&self, acks: i16) -> Result<i32, AppendRefusal> {
        let epoch = self.leader_epoch();
        if epoch == NOT_LEADER || self.is_leaving.load(Ordering::Acquire) {
            return Err(ErrorCode::NotLeaderOrFollower.into());
        }
        if acks == -1 {
            self.leader.lock().as_ref().map_or(Err(ErrorCode::NotLeaderOrFollower), |leader| {
                leader.check_append(acks).inspect_err(|_| {
                    tracing::debug!(
                        topic_partition = %self.topic_partition,
                        in_sync_replicas = ?leader.isr().committed(),
                        min_insync_replicas = self.min_insync_replicas(),
                        "refused an append with acks=all"
                    );
                })
            })?;
        }
        Ok(epoch)
    }

    fn appended(&self, info: AppendInfo, leader_epoch: i32) -> Appended {
        // A page-cache log is durable at once, and nobody else says so.
        if info.durable_end_offset >= info.log_end_offset && !info.duplicate {
            self.advance_high_watermark();
        } else if !self.waiters.is_empty() {
            self.log.hurry_sync();
        }
        Appended { info, leader_epoch }
    }

    /// Lets the high watermark follow what is durable here and on the other in-sync replicas.
    fn advance_high_watermark(&self) {
        self.move_high_watermark(|leader, now_ms, is_eligible| {
            // Read under the leader's lock: of two who come at once, the later one must not bring older offsets.
            let durable_end = self.log.durable_end_offset();
            leader.on_local_log(self.log.log_end_offset(), durable_end, now_ms, is_eligible)
        });
    }

    fn move_high_watermark(
        &self,
        change: impl FnOnce(&mut Leader, i64, &dyn Fn(i32, Option<i64>) -> bool) -> Option<i64>,
    ) {
        let is_eligible = |broker: i32, epoch: Option<i64>| {
            let image = self.metadata.image();
            let registration = image.cluster.broker(broker);
            image.cluster.is_active(broker)
                && registration
                    .is_some_and(|found| epoch.is_none_or(|epoch| epoch == -1 || epoch == found.epoch))
        };
        let mut leader = self.leader.lock();
        let Some(leading) = leader.as_mut() else { return };
        let risen = change(leading, self.clock.now_ms(), &is_eligible);
        if let Some(high_watermark) = risen {
            // Under the lock, so that two who move it do not pass each other.
            self.log.set_high_watermark(high_watermark);
            drop(leader);
            self.waiters.wake_all();
        }
    }

    /// Whether every in-sync replica has the append.
    pub fn is_replicated(&self, appended: &Appended) -> bool {
        self.log.high_watermark() > appended.info.last_offset
    }

    /// Whether the in-sync replicas are still enough for acks=all.
    fn has_enough_replicas(&self, offset: i64) -> bool {
        let leader = self.leader.lock();
        leader.as_ref().is_none_or(|leader| leader.replicated(offset) != Replicated::NotEnoughReplicas)
    }

    /// Waits until every in-sync replica has the append.
    ///
    /// # Errors
    /// As [`Self::committed`].
    pub async fn replicated(&self, appended: &Appended) -> Result<(), ErrorCode> {
        let end = appended.info.last_offset + 1;
        self.committed(end, appended.leader_epoch).await?;
        if self.has_enough_replicas(end) { Ok(()) } else { Err(ErrorCode::NotEnoughReplicasAfterAppend) }
    }

    /// Waits until everything below `offset` is committed.
    ///
    /// # Errors
    /// NOT_LEADER_OR_FOLLOWER when the partition changes hands, KAFKA_STORAGE_ERROR when its log directory fails: then nobody knows.
    pub async fn committed(&self, offset: i64, leader_epoch: i32) -> Result<(), ErrorCode> {
        let mut ticket = self.waiters.ticket();
        poll_fn(|context| {
            if self.log.high_watermark() >= offset {
                return Poll::Ready(Ok(()));
            }
            ticket.register(context);
            if self.log.high_watermark() >= offset {
                Poll::Ready(Ok(()))
            } else if self.log.directory().is_offline() {
                Poll::Ready(Err(ErrorCode::KafkaStorageError))
            } else if self.leader_epoch() != leader_epoch {
                Poll::Ready(Err(ErrorCode::NotLeaderOrFollower))
            } else {
                self.log.hurry_sync();
                Poll::Pending
            }
        })
        .await
    }
}

/// Hears from the log what has become durable.
struct DurableEnd(Weak<Partition>);

impl LogObserver for DurableEnd {
    fn durable_end_offset_advanced(&self, _log: &PartitionLog) {
        if let Some(partition) = self.0.upgrade() {
            partition.advance_high_watermark();
        }
    }
}

#[cfg(test)]
mod tests;
