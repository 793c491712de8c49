//! DeleteAcls (key 31, v1-3). No authorizer is set, and Kafka says so for each filter.

use protocol::ErrorCode;
use protocol::messages::delete_acls_response::DeleteAclsFilterResult;
use protocol::messages::{DeleteAclsRequest, DeleteAclsResponse};

use crate::context::RequestContext;
use crate::handlers::describe_acls::NO_AUTHORIZER;

/// Refuses with SECURITY_DISABLED.
pub async fn handle(_context: &RequestContext, request: DeleteAclsRequest) -> DeleteAclsResponse {
    let refused = |_| DeleteAclsFilterResult {
        error_code: ErrorCode::SecurityDisabled.as_i16(),
        error_message: Some(NO_AUTHORIZER.to_string()),
        ..Default::default()
    };
    DeleteAclsResponse { filter_results: request.filters.iter().map(refused).collect(), ..Default::default() }
}
