//! Log directories of brokers.

use std::collections::BTreeMap;

use protocol::ApiKey;
use protocol::messages::alter_replica_log_dirs_request::{AlterReplicaLogDir, AlterReplicaLogDirTopic};
use protocol::messages::describe_log_dirs_request::DescribableLogDirTopic;
use protocol::messages::describe_log_dirs_response::DescribeLogDirsTopic;
use protocol::messages::{AlterReplicaLogDirsRequest, DescribeLogDirsRequest};

use super::{Admin, PerKey};
use crate::error::ClientError;
use crate::topic_partition::TopicPartition;

/// One log directory of a broker.
#[derive(Clone, Debug, PartialEq)]
pub struct LogDirDescription {
    /// Its path on the broker.
    pub path: String,
    /// Why it is offline, if it is.
    pub error: Option<ClientErrorText>,
    /// What lies in it.
    pub topics: Vec<DescribeLogDirsTopic>,
    /// Size of its volume in bytes; -1 where none is told.
    pub total_bytes: i64,
    /// Free bytes; -1 where none is told.
    pub usable_bytes: i64,
}

/// An error as a Java tool names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientErrorText {
    /// Kafka's error code.
    pub code: protocol::ErrorCode,
}

impl Admin {
    /// The log directories of a broker, with what they hold of these topics; of all topics if none is named.
    ///
    /// # Errors
    /// What the broker says, or that it could not be asked.
    pub async fn describe_log_dirs(
        &self,
        broker: i32,
        topics: Option<&BTreeMap<String, Vec<i32>>>,
    ) -> Result<Vec<LogDirDescription>, ClientError> {
        let topics = topics.map(|topics| {
            let topic = |(topic, partitions): (&String, &Vec<i32>)| DescribableLogDirTopic {
                topic: topic.clone(),
                partitions: partitions.clone(),
                ..Default::default()
            };
            topics.iter().map(topic).collect()
        });
        let request = DescribeLogDirsRequest { topics, ..Default::default() };
        let response = self.client().send(broker, &request).await?;
        ClientError::check(ApiKey::DescribeLogDirs, response.error_code, None)?;
        let directories = response.results.into_iter().map(|directory| LogDirDescription {
            path: directory.log_dir,
            error: protocol::ErrorCode::from_i16(directory.error_code)
                .filter(|code| !code.is_none())
                .map(|code| ClientErrorText { code }),
            topics: directory.topics,
            total_bytes: directory.total_bytes,
            usable_bytes: directory.usable_bytes,
        });
        Ok(directories.collect())
    }

    /// Moves replicas of a broker to other directories of it (KIP-113).
    ///
    /// # Errors
    /// The broker could not be asked.
    pub async fn alter_replica_log_dirs(
        &self,
        broker: i32,
        moves: &[(TopicPartition, String)],
    ) -> Result<PerKey<TopicPartition, ()>, ClientError> {
        let mut paths: BTreeMap<&str, BTreeMap<&str, Vec<i32>>> = BTreeMap::new();
        for (partition, path) in moves {
            let topics = paths.entry(path).or_default();
            topics.entry(&partition.topic).or_default().push(partition.partition);
        }
        let topic = |(name, partitions): (&str, Vec<i32>)| AlterReplicaLogDirTopic {
            name: name.to_owned(),
            partitions,
            ..Default::default()
        };
        let path = |(path, topics): (&str, BTreeMap<&str, Vec<i32>>)| AlterReplicaLogDir {
            path: path.to_owned(),
            topics: topics.into_iter().map(topic).collect(),
            ..Default::default()
        };
        let request =
            AlterReplicaLogDirsRequest { dirs: paths.into_iter().map(path).collect(), ..Default::default() };
        let response = self.client().send(broker, &request).await?;
        let mut results = Vec::new();
        for topic in response.results {
            for result in topic.partitions {
                let partition = TopicPartition::new(topic.topic_name.as_str(), result.partition_index);
                let outcome = ClientError::check(ApiKey::AlterReplicaLogDirs, result.error_code, None);
                results.push((partition, outcome));
            }
        }
        Ok(results)
    }
}
