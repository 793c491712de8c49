//! Topics that come into being because somebody asks for them: `auto.create.topics.enable`, and the internal ones.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::ErrorCode;
use protocol::messages::CreateTopicsRequest;
use protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use tracing::{info, warn};

use crate::broker_config::DynamicBrokerConfig;
use crate::controller_client::ControllerClient;
use crate::group_coordinator::CONSUMER_OFFSETS;
use crate::metadata_view::MetadataView;
use crate::share_coordinator::SHARE_GROUP_STATE;
use crate::transaction_coordinator::TRANSACTION_STATE;

/// Asks the controller for topics that are missing.
pub struct TopicCreation {
    controller: ControllerClient,
    metadata: Arc<MetadataView>,
    config: Arc<DynamicBrokerConfig>,
}

impl TopicCreation {
    /// Creates by way of `controller`.
    pub fn new(
        controller: ControllerClient,
        metadata: Arc<MetadataView>,
        config: Arc<DynamicBrokerConfig>,
    ) -> Self {
        TopicCreation { controller, metadata, config }
    }

    /// Creates those of `names` that do not exist, where the broker allows it, and waits until they are there. What could not
    /// be created comes back with its error.
    pub async fn create_missing(&self, names: &[&str]) -> BTreeMap<String, ErrorCode> {
        let image = self.metadata.image();
        let config = self.config.current();
        let missing: Vec<CreatableTopic> = names
            .iter()
            .filter(|name| image.topics.by_name(name).is_none())
            .filter(|name| controller::topics::names::check(name).is_ok())
            .filter(|name| config.topics.auto_create_topics_enable || is_created_on_demand(name))
            .map(|name| self.topic(name))
            .collect();
        if missing.is_empty() { BTreeMap::new() } else { self.create(missing).await }
    }

    /// Creates a coordinator's topic, whatever `auto.create.topics.enable` says.
    ///
    /// # Errors
    /// The controller's.
    pub async fn create_internal(&self, name: &str) -> Result<(), ErrorCode> {
        match self.create(vec![self.topic(name)]).await.into_values().next() {
            None | Some(ErrorCode::TopicAlreadyExists) => Ok(()),
            Some(error) => Err(error),
        }
    }

    /// Creates an application's internal topics. What could not be created comes back with its error.
    pub async fn create_for_streams(&self, topics: Vec<CreatableTopic>) -> BTreeMap<String, ErrorCode> {
        let mut refused = self.create(topics).await;
        refused.retain(|_, error| *error != ErrorCode::TopicAlreadyExists);
        refused
    }

    /// Creates a topic that takes the dead letters of share groups (KIP-1191).
    ///
    /// # Errors
    /// The controller's.
    pub async fn create_dead_letter_topic(&self, name: &str) -> Result<(), ErrorCode> {
        let setting = |name: &str, value: &str| CreatableTopicConfig {
            name: name.to_string(),
            value: Some(value.to_string()),
            ..Default::default()
        };
        let topic = CreatableTopic {
            name: name.to_string(),
            num_partitions: -1,
            replication_factor: -1,
            configs: vec![
                setting("errors.deadletterqueue.group.enable", "true"),
                setting("message.timestamp.type", "CreateTime"),
            ],
            ..Default::default()
        };
        self.create(vec![topic]).await.into_values().next().map_or(Ok(()), Err)
    }

    async fn create(&self, topics: Vec<CreatableTopic>) -> BTreeMap<String, ErrorCode> {
        let names: Vec<String> = topics.iter().map(|topic| topic.name.clone()).collect();
        let request = CreateTopicsRequest { topics, timeout_ms: 30_000, ..Default::default() };
        let response = self.controller.create_topics(request).await;
        let response = match response {
            Ok(response) => response,
            Err(error) => return names.into_iter().map(|name| (name, error)).collect(),
        };
        let mut refused = BTreeMap::new();
        for topic in response.topics {
            match ErrorCode::from_i16(topic.error_code).unwrap_or(ErrorCode::UnknownServerError) {
                ErrorCode::None => info!(topic = topic.name, "created the topic for whoever asked for it"),
                ErrorCode::TopicAlreadyExists => {}
                error => {
                    warn!(
                        topic = topic.name,
                        error = error.name(),
                        message = topic.error_message,
                        "not created"
                    );
                    refused.insert(topic.name, error);
                }
            }
        }
        refused
    }

    fn topic(&self, name: &str) -> CreatableTopic {
        let topic = CreatableTopic { name: name.to_string(), ..Default::default() };
        let config = self.config.current();
        let setting = |name: &str, value: String| CreatableTopicConfig {
            name: name.to_string(),
            value: Some(value),
            ..Default::default()
        };
        let compacted = setting("cleanup.policy", "compact".to_string());
        match name {
            CONSUMER_OFFSETS => CreatableTopic {
                num_partitions: config.groups.offsets_topic_num_partitions,
                replication_factor: config.groups.offsets_topic_replication_factor,
                configs: vec![
                    compacted,
                    setting("compression.type", "producer".to_string()),
                    setting("segment.bytes", config.groups.offsets_topic_segment_bytes.to_string()),
                ],
                ..topic
            },
            SHARE_GROUP_STATE => {
                let share = &config.share;
                CreatableTopic {
                    num_partitions: share.share_coordinator_state_topic_num_partitions,
                    replication_factor: share.share_coordinator_state_topic_replication_factor,
                    configs: vec![
                        setting("cleanup.policy", "delete".to_string()),
                        setting("compression.type", "producer".to_string()),
                        setting(
                            "segment.bytes",
                            share.share_coordinator_state_topic_segment_bytes.to_string(),
                        ),
                        setting(
                            "min.insync.replicas",
                            share.share_coordinator_state_topic_min_isr.to_string(),
                        ),
                        setting("retention.ms", "-1".to_string()),
                    ],
                    ..topic
                }
            }
            TRANSACTION_STATE => {
                let log = &config.transactions;
                CreatableTopic {
                    num_partitions: log.transaction_state_log_num_partitions,
                    replication_factor: log.transaction_state_log_replication_factor,
                    configs: vec![
                        setting("unclean.leader.election.enable", "false".to_string()),
                        setting("compression.type", "uncompressed".to_string()),
                        compacted,
                        setting("min.insync.replicas", log.transaction_state_log_min_isr.to_string()),
                        setting("segment.bytes", log.transaction_state_log_segment_bytes.to_string()),
                    ],
                    ..topic
                }
            }
            _ => CreatableTopic { num_partitions: -1, replication_factor: -1, ..topic },
        }
    }
}

fn is_created_on_demand(name: &str) -> bool {
    matches!(name, CONSUMER_OFFSETS | TRANSACTION_STATE | SHARE_GROUP_STATE)
}
