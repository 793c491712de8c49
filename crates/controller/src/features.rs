//! Feature levels: which this build supports, and how the cluster agrees on others (UpdateFeatures, key 57).

use std::collections::BTreeMap;

use metadata::{
    KRAFT_VERSION_FEATURE, METADATA_VERSION_FEATURE, MetadataImage, MetadataVersion, VersionRange,
};
use protocol::ErrorCode;
use protocol::messages::update_features_request::FeatureUpdateKey;
use protocol::messages::update_features_response::UpdatableFeatureResult;
use protocol::messages::{UpdateFeaturesRequest, UpdateFeaturesResponse};
use protocol::metadata_records::{ConfigRecord, FeatureLevelRecord, MetadataRecord};

use crate::configs::MIN_INSYNC_REPLICAS;
use crate::result::{ApiError, ControllerResult};
use crate::settings::Controller;

/// `eligible.leader.replicas.version`
pub use metadata::ELIGIBLE_LEADER_REPLICAS_FEATURE;

/// A feature, the levels of it that this build completes, and the level a new cluster starts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SupportedFeature {
    /// Kafka's name.
    pub name: &'static str,
    /// The lowest level supported.
    pub min: i16,
    /// The highest level supported; 0 keeps the feature out of ApiVersions altogether.
    pub max: i16,
    /// The level of a new cluster. Kept in the raft log's control records for `kraft.version`.
    pub bootstrap: i16,
    /// For each level from 1 on: the lowest `metadata.version` it needs.
    pub needs_metadata_version: &'static [i16],
}

const fn feature(
    name: &'static str,
    min: i16,
    max: i16,
    bootstrap: i16,
    needs_metadata_version: &'static [i16],
) -> SupportedFeature {
    SupportedFeature { name, min, max, bootstrap, needs_metadata_version }
}

/// What this build supports. A level may be raised here once its semantics are complete, and not before: clients
/// change their behaviour by what is finalised.
pub const SUPPORTED: &[SupportedFeature] = &[
    feature(METADATA_VERSION_FEATURE, 7, 33, 33, &[]),
    feature(KRAFT_VERSION_FEATURE, 0, 0, 0, &[]),
    feature("transaction.version", 0, 2, 2, &[7, 7]),
    feature("group.version", 0, 1, 1, &[7]),
    feature(ELIGIBLE_LEADER_REPLICAS_FEATURE, 0, 1, 1, &[23]),
    feature("share.version", 0, 2, 2, &[7, 7]),
    feature("streams.version", 0, 1, 1, &[7]),
];

impl SupportedFeature {
    /// The levels supported.
    pub const fn range(&self) -> VersionRange {
        VersionRange { min: self.min, max: self.max }
    }
}

/// Kafka's upgrade types.
const UPGRADE: i8 = 1;
const SAFE_DOWNGRADE: i8 = 2;
const UNSAFE_DOWNGRADE: i8 = 3;

fn invalid_update(feature: &str, level: i16, why: impl std::fmt::Display) -> ApiError {
    ApiError::new(
        ErrorCode::InvalidUpdateVersion,
        format!("Invalid update version {level} for feature {feature}. {why}"),
    )
}

fn unsupported_by(who: &str, range: VersionRange, level: i16) -> Option<String> {
    if range.contains(level) {
        None
    } else if range.max == 0 {
        Some(format!("{who} does not support this feature."))
    } else if range.min == range.max {
        Some(format!("{who} only supports versions {}", range.min))
    } else {
        Some(format!("{who} only supports versions {}-{}", range.min, range.max))
    }
}

impl Controller {
    /// The levels this build supports, by name, as ApiVersions and registrations list them.
    pub fn supported_features(&self) -> BTreeMap<&'static str, VersionRange> {
        let supported = self.settings.supported_features.iter().filter(|feature| feature.max > 0);
        supported.map(|feature| (feature.name, feature.range())).collect()
    }

    /// Changes feature levels: all of them or none. `kraft_version` is the raft log's level.
    pub fn update_features(
        &self,
        image: &MetadataImage,
        request: &UpdateFeaturesRequest,
        api_version: i16,
        kraft_version: i16,
    ) -> ControllerResult<UpdateFeaturesResponse> {
        let mut updates: BTreeMap<&str, &FeatureUpdateKey> = BTreeMap::new();
        for update in &request.feature_updates {
            updates.insert(&update.feature, update);
        }
        let mut proposed = image.features.all();
        proposed.extend(updates.iter().map(|(name, update)| ((*name).to_owned(), update.max_version_level)));
        let mut records = Vec::new();
        for update in updates.values() {
            match self.update_feature(image, update, api_version, kraft_version, &proposed) {
                Ok(record) => records.extend(record),
                Err(error) => {
                    let reason = error.message.unwrap_or_default();
                    return ControllerResult::unchanged(UpdateFeaturesResponse {
                        error_code: error.code.into(),
                        error_message: Some(format!(
                            "The update failed for all features since the following feature had an error: {reason}"
                        )),
                        results: Vec::new(),
                        ..Default::default()
                    });
                }
            }
        }
        if updates.get(ELIGIBLE_LEADER_REPLICAS_FEATURE).is_some_and(|update| update.max_version_level > 0) {
            records.splice(0..0, self.elr_safety_records(image));
        }
        let results = request.feature_updates.iter().filter(|_| api_version <= 1);
        let response = UpdateFeaturesResponse {
            error_code: ErrorCode::None.into(),
            error_message: None,
            results: results
                .map(|update| UpdatableFeatureResult {
                    feature: update.feature.clone(),
                    error_code: ErrorCode::None.into(),
                    error_message: Some(ErrorCode::None.name().to_owned()),
                    ..Default::default()
                })
                .collect(),
            ..Default::default()
        };
        ControllerResult::new(records, response).validate_only(request.validate_only)
    }

    fn update_feature(
        &self,
        image: &MetadataImage,
        update: &FeatureUpdateKey,
        api_version: i16,
        kraft_version: i16,
        proposed: &BTreeMap<String, i16>,
    ) -> Result<Option<MetadataRecord>, ApiError> {
        let (name, level) = (update.feature.as_str(), update.max_version_level);
        let upgrade_type = match (api_version, update.allow_downgrade) {
            (0, true) => SAFE_DOWNGRADE,
            (0, false) => UPGRADE,
            _ => update.upgrade_type,
        };
        let invalid = |why: &str| Err(invalid_update(name, level, why));
        if !matches!(upgrade_type, UPGRADE | SAFE_DOWNGRADE | UNSAFE_DOWNGRADE) {
            return invalid("The controller does not support the given upgrade type.");
        }
        let current = match name {
            METADATA_VERSION_FEATURE => image.write_options().metadata_version.feature_level(),
            KRAFT_VERSION_FEATURE => kraft_version,
            other => image.features.level(other),
        };
        if level < 0 {
            return invalid("A feature version cannot be less than 0.");
        }
        if let Some(reason) = self.reason_not_supported(image, name, level) {
            return invalid(&reason);
        }
        if level < current && upgrade_type == UPGRADE {
            return invalid(
                "Can't downgrade the version of this feature without setting the upgrade type to either safe or \
                 unsafe downgrade.",
            );
        }
        if level > current && upgrade_type != UPGRADE {
            return invalid("Can't downgrade to a newer version.");
        }
        match name {
            METADATA_VERSION_FEATURE => update_metadata_version(image, level, upgrade_type)?,
            // The raft log's own level is changed by its own records; there is nothing to write here.
            KRAFT_VERSION_FEATURE if level == current => return Ok(None),
            KRAFT_VERSION_FEATURE if level < current => {
                return invalid("Can't downgrade the version of this feature.");
            }
            KRAFT_VERSION_FEATURE => {
                return Err(ApiError::new(
                    ErrorCode::InvalidUpdateVersion,
                    format!("The quorum cannot be upgraded to {KRAFT_VERSION_FEATURE} {level} yet."),
                ));
            }
            _ => self.check_dependencies(name, level, proposed)?,
        }
        Ok(Some(MetadataRecord::FeatureLevel(FeatureLevelRecord {
            name: name.to_owned(),
            feature_level: level,
            ..Default::default()
        })))
    }

    fn check_dependencies(
        &self,
        name: &str,
        level: i16,
        proposed: &BTreeMap<String, i16>,
    ) -> Result<(), ApiError> {
        let known = self.settings.supported_features.iter().find(|feature| feature.name == name);
        let needs = known.and_then(|feature| {
            feature.needs_metadata_version.get(usize::try_from(level - 1).ok()?).copied()
        });
        let has = proposed.get(METADATA_VERSION_FEATURE).copied().unwrap_or(0);
        match needs {
            Some(needs) if has < needs => Err(invalid_update(
                name,
                level,
                format!(
                    "{name} could not be set to {level} because it depends on {METADATA_VERSION_FEATURE} level {needs}"
                ),
            )),
            _ => Ok(()),
        }
    }

    /// Why some node would not understand the level.
    fn reason_not_supported(&self, image: &MetadataImage, name: &str, level: i16) -> Option<String> {
        const DISABLED: VersionRange = VersionRange { min: 0, max: 0 };
        let local = self.supported_features().get(name).copied().unwrap_or(DISABLED);
        let node_id = self.settings.node_id;
        if let Some(reason) = unsupported_by(&format!("Local controller {node_id}"), local, level) {
            return Some(reason);
        }
        for broker in image.cluster.brokers().values() {
            let range = broker.supported_features.get(name).copied().unwrap_or(DISABLED);
            if let Some(reason) = unsupported_by(&format!("Broker {}", broker.id), range, level) {
                return Some(reason);
            }
        }
        if !image.write_options().metadata_version.supports_controller_registration() {
            return None;
        }
        for controller in image.cluster.controllers().values().filter(|other| other.id != node_id) {
            let range = controller.supported_features.get(name).copied().unwrap_or(DISABLED);
            if let Some(reason) = unsupported_by(&format!("Controller {}", controller.id), range, level) {
                return Some(reason);
            }
        }
        let missing = self
            .settings
            .quorum_node_ids
            .iter()
            .find(|id| **id != node_id && !image.cluster.controllers().contains_key(id));
        missing.map(|id| format!("controller {id} has not registered, and may not support this feature"))
    }

    /// With eligible leader replicas, `min.insync.replicas` must be one number for all brokers: it is written for
    /// the cluster and taken away from single brokers.
    fn elr_safety_records(&self, image: &MetadataImage) -> Vec<MetadataRecord> {
        use metadata::{ConfigResource, ConfigResourceType};
        let record = |resource_name: &str, value| {
            MetadataRecord::Config(ConfigRecord {
                resource_type: ConfigResourceType::Broker.code(),
                resource_name: resource_name.to_owned(),
                name: MIN_INSYNC_REPLICAS.to_owned(),
                value,
                ..Default::default()
            })
        };
        let mut records = Vec::new();
        if !image.configs.of(&ConfigResource::default_broker()).contains_key(MIN_INSYNC_REPLICAS) {
            records.push(record("", Some(self.settings.config.log.min_insync_replicas.to_string())));
        }
        for (resource, configs) in image.configs.iter() {
            if resource.resource_type == ConfigResourceType::Broker
                && !resource.name.is_empty()
                && configs.contains_key(MIN_INSYNC_REPLICAS)
            {
                records.push(record(&resource.name, None));
            }
        }
        records
    }
}

fn update_metadata_version(image: &MetadataImage, level: i16, upgrade_type: i8) -> Result<(), ApiError> {
    let refuse = |message: String| Err(ApiError::new(ErrorCode::InvalidUpdateVersion, message));
    let Ok(wanted) = MetadataVersion::from_feature_level(level) else {
        return refuse(format!(
            "Invalid metadata.version {level}. Valid versions are from {} to {}.",
            MetadataVersion::MINIMUM.feature_level(),
            MetadataVersion::LATEST.feature_level()
        ));
    };
    let current = image.write_options().metadata_version;
    if wanted < current && current.metadata_changed_between(wanted) {
        let why = if upgrade_type == UNSAFE_DOWNGRADE {
            "Unsafe metadata downgrade is not supported in this version."
        } else {
            "Refusing to perform the requested downgrade because it might delete metadata information."
        };
        let current = current.feature_level();
        return refuse(format!("Unsupported metadata.version downgrade from {current} to {level}. {why}"));
    }
    Ok(())
}
