//! Connections by broker and lane: made on demand, made again after a wait that grows with failures.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::backoff::Jitter;
use crate::client::Lane;
use crate::connection::Connection;
use crate::endpoint::Endpoint;
use crate::error::ClientError;
use crate::settings::ClientConfig;

/// All connections of a client.
#[derive(Debug)]
pub(crate) struct Pool {
    config: Arc<ClientConfig>,
    client_id: Arc<str>,
    slots: Mutex<HashMap<(i32, Lane), Arc<Slot>>>,
    jitter: Mutex<Jitter>,
}

/// The place of one connection.
#[derive(Debug, Default)]
struct Slot {
    current: ArcSwapOption<Connection>,
    attempts: tokio::sync::Mutex<Attempts>,
}

#[derive(Debug, Default)]
struct Attempts {
    failures: u32,
    not_before: Option<Instant>,
}

impl Pool {
    pub(crate) fn new(config: Arc<ClientConfig>, jitter: Jitter) -> Self {
        let client_id = Arc::from(config.client_id.as_str());
        Self { config, client_id, slots: Mutex::default(), jitter: Mutex::new(jitter) }
    }

    /// The connection that is open already.
    pub(crate) fn open(&self, endpoint: &Endpoint, lane: Lane) -> Option<Arc<Connection>> {
        let slot = self.slots.lock().get(&(endpoint.id, lane)).cloned()?;
        slot.usable(endpoint)
    }

    /// A connection to this address, made if there is none. Many who ask at once share one attempt.
    pub(crate) async fn connection(
        &self,
        endpoint: &Arc<Endpoint>,
        lane: Lane,
    ) -> Result<Arc<Connection>, ClientError> {
        let slot = Arc::clone(self.slots.lock().entry((endpoint.id, lane)).or_default());
        if let Some(connection) = slot.usable(endpoint) {
            return Ok(connection);
        }
        let mut attempts = slot.attempts.lock().await;
        if let Some(connection) = slot.usable(endpoint) {
            return Ok(connection);
        }
        if let Some(not_before) = attempts.not_before {
            tokio::time::sleep_until(not_before).await;
        }
        match self.connect(endpoint, attempts.failures).await {
            Ok(connection) => {
                let connection = Arc::new(connection);
                slot.current.store(Some(Arc::clone(&connection)));
                // A broker that accepts and closes again is not to be hammered either.
                attempts.failures = 0;
                attempts.not_before = Some(self.next_attempt(1));
                Ok(connection)
            }
            Err(error) => {
                attempts.failures = attempts.failures.saturating_add(1);
                attempts.not_before = Some(self.next_attempt(attempts.failures));
                Err(error)
            }
        }
    }

    fn next_attempt(&self, failures: u32) -> Instant {
        let wait_ms = self.config.reconnect_backoff().wait_ms(failures, &mut self.jitter.lock());
        Instant::now() + Duration::from_millis(wait_ms.unsigned_abs())
    }

    async fn connect(&self, endpoint: &Arc<Endpoint>, failures: u32) -> Result<Connection, ClientError> {
        let limit_ms = self.config.setup_backoff().wait_ms(failures + 1, &mut self.jitter.lock());
        let limit = Duration::from_millis(limit_ms.unsigned_abs());
        let connecting = self.config.transport.connect(&endpoint.host, endpoint.port);
        let stream = match tokio::time::timeout(limit, connecting).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                return Err(ClientError::Connect { broker: Arc::clone(endpoint), source: Arc::new(error) });
            }
            Err(_) => {
                return Err(ClientError::TimedOut {
                    what: format!("connecting to {endpoint}"),
                    limit_ms,
                    setting: "socket.connection.setup.timeout.ms",
                    last: None,
                });
            }
        };
        let (endpoint, client_id) = (Arc::clone(endpoint), Arc::clone(&self.client_id));
        let bytes_max = self.config.response_bytes_max;
        Connection::negotiate(stream, endpoint, client_id, bytes_max, self.config.request_timeout_ms).await
    }

    /// Forgets connections that are not wanted any more.
    pub(crate) fn retain(&self, wanted: impl Fn(i32, Lane) -> bool) {
        self.slots.lock().retain(|(id, lane), _| wanted(*id, *lane));
    }
}

impl Slot {
    fn usable(&self, endpoint: &Endpoint) -> Option<Arc<Connection>> {
        let connection = self.current.load_full()?;
        let known = connection.endpoint();
        let same = known.host == endpoint.host && known.port == endpoint.port;
        (same && !connection.is_closed()).then_some(connection)
    }
}
