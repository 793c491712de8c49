//! DescribeAcls (key 29, v1-3). No authorizer is set, and Kafka says so.

use protocol::ErrorCode;
use protocol::messages::{DescribeAclsRequest, DescribeAclsResponse};

use crate::context::RequestContext;

/// What Kafka answers to changes of ACLs while `authorizer.class.name` is empty.
pub const NO_AUTHORIZER: &str = "No Authorizer is configured.";

/// Refuses with SECURITY_DISABLED.
pub async fn handle(_context: &RequestContext, _request: DescribeAclsRequest) -> DescribeAclsResponse {
    DescribeAclsResponse {
        error_code: ErrorCode::SecurityDisabled.as_i16(),
        error_message: Some("No Authorizer is configured on the broker".to_string()),
        ..Default::default()
    }
}
