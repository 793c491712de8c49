//! ListConfigResources (key 74, v0-1). Which resources could be configured (KIP-1142); v0 asks for client metrics alone.

use std::collections::BTreeSet;

use metadata::ConfigResourceType;
use protocol::ErrorCode;
use protocol::messages::list_config_resources_response::ConfigResource;
use protocol::messages::{ListConfigResourcesRequest, ListConfigResourcesResponse};

use crate::context::RequestContext;

/// Every type there is, for a request that names none.
const ALL_TYPES: [ConfigResourceType; 5] = [
    ConfigResourceType::Topic,
    ConfigResourceType::Broker,
    ConfigResourceType::BrokerLogger,
    ConfigResourceType::ClientMetrics,
    ConfigResourceType::Group,
];

/// Lists resources by type.
pub async fn handle(
    context: &RequestContext,
    request: ListConfigResourcesRequest,
) -> ListConfigResourcesResponse {
    let types: BTreeSet<ConfigResourceType> = if context.api_version == 0 {
        BTreeSet::from([ConfigResourceType::ClientMetrics])
    } else if request.resource_types.is_empty() {
        BTreeSet::from(ALL_TYPES)
    } else {
        let known: Option<_> =
            request.resource_types.iter().map(|code| ConfigResourceType::from_code(*code)).collect();
        match known {
            Some(types) => types,
            None => {
                let error_code = ErrorCode::UnsupportedVersion.as_i16();
                return ListConfigResourcesResponse { error_code, ..Default::default() };
            }
        }
    };
    let config_resources = types
        .into_iter()
        .flat_map(|kind| names(context, kind).into_iter().map(move |name| (name, kind)))
        .map(|(resource_name, kind)| ConfigResource {
            resource_name,
            resource_type: kind.code(),
            ..Default::default()
        })
        .collect();
    ListConfigResourcesResponse { config_resources, ..Default::default() }
}

fn names(context: &RequestContext, kind: ConfigResourceType) -> BTreeSet<String> {
    let image = context.broker.metadata.image();
    match kind {
        ConfigResourceType::Topic => image.topics.iter().map(|topic| topic.name().to_string()).collect(),
        ConfigResourceType::Broker | ConfigResourceType::BrokerLogger => {
            image.cluster.brokers().keys().map(ToString::to_string).collect()
        }
        ConfigResourceType::ClientMetrics | ConfigResourceType::Group => {
            let set = image.configs.iter().filter(|(resource, _)| resource.resource_type == kind);
            set.map(|(resource, _)| resource.name.clone()).collect()
        }
    }
}
