//! Asking for metadata: one request at a time, from any broker, and back to the bootstrap addresses if need be.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use protocol::messages::MetadataRequest;
use protocol::messages::metadata_request::MetadataRequestTopic;
use protocol::{ApiKey, ErrorCode, Uuid};
use tokio::time::Instant;

use super::{Client, Lane, SendOptions};
use crate::connection::Connection;
use crate::endpoint::Endpoint;
use crate::error::ClientError;
use crate::metadata::{ClusterMetadata, TopicMetadata};
use crate::settings::RecoveryStrategy;
use crate::topic_partition::TopicPartition;

/// Refreshes so far, behind the lock that admits one at a time.
#[derive(Debug, Default)]
pub(crate) struct Attempts {
    /// The number of the last one that succeeded, by what it asked for.
    done_in_use: u64,
    done_creating: u64,
    done_all: u64,
    /// Since when no broker answered.
    failing_since: Option<Instant>,
}

impl Attempts {
    /// Whether one that began after so many others has brought what is wanted: many who ask at once share it.
    fn covers(&self, wanted: &Wanted, may_create: bool, begun: u64) -> bool {
        let done = match wanted {
            Wanted::All => self.done_all,
            Wanted::InUse if may_create => self.done_creating,
            Wanted::InUse | Wanted::Brokers => self.done_in_use,
        };
        done > begun
    }

    fn succeeded(&mut self, number: u64, is_complete: bool, may_create: bool) {
        self.failing_since = None;
        match is_complete {
            true => self.done_all = number,
            false => self.done_in_use = number,
        }
        if may_create && !is_complete {
            self.done_creating = number;
        }
    }
}

/// What a refresh asks for.
enum Wanted {
    Brokers,
    InUse,
    All,
}

impl Client {
    /// Asks who the brokers are, and for the topics in use.
    ///
    /// # Errors
    /// No broker answers within `default.api.timeout.ms`.
    pub async fn refresh_brokers(&self) -> Result<Arc<ClusterMetadata>, ClientError> {
        self.refresh(Wanted::Brokers, false).await
    }

    /// Asks again for all topics in use.
    ///
    /// # Errors
    /// As [`Self::refresh_brokers`].
    pub async fn refresh_known(&self) -> Result<Arc<ClusterMetadata>, ClientError> {
        self.refresh(Wanted::InUse, false).await
    }

    /// Asks for every topic of the cluster.
    ///
    /// # Errors
    /// As [`Self::refresh_brokers`].
    pub async fn refresh_all(&self) -> Result<Arc<ClusterMetadata>, ClientError> {
        self.refresh(Wanted::All, false).await
    }

    /// Asks for these topics. Those that do not exist are in the result with their error; `may_create` lets the broker
    /// make them if it is configured so.
    ///
    /// # Errors
    /// As [`Self::refresh_brokers`].
    pub async fn refresh_topics<'a>(
        &self,
        topics: impl IntoIterator<Item = &'a str>,
        may_create: bool,
    ) -> Result<Arc<ClusterMetadata>, ClientError> {
        topics.into_iter().for_each(|topic| self.use_topic(topic));
        self.refresh(Wanted::InUse, may_create).await
    }

    /// Keeps a topic's metadata from being forgotten; it is asked for with the next refresh.
    pub(crate) fn use_topic(&self, topic: &str) {
        let mut in_use = self.inner.topics_in_use.lock();
        match in_use.get_mut(topic) {
            Some(used_ms) => *used_ms = self.now_ms(),
            None => drop(in_use.insert(Arc::from(topic), self.now_ms())),
        }
    }

    /// A topic that can be used, waiting for it to come into being within `limit_ms`.
    pub(crate) async fn topic(
        &self,
        topic: &str,
        may_create: bool,
        limit_ms: i64,
        setting: &'static str,
    ) -> Result<Arc<TopicMetadata>, ClientError> {
        self.use_topic(topic);
        let is_fresh = |metadata: &ClusterMetadata| {
            self.now_ms() - metadata.updated_ms < self.inner.config.metadata_max_age_ms
        };
        let metadata = self.inner.metadata.load();
        if let Some(known) = metadata.topic(topic).filter(|known| known.is_available() && is_fresh(&metadata))
        {
            return Ok(Arc::clone(known));
        }
        drop(metadata);
        self.with_retries_for(topic, limit_ms, setting, || async {
            let metadata = self.refresh_topics([topic], may_create).await?;
            let about = TopicPartition::new(topic, -1);
            let refused = |code| {
                let error = ClientError::refused(ApiKey::Metadata, code).about(&about);
                match &metadata.told_by {
                    Some(endpoint) => error.by(endpoint),
                    None => error,
                }
            };
            let known = metadata.topic(topic).ok_or_else(|| refused(ErrorCode::UnknownTopicOrPartition))?;
            match known.error {
                ErrorCode::None if known.partitions.is_empty() => Err(refused(ErrorCode::LeaderNotAvailable)),
                ErrorCode::None => Ok(Arc::clone(known)),
                code => Err(refused(code)),
            }
        })
        .await
    }

    /// Notes a leader that Produce or Fetch named (KIP-951).
    pub(crate) fn note_leader(
        &self,
        topic_partition: &TopicPartition,
        leader: i32,
        leader_epoch: i32,
        endpoint: Option<Endpoint>,
    ) -> bool {
        let mut noted = false;
        self.inner.metadata.rcu(|metadata| {
            let next = metadata.with_leader(topic_partition, leader, leader_epoch, endpoint.clone());
            noted = next.is_some();
            next.map_or_else(|| Arc::clone(metadata), Arc::new)
        });
        noted
    }

    /// Tells of each answer to Metadata.
    pub(crate) fn metadata_changes(&self) -> tokio::sync::watch::Receiver<u64> {
        self.inner.changed.subscribe()
    }

    async fn refresh(&self, wanted: Wanted, may_create: bool) -> Result<Arc<ClusterMetadata>, ClientError> {
        let begun = self.inner.refreshes.load(Ordering::Acquire);
        let limit_ms = self.inner.config.default_api_timeout_ms;
        let refreshed = async {
            let mut attempts = self.inner.refreshing.lock().await;
            // Somebody else's refresh that began before this call may lack what is wanted here; one after that does not.
            if attempts.covers(&wanted, may_create, begun) {
                return Ok(self.metadata());
            }
            let mut failures = 0u32;
            loop {
                match self.refresh_once(&wanted, may_create, &mut attempts).await {
                    Ok(metadata) => return Ok(metadata),
                    Err(error) if error.is_retriable() => {
                        tracing::debug!(%error, "no metadata yet");
                        failures += 1;
                        self.back_off(failures).await;
                    }
                    Err(error) => return Err(error),
                }
            }
        };
        match tokio::time::timeout(Duration::from_millis(limit_ms.max(0).unsigned_abs()), refreshed).await {
            Ok(result) => result,
            Err(_) => {
                let last = self.any_connection(Lane::Main).await.err().map(Box::new);
                let (what, setting) = ("Metadata".to_owned(), "default.api.timeout.ms");
                Err(ClientError::TimedOut { what, limit_ms, setting, last })
            }
        }
    }

    async fn refresh_once(
        &self,
        wanted: &Wanted,
        may_create: bool,
        attempts: &mut Attempts,
    ) -> Result<Arc<ClusterMetadata>, ClientError> {
        let since = *attempts.failing_since.get_or_insert_with(Instant::now);
        let trigger = Duration::from_millis(self.inner.config.rebootstrap_trigger_ms.unsigned_abs());
        if since.elapsed() > trigger {
            self.rebootstrap();
            attempts.failing_since = Some(Instant::now());
        }
        let number = self.inner.refreshes.fetch_add(1, Ordering::AcqRel) + 1;
        let connection = self.any_connection(Lane::Main).await?;
        let response = self.exchange_metadata(&connection, wanted, may_create).await?;
        if response.error_code == ErrorCode::RebootstrapRequired.as_i16() {
            self.rebootstrap();
            return Err(ClientError::refused(ApiKey::Metadata, ErrorCode::LeaderNotAvailable));
        }
        ClientError::check(ApiKey::Metadata, response.error_code, None)
            .map_err(|error| error.by(&connection.endpoint()))?;
        let (now_ms, is_complete) = (self.now_ms(), matches!(wanted, Wanted::All));
        let mut next = self.inner.metadata.load().with_response(response, is_complete, now_ms);
        next.told_by = Some(connection.endpoint());
        let next = Arc::new(next);
        self.inner.metadata.store(Arc::clone(&next));
        // Once brokers are known by their ids, connections to bootstrap addresses are of no more use.
        let is_bootstrapping = next.brokers().len() == 0;
        self.inner.pool.retain(|id, _| next.broker(id).is_some() || (id < 0 && is_bootstrapping));
        attempts.succeeded(number, is_complete, may_create);
        self.inner.changed.send_replace(next.generation);
        Ok(next)
    }

    async fn exchange_metadata(
        &self,
        connection: &Connection,
        wanted: &Wanted,
        may_create: bool,
    ) -> Result<protocol::messages::MetadataResponse, ClientError> {
        let version = connection.version(ApiKey::Metadata, i16::MAX)?;
        let topics = match wanted {
            Wanted::All => None,
            Wanted::Brokers | Wanted::InUse => Some(self.topics_to_ask_for()),
        };
        // Version 0 says all with an empty list and has no way to say none.
        let topics = if version == 0 {
            topics.filter(|topics| !topics.is_empty()).or(Some(Vec::new()))
        } else {
            topics
        };
        let request = MetadataRequest {
            topics,
            allow_auto_topic_creation: may_create || version < 4,
            ..MetadataRequest::default()
        };
        self.exchange(connection, &request, SendOptions::default()).await
    }

    fn topics_to_ask_for(&self) -> Vec<MetadataRequestTopic> {
        let oldest_ms = self.now_ms() - self.inner.config.metadata_max_idle_ms;
        let mut in_use = self.inner.topics_in_use.lock();
        in_use.retain(|_, used_ms| *used_ms >= oldest_ms);
        let names = in_use.keys().map(|name| name.to_string());
        let mut topics: Vec<MetadataRequestTopic> = names
            .map(|name| MetadataRequestTopic {
                topic_id: Uuid::ZERO,
                name: Some(name),
                ..MetadataRequestTopic::default()
            })
            .collect();
        topics.sort_by(|a, b| a.name.cmp(&b.name));
        topics
    }

    /// Forgets the brokers that are known: the next request goes to a bootstrap address.
    fn rebootstrap(&self) {
        if self.inner.config.metadata_recovery_strategy == RecoveryStrategy::Rebootstrap {
            tracing::info!(bootstrap = %self.inner.config.bootstrap_servers, "no broker answers: back to the bootstrap addresses");
            self.inner.metadata.rcu(|metadata| Arc::new(metadata.without_brokers()));
        }
    }

    /// A connection to the broker with the least to do, to a known one before a bootstrap address.
    pub(crate) async fn any_connection(&self, lane: Lane) -> Result<Arc<Connection>, ClientError> {
        let metadata = self.metadata();
        let open = metadata.brokers().filter_map(|endpoint| self.inner.pool.open(endpoint, lane));
        if let Some(connection) = open.min_by_key(|connection| connection.in_flight()) {
            return Ok(connection);
        }
        let mut candidates: Vec<Arc<Endpoint>> = metadata.brokers().cloned().collect();
        let known = candidates.len();
        candidates.extend(self.inner.bootstrap.iter().cloned());
        self.shuffle(&mut candidates[..known]);
        self.shuffle(&mut candidates[known..]);
        let may_bootstrap =
            known == 0 || self.inner.config.metadata_recovery_strategy == RecoveryStrategy::Rebootstrap;
        let mut last = None;
        for endpoint in candidates.iter().take(if may_bootstrap { usize::MAX } else { known }) {
            match self.inner.pool.connection(endpoint, lane).await {
                Ok(connection) => return Ok(connection),
                Err(error) => last = Some(Box::new(error)),
            }
        }
        let bootstrap = self.inner.config.bootstrap_servers.clone();
        Err(ClientError::NoBroker { bootstrap, last })
    }

    fn shuffle(&self, endpoints: &mut [Arc<Endpoint>]) {
        let mut jitter = self.jitter();
        for index in (1..endpoints.len()).rev() {
            let other = jitter.below(index as u64 + 1) as usize;
            endpoints.swap(index, other);
        }
    }
}
