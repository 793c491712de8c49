//! Metadata (key 3, v0-13). Brokers, topics and who leads their partitions.
//!
//! Topics that are asked for by name and do not exist are created first, where client and broker allow it; Kafka answers before
//! the creation is through and lets the client ask again. Ids since v10, nameless asking by id since v12 (KIP-516).
//!
//! The answer about all topics is encoded once for each state of the cluster: clients ask for it again and again, all at once
//! after every change.

use std::collections::BTreeMap;
use std::sync::Arc;

use metadata::{MetadataImage, NO_LEADER, PartitionRegistration, TopicImage};
use network::Outcome;
use protocol::messages::metadata_request::MetadataRequestTopic;
use protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use protocol::messages::{MetadataRequest, MetadataResponse};
use protocol::{ErrorCode, Uuid};

use crate::authorized_operations;
use crate::context::RequestContext;
use crate::metadata_view::AllTopics;

/// Answers for all topics or those asked for.
pub async fn answer(context: &RequestContext, request: MetadataRequest) -> Outcome {
    let brokers: Vec<_> = context.alive_brokers().into_iter().map(broker).collect();
    let all = match &request.topics {
        None => true,
        Some(topics) => context.api_version == 0 && topics.is_empty(),
    };
    if !all {
        let response = handle(context, request, brokers).await;
        return context.encode::<MetadataRequest>(&response);
    }
    let image = context.broker.metadata.image();
    let asked = AllTopics {
        version: context.api_version,
        topic_operations: request.include_topic_authorized_operations,
        cluster_operations: request.include_cluster_authorized_operations,
        brokers: brokers.clone(),
    };
    if let Some(encoded) = context.broker.metadata.answer(&image, &asked) {
        return Outcome::Reply(context.again(&encoded));
    }
    let topics = image.topics.iter().map(|topic| describe(&brokers, &image, topic)).collect();
    let response = complete(context, &request, topics, brokers);
    let outcome = context.encode::<MetadataRequest>(&response);
    if let Outcome::Reply(encoded) = &outcome {
        context.broker.metadata.keep_answer(&image, asked, encoded);
    }
    outcome
}

async fn handle(
    context: &RequestContext,
    request: MetadataRequest,
    brokers: Vec<MetadataResponseBroker>,
) -> MetadataResponse {
    if let Some(error) = malformed(context.api_version, request.topics.as_deref().unwrap_or_default()) {
        let asked = request.topics.unwrap_or_default().into_iter();
        let topics =
            asked.map(|topic| failed(Some(topic.name.unwrap_or_default()), topic.topic_id, error)).collect();
        return MetadataResponse { topics, ..Default::default() };
    }
    let asked = request.topics.as_deref().unwrap_or_default();
    let topics = describe_asked(context, &request, asked, &brokers).await;
    complete(context, &request, topics, brokers)
}

/// What the answer says beside the topics.
fn complete(
    context: &RequestContext,
    request: &MetadataRequest,
    topics: Vec<MetadataResponseTopic>,
    brokers: Vec<MetadataResponseBroker>,
) -> MetadataResponse {
    let mut response = MetadataResponse {
        cluster_id: Some(context.broker.cluster_id.clone()),
        controller_id: context.controller_for_clients(),
        topics,
        brokers,
        ..Default::default()
    };
    if request.include_topic_authorized_operations && context.api_version >= 8 {
        for topic in response.topics.iter_mut().filter(|topic| topic.error_code == ErrorCode::None.as_i16()) {
            topic.topic_authorized_operations = authorized_operations::TOPIC;
        }
    }
    if request.include_cluster_authorized_operations && (8..=10).contains(&context.api_version) {
        response.cluster_authorized_operations = authorized_operations::CLUSTER;
    }
    response
}

fn broker(endpoint: crate::context::Endpoint) -> MetadataResponseBroker {
    MetadataResponseBroker {
        node_id: endpoint.node_id,
        host: endpoint.host,
        port: endpoint.port,
        rack: endpoint.rack,
        ..Default::default()
    }
}

/// What Kafka refuses as a whole: no name before v12, and an id before v12.
fn malformed(api_version: i16, asked: &[MetadataRequestTopic]) -> Option<ErrorCode> {
    let wrong = |topic: &MetadataRequestTopic| {
        api_version < 12 && (topic.name.is_none() || topic.topic_id != Uuid::ZERO)
    };
    asked.iter().any(wrong).then_some(ErrorCode::InvalidRequest)
}

async fn describe_asked(
    context: &RequestContext,
    request: &MetadataRequest,
    asked: &[MetadataRequestTopic],
    brokers: &[MetadataResponseBroker],
) -> Vec<MetadataResponseTopic> {
    if asked.iter().any(|topic| topic.topic_id != Uuid::ZERO) {
        let image = context.broker.metadata.image();
        let ids = asked.iter().map(|topic| topic.topic_id).filter(|id| *id != Uuid::ZERO);
        return ids
            .map(|id| match image.topics.by_id(id) {
                Some(topic) => describe(brokers, &image, topic),
                None => failed(None, id, ErrorCode::UnknownTopicId),
            })
            .collect();
    }
    let mut names: Vec<&str> = asked.iter().filter_map(|topic| topic.name.as_deref()).collect();
    names.sort_unstable();
    names.dedup();
    let mut refused = BTreeMap::new();
    if request.allow_auto_topic_creation || context.api_version < 4 {
        refused = context.broker.topic_creation.create_missing(&names).await;
    }
    let image = context.broker.metadata.image();
    names
        .into_iter()
        .map(|name| match image.topics.by_name(name) {
            Some(topic) => describe(brokers, &image, topic),
            None => {
                let error = if controller::topics::names::check(name).is_ok() {
                    refused.get(name).copied().unwrap_or(ErrorCode::UnknownTopicOrPartition)
                } else {
                    ErrorCode::InvalidTopicException
                };
                failed(Some(name.to_string()), Uuid::ZERO, error)
            }
        })
        .collect()
}

fn failed(name: Option<String>, topic_id: Uuid, error: ErrorCode) -> MetadataResponseTopic {
    let is_internal = name.as_deref().is_some_and(controller::topics::names::is_internal);
    MetadataResponseTopic { error_code: error.as_i16(), name, topic_id, is_internal, ..Default::default() }
}

fn describe(
    brokers: &[MetadataResponseBroker],
    image: &MetadataImage,
    topic: &Arc<TopicImage>,
) -> MetadataResponseTopic {
    MetadataResponseTopic {
        error_code: ErrorCode::None.as_i16(),
        name: Some(topic.name().to_string()),
        topic_id: topic.id(),
        is_internal: controller::topics::names::is_internal(topic.name()),
        partitions: topic.partitions().map(|(index, now)| partition(brokers, image, index, now)).collect(),
        ..Default::default()
    }
}

fn partition(
    brokers: &[MetadataResponseBroker],
    image: &MetadataImage,
    partition_index: i32,
    now: &PartitionRegistration,
) -> MetadataResponsePartition {
    let offline_replicas: Vec<i32> =
        now.replicas.iter().copied().filter(|replica| !image.cluster.is_active(*replica)).collect();
    let leader_is_reached =
        now.leader != NO_LEADER && brokers.iter().any(|broker| broker.node_id == now.leader);
    MetadataResponsePartition {
        error_code: if leader_is_reached { ErrorCode::None } else { ErrorCode::LeaderNotAvailable }.as_i16(),
        partition_index,
        leader_id: if leader_is_reached { now.leader } else { NO_LEADER },
        leader_epoch: now.leader_epoch,
        replica_nodes: now.replicas.to_vec(),
        isr_nodes: now.isr.to_vec(),
        offline_replicas,
        ..Default::default()
    }
}
