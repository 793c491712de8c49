//! A cluster of brokers in memory: topics, transactions, groups, and what is wrong with them at the moment.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use groups::{
    Effects, Event, GroupCoordinatorConfig, GroupShard, MetadataUpdate, Reply, Request, RequestContext,
    RequestId,
};
use klamm_client::protocol::ApiKey;
use klamm_client::{ErrorCode, Jitter, Uuid};
use metadata::{MetadataDelta, MetadataImage, Provenance};
use parking_lot::Mutex;
use protocol::metadata_records::{MetadataRecord, PartitionRecord, TopicRecord};
use tokio::sync::{Notify, oneshot, watch};
use tokio::time::Instant;

use crate::log::Log;

/// A topic with its partitions.
pub struct Topic {
    pub id: Uuid,
    pub partitions: Vec<Log>,
}

/// What the coordinator knows of one transactional id (KIP-890: each transaction has its own epoch).
#[derive(Default)]
pub struct Transaction {
    pub producer_id: i64,
    pub epoch: i16,
    pub partitions: BTreeSet<(String, i32)>,
    pub has_offsets: bool,
    /// How the transaction of the epoch before ended.
    pub last_committed: Option<bool>,
}

/// One answer that is to be an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub api: ApiKey,
    pub code: ErrorCode,
    /// How many answers.
    pub times: u32,
}

/// All that the brokers share.
pub struct State {
    pub chance: Jitter,
    /// Whether connections, leaders and answers are troubled by chance.
    pub is_troubled: bool,
    pub broker_count: i32,
    pub down: BTreeSet<i32>,
    /// Brokers read nothing and say nothing.
    pub is_silent: bool,
    pub topics: BTreeMap<String, Topic>,
    pub transactions: BTreeMap<String, Transaction>,
    pub coordinator: i32,
    /// Answers that are errors by order, not by chance.
    pub refusal: Option<Refusal>,
    /// How often each API was asked.
    pub asked: HashMap<ApiKey, u32>,
    pub transaction_version: i16,
    /// Commits that named topics by their ids.
    pub commits_by_id: u32,
    next_producer_id: i64,
    groups: GroupShard,
    image: Arc<MetadataImage>,
    waiting: HashMap<u64, oneshot::Sender<Reply>>,
    next_request: u64,
    began: Instant,
}

/// The cluster and those who wait for something in it.
pub struct Cluster {
    pub state: Mutex<State>,
    /// Grows with each append.
    pub appended: watch::Sender<u64>,
    /// Grows each time a broker's connections are cut.
    pub cuts: Vec<watch::Sender<u64>>,
    pub group_changed: Notify,
}

impl Cluster {
    pub fn new(seed: u64, broker_count: i32) -> Arc<Self> {
        let config = GroupCoordinatorConfig {
            group_min_session_timeout_ms: 100,
            group_initial_rebalance_delay_ms: 100,
            ..GroupCoordinatorConfig::default()
        };
        let state = State {
            chance: Jitter::new(seed),
            is_troubled: false,
            broker_count,
            down: BTreeSet::new(),
            is_silent: false,
            topics: BTreeMap::new(),
            transactions: BTreeMap::new(),
            coordinator: 0,
            refusal: None,
            asked: HashMap::new(),
            transaction_version: 2,
            commits_by_id: 0,
            next_producer_id: 1_000,
            groups: GroupShard::new(config),
            image: Arc::default(),
            waiting: HashMap::new(),
            next_request: 0,
            began: Instant::now(),
        };
        let cuts = (0..broker_count).map(|_| watch::Sender::new(0)).collect();
        Arc::new(Self {
            state: Mutex::new(state),
            appended: watch::Sender::new(0),
            cuts,
            group_changed: Notify::new(),
        })
    }

    /// Lets the groups' timeouts happen, for as long as it is polled.
    pub async fn keep_time(&self) {
        loop {
            let changed = self.group_changed.notified();
            let (deadline_ms, now_ms, began) = {
                let state = self.state.lock();
                (state.groups.next_deadline(), state.now_ms(), state.began)
            };
            if deadline_ms.is_some_and(|deadline_ms| deadline_ms <= now_ms) {
                self.state.lock().step(Event::Tick);
                // A deadline may be set for now: that is for the next millisecond.
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
                continue;
            }
            let deadline_ms = deadline_ms.unwrap_or(now_ms + 60_000);
            let until = began + std::time::Duration::from_millis(deadline_ms.unsigned_abs());
            tokio::select! {
                () = changed => {}
                () = tokio::time::sleep_until(until) => {}
            }
        }
    }
}

impl State {
    pub fn now_ms(&self) -> i64 {
        i64::try_from(self.began.elapsed().as_millis()).expect("a simulation is short")
    }

    pub fn one_in(&mut self, chances: u64) -> bool {
        self.is_troubled && self.chance.below(chances) == 0
    }

    pub fn new_producer_id(&mut self) -> i64 {
        self.next_producer_id += 1;
        self.next_producer_id
    }

    /// Whether this answer is to be an error, by order or by chance.
    pub fn refusal(&mut self, api: ApiKey, by_chance: &[ErrorCode]) -> Option<ErrorCode> {
        *self.asked.entry(api).or_default() += 1;
        if let Some(refusal) = self.refusal.as_mut().filter(|refusal| refusal.api == api) {
            if refusal.times == 0 {
                return None;
            }
            refusal.times -= 1;
            return Some(refusal.code);
        }
        if by_chance.is_empty() || !self.one_in(8) {
            return None;
        }
        let index = self.chance.below(by_chance.len() as u64) as usize;
        by_chance.get(index).copied()
    }

    pub fn create_topic(&mut self, name: &str, partitions: i32) {
        let id = Uuid::from_u128(self.topics.len() as u128 + 1);
        let leaders = (0..partitions).map(|partition| Log::new(partition % self.broker_count));
        let topic = Topic { id, partitions: leaders.collect() };
        self.topics.insert(name.to_owned(), topic);
        let mut delta = MetadataDelta::new(&self.image);
        let topic = TopicRecord { name: name.to_owned(), topic_id: id, ..TopicRecord::default() };
        let partition = |partition_id| PartitionRecord {
            partition_id,
            topic_id: id,
            replicas: vec![0],
            isr: vec![0],
            leader: 0,
            directories: vec![Uuid::from_u128(9)],
            ..PartitionRecord::default()
        };
        delta.replay(&MetadataRecord::Topic(topic)).expect("a valid record");
        for index in 0..partitions {
            delta.replay(&MetadataRecord::Partition(partition(index))).expect("a valid record");
        }
        let last_contained_offset = self.topics.len() as i64;
        self.image = Arc::new(delta.apply(Provenance { last_contained_offset, ..Provenance::EMPTY }));
        let is_first = self.topics.len() == 1;
        self.step(Event::MetadataChanged(MetadataUpdate {
            image: Arc::clone(&self.image),
            changed_topics: BTreeSet::from([name.to_owned()]),
            has_new_topics: true,
        }));
        if is_first {
            self.step(Event::Loaded);
        }
    }

    pub fn topic_name(&self, id: Uuid, name: &str) -> Option<String> {
        match id {
            Uuid::ZERO => self.topics.contains_key(name).then(|| name.to_owned()),
            id => self.topics.iter().find(|(_, topic)| topic.id == id).map(|(name, _)| name.clone()),
        }
    }

    pub fn log(&mut self, topic: &str, partition: i32) -> Option<&mut Log> {
        let index = usize::try_from(partition).ok()?;
        self.topics.get_mut(topic)?.partitions.get_mut(index)
    }

    /// Ends a transaction in all its partitions, under a new epoch.
    pub fn end_transaction(&mut self, id: &str, committed: bool) {
        let Some(transaction) = self.transactions.get_mut(id) else { return };
        transaction.epoch += 1;
        transaction.last_committed = Some(committed);
        let (producer_id, epoch) = (transaction.producer_id, transaction.epoch);
        let partitions = std::mem::take(&mut transaction.partitions);
        let has_offsets = std::mem::take(&mut transaction.has_offsets);
        for (topic, partition) in partitions {
            self.log(&topic, partition).expect("it exists").end_transaction(producer_id, epoch, committed);
        }
        if has_offsets {
            self.step(Event::TransactionCompleted { producer_id, committed });
        }
    }

    /// Asks the groups; the answer may come later.
    pub fn ask_groups(&mut self, api_version: i16, request: Request) -> oneshot::Receiver<Reply> {
        let (sender, receiver) = oneshot::channel();
        self.next_request += 1;
        let id = self.next_request;
        self.waiting.insert(id, sender);
        let entropy = u128::from(self.chance.next_u64()) << 64 | u128::from(self.chance.next_u64());
        let context = RequestContext {
            api_version,
            client_id: "simulated".to_owned(),
            client_host: "/127.0.0.1".to_owned(),
            member_id_entropy: entropy,
        };
        self.step(Event::Request { id: RequestId(id), context, request });
        receiver
    }

    fn step(&mut self, event: Event) {
        let now_ms = self.now_ms();
        let Effects { replies, .. } = self.groups.step(now_ms, event);
        for (RequestId(id), reply) in replies {
            if let Some(waiting) = self.waiting.remove(&id) {
                // Who asked may be gone.
                let _ = waiting.send(reply);
            }
        }
    }
}
