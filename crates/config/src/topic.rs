//! A topic's configuration.

mod keys;

use std::borrow::Cow;

pub use keys::TopicConfig;

use crate::broker::BrokerConfig;
use crate::key::ConfigKey;
use crate::properties::Properties;

const RETENTION_MS: &str = "retention.ms";

/// Every topic key, sorted by name.
pub fn keys() -> &'static [ConfigKey] {
    TopicConfig::KEYS
}

/// The key of this name.
pub fn key(name: &str) -> Option<&'static ConfigKey> {
    keys().iter().find(|key| key.name == name)
}

impl TopicConfig {
    /// A topic's values: its own, else the broker's under their synonyms, else the defaults. One of its own
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

    /// Size at which a segment is closed, in bytes: `segment.bytes`, or what a test sets instead.
    pub fn effective_segment_bytes(&self) -> i32 {
        self.internal_segment_bytes.unwrap_or(self.segment_bytes)
    }

    /// Whether old versions of a key are removed.
    pub fn compacts(&self) -> bool {
        self.cleanup_policy.iter().any(|policy| policy == "compact")
    }

    /// Whether old records are removed.
    pub fn deletes(&self) -> bool {
        self.cleanup_policy.iter().any(|policy| policy == "delete")
    }
}

/// What the broker says for a key by its synonyms, in the key's unit.
pub(crate) fn inherited<'a>(broker: &'a BrokerConfig, key: &ConfigKey) -> Option<Cow<'a, str>> {
    let (synonym, text) =
        key.synonyms.iter().find_map(|synonym| Some((synonym, broker.layers.get(synonym.name)?)))?;
    let text = match synonym.unit {
        crate::Unit::Same => Cow::Borrowed(text),
        unit => Cow::Owned(unit.convert(text)),
    };
    // To a broker every negative age means for ever, whatever it is counted in.
    let is_endless = key.name == RETENTION_MS && text.trim().parse::<i64>().is_ok_and(|age| age < 0);
    Some(if is_endless { Cow::Borrowed("-1") } else { text })
}
