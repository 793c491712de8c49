//! Settings of topics, brokers, groups and client metrics.

use protocol::ApiKey;
use protocol::messages::describe_configs_request::DescribeConfigsResource;
use protocol::messages::describe_configs_response::DescribeConfigsResourceResult;
use protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use protocol::messages::{
    DescribeConfigsRequest, IncrementalAlterConfigsRequest, ListConfigResourcesRequest,
};

use super::{Admin, checked};
use crate::error::ClientError;

/// What settings belong to, with Kafka's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConfigResourceType {
    /// A topic.
    Topic = 2,
    /// A broker by id, or all of them by the empty name.
    Broker = 4,
    /// The log levels of a broker.
    BrokerLogger = 8,
    /// A client metrics subscription (KIP-714).
    ClientMetrics = 16,
    /// A group.
    Group = 32,
}

/// A change of one setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AlterConfigOp {
    /// Sets it.
    Set(String, String),
    /// Back to its default.
    Delete(String),
    /// Adds to a list.
    Append(String, String),
    /// Takes out of a list.
    Subtract(String, String),
}

impl ConfigResourceType {
    /// The broker that has to be asked: a broker knows only its own settings.
    fn broker(self, name: &str) -> Option<i32> {
        match self {
            Self::Broker | Self::BrokerLogger => name.parse().ok(),
            _ => None,
        }
    }
}

impl Admin {
    /// The settings of one resource.
    ///
    /// # Errors
    /// What the broker says, or that none could be asked.
    pub async fn describe_configs(
        &self,
        resource_type: ConfigResourceType,
        name: &str,
        include_synonyms: bool,
    ) -> Result<Vec<DescribeConfigsResourceResult>, ClientError> {
        let results = self.describe_all_configs(resource_type, &[name.to_owned()], include_synonyms).await?;
        results.into_iter().next().map_or(Ok(Vec::new()), |(_, result)| result)
    }

    /// The settings of several resources of a kind that every broker knows, or of one broker.
    ///
    /// # Errors
    /// No broker could be asked.
    pub async fn describe_all_configs(
        &self,
        resource_type: ConfigResourceType,
        names: &[String],
        include_synonyms: bool,
    ) -> Result<super::PerKey<String, Vec<DescribeConfigsResourceResult>>, ClientError> {
        let resource = |name: &String| DescribeConfigsResource {
            resource_type: resource_type as i8,
            resource_name: name.clone(),
            configuration_keys: None,
            ..Default::default()
        };
        let request = DescribeConfigsRequest {
            resources: names.iter().map(resource).collect(),
            include_synonyms,
            ..Default::default()
        };
        let broker = names.first().and_then(|name| resource_type.broker(name));
        let response = match broker {
            Some(broker) => self.client().send(broker, &request).await?,
            None => self.client().send_to_any(&request).await?,
        };
        let result = |result: protocol::messages::describe_configs_response::DescribeConfigsResult| {
            let message = result.error_message.as_deref();
            let outcome = checked(ApiKey::DescribeConfigs, result.error_code, message, result.configs);
            (result.resource_name, outcome)
        };
        Ok(response.results.into_iter().map(result).collect())
    }

    /// Changes settings of one resource, all or none.
    ///
    /// # Errors
    /// What the broker says, or that none could be asked.
    pub async fn incremental_alter_configs(
        &self,
        resource_type: ConfigResourceType,
        name: &str,
        changes: Vec<AlterConfigOp>,
    ) -> Result<(), ClientError> {
        let config = |change| {
            let (name, config_operation, value) = match change {
                AlterConfigOp::Set(name, value) => (name, 0, Some(value)),
                AlterConfigOp::Delete(name) => (name, 1, None),
                AlterConfigOp::Append(name, value) => (name, 2, Some(value)),
                AlterConfigOp::Subtract(name, value) => (name, 3, Some(value)),
            };
            AlterableConfig { name, config_operation, value, ..Default::default() }
        };
        let resource = AlterConfigsResource {
            resource_type: resource_type as i8,
            resource_name: name.to_owned(),
            configs: changes.into_iter().map(config).collect(),
            ..Default::default()
        };
        let request = IncrementalAlterConfigsRequest { resources: vec![resource], ..Default::default() };
        let response = match resource_type.broker(name) {
            Some(broker) => self.client().send(broker, &request).await?,
            None => self.client().send_to_any(&request).await?,
        };
        response.responses.into_iter().try_for_each(|result| {
            let message = result.error_message.as_deref();
            ClientError::check(ApiKey::IncrementalAlterConfigs, result.error_code, message)
        })
    }

    /// The names of resources that have settings of their own (KIP-1142).
    ///
    /// # Errors
    /// What the broker says, or that none could be asked.
    pub async fn list_config_resources(
        &self,
        resource_type: ConfigResourceType,
    ) -> Result<Vec<String>, ClientError> {
        let request =
            ListConfigResourcesRequest { resource_types: vec![resource_type as i8], ..Default::default() };
        let response = self.client().send_to_any(&request).await?;
        ClientError::check(ApiKey::ListConfigResources, response.error_code, None)?;
        let wanted =
            response.config_resources.into_iter().filter(|found| found.resource_type == resource_type as i8);
        Ok(wanted.map(|found| found.resource_name).collect())
    }
}
