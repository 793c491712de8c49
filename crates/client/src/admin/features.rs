//! Feature levels.

use std::collections::BTreeMap;

use protocol::ApiKey;
use protocol::messages::update_features_request::FeatureUpdateKey;
use protocol::messages::{ApiVersionsRequest, ApiVersionsResponse, UpdateFeaturesRequest};

use super::{Admin, PerKey};
use crate::error::ClientError;

/// What a node supports and what the cluster has agreed on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeatureDescription {
    /// Lowest and highest level by name.
    pub supported: BTreeMap<String, (i16, i16)>,
    /// The level in force by name.
    pub finalized: BTreeMap<String, i16>,
    /// The epoch of the levels in force, if there are any.
    pub epoch: Option<i64>,
}

/// Which way a level may go, with Kafka's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeatureUpgrade {
    /// Up only.
    Upgrade = 1,
    /// Down, where nothing is lost.
    SafeDowngrade = 2,
    /// Down, even if metadata is lost.
    UnsafeDowngrade = 3,
}

impl Admin {
    /// Asks a node for its features; any node if none is named.
    ///
    /// # Errors
    /// What the node says, or that none could be asked.
    pub async fn describe_features(&self, node: Option<i32>) -> Result<FeatureDescription, ClientError> {
        let response = self.api_versions(node).await?;
        let supported = response.supported_features.into_iter();
        let finalized = response.finalized_features.into_iter();
        Ok(FeatureDescription {
            supported: supported.map(|row| (row.name, (row.min_version, row.max_version))).collect(),
            finalized: finalized.map(|row| (row.name, row.max_version_level)).collect(),
            epoch: Some(response.finalized_features_epoch).filter(|epoch| *epoch >= 0),
        })
    }

    /// A node's whole answer to ApiVersions; any node's if none is named.
    ///
    /// # Errors
    /// What the node says, or that none could be asked.
    pub async fn api_versions(&self, node: Option<i32>) -> Result<ApiVersionsResponse, ClientError> {
        let request = ApiVersionsRequest {
            client_software_name: "klamm-client".to_owned(),
            client_software_version: env!("CARGO_PKG_VERSION").to_owned(),
            ..Default::default()
        };
        let response = match node {
            Some(node) => self.client().send(node, &request).await?,
            None => self.client().send_to_any(&request).await?,
        };
        ClientError::check(ApiKey::ApiVersions, response.error_code, None)?;
        Ok(response)
    }

    /// Changes levels. Brokers of before UpdateFeatures v2 answer per feature, newer ones for all at once.
    ///
    /// # Errors
    /// The controller could not be asked.
    pub async fn update_features(
        &self,
        updates: &BTreeMap<String, (i16, FeatureUpgrade)>,
        validate_only: bool,
    ) -> Result<PerKey<String, ()>, ClientError> {
        let update = |(feature, (level, upgrade)): (&String, &(i16, FeatureUpgrade))| FeatureUpdateKey {
            feature: feature.clone(),
            max_version_level: *level,
            upgrade_type: *upgrade as i8,
            ..Default::default()
        };
        let request = UpdateFeaturesRequest {
            timeout_ms: self.timeout_ms(),
            feature_updates: updates.iter().map(update).collect(),
            validate_only,
            ..Default::default()
        };
        let response = self.client().send_to_controller(&request).await?;
        let api = ApiKey::UpdateFeatures;
        let top = ClientError::check(api, response.error_code, response.error_message.as_deref());
        let outcome = |feature: &String| {
            let result = response.results.iter().find(|result| result.feature == *feature);
            let own = result.map_or(Ok(()), |result| {
                ClientError::check(api, result.error_code, result.error_message.as_deref())
            });
            (feature.clone(), top.clone().and(own))
        };
        Ok(updates.keys().map(outcome).collect())
    }
}
