//! Elections that somebody asks for (ElectLeaders, key 43) and those that are due from time to time.

use std::sync::Arc;

use metadata::{MetadataImage, PartitionRegistration, TopicImage};
use protocol::ErrorCode;
use protocol::messages::elect_leaders_response::{PartitionResult, ReplicaElectionResult};
use protocol::messages::{ElectLeadersRequest, ElectLeadersResponse};
use protocol::metadata_records::{MetadataRecord, PartitionChangeRecord};

use crate::partition_change::Election;
use crate::result::{ApiError, ControllerResult, code_and_message};
use crate::settings::Controller;

/// How many elections one periodic task holds at once; it goes on right after, so that others get their turn.
pub const ELECTIONS_PER_STEP_MAX: usize = 1_000;

impl Controller {
    /// Elects preferred leaders, or leaders for partitions that have none; no partitions named means all of them.
    pub fn elect_leaders(
        &self,
        image: &MetadataImage,
        request: &ElectLeadersRequest,
    ) -> Result<ControllerResult<ElectLeadersResponse>, ApiError> {
        let election = match request.election_type {
            0 => Election::Preferred,
            1 => Election::Unclean,
            other => {
                let message = format!("Unknown election type {other}");
                return Err(ApiError::new(ErrorCode::InvalidRequest, message));
            }
        };
        let mut records = Vec::new();
        let mut elect = |topic: &str, partition: i32| {
            let outcome = self.elect_leader(image, topic, partition, election);
            let (error_code, error_message) = code_and_message(&outcome);
            records.extend(outcome.ok().map(MetadataRecord::PartitionChange));
            PartitionResult { partition_id: partition, error_code, error_message, ..Default::default() }
        };
        let mut results = Vec::new();
        match &request.topic_partitions {
            None => {
                let not_needed = i16::from(ErrorCode::ElectionNotNeeded);
                for topic in image.topics.iter() {
                    let outcomes = topic.partitions().map(|(number, _)| elect(topic.name(), number));
                    results.push(ReplicaElectionResult {
                        topic: topic.name().to_owned(),
                        partition_result: outcomes.filter(|r| r.error_code != not_needed).collect(),
                        ..Default::default()
                    });
                }
            }
            Some(topics) => {
                for topic in topics {
                    let outcomes = topic.partitions.iter().map(|number| elect(&topic.topic, *number));
                    results.push(ReplicaElectionResult {
                        topic: topic.topic.clone(),
                        partition_result: outcomes.collect(),
                        ..Default::default()
                    });
                }
            }
        }
        let response = ElectLeadersResponse {
            error_code: ErrorCode::None.into(),
            replica_election_results: results,
            ..Default::default()
        };
        Ok(ControllerResult::new(records, response))
    }

    fn elect_leader(
        &self,
        image: &MetadataImage,
        topic_name: &str,
        number: i32,
        election: Election,
    ) -> Result<PartitionChangeRecord, ApiError> {
        let unknown = |message: String| ApiError::new(ErrorCode::UnknownTopicOrPartition, message);
        let topic = image.topics.by_name(topic_name);
        let topic = topic.ok_or_else(|| unknown(format!("No such topic as {topic_name}")))?;
        let partition = topic.partition(number);
        let partition =
            partition.ok_or_else(|| unknown(format!("No such partition as {topic_name}-{number}")))?;
        let (needed, unavailable) = match election {
            Election::Unclean => (!partition.has_leader(), ErrorCode::EligibleLeadersNotAvailable),
            _ => (!partition.has_preferred_leader(), ErrorCode::PreferredLeaderNotAvailable),
        };
        if !needed {
            return Err(ApiError::of(ErrorCode::ElectionNotNeeded));
        }
        self.election_record(image, topic, (number, partition), election)
            .ok_or_else(|| ApiError::of(unavailable))
    }

    fn election_record(
        &self,
        image: &MetadataImage,
        topic: &TopicImage,
        (number, partition): (i32, &PartitionRegistration),
        election: Election,
    ) -> Option<PartitionChangeRecord> {
        let is_active = |id| image.cluster.is_active(id);
        self.change_partition(image, topic, (number, partition), is_active, |change| {
            change.election = election
        })
    }

    fn elections(
        &self,
        image: &MetadataImage,
        election: Election,
        is_due: impl Fn(&TopicImage, &PartitionRegistration) -> bool,
    ) -> ControllerResult<bool> {
        let partitions = image.topics.iter().flat_map(|topic| {
            topic.partitions().map(move |(number, partition)| (topic, number, Arc::as_ref(partition)))
        });
        let records: Vec<MetadataRecord> = partitions
            .filter(|(topic, _, partition)| is_due(topic, partition))
            .filter_map(|(topic, number, partition)| {
                self.election_record(image, topic, (number, partition), election)
            })
            .take(ELECTIONS_PER_STEP_MAX)
            .map(MetadataRecord::PartitionChange)
            .collect();
        let more = records.len() == ELECTIONS_PER_STEP_MAX;
        ControllerResult::new(records, more)
    }

    /// Gives leadership back to first replicas that can take it. The answer says whether there is more to do.
    pub fn balance_partition_leaders(&self, image: &MetadataImage) -> ControllerResult<bool> {
        self.elections(image, Election::Preferred, |_, partition| !partition.has_preferred_leader())
    }

    /// Elects leaders where there is none and the topic allows an unclean one. The answer says whether there is more.
    pub fn elect_unclean_leaders(&self, image: &MetadataImage) -> ControllerResult<bool> {
        self.elections(image, Election::Unclean, |topic, partition| {
            !partition.has_leader() && self.unclean_election_enabled(image, topic.name())
        })
    }
}
