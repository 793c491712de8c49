//! DescribeConfigs (key 32, v1-4). Settings in effect, where they come from, what else would give them (KIP-133, KIP-226).

use std::collections::HashSet;

use config::describe::{self, Description};
use metadata::{ConfigResource, ConfigResourceType};
use protocol::ErrorCode;
use protocol::messages::describe_configs_request::DescribeConfigsResource;
use protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use protocol::messages::{DescribeConfigsRequest, DescribeConfigsResponse};

use crate::context::RequestContext;

/// Describes each resource.
pub async fn handle(context: &RequestContext, request: DescribeConfigsRequest) -> DescribeConfigsResponse {
    let results = request.resources.iter().map(|resource| result(context, &request, resource)).collect();
    DescribeConfigsResponse { results, ..Default::default() }
}

fn result(
    context: &RequestContext,
    request: &DescribeConfigsRequest,
    resource: &DescribeConfigsResource,
) -> DescribeConfigsResult {
    let answer = DescribeConfigsResult {
        resource_type: resource.resource_type,
        resource_name: resource.resource_name.clone(),
        ..Default::default()
    };
    match describe(context, resource) {
        Ok(descriptions) => {
            let wanted: Option<HashSet<&str>> = resource
                .configuration_keys
                .as_ref()
                .filter(|keys| !keys.is_empty())
                .map(|keys| keys.iter().map(String::as_str).collect());
            let is_wanted =
                |found: &Description| wanted.as_ref().is_none_or(|keys| keys.contains(found.name.as_str()));
            let configs =
                descriptions.into_iter().filter(is_wanted).map(|found| row(request, found)).collect();
            DescribeConfigsResult { error_message: Some(String::new()), configs, ..answer }
        }
        Err((error, message)) => {
            DescribeConfigsResult { error_code: error.as_i16(), error_message: Some(message), ..answer }
        }
    }
}

fn describe(
    context: &RequestContext,
    resource: &DescribeConfigsResource,
) -> Result<Vec<Description>, (ErrorCode, String)> {
    let invalid = |message: String| Err((ErrorCode::InvalidRequest, message));
    let image = context.broker.metadata.image();
    let config = context.broker.config();
    let name = resource.resource_name.as_str();
    let Some(kind) = ConfigResourceType::from_code(resource.resource_type) else {
        return invalid(ErrorCode::InvalidRequest.message().to_string());
    };
    let own = image.configs.of(&ConfigResource::new(kind, name));
    match kind {
        ConfigResourceType::Topic => {
            controller::topics::names::check(name).map_err(|why| (ErrorCode::InvalidTopicException, why))?;
            if image.topics.by_name(name).is_none() {
                return Err((ErrorCode::UnknownTopicOrPartition, String::new()));
            }
            Ok(describe::topic(&config, own))
        }
        ConfigResourceType::Broker if name.is_empty() => Ok(describe::cluster(&config)),
        ConfigResourceType::Broker | ConfigResourceType::BrokerLogger => {
            let node_id = context.broker.node_id;
            match name.parse::<i32>() {
                Err(_) => invalid(format!("Broker id must be an integer, but it is: {name}")),
                Ok(id) if id != node_id && kind == ConfigResourceType::BrokerLogger => {
                    invalid(format!("Unexpected broker id, expected {node_id} but received {name}"))
                }
                Ok(id) if id != node_id => invalid(format!(
                    "Unexpected broker id, expected {node_id} or empty string, but received {name}"
                )),
                Ok(_) if kind == ConfigResourceType::BrokerLogger => Ok(Vec::new()),
                Ok(_) => Ok(describe::broker(&config)),
            }
        }
        ConfigResourceType::ClientMetrics if name.is_empty() => {
            invalid("Client metrics subscription name must not be empty".to_string())
        }
        ConfigResourceType::ClientMetrics => Ok(describe::client_metrics(own)),
        ConfigResourceType::Group if name.is_empty() => invalid("Group name must not be empty".to_string()),
        ConfigResourceType::Group => Ok(describe::group(&config, own)),
    }
}

fn row(request: &DescribeConfigsRequest, found: Description) -> DescribeConfigsResourceResult {
    let synonyms = if request.include_synonyms { found.synonyms } else { Vec::new() };
    DescribeConfigsResourceResult {
        name: found.name,
        value: found.value,
        read_only: found.read_only,
        config_source: found.source.code(),
        is_sensitive: found.sensitive,
        synonyms: synonyms
            .into_iter()
            .map(|synonym| DescribeConfigsSynonym {
                name: synonym.name,
                value: synonym.value,
                source: synonym.source.code(),
                ..Default::default()
            })
            .collect(),
        config_type: found.type_code,
        documentation: found.documentation.filter(|_| request.include_documentation).map(ToString::to_string),
        ..Default::default()
    }
}
