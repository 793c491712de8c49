//! CreateTopics (key 19, v2-7): validate-only, manual assignments, settings, defaults by KIP-464.

use std::cell::LazyCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use config::BrokerConfig;
use config::alter::{Operation, OperationKind};
use metadata::{ConfigResource, MetadataImage, PartitionRegistration};
use protocol::ErrorCode;
use protocol::messages::create_topics_request::CreatableTopic;
use protocol::messages::create_topics_response::{CreatableTopicConfigs, CreatableTopicResult};
use protocol::messages::{CreateTopicsRequest, CreateTopicsResponse};
use protocol::metadata_records::{MetadataRecord, TopicRecord};

use super::{
    ALL_FENCED, PARTITIONS_PER_REQUEST_MAX, RECORDS_PER_REQUEST_MAX, all_fenced_in_assignment,
    cannot_replicate, check_manual_assignment, names, new_partition, partition_record, usable_brokers,
};
use crate::placement;
use crate::randomness::Randomness;
use crate::result::{ApiError, ControllerResult};
use crate::settings::Controller;

/// What the caller may do with the topics of a request; without an authorizer, everything.
#[derive(Clone, Copy)]
pub struct TopicAccess<'a> {
    /// May create the topic.
    pub can_create: &'a dyn Fn(&str) -> bool,
    /// May see the topic's settings.
    pub can_describe_configs: &'a dyn Fn(&str) -> bool,
}

impl TopicAccess<'_> {
    /// Everything is allowed.
    pub const ALL: TopicAccess<'static> =
        TopicAccess { can_create: &|_| true, can_describe_configs: &|_| true };
}

fn refused(name: &str, error: ApiError) -> CreatableTopicResult {
    CreatableTopicResult {
        name: name.to_owned(),
        error_code: error.code.into(),
        error_message: error.message,
        ..Default::default()
    }
}

struct Created {
    records: Vec<MetadataRecord>,
    result: CreatableTopicResult,
}

impl Controller {
    /// Creates topics: those that are valid, whatever becomes of the others.
    pub fn create_topics(
        &self,
        image: &MetadataImage,
        request: &CreateTopicsRequest,
        access: TopicAccess<'_>,
        randomness: &mut Randomness,
    ) -> ControllerResult<CreateTopicsResponse> {
        let mut count: HashMap<&str, usize> = HashMap::new();
        request.topics.iter().for_each(|topic| *count.entry(&topic.name).or_default() += 1);
        let mut duplicates = BTreeSet::new();
        let mut refusals = Vec::new();
        let mut wanted = Vec::new();
        for topic in &request.topics {
            let name = topic.name.as_str();
            if duplicates.contains(name) {
                continue;
            }
            let invalid = |message: &str| refused(name, ApiError::new(ErrorCode::InvalidRequest, message));
            if count[name] > 1 {
                duplicates.insert(name);
                refusals.push(invalid("Duplicate topic name."));
            } else if name == names::CLUSTER_METADATA {
                refusals.push(invalid("Creation of internal topic __cluster_metadata is prohibited."));
            } else if !(access.can_create)(name) {
                let error = ApiError::new(ErrorCode::TopicAuthorizationFailed, "Authorization failed.");
                refusals.push(refused(name, error));
            } else {
                wanted.push(topic);
            }
        }
        let config = self.broker_config(image);
        let inherited = LazyCell::new(|| configs_of_new_topic(&config, &CreatableTopic::default()));
        let mut records = Vec::new();
        let mut results = Vec::new();
        let mut too_large = (self.partitions_wanted(&wanted) > PARTITIONS_PER_REQUEST_MAX)
            .then_some("Excessively large number of partitions per request.");
        for topic in &wanted {
            if too_large.is_some() {
                break;
            }
            match self.create_topic(image, &config, topic, randomness) {
                Ok(mut created) => {
                    if (access.can_describe_configs)(&topic.name) {
                        let configs = match topic.configs.is_empty() {
                            true => inherited.clone(),
                            false => configs_of_new_topic(&config, topic),
                        };
                        created.result.configs = Some(configs);
                    } else {
                        hide_configs(&mut created.result);
                    }
                    records.extend(created.records);
                    results.push(created.result);
                }
                Err(error) => results.push(refused(&topic.name, error)),
            }
            if records.len() > RECORDS_PER_REQUEST_MAX {
                too_large = Some("Unable to perform excessively large batch operation.");
            }
        }
        if let Some(why) = too_large {
            // Kafka refuses such a request as a whole.
            records.clear();
            let error = ApiError::new(ErrorCode::PolicyViolation, why);
            results = wanted.iter().map(|topic| refused(&topic.name, error.clone())).collect();
        }
        results.extend(refusals);
        let response = CreateTopicsResponse { topics: results, ..Default::default() };
        ControllerResult::new(records, response).validate_only(request.validate_only)
    }

    fn partitions_wanted(&self, topics: &[&CreatableTopic]) -> i64 {
        let of_one = |topic: &&CreatableTopic| match (topic.assignments.len(), topic.num_partitions) {
            (0, -1) => i64::from(self.settings.config.topics.num_partitions),
            (0, count) => i64::from(count.max(0)),
            (assignments, _) => i64::try_from(assignments).unwrap_or(i64::MAX),
        };
        topics.iter().map(of_one).fold(0, i64::saturating_add)
    }

    fn create_topic(
        &self,
        image: &MetadataImage,
        config: &BrokerConfig,
        topic: &CreatableTopic,
        randomness: &mut Randomness,
    ) -> Result<Created, ApiError> {
        let name = topic.name.as_str();
        check_name(image, name)?;
        let config_records = self.new_topic_configs(image, config, topic)?;
        let partitions = if topic.assignments.is_empty() {
            self.place_partitions(image, topic, randomness)?
        } else {
            assigned_partitions(image, topic)?
        };
        let topic_id = randomness.uuid();
        let options = image.write_options();
        let mut records = vec![MetadataRecord::Topic(TopicRecord {
            name: name.to_owned(),
            topic_id,
            ..Default::default()
        })];
        records.extend(config_records);
        for (number, partition) in (0..).zip(&partitions) {
            records.push(partition_record(&options, topic_id, (number, partition))?);
        }
        let replicas = partitions.first().map_or(0, |partition| partition.replicas.len());
        let result = CreatableTopicResult {
            name: name.to_owned(),
            topic_id,
            error_code: ErrorCode::None.into(),
            error_message: None,
            num_partitions: i32::try_from(partitions.len()).unwrap_or(i32::MAX),
            replication_factor: i16::try_from(replicas).unwrap_or(i16::MAX),
            ..Default::default()
        };
        Ok(Created { records, result })
    }

    /// The records of the settings that a topic is created with.
    fn new_topic_configs(
        &self,
        image: &MetadataImage,
        config: &BrokerConfig,
        topic: &CreatableTopic,
    ) -> Result<Vec<MetadataRecord>, ApiError> {
        let nulls: Vec<&str> = topic
            .configs
            .iter()
            .filter(|config| config.value.is_none())
            .map(|config| config.name.as_str())
            .collect();
        if !nulls.is_empty() {
            return Err(ApiError::new(
                ErrorCode::InvalidConfig,
                format!("Null value not supported for topic configs: {}", nulls.join(",")),
            ));
        }
        // The last of equal keys wins, as everywhere.
        let settings: BTreeMap<&str, &Option<String>> =
            topic.configs.iter().map(|config| (config.name.as_str(), &config.value)).collect();
        if settings.is_empty() {
            return Ok(Vec::new());
        }
        let set = |(name, value): (&str, &Option<String>)| Operation {
            name: name.to_owned(),
            kind: OperationKind::Set,
            value: value.clone(),
        };
        let operations: Vec<Operation> = settings.into_iter().map(set).collect();
        let resource = ConfigResource::topic(topic.name.clone());
        self.alter_resource(image, config, &resource, &operations, true)
    }

    fn place_partitions(
        &self,
        image: &MetadataImage,
        topic: &CreatableTopic,
        randomness: &mut Randomness,
    ) -> Result<Vec<PartitionRegistration>, ApiError> {
        if topic.replication_factor < -1 || topic.replication_factor == 0 {
            return Err(ApiError::new(
                ErrorCode::InvalidReplicationFactor,
                "Replication factor must be larger than 0, or -1 to use the default value.",
            ));
        }
        if topic.num_partitions < -1 || topic.num_partitions == 0 {
            return Err(ApiError::new(
                ErrorCode::InvalidPartitions,
                "Number of partitions was set to an invalid non-positive value.",
            ));
        }
        let defaults = &self.settings.config.topics;
        let count = if topic.num_partitions == -1 { defaults.num_partitions } else { topic.num_partitions };
        let factor = match topic.replication_factor {
            -1 => i16::try_from(defaults.default_replication_factor).unwrap_or(i16::MAX),
            factor => factor,
        };
        let count = usize::try_from(count).unwrap_or(0);
        let placed = placement::place(count, factor, &usable_brokers(image), randomness)
            .map_err(|why| cannot_replicate(factor, &why))?;
        placed
            .into_iter()
            .map(|replicas| {
                new_partition(image, replicas).ok_or_else(|| cannot_replicate(factor, ALL_FENCED))
            })
            .collect()
    }
}

/// Leaves out of the answer what only those see who may describe the topic's settings.
fn hide_configs(result: &mut CreatableTopicResult) {
    let default = CreatableTopicResult::default();
    result.num_partitions = default.num_partitions;
    result.replication_factor = default.replication_factor;
    result.configs = default.configs;
    result.topic_config_error_code = ErrorCode::TopicAuthorizationFailed.into();
}

/// Every setting in effect for a topic that is about to be, as CreateTopics answers them.
fn configs_of_new_topic(broker: &BrokerConfig, topic: &CreatableTopic) -> Vec<CreatableTopicConfigs> {
    let own = topic
        .configs
        .iter()
        .filter_map(|config| Some((config.name.clone(), config.value.clone()?)))
        .collect();
    let mut described = config::describe::topic(broker, &own);
    described.sort_by(|a, b| a.name.cmp(&b.name));
    described
        .into_iter()
        .map(|description| CreatableTopicConfigs {
            name: description.name,
            value: description.value,
            read_only: description.read_only,
            config_source: description.source.code(),
            is_sensitive: description.sensitive,
            ..Default::default()
        })
        .collect()
}

fn check_name(image: &MetadataImage, name: &str) -> Result<(), ApiError> {
    if image.topics.by_name(name).is_some() {
        let message = format!("Topic '{name}' already exists.");
        return Err(ApiError::new(ErrorCode::TopicAlreadyExists, message));
    }
    if let Some(other) = names::colliding(image, name) {
        let message = format!("Topic '{name}' collides with existing topic: {other}");
        return Err(ApiError::new(ErrorCode::InvalidTopicException, message));
    }
    names::check(name).map_err(|message| ApiError::new(ErrorCode::InvalidTopicException, message))
}

fn assigned_partitions(
    image: &MetadataImage,
    topic: &CreatableTopic,
) -> Result<Vec<PartitionRegistration>, ApiError> {
    let manual_but = |what: &str| {
        let message = format!("A manual partition assignment was specified, but {what} was not set to -1.");
        Err(ApiError::new(ErrorCode::InvalidRequest, message))
    };
    if topic.replication_factor != -1 {
        return manual_but("replication factor");
    }
    if topic.num_partitions != -1 {
        return manual_but("numPartitions");
    }
    let mut partitions = BTreeMap::new();
    let mut replication_factor = None;
    for assignment in &topic.assignments {
        let number = assignment.partition_index;
        if partitions.contains_key(&number) {
            let message = format!("Found multiple manual partition assignments for partition {number}");
            return Err(ApiError::new(ErrorCode::InvalidReplicaAssignment, message));
        }
        check_manual_assignment(image, &assignment.broker_ids, replication_factor)?;
        replication_factor = Some(assignment.broker_ids.len());
        let partition = new_partition(image, assignment.broker_ids.clone())
            .ok_or_else(|| all_fenced_in_assignment(number.into()))?;
        partitions.insert(number, partition);
    }
    if !(0..).zip(partitions.keys()).all(|(expected, number)| expected == *number) {
        return Err(ApiError::new(
            ErrorCode::InvalidReplicaAssignment,
            "partitions should be a consecutive 0-based integer sequence",
        ));
    }
    Ok(partitions.into_values().collect())
}
