//! Partitions' leaders and replicas: elections and reassignments.

use std::collections::BTreeMap;

use protocol::ApiKey;
use protocol::messages::alter_partition_reassignments_request::{ReassignablePartition, ReassignableTopic};
use protocol::messages::elect_leaders_request::TopicPartitions;
use protocol::messages::list_partition_reassignments_request::ListPartitionReassignmentsTopics;
use protocol::messages::{
    AlterPartitionReassignmentsRequest, ElectLeadersRequest, ListPartitionReassignmentsRequest,
};

use super::{Admin, PerKey};
use crate::error::ClientError;
use crate::topic_partition::TopicPartition;

/// Who may be elected, with Kafka's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ElectionType {
    /// The first replica of the list, if it is in sync.
    Preferred = 0,
    /// The first live replica where none is in sync; records may be lost.
    Unclean = 1,
}

/// A reassignment under way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reassignment {
    /// All replicas now.
    pub replicas: Vec<i32>,
    /// Those that are being added.
    pub adding_replicas: Vec<i32>,
    /// Those that go when the others are in sync.
    pub removing_replicas: Vec<i32>,
}

impl Admin {
    /// Has leaders elected for these partitions, or for all of them. Partitions that need none are told only when named.
    ///
    /// # Errors
    /// What the controller says, or that it could not be asked.
    pub async fn elect_leaders(
        &self,
        election: ElectionType,
        partitions: Option<&[TopicPartition]>,
    ) -> Result<PerKey<TopicPartition, ()>, ClientError> {
        let topic_partitions = partitions.map(|partitions| {
            let topic = |(topic, partitions): (&str, Vec<i32>)| TopicPartitions {
                topic: topic.to_owned(),
                partitions,
                ..Default::default()
            };
            by_topic(partitions).into_iter().map(topic).collect()
        });
        let request = ElectLeadersRequest {
            election_type: election as i8,
            topic_partitions,
            timeout_ms: self.timeout_ms(),
            ..Default::default()
        };
        let response = self.client().send_to_controller(&request).await?;
        ClientError::check(ApiKey::ElectLeaders, response.error_code, None)?;
        let mut results = Vec::new();
        for topic in response.replica_election_results {
            for result in topic.partition_result {
                let partition = TopicPartition::new(topic.topic.as_str(), result.partition_id);
                let message = result.error_message.as_deref();
                results
                    .push((partition, ClientError::check(ApiKey::ElectLeaders, result.error_code, message)));
            }
        }
        Ok(results)
    }

    /// Starts reassignments to these replicas, or cancels those under way where none are named.
    ///
    /// # Errors
    /// What the controller says, or that it could not be asked.
    pub async fn alter_partition_reassignments(
        &self,
        reassignments: &BTreeMap<TopicPartition, Option<Vec<i32>>>,
        allow_replication_factor_change: bool,
    ) -> Result<PerKey<TopicPartition, ()>, ClientError> {
        let mut topics: BTreeMap<&str, Vec<ReassignablePartition>> = BTreeMap::new();
        for (partition, replicas) in reassignments {
            topics.entry(&partition.topic).or_default().push(ReassignablePartition {
                partition_index: partition.partition,
                replicas: replicas.clone(),
                ..Default::default()
            });
        }
        let topic = |(name, partitions): (&str, Vec<_>)| ReassignableTopic {
            name: name.to_owned(),
            partitions,
            ..Default::default()
        };
        let request = AlterPartitionReassignmentsRequest {
            timeout_ms: self.timeout_ms(),
            allow_replication_factor_change,
            topics: topics.into_iter().map(topic).collect(),
            ..Default::default()
        };
        let response = self.client().send_to_controller(&request).await?;
        let api = ApiKey::AlterPartitionReassignments;
        ClientError::check(api, response.error_code, response.error_message.as_deref())?;
        let mut results = Vec::new();
        for topic in response.responses {
            for result in topic.partitions {
                let partition = TopicPartition::new(topic.name.as_str(), result.partition_index);
                let message = result.error_message.as_deref();
                results.push((partition, ClientError::check(api, result.error_code, message)));
            }
        }
        Ok(results)
    }

    /// The reassignments under way, of these partitions or of all.
    ///
    /// # Errors
    /// What the controller says, or that it could not be asked.
    pub async fn list_partition_reassignments(
        &self,
        partitions: Option<&[TopicPartition]>,
    ) -> Result<BTreeMap<TopicPartition, Reassignment>, ClientError> {
        let topics = partitions.map(|partitions| {
            let topic = |(name, partition_indexes): (&str, Vec<i32>)| ListPartitionReassignmentsTopics {
                name: name.to_owned(),
                partition_indexes,
                ..Default::default()
            };
            by_topic(partitions).into_iter().map(topic).collect()
        });
        let request =
            ListPartitionReassignmentsRequest { timeout_ms: self.timeout_ms(), topics, ..Default::default() };
        let response = self.client().send_to_controller(&request).await?;
        let api = ApiKey::ListPartitionReassignments;
        ClientError::check(api, response.error_code, response.error_message.as_deref())?;
        let mut reassignments = BTreeMap::new();
        for topic in response.topics {
            for ongoing in topic.partitions {
                let partition = TopicPartition::new(topic.name.as_str(), ongoing.partition_index);
                let reassignment = Reassignment {
                    replicas: ongoing.replicas,
                    adding_replicas: ongoing.adding_replicas,
                    removing_replicas: ongoing.removing_replicas,
                };
                reassignments.insert(partition, reassignment);
            }
        }
        Ok(reassignments)
    }
}

fn by_topic(partitions: &[TopicPartition]) -> BTreeMap<&str, Vec<i32>> {
    let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for partition in partitions {
        topics.entry(&partition.topic).or_default().push(partition.partition);
    }
    topics
}
