//! The levels of the `metadata.version` feature and what each of them allows.

use std::fmt;

use crate::error::MetadataError;

/// The feature's name.
pub const METADATA_VERSION_FEATURE: &str = "metadata.version";

/// A level of `metadata.version` that Apache Kafka 4.4 knows in production, 3.3-IV3 to 4.4-IV2.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MetadataVersion(i16);

/// One level: its number, the release and step that brought it, and whether it changed what records can say.
struct Level(i16, &'static str, bool);

const LEVELS: &[Level] = &[
    Level(7, "3.3-IV3", false),
    Level(8, "3.4-IV0", true),
    Level(9, "3.5-IV0", false),
    Level(10, "3.5-IV1", false),
    Level(11, "3.5-IV2", true),
    Level(12, "3.6-IV0", false),
    Level(13, "3.6-IV1", true),
    Level(14, "3.6-IV2", true),
    Level(15, "3.7-IV0", true),
    Level(16, "3.7-IV1", false),
    Level(17, "3.7-IV2", true),
    Level(18, "3.7-IV3", false),
    Level(19, "3.7-IV4", false),
    Level(20, "3.8-IV0", false),
    Level(21, "3.9-IV0", false),
    Level(22, "4.0-IV0", false),
    Level(23, "4.0-IV1", true),
    Level(24, "4.0-IV2", false),
    Level(25, "4.0-IV3", false),
    Level(26, "4.1-IV0", false),
    Level(27, "4.1-IV1", false),
    Level(28, "4.2-IV0", false),
    Level(29, "4.2-IV1", false),
    Level(30, "4.3-IV0", true),
    Level(31, "4.4-IV0", false),
    Level(32, "4.4-IV1", true),
    Level(33, "4.4-IV2", true),
];

impl MetadataVersion {
    /// The lowest level a cluster of this generation can have.
    pub const MINIMUM: Self = Self(7);
    /// The level of Apache Kafka 4.4.
    pub const LATEST: Self = Self(33);

    /// The version with this feature level.
    pub fn from_feature_level(level: i16) -> Result<Self, MetadataError> {
        match LEVELS.iter().find(|known| known.0 == level) {
            Some(known) => Ok(Self(known.0)),
            None => Err(MetadataError::UnsupportedMetadataVersion(level, Self::MINIMUM.0, Self::LATEST.0)),
        }
    }

    /// The number that FeatureLevelRecords and ApiVersions carry.
    pub const fn feature_level(self) -> i16 {
        self.0
    }

    /// Whether going between the two levels, in either direction, changes what records can say; Kafka refuses
    /// a downgrade that does.
    pub fn metadata_changed_between(self, other: Self) -> bool {
        let (low, high) = if self < other { (self, other) } else { (other, self) };
        LEVELS.iter().any(|level| level.0 > low.0 && level.0 <= high.0 && level.2)
    }

    /// 3.5-IV2: SCRAM credentials are records.
    pub fn supports_scram(self) -> bool {
        self.0 >= 11
    }

    /// Below 3.6-IV0 a leader epoch is taken whenever the ISR shrinks.
    pub fn bumps_leader_epoch_on_isr_shrink(self) -> bool {
        self.0 < 12
    }

    /// 3.6-IV1: metadata transactions.
    pub fn supports_metadata_transactions(self) -> bool {
        self.0 >= 13
    }

    /// 3.6-IV2: delegation tokens are records.
    pub fn supports_delegation_tokens(self) -> bool {
        self.0 >= 14
    }

    /// 3.7-IV0: controllers register themselves.
    pub fn supports_controller_registration(self) -> bool {
        self.0 >= 15
    }

    /// 3.7-IV2: replicas are assigned to log directories (KIP-858).
    pub fn supports_directory_assignment(self) -> bool {
        self.0 >= 17
    }

    /// 4.0-IV1: partitions have eligible leader replicas (KIP-966).
    pub fn supports_eligible_leader_replicas(self) -> bool {
        self.0 >= 23
    }

    /// 4.3-IV0: log directories can be cordoned (KIP-1066).
    pub fn supports_cordoned_log_dirs(self) -> bool {
        self.0 >= 30
    }

    /// 4.4-IV2: controllers can be unregistered (KIP-1312).
    pub fn supports_controller_unregistration(self) -> bool {
        self.0 >= 33
    }
}

/// As Kafka's tools print it: `4.4-IV2`.
impl fmt::Display for MetadataVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = LEVELS.iter().find(|level| level.0 == self.0).map_or("unknown", |level| level.1);
        f.write_str(name)
    }
}

impl fmt::Debug for MetadataVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self} ({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_levels_of_kafka_4_4_and_no_others() {
        let version = |level| MetadataVersion::from_feature_level(level);
        assert_eq!(version(33).unwrap().to_string(), "4.4-IV2");
        assert_eq!(version(7).unwrap(), MetadataVersion::MINIMUM);
        assert!(version(6).is_err());
        assert!(version(34).is_err());
    }

    #[test]
    fn a_step_changes_metadata_if_any_level_on_the_way_does() {
        let version = |level| MetadataVersion::from_feature_level(level).unwrap();
        assert!(version(33).metadata_changed_between(version(32)));
        assert!(!version(29).metadata_changed_between(version(24)));
        assert!(!version(24).metadata_changed_between(version(29)));
        assert!(version(24).metadata_changed_between(version(22)));
        assert!(!version(30).metadata_changed_between(version(30)));
    }
}
