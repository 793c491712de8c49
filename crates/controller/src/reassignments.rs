//! Replicas move between brokers (AlterPartitionReassignments 45, ListPartitionReassignments 46).

use metadata::{MetadataImage, PartitionRegistration, TopicImage};
use protocol::ErrorCode;
use protocol::messages::alter_partition_reassignments_request::ReassignablePartition;
use protocol::messages::alter_partition_reassignments_response::{
    ReassignablePartitionResponse, ReassignableTopicResponse,
};
use protocol::messages::list_partition_reassignments_response::{
    OngoingPartitionReassignment, OngoingTopicReassignment,
};
use protocol::messages::{
    AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse,
    ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse,
};
use protocol::metadata_records::{MetadataRecord, PartitionChangeRecord};

use crate::partition_change::Election;
use crate::reassignment::{Reassignment, Revert};
use crate::result::{ApiError, ControllerResult, code_and_message};
use crate::settings::Controller;
use crate::topics::check_manual_assignment;

impl Controller {
    /// Starts, changes and cancels reassignments.
    pub fn alter_partition_reassignments(
        &self,
        image: &MetadataImage,
        request: &AlterPartitionReassignmentsRequest,
    ) -> ControllerResult<AlterPartitionReassignmentsResponse> {
        let allow_factor_change = request.allow_replication_factor_change;
        let mut records = Vec::new();
        let mut responses = Vec::new();
        for topic in &request.topics {
            let mut partitions = Vec::new();
            for target in &topic.partitions {
                let outcome = self.reassign(image, &topic.name, target, allow_factor_change);
                let (error_code, error_message) = code_and_message(&outcome);
                records.extend(outcome.ok().flatten().map(MetadataRecord::PartitionChange));
                partitions.push(ReassignablePartitionResponse {
                    partition_index: target.partition_index,
                    error_code,
                    error_message,
                    ..Default::default()
                });
            }
            responses.push(ReassignableTopicResponse {
                name: topic.name.clone(),
                partitions,
                ..Default::default()
            });
        }
        let response = AlterPartitionReassignmentsResponse {
            allow_replication_factor_change: allow_factor_change,
            error_code: ErrorCode::None.into(),
            // Kafka's controller answers a request that names nothing without looking: the schema's default.
            error_message: responses.is_empty().then(String::new),
            responses,
            ..Default::default()
        };
        ControllerResult::new(records, response)
    }

    fn reassign(
        &self,
        image: &MetadataImage,
        name: &str,
        target: &ReassignablePartition,
        allow_factor_change: bool,
    ) -> Result<Option<PartitionChangeRecord>, ApiError> {
        let unknown = |message: String| ApiError::new(ErrorCode::UnknownTopicOrPartition, message);
        let number = target.partition_index;
        let topic = image.topics.by_name(name);
        let topic = topic.ok_or_else(|| unknown(format!("Unable to find a topic named {name}.")))?;
        let partition = topic.partition(number);
        let partition =
            partition.ok_or_else(|| unknown(format!("Unable to find partition {name}:{number}.")))?;
        match &target.replicas {
            None => self.cancel_reassignment(image, topic, (number, partition)),
            Some(replicas) => {
                check_manual_assignment(image, replicas, None)?;
                if !allow_factor_change {
                    check_factor_unchanged(partition, replicas)?;
                }
                Ok(self.start_reassignment(image, topic, (number, partition), replicas))
            }
        }
    }

    fn cancel_reassignment(
        &self,
        image: &MetadataImage,
        topic: &TopicImage,
        (number, partition): (i32, &PartitionRegistration),
    ) -> Result<Option<PartitionChangeRecord>, ApiError> {
        if !partition.is_reassigning() {
            return Err(ApiError::silent(ErrorCode::NoReassignmentInProgress));
        }
        let invalid = |message: String| ApiError::new(ErrorCode::InvalidReplicaAssignment, message);
        let revert = Revert::of(partition).ok_or_else(|| {
            invalid("Invalid replica assignment: addingReplicas contains all replicas.".to_owned())
        })?;
        let election = self.election_of(image, topic.name());
        if revert.unclean && election != Election::Unclean {
            return Err(invalid(format!(
                "Unable to revert partition assignment for {}:{number} because it would require an unclean leader \
                 election.",
                topic.name()
            )));
        }
        let is_active = |id| image.cluster.is_active(id);
        Ok(self.change_partition(image, topic, (number, partition), is_active, |change| {
            change.election = election;
            change.target_isr = revert.isr;
            change.target_replicas = revert.replicas;
            change.target_removing.clear();
            change.target_adding.clear();
        }))
    }

    fn start_reassignment(
        &self,
        image: &MetadataImage,
        topic: &TopicImage,
        (number, partition): (i32, &PartitionRegistration),
        replicas: &[i32],
    ) -> Option<PartitionChangeRecord> {
        let reassignment = Reassignment::between(&partition.replicas, replicas);
        let is_active = |id| image.cluster.is_active(id);
        self.change_partition(image, topic, (number, partition), is_active, |change| {
            change.target_replicas = reassignment.replicas;
            if !reassignment.removing.is_empty() {
                change.target_removing = reassignment.removing;
            }
            if !reassignment.adding.is_empty() {
                change.target_adding = reassignment.adding;
            }
        })
    }

    /// What is being reassigned: of the topics named, or of all.
    pub fn list_partition_reassignments(
        &self,
        image: &MetadataImage,
        request: &ListPartitionReassignmentsRequest,
    ) -> ListPartitionReassignmentsResponse {
        let ongoing = |number: i32, partition: &PartitionRegistration| {
            partition.is_reassigning().then(|| OngoingPartitionReassignment {
                partition_index: number,
                replicas: partition.replicas.to_vec(),
                adding_replicas: partition.adding_replicas.to_vec(),
                removing_replicas: partition.removing_replicas.to_vec(),
                ..Default::default()
            })
        };
        let of_topic = |topic: &TopicImage, partitions: Vec<OngoingPartitionReassignment>| {
            let name = topic.name().to_owned();
            (!partitions.is_empty()).then(|| OngoingTopicReassignment {
                name,
                partitions,
                ..Default::default()
            })
        };
        let topics = match &request.topics {
            None => image
                .topics
                .iter()
                .filter_map(|topic| {
                    of_topic(topic, topic.partitions().filter_map(|(n, p)| ongoing(n, p)).collect())
                })
                .collect(),
            Some(wanted) => wanted
                .iter()
                .filter_map(|wanted| {
                    let topic = image.topics.by_name(&wanted.name)?;
                    let numbers = wanted.partition_indexes.iter();
                    of_topic(topic, numbers.filter_map(|n| ongoing(*n, topic.partition(*n)?)).collect())
                })
                .collect(),
        };
        ListPartitionReassignmentsResponse {
            error_code: ErrorCode::None.into(),
            error_message: None,
            topics,
            ..Default::default()
        }
    }
}

/// The target must have as many replicas as the partition will have once a reassignment under way is done.
fn check_factor_unchanged(partition: &PartitionRegistration, target: &[i32]) -> Result<(), ApiError> {
    let staying = partition.replicas.iter().filter(|id| !partition.removing_replicas.contains(id)).count();
    if staying == target.len() {
        return Ok(());
    }
    let message = format!("The replication factor is changed from {staying} to {}", target.len());
    Err(ApiError::new(ErrorCode::InvalidReplicationFactor, message))
}
