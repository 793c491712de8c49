//! IncrementalAlterConfigs (key 44, v0-1). Sets, deletes, appends to and subtracts from single settings (KIP-339).

use controller::{ApiError, logger_changes};
use protocol::messages::incremental_alter_configs_request::AlterConfigsResource;
use protocol::messages::incremental_alter_configs_response::AlterConfigsResourceResponse;
use protocol::messages::{IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse};

use crate::context::RequestContext;

/// Has the controller record them.
pub async fn handle(
    context: &RequestContext,
    request: IncrementalAlterConfigsRequest,
) -> IncrementalAlterConfigsResponse {
    let node_id = context.broker.node_id;
    let asked: Vec<(i8, String)> = request
        .resources
        .iter()
        .map(|resource| (resource.resource_type, resource.resource_name.clone()))
        .collect();
    let decided = context.broker.controller.decide(move |deciding| {
        // Log levels are those of the whole process: there is no logger by name to alter.
        let alter_loggers = |resource: &AlterConfigsResource| -> Result<(), ApiError> {
            logger_changes(resource, node_id, |_| false).map(drop)
        };
        deciding.controller.incremental_alter_configs(deciding.image, &request, node_id, &alter_loggers)
    });
    decided.await.unwrap_or_else(|error| IncrementalAlterConfigsResponse {
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
