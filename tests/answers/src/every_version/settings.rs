//! Questions about configuration, quotas, credentials and ACLs.

use protocol::ApiKey;
use protocol::messages::*;

use super::World;

const TOPIC: i8 = 2;
const ANY: i8 = 1;

pub fn ask(key: ApiKey, world: &World<'_>) -> Vec<String> {
    let name = world.topic.to_owned();
    match key {
        ApiKey::DescribeConfigs => world.ask(|version| describe_configs(world, version)),
        ApiKey::AlterConfigs => world.ask(|_| AlterConfigsRequest {
            resources: vec![alter_configs_request::AlterConfigsResource {
                resource_type: TOPIC,
                resource_name: name.clone(),
                ..Default::default()
            }],
            validate_only: true,
            ..Default::default()
        }),
        ApiKey::IncrementalAlterConfigs => world.ask(|_| incremental_alter_configs(world)),
        ApiKey::ListConfigResources => world.ask(|_| ListConfigResourcesRequest::default()),
        ApiKey::DescribeClientQuotas => world.ask(|_| DescribeClientQuotasRequest::default()),
        ApiKey::AlterClientQuotas => {
            world.ask(|_| AlterClientQuotasRequest { validate_only: true, ..Default::default() })
        }
        ApiKey::DescribeUserScramCredentials => {
            world.ask(|_| DescribeUserScramCredentialsRequest { users: None, ..Default::default() })
        }
        ApiKey::AlterUserScramCredentials => world.ask(|_| AlterUserScramCredentialsRequest::default()),
        ApiKey::DescribeAcls => world.ask(|_| DescribeAclsRequest {
            resource_type_filter: ANY,
            operation: ANY,
            permission_type: ANY,
            ..Default::default()
        }),
        ApiKey::CreateAcls => world.ask(|_| CreateAclsRequest {
            creations: vec![create_acls_request::AclCreation {
                resource_type: TOPIC,
                resource_name: name.clone(),
                principal: "User:a".to_owned(),
                host: "*".to_owned(),
                operation: 3,
                permission_type: 3,
                ..Default::default()
            }],
            ..Default::default()
        }),
        _ => world.ask(|_| DeleteAclsRequest {
            filters: vec![delete_acls_request::DeleteAclsFilter {
                resource_type_filter: ANY,
                operation: ANY,
                permission_type: ANY,
                ..Default::default()
            }],
            ..Default::default()
        }),
    }
}

fn describe_configs(world: &World<'_>, version: i16) -> DescribeConfigsRequest {
    let name = world.topic.to_owned();
    DescribeConfigsRequest {
        resources: vec![describe_configs_request::DescribeConfigsResource {
            resource_type: TOPIC,
            resource_name: name.clone(),
            configuration_keys: None,
            ..Default::default()
        }],
        include_synonyms: true,
        include_documentation: version >= 3,
        ..Default::default()
    }
}

fn incremental_alter_configs(world: &World<'_>) -> IncrementalAlterConfigsRequest {
    let name = world.topic.to_owned();
    IncrementalAlterConfigsRequest {
        resources: vec![incremental_alter_configs_request::AlterConfigsResource {
            resource_type: TOPIC,
            resource_name: name.clone(),
            configs: vec![incremental_alter_configs_request::AlterableConfig {
                name: "retention.ms".to_owned(),
                value: Some("1".to_owned()),
                ..Default::default()
            }],
            ..Default::default()
        }],
        validate_only: true,
        ..Default::default()
    }
}
