//! The configuration of a subscription to metrics of clients.

mod keys;

use std::borrow::Cow;

pub use keys::ClientMetricsConfig;

use crate::key::ConfigKey;
use crate::properties::Properties;

/// Every key, sorted by name.
pub fn keys() -> &'static [ConfigKey] {
    ClientMetricsConfig::KEYS
}

/// The key of this name.
pub fn key(name: &str) -> Option<&'static ConfigKey> {
    keys().iter().find(|key| key.name == name)
}

impl ClientMetricsConfig {
    /// A subscription's values, or the defaults. One of its own that is invalid counts as not set.
    pub fn resolve(own: &Properties) -> Self {
        let valid = |key: &ConfigKey| {
            own.get(key.name).filter(|text| key.parse(text).is_ok()).map(|text| Cow::Borrowed(text.as_str()))
        };
        Self::read(valid, &mut Vec::new()).expect("own values are checked and defaults are valid")
    }
}
