//! The log of one topic partition: appends under one short lock, reads without it.
//!
//! Offsets are atomics that only the append lock writes; segments are an immutable list behind a pointer. What is
//! durable is decided here by `klamm.durability`: synced logs count what the disk has, page-cache logs what the
//! operating system has.

mod aborted;
mod append;
mod clean;
mod close;
mod creation;
mod load;
mod lookup;
mod producers;
mod read;
mod relocate;
mod retention;
mod swap;
mod sync;
mod truncate;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering};

use config::{Durability, TopicConfig};
use parking_lot::{Mutex, RwLock};
use protocol::Uuid;
use replica::{LeaderEpochs, ProducerStates};

pub use self::aborted::AbortedTransaction;
pub use self::append::{AppendError, AppendInfo};
pub(crate) use self::clean::{CleaningError, CleaningResources};
pub(crate) use self::load::LoadedLog;
pub use self::lookup::TimestampOffset;
pub use self::read::{ReadError, ReadResult};

use crate::error::StorageError;
use crate::log_directory::LogDirectory;
use crate::place::Place;
use crate::segment::Segment;

/// Told when syncs move a log's durable end offset.
///
/// Called from the sync thread (or from whoever calls `flush`), never with a lock of the log held and never from
/// inside an append: an append hands its new offsets back in [`AppendInfo`].
pub trait LogObserver: Send + Sync {
    /// [`PartitionLog::durable_end_offset`] has moved.
    fn durable_end_offset_advanced(&self, log: &PartitionLog);
}

/// Recently read ends of batches, so that a consumer in order needs no index.
const READ_HINTS: usize = 4;

/// A log.
pub struct PartitionLog {
    topic: Arc<str>,
    partition: i32,
    topic_id: Mutex<Option<Uuid>>,
    place: Place,
    config: RwLock<Arc<TopicConfig>>,
    producer_id_expiration_ms: i64,
    log_start_offset: AtomicI64,
    log_end_offset: AtomicI64,
    /// Everything below is on disk.
    synced_end_offset: AtomicI64,
    /// The recovery point in the checkpoint on disk.
    saved_recovery_point: AtomicI64,
    /// What counts as durable: the synced or the log end offset.
    durable_end_offset: AtomicI64,
    high_watermark: AtomicI64,
    /// First offset of an open or not yet replicated transaction; `i64::MAX` without one.
    first_unstable_offset: AtomicI64,
    last_flush_ms: AtomicI64,
    /// How often the end was cut; readers that see it change begin again.
    truncations: AtomicU64,
    /// Twice the number of times that segments were replaced by others with the same content; odd while it is done.
    swaps: AtomicU32,
    /// Held by whoever takes segments out of the log. Taken before a turn with the recovery points, and that before
    /// the state.
    upkeep: Mutex<()>,
    sync_is_scheduled: AtomicBool,
    /// Whether upkeep looks at the log until it is synced.
    flush_is_awaited: AtomicBool,
    names_are_unsynced: AtomicBool,
    parent_is_unsynced: AtomicBool,
    is_on_disk: AtomicBool,
    segments: RwLock<Arc<Vec<Arc<Segment>>>>,
    read_hints: Mutex<[ReadHint; READ_HINTS]>,
    observer: RwLock<Option<Arc<dyn LogObserver>>>,
    state: Mutex<LogState>,
}

/// What the append lock guards.
#[derive(Default)]
struct LogState {
    producers: ProducerStates,
    epochs: LeaderEpochs,
    epochs_are_unsaved: bool,
    /// Offsets of the producer snapshots on disk, ascending.
    snapshots: Vec<i64>,
    unsynced_snapshots: Vec<i64>,
    /// Whether anything happened that a clean stop must bring to disk.
    is_changed: bool,
    is_closed: bool,
}

/// Where a batch begins: the end of one that was read.
#[derive(Clone, Copy, Default)]
struct ReadHint {
    offset: i64,
    segment_base_offset: i64,
    /// 0 marks an unused hint: nobody needs one for the beginning of a segment.
    position: u32,
    segment_generation: u32,
}

impl PartitionLog {
    /// Name of the topic.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    pub(crate) fn shared_topic(&self) -> &Arc<str> {
        &self.topic
    }

    /// Index of the partition.
    pub fn partition(&self) -> i32 {
        self.partition
    }

    /// The topic id in `partition.metadata`; none until one was assigned.
    pub fn topic_id(&self) -> Option<Uuid> {
        *self.topic_id.lock()
    }

    /// The log directory it lies in.
    pub fn directory(&self) -> &Arc<LogDirectory> {
        self.place.directory()
    }

    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// The configuration in force.
    pub fn config(&self) -> Arc<TopicConfig> {
        Arc::clone(&self.config.read())
    }

    /// Offset of the first record that can be read.
    pub fn log_start_offset(&self) -> i64 {
        self.log_start_offset.load(Ordering::Acquire)
    }

    /// Offset the next record will get.
    pub fn log_end_offset(&self) -> i64 {
        self.log_end_offset.load(Ordering::Acquire)
    }

    /// Offset below which everything is durable in the sense of `klamm.durability`.
    pub fn durable_end_offset(&self) -> i64 {
        self.durable_end_offset.load(Ordering::Acquire)
    }

    /// Offset below which everything is on disk whatever the durability; what recovery may trust.
    pub fn synced_end_offset(&self) -> i64 {
        self.synced_end_offset.load(Ordering::Acquire)
    }

    /// Offset below which everything is replicated; set by the replica's owner.
    pub fn high_watermark(&self) -> i64 {
        self.high_watermark.load(Ordering::Acquire)
    }

    /// Offset below which every transaction is decided and replicated: the bound of `read_committed`.
    pub fn last_stable_offset(&self) -> i64 {
        let first_unstable_offset = self.first_unstable_offset.load(Ordering::Acquire);
        self.high_watermark().min(first_unstable_offset.max(self.log_start_offset()))
    }

    /// Moves the high watermark, within the bounds of the log; returns it. The owner decides that it never falls
    /// but by truncation.
    pub fn set_high_watermark(&self, high_watermark: i64) -> i64 {
        let high_watermark = high_watermark.clamp(self.log_start_offset(), self.log_end_offset());
        if self.high_watermark.swap(high_watermark, Ordering::AcqRel) != high_watermark {
            self.directory().unsaved().note_high_watermark();
        }
        if self.first_unstable_offset.load(Ordering::Acquire) != i64::MAX {
            let mut state = self.state.lock();
            state.producers.on_high_watermark_updated(high_watermark);
            self.publish_first_unstable_offset(&state);
        }
        high_watermark
    }

    /// Who is told when syncs advance the durable end offset.
    pub fn set_observer(&self, observer: Option<Arc<dyn LogObserver>>) {
        *self.observer.write() = observer;
    }

    /// Takes a changed configuration into use. A log that becomes synced keeps its durable end offset and syncs at
    /// once; one that becomes page-cache counts its whole content from now on.
    pub fn set_config(self: &Arc<Self>, config: Arc<TopicConfig>) {
        let durability = config.klamm_durability;
        let before = {
            let _state = self.state.lock();
            let before = std::mem::replace(&mut *self.config.write(), config);
            if durability == Durability::PageCache {
                self.durable_end_offset.store(self.log_end_offset(), Ordering::Release);
            }
            before
        };
        self.directory().note_policy(self);
        self.maybe_await_flush();
        if before.klamm_durability == durability {
            return;
        }
        match durability {
            Durability::Synced => self.schedule_sync(),
            Durability::PageCache => self.notify_observer(),
        }
    }

    /// Bytes of all segments.
    pub fn size(&self) -> u64 {
        self.segments().iter().map(|segment| u64::from(segment.size())).sum()
    }

    /// How many segments there are.
    pub fn segment_count(&self) -> usize {
        self.segments().len()
    }

    /// Base offset of the oldest segment, or the log start offset of a log without one.
    pub(crate) fn first_segment_offset(&self) -> i64 {
        self.segments.read().first().map_or(0, |segment| segment.base_offset)
    }

    /// Base offset of the segment that is written to; the log end offset if there is none yet.
    pub fn active_segment_base_offset(&self) -> i64 {
        self.segments.read().last().map_or(self.log_end_offset(), |segment| segment.base_offset)
    }

    fn segments(&self) -> Arc<Vec<Arc<Segment>>> {
        Arc::clone(&self.segments.read())
    }

    fn active_segment(&self) -> Option<Arc<Segment>> {
        self.segments.read().last().cloned()
    }

    fn replace_segments(&self, segments: Vec<Arc<Segment>>) {
        *self.segments.write() = Arc::new(segments);
    }

    fn publish_first_unstable_offset(&self, state: &LogState) {
        let first = state.producers.first_unstable_offset().unwrap_or(i64::MAX);
        self.first_unstable_offset.store(first, Ordering::Release);
    }

    /// Repeats what failed because segments were replaced meanwhile.
    fn while_swapped<T, E>(&self, attempt: impl Fn() -> Result<T, E>) -> Result<T, E> {
        loop {
            let swaps = self.swaps.load(Ordering::Acquire);
            let result = attempt();
            if result.is_ok() || (swaps.is_multiple_of(2) && swaps == self.swaps.load(Ordering::Acquire)) {
                return result;
            }
            drop(self.upkeep.lock());
        }
    }

    fn notify_observer(&self) {
        let observer = self.observer.read().clone();
        if let Some(observer) = observer {
            observer.durable_end_offset_advanced(self);
        }
    }

    /// The state for a change to come, unless the log or its directory can take none.
    fn writable_state(&self) -> Result<parking_lot::MutexGuard<'_, LogState>, StorageError> {
        let mut state = self.state.lock();
        self.directory().check_online()?;
        if state.is_closed {
            return Err(StorageError::Closed(format!("{}-{}", self.topic, self.partition)));
        }
        state.is_changed = true;
        Ok(state)
    }

    /// An error of a write: the directory goes offline.
    fn write_error(
        &self,
        action: &'static str,
        path: &std::path::Path,
        source: std::io::Error,
    ) -> StorageError {
        self.directory().fail(StorageError::io(action, path, source))
    }

    /// As [`PartitionLog::write_error`] for a write after whose failure the log is as it was: a full volume only has
    /// appends refused until space returns.
    fn refused_write(
        &self,
        action: &'static str,
        path: &std::path::Path,
        source: std::io::Error,
    ) -> StorageError {
        self.directory().fail_unless_full(StorageError::io(action, path, source))
    }
}

impl std::fmt::Debug for PartitionLog {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "PartitionLog({}-{}, {}..{})",
            self.topic,
            self.partition,
            self.log_start_offset(),
            self.log_end_offset()
        )
    }
}
