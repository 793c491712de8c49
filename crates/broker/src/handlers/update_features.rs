//! UpdateFeatures (key 57, v0-2). Raises or lowers finalised feature levels (KIP-584).

use protocol::messages::{UpdateFeaturesRequest, UpdateFeaturesResponse};

use crate::context::RequestContext;

/// Has the controller record all of them or none.
pub async fn handle(context: &RequestContext, request: UpdateFeaturesRequest) -> UpdateFeaturesResponse {
    let api_version = context.api_version;
    let decided = context.broker.controller.decide(move |deciding| {
        deciding.controller.update_features(deciding.image, &request, api_version, deciding.kraft_version)
    });
    decided.await.unwrap_or_else(|error| UpdateFeaturesResponse {
        error_code: error.as_i16(),
        error_message: Some(error.message().to_string()),
        ..Default::default()
    })
}
