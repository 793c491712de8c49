//! Runs coordinator shards: one for each partition of a coordinator's topic that this broker leads.
//!
//! A request is stepped on the connection's own core, under the shard's lock; its records are appended before the lock is
//! let go, so that the log has the order of the decisions; the reply leaves once the high watermark passed all that the
//! step saw. What a shard wants to be woken for is one entry in a list of deadlines that a single task watches; what it
//! wants done outside of its partition is carried out by another, when it is committed.

mod actions;
mod loading;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use coordinator::{CoordinatorEvent, CoordinatorShard, Effects, RequestId, coordinator_key_partition};
use parking_lot::{Mutex, RwLock};
use protocol::ErrorCode;
use tokio::sync::{Notify, oneshot};
use tracing::warn;

pub use self::actions::ShardAddress;
use self::actions::{Due, DueActions};
use crate::clock::{Clock, SteadyClock};
use crate::coordinator_log;
use crate::metadata_view::MetadataView;
use crate::partition::{Appended, Partition};

/// How long a shard whose records the log has refused stays away before it is replayed: the reason may last.
const RELOAD_DELAY_MS: i64 = 100;

/// What kinds of coordinators differ in, beside their shards.
#[derive(Debug, Clone, Copy)]
pub struct CoordinatorSettings {
    /// The internal topic that holds the state.
    pub topic: &'static str,
    /// Name of the thread that replays.
    pub loader: &'static str,
    /// How much is read at a time when a partition is replayed.
    pub load_buffer_bytes: usize,
    /// How long a reply waits at most until what it depends on is committed.
    pub commit_timeout: Duration,
}

/// A coordinator as the metadata moves it: by the partitions of its topic that this broker leads.
pub trait CoordinatedTopic {
    /// The internal topic that holds the state.
    fn topic(&self) -> &'static str;
    /// Takes over `partition`, which this broker leads from `leader_epoch` on; what it holds is served once it is replayed.
    fn begin_loading(&self, partition: Arc<Partition>, leader_epoch: i32);
    /// Answers everybody who waits for the shard of partition `index` and forgets it.
    fn partition_lost(&self, index: i32);
    /// Takes over what has changed in the configuration of the topic.
    fn reconfigured(&self);
    /// Gives up the shards whose log directory has failed.
    fn directory_failed(&self);
}

/// The shards of one kind on this broker.
pub struct CoordinatorRuntime<S: CoordinatorShard> {
    settings: CoordinatorSettings,
    config: RwLock<S::Config>,
    clock: Arc<dyn Clock>,
    metadata: Arc<MetadataView>,
    shards: RwLock<HashMap<i32, Arc<Shard<S>>>>,
    deadlines: Mutex<BTreeSet<(i64, i32)>>,
    sooner: Notify,
    loading: mpsc::Sender<Arc<Shard<S>>>,
    due: DueActions<S>,
}

struct Shard<S: CoordinatorShard> {
    index: i32,
    leader_epoch: i32,
    partition: Arc<Partition>,
    state: Mutex<ShardState<S>>,
}

struct ShardState<S: CoordinatorShard> {
    /// Absent until the partition has been replayed.
    engine: Option<S>,
    next_request: u64,
    waiting: HashMap<RequestId, oneshot::Sender<Held<S::Reply>>>,
    armed_for: Option<i64>,
    /// Whether the next deadline is that of replaying the partition again.
    awaits_reload: bool,
    /// What there was no engine to be told.
    missed: Vec<S::Notice>,
}

/// A reply and the offset that must be committed before it leaves.
struct Held<Reply> {
    reply: Reply,
    committed_at: i64,
}

impl<S: CoordinatorShard> CoordinatorRuntime<S> {
    /// A coordinator without shards; [`CoordinatedTopic::begin_loading`] brings them.
    pub fn new(
        settings: CoordinatorSettings,
        config: S::Config,
        clock: Arc<dyn Clock>,
        metadata: Arc<MetadataView>,
    ) -> Arc<Self> {
        let (loading, to_load) = mpsc::channel();
        let coordinator = Arc::new(CoordinatorRuntime {
            settings,
            config: RwLock::new(config),
            // Engines have their timers and their timestamps from one clock: a jump must not expire members.
            clock: Arc::new(SteadyClock::new(clock)),
            metadata,
            shards: RwLock::default(),
            deadlines: Mutex::default(),
            sooner: Notify::new(),
            loading,
            due: DueActions::default(),
        });
        coordinator.start_loader(to_load);
        coordinator
    }

    /// The partition of the coordinator's topic that holds `key`; none while the topic does not exist.
    pub fn partition_of(&self, key: &str) -> Option<i32> {
        let image = self.metadata.image();
        let partitions = image.topics.by_name(self.settings.topic)?.partition_count();
        Some(coordinator_key_partition(key, i32::try_from(partitions).ok()?))
    }

    /// Asks the shard that holds `key`. Refused with NOT_COORDINATOR when another broker leads the key's partition, and
    /// with COORDINATOR_LOAD_IN_PROGRESS while it is replayed.
    pub async fn ask(&self, key: &str, request: S::Request) -> S::Reply {
        match self.partition_of(key) {
            Some(index) => self.ask_shard(index, request).await,
            None => S::refuse(request, ErrorCode::NotCoordinator),
        }
    }

    /// Asks the shard of partition `index`; refused as by [`Self::ask`].
    pub async fn ask_shard(&self, index: i32, request: S::Request) -> S::Reply {
        self.ask_shard_if(index, |_| Ok(()), request).await
    }

    /// As [`Self::ask_shard`], unless `is_admitted` says otherwise of the shard's partition. It is asked under the shard's lock:
    /// nothing is appended to the partition by way of the shard before the request is.
    pub async fn ask_shard_if(
        &self,
        index: i32,
        is_admitted: impl FnOnce(&Partition) -> Result<(), ErrorCode>,
        request: S::Request,
    ) -> S::Reply {
        let Some(shard) = self.shards.read().get(&index).cloned() else {
            return S::refuse(request, ErrorCode::NotCoordinator);
        };
        let held = {
            let mut state = shard.state.lock();
            if state.engine.is_none() {
                return S::refuse(request, ErrorCode::CoordinatorLoadInProgress);
            }
            if let Err(error) = is_admitted(&shard.partition) {
                return S::refuse(request, error);
            }
            let id = RequestId(state.next_request);
            state.next_request += 1;
            let (sender, receiver) = oneshot::channel();
            state.waiting.insert(id, sender);
            self.step(&shard, &mut state, CoordinatorEvent::Request { id, request });
            receiver
        };
        // A shard answers every request, when it is unloaded at the latest.
        let held = held.await.expect("a shard was dropped with a request waiting");
        let committed = shard.partition.committed(held.committed_at, shard.leader_epoch);
        match tokio::time::timeout(self.settings.commit_timeout, committed).await {
            Ok(Ok(())) => held.reply,
            Ok(Err(error)) => S::refuse_reply(held.reply, error),
            Err(_) => S::refuse_reply(held.reply, ErrorCode::RequestTimedOut),
        }
    }

    /// Whether the shard that `address` names is still run here, in the same epoch.
    pub fn holds(&self, address: ShardAddress) -> bool {
        self.shards.read().get(&address.index).is_some_and(|shard| shard.leader_epoch == address.leader_epoch)
    }

    /// The shards that are ready, by partition.
    pub fn ready_shards(&self) -> Vec<i32> {
        let mut ready: Vec<i32> = self
            .shards()
            .iter()
            .filter(|shard| shard.state.lock().engine.is_some())
            .map(|shard| shard.index)
            .collect();
        ready.sort_unstable();
        ready
    }

    /// Whether some shard is still being replayed.
    pub fn is_loading(&self) -> bool {
        self.shards().iter().any(|shard| shard.state.lock().engine.is_none())
    }

    /// A shard's lock is never taken with the list's lock held: whoever has the former may want the latter.
    fn shards(&self) -> Vec<Arc<Shard<S>>> {
        self.shards.read().values().cloned().collect()
    }

    /// Tells every shard; those that are being replayed hear it afterwards.
    pub fn notify(&self, notice: &S::Notice) {
        for shard in self.shards() {
            let mut state = shard.state.lock();
            if state.engine.is_some() {
                self.step(&shard, &mut state, CoordinatorEvent::Notice(notice.clone()));
            } else {
                state.missed.push(notice.clone());
            }
        }
    }

    /// Takes other settings over.
    pub fn configure(&self, config: S::Config) {
        *self.config.write() = config;
        self.reconfigure_shards();
    }

    fn reconfigure_shards(&self) {
        let config = self.config.read().clone();
        for shard in self.shards() {
            if let Some(engine) = shard.state.lock().engine.as_mut() {
                engine.configure(&config, coordinator_log::batch_bytes_max(&shard.partition));
            }
        }
    }

    /// Appends what ends a transaction to the partition `index` of the coordinator's topic, and tells its shard, in one:
    /// nothing is decided between the marker and what it does.
    ///
    /// # Errors
    /// NOT_COORDINATOR or COORDINATOR_LOAD_IN_PROGRESS when there is no shard to tell, or what the append was refused with.
    pub fn append_marker(
        &self,
        index: i32,
        producer_id: i64,
        committed: bool,
        append: impl FnOnce(&Arc<Partition>) -> Result<Appended, ErrorCode>,
    ) -> Result<(Arc<Partition>, Appended), ErrorCode> {
        let shard = self.shards.read().get(&index).cloned().ok_or(ErrorCode::NotCoordinator)?;
        let mut state = shard.state.lock();
        if state.engine.is_none() {
            return Err(ErrorCode::CoordinatorLoadInProgress);
        }
        let appended = append(&shard.partition)?;
        self.step(&shard, &mut state, CoordinatorEvent::TransactionCompleted { producer_id, committed });
        Ok((shard.partition.clone(), appended))
    }

    /// Steps each shard when its deadline comes. Runs as long as the node does.
    pub async fn run_deadlines(&self) {
        loop {
            let first = self.deadlines.lock().first().copied();
            let now_ms = self.clock.now_ms();
            match first {
                Some((deadline, index)) if deadline <= now_ms => self.tick(deadline, index),
                Some((deadline, _)) => {
                    let wait = Duration::from_millis(deadline.abs_diff(now_ms));
                    let _ = tokio::time::timeout(wait, self.sooner.notified()).await;
                }
                None => self.sooner.notified().await,
            }
        }
    }

    fn tick(&self, deadline: i64, index: i32) {
        let shard = self.shards.read().get(&index).cloned();
        let Some(shard) = shard else {
            self.deadlines.lock().remove(&(deadline, index));
            return;
        };
        let mut state = shard.state.lock();
        self.disarm(&shard, &mut state);
        self.deadlines.lock().remove(&(deadline, index));
        if std::mem::take(&mut state.awaits_reload) {
            self.load_later(shard.clone());
        } else if state.engine.is_some() {
            self.step(&shard, &mut state, CoordinatorEvent::Tick);
        }
    }

    fn step(&self, shard: &Arc<Shard<S>>, state: &mut ShardState<S>, event: CoordinatorEvent<S>) {
        let Some(engine) = state.engine.as_mut() else { return };
        let now_ms = self.clock.now_ms();
        let effects = engine.step(now_ms, event);
        let next = engine.next_deadline();
        let Effects { records, replies, actions, transaction } = effects;
        match coordinator_log::append(&shard.partition, shard.leader_epoch, &records, transaction, now_ms) {
            Ok(committed_at) => {
                if !records.is_empty() {
                    let count = i64::try_from(records.len()).unwrap_or(i64::MAX);
                    engine.appended(committed_at.saturating_sub(count));
                }
                self.hold(state, replies, committed_at);
                if !actions.is_empty() {
                    self.due.push(Due { shard: shard.clone(), committed_at, actions });
                }
            }
            Err(error) => {
                warn!(
                    topic_partition = %shard.partition.topic_partition,
                    error = error.name(),
                    "cannot write a coordinator's state; it is replayed from the log"
                );
                self.reject(shard, state, replies, error);
                return;
            }
        }
        self.arm(shard, state, next);
    }

    fn hold(&self, state: &mut ShardState<S>, replies: Vec<(RequestId, S::Reply)>, committed_at: i64) {
        for (id, reply) in replies {
            if let Some(waiting) = state.waiting.remove(&id) {
                // Whoever asked may have gone; then nobody minds.
                let _ = waiting.send(Held { reply, committed_at });
            }
        }
    }

    /// The engine is ahead of the log: its replies become refusals, and it is built again from what the log has, which is read
    /// on the thread that replays.
    fn reject(
        &self,
        shard: &Arc<Shard<S>>,
        state: &mut ShardState<S>,
        replies: Vec<(RequestId, S::Reply)>,
        error: ErrorCode,
    ) {
        let refused = replies.into_iter().map(|(id, reply)| (id, S::refuse_reply(reply, error))).collect();
        self.hold(state, refused, 0);
        if let Some(mut engine) = state.engine.take() {
            let parked = engine.step(self.clock.now_ms(), CoordinatorEvent::Unload);
            self.hold(state, parked.replies, 0);
        }
        state.waiting.clear();
        let partition = &shard.partition;
        if partition.leader_epoch() == shard.leader_epoch && !partition.log.directory().is_offline() {
            state.awaits_reload = true;
            self.arm(shard, state, Some(self.clock.now_ms().saturating_add(RELOAD_DELAY_MS)));
        } else {
            self.disarm(shard, state);
        }
    }

    fn arm(&self, shard: &Shard<S>, state: &mut ShardState<S>, next: Option<i64>) {
        if state.armed_for == next {
            return;
        }
        self.disarm(shard, state);
        let Some(deadline) = next else { return };
        state.armed_for = Some(deadline);
        let mut deadlines = self.deadlines.lock();
        deadlines.insert((deadline, shard.index));
        if deadlines.first() == Some(&(deadline, shard.index)) {
            self.sooner.notify_one();
        }
    }

    fn disarm(&self, shard: &Shard<S>, state: &mut ShardState<S>) {
        if let Some(deadline) = state.armed_for.take() {
            self.deadlines.lock().remove(&(deadline, shard.index));
        }
    }
}

impl<S: CoordinatorShard> CoordinatedTopic for CoordinatorRuntime<S> {
    fn topic(&self) -> &'static str {
        self.settings.topic
    }

    fn begin_loading(&self, partition: Arc<Partition>, leader_epoch: i32) {
        self.load_partition(partition, leader_epoch);
    }

    fn partition_lost(&self, index: i32) {
        let Some(shard) = self.shards.write().remove(&index) else { return };
        let mut state = shard.state.lock();
        if state.engine.is_some() {
            self.step(&shard, &mut state, CoordinatorEvent::Unload);
        }
        state.engine = None;
        self.disarm(&shard, &mut state);
    }

    fn reconfigured(&self) {
        self.reconfigure_shards();
    }

    fn directory_failed(&self) {
        for shard in self.shards() {
            if shard.partition.log.directory().is_offline() {
                self.partition_lost(shard.index);
            }
        }
    }
}
