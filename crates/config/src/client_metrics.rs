//! The configuration of a subscription to metrics of clients.

mod keys;

pub use keys::ClientMetricsConfig;

use crate::key::ConfigKey;

/// Every key, sorted by name.
pub fn keys() -> &'static [ConfigKey] {
    ClientMetricsConfig::KEYS
}

/// The key of this name.
pub fn key(name: &str) -> Option<&'static ConfigKey> {
    keys().iter().find(|key| key.name == name)
}
