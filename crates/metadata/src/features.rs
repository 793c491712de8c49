//! Finalised feature levels, `metadata.version` among them.

use std::collections::{BTreeMap, BTreeSet};

use protocol::metadata_records::{FeatureLevelRecord, MetadataRecord};

use crate::error::MetadataError;
use crate::metadata_version::{METADATA_VERSION_FEATURE, MetadataVersion};

/// The feature whose level lives in the raft log's control records, never here.
pub const KRAFT_VERSION_FEATURE: &str = "kraft.version";

/// The levels the cluster has agreed on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeaturesImage {
    metadata_version: Option<MetadataVersion>,
    finalized: BTreeMap<String, i16>,
}

impl FeaturesImage {
    /// The level of `metadata.version`; `None` until the bootstrap records are replayed.
    pub fn metadata_version(&self) -> Option<MetadataVersion> {
        self.metadata_version
    }

    /// The level of a feature other than `metadata.version`; 0 if it is not finalised.
    pub fn level(&self, feature: &str) -> i16 {
        self.finalized.get(feature).copied().unwrap_or(0)
    }

    /// Every finalised feature but `metadata.version`, by name; levels are at least 1.
    pub fn finalized(&self) -> &BTreeMap<String, i16> {
        &self.finalized
    }

    /// Every finalised feature, `metadata.version` included, as ApiVersions lists them.
    pub fn all(&self) -> BTreeMap<String, i16> {
        let mut all = self.finalized.clone();
        if let Some(version) = self.metadata_version {
            all.insert(METADATA_VERSION_FEATURE.to_owned(), version.feature_level());
        }
        all
    }

    pub(crate) fn write(&self, records: &mut Vec<MetadataRecord>) {
        // `metadata.version` comes first: readers of a snapshot need it to understand the rest.
        let version = self.metadata_version.map(|v| (METADATA_VERSION_FEATURE, v.feature_level()));
        let others = self.finalized.iter().map(|(name, level)| (name.as_str(), *level));
        for (name, feature_level) in version.into_iter().chain(others) {
            records.push(MetadataRecord::FeatureLevel(FeatureLevelRecord {
                name: name.to_owned(),
                feature_level,
                ..Default::default()
            }));
        }
    }
}

/// Changes of feature levels.
#[derive(Clone, Debug, Default)]
pub struct FeaturesDelta {
    image: FeaturesImage,
    changed: BTreeSet<String>,
}

impl FeaturesDelta {
    pub(crate) fn new(base: &FeaturesImage) -> Self {
        Self { image: base.clone(), changed: BTreeSet::new() }
    }

    pub(crate) fn between(old: &FeaturesImage, new: &FeaturesImage) -> Option<Self> {
        let (before, after) = (old.all(), new.all());
        let names = before.keys().chain(after.keys());
        let changed: BTreeSet<_> =
            names.filter(|name| before.get(*name) != after.get(*name)).cloned().collect();
        (!changed.is_empty()).then(|| Self { image: new.clone(), changed })
    }

    /// The features whose level was written.
    pub fn changed(&self) -> &BTreeSet<String> {
        &self.changed
    }

    /// The levels after the changes.
    pub fn image(&self) -> &FeaturesImage {
        &self.image
    }

    pub(crate) fn replay(&mut self, record: &FeatureLevelRecord) -> Result<(), MetadataError> {
        if record.name == METADATA_VERSION_FEATURE {
            self.image.metadata_version = Some(MetadataVersion::from_feature_level(record.feature_level)?);
        } else if record.name == KRAFT_VERSION_FEATURE {
            return Ok(());
        } else if record.feature_level == 0 {
            self.image.finalized.remove(&record.name);
        } else if record.feature_level < 0 {
            return Err(MetadataError::InvalidField {
                record: "FeatureLevelRecord",
                field: "FeatureLevel",
                value: record.feature_level.into(),
            });
        } else {
            self.image.finalized.insert(record.name.clone(), record.feature_level);
        }
        self.changed.insert(record.name.clone());
        Ok(())
    }
}
