//! A group's configuration.

mod keys;

use std::borrow::Cow;

pub use keys::GroupConfig;

use crate::broker::BrokerConfig;
use crate::key::ConfigKey;
use crate::properties::Properties;

/// Every group key, sorted by name.
pub fn keys() -> &'static [ConfigKey] {
    GroupConfig::KEYS
}

/// The key of this name.
pub fn key(name: &str) -> Option<&'static ConfigKey> {
    keys().iter().find(|key| key.name == name)
}

impl GroupConfig {
    /// A group's values: its own, else the broker's under their synonyms, else the defaults. One of its own
    /// that is invalid counts as not set.
    pub fn resolve(broker: &BrokerConfig, overrides: &Properties) -> Self {
        let own = |key: &ConfigKey| {
            overrides
                .get(key.name)
                .filter(|text| key.parse(text).is_ok())
                .map(|text| Cow::Borrowed(text.as_str()))
        };
        Self::read(|key| own(key).or_else(|| inherited(broker, key)), &mut Vec::new())
            .or_else(|| Self::read(own, &mut Vec::new()))
            .expect("own values are checked and defaults are valid")
    }
}

/// What the broker says for a key. A group's assignor is the first of the broker's, even of those that nobody
/// set; all else follows the synonyms.
pub(crate) fn inherited<'a>(broker: &'a BrokerConfig, key: &ConfigKey) -> Option<Cow<'a, str>> {
    if key.name == "streams.assignor.name" {
        return broker.streams.group_streams_assignors.first().map(|name| Cow::Borrowed(name.as_str()));
    }
    crate::topic::inherited(broker, key)
}
