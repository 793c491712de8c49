//! Settings change while the cluster runs (IncrementalAlterConfigs 44, AlterConfigs 33).

mod broker_loggers;

use std::borrow::Cow;
use std::collections::BTreeMap;

use config::BrokerConfig;
use config::alter::{self, Operation, OperationKind, Refusal, RefusalCode, Resource};
use metadata::{ConfigResource, ConfigResourceType, MetadataImage};
use protocol::ErrorCode;
use protocol::messages::{
    AlterConfigsRequest, AlterConfigsResponse, IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse, alter_configs_request, alter_configs_response,
    incremental_alter_configs_request, incremental_alter_configs_response,
};
use protocol::metadata_records::{ClearElrRecord, ConfigRecord, MetadataRecord};

pub use broker_loggers::{LoggerChange, logger_changes};

use crate::result::{ApiError, ControllerResult, code_and_message};
use crate::settings::Controller;
use crate::topics::names;

/// The key that eligible leader replicas depend on.
pub(crate) const MIN_INSYNC_REPLICAS: &str = "min.insync.replicas";
const CORDONED_LOG_DIRS: &str = "cordoned.log.dirs";

/// Handles the resources of type BROKER_LOGGER: their broker's log levels, which are no metadata.
pub type AlterLoggers<'a> =
    &'a dyn Fn(&incremental_alter_configs_request::AlterConfigsResource) -> Result<(), ApiError>;

fn refusal(refusal: Refusal) -> ApiError {
    let code = match refusal.code {
        RefusalCode::InvalidConfig => ErrorCode::InvalidConfig,
        RefusalCode::InvalidRequest => ErrorCode::InvalidRequest,
    };
    ApiError::new(code, refusal.message)
}

fn invalid_request(message: impl Into<String>) -> ApiError {
    ApiError::new(ErrorCode::InvalidRequest, message)
}

/// What the table of keys calls the resource; log levels have none.
fn kind_of(resource_type: ConfigResourceType) -> Option<Resource> {
    match resource_type {
        ConfigResourceType::Topic => Some(Resource::Topic),
        ConfigResourceType::Broker => Some(Resource::Broker),
        ConfigResourceType::ClientMetrics => Some(Resource::ClientMetrics),
        ConfigResourceType::Group => Some(Resource::Group),
        ConfigResourceType::BrokerLogger => None,
    }
}

impl Controller {
    /// This node's configuration with what administrators changed.
    pub(crate) fn broker_config(&self, image: &MetadataImage) -> Cow<'_, BrokerConfig> {
        let cluster = image.configs.of(&ConfigResource::default_broker());
        let broker = image.configs.of(&ConfigResource::broker(self.settings.node_id));
        if cluster.is_empty() && broker.is_empty() {
            return Cow::Borrowed(&self.settings.config);
        }
        Cow::Owned(self.settings.config.with_altered(cluster, broker))
    }

    /// A topic's setting in effect, as text: its own, this broker's, all brokers', the file's, the default.
    pub(crate) fn topic_setting<'a>(
        &'a self,
        image: &'a MetadataImage,
        topic: &str,
        name: &str,
    ) -> Option<Cow<'a, str>> {
        if let Some(own) = image.configs.of_topic(topic).get(name) {
            return Some(Cow::Borrowed(own));
        }
        let key = config::topic::key(name)?;
        let layers = [
            image.configs.of(&ConfigResource::broker(self.settings.node_id)),
            image.configs.of(&ConfigResource::default_broker()),
            &self.settings.config.layers.fixed,
        ];
        for layer in layers {
            let found = key.synonyms.iter().find_map(|s| Some((s, layer.get(s.name)?)));
            if let Some((synonym, text)) = found {
                return Some(match synonym.unit {
                    config::Unit::Same => Cow::Borrowed(text.as_str()),
                    unit => Cow::Owned(unit.convert(text)),
                });
            }
        }
        key.default_text().map(Cow::Borrowed)
    }

    /// Changes single settings. `receiving_broker` is the broker that the client sent the request to: only it can
    /// check its own settings. Resources of type BROKER_LOGGER go to `alter_loggers`.
    pub fn incremental_alter_configs(
        &self,
        image: &MetadataImage,
        request: &IncrementalAlterConfigsRequest,
        receiving_broker: i32,
        alter_loggers: AlterLoggers<'_>,
    ) -> ControllerResult<IncrementalAlterConfigsResponse> {
        let config = self.broker_config(image);
        let mut records = Vec::new();
        let mut responses = Vec::new();
        for resource in &request.resources {
            let (resource_type, name) = (resource.resource_type, resource.resource_name.as_str());
            let same = |other: &incremental_alter_configs_request::AlterConfigsResource| {
                other.resource_type == resource_type && other.resource_name == name
            };
            let outcome = if request.resources.iter().filter(|other| same(other)).count() > 1 {
                Err(invalid_request("Each resource must appear at most once."))
            } else if resource_type == ConfigResourceType::BrokerLogger.code() {
                alter_loggers(resource).map(|()| Vec::new())
            } else {
                operations(resource).and_then(|operations| {
                    let resource = self.resource(resource_type, name, receiving_broker)?;
                    self.alter_resource(image, &config, &resource, &operations, false)
                })
            };
            let (error_code, error_message) = code_and_message(&outcome);
            responses.push(incremental_alter_configs_response::AlterConfigsResourceResponse {
                error_code,
                error_message,
                resource_type,
                resource_name: name.to_owned(),
                ..Default::default()
            });
            records.extend(outcome.unwrap_or_default());
        }
        let response = IncrementalAlterConfigsResponse { responses, ..Default::default() };
        ControllerResult::new(records, response).validate_only(request.validate_only)
    }

    /// Replaces all settings of resources: what the request does not name goes back to its default.
    pub fn alter_configs(
        &self,
        image: &MetadataImage,
        request: &AlterConfigsRequest,
        receiving_broker: i32,
    ) -> ControllerResult<AlterConfigsResponse> {
        let config = self.broker_config(image);
        let mut records = Vec::new();
        let mut responses = Vec::new();
        for resource in &request.resources {
            let (resource_type, name) = (resource.resource_type, resource.resource_name.as_str());
            let same = |other: &alter_configs_request::AlterConfigsResource| {
                other.resource_type == resource_type && other.resource_name == name
            };
            let outcome = if request.resources.iter().filter(|other| same(other)).count() > 1 {
                Err(invalid_request("Each resource must appear at most once."))
            } else {
                self.resource(resource_type, name, receiving_broker).and_then(|target| {
                    let operations = replacing(image, &target, resource);
                    self.alter_resource(image, &config, &target, &operations, false)
                })
            };
            let (error_code, error_message) = code_and_message(&outcome);
            responses.push(alter_configs_response::AlterConfigsResourceResponse {
                error_code,
                error_message,
                resource_type,
                resource_name: name.to_owned(),
                ..Default::default()
            });
            records.extend(outcome.unwrap_or_default());
        }
        let response = AlterConfigsResponse { responses, ..Default::default() };
        ControllerResult::new(records, response).validate_only(request.validate_only)
    }

    /// The resource that a request names, if it can have settings and this broker can check them.
    fn resource(
        &self,
        resource_type: i8,
        name: &str,
        receiving_broker: i32,
    ) -> Result<ConfigResource, ApiError> {
        let known = ConfigResourceType::from_code(resource_type).filter(|known| kind_of(*known).is_some());
        let known = known.ok_or_else(|| invalid_request(format!("Unknown resource type {resource_type}")))?;
        if known == ConfigResourceType::Broker && !name.is_empty() {
            let Ok(id) = name.parse::<i32>() else {
                return Err(invalid_request(format!("Node id must be an integer, but it is: {name}")));
            };
            if id != receiving_broker {
                let message =
                    format!("Unexpected broker id, expected {receiving_broker}, but received {name}");
                return Err(invalid_request(message));
            }
        }
        Ok(ConfigResource::new(known, name))
    }

    /// The records of changes to one resource; `is_new` if its topic is about to be created.
    pub(crate) fn alter_resource(
        &self,
        image: &MetadataImage,
        config: &BrokerConfig,
        resource: &ConfigResource,
        operations: &[Operation],
        is_new: bool,
    ) -> Result<Vec<MetadataRecord>, ApiError> {
        let Some(kind) = kind_of(resource.resource_type) else {
            return Err(invalid_request(format!("Unknown resource type {}", resource.resource_type.code())));
        };
        let current = image.configs.of(resource);
        let changes = alter::apply(kind, current, operations).map_err(refusal)?;
        check_min_insync_replicas(image, resource, &changes)?;
        check_cordoned(image, resource, &changes)?;
        self.check_resource(image, config, resource, &alter::applied(current, &changes))?;
        if !is_new {
            self.check_exists(image, resource)?;
        }
        let mut records: Vec<MetadataRecord> = changes
            .iter()
            .map(|(name, value)| {
                MetadataRecord::Config(ConfigRecord {
                    resource_type: resource.resource_type.code(),
                    resource_name: resource.name.clone(),
                    name: name.clone(),
                    value: value.clone(),
                    ..Default::default()
                })
            })
            .collect();
        if image.is_elr_enabled() && changes.contains_key(MIN_INSYNC_REPLICAS) {
            // Who is eligible was judged by the old number. The empty name means every topic.
            let is_topic = resource.resource_type == ConfigResourceType::Topic;
            let topic_name = if is_topic { resource.name.clone() } else { String::new() };
            records.push(MetadataRecord::ClearElr(ClearElrRecord { topic_name, ..Default::default() }));
        }
        Ok(records)
    }

    fn check_resource(
        &self,
        image: &MetadataImage,
        config: &BrokerConfig,
        resource: &ConfigResource,
        configs: &metadata::ResourceConfigs,
    ) -> Result<(), ApiError> {
        let name = resource.name.as_str();
        match resource.resource_type {
            ConfigResourceType::Topic if name.is_empty() => {
                Err(invalid_request("Default topic resources are not allowed."))
            }
            ConfigResourceType::Topic => {
                names::check(name)
                    .map_err(|message| ApiError::new(ErrorCode::InvalidTopicException, message))?;
                alter::check_topic(config, configs).map_err(refusal)
            }
            ConfigResourceType::Broker => {
                // The cluster's settings are checked without this broker's own, which would hide them.
                let one_broker = !name.is_empty();
                let cluster = image.configs.of(&ConfigResource::default_broker());
                let without_own = self.settings.config.with_altered(cluster, &config::Properties::new());
                let base = if one_broker { config } else { &without_own };
                alter::check_broker(base, configs, one_broker).map_err(refusal)
            }
            ConfigResourceType::ClientMetrics => alter::check_client_metrics(name, configs).map_err(refusal),
            ConfigResourceType::Group if name.is_empty() => {
                Err(invalid_request("Default group resources are not allowed."))
            }
            ConfigResourceType::Group => alter::check_group(config, configs).map_err(refusal),
            ConfigResourceType::BrokerLogger => Ok(()),
        }
    }

    fn check_exists(&self, image: &MetadataImage, resource: &ConfigResource) -> Result<(), ApiError> {
        let name = resource.name.as_str();
        match resource.resource_type {
            ConfigResourceType::Topic if image.topics.by_name(name).is_none() => Err(ApiError::new(
                ErrorCode::UnknownTopicOrPartition,
                format!("The topic '{name}' does not exist."),
            )),
            ConfigResourceType::Broker if !name.is_empty() => {
                let id: i32 =
                    name.parse().map_err(|_| invalid_request(format!("Invalid broker name {name}")))?;
                let known = image.cluster.broker(id).is_some() || self.settings.quorum_node_ids.contains(&id);
                let unknown = || {
                    ApiError::new(ErrorCode::BrokerIdNotRegistered, format!("No node with id {id} found."))
                };
                if known { Ok(()) } else { Err(unknown()) }
            }
            _ => Ok(()),
        }
    }
}

/// The operations that a request has for a resource.
fn operations(
    resource: &incremental_alter_configs_request::AlterConfigsResource,
) -> Result<Vec<Operation>, ApiError> {
    let operation = |config: &incremental_alter_configs_request::AlterableConfig| {
        let code = config.config_operation;
        let kind = OperationKind::from_code(code)
            .ok_or_else(|| invalid_request(format!("Unknown operations type {code}")))?;
        Ok(Operation { name: config.name.clone(), kind, value: config.value.clone() })
    };
    resource.configs.iter().map(operation).collect()
}

/// The operations that leave a resource with exactly the settings of the request.
fn replacing(
    image: &MetadataImage,
    target: &ConfigResource,
    resource: &alter_configs_request::AlterConfigsResource,
) -> Vec<Operation> {
    let set = resource.configs.iter().map(|config| Operation {
        name: config.name.clone(),
        kind: OperationKind::Set,
        value: config.value.clone(),
    });
    let gone = image
        .configs
        .of(target)
        .keys()
        .filter(|name| resource.configs.iter().all(|config| config.name != **name))
        .map(|name| Operation { name: name.clone(), kind: OperationKind::Delete, value: None });
    set.chain(gone).collect()
}

/// With eligible leader replicas, the cluster has one `min.insync.replicas` and single brokers have none.
fn check_min_insync_replicas(
    image: &MetadataImage,
    resource: &ConfigResource,
    changes: &BTreeMap<String, Option<String>>,
) -> Result<(), ApiError> {
    let Some(value) = changes.get(MIN_INSYNC_REPLICAS) else { return Ok(()) };
    if !image.is_elr_enabled() || resource.resource_type != ConfigResourceType::Broker {
        return Ok(());
    }
    let refuse = |message: &str| Err(ApiError::new(ErrorCode::InvalidConfig, message));
    if !resource.name.is_empty() {
        return refuse("Broker-level min.insync.replicas cannot be altered while ELR is enabled.");
    }
    if value.is_none() {
        return refuse("Cluster-level min.insync.replicas cannot be removed while ELR is enabled.");
    }
    Ok(())
}

fn check_cordoned(
    image: &MetadataImage,
    resource: &ConfigResource,
    changes: &BTreeMap<String, Option<String>>,
) -> Result<(), ApiError> {
    let version = image.write_options().metadata_version;
    if resource.resource_type == ConfigResourceType::Broker
        && changes.contains_key(CORDONED_LOG_DIRS)
        && !version.supports_cordoned_log_dirs()
    {
        return Err(ApiError::new(
            ErrorCode::InvalidConfig,
            "The cordoned.log.dirs configuration value cannot be set because it requires metadata.version >= 4.3-IV0",
        ));
    }
    Ok(())
}
