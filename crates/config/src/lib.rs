//! The configuration tables and everything they yield: parsing, validation, descriptions.
//!
//! Each key is one row of a table ([`broker`], [`topic`], [`group`], [`client_metrics`]); a row yields a
//! [`ConfigKey`] and a typed field. Nothing here reads a file, an environment or a clock: callers hand in text.

mod advice;
mod endpoint;
mod error;
mod key;
mod table;
mod valid;
mod value;
mod variables;

pub mod alter;
pub mod broker;
pub mod client_metrics;
pub mod describe;
pub mod group;
pub mod launch;
pub mod properties;
pub mod reference;
pub mod topic;

pub use advice::{Warning, distance, nearest, warnings};
pub use broker::BrokerConfig;
pub use client_metrics::ClientMetricsConfig;
pub use endpoint::{Endpoints, Listener, SecurityProtocol};
pub use error::{ConfigError, ConfigErrors};
pub use group::GroupConfig;
pub use key::{ConfigKey, Effect, Importance, Synonym, Unit, UpdateMode};
pub use launch::LaunchSources;
pub use properties::Properties;
pub use topic::TopicConfig;
pub use valid::Valid;
pub use value::{
    AutoOffsetReset, Class, CompressionType, Durability, IsolationLevel, Kind, Password, Setting,
    TimestampType, Value,
};
pub use variables::VariableSource;

#[cfg(test)]
mod tests;
