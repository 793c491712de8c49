//! The table of APIs: versions, header versions and listeners of each.

use std::fmt;
use std::ops::RangeInclusive;

pub use crate::generated::api_keys::ApiKey;
use crate::generated::api_keys::ROWS;

/// What the schemas say about one API.
#[derive(Debug)]
pub struct ApiRow {
    pub key: ApiKey,
    pub name: &'static str,
    pub first_version: i16,
    pub last_version: i16,
    /// `i16::MAX` where no version is flexible.
    pub first_flexible: i16,
    pub latest_unstable: bool,
    pub on_broker: bool,
    pub on_controller: bool,
}

impl ApiKey {
    /// All APIs, by ascending key.
    pub fn all() -> impl ExactSizeIterator<Item = Self> {
        ROWS.iter().map(|row| row.key)
    }

    /// The API with this key, if Kafka 4.4 has it.
    pub fn from_i16(key: i16) -> Option<Self> {
        let index = ROWS.binary_search_by_key(&key, |row| row.key as i16).ok()?;
        Some(ROWS[index].key)
    }

    /// The key on the wire.
    pub fn as_i16(self) -> i16 {
        self as i16
    }

    fn row(self) -> &'static ApiRow {
        let index = ROWS.binary_search_by_key(&self, |row| row.key).expect("every key has its row");
        &ROWS[index]
    }

    /// Kafka's name, as in `ListOffsets`.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// The versions that have a schema, the unstable one included. What a server advertises is its own affair.
    pub fn versions(self) -> RangeInclusive<i16> {
        let row = self.row();
        row.first_version..=row.last_version
    }

    /// The versions without the latest where that is still unstable (KIP-848's `unstable.api.versions.enable`).
    pub fn stable_versions(self) -> RangeInclusive<i16> {
        let row = self.row();
        row.first_version..=row.last_version - i16::from(row.latest_unstable)
    }

    /// Whether the latest version is still unstable.
    pub fn is_latest_unstable(self) -> bool {
        self.row().latest_unstable
    }

    /// The first flexible version (KIP-482), if there is one.
    pub fn first_flexible_version(self) -> Option<i16> {
        Some(self.row().first_flexible).filter(|version| *version != i16::MAX)
    }

    /// Whether bodies and request headers of this version carry tagged fields.
    pub fn is_flexible(self, version: i16) -> bool {
        version >= self.row().first_flexible
    }

    /// Whether brokers serve it on their listeners.
    pub fn is_on_broker(self) -> bool {
        self.row().on_broker
    }

    /// Whether controllers serve it on their listeners.
    pub fn is_on_controller(self) -> bool {
        self.row().on_controller
    }
}

impl fmt::Display for ApiKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_complete() {
        assert!(ROWS.windows(2).all(|pair| pair[0].key < pair[1].key));
        assert_eq!(ApiKey::all().len(), 91);
        assert_eq!(ApiKey::from_i16(4), None);
        assert_eq!(ApiKey::from_i16(95), None);
        assert_eq!(ApiKey::from_i16(18), Some(ApiKey::ApiVersions));
        assert_eq!(ApiKey::InitProducerId.stable_versions(), 0..=5);
        assert_eq!(ApiKey::SaslHandshake.first_flexible_version(), None);
        assert!(ApiKey::Fetch.is_on_controller() && !ApiKey::Produce.is_on_controller());
    }
}
