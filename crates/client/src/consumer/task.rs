//! The consumer's task: finds positions, fetches, commits by itself.

mod answers;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use protocol::ApiKey;
use protocol::messages::{FetchRequest, FetchResponse};
use tokio::time::Instant;

use crate::client::SendOptions;
use crate::consumer::config::{IsolationLevel, OffsetReset};
use crate::consumer::fetch_session::{FetchSession, TOPIC_IDS_SINCE};
use crate::consumer::offset_calls::{EARLIEST, LATEST, OffsetAndTimestamp, PerPartition};
use crate::consumer::subscriptions::{Lookup, Plan, Want};
use crate::consumer::{Shared, wall_clock_ms};
use crate::error::ClientError;
use crate::group_offsets::OffsetAndMetadata;
use crate::topic_partition::TopicPartition;

/// Something that the task waited for.
enum Event {
    Committed(Vec<Lookup<()>>, Result<HashMap<TopicPartition, Option<OffsetAndMetadata>>, ClientError>),
    Found(Vec<Lookup<OffsetReset>>, Result<PerPartition<Option<OffsetAndTimestamp>>, ClientError>),
    Validated(Vec<Lookup<(i64, i32)>>, Result<PerPartition<(i32, i64)>, ClientError>),
    Fetched(i32, FetchSession, Vec<Want>, Result<FetchResponse, ClientError>),
    Refreshed,
    AutoCommitted,
}

struct Task {
    shared: Arc<Shared>,
    waiting: FuturesUnordered<BoxFuture<'static, Event>>,
    sessions: HashMap<i32, FetchSession>,
    fetching: BTreeSet<i32>,
    is_refreshing: bool,
    is_committing: bool,
    commit_at_ms: i64,
    failures: u32,
}

/// Looked at again after this long whatever happens, ms.
const IDLE_MS: i64 = 60_000;

/// Runs until the consumer is closed.
pub(super) async fn run(shared: Arc<Shared>) {
    let commit_at_ms = shared.client.now_ms() + shared.config.auto_commit_interval_ms;
    let mut task = Task {
        shared: Arc::clone(&shared),
        waiting: FuturesUnordered::new(),
        sessions: HashMap::new(),
        fetching: BTreeSet::new(),
        is_refreshing: false,
        is_committing: false,
        commit_at_ms,
        failures: 0,
    };
    let mut changes = shared.client.metadata_changes();
    while !shared.is_closing() {
        let next_ms = task.step();
        let wait = Duration::from_millis((next_ms - shared.client.now_ms()).max(1).unsigned_abs());
        tokio::select! {
            biased;
            Some(event) = task.waiting.next() => task.handle(event),
            () = shared.wake.notified() => {}
            _ = changes.changed() => {}
            () = tokio::time::sleep_until(Instant::now() + wait) => {}
        }
    }
}

impl Task {
    /// Asks for all that is due; tells when something will be.
    fn step(&mut self) -> i64 {
        let shared = Arc::clone(&self.shared);
        let (metadata, now_ms) = (shared.client.metadata(), shared.client.now_ms());
        let buffer_bytes = usize::try_from(shared.config.max_partition_fetch_bytes).unwrap_or(0).max(1);
        let plan = shared.subscriptions.lock().plan(now_ms, &metadata, &self.fetching, buffer_bytes);
        let Plan { committed, resets, validations, fetches, mut leaderless, next_ms } = plan;
        if !committed.is_empty() {
            self.look_up_committed(committed);
        }
        for (leader, lookups) in resets {
            self.find(leader, lookups);
        }
        for (leader, lookups) in validations {
            self.validate(leader, lookups);
        }
        for (broker, wants) in fetches {
            self.fetch(broker, wants);
        }
        let stale_at_ms = metadata.updated_ms + shared.client.config().metadata_max_age_ms;
        if stale_at_ms <= now_ms {
            let names = shared.subscriptions.lock().assigned();
            leaderless.extend(names.into_iter().map(|named| named.topic));
        }
        if !leaderless.is_empty() {
            self.refresh(leaderless);
        }
        let mut next_ms = next_ms.unwrap_or(now_ms + IDLE_MS).min(stale_at_ms.max(now_ms + 100));
        if shared.config.enable_auto_commit && shared.group.is_some() {
            if self.commit_at_ms <= now_ms {
                self.commit_at_ms = now_ms + shared.config.auto_commit_interval_ms.max(1);
                self.commit();
            }
            next_ms = next_ms.min(self.commit_at_ms);
        }
        next_ms
    }

    fn look_up_committed(&mut self, lookups: Vec<Lookup<()>>) {
        let shared = Arc::clone(&self.shared);
        self.waiting.push(Box::pin(async move {
            let partitions: Vec<TopicPartition> =
                lookups.iter().map(|lookup| lookup.topic_partition.clone()).collect();
            let found = match shared.group_metadata() {
                Some(group) => shared.offset_calls().committed(&group, partitions).await,
                None => Ok(HashMap::new()),
            };
            Event::Committed(lookups, found)
        }));
    }

    fn find(&mut self, leader: i32, lookups: Vec<Lookup<OffsetReset>>) {
        let shared = Arc::clone(&self.shared);
        self.waiting.push(Box::pin(async move {
            let now_ms = wall_clock_ms();
            let wanted = lookups.iter().map(|lookup| {
                let timestamp = match lookup.what {
                    OffsetReset::Earliest => EARLIEST,
                    OffsetReset::Latest | OffsetReset::None => LATEST,
                    OffsetReset::ByDuration(ago_ms) => now_ms - ago_ms,
                };
                (lookup.topic_partition.clone(), timestamp)
            });
            let found = shared.offset_calls().list(leader, wanted.collect::<Vec<_>>()).await;
            Event::Found(lookups, found)
        }));
    }

    fn validate(&mut self, leader: i32, lookups: Vec<Lookup<(i64, i32)>>) {
        let shared = Arc::clone(&self.shared);
        self.waiting.push(Box::pin(async move {
            let wanted = lookups.iter().map(|lookup| (lookup.topic_partition.clone(), lookup.what.1));
            let ends = shared.offset_calls().epoch_ends(leader, wanted.collect::<Vec<_>>()).await;
            Event::Validated(lookups, ends)
        }));
    }

    fn fetch(&mut self, broker: i32, wants: Vec<Want>) {
        let mut session = self.sessions.remove(&broker).unwrap_or_default();
        self.fetching.insert(broker);
        let shared = Arc::clone(&self.shared);
        self.waiting.push(Box::pin(async move {
            let answer = exchange(&shared, broker, &mut session, &wants).await;
            Event::Fetched(broker, session, wants, answer)
        }));
    }

    pub(super) fn refresh(&mut self, topics: BTreeSet<Arc<str>>) {
        if std::mem::replace(&mut self.is_refreshing, true) {
            return;
        }
        let (shared, failures) = (Arc::clone(&self.shared), self.failures);
        self.failures = failures.saturating_add(1);
        self.waiting.push(Box::pin(async move {
            shared.client.back_off(failures).await;
            let topics: Vec<&str> = topics.iter().map(|topic| &**topic).collect();
            let may_create = shared.config.allow_auto_create_topics;
            if let Err(error) = shared.client.refresh_topics(topics, may_create).await {
                tracing::warn!(%error, "leaders are not known");
            }
            Event::Refreshed
        }));
    }

    fn commit(&mut self) {
        if std::mem::replace(&mut self.is_committing, true) {
            return;
        }
        let shared = Arc::clone(&self.shared);
        self.waiting.push(Box::pin(async move {
            if let Err(error) = shared.commit_positions(false).await {
                tracing::warn!(%error, "positions were not committed; it is tried again");
            }
            Event::AutoCommitted
        }));
    }
}

async fn exchange(
    shared: &Shared,
    broker: i32,
    session: &mut FetchSession,
    wants: &[Want],
) -> Result<FetchResponse, ClientError> {
    let config = &shared.config;
    let connection = shared.client.connection(broker, shared.fetch_lane).await?;
    let have_ids = wants.iter().all(|want| !want.topic_id.is_zero());
    let version_max = if have_ids { i16::MAX } else { TOPIC_IDS_SINCE - 1 };
    let version = connection.version(ApiKey::Fetch, version_max)?;
    let mut request = FetchRequest {
        max_wait_ms: config.fetch_max_wait_ms,
        min_bytes: config.fetch_min_bytes,
        max_bytes: config.fetch_max_bytes,
        isolation_level: i8::from(config.isolation_level == IsolationLevel::ReadCommitted),
        rack_id: shared.client.config().client_rack.clone(),
        ..FetchRequest::default()
    };
    session.fill(&mut request, wants, version, config.max_partition_fetch_bytes);
    let options = SendOptions { version_max: Some(version), ..SendOptions::default() };
    shared.client.exchange(&connection, &request, options).await
}
