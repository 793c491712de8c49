//! Settings under Kafka's property names, and as typed builders.

#[macro_use]
mod table;
mod setting;

use std::sync::Arc;

use config::Properties;

pub(crate) use setting::Setting;

use crate::backoff::Backoff;
use crate::error::ClientError;
use crate::transport::{TcpTransport, Transport};

/// What to do when no known broker can be reached (KIP-899).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecoveryStrategy {
    /// Fail and try the known brokers again.
    None,
    /// Begin again at the bootstrap addresses.
    Rebootstrap,
}

settings! {
    /// What every kind of client is told: whom to reach, and how patiently.
    pub struct ClientConfig {
        /// `host:port` pairs of some brokers, parted by commas.
        bootstrap_servers: String = "bootstrap.servers", String::new();
        /// A name that brokers log and count by.
        client_id: String = "client.id", String::new();
        /// The rack of this client: consumers fetch from a replica of the same rack where the broker says so (KIP-392).
        client_rack: String = "client.rack", String::new();
        /// How long one request may stay unanswered, ms.
        request_timeout_ms: i64 = "request.timeout.ms", 30_000, min 0;
        /// How long a call without a limit of its own may take, retries included, ms.
        default_api_timeout_ms: i64 = "default.api.timeout.ms", 60_000, min 0;
        /// First wait before a retry, ms.
        retry_backoff_ms: i64 = "retry.backoff.ms", 100, min 0;
        /// Longest wait before a retry, ms.
        retry_backoff_max_ms: i64 = "retry.backoff.max.ms", 1_000, min 0;
        /// First wait before connecting again to a broker, ms.
        reconnect_backoff_ms: i64 = "reconnect.backoff.ms", 50, min 0;
        /// Longest wait before connecting again to a broker, ms.
        reconnect_backoff_max_ms: i64 = "reconnect.backoff.max.ms", 1_000, min 0;
        /// How long the first attempt to connect may take, ms.
        connection_setup_timeout_ms: i64 = "socket.connection.setup.timeout.ms", 10_000, min 1;
        /// How long attempts to connect may take after failures, ms.
        connection_setup_timeout_max_ms: i64 = "socket.connection.setup.timeout.max.ms", 30_000, min 1;
        /// Metadata older than this is asked for again, ms.
        metadata_max_age_ms: i64 = "metadata.max.age.ms", 300_000, min 0;
        /// A topic that nobody asked for in this time is forgotten, ms.
        metadata_max_idle_ms: i64 = "metadata.max.idle.ms", 300_000, min 5_000;
        /// What to do when no known broker can be reached.
        metadata_recovery_strategy: RecoveryStrategy = "metadata.recovery.strategy", RecoveryStrategy::Rebootstrap;
        /// How long without metadata until the client begins again at the bootstrap addresses, ms (KIP-1102).
        rebootstrap_trigger_ms: i64 = "metadata.recovery.rebootstrap.trigger.ms", 300_000, min 0;
    }
    beside {
        transport: Arc<dyn Transport> = Arc::new(TcpTransport);
        seed: Option<u64> = None;
        response_bytes_max: usize = 1 << 30;
    }
}

/// Keys of Java's clients that have no meaning here, or follow with security: no warning for them.
const INERT: &[&str] = &[
    "key.serializer",
    "value.serializer",
    "key.deserializer",
    "value.deserializer",
    "send.buffer.bytes",
    "receive.buffer.bytes",
    "client.dns.lookup",
    "metric.reporters",
    "metrics.num.samples",
    "metrics.recording.level",
    "metrics.sample.window.ms",
    "interceptor.classes",
    "auto.include.jmx.reporter",
    "enable.metrics.push",
    "connections.max.idle.ms",
    "metadata.cluster.check.enable",
];

impl ClientConfig {
    /// Defaults for these `host:port` pairs.
    pub fn new(bootstrap_servers: impl Into<String>) -> Self {
        Self { bootstrap_servers: bootstrap_servers.into(), ..Self::default() }
    }

    /// Reads Kafka's property names; what is not known is warned of.
    ///
    /// # Errors
    /// A value that is not valid.
    pub fn from_properties(properties: &Properties) -> Result<Self, ClientError> {
        let mut config = Self::default();
        let unknown = config.apply(properties)?;
        warn_unknown(unknown, &[Self::KEYS]);
        Ok(config)
    }

    /// Streams come from here: the place for TLS, SASL and simulated networks.
    #[must_use]
    pub fn transport(mut self, transport: Arc<dyn Transport>) -> Self {
        self.transport = transport;
        self
    }

    /// Makes jitter and random choices repeatable.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// No response may be larger, in bytes.
    #[must_use]
    pub fn response_bytes_max(mut self, bytes: usize) -> Self {
        self.response_bytes_max = bytes;
        self
    }

    /// The waits between attempts of a request.
    pub fn retry_backoff(&self) -> Backoff {
        Backoff { initial_ms: self.retry_backoff_ms, max_ms: self.retry_backoff_max_ms }
    }

    pub(crate) fn reconnect_backoff(&self) -> Backoff {
        Backoff { initial_ms: self.reconnect_backoff_ms, max_ms: self.reconnect_backoff_max_ms }
    }

    pub(crate) fn setup_backoff(&self) -> Backoff {
        let max_ms = self.connection_setup_timeout_max_ms;
        Backoff { initial_ms: self.connection_setup_timeout_ms, max_ms }
    }
}

/// Reads a `.properties` file, as Java's clients do.
///
/// # Errors
/// The file cannot be read, or is malformed.
pub fn read_properties(path: &std::path::Path) -> Result<Properties, ClientError> {
    let shown = path.display().to_string();
    let bytes =
        std::fs::read(path).map_err(|error| ClientError::config("file", &shown, error.to_string()))?;
    config::properties::parse(&bytes).map_err(|error| ClientError::config("file", &shown, error.to_string()))
}

/// Warns of each key that none of these tables knows, with the nearest one that they do.
pub(crate) fn warn_unknown(unknown: Vec<String>, tables: &[&[&str]]) {
    for key in unknown.iter().filter(|key| !INERT.contains(&key.as_str())) {
        let nearest = tables
            .iter()
            .flat_map(|table| table.iter())
            .map(|known| (config::distance(key, known), *known))
            .filter(|(distance, _)| distance * 3 < key.len())
            .min();
        match nearest {
            Some((_, nearest)) => tracing::warn!(key = %key, nearest, "unknown setting"),
            None => tracing::warn!(key = %key, "unknown setting"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn javas_names_are_read() {
        let text = b"bootstrap.servers=a:1,b:2\nclient.id=me\nrequest.timeout.ms=5\nacks=all\nmetadata.recovery.strategy=none\n";
        let properties = config::properties::parse(text).unwrap();
        let mut config = ClientConfig::default();
        assert_eq!(config.apply(&properties).unwrap(), ["acks"]);
        assert_eq!((config.client_id.as_str(), config.request_timeout_ms), ("me", 5));
        assert_eq!(config.metadata_recovery_strategy, RecoveryStrategy::None);
    }

    #[test]
    fn a_wrong_value_names_its_setting() {
        for (key, value) in [
            ("request.timeout.ms", "soon"),
            ("request.timeout.ms", "-1"),
            ("metadata.recovery.strategy", "pray"),
        ] {
            let properties = Properties::from([(key.to_owned(), value.to_owned())]);
            let error = ClientConfig::from_properties(&properties).unwrap_err();
            assert_eq!(error.setting(), Some(key));
            assert!(error.to_string().starts_with(&format!("{key}={value}: ")), "{error}");
        }
    }
}
