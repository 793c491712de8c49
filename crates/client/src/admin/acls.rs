//! Access control lists, with Kafka's numbers on the wire.

use protocol::ApiKey;
use protocol::messages::create_acls_request::AclCreation;
use protocol::messages::delete_acls_request::DeleteAclsFilter;
use protocol::messages::{CreateAclsRequest, DeleteAclsRequest, DescribeAclsRequest};

use super::Admin;
use crate::error::ClientError;

/// Who may or may not do what to which resource. In a filter, `None` and the numbers 1 match anything.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AclBinding {
    /// 2 topic, 3 group, 4 cluster, 5 transactional id, 6 delegation token, 7 user.
    pub resource_type: i8,
    /// The resource's name, or the beginning of it.
    pub resource_name: Option<String>,
    /// 2 match, 3 literal, 4 prefixed.
    pub pattern_type: i8,
    /// `User:alice`.
    pub principal: Option<String>,
    /// An address, or `*`.
    pub host: Option<String>,
    /// 2 all, 3 read, 4 write, 5 create, 6 delete, 7 alter, 8 describe, 9 cluster action, 10 describe configs,
    /// 11 alter configs, 12 idempotent write, 13 create tokens, 14 describe tokens, 15 two-phase commit.
    pub operation: i8,
    /// 2 deny, 3 allow.
    pub permission_type: i8,
}

impl Admin {
    /// The entries that match a filter.
    ///
    /// # Errors
    /// What the broker says, or that none could be asked.
    pub async fn describe_acls(&self, filter: &AclBinding) -> Result<Vec<AclBinding>, ClientError> {
        let request = DescribeAclsRequest {
            resource_type_filter: filter.resource_type,
            resource_name_filter: filter.resource_name.clone(),
            pattern_type_filter: filter.pattern_type,
            principal_filter: filter.principal.clone(),
            host_filter: filter.host.clone(),
            operation: filter.operation,
            permission_type: filter.permission_type,
            ..Default::default()
        };
        let response = self.client().send_to_any(&request).await?;
        let message = response.error_message.as_deref();
        ClientError::check(ApiKey::DescribeAcls, response.error_code, message)?;
        let mut bindings = Vec::new();
        for resource in response.resources {
            for entry in resource.acls {
                bindings.push(AclBinding {
                    resource_type: resource.resource_type,
                    resource_name: Some(resource.resource_name.clone()),
                    pattern_type: resource.pattern_type,
                    principal: Some(entry.principal),
                    host: Some(entry.host),
                    operation: entry.operation,
                    permission_type: entry.permission_type,
                });
            }
        }
        Ok(bindings)
    }

    /// Adds entries.
    ///
    /// # Errors
    /// What the controller says of the first entry that fails, or that it could not be asked.
    pub async fn create_acls(&self, bindings: &[AclBinding]) -> Result<(), ClientError> {
        let creation = |binding: &AclBinding| AclCreation {
            resource_type: binding.resource_type,
            resource_name: binding.resource_name.clone().unwrap_or_default(),
            resource_pattern_type: binding.pattern_type,
            principal: binding.principal.clone().unwrap_or_default(),
            host: binding.host.clone().unwrap_or_default(),
            operation: binding.operation,
            permission_type: binding.permission_type,
            ..Default::default()
        };
        let request =
            CreateAclsRequest { creations: bindings.iter().map(creation).collect(), ..Default::default() };
        let response = self.client().send_to_controller(&request).await?;
        response.results.into_iter().try_for_each(|result| {
            ClientError::check(ApiKey::CreateAcls, result.error_code, result.error_message.as_deref())
        })
    }

    /// Removes the entries that match filters; gives how many went.
    ///
    /// # Errors
    /// What the controller says of the first filter that fails, or that it could not be asked.
    pub async fn delete_acls(&self, filters: &[AclBinding]) -> Result<usize, ClientError> {
        let filter = |filter: &AclBinding| DeleteAclsFilter {
            resource_type_filter: filter.resource_type,
            resource_name_filter: filter.resource_name.clone(),
            pattern_type_filter: filter.pattern_type,
            principal_filter: filter.principal.clone(),
            host_filter: filter.host.clone(),
            operation: filter.operation,
            permission_type: filter.permission_type,
            ..Default::default()
        };
        let request =
            DeleteAclsRequest { filters: filters.iter().map(filter).collect(), ..Default::default() };
        let response = self.client().send_to_controller(&request).await?;
        let mut count = 0;
        for result in response.filter_results {
            let message = result.error_message.as_deref();
            ClientError::check(ApiKey::DeleteAcls, result.error_code, message)?;
            count += result.matching_acls.len();
        }
        Ok(count)
    }
}
