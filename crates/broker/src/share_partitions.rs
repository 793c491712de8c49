//! The partitions that are shared out by this broker: engines of `share`, one for each group and partition, and the sessions
//! of their members.
//!
//! An engine is made when a member first asks and holds until its partition's leadership, its topic or its state changes.
//! What it wants written down goes to the share coordinator on a task of its own: a member that goes away must not leave a
//! change half done. Locks that expire are entries of one list that a single task watches.

mod dead_letters;
mod loading;
mod log_read;
mod state;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use config::GroupConfig;
use metadata::{ConfigResource, ConfigResourceType};
use parking_lot::Mutex;
use protocol::ErrorCode;
use share::{
    Limits, SessionKey, SharePartition, SharePartitionKey, ShareSessions, SharedPartition, StateChange,
};
use tokio::sync::Notify;

use crate::broker_config::DynamicBrokerConfig;
use crate::clock::Clock;
use crate::metadata_view::MetadataView;
use crate::parking::WaitList;
use crate::partition::Partition;
use crate::partitions::Partitions;
use crate::share_coordinator::ShareState;

pub use log_read::SharedRead;

/// The feature that stands for share groups.
pub const SHARE_VERSION: &str = "share.version";
/// The level of [`SHARE_VERSION`] from which on there are dead-letter topics (KIP-1191).
const DEAD_LETTERS_LEVEL: i16 = 2;

/// One partition as one group shares it.
pub struct Shared {
    /// Which one.
    pub key: SharePartitionKey,
    /// Its replica here.
    pub partition: Arc<Partition>,
    /// Members that wait for records to come back.
    pub waiters: WaitList,
    leader_epoch: i32,
    engine: Mutex<Engine>,
    /// Whether this is over: whoever still has it is to look for another.
    is_fenced: AtomicBool,
    /// About how many bytes a record took when they were last read.
    bytes_per_record: AtomicUsize,
}

struct Engine {
    shared: SharePartition,
    armed_for: Option<i64>,
}

/// What is shared out here.
pub struct SharePartitions {
    partitions: Arc<Partitions>,
    metadata: Arc<MetadataView>,
    config: Arc<DynamicBrokerConfig>,
    clock: Arc<dyn Clock>,
    state: ShareState,
    shared: Mutex<HashMap<SharePartitionKey, Arc<Shared>>>,
    /// Held while a partition's state is read, so that it is read once.
    loading: tokio::sync::Mutex<()>,
    sessions: Mutex<ShareSessions>,
    deadlines: Mutex<BTreeSet<(i64, SharePartitionKey)>>,
    sooner: Notify,
}

impl SharePartitions {
    /// Nothing is shared yet.
    pub fn new(
        partitions: &Arc<Partitions>,
        metadata: &Arc<MetadataView>,
        config: &Arc<DynamicBrokerConfig>,
        clock: &Arc<dyn Clock>,
        state: ShareState,
    ) -> Arc<Self> {
        Arc::new(SharePartitions {
            partitions: partitions.clone(),
            metadata: metadata.clone(),
            config: config.clone(),
            clock: clock.clone(),
            state,
            shared: Mutex::default(),
            loading: tokio::sync::Mutex::default(),
            sessions: Mutex::new(ShareSessions::new()),
            deadlines: Mutex::default(),
            sooner: Notify::new(),
        })
    }

    /// Where it is written down.
    pub fn state(&self) -> &ShareState {
        &self.state
    }

    /// The members' sessions.
    pub fn sessions(&self) -> &Mutex<ShareSessions> {
        &self.sessions
    }

    /// A group's configuration.
    pub fn group_config(&self, group_id: &str) -> GroupConfig {
        let image = self.metadata.image();
        let own = image.configs.of(&ConfigResource::new(ConfigResourceType::Group, group_id));
        GroupConfig::resolve(&self.config.current(), own)
    }

    /// What a group's configuration comes to within the broker's bounds.
    pub fn limits(&self, group_id: &str) -> Limits {
        let (group, broker) = (self.group_config(group_id), self.config.current());
        let share = &broker.share;
        let within = |value: i32, least: i32, most: i32| value.min(most).max(least);
        let locks = within(
            group.share_partition_max_record_locks,
            share.group_share_min_partition_max_record_locks,
            share.group_share_max_partition_max_record_locks,
        );
        let deliveries = within(
            group.share_delivery_count_limit,
            share.group_share_min_delivery_count_limit,
            share.group_share_max_delivery_count_limit,
        );
        let duration_ms = within(
            group.share_record_lock_duration_ms,
            share.group_share_min_record_lock_duration_ms,
            share.group_share_max_record_lock_duration_ms,
        );
        Limits {
            delivery_count_limit: i16::try_from(deliveries).unwrap_or(i16::MAX),
            max_record_locks: locks.into(),
            record_lock_duration_ms: duration_ms.into(),
            has_dead_letter_topic: self.metadata.image().features.level(SHARE_VERSION) >= DEAD_LETTERS_LEVEL
                && !group.errors_deadletterqueue_topic_name.is_empty(),
        }
    }

    /// The time.
    pub fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// What is shared under this key, if it is.
    pub fn get(&self, key: &SharePartitionKey) -> Option<Arc<Shared>> {
        self.shared.lock().get(key).cloned()
    }

    /// Lets the engine do something, and watches the locks that it has then.
    pub fn with_engine<T>(&self, shared: &Shared, act: impl FnOnce(&mut SharePartition) -> T) -> T {
        let mut engine = shared.engine.lock();
        let outcome = act(&mut engine.shared);
        let next = if shared.is_fenced() { None } else { engine.shared.next_deadline() };
        // An entry that is too early does no harm: it is set anew when its time comes.
        if next.is_some_and(|next| engine.armed_for.is_none_or(|armed| next < armed)) {
            self.arm(shared, &mut engine, next);
        }
        outcome
    }

    fn arm(&self, shared: &Shared, engine: &mut Engine, next: Option<i64>) {
        let mut deadlines = self.deadlines.lock();
        if let Some(armed) = engine.armed_for.take() {
            deadlines.remove(&(armed, shared.key.clone()));
        }
        engine.armed_for = next;
        if let Some(next) = next {
            deadlines.insert((next, shared.key.clone()));
            if deadlines.first().is_some_and(|(first, _)| *first == next) {
                self.sooner.notify_one();
            }
        }
    }

    /// Frees records whose locks have expired. Runs as long as the node does.
    pub async fn run_deadlines(self: Arc<Self>) {
        loop {
            let first = self.deadlines.lock().first().cloned();
            let now_ms = self.clock.now_ms();
            match first {
                Some((deadline, key)) if deadline <= now_ms => self.expire(deadline, &key),
                Some((deadline, _)) => {
                    let wait = Duration::from_millis(deadline.abs_diff(now_ms));
                    let _ = tokio::time::timeout(wait, self.sooner.notified()).await;
                }
                None => self.sooner.notified().await,
            }
        }
    }

    fn expire(self: &Arc<Self>, deadline: i64, key: &SharePartitionKey) {
        self.deadlines.lock().remove(&(deadline, key.clone()));
        let Some(shared) = self.get(key) else { return };
        let limits = self.limits(&key.group_id);
        let change = {
            let mut engine = shared.engine.lock();
            if engine.armed_for == Some(deadline) {
                engine.armed_for = None;
            }
            let change = engine.shared.expire_locks(self.clock.now_ms(), &limits);
            let next = engine.shared.next_deadline();
            self.arm(&shared, &mut engine, next);
            change
        };
        if let Some(change) = change {
            shared.waiters.wake_all();
            self.write_later(shared, change);
        }
    }

    /// Writes a change down that nobody waits for.
    fn write_later(self: &Arc<Self>, shared: Arc<Shared>, change: StateChange) {
        // Without a runtime the node is stopping; what is not written down comes back after the next start anyway.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(self.clone().write(shared, change));
        }
    }

    /// Gives up what is shared under this key: the next who asks begins anew.
    pub fn fence(&self, shared: &Shared) {
        shared.is_fenced.store(true, Ordering::Release);
        {
            let mut all = self.shared.lock();
            if all.get(&shared.key).is_some_and(|held| std::ptr::eq(&**held, shared)) {
                all.remove(&shared.key);
            }
        }
        let mut engine = shared.engine.lock();
        self.arm(shared, &mut engine, None);
        drop(engine);
        shared.waiters.wake_all();
    }

    /// Ends the session that was begun over a connection that is closed.
    pub fn disconnected(self: &Arc<Self>, connection: u64) {
        let ended = self.sessions.lock().disconnected(connection);
        if let Some((key, partitions)) = ended {
            self.session_ended(&key, &partitions);
        }
    }

    /// Takes back what a member held. With the last member, what is shared with its group is given up: an administrator may
    /// set its offsets now.
    pub fn session_ended(self: &Arc<Self>, session: &SessionKey, partitions: &[SharedPartition]) {
        self.give_back(session, partitions);
        if !self.sessions.lock().is_group_gone(&session.group_id) {
            return;
        }
        let of_group = |shared: &&Arc<Shared>| shared.key.group_id == session.group_id;
        let idle: Vec<Arc<Shared>> = self.shared.lock().values().filter(of_group).cloned().collect();
        idle.iter().for_each(|shared| self.fence(shared));
    }

    /// Takes back what a member holds whose session has ended.
    fn give_back(self: &Arc<Self>, session: &SessionKey, partitions: &[SharedPartition]) {
        let limits = self.limits(&session.group_id);
        for partition in partitions {
            let key = SharePartitionKey {
                group_id: session.group_id.clone(),
                topic_id: partition.topic_id,
                partition: partition.partition,
            };
            let Some(shared) = self.get(&key) else { continue };
            let change = self.with_engine(&shared, |engine| engine.release(&session.member_id, &limits));
            if let Some(change) = change {
                self.write_later(shared, change);
            }
        }
    }
}

impl Shared {
    /// Where the next record to hand out may lie.
    pub fn next_fetch_offset(&self) -> i64 {
        self.engine.lock().shared.next_fetch_offset()
    }

    /// Whether this is over.
    pub fn is_fenced(&self) -> bool {
        self.is_fenced.load(Ordering::Acquire)
    }

    /// Whether a change of the log or of leadership has ended this.
    ///
    /// # Errors
    /// NOT_LEADER_OR_FOLLOWER.
    pub fn check(&self) -> Result<(), ErrorCode> {
        let leads = self.partition.leader_epoch() == self.leader_epoch;
        if leads && !self.is_fenced() { Ok(()) } else { Err(ErrorCode::NotLeaderOrFollower) }
    }
}
