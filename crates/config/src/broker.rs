//! The broker's configuration: its tables put together, and the layers its values come from.

mod check;
mod groups;
mod klamm;
mod log;
mod metrics;
mod network;
mod node;
mod quotas;
mod replication;
mod security;
mod share;
mod streams;
mod tiering;
mod topics;
mod transactions;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::LazyLock;

pub(crate) use check::refused;
pub use groups::GroupsConfig;
pub use klamm::KlammConfig;
pub use log::LogConfig;
pub use metrics::MetricsConfig;
pub use network::NetworkConfig;
pub use node::NodeConfig;
pub use quotas::QuotasConfig;
pub use replication::ReplicationConfig;
pub use security::SecurityConfig;
pub use share::ShareConfig;
pub use streams::StreamsConfig;
pub use tiering::TieringConfig;
pub use topics::TopicsConfig;
pub use transactions::TransactionsConfig;

use crate::endpoint::Endpoints;
use crate::error::{ConfigError, ConfigErrors};
use crate::key::ConfigKey;
use crate::properties::Properties;

const NO_AUTHORIZATION: &str = "no authorizer exists yet, so access would not be limited";
const NO_CLASSES: &str = "Java classes cannot be loaded";
const NO_ENCRYPTION: &str = "encrypted connections do not exist yet";
const NO_SASL: &str = "authentication does not exist yet";
const NO_TIERING: &str = "remote storage does not exist yet";
const NO_TOKENS: &str = "delegation tokens do not exist yet";

/// Where a broker's values come from, weakest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Layers {
    /// The start: file, environment, command line.
    pub fixed: Properties,
    /// Altered for all brokers.
    pub cluster: Properties,
    /// Altered for this broker.
    pub broker: Properties,
}

impl Layers {
    /// What is set for exactly this name, by the strongest layer.
    pub fn get(&self, name: &str) -> Option<&str> {
        [&self.broker, &self.cluster, &self.fixed]
            .into_iter()
            .find_map(|layer| layer.get(name))
            .map(String::as_str)
    }
}

macro_rules! broker_config {
    ($node:ident, $network:ident; $($(#[doc = $doc:literal])+ $field:ident: $table:ident,)+) => {
        /// A broker's configuration, parsed and checked.
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        pub struct BrokerConfig {
            $($(#[doc = $doc])+ pub $field: $table,)+
            /// The listeners, sorted by what they are for.
            pub endpoints: Endpoints,
            /// What was set, and where.
            pub layers: Layers,
        }

        static KEYS: LazyLock<Vec<&'static ConfigKey>> = LazyLock::new(|| {
            let mut keys: Vec<_> = [$($table::KEYS),+].into_iter().flatten().collect();
            keys.sort_by_key(|key| key.name);
            keys
        });

        impl BrokerConfig {
            /// Every table, read; `None` if anything is wrong.
            fn read(layers: Layers, errors: &mut Vec<ConfigError>) -> Option<Self> {
                let text = |key: &ConfigKey| layers.get(key.name).map(Cow::Borrowed);
                $(let $field = $table::read(text, errors);)+
                $(let $field = $field?;)+
                let endpoints = check::endpoints(&$node, &$network, &layers, errors)?;
                Some(Self { $($field,)+ endpoints, layers })
            }
        }
    };
}

broker_config! {
    node, network;
    /// What the node is: its id, its roles, its place in the metadata quorum.
    node: NodeConfig,
    /// Listeners, connections and requests.
    network: NetworkConfig,
    /// The partition logs; most of these are defaults for topics.
    log: LogConfig,
    /// Creating, deleting and describing topics.
    topics: TopicsConfig,
    /// Replication, leadership and fetching.
    replication: ReplicationConfig,
    /// Consumer groups and their offsets.
    groups: GroupsConfig,
    /// Share groups.
    share: ShareConfig,
    /// Streams groups.
    streams: StreamsConfig,
    /// Transactions and producer ids.
    transactions: TransactionsConfig,
    /// How quotas are measured.
    quotas: QuotasConfig,
    /// Metrics of the node and telemetry of its clients.
    metrics: MetricsConfig,
    /// Segments in remote storage.
    tiering: TieringConfig,
    /// Encryption, authentication and authorization.
    security: SecurityConfig,
    /// Our own keys.
    klamm: KlammConfig,
}

/// Every broker key, sorted by name.
pub fn keys() -> &'static [&'static ConfigKey] {
    &KEYS
}

/// The key of this name.
pub fn key(name: &str) -> Option<&'static ConfigKey> {
    KEYS.binary_search_by_key(&name, |key| key.name).ok().and_then(|at| KEYS.get(at).copied())
}

/// The key that a name means, `listener.name.<listener>.[<mechanism>.]` taken off.
pub(crate) fn key_of_any_form(name: &str) -> Option<&'static ConfigKey> {
    key(name).or_else(|| key(check::without_listener_prefix(name)))
}

/// The names under which a key's value can be set, strongest first; the key itself is among them.
pub fn synonyms(name: &str) -> Vec<&str> {
    match name {
        "log.roll.ms" | "log.roll.hours" => vec!["log.roll.ms", "log.roll.hours"],
        "log.roll.jitter.ms" | "log.roll.jitter.hours" => vec!["log.roll.jitter.ms", "log.roll.jitter.hours"],
        "log.retention.ms" | "log.retention.minutes" | "log.retention.hours" => {
            vec!["log.retention.ms", "log.retention.minutes", "log.retention.hours"]
        }
        "log.flush.interval.ms" => vec!["log.flush.interval.ms", "log.flush.scheduler.interval.ms"],
        _ => match check::without_listener_prefix(name) {
            base if base == name => vec![name],
            base => vec![name, base],
        },
    }
}

impl BrokerConfig {
    /// Parses and checks what the start was given.
    ///
    /// # Errors
    /// Everything that is wrong with it: invalid or missing values, values that contradict each other, and
    /// settings that cannot be honoured and must not be ignored.
    pub fn from_properties(properties: &Properties) -> Result<Self, ConfigErrors> {
        let mut fixed = properties.clone();
        for (one, other) in [("node.id", "broker.id"), ("broker.id", "node.id")] {
            if let (Some(id), None) = (properties.get(one), properties.get(other)) {
                fixed.insert(other.to_owned(), id.clone());
            }
        }
        let layers = Layers { fixed, ..Layers::default() };
        let mut errors = Vec::new();
        check::refused(properties, &mut errors);
        let config = Self::read_checked(layers, &mut errors);
        match config {
            Some(config) if errors.is_empty() => Ok(config),
            _ => Err(ConfigErrors(errors)),
        }
    }

    fn read_checked(layers: Layers, errors: &mut Vec<ConfigError>) -> Option<Self> {
        let config = Self::read(layers, errors);
        if let Some(config) = &config {
            check::together(config, errors);
        }
        config
    }

    /// Whether the broker could have these altered values; the error is the first that Kafka would name.
    pub(crate) fn checked_with(&self, cluster: &Properties, broker: &Properties) -> Result<(), ConfigError> {
        let fixed = self.layers.fixed.clone();
        let mut errors = Vec::new();
        Self::read_checked(Layers { fixed, cluster: cluster.clone(), broker: broker.clone() }, &mut errors);
        errors.into_iter().next().map_or(Ok(()), Err)
    }

    /// The same broker with other altered values: those for all brokers and those for this one. A value that
    /// is invalid, or cannot be changed while the broker runs, is left out.
    #[must_use]
    pub fn with_altered(&self, cluster: &Properties, broker: &Properties) -> Self {
        let valid = |altered: &Properties| -> Properties {
            let usable = |name: &str, text: &str| match key(name) {
                Some(key) => key.update_mode != crate::UpdateMode::ReadOnly && key.parse(text).is_ok(),
                None => true,
            };
            altered
                .iter()
                .filter(|(name, text)| usable(name, text))
                .map(|(n, t)| (n.clone(), t.clone()))
                .collect()
        };
        let layers =
            Layers { fixed: self.layers.fixed.clone(), cluster: valid(cluster), broker: valid(broker) };
        Self::read(layers, &mut Vec::new()).unwrap_or_else(|| self.clone())
    }

    /// Whether the node serves clients.
    pub fn is_broker(&self) -> bool {
        self.node.process_roles.iter().any(|role| role == "broker")
    }

    /// Whether the node takes part in the metadata quorum.
    pub fn is_controller(&self) -> bool {
        self.node.process_roles.iter().any(|role| role == "controller")
    }

    /// Whether the node is broker and controller and no other node is known to it: it is its own only voter,
    /// and needs no controller listener.
    pub fn is_alone(&self) -> bool {
        check::is_alone(&self.node)
    }

    /// Whether the node is broker and controller and the metadata quorum's only voter, as far as the configuration
    /// says it: alone, the only one of `controller.quorum.voters`, or the only one of
    /// `controller.quorum.bootstrap.servers`.
    pub fn is_sole_voter(&self) -> bool {
        self.is_alone()
            || (self.is_broker() && self.is_controller() && check::is_sole_voter(&self.node, &self.endpoints))
    }

    /// The directories of partition logs.
    pub fn log_dirs(&self) -> &[String] {
        self.log.log_dirs.as_deref().unwrap_or(&self.log.log_dir)
    }

    /// The directory of the metadata log.
    pub fn metadata_log_dir(&self) -> Option<&str> {
        self.node.metadata_log_dir.as_deref().or_else(|| self.log_dirs().first().map(String::as_str))
    }
}

impl NetworkConfig {
    /// The limits of `max.connections.per.ip.overrides`, by address or host name.
    pub fn connections_per_ip(&self) -> BTreeMap<String, i32> {
        check::connections_per_ip(&self.max_connections_per_ip_overrides).unwrap_or_default()
    }
}

impl LogConfig {
    /// Age at which a segment is rolled, in milliseconds.
    pub fn roll_ms(&self) -> i64 {
        self.log_roll_ms.unwrap_or(i64::from(self.log_roll_hours) * 3_600_000)
    }

    /// Largest part of the rolling age taken off at random, in milliseconds.
    pub fn roll_jitter_ms(&self) -> i64 {
        self.log_roll_jitter_ms.unwrap_or(i64::from(self.log_roll_jitter_hours) * 3_600_000)
    }

    /// Age at which a record may be deleted, in milliseconds; -1 for never.
    pub fn retention_ms(&self) -> i64 {
        let minutes = self.log_retention_minutes.map(|minutes| i64::from(minutes) * 60_000);
        let ms = self.log_retention_ms.or(minutes).unwrap_or(i64::from(self.log_retention_hours) * 3_600_000);
        ms.max(-1)
    }

    /// Age at which unsynced records are synced, in milliseconds.
    pub fn flush_interval_ms(&self) -> i64 {
        self.log_flush_interval_ms.unwrap_or(self.log_flush_scheduler_interval_ms)
    }
}
