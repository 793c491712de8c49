//! The producer's task: sends what is due, and tells the outbox what became of it.

mod answers;

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use protocol::ApiKey;
use protocol::messages::{ProduceRequest, ProduceResponse};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::client::Lane;
use crate::connection::{Answer, Connection};
use crate::error::ClientError;
use crate::metadata::ClusterMetadata;
use crate::producer::batch::ProducerIdentity;
use crate::producer::outbox::{Due, Failure, Outgoing, Surroundings};
use crate::producer::produce_call::{self, Part, Prepared};
use crate::producer::{Acks, Running, Shared};
use crate::topic_partition::TopicPartition;

/// Something that the sender waited for.
enum Event {
    Connected(i32, Result<Arc<Connection>, ClientError>),
    Produced(i32, Vec<Part>, Result<ProduceResponse, ClientError>),
    /// A request without an answer has left.
    Sent(i32, Vec<Part>, Result<(), ClientError>),
    Refreshed,
    Identity(Result<ProducerIdentity, ClientError>),
    PartitionsAdded(Vec<TopicPartition>, Result<(), ClientError>),
}

/// A broker as the sender sees it.
#[derive(Default)]
struct Broker {
    connection: Option<Arc<Connection>>,
    is_connecting: bool,
    in_flight: usize,
    /// The broker asked for silence until then (KIP-219), ms.
    muted_until_ms: i64,
}

/// A request on its way.
enum Started {
    Answered(Answer<ProduceRequest>),
    Unanswered(oneshot::Receiver<()>),
}

struct Sender {
    shared: Arc<Shared>,
    brokers: HashMap<i32, Broker>,
    waiting: FuturesUnordered<BoxFuture<'static, Event>>,
    is_refreshing: bool,
    is_identifying: bool,
    is_adding: bool,
    failures: u32,
}

/// Runs until the producer is closed and nothing is left.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut sender = Sender {
        shared,
        brokers: HashMap::new(),
        waiting: FuturesUnordered::new(),
        is_refreshing: false,
        is_identifying: false,
        is_adding: false,
        failures: 0,
    };
    let mut changes = sender.shared.client.metadata_changes();
    while let Some(next_ms) = sender.step() {
        let shared = Arc::clone(&sender.shared);
        let now_ms = shared.client.now_ms();
        let wait = Duration::from_millis((next_ms - now_ms).max(1).unsigned_abs());
        tokio::select! {
            biased;
            Some(event) = sender.waiting.next() => sender.handle(event),
            () = shared.wake.notified() => {}
            _ = changes.changed() => {}
            () = tokio::time::sleep_until(Instant::now() + wait) => {}
        }
    }
}

/// Looked at again after this long whatever happens, ms.
const IDLE_MS: i64 = 60_000;

impl Drop for Sender {
    /// However the task ends: nobody waits for it any more.
    fn drop(&mut self) {
        let mut assembly = self.shared.assembly.lock();
        self.shared.state.send_replace(Running::Ended);
        assembly.outbox.fail_all(&ClientError::Closed);
        drop(assembly);
        self.shared.room.close();
        self.shared.idle.notify_waiters();
    }
}

impl Sender {
    /// Does all that is due; tells when something will be, or none at the end.
    fn step(&mut self) -> Option<i64> {
        let shared = Arc::clone(&self.shared);
        let (metadata, now_ms) = (shared.client.metadata(), shared.client.now_ms());
        let view = View {
            metadata: &metadata,
            brokers: &self.brokers,
            in_flight_max: shared.config.max_in_flight,
            now_ms,
            shared: &shared,
            unconnected: RefCell::default(),
            to_add: RefCell::default(),
        };
        let mut assembly = shared.assembly.lock();
        let due = assembly.outbox.due(now_ms, &view);
        let wants_identity = assembly.outbox.wants_identity();
        let freed = assembly.outbox.take_freed();
        let is_empty = assembly.outbox.is_empty();
        if is_empty && *shared.state.borrow() != Running::Open {
            shared.state.send_replace(Running::Ended);
            return None;
        }
        drop(assembly);
        shared.room.add_permits(freed);
        if is_empty {
            shared.idle.notify_waiters();
        }
        let (unconnected, to_add) = (view.unconnected.take(), view.to_add.take());
        let Due { requests, leaderless, next_ms } = due;
        for (broker, batches) in requests {
            self.send(broker, batches, &metadata);
        }
        unconnected.into_iter().for_each(|broker| self.connect(broker));
        let stale_at_ms = metadata.updated_ms.saturating_add(shared.client.config().metadata_max_age_ms);
        if !leaderless.is_empty() || (stale_at_ms <= now_ms && !is_empty) {
            self.refresh(leaderless);
        }
        if wants_identity {
            self.identify();
        }
        if !to_add.is_empty() {
            self.add_partitions(to_add);
        }
        let unmuted =
            self.brokers.values().map(|broker| broker.muted_until_ms).filter(|at_ms| *at_ms > now_ms);
        Some(unmuted.chain(next_ms).min().unwrap_or(now_ms + IDLE_MS))
    }

    fn send(&mut self, broker: i32, batches: Vec<Outgoing>, metadata: &ClusterMetadata) {
        let shared = Arc::clone(&self.shared);
        let prepared: Vec<Prepared> =
            batches.into_iter().map(|outgoing| produce_call::prepare(outgoing, metadata)).collect();
        let mut assembly = shared.assembly.lock();
        for one in &prepared {
            assembly.outbox.sealed(one.part.key, one.part.batch_id, one.sealed.clone());
        }
        drop(assembly);
        let Some(state) = self.brokers.get_mut(&broker) else { return };
        let Some(connection) = state.connection.clone() else { return };
        let is_transaction_v1 = shared.transaction.is_v1();
        let version_max = produce_call::version_max(&prepared, is_transaction_v1);
        let acks = shared.config.chosen_acks();
        let timeout_ms = shared.client.config().request_timeout_ms;
        let version = connection.version(ApiKey::Produce, version_max);
        let (request, parts) = produce_call::request(
            prepared,
            *version.as_ref().unwrap_or(&0),
            acks.as_i16(),
            i32::try_from(timeout_ms).unwrap_or(i32::MAX),
            shared.config.transactional_id.as_deref(),
        );
        shared.transaction.note_started();
        let started = version.and_then(|version| match acks {
            Acks::None => connection.start_unanswered(version, &request).map(Started::Unanswered),
            Acks::Leader | Acks::All => connection.start(version, &request).map(Started::Answered),
        });
        let event: BoxFuture<'static, Event> =
            match started {
                Ok(Started::Answered(answer)) => {
                    Box::pin(async move { Event::Produced(broker, parts, answer.response(timeout_ms).await) })
                }
                Ok(Started::Unanswered(written)) => Box::pin(async move {
                    Event::Sent(broker, parts, connection.written(written, timeout_ms).await)
                }),
                Err(error) => return self.lost(&parts, &error),
            };
        state.in_flight += 1;
        self.waiting.push(event);
    }

    /// All these batches have no answer.
    fn lost(&mut self, parts: &[Part], error: &ClientError) {
        let now_ms = self.shared.client.now_ms();
        let mut assembly = self.shared.assembly.lock();
        for part in parts {
            let failure = Failure { code: None, error: error.clone() };
            assembly.outbox.failed(part.key, part.batch_id, failure, now_ms);
        }
        drop(assembly);
        self.shared.wake.notify_one();
    }

    fn connect(&mut self, broker: i32) {
        let state = self.brokers.entry(broker).or_default();
        if state.is_connecting {
            return;
        }
        (state.is_connecting, state.connection) = (true, None);
        let shared = Arc::clone(&self.shared);
        self.waiting.push(Box::pin(async move {
            Event::Connected(broker, shared.client.connection(broker, Lane::Main).await)
        }));
    }

    fn refresh(&mut self, topics: BTreeSet<Arc<str>>) {
        if std::mem::replace(&mut self.is_refreshing, true) {
            return;
        }
        let (shared, failures) = (Arc::clone(&self.shared), self.failures);
        self.failures = failures.saturating_add(1);
        self.waiting.push(Box::pin(async move {
            shared.client.back_off(failures).await;
            let topics: Vec<&str> = topics.iter().map(|topic| &**topic).collect();
            if let Err(error) = shared.client.refresh_topics(topics, false).await {
                tracing::warn!(%error, "leaders are not known");
            }
            Event::Refreshed
        }));
    }

    fn identify(&mut self) {
        if std::mem::replace(&mut self.is_identifying, true) {
            return;
        }
        let shared = Arc::clone(&self.shared);
        self.waiting.push(Box::pin(async move { Event::Identity(shared.new_identity().await) }));
    }

    fn add_partitions(&mut self, partitions: BTreeSet<TopicPartition>) {
        if std::mem::replace(&mut self.is_adding, true) {
            return;
        }
        let shared = Arc::clone(&self.shared);
        self.waiting.push(Box::pin(async move {
            let partitions: Vec<TopicPartition> = partitions.into_iter().collect();
            let added = shared.add_partitions(&partitions).await;
            Event::PartitionsAdded(partitions, added)
        }));
    }
}

/// The world as it is during one look at the outbox.
struct View<'a> {
    metadata: &'a ClusterMetadata,
    brokers: &'a HashMap<i32, Broker>,
    in_flight_max: usize,
    now_ms: i64,
    shared: &'a Shared,
    /// Brokers that have something to get and no connection.
    unconnected: RefCell<BTreeSet<i32>>,
    /// Partitions that are to become part of the transaction.
    to_add: RefCell<BTreeSet<TopicPartition>>,
}

impl Surroundings for View<'_> {
    fn leader(&self, topic_partition: &TopicPartition) -> Option<i32> {
        self.metadata.leader(topic_partition).map(|(endpoint, _)| endpoint.id)
    }

    fn capacity(&self, broker: i32) -> usize {
        let known = self.brokers.get(&broker);
        let open = known.filter(|known| known.connection.as_ref().is_some_and(|open| !open.is_closed()));
        match open {
            Some(open) if open.muted_until_ms > self.now_ms => 0,
            Some(open) => self.in_flight_max.saturating_sub(open.in_flight),
            None => {
                self.unconnected.borrow_mut().insert(broker);
                0
            }
        }
    }

    fn admits(&self, topic_partition: &TopicPartition) -> bool {
        let admits = self.shared.transaction.admits(topic_partition);
        if !admits {
            self.to_add.borrow_mut().insert(topic_partition.clone());
        }
        admits
    }
}
