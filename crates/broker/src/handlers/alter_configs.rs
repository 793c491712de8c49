//! AlterConfigs (key 33, v0-2). Replaces all settings of a resource; clients have used IncrementalAlterConfigs since KIP-339.

use protocol::messages::alter_configs_response::AlterConfigsResourceResponse;
use protocol::messages::{AlterConfigsRequest, AlterConfigsResponse};

use crate::context::RequestContext;

/// Has the controller record them.
pub async fn handle(context: &RequestContext, request: AlterConfigsRequest) -> AlterConfigsResponse {
    let node_id = context.broker.node_id;
    let asked: Vec<(i8, String)> = request
        .resources
        .iter()
        .map(|resource| (resource.resource_type, resource.resource_name.clone()))
        .collect();
    let decided = context
        .broker
        .controller
        .decide(move |deciding| deciding.controller.alter_configs(deciding.image, &request, node_id));
    decided.await.unwrap_or_else(|error| AlterConfigsResponse {
        responses: asked
            .into_iter()
            .map(|(resource_type, resource_name)| AlterConfigsResourceResponse {
                error_code: error.as_i16(),
                error_message: Some(error.message().to_string()),
                resource_type,
                resource_name,
                ..Default::default()
            })
            .collect(),
        ..Default::default()
    })
}
