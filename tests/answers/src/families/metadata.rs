//! Metadata, DescribeTopicPartitions and DescribeCluster.

use anyhow::Result;
use protocol::Uuid;
use protocol::messages::describe_topic_partitions_request::{Cursor, TopicRequest};
use protocol::messages::metadata_request::MetadataRequestTopic;
use protocol::messages::{
    DescribeClusterRequest, DescribeTopicPartitionsRequest, MetadataRequest, MetadataResponse,
};

use crate::session::Session;

pub fn ask(session: &mut Session) -> Result<()> {
    let first = session.create_topic("first", 3)?;
    session.create_topic("second", 1)?;
    for version in 0..=13 {
        // Versions below 4 cannot say that nothing is to be created.
        let request = MetadataRequest { allow_auto_topic_creation: version < 4, ..named(&["first"]) };
        session.ask(&format!("one topic, version {version}"), version, request)?;
    }
    session.ask("all topics", 12, MetadataRequest { topics: None, ..quiet() })?;
    session.ask(
        "all topics, version 0",
        0,
        MetadataRequest { topics: Some(Vec::new()), ..Default::default() },
    )?;
    session.ask("no topics", 12, named(&[]))?;
    session.ask("a topic nobody knows", 12, named(&["unknown"]))?;
    let unordered = named(&["unknown", "second", "first"]);
    session.ask_showing("known and unknown, out of order", 12, unordered, |response| {
        // Kafka's topics come in the order of a hash table.
        let mut response = response.clone();
        response.topics.sort_by(|a, b| a.name.cmp(&b.name));
        format!("{response:#?}")
    })?;
    session.ask("the same topic twice", 12, named(&["first", "first"]))?;
    session.ask("an illegal name", 12, named(&["a b"]))?;
    session.ask("an empty name", 12, named(&[""]))?;
    session.ask("a name of dots", 12, named(&[".."]))?;
    session.ask("a name of 250 characters", 12, named(&["x".repeat(250).as_str()]))?;
    session.ask("a topic by id", 12, by_id(first, None))?;
    session.ask("an id nobody knows", 12, by_id(Uuid::from_u128(u128::MAX / 7), None))?;
    session.ask("an id with a name, version 11", 11, by_id(first, Some("first")))?;
    let authorized = MetadataRequest {
        include_topic_authorized_operations: true,
        include_cluster_authorized_operations: true,
        ..named(&["second"])
    };
    session.ask("with authorized operations, version 8", 8, authorized.clone())?;
    let authorized = MetadataRequest { include_cluster_authorized_operations: false, ..authorized };
    session.ask("with authorized operations, version 12", 12, authorized)?;
    auto_creation(session)?;
    describe_topic_partitions(session)?;
    describe_cluster(session)
}

fn auto_creation(session: &mut Session) -> Result<()> {
    let creating = |name: &str| MetadataRequest { allow_auto_topic_creation: true, ..named(&[name]) };
    session.ask("auto-creation, first answer", 12, creating("made-by-metadata"))?;
    session.ask_until("auto-creation, once it is there", 12, creating("made-by-metadata"), |response| {
        is_settled(response)
    })?;
    session.ask("auto-creation of an illegal name", 12, creating("not/legal"))?;
    session.ask("auto-creation of a colliding name", 12, creating("made_by.metadata"))?;
    session.ask_until(
        "auto-creation of an internal topic",
        12,
        creating("__consumer_offsets"),
        is_settled,
    )?;
    session.ask("an internal topic, version 4", 4, named(&["__consumer_offsets"]))?;
    Ok(())
}

fn describe_topic_partitions(session: &mut Session) -> Result<()> {
    let topics = |names: &[&str]| names.iter().map(|name| topic_request(name)).collect::<Vec<_>>();
    let request =
        |names: &[&str]| DescribeTopicPartitionsRequest { topics: topics(names), ..Default::default() };
    session.ask("describe partitions of one topic", 0, request(&["first"]))?;
    session.ask("describe partitions, sorted by name", 0, request(&["second", "first"]))?;
    session.ask("describe partitions of an unknown topic", 0, request(&["first", "unknown"]))?;
    session.ask("describe partitions of an illegal name", 0, request(&["a b"]))?;
    session.ask("describe partitions of the same topic twice", 0, request(&["first", "first"]))?;
    let limited =
        DescribeTopicPartitionsRequest { response_partition_limit: 2, ..request(&["first", "second"]) };
    session.ask("describe partitions with a limit", 0, limited.clone())?;
    let cursor = |topic_name: &str, partition_index| {
        Some(Cursor { topic_name: topic_name.to_owned(), partition_index, ..Default::default() })
    };
    let resumed = DescribeTopicPartitionsRequest { cursor: cursor("first", 2), ..limited.clone() };
    session.ask("describe partitions from a cursor", 0, resumed)?;
    let beyond = DescribeTopicPartitionsRequest { cursor: cursor("first", 9), ..limited.clone() };
    session.ask("describe partitions from a cursor beyond the topic", 0, beyond)?;
    let negative = DescribeTopicPartitionsRequest { cursor: cursor("first", -1), ..limited.clone() };
    session.ask("describe partitions from a negative cursor", 0, negative)?;
    let elsewhere = DescribeTopicPartitionsRequest { cursor: cursor("gone", 0), ..limited };
    session.ask("describe partitions from a topic that is gone", 0, elsewhere)?;
    session.ask("describe partitions of everything", 0, request(&[]))?;
    let none = DescribeTopicPartitionsRequest { response_partition_limit: 0, ..request(&["first"]) };
    session.ask("describe partitions with a limit of zero", 0, none)?;
    Ok(())
}

fn describe_cluster(session: &mut Session) -> Result<()> {
    for version in 0..=2 {
        session.ask(
            &format!("describe cluster, version {version}"),
            version,
            DescribeClusterRequest::default(),
        )?;
    }
    let authorized =
        DescribeClusterRequest { include_cluster_authorized_operations: true, ..Default::default() };
    session.ask("describe cluster with authorized operations", 2, authorized)?;
    for (name, endpoint_type) in [("controllers", 2), ("an unknown endpoint type", 3)] {
        let request = DescribeClusterRequest { endpoint_type, ..Default::default() };
        session.ask(&format!("describe cluster of {name}"), 1, request)?;
    }
    let fenced = DescribeClusterRequest { include_fenced_brokers: true, ..Default::default() };
    session.ask("describe cluster with fenced brokers", 2, fenced)?;
    Ok(())
}

fn is_settled(response: &MetadataResponse) -> bool {
    response.topics.iter().all(|topic| topic.error_code == 0)
}

fn quiet() -> MetadataRequest {
    MetadataRequest { allow_auto_topic_creation: false, ..Default::default() }
}

fn named(names: &[&str]) -> MetadataRequest {
    let topic = |name: &&str| MetadataRequestTopic { name: Some((*name).to_owned()), ..Default::default() };
    MetadataRequest { topics: Some(names.iter().map(topic).collect()), ..quiet() }
}

fn by_id(topic_id: Uuid, name: Option<&str>) -> MetadataRequest {
    let topic = MetadataRequestTopic { topic_id, name: name.map(str::to_owned), ..Default::default() };
    MetadataRequest { topics: Some(vec![topic]), ..quiet() }
}

fn topic_request(name: &str) -> TopicRequest {
    TopicRequest { name: name.to_owned(), ..Default::default() }
}
