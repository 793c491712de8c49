//! `kafka-topics --describe`.

use std::collections::BTreeMap;

use klamm_client::admin::{ConfigResourceType, PartitionDescription, Reassignment, TopicDescription};
use klamm_client::{Admin, ErrorCode, TopicPartition, Uuid};
use protocol::messages::describe_configs_response::DescribeConfigsResourceResult;
use serde_json::{Value, json};

use crate::command_line::{Arguments, Failure};
use crate::text::bold;

/// Sources of settings that are nobody's choice.
const DEFAULT_CONFIG: i8 = 5;

struct Filters {
    under_replicated: bool,
    unavailable: bool,
    under_min_isr: bool,
    at_min_isr: bool,
    overrides: bool,
}

impl Filters {
    fn shows_topics(&self) -> bool {
        !(self.under_replicated || self.unavailable || self.under_min_isr || self.at_min_isr)
    }
}

/// Prints the topics.
pub async fn run(admin: &Admin, arguments: &Arguments) -> Result<(), Failure> {
    let filters = Filters {
        under_replicated: arguments.has("under-replicated-partitions"),
        unavailable: arguments.has("unavailable-partitions"),
        under_min_isr: arguments.has("under-min-isr-partitions"),
        at_min_isr: arguments.has("at-min-isr-partitions"),
        overrides: arguments.has("topics-with-overrides"),
    };
    let topics = topics(admin, arguments).await?;
    if topics.is_empty() {
        if arguments.json() {
            println!("[]");
        }
        return Ok(());
    }
    let names: Vec<String> = topics.iter().map(|topic| topic.name.clone()).collect();
    let configs = admin.describe_all_configs(ConfigResourceType::Topic, &names, false).await?;
    let configs: BTreeMap<_, _> = configs.into_iter().collect();
    let live: Vec<i32> = admin.describe_cluster(false).await?.nodes.iter().map(|node| node.id).collect();
    let partitions: Vec<TopicPartition> = topics
        .iter()
        .flat_map(|topic| {
            topic
                .partitions
                .iter()
                .map(|partition| TopicPartition::new(topic.name.as_str(), partition.partition))
        })
        .collect();
    let reassignments = match admin.list_partition_reassignments(Some(&partitions)).await {
        Err(error)
            if matches!(
                error.code(),
                Some(ErrorCode::UnsupportedVersion | ErrorCode::ClusterAuthorizationFailed)
            ) =>
        {
            BTreeMap::new()
        }
        other => other?,
    };
    let mut shown = Vec::new();
    for topic in &topics {
        let config = match configs.get(&topic.name) {
            Some(Ok(config)) => config.as_slice(),
            Some(Err(error)) => return Err(error.clone().into()),
            None => &[],
        };
        let page = Page { topic, config, reassignments: &reassignments, live: &live, filters: &filters };
        match arguments.json() {
            true => shown.extend(page.json()),
            false => page.print(),
        }
    }
    if arguments.json() {
        println!("{}", Value::Array(shown));
    }
    Ok(())
}

async fn topics(admin: &Admin, arguments: &Arguments) -> Result<Vec<TopicDescription>, Failure> {
    let id = arguments.value("topic-id")?.map(str::parse::<Uuid>).transpose();
    let id = id.map_err(|_| Failure::refused("the topic id is no id"))?.filter(|id| *id != Uuid::ZERO);
    if let Some(id) = id {
        let is_known = admin.list_topics().await?.iter().any(|topic| topic.id == id);
        if !is_known && !arguments.has("if-exists") {
            return Err(Failure::refused(format!("TopicId '{id}' does not exist as expected")));
        }
        let ids = if is_known { vec![id] } else { Vec::new() };
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let described = admin.describe_topics_by_id(&ids).await?;
        return described.into_iter().map(|(_, topic)| Ok(topic?)).collect();
    }
    let names = super::existing(admin, arguments).await?;
    let limit = arguments.number("partition-size-limit-per-response")?.unwrap_or(2000);
    let described = admin.describe_topics(&names, limit).await?;
    described.into_iter().map(|(_, topic)| Ok(topic?)).collect()
}

struct Page<'a> {
    topic: &'a TopicDescription,
    config: &'a [DescribeConfigsResourceResult],
    reassignments: &'a BTreeMap<TopicPartition, Reassignment>,
    live: &'a [i32],
    filters: &'a Filters,
}

impl Page<'_> {
    fn overrides(&self) -> Vec<(&str, &str)> {
        let own = self.config.iter().filter(|entry| entry.config_source != DEFAULT_CONFIG);
        own.map(|entry| (entry.name.as_str(), entry.value.as_deref().unwrap_or("null"))).collect()
    }

    fn reassignment(&self, partition: &PartitionDescription) -> Option<&Reassignment> {
        let key = TopicPartition::new(self.topic.name.as_str(), partition.partition);
        self.reassignments.get(&key)
    }

    /// Replicas that are only on their way in do not count.
    fn replication_factor(&self, partition: &PartitionDescription) -> usize {
        match self.reassignment(partition) {
            Some(moving)
                if partition.replicas.iter().any(|id| {
                    moving.adding_replicas.contains(id) || moving.removing_replicas.contains(id)
                }) =>
            {
                moving.replicas.len().saturating_sub(moving.adding_replicas.len())
            }
            _ => partition.replicas.len(),
        }
    }

    fn min_isr(&self) -> usize {
        let entry = self.config.iter().find(|entry| entry.name == "min.insync.replicas");
        entry.and_then(|entry| entry.value.as_deref()?.parse().ok()).unwrap_or(1)
    }

    fn shows_topic(&self) -> bool {
        self.filters.shows_topics() && (!self.filters.overrides || !self.overrides().is_empty())
    }

    fn shows_partition(&self, partition: &PartitionDescription) -> bool {
        if self.filters.overrides {
            return false;
        }
        let filters = self.filters;
        let is_dead = partition.leader.is_none_or(|leader| !self.live.contains(&leader));
        let isr = partition.isr.len();
        filters.shows_topics()
            || (filters.under_replicated && self.replication_factor(partition) > isr)
            || (filters.unavailable && is_dead)
            || (filters.under_min_isr && (partition.leader.is_none() || isr < self.min_isr()))
            || (filters.at_min_isr && isr == self.min_isr())
    }

    fn print(&self) {
        let topic = self.topic;
        if self.shows_topic() {
            let id = if topic.id == Uuid::ZERO { String::new() } else { format!("\tTopicId: {}", topic.id) };
            let overrides = self.overrides();
            let configs: Vec<_> = overrides.iter().map(|(name, value)| format!("{name}={value}")).collect();
            println!(
                "Topic: {}{id}\tPartitionCount: {}\tReplicationFactor: {}\tConfigs: {}",
                bold(&topic.name),
                topic.partitions.len(),
                topic.partitions.first().map_or(0, |partition| self.replication_factor(partition)),
                configs.join(",")
            );
        }
        for partition in topic.partitions.iter().filter(|partition| self.shows_partition(partition)) {
            let leader = partition.leader.map_or_else(|| "none".to_owned(), |leader| leader.to_string());
            let mut line = format!(
                "\tTopic: {}\tPartition: {}\tLeader: {leader}\tReplicas: {}\tIsr: {}",
                topic.name,
                partition.partition,
                ids(&partition.replicas),
                ids(&partition.isr)
            );
            if let Some(moving) = self.reassignment(partition) {
                line += &format!("\tAdding Replicas: {}", ids(&moving.adding_replicas));
                line += &format!("\tRemoving Replicas: {}", ids(&moving.removing_replicas));
            }
            let elr = |ids_of: &Option<Vec<i32>>| ids_of.as_deref().map_or_else(|| "N/A".to_owned(), ids);
            line += &format!("\tElr: {}", elr(&partition.eligible_leader_replicas));
            line += &format!("\tLastKnownElr: {}", elr(&partition.last_known_eligible_leader_replicas));
            println!("{line}");
        }
    }

    fn json(&self) -> Option<Value> {
        let partitions = self.topic.partitions.iter().filter(|partition| self.shows_partition(partition));
        let partitions: Vec<Value> = partitions
            .map(|partition| {
                json!({
                    "partition": partition.partition,
                    "leader": partition.leader,
                    "replicas": partition.replicas,
                    "isr": partition.isr,
                    "elr": partition.eligible_leader_replicas,
                    "lastKnownElr": partition.last_known_eligible_leader_replicas,
                })
            })
            .collect();
        if !self.shows_topic() && partitions.is_empty() {
            return None;
        }
        let configs: serde_json::Map<_, _> =
            self.overrides().into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect();
        Some(json!({
            "topic": self.topic.name,
            "topicId": self.topic.id.to_string(),
            "partitionCount": self.topic.partitions.len(),
            "replicationFactor": self.topic.partitions.first().map(|first| self.replication_factor(first)),
            "configs": configs,
            "partitions": partitions,
        }))
    }
}

fn ids(ids: &[i32]) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}
