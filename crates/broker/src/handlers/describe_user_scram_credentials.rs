//! DescribeUserScramCredentials (key 50, v0). Which users have which SCRAM credentials; never the secrets (KIP-554).

use controller::ControllerResult;
use protocol::messages::{DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse};

use crate::context::RequestContext;

/// Describes what the metadata has.
pub async fn handle(
    context: &RequestContext,
    request: DescribeUserScramCredentialsRequest,
) -> DescribeUserScramCredentialsResponse {
    let decided = context.broker.controller.decide(move |deciding| {
        ControllerResult::unchanged(
            deciding.controller.describe_user_scram_credentials(deciding.image, &request),
        )
    });
    decided.await.unwrap_or_else(|error| DescribeUserScramCredentialsResponse {
        error_code: error.as_i16(),
        error_message: Some(error.message().to_string()),
        ..Default::default()
    })
}
