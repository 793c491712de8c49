//! Topics: listed, described, created, grown, deleted.

use std::collections::BTreeMap;

use protocol::messages::create_partitions_request::{CreatePartitionsAssignment, CreatePartitionsTopic};
use protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use protocol::messages::delete_topics_request::DeleteTopicState;
use protocol::messages::describe_topic_partitions_request::TopicRequest;
use protocol::messages::metadata_request::MetadataRequestTopic;
use protocol::messages::{
    CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest, DescribeTopicPartitionsRequest,
    MetadataRequest,
};
use protocol::{ApiKey, ErrorCode, Uuid};

use super::{Admin, PerKey, checked};
use crate::error::ClientError;

/// The brokers of each new partition, leader first.
type Assignments = Vec<Vec<i32>>;

/// A topic by name and id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicListing {
    /// Its name.
    pub name: String,
    /// Its id; zero where brokers do not say it.
    pub id: Uuid,
    /// Whether it is Kafka's own.
    pub is_internal: bool,
}

/// A topic with its partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicDescription {
    /// Its name.
    pub name: String,
    /// Its id; zero where brokers do not say it.
    pub id: Uuid,
    /// Whether it is Kafka's own.
    pub is_internal: bool,
    /// Partitions by index.
    pub partitions: Vec<PartitionDescription>,
}

/// One partition of a described topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionDescription {
    /// Its index.
    pub partition: i32,
    /// The leader's broker id, if there is a leader.
    pub leader: Option<i32>,
    /// All replicas, the preferred leader first.
    pub replicas: Vec<i32>,
    /// Replicas in sync.
    pub isr: Vec<i32>,
    /// Eligible leader replicas (KIP-966); `None` where brokers do not say it.
    pub eligible_leader_replicas: Option<Vec<i32>>,
    /// The last known ones.
    pub last_known_eligible_leader_replicas: Option<Vec<i32>>,
}

/// A topic to be made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewTopic {
    /// Its name.
    pub name: String,
    /// How many partitions; the cluster's default if not given.
    pub partitions: Option<i32>,
    /// How many replicas of each; the cluster's default if not given.
    pub replication_factor: Option<i16>,
    /// The replicas of each partition, instead of the two numbers.
    pub assignments: BTreeMap<i32, Vec<i32>>,
    /// Settings that differ from the defaults.
    pub configs: BTreeMap<String, String>,
}

impl Admin {
    /// All topics, by name.
    ///
    /// # Errors
    /// No broker could be asked.
    pub async fn list_topics(&self) -> Result<Vec<TopicListing>, ClientError> {
        let request =
            MetadataRequest { topics: None, allow_auto_topic_creation: true, ..MetadataRequest::default() };
        let response = self.client().send_to_any(&request).await?;
        let topics = response.topics.into_iter().filter_map(|topic| {
            Some(TopicListing { name: topic.name?, id: topic.topic_id, is_internal: topic.is_internal })
        });
        let mut topics: Vec<_> = topics.collect();
        topics.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(topics)
    }

    /// Topics by name, page by page (KIP-966); by Metadata from brokers that have no such API.
    ///
    /// # Errors
    /// No broker could be asked.
    pub async fn describe_topics(
        &self,
        names: &[String],
        partitions_per_response: i32,
    ) -> Result<PerKey<String, TopicDescription>, ClientError> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        match self.describe_by_pages(names, partitions_per_response).await {
            Err(ClientError::UnsupportedVersion { .. }) => {
                let topics = names.iter().map(|name| MetadataRequestTopic {
                    name: Some(name.clone()),
                    ..MetadataRequestTopic::default()
                });
                self.describe_by_metadata(topics.collect(), |topic| topic.name.clone().unwrap_or_default())
                    .await
            }
            other => other,
        }
    }

    /// Topics by id.
    ///
    /// # Errors
    /// No broker could be asked.
    pub async fn describe_topics_by_id(
        &self,
        ids: &[Uuid],
    ) -> Result<PerKey<Uuid, TopicDescription>, ClientError> {
        let topics = ids.iter().map(|id| MetadataRequestTopic {
            topic_id: *id,
            name: None,
            ..MetadataRequestTopic::default()
        });
        self.describe_by_metadata(topics.collect(), |topic| topic.topic_id).await
    }

    async fn describe_by_pages(
        &self,
        names: &[String],
        limit: i32,
    ) -> Result<PerKey<String, TopicDescription>, ClientError> {
        let mut sorted = names.to_vec();
        sorted.sort();
        let topics = sorted.into_iter().map(|name| TopicRequest { name, ..TopicRequest::default() });
        let mut request = DescribeTopicPartitionsRequest {
            topics: topics.collect(),
            response_partition_limit: limit,
            ..DescribeTopicPartitionsRequest::default()
        };
        let mut described: PerKey<String, TopicDescription> = Vec::new();
        loop {
            let response = self.client().send_to_any(&request).await?;
            for topic in response.topics {
                let name = topic.name.unwrap_or_default();
                let partitions = topic.partitions.into_iter().map(|partition| PartitionDescription {
                    partition: partition.partition_index,
                    leader: Some(partition.leader_id).filter(|id| *id >= 0),
                    replicas: partition.replica_nodes,
                    isr: partition.isr_nodes,
                    eligible_leader_replicas: Some(partition.eligible_leader_replicas.unwrap_or_default()),
                    last_known_eligible_leader_replicas: Some(partition.last_known_elr.unwrap_or_default()),
                });
                let partitions: Vec<_> = partitions.collect();
                // A topic may go on where the page before it ended.
                if let Some((last, Ok(begun))) = described.last_mut()
                    && *last == name
                {
                    begun.partitions.extend(partitions);
                    continue;
                }
                let description = TopicDescription {
                    name: name.clone(),
                    id: topic.topic_id,
                    is_internal: topic.is_internal,
                    partitions,
                };
                let api = ApiKey::DescribeTopicPartitions;
                described.push((name, checked(api, topic.error_code, None, description)));
            }
            let Some(cursor) = response.next_cursor else { return Ok(described) };
            request.topics.retain(|topic| topic.name >= cursor.topic_name);
            request.cursor = Some(protocol::messages::describe_topic_partitions_request::Cursor {
                topic_name: cursor.topic_name,
                partition_index: cursor.partition_index,
                ..Default::default()
            });
        }
    }

    async fn describe_by_metadata<K>(
        &self,
        topics: Vec<MetadataRequestTopic>,
        key: impl Fn(&protocol::messages::metadata_response::MetadataResponseTopic) -> K,
    ) -> Result<PerKey<K, TopicDescription>, ClientError> {
        let request = MetadataRequest {
            topics: Some(topics),
            allow_auto_topic_creation: false,
            ..MetadataRequest::default()
        };
        let response = self.client().send_to_any(&request).await?;
        let describe = |topic: protocol::messages::metadata_response::MetadataResponseTopic| {
            let key = key(&topic);
            let partitions = topic.partitions.into_iter().map(|partition| PartitionDescription {
                partition: partition.partition_index,
                leader: Some(partition.leader_id).filter(|id| *id >= 0),
                replicas: partition.replica_nodes,
                isr: partition.isr_nodes,
                eligible_leader_replicas: None,
                last_known_eligible_leader_replicas: None,
            });
            let mut partitions: Vec<_> = partitions.collect();
            partitions.sort_by_key(|partition| partition.partition);
            let description = TopicDescription {
                name: topic.name.unwrap_or_default(),
                id: topic.topic_id,
                is_internal: topic.is_internal,
                partitions,
            };
            (key, checked(ApiKey::Metadata, topic.error_code, None, description))
        };
        Ok(response.topics.into_iter().map(describe).collect())
    }

    /// Makes topics; with `validate_only` it only says whether that would do.
    ///
    /// # Errors
    /// The controller could not be asked.
    pub async fn create_topics(
        &self,
        topics: Vec<NewTopic>,
        validate_only: bool,
    ) -> Result<PerKey<String, Uuid>, ClientError> {
        let topics = topics.into_iter().map(|topic| CreatableTopic {
            num_partitions: if topic.assignments.is_empty() { topic.partitions.unwrap_or(-1) } else { -1 },
            replication_factor: topic.replication_factor.unwrap_or(-1),
            name: topic.name,
            assignments: topic
                .assignments
                .into_iter()
                .map(|(partition_index, broker_ids)| CreatableReplicaAssignment {
                    partition_index,
                    broker_ids,
                    ..Default::default()
                })
                .collect(),
            configs: topic
                .configs
                .into_iter()
                .map(|(name, value)| CreatableTopicConfig { name, value: Some(value), ..Default::default() })
                .collect(),
            ..Default::default()
        });
        let request = CreateTopicsRequest {
            topics: topics.collect(),
            timeout_ms: self.timeout_ms(),
            validate_only,
            ..Default::default()
        };
        let response = self.client().send_to_controller(&request).await?;
        let result = |topic: protocol::messages::create_topics_response::CreatableTopicResult| {
            let message = topic.error_message.as_deref();
            let outcome = checked(ApiKey::CreateTopics, topic.error_code, message, topic.topic_id);
            (topic.name, outcome)
        };
        Ok(response.topics.into_iter().map(result).collect())
    }

    /// Raises the number of partitions of topics; the replicas of the new ones may be given.
    ///
    /// # Errors
    /// The controller could not be asked.
    pub async fn create_partitions(
        &self,
        topics: Vec<(String, i32, Option<Assignments>)>,
    ) -> Result<PerKey<String, ()>, ClientError> {
        let topics = topics.into_iter().map(|(name, count, assignments)| CreatePartitionsTopic {
            name,
            count,
            assignments: assignments.map(|assignments| {
                let assignment = |broker_ids| CreatePartitionsAssignment { broker_ids, ..Default::default() };
                assignments.into_iter().map(assignment).collect()
            }),
            ..Default::default()
        });
        let request = CreatePartitionsRequest {
            topics: topics.collect(),
            timeout_ms: self.timeout_ms(),
            ..Default::default()
        };
        let response = self.client().send_to_controller(&request).await?;
        let result = |topic: protocol::messages::create_partitions_response::CreatePartitionsTopicResult| {
            let message = topic.error_message.as_deref();
            let outcome = ClientError::check(ApiKey::CreatePartitions, topic.error_code, message);
            (topic.name, outcome)
        };
        Ok(response.results.into_iter().map(result).collect())
    }

    /// Deletes topics.
    ///
    /// # Errors
    /// The controller could not be asked.
    pub async fn delete_topics(&self, names: &[String]) -> Result<PerKey<String, ()>, ClientError> {
        let topics = names
            .iter()
            .map(|name| DeleteTopicState { name: Some(name.clone()), ..DeleteTopicState::default() });
        self.delete(topics.collect(), |topic| topic.name.clone().unwrap_or_default()).await
    }

    /// Removes topics by id.
    ///
    /// # Errors
    /// The controller could not be asked, or knows no ids.
    pub async fn delete_topics_by_id(&self, ids: &[Uuid]) -> Result<PerKey<Uuid, ()>, ClientError> {
        let topics = ids.iter().map(|id| DeleteTopicState { topic_id: *id, ..DeleteTopicState::default() });
        self.delete(topics.collect(), |topic| topic.topic_id).await
    }

    async fn delete<K>(
        &self,
        topics: Vec<DeleteTopicState>,
        key: impl Fn(&protocol::messages::delete_topics_response::DeletableTopicResult) -> K,
    ) -> Result<PerKey<K, ()>, ClientError> {
        let request = DeleteTopicsRequest {
            topics,
            topic_names: Vec::new(),
            timeout_ms: self.timeout_ms(),
            ..Default::default()
        };
        let response = self.client().send_to_controller(&request).await?;
        let result = |topic: protocol::messages::delete_topics_response::DeletableTopicResult| {
            let message = topic.error_message.as_deref();
            (key(&topic), ClientError::check(ApiKey::DeleteTopics, topic.error_code, message))
        };
        Ok(response.responses.into_iter().map(result).collect())
    }
}

/// Whether a name may be a topic's, and if not, why.
///
/// # Errors
/// `InvalidTopicException` with Kafka's reason.
pub fn validate_name(name: &str) -> Result<(), ClientError> {
    let reason = if name.is_empty() {
        "the empty string is not allowed".to_owned()
    } else if name == "." || name == ".." {
        format!("'{name}' is not allowed")
    } else if name.len() > 249 {
        format!("the length of '{name}' is longer than the max allowed length 249")
    } else if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)) {
        format!("'{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'")
    } else {
        return Ok(());
    };
    let message = format!("Topic name is invalid: {reason}");
    ClientError::check(ApiKey::Metadata, ErrorCode::InvalidTopicException.as_i16(), Some(&message))
}
