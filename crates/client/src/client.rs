//! The client: a pool of connections, the cluster's metadata, and a way to send any request.

mod refresh;

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use protocol::{ApiKey, Request};
use tokio::time::Instant;

use crate::api_versions::ApiVersions;
use crate::backoff::Jitter;
use crate::connection::Connection;
use crate::coordinators::Coordinators;
use crate::endpoint::{Endpoint, parse_bootstrap};
use crate::error::ClientError;
use crate::metadata::ClusterMetadata;
use crate::pool::Pool;
use crate::settings::ClientConfig;

/// Requests that may be answered late travel on connections of their own: a broker answers a connection in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Lane {
    /// Whatever is answered at once, Produce included.
    #[default]
    Main,
    /// Fetches, which wait for records.
    Fetch,
    /// Group membership and transactions, which wait for others.
    Coordinator,
    /// A connection that one owner has for itself, see [`Client::own_lane`].
    Own(u32),
}

/// How one request is to be sent.
#[derive(Clone, Copy, Debug, Default)]
pub struct SendOptions {
    /// Which connection it takes.
    pub lane: Lane,
    /// How long the answer may take, ms; `request.timeout.ms` if not given.
    pub timeout_ms: Option<i64>,
    /// No higher version than this; the highest common one if not given.
    pub version_max: Option<i16>,
}

/// A client of one cluster. Clones share everything; tasks and connections end with the last of them.
///
/// All futures may be dropped at any point: a request that is on its way stays so, its answer is thrown away.
#[derive(Clone, Debug)]
pub struct Client {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) config: Arc<ClientConfig>,
    bootstrap: Vec<Arc<Endpoint>>,
    pub(crate) pool: Pool,
    pub(crate) metadata: ArcSwap<ClusterMetadata>,
    changed: tokio::sync::watch::Sender<u64>,
    refreshing: tokio::sync::Mutex<refresh::Attempts>,
    /// How many refreshes have begun.
    refreshes: AtomicU64,
    topics_in_use: Mutex<HashMap<Arc<str>, i64>>,
    pub(crate) coordinators: Coordinators,
    jitter: Mutex<Jitter>,
    started: Instant,
    next_lane: AtomicU32,
}

impl Client {
    /// Reaches one of the bootstrap addresses and learns who the brokers are.
    ///
    /// # Errors
    /// A setting that cannot be used; or no broker within `default.api.timeout.ms`.
    pub async fn connect(config: ClientConfig) -> Result<Self, ClientError> {
        let client = Self::unconnected(config)?;
        client.refresh_brokers().await?;
        Ok(client)
    }

    /// A client that connects when it is used. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// A setting that cannot be used.
    pub fn unconnected(config: ClientConfig) -> Result<Self, ClientError> {
        let bootstrap = parse_bootstrap(&config.bootstrap_servers)?;
        let seed = config.seed.unwrap_or_else(|| RandomState::new().hash_one(0));
        let mut jitter = Jitter::new(seed);
        let config = Arc::new(config);
        let pool = Pool::new(Arc::clone(&config), Jitter::new(jitter.next_u64()));
        let inner = Inner {
            config,
            bootstrap,
            pool,
            metadata: ArcSwap::default(),
            changed: tokio::sync::watch::Sender::new(0),
            refreshing: tokio::sync::Mutex::default(),
            refreshes: AtomicU64::new(0),
            topics_in_use: Mutex::default(),
            coordinators: Coordinators::default(),
            jitter: Mutex::new(jitter),
            started: Instant::now(),
            next_lane: AtomicU32::new(0),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// What the client was told.
    pub fn config(&self) -> &ClientConfig {
        &self.inner.config
    }

    /// The cluster as it is known now. Topics are in it once somebody asked for them.
    pub fn metadata(&self) -> Arc<ClusterMetadata> {
        self.inner.metadata.load_full()
    }

    /// Sends a request to a broker by its id and waits for the answer, in the highest version that both sides know.
    /// Error codes inside the answer are the caller's affair.
    ///
    /// # Errors
    /// The broker is not known or not reached, does not serve the API, or does not answer in time.
    pub async fn send<R: Request>(&self, broker: i32, request: &R) -> Result<R::Response, ClientError> {
        self.send_with(broker, request, SendOptions::default()).await
    }

    /// As [`Self::send`], with options.
    ///
    /// # Errors
    /// As there.
    pub async fn send_with<R: Request>(
        &self,
        broker: i32,
        request: &R,
        options: SendOptions,
    ) -> Result<R::Response, ClientError> {
        let connection = self.connection(broker, options.lane).await?;
        self.exchange(&connection, request, options).await
    }

    /// What a broker serves.
    ///
    /// # Errors
    /// The broker is not known or not reached.
    pub async fn api_versions(&self, broker: i32) -> Result<Arc<ApiVersions>, ClientError> {
        Ok(Arc::clone(self.connection(broker, Lane::Main).await?.versions()))
    }

    /// The version in which requests of this API go to a broker.
    ///
    /// # Errors
    /// The broker is not reached, or has no version in common with this client.
    pub async fn version(&self, broker: i32, api: ApiKey) -> Result<i16, ClientError> {
        self.connection(broker, Lane::Main).await?.version(api, i16::MAX)
    }

    pub(crate) async fn connection(&self, broker: i32, lane: Lane) -> Result<Arc<Connection>, ClientError> {
        let endpoint = self.endpoint(broker).await?;
        self.inner.pool.connection(&endpoint, lane).await
    }

    async fn endpoint(&self, broker: i32) -> Result<Arc<Endpoint>, ClientError> {
        if let Some(endpoint) = self.inner.metadata.load().broker(broker) {
            return Ok(Arc::clone(endpoint));
        }
        self.refresh_brokers().await?;
        let metadata = self.metadata();
        metadata.broker(broker).cloned().ok_or_else(|| ClientError::NoBroker {
            bootstrap: format!(
                "id {broker} (known: {:?})",
                metadata.brokers().map(|b| b.id).collect::<Vec<_>>()
            ),
            last: None,
        })
    }

    pub(crate) async fn exchange<R: Request>(
        &self,
        connection: &Connection,
        request: &R,
        options: SendOptions,
    ) -> Result<R::Response, ClientError> {
        let version = connection.version(R::API_KEY, options.version_max.unwrap_or(i16::MAX))?;
        let timeout_ms = options.timeout_ms.unwrap_or(self.inner.config.request_timeout_ms);
        connection.start(version, request)?.response(timeout_ms).await
    }

    /// A lane that nobody else uses: for whoever has requests that wait long, such as a consumer's fetches. Members of
    /// one group must not share one, for each would wait for the answer to the other.
    pub fn own_lane(&self) -> Lane {
        Lane::Own(self.inner.next_lane.fetch_add(1, Ordering::Relaxed))
    }

    /// Closes a lane's connections.
    pub fn release_lane(&self, lane: Lane) {
        self.inner.pool.retain(|_, known| known != lane);
    }

    /// Milliseconds since this client was made, by a clock that never goes back.
    pub(crate) fn now_ms(&self) -> i64 {
        i64::try_from(self.inner.started.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    pub(crate) fn jitter(&self) -> parking_lot::MutexGuard<'_, Jitter> {
        self.inner.jitter.lock()
    }

    /// Waits as long as is due after so many failures in a row.
    pub async fn back_off(&self, failures: u32) {
        let wait_ms = self.inner.config.retry_backoff().wait_ms(failures, &mut self.jitter());
        tokio::time::sleep(Duration::from_millis(wait_ms.unsigned_abs())).await;
    }

    /// Makes attempts until one succeeds, fails for good, or `default.api.timeout.ms` is over. Failures that may come
    /// from old metadata have it refreshed first.
    ///
    /// # Errors
    /// The first failure that is not retriable; or the time is over.
    pub async fn with_retries<T, F>(&self, what: &str, attempt: impl FnMut() -> F) -> Result<T, ClientError>
    where
        F: Future<Output = Result<T, ClientError>>,
    {
        let limit_ms = self.inner.config.default_api_timeout_ms;
        self.with_retries_for(what, limit_ms, "default.api.timeout.ms", attempt).await
    }

    /// As [`Self::with_retries`], within a limit in ms that stems from `setting`.
    ///
    /// # Errors
    /// As there.
    pub async fn with_retries_for<T, F>(
        &self,
        what: &str,
        limit_ms: i64,
        setting: &'static str,
        mut attempt: impl FnMut() -> F,
    ) -> Result<T, ClientError>
    where
        F: Future<Output = Result<T, ClientError>>,
    {
        let mut last = None;
        let attempts = async {
            let mut failures = 0u32;
            loop {
                match attempt().await {
                    Err(error) if error.is_retriable() => {
                        tracing::debug!(what, %error, failures, "it is tried again");
                        failures = failures.saturating_add(1);
                        self.back_off(failures).await;
                        if error.is_stale_metadata() {
                            // The next attempt shows whether this helped.
                            let _ = self.refresh_known().await;
                        }
                        last = Some(Box::new(error));
                    }
                    other => return other,
                }
            }
        };
        let limit = Duration::from_millis(limit_ms.max(0).unsigned_abs());
        match tokio::time::timeout(limit, attempts).await {
            Ok(result) => result,
            Err(_) => Err(ClientError::TimedOut { what: what.to_owned(), limit_ms, setting, last }),
        }
    }
}
