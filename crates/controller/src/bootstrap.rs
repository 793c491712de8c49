//! The first records of a cluster, and what a new leader of the quorum writes first.

use metadata::{ConfigResourceType, KRAFT_VERSION_FEATURE, METADATA_VERSION_FEATURE, MetadataImage};
use protocol::metadata_records::{
    AbortTransactionRecord, BeginTransactionRecord, ConfigRecord, EndTransactionRecord, FeatureLevelRecord,
    MetadataRecord,
};

use crate::configs::MIN_INSYNC_REPLICAS;
use crate::features::{ELIGIBLE_LEADER_REPLICAS_FEATURE, SupportedFeature};
use crate::settings::Controller;

/// The FeatureLevel records of a new cluster in Kafka's order: `metadata.version`, then by name; level 0 is not
/// written, and `kraft.version` belongs to the raft log.
pub fn bootstrap_features(supported: &[SupportedFeature]) -> Vec<MetadataRecord> {
    let mut features: Vec<&SupportedFeature> = supported
        .iter()
        .filter(|feature| feature.bootstrap > 0 && feature.name != KRAFT_VERSION_FEATURE)
        .collect();
    features.sort_by_key(|feature| (feature.name != METADATA_VERSION_FEATURE, feature.name));
    let record = |feature: &&SupportedFeature| {
        MetadataRecord::FeatureLevel(FeatureLevelRecord {
            name: feature.name.to_owned(),
            feature_level: feature.bootstrap,
            ..Default::default()
        })
    };
    features.iter().map(record).collect()
}

/// The levels among the first records of a cluster.
fn feature_levels(records: &[MetadataRecord]) -> impl Iterator<Item = (&str, i16)> {
    records.iter().filter_map(|record| match record {
        MetadataRecord::FeatureLevel(record) => Some((record.name.as_str(), record.feature_level)),
        _ => None,
    })
}

/// What keeps this build from beginning a cluster with these records, in words.
pub fn bootstrap_obstacle(supported: &[SupportedFeature], records: &[MetadataRecord]) -> Option<String> {
    if !feature_levels(records).any(|(name, _)| name == METADATA_VERSION_FEATURE) {
        return Some("they do not say metadata.version".to_owned());
    }
    feature_levels(records).find_map(|(name, level)| {
        let feature = supported.iter().find(|feature| feature.name == name);
        match feature.map(SupportedFeature::range) {
            Some(range) if range.contains(level) => None,
            _ if level == 0 => None,
            Some(range) => Some(format!(
                "feature {name} at level {level}, and this build supports {} to {}",
                range.min, range.max
            )),
            None => Some(format!("feature {name}, which this build does not know")),
        }
    })
}

impl Controller {
    /// What this node writes when it becomes the quorum's leader: the bootstrap records, in a metadata transaction,
    /// if the log is empty; the end of a transaction that the last leader left open, if there is one.
    ///
    /// `open_transaction` is [`metadata::MetadataLoader::open_transaction`].
    pub fn activation_records(
        &self,
        image: &MetadataImage,
        open_transaction: Option<i64>,
    ) -> Vec<MetadataRecord> {
        let mut records = Vec::new();
        if open_transaction.is_some() {
            records.push(MetadataRecord::AbortTransaction(AbortTransactionRecord {
                reason: Some("Controller failover".to_owned()),
                ..Default::default()
            }));
        }
        if image.features.metadata_version().is_some() {
            return records;
        }
        records.push(MetadataRecord::BeginTransaction(BeginTransactionRecord {
            name: Some("Bootstrap records".to_owned()),
            ..Default::default()
        }));
        let first = match &self.bootstrap {
            Some(records) => records.clone(),
            None => bootstrap_features(self.settings.supported_features),
        };
        let has_elr =
            feature_levels(&first).any(|(name, level)| name == ELIGIBLE_LEADER_REPLICAS_FEATURE && level > 0);
        records.extend(first);
        if has_elr {
            records.push(MetadataRecord::Config(ConfigRecord {
                resource_type: ConfigResourceType::Broker.code(),
                resource_name: String::new(),
                name: MIN_INSYNC_REPLICAS.to_owned(),
                value: Some(self.settings.config.log.min_insync_replicas.to_string()),
                ..Default::default()
            }));
        }
        records.push(MetadataRecord::EndTransaction(EndTransactionRecord::default()));
        records
    }
}
