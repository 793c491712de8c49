//! ApiVersions: what is advertised, features, and versions that nobody knows.

use anyhow::Result;
use bytes::Bytes;
use protocol::messages::api_versions_response::ApiVersionsResponse;
use protocol::messages::{ApiVersionsRequest, DescribeClusterRequest};
use protocol::{ApiKey, decode_response};

use crate::session::Session;

pub fn ask(session: &mut Session) -> Result<()> {
    let named = ApiVersionsRequest {
        client_software_name: "klamm-tests".to_owned(),
        client_software_version: "1.0".to_owned(),
        ..Default::default()
    };
    for version in 0..=5 {
        let name = format!("version {version}");
        session.ask_showing(&name, version, named.clone(), show)?;
    }
    for (name, software, version) in [
        ("a software name with spaces", "two words", "1.0"),
        ("an empty software name", "", "1.0"),
        ("an empty software version", "klamm-tests", ""),
        ("a software version that ends with a dot", "klamm-tests", "1.0."),
    ] {
        let request = ApiVersionsRequest {
            client_software_name: software.to_owned(),
            client_software_version: version.to_owned(),
            ..Default::default()
        };
        session.ask_showing(name, 3, request, show)?;
    }
    let cluster = session.quietly(0, DescribeClusterRequest::default())?.cluster_id;
    let aimed = |cluster_id: &str, node_id| ApiVersionsRequest {
        cluster_id: Some(cluster_id.to_owned()),
        node_id,
        ..named.clone()
    };
    session.ask_showing("aimed at this cluster and node", 5, aimed(&cluster, 1), show)?;
    session.ask_showing("aimed at another cluster", 5, aimed("AnotherClusterAltogether", 1), show)?;
    session.ask_showing("aimed at another node", 5, aimed(&cluster, 7), show)?;
    // Correlation id 5, client id null; versions nobody knows get a version 0 answer.
    let of_version = |high, low| [0, 0, 0, 11, 0, 18, high, low, 0, 0, 0, 5, 0xff, 0xff, 0];
    session.ask_bytes_showing("version 99", &of_version(0, 99), |frame| show_frame(frame, 0))?;
    session.ask_bytes_showing("version 6", &of_version(0, 6), |frame| show_frame(frame, 0))?;
    session.ask_bytes_showing("a negative version", &of_version(0xff, 0xff), |frame| show_frame(frame, 0))
}

/// A frame that should hold an answer of this version.
pub fn show_frame(frame: &Bytes, version: i16) -> String {
    match decode_response::<ApiVersionsRequest>(version, frame.clone()) {
        Ok((correlation_id, response)) => format!("correlation_id: {correlation_id}\n{}", show(&response)),
        Err(error) => format!("{error}: {frame:?}"),
    }
}

/// One line for each API, so that those not built yet can be left out of the comparison by name.
fn show(response: &ApiVersionsResponse) -> String {
    let mut lines = vec![format!("error_code: {}", response.error_code)];
    for api in &response.api_keys {
        let name = ApiKey::from_i16(api.api_key).map_or("?", ApiKey::name);
        lines.push(format!("api {} {name}: {} to {}", api.api_key, api.min_version, api.max_version));
    }
    lines.push(format!("throttle_time_ms: {}", response.throttle_time_ms));
    // Kafka lists features in the order of a hash map.
    let mut features: Vec<String> = Vec::new();
    for feature in &response.finalized_features {
        let (low, high) = (feature.min_version_level, feature.max_version_level);
        features.push(format!("finalized {}: {low} to {high}", feature.name));
    }
    for feature in &response.supported_features {
        features
            .push(format!("supported {}: {} to {}", feature.name, feature.min_version, feature.max_version));
    }
    features.sort();
    lines.extend(features);
    lines.push(format!("zk_migration_ready: {}", response.zk_migration_ready));
    lines.join("\n")
}
