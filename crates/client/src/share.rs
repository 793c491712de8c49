//! The share consumer: records of a queue, acquired one by one and acknowledged one by one (KIP-932).

mod acknowledgements;
mod config;
mod fetching;
mod membership;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use parking_lot::Mutex;
use protocol::Uuid;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

pub use acknowledgements::Acknowledgement;
pub use config::{AcknowledgementMode, ShareConsumerConfig};

use crate::client::{Client, Lane};
use crate::consumer::ConsumerRecord;
use crate::error::ClientError;
use crate::topic_partition::TopicPartition;
use acknowledgements::SharePartition;
use fetching::{Acquired, Brought, Outcomes, ShareSession};

struct Shared {
    client: Client,
    config: ShareConsumerConfig,
    member_id: String,
    topics: Mutex<BTreeSet<String>>,
    assigned: Mutex<BTreeSet<SharePartition>>,
    failure: Mutex<Option<ClientError>>,
    data: Notify,
    group_wake: Notify,
    closing: watch::Sender<bool>,
    fetch_lane: Lane,
    group_lane: Lane,
}

type Exchange = BoxFuture<'static, (i32, ShareSession, Result<Brought, ClientError>)>;

/// Acquires records of a share group. What is not acknowledged in time, or released, is delivered to another member.
///
/// Futures are cancel-safe: what a dropped call had acquired is handed out by the next one.
pub struct ShareConsumer {
    shared: Arc<Shared>,
    /// Sessions that nothing is on its way for.
    sessions: HashMap<i32, ShareSession>,
    fetching: FuturesUnordered<Exchange>,
    /// Leaders that something is on its way to.
    busy: BTreeSet<i32>,
    ready: VecDeque<(i32, Acquired)>,
    /// Handed out and not acknowledged: partition and leader of each.
    open: BTreeMap<(TopicPartition, i64), (i32, SharePartition)>,
    /// What is to be acknowledged to leaders that a fetch is on its way to.
    later: Vec<(i32, SharePartition, i64, Acknowledgement)>,
    outcomes: Outcomes,
    heartbeats: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for ShareConsumer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("ShareConsumer")
            .field("group", &self.shared.config.group_id)
            .finish_non_exhaustive()
    }
}

impl Drop for ShareConsumer {
    fn drop(&mut self) {
        self.shared.closing.send_replace(true);
    }
}

impl ShareConsumer {
    /// A member of a share group, with connections of its own. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// There is no `group.id`.
    pub fn new(client: &Client, config: ShareConsumerConfig) -> Result<Self, ClientError> {
        if config.group_id.is_empty() {
            return Err(ClientError::config("group.id", "", "a share consumer belongs to a group"));
        }
        let member_id = {
            let mut jitter = client.jitter();
            Uuid::from_u128(u128::from(jitter.next_u64()) << 64 | u128::from(jitter.next_u64())).to_string()
        };
        let shared = Arc::new(Shared {
            client: client.clone(),
            config,
            member_id,
            topics: Mutex::default(),
            assigned: Mutex::default(),
            failure: Mutex::default(),
            data: Notify::new(),
            group_wake: Notify::new(),
            closing: watch::Sender::new(false),
            fetch_lane: client.own_lane(),
            group_lane: client.own_lane(),
        });
        let heartbeats = tokio::spawn(membership::run(Arc::clone(&shared)));
        Ok(Self {
            shared,
            sessions: HashMap::new(),
            fetching: FuturesUnordered::new(),
            busy: BTreeSet::new(),
            ready: VecDeque::new(),
            open: BTreeMap::new(),
            later: Vec::new(),
            outcomes: Vec::new(),
            heartbeats: Some(heartbeats),
        })
    }

    /// Reads these topics from now on.
    pub fn subscribe<T: AsRef<str>>(&self, topics: impl IntoIterator<Item = T>) {
        let topics = topics.into_iter().map(|topic| topic.as_ref().to_owned());
        *self.shared.topics.lock() = topics.collect();
        self.shared.group_wake.notify_one();
    }

    /// Acquires records, as soon as there are any; none when `limit` is over. With implicit acknowledgement those of the
    /// call before are accepted.
    ///
    /// # Errors
    /// The group cannot be joined, a partition cannot be read; with explicit acknowledgement records of the call before
    /// that were not acknowledged.
    pub async fn poll(&mut self, limit: Duration) -> Result<Vec<ConsumerRecord>, ClientError> {
        match self.shared.config.acknowledgement_mode {
            AcknowledgementMode::Implicit => self.accept_open(),
            AcknowledgementMode::Explicit if !self.open.is_empty() => {
                return Err(ClientError::IllegalState("records of the last poll are not acknowledged"));
            }
            AcknowledgementMode::Explicit => {}
        }
        match tokio::time::timeout(limit, self.wait_for_records()).await {
            Ok(waited) => waited?,
            Err(_) => return Ok(Vec::new()),
        }
        let mut records = Vec::new();
        while let Some((leader, acquired)) = self.ready.pop_front() {
            let Acquired { record, partition } = acquired;
            self.open.insert((record.topic_partition.clone(), record.offset), (leader, partition));
            records.push(record);
        }
        Ok(records)
    }

    async fn wait_for_records(&mut self) -> Result<(), ClientError> {
        while self.ready.is_empty() {
            let shared = Arc::clone(&self.shared);
            let data = shared.data.notified();
            tokio::pin!(data);
            data.as_mut().enable();
            if let Some(error) = shared.failure.lock().take() {
                return Err(error);
            }
            self.start_fetches();
            tokio::select! {
                biased;
                Some(done) = self.fetching.next() => self.done(done)?,
                () = &mut data => {}
            }
        }
        Ok(())
    }

    /// One fetch per leader that has assigned partitions or is owed acknowledgements.
    fn start_fetches(&mut self) {
        self.settle_later();
        let metadata = self.shared.client.metadata();
        let mut leaders: BTreeMap<i32, BTreeSet<SharePartition>> = BTreeMap::new();
        for partition in self.shared.assigned.lock().iter() {
            let Some(topic) = metadata.topic_name(partition.0) else { continue };
            let named = TopicPartition { topic: Arc::clone(topic), partition: partition.1 };
            if let Some((leader, _)) = metadata.leader(&named) {
                leaders.entry(leader.id).or_default().insert(*partition);
            }
        }
        let owed = self.sessions.iter().filter(|(_, session)| !session.acknowledgements.is_empty());
        for leader in owed.map(|(leader, _)| *leader).collect::<Vec<_>>() {
            leaders.entry(leader).or_default();
        }
        for (leader, wanted) in leaders {
            let is_new = !self.sessions.contains_key(&leader) && !self.busy.contains(&leader);
            let session = if is_new { Some(ShareSession::default()) } else { self.sessions.remove(&leader) };
            let Some(mut session) = session else { continue };
            let shared = Arc::clone(&self.shared);
            self.busy.insert(leader);
            self.fetching.push(Box::pin(async move {
                let brought = session.fetch(&shared, leader, &wanted).await;
                (leader, session, brought)
            }));
        }
    }

    fn done(
        &mut self,
        (leader, session, brought): (i32, ShareSession, Result<Brought, ClientError>),
    ) -> Result<(), ClientError> {
        self.busy.remove(&leader);
        self.sessions.insert(leader, session);
        let brought = brought?;
        self.outcomes.extend(brought.outcomes);
        self.ready.extend(brought.records.into_iter().map(|acquired| (leader, acquired)));
        if brought.is_stale {
            let client = self.shared.client.clone();
            tokio::spawn(async move { client.refresh_known().await });
        }
        match brought.failures.into_iter().next() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// Says what became of a record. It is told to the broker with the next [`Self::poll`] or [`Self::commit`].
    ///
    /// # Errors
    /// The record was not handed out by the last poll, or was acknowledged already.
    pub fn acknowledge(&mut self, record: &ConsumerRecord, what: Acknowledgement) -> Result<(), ClientError> {
        let key = (record.topic_partition.clone(), record.offset);
        let unknown = ClientError::IllegalState("the record is not open for acknowledgement");
        let (leader, partition) = match what {
            // It stays acquired.
            Acknowledgement::Renew => *self.open.get(&key).ok_or(unknown)?,
            _ => self.open.remove(&key).ok_or(unknown)?,
        };
        self.later.push((leader, partition, record.offset, what));
        self.settle_later();
        Ok(())
    }

    /// Tells the brokers of all acknowledgements, and how those since the last call went by partition. With implicit
    /// acknowledgement what was handed out is accepted.
    pub async fn commit(&mut self) -> Vec<(TopicPartition, Result<(), ClientError>)> {
        if self.shared.config.acknowledgement_mode == AcknowledgementMode::Implicit {
            self.accept_open();
        }
        self.acknowledge_all(false).await;
        std::mem::take(&mut self.outcomes)
    }

    /// Accepts what is open if that is implicit, releases the rest, leaves the group and ends.
    pub async fn close(mut self) -> Vec<(TopicPartition, Result<(), ClientError>)> {
        if self.shared.config.acknowledgement_mode == AcknowledgementMode::Implicit {
            self.accept_open();
        }
        self.acknowledge_all(true).await;
        self.shared.closing.send_replace(true);
        if let Some(heartbeats) = self.heartbeats.take()
            && let Err(error) = heartbeats.await
        {
            tracing::error!(%error, "the heartbeats of a share consumer have failed");
        }
        self.shared.client.release_lane(self.shared.fetch_lane);
        self.shared.client.release_lane(self.shared.group_lane);
        std::mem::take(&mut self.outcomes)
    }

    async fn acknowledge_all(&mut self, is_close: bool) {
        while let Some(done) = self.fetching.next().await {
            if let Err(error) = self.done(done) {
                tracing::warn!(%error, "a partition cannot be read");
            }
        }
        self.settle_later();
        let shared = Arc::clone(&self.shared);
        for (leader, session) in &mut self.sessions {
            match session.acknowledge(&shared, *leader, is_close).await {
                Ok(outcomes) => self.outcomes.extend(outcomes),
                Err(error) => tracing::warn!(%error, "acknowledgements were not taken"),
            }
        }
    }

    fn accept_open(&mut self) {
        for ((_, offset), (leader, partition)) in std::mem::take(&mut self.open) {
            self.later.push((leader, partition, offset, Acknowledgement::Accept));
        }
        self.settle_later();
    }

    /// Acknowledgements go into sessions as soon as these are at hand.
    fn settle_later(&mut self) {
        let later = std::mem::take(&mut self.later);
        for (leader, partition, offset, what) in later {
            match self.sessions.get_mut(&leader) {
                Some(session) => session.acknowledgements.say(partition, offset, what),
                None => self.later.push((leader, partition, offset, what)),
            }
        }
    }
}
