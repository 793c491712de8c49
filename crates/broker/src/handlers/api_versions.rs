//! ApiVersions (key 18, v0-5). What this broker serves, and the cluster's features.
//!
//! v5 says whom the client means to talk to; another cluster's client is told to look for its own (KIP-1242).

use controller::features::SUPPORTED;
use protocol::messages::api_versions_response::{ApiVersion, FinalizedFeatureKey, SupportedFeatureKey};
use protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};
use protocol::{ApiKey, ErrorCode};

use crate::context::RequestContext;
use crate::handlers;

/// Answers with the table of served APIs.
pub fn handle(context: &RequestContext, request: &ApiVersionsRequest) -> ApiVersionsResponse {
    if context.api_version >= 3 && !is_client_software_named(request) {
        return refuse(ErrorCode::InvalidRequest);
    }
    if is_misrouted(context, request) {
        return refuse(ErrorCode::RebootstrapRequired);
    }
    let image = context.broker.metadata.image();
    ApiVersionsResponse {
        error_code: ErrorCode::None.as_i16(),
        api_keys: handlers::served().map(row).collect(),
        supported_features: SUPPORTED
            .iter()
            .filter(|feature| feature.max > 0)
            // KAFKA-17011: clients of before v4 take a lowest level of 0 for a mistake.
            .filter(|feature| feature.min > 0 || context.api_version >= 4)
            .map(|feature| SupportedFeatureKey {
                name: feature.name.to_string(),
                min_version: feature.min,
                max_version: feature.max,
                ..Default::default()
            })
            .collect(),
        finalized_features_epoch: image.provenance.last_contained_offset,
        finalized_features: image
            .features
            .all()
            .into_iter()
            .map(|(name, level)| FinalizedFeatureKey {
                name,
                max_version_level: level,
                min_version_level: level,
                ..Default::default()
            })
            .collect(),
        ..Default::default()
    }
}

/// The v0 answer to a version that we do not know: the error and the row of ApiVersions itself (KIP-511).
pub fn unsupported_version() -> ApiVersionsResponse {
    ApiVersionsResponse { api_keys: vec![row(ApiKey::ApiVersions)], ..refuse(ErrorCode::UnsupportedVersion) }
}

fn refuse(error: ErrorCode) -> ApiVersionsResponse {
    ApiVersionsResponse { error_code: error.as_i16(), ..Default::default() }
}

fn row(key: ApiKey) -> ApiVersion {
    let versions = key.stable_versions();
    // KAFKA-18659: librdkafka takes a floor above 0 for a broker that cannot produce at all.
    let min_version = if key == ApiKey::Produce { 0 } else { *versions.start() };
    ApiVersion { api_key: key.as_i16(), min_version, max_version: *versions.end(), ..Default::default() }
}

/// Kafka's rule: letters and digits, with `.` and `-` between them.
fn is_client_software_named(request: &ApiVersionsRequest) -> bool {
    let fits = |text: &str| {
        let end = |character: char| character.is_ascii_alphanumeric();
        text.starts_with(end) && text.ends_with(end) && text.chars().all(|c| end(c) || c == '.' || c == '-')
    };
    fits(&request.client_software_name) && fits(&request.client_software_version)
}

fn is_misrouted(context: &RequestContext, request: &ApiVersionsRequest) -> bool {
    let other_cluster = request.cluster_id.as_ref().is_some_and(|id| *id != context.broker.cluster_id);
    let other_node = request.node_id >= 0 && request.node_id != context.broker.node_id;
    other_cluster || other_node
}
