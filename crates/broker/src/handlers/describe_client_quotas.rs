//! DescribeClientQuotas (key 48, v0-1). Quotas of users, clients and addresses, by filter (KIP-546).

use controller::ControllerResult;
use protocol::messages::{DescribeClientQuotasRequest, DescribeClientQuotasResponse};

use crate::context::RequestContext;

/// Describes what the metadata has.
pub async fn handle(
    context: &RequestContext,
    request: DescribeClientQuotasRequest,
) -> DescribeClientQuotasResponse {
    let decided = context.broker.controller.decide(move |deciding| {
        ControllerResult::unchanged(deciding.controller.describe_client_quotas(deciding.image, &request))
    });
    let (error, message) = match decided.await {
        Ok(Ok(response)) => return response,
        Ok(Err(refusal)) => (refusal.code, refusal.message),
        Err(error) => (error, Some(error.message().to_string())),
    };
    DescribeClientQuotasResponse {
        error_code: error.as_i16(),
        error_message: message,
        entries: None,
        ..Default::default()
    }
}
