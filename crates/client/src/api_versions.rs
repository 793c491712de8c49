//! The versions and features that one broker serves.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use protocol::ApiKey;
use protocol::messages::ApiVersionsResponse;

/// What a broker answered to ApiVersions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApiVersions {
    ranges: BTreeMap<i16, (i16, i16)>,
    /// Finalised feature levels by name (KIP-584).
    finalized_features: BTreeMap<String, i16>,
}

impl From<&ApiVersionsResponse> for ApiVersions {
    fn from(response: &ApiVersionsResponse) -> Self {
        let ranges = response.api_keys.iter();
        let features = response.finalized_features.iter();
        Self {
            ranges: ranges.map(|row| (row.api_key, (row.min_version, row.max_version))).collect(),
            finalized_features: features.map(|row| (row.name.clone(), row.max_version_level)).collect(),
        }
    }
}

impl ApiVersions {
    /// The versions that the broker serves of an API, if it serves it.
    pub fn served(&self, api: ApiKey) -> Option<RangeInclusive<i16>> {
        self.ranges.get(&api.as_i16()).map(|(min, max)| *min..=*max)
    }

    /// All that the broker serves, known here or not: key, lowest and highest version.
    pub fn rows(&self) -> impl Iterator<Item = (i16, i16, i16)> + '_ {
        self.ranges.iter().map(|(key, (min, max))| (*key, *min, *max))
    }

    /// The level of a finalised feature; 0 if it is not finalised.
    pub fn feature(&self, name: &str) -> i16 {
        self.finalized_features.get(name).copied().unwrap_or(0)
    }

    /// The highest version that both sides know and that is at most `version_max`.
    pub fn choose(&self, api: ApiKey, version_max: i16) -> Option<i16> {
        let ours = api.stable_versions();
        let served = self.served(api)?;
        let version = (*ours.end()).min(*served.end()).min(version_max);
        (version >= *ours.start() && version >= *served.start()).then_some(version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_common_version_is_chosen() {
        let row = |min, max| ApiVersions {
            ranges: BTreeMap::from([(ApiKey::Metadata.as_i16(), (min, max))]),
            ..ApiVersions::default()
        };
        let ours = *ApiKey::Metadata.stable_versions().end();
        assert_eq!(row(0, i16::MAX).choose(ApiKey::Metadata, i16::MAX), Some(ours));
        assert_eq!(row(0, 5).choose(ApiKey::Metadata, i16::MAX), Some(5));
        assert_eq!(row(0, 5).choose(ApiKey::Metadata, 3), Some(3));
        assert_eq!(row(4, 5).choose(ApiKey::Metadata, 3), None);
        assert_eq!(row(ours + 1, ours + 2).choose(ApiKey::Metadata, i16::MAX), None);
        assert_eq!(row(0, 5).choose(ApiKey::Fetch, i16::MAX), None);
    }
}
