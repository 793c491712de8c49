//! Runs group coordinator shards: one for each partition of `__consumer_offsets` that this broker leads.
//!
//! A request is stepped on the connection's own core, under the shard's lock; its records are appended before the lock is
//! let go, so that the log has the order of the decisions; the reply leaves once the high watermark passed all that the
//! step saw. What a shard wants to be woken for is one entry in a list of deadlines that a single task watches.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use groups::{
    Effects, Event, GroupShard, Reply, Request, RequestContext, RequestId, coordinator_key_partition,
};
use parking_lot::{Mutex, RwLock};
use protocol::ErrorCode;
use tokio::sync::{Notify, oneshot};
use tracing::{error, info, warn};

use crate::clock::Clock;
use crate::group_log;
use crate::metadata_view::MetadataView;
use crate::partition::Partition;

/// How long a shard whose records the log has refused stays away before it is replayed: the reason may last.
const RELOAD_DELAY_MS: i64 = 100;

/// The internal topic of group state.
pub const CONSUMER_OFFSETS: &str = "__consumer_offsets";

/// The shards of this broker.
pub struct GroupCoordinator {
    settings: groups::GroupCoordinatorConfig,
    load_buffer_bytes: usize,
    commit_timeout: Duration,
    clock: Arc<dyn Clock>,
    metadata: Arc<MetadataView>,
    shards: RwLock<HashMap<i32, Arc<Shard>>>,
    deadlines: Mutex<BTreeSet<(i64, i32)>>,
    sooner: Notify,
    loading: mpsc::Sender<Arc<Shard>>,
}

struct Shard {
    index: i32,
    leader_epoch: i32,
    partition: Arc<Partition>,
    state: Mutex<ShardState>,
}

struct ShardState {
    /// Absent until the partition has been replayed.
    engine: Option<GroupShard>,
    next_request: u64,
    waiting: HashMap<RequestId, oneshot::Sender<Held>>,
    armed_for: Option<i64>,
    /// Whether the next deadline is that of replaying the partition again.
    awaits_reload: bool,
    /// Topics that went while there was no engine to forget their offsets.
    deleted_meanwhile: Vec<groups::DeletedTopic>,
}

/// A reply and the offset that must be committed before it leaves.
struct Held {
    reply: Reply,
    committed_at: i64,
}

impl GroupCoordinator {
    /// A coordinator without shards; [`Self::begin_loading`] brings them. It reads `load_buffer_bytes` at a time when it replays,
    /// and waits for `commit_timeout` at most until what a reply depends on is committed.
    pub fn new(
        settings: groups::GroupCoordinatorConfig,
        load_buffer_bytes: usize,
        commit_timeout: Duration,
        clock: Arc<dyn Clock>,
        metadata: Arc<MetadataView>,
    ) -> Arc<Self> {
        let (loading, to_load) = mpsc::channel();
        let coordinator = Arc::new(GroupCoordinator {
            settings,
            load_buffer_bytes,
            commit_timeout,
            clock,
            metadata,
            shards: RwLock::default(),
            deadlines: Mutex::default(),
            sooner: Notify::new(),
            loading,
        });
        // Replaying reads whole partitions: neither on a core nor on the thread that commits metadata.
        let loader = Arc::downgrade(&coordinator);
        std::thread::Builder::new()
            .name("klamm-groups".to_string())
            .spawn(move || {
                for shard in to_load {
                    let Some(coordinator) = loader.upgrade() else { return };
                    coordinator.load(&shard);
                }
            })
            .expect("the process may start threads");
        coordinator
    }

    /// The partition of `__consumer_offsets` that holds `group_id`; none while the topic does not exist.
    pub fn partition_of(&self, group_id: &str) -> Option<i32> {
        let image = self.metadata.image();
        let partitions = image.topics.by_name(CONSUMER_OFFSETS)?.partition_count();
        Some(coordinator_key_partition(group_id, i32::try_from(partitions).ok()?))
    }

    /// Asks the shard that holds `group_id`. Refused with NOT_COORDINATOR when another broker leads the group's partition, and
    /// with COORDINATOR_LOAD_IN_PROGRESS while it is replayed.
    pub async fn ask(&self, group_id: &str, context: RequestContext, request: Request) -> Reply {
        match self.partition_of(group_id) {
            Some(index) => self.ask_shard(index, context, request).await,
            None => request.refused(ErrorCode::NotCoordinator, context.api_version),
        }
    }

    /// Asks the shard of partition `index`; refused as by [`Self::ask`].
    pub async fn ask_shard(&self, index: i32, context: RequestContext, request: Request) -> Reply {
        let api_version = context.api_version;
        let Some(shard) = self.shards.read().get(&index).cloned() else {
            return request.refused(ErrorCode::NotCoordinator, api_version);
        };
        let held = {
            let mut state = shard.state.lock();
            if state.engine.is_none() {
                return request.refused(ErrorCode::CoordinatorLoadInProgress, api_version);
            }
            let id = RequestId(state.next_request);
            state.next_request += 1;
            let (sender, receiver) = oneshot::channel();
            state.waiting.insert(id, sender);
            self.step(&shard, &mut state, Event::Request { id, context, request });
            receiver
        };
        // A shard answers every request, when it is unloaded at the latest.
        let held = held.await.expect("a shard was dropped with a request waiting");
        let committed = shard.partition.committed(held.committed_at, shard.leader_epoch);
        match tokio::time::timeout(self.commit_timeout, committed).await {
            Ok(Ok(())) => held.reply,
            Ok(Err(error)) => held.reply.refused(error),
            Err(_) => held.reply.refused(ErrorCode::RequestTimedOut),
        }
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
    fn shards(&self) -> Vec<Arc<Shard>> {
        self.shards.read().values().cloned().collect()
    }

    /// Tells every shard that topics are gone.
    pub fn topics_deleted(&self, topics: &[groups::DeletedTopic]) {
        for shard in self.shards() {
            let mut state = shard.state.lock();
            if state.engine.is_some() {
                self.step(&shard, &mut state, Event::TopicsDeleted(topics.to_vec()));
            } else {
                state.deleted_meanwhile.extend_from_slice(topics);
            }
        }
    }

    /// Takes over what has changed in the configuration of `__consumer_offsets`.
    pub fn reconfigured(&self) {
        for shard in self.shards() {
            if let Some(engine) = shard.state.lock().engine.as_mut() {
                engine.set_config(self.settings_of(&shard));
            }
        }
    }

    fn settings_of(&self, shard: &Shard) -> groups::GroupCoordinatorConfig {
        groups::GroupCoordinatorConfig {
            max_batch_bytes: group_log::batch_bytes_max(&shard.partition),
            ..self.settings.clone()
        }
    }

    /// Gives up the shards whose log directory has failed.
    pub fn directory_failed(&self) {
        for shard in self.shards() {
            if shard.partition.log.directory().is_offline() {
                self.partition_lost(shard.index);
            }
        }
    }

    /// Takes over `partition`, which this broker leads from `leader_epoch` on; its groups are served once it is replayed.
    pub fn begin_loading(&self, partition: Arc<Partition>, leader_epoch: i32) {
        let index = partition.topic_partition.partition;
        let state = ShardState {
            engine: None,
            next_request: 0,
            waiting: HashMap::new(),
            armed_for: None,
            awaits_reload: false,
            deleted_meanwhile: Vec::new(),
        };
        let shard = Arc::new(Shard { index, leader_epoch, partition, state: Mutex::new(state) });
        self.shards.write().insert(index, shard.clone());
        self.loading.send(shard).expect("the thread that replays outlives the coordinator");
    }

    fn load(&self, shard: &Arc<Shard>) {
        let is_wanted = || self.shards.read().get(&shard.index).is_some_and(|held| Arc::ptr_eq(held, shard));
        if !is_wanted() {
            return;
        }
        let mut engine = GroupShard::new(self.settings_of(shard));
        match group_log::replay(&shard.partition, self.load_buffer_bytes, &mut engine) {
            Ok(replayed) if replayed > 0 => info!(
                topic_partition = %shard.partition.topic_partition,
                records = replayed,
                "replayed the groups of this partition"
            ),
            Ok(_) => {}
            Err(reason) => {
                error!(
                    topic_partition = %shard.partition.topic_partition,
                    %reason,
                    "cannot replay the groups of this partition; they stay without a coordinator"
                );
                let mut shards = self.shards.write();
                if shards.get(&shard.index).is_some_and(|held| Arc::ptr_eq(held, shard)) {
                    shards.remove(&shard.index);
                }
                return;
            }
        }
        let mut state = shard.state.lock();
        if is_wanted() {
            state.engine = Some(engine);
            self.step(shard, &mut state, Event::Loaded);
            let deleted = std::mem::take(&mut state.deleted_meanwhile);
            if !deleted.is_empty() {
                self.step(shard, &mut state, Event::TopicsDeleted(deleted));
            }
        }
    }

    /// Answers everybody who waits for the shard of partition `index` and forgets it.
    pub fn partition_lost(&self, index: i32) {
        let Some(shard) = self.shards.write().remove(&index) else { return };
        let mut state = shard.state.lock();
        if state.engine.is_some() {
            self.step(&shard, &mut state, Event::Unload);
        }
        state.engine = None;
        self.disarm(&shard, &mut state);
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
            self.loading.send(shard.clone()).expect("the thread that replays outlives the coordinator");
        } else if state.engine.is_some() {
            self.step(&shard, &mut state, Event::Tick);
        }
    }

    fn step(&self, shard: &Arc<Shard>, state: &mut ShardState, event: Event) {
        let Some(engine) = state.engine.as_mut() else { return };
        let now_ms = self.clock.now_ms();
        let effects = engine.step(now_ms, event);
        let next = engine.next_deadline();
        match group_log::append(&shard.partition, shard.leader_epoch, &effects, now_ms) {
            Ok(committed_at) => self.hold(state, effects.replies, committed_at),
            Err(error) => {
                warn!(
                    topic_partition = %shard.partition.topic_partition,
                    error = error.name(),
                    "cannot write group state; its groups are replayed from the log"
                );
                self.reject(shard, state, effects, error);
                return;
            }
        }
        self.arm(shard, state, next);
    }

    fn hold(&self, state: &mut ShardState, replies: Vec<(RequestId, Reply)>, committed_at: i64) {
        for (id, reply) in replies {
            if let Some(waiting) = state.waiting.remove(&id) {
                // Whoever asked may have gone; then nobody minds.
                let _ = waiting.send(Held { reply, committed_at });
            }
        }
    }

    /// The engine is ahead of the log: its replies become refusals, and it is built again from what the log has, which is read
    /// on the thread that replays.
    fn reject(&self, shard: &Arc<Shard>, state: &mut ShardState, effects: Effects, error: ErrorCode) {
        let refused = effects.replies.into_iter().map(|(id, reply)| (id, reply.refused(error))).collect();
        self.hold(state, refused, 0);
        if let Some(mut engine) = state.engine.take() {
            let parked = engine.step(self.clock.now_ms(), Event::Unload);
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

    fn arm(&self, shard: &Shard, state: &mut ShardState, next: Option<i64>) {
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

    fn disarm(&self, shard: &Shard, state: &mut ShardState) {
        if let Some(deadline) = state.armed_for.take() {
            self.deadlines.lock().remove(&(deadline, shard.index));
        }
    }
}
