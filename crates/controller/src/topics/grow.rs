//! CreatePartitions (key 37, v0-3): topics get more partitions, never fewer.

use std::collections::{BTreeSet, HashMap};

use metadata::MetadataImage;
use protocol::ErrorCode;
use protocol::messages::create_partitions_request::CreatePartitionsTopic;
use protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use protocol::messages::{CreatePartitionsRequest, CreatePartitionsResponse};
use protocol::metadata_records::MetadataRecord;

use super::{
    ALL_FENCED, PARTITIONS_PER_REQUEST_MAX, all_fenced_in_assignment, cannot_replicate,
    check_manual_assignment, new_partition, partition_record, usable_brokers,
};
use crate::placement;
use crate::randomness::Randomness;
use crate::result::{ApiError, ControllerResult, code_and_message};
use crate::settings::Controller;

fn result(name: &str, outcome: &Result<Vec<MetadataRecord>, ApiError>) -> CreatePartitionsTopicResult {
    let (error_code, error_message) = code_and_message(outcome);
    CreatePartitionsTopicResult { name: name.to_owned(), error_code, error_message, ..Default::default() }
}

impl Controller {
    /// Adds partitions to topics: where it can be done, whatever becomes of the others. `can_alter` says whether the
    /// caller may change the topic.
    pub fn create_partitions(
        &self,
        image: &MetadataImage,
        request: &CreatePartitionsRequest,
        can_alter: &dyn Fn(&str) -> bool,
        randomness: &mut Randomness,
    ) -> ControllerResult<CreatePartitionsResponse> {
        let mut count: HashMap<&str, usize> = HashMap::new();
        request.topics.iter().for_each(|topic| *count.entry(&topic.name).or_default() += 1);
        let mut duplicates = BTreeSet::new();
        let mut results = Vec::new();
        let mut wanted = Vec::new();
        for topic in &request.topics {
            let name = topic.name.as_str();
            if count[name] == 1 {
                wanted.push(topic);
            } else if duplicates.insert(name) {
                let error = ApiError::new(ErrorCode::InvalidRequest, "Duplicate topic name.");
                results.push(result(name, &Err(error)));
            }
        }
        let mut records = Vec::new();
        let allowed: Vec<_> = wanted.iter().copied().filter(|topic| can_alter(&topic.name)).collect();
        let too_many = additional_partitions(image, &allowed) > PARTITIONS_PER_REQUEST_MAX;
        for topic in wanted {
            let outcome = if !can_alter(&topic.name) {
                Err(ApiError::silent(ErrorCode::TopicAuthorizationFailed))
            } else if too_many {
                let message = "Excessively large number of additional partitions per request.";
                Err(ApiError::new(ErrorCode::PolicyViolation, message))
            } else {
                self.grow_topic(image, topic, randomness)
            };
            results.push(result(&topic.name, &outcome));
            records.extend(outcome.unwrap_or_default());
        }
        let response = CreatePartitionsResponse { results, ..Default::default() };
        ControllerResult::new(records, response).validate_only(request.validate_only)
    }

    fn grow_topic(
        &self,
        image: &MetadataImage,
        wanted: &CreatePartitionsTopic,
        randomness: &mut Randomness,
    ) -> Result<Vec<MetadataRecord>, ApiError> {
        let name = &wanted.name;
        let unknown = || ApiError::silent(ErrorCode::UnknownTopicOrPartition);
        let topic = image.topics.by_name(name).ok_or_else(unknown)?;
        let present = topic.partition_count();
        let invalid = |message: String| Err(ApiError::new(ErrorCode::InvalidPartitions, message));
        let additional = i64::from(wanted.count) - i64::try_from(present).unwrap_or(i64::MAX);
        if additional == 0 {
            return invalid(format!("Topic already has {present} partition(s)."));
        }
        let Some(additional) = usize::try_from(additional).ok() else {
            return invalid(format!(
                "The topic {name} currently has {present} partition(s); {} would not be an increase.",
                wanted.count
            ));
        };
        let factor = topic.partitions().next().map_or(0, |(_, partition)| partition.replicas.len());
        let factor_on_wire = i16::try_from(factor).unwrap_or(i16::MAX);
        let mut partitions = Vec::new();
        if let Some(assignments) = &wanted.assignments {
            if assignments.len() != additional {
                return Err(ApiError::new(
                    ErrorCode::InvalidReplicaAssignment,
                    format!(
                        "Attempted to add {additional} additional partition(s), but only {} assignment(s) were \
                         specified.",
                        assignments.len()
                    ),
                ));
            }
            for (number, assignment) in (present..).zip(assignments) {
                check_manual_assignment(image, &assignment.broker_ids, Some(factor))?;
                let partition = new_partition(image, assignment.broker_ids.clone());
                let number = i64::try_from(number).unwrap_or(i64::MAX);
                partitions.push(partition.ok_or_else(|| all_fenced_in_assignment(number))?);
            }
        } else {
            let placed = placement::place(additional, factor_on_wire, &usable_brokers(image), randomness)
                .map_err(|why| ApiError::new(ErrorCode::InvalidReplicationFactor, why))?;
            for replicas in placed {
                let partition = new_partition(image, replicas);
                partitions.push(partition.ok_or_else(|| cannot_replicate(factor_on_wire, ALL_FENCED))?);
            }
        }
        let options = image.write_options();
        let first = i32::try_from(present).unwrap_or(i32::MAX);
        (first..)
            .zip(&partitions)
            .map(|(number, partition)| partition_record(&options, topic.id(), (number, partition)))
            .collect()
    }
}

fn additional_partitions(image: &MetadataImage, topics: &[&CreatePartitionsTopic]) -> i64 {
    let of_one = |topic: &&CreatePartitionsTopic| {
        let present = image.topics.by_name(&topic.name)?.partition_count();
        Some((i64::from(topic.count) - i64::try_from(present).ok()?).max(0))
    };
    topics.iter().filter_map(of_one).fold(0, i64::saturating_add)
}
