//! `klamm cat -L` and `-Q`.

use std::collections::BTreeMap;

use config::Properties;
use klamm_client::admin::{IsolationLevel, OffsetSpec};
use klamm_client::{Admin, Client, ClientConfig, TopicPartition};
use protocol::messages::MetadataRequest;
use protocol::messages::metadata_request::MetadataRequestTopic;
use serde_json::{Map, Value, json};

use crate::command_line::{Arguments, Failure};

use super::offsets::moment;
use super::unreachable;

fn admin(properties: &Properties) -> Result<Admin, Failure> {
    Ok(Admin::new(Client::unconnected(ClientConfig::from_properties(properties)?)?))
}

fn ids(ids: &[i32]) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

/// Prints brokers, topics and partitions as kcat does.
pub async fn run(arguments: &Arguments, properties: &Properties) -> Result<(), Failure> {
    let admin = admin(properties)?;
    let named = arguments.value("topic")?;
    let topics = named.map(|name| {
        vec![MetadataRequestTopic { name: Some(name.to_owned()), ..MetadataRequestTopic::default() }]
    });
    let request = MetadataRequest { topics, allow_auto_topic_creation: false, ..MetadataRequest::default() };
    let mut answer = admin.client().send_to_any(&request).await.map_err(|error| {
        let hint =
            " (Are the brokers reachable? Also try increasing the metadata timeout with -m <timeout>?)";
        unreachable("Failed to acquire metadata", &error, hint)
    })?;
    let origin = answer.brokers.first().map_or_else(String::new, |broker| {
        format!("{}: {}:{}/{}", broker.node_id, broker.host, broker.port, broker.node_id)
    });
    answer.topics.sort_by(|left, right| left.name.cmp(&right.name));
    if arguments.json() || arguments.has("json") {
        let brokers = answer.brokers.iter().map(
            |broker| json!({ "id": broker.node_id, "name": format!("{}:{}", broker.host, broker.port) }),
        );
        let topics = answer.topics.iter().map(|topic| {
            let partitions = topic.partitions.iter().map(|partition| {
                let list = |ids: &[i32]| ids.iter().map(|id| json!({ "id": id })).collect::<Vec<_>>();
                json!({
                    "partition": partition.partition_index, "leader": partition.leader_id,
                    "replicas": list(&partition.replica_nodes), "isrs": list(&partition.isr_nodes),
                })
            });
            json!({ "topic": topic.name, "partitions": partitions.collect::<Vec<_>>() })
        });
        let (id, name) = origin.split_once(": ").unwrap_or_default();
        let line = json!({
            "originating_broker": { "id": id.parse::<i32>().unwrap_or(-1), "name": name },
            "query": { "topic": named.unwrap_or("*") },
            "controllerid": answer.controller_id, "brokers": brokers.collect::<Vec<_>>(),
            "topics": topics.collect::<Vec<_>>(),
        });
        // kcat ends it without a line's end.
        print!("{line}");
        return Ok(());
    }
    println!("Metadata for {} (from broker {origin}):", named.unwrap_or("all topics"));
    println!(" {} brokers:", answer.brokers.len());
    for broker in &answer.brokers {
        let role = if broker.node_id == answer.controller_id { " (controller)" } else { "" };
        println!("  broker {} at {}:{}{role}", broker.node_id, broker.host, broker.port);
    }
    println!(" {} topics:", answer.topics.len());
    for topic in &answer.topics {
        let name = topic.name.as_deref().unwrap_or_default();
        println!("  topic \"{name}\" with {} partitions:", topic.partitions.len());
        for partition in &topic.partitions {
            println!(
                "    partition {}, leader {}, replicas: {}, isrs: {}",
                partition.partition_index,
                partition.leader_id,
                ids(&partition.replica_nodes),
                ids(&partition.isr_nodes)
            );
        }
    }
    Ok(())
}

/// Prints the offset at a time: `-t topic:partition:timestamp`, which may be repeated.
pub async fn query(arguments: &Arguments, properties: &Properties) -> Result<(), Failure> {
    let mut wanted = Vec::new();
    for text in arguments.values("topic") {
        let invalid = || Failure::refused("-t: expected \"topic:partition:offset_or_timestamp\"".to_owned());
        let mut parts = text.splitn(3, ':');
        let (topic, partition, time) = (parts.next(), parts.next(), parts.next());
        let topic = topic.ok_or_else(invalid)?;
        let partition = partition.and_then(|id| id.parse().ok()).ok_or_else(invalid)?;
        let spec = match time.ok_or_else(invalid)? {
            "-1" => OffsetSpec::Latest,
            "-2" => OffsetSpec::Earliest,
            time => OffsetSpec::ForTimestamp(moment(time).ok_or_else(invalid)?),
        };
        wanted.push((TopicPartition::new(topic, partition), spec));
    }
    let listed = admin(properties)?.list_offsets(&wanted, IsolationLevel::ReadUncommitted).await;
    let failed = |error: &klamm_client::ClientError| match error.code() {
        Some(klamm_client::ErrorCode::UnknownTopicOrPartition) => {
            Failure::refused("offsets_for_times failed: Local: Unknown partition")
        }
        _ => unreachable("offsets_for_times failed", error, ""),
    };
    let mut topics: BTreeMap<String, BTreeMap<i32, i64>> = BTreeMap::new();
    for (partition, listed) in listed.map_err(|error| failed(&error))? {
        let offset = listed.map_err(|error| failed(&error))?.offset;
        topics.entry(partition.topic.to_string()).or_default().insert(partition.partition, offset);
    }
    if arguments.json() || arguments.has("json") {
        let mut shown = Map::new();
        for (topic, partitions) in topics {
            let mut fields = Map::new();
            fields.insert("topic".to_owned(), json!(topic));
            for (partition, offset) in partitions {
                fields.insert(partition.to_string(), json!({ "partition": partition, "offset": offset }));
            }
            shown.insert(topic, Value::Object(fields));
        }
        print!("{}", Value::Object(shown));
        return Ok(());
    }
    for (topic, partitions) in topics {
        for (partition, offset) in partitions {
            println!("{topic} [{partition}] offset {offset}");
        }
    }
    Ok(())
}
