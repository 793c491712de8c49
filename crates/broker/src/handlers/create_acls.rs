//! CreateAcls (key 30, v1-3). No authorizer is set, and Kafka says so for each entry.

use protocol::ErrorCode;
use protocol::messages::create_acls_response::AclCreationResult;
use protocol::messages::{CreateAclsRequest, CreateAclsResponse};

use crate::context::RequestContext;
use crate::handlers::describe_acls::NO_AUTHORIZER;

/// Refuses with SECURITY_DISABLED.
pub async fn handle(_context: &RequestContext, request: CreateAclsRequest) -> CreateAclsResponse {
    let refused = |_| AclCreationResult {
        error_code: ErrorCode::SecurityDisabled.as_i16(),
        error_message: Some(NO_AUTHORIZER.to_string()),
        ..Default::default()
    };
    CreateAclsResponse { results: request.creations.iter().map(refused).collect(), ..Default::default() }
}
