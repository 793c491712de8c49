//! CreateTopics and DeleteTopics.

use anyhow::{Context, Result};
use protocol::Uuid;
use protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use protocol::messages::delete_topics_request::DeleteTopicState;
use protocol::messages::{CreateTopicsRequest, DeleteTopicsRequest, DeleteTopicsResponse};

use crate::session::Session;

pub fn ask(session: &mut Session) -> Result<()> {
    create(session)?;
    create_with_assignments(session)?;
    create_with_configs(session)?;
    delete(session)
}

fn create(session: &mut Session) -> Result<()> {
    for version in 2..=7 {
        let name = format!("plain-{version}");
        session.ask(&format!("create, version {version}"), version, creating(&[topic(&name, 2, 1)]))?;
    }
    session.ask("create with the broker's defaults", 7, creating(&[topic("defaults", -1, -1)]))?;
    session.ask("create what exists", 7, creating(&[topic("plain-7", 2, 1)]))?;
    session.ask("create two, one exists", 7, creating(&[topic("plain-7", 2, 1), topic("new", 1, 1)]))?;
    session.ask("create the same name twice", 7, creating(&[topic("twin", 1, 1), topic("twin", 2, 1)]))?;
    session.ask("create nothing", 7, creating(&[]))?;
    for (name, wrong) in [
        ("an empty name", ""),
        ("a name with a space", "a b"),
        ("a name with a slash", "a/b"),
        ("a name with an umlaut", "grün"),
        ("a dot", "."),
        ("two dots", ".."),
        ("the metadata topic", "__cluster_metadata"),
    ] {
        session.ask(&format!("create {name}"), 7, creating(&[topic(wrong, 1, 1)]))?;
    }
    session.ask("create 249 characters", 7, creating(&[topic(&"y".repeat(249), 1, 1)]))?;
    session.ask("create 250 characters", 7, creating(&[topic(&"z".repeat(250), 1, 1)]))?;
    session.ask("create a name with a dot", 7, creating(&[topic("with.dot", 1, 1)]))?;
    session.ask("create a name that collides", 7, creating(&[topic("with_dot", 1, 1)]))?;
    session.ask("create an internal topic", 7, creating(&[topic("__transaction_state", 1, 1)]))?;
    session.ask("create with zero partitions", 7, creating(&[topic("zero", 0, 1)]))?;
    session.ask("create with minus two partitions", 7, creating(&[topic("minus", -2, 1)]))?;
    session.ask("create with replication factor zero", 7, creating(&[topic("zero", 1, 0)]))?;
    session.ask("create with replication factor three", 7, creating(&[topic("three", 1, 3)]))?;
    session.ask("create with replication factor minus two", 7, creating(&[topic("minus", 1, -2)]))?;
    session.ask("create with too many partitions", 7, creating(&[topic("many", 100_001, 1)]))?;
    let validating = CreateTopicsRequest { validate_only: true, ..creating(&[topic("validated", 4, 1)]) };
    session.ask("validate only", 7, validating.clone())?;
    session.ask("validate only again: it is not there", 7, validating)?;
    let validating = CreateTopicsRequest { validate_only: true, ..creating(&[topic("plain-7", 4, 1)]) };
    session.ask("validate only what exists", 7, validating)?;
    let hasty = CreateTopicsRequest { timeout_ms: 0, ..creating(&[topic("plain-7", 4, 1)]) };
    session.ask("create what exists with a timeout of zero", 7, hasty)?;
    Ok(())
}

fn create_with_assignments(session: &mut Session) -> Result<()> {
    let assigned = |name: &str, assignments: &[(i32, &[i32])]| CreatableTopic {
        assignments: assignments.iter().map(|(index, brokers)| assignment(*index, brokers)).collect(),
        ..topic(name, -1, -1)
    };
    session.ask("assign two partitions", 7, creating(&[assigned("assigned", &[(0, &[1]), (1, &[1])])]))?;
    session.ask("assign with a gap", 7, creating(&[assigned("gap", &[(0, &[1]), (2, &[1])])]))?;
    session.ask("assign without partition zero", 7, creating(&[assigned("late", &[(1, &[1])])]))?;
    session.ask(
        "assign the same partition twice",
        7,
        creating(&[assigned("double", &[(0, &[1]), (0, &[1])])]),
    )?;
    session.ask("assign an unknown broker", 7, creating(&[assigned("stranger", &[(0, &[9])])]))?;
    session.ask("assign a broker twice", 7, creating(&[assigned("twice", &[(0, &[1, 1])])]))?;
    session.ask("assign nobody", 7, creating(&[assigned("nobody", &[(0, &[])])]))?;
    session.ask("assign a negative broker", 7, creating(&[assigned("negative", &[(0, &[-1])])]))?;
    session.ask("assign differing counts", 7, creating(&[assigned("uneven", &[(0, &[1]), (1, &[1, 2])])]))?;
    let both = CreatableTopic { num_partitions: 2, ..assigned("both", &[(0, &[1])]) };
    session.ask("assign and say the number of partitions", 7, creating(&[both]))?;
    let both = CreatableTopic { replication_factor: 1, ..assigned("both", &[(0, &[1])]) };
    session.ask("assign and say the replication factor", 7, creating(&[both]))?;
    Ok(())
}

fn create_with_configs(session: &mut Session) -> Result<()> {
    let configured = |name: &str, configs: &[(&str, Option<&str>)]| CreatableTopic {
        configs: configs.iter().map(|(name, value)| config(name, *value)).collect(),
        ..topic(name, 1, 1)
    };
    let good = [("cleanup.policy", Some("compact")), ("retention.ms", Some("5000"))];
    session.ask("configs, version 4", 4, creating(&[configured("configured-4", &good)]))?;
    let show_some = |name: &str| configured(name, &good);
    session.ask("configs", 7, creating(&[show_some("configured-7")]))?;
    for (name, configs) in [
        ("an unknown config", ("no.such.key", Some("1"))),
        ("a config without a value", ("retention.ms", None)),
        ("a number that is a word", ("retention.ms", Some("long"))),
        ("a number below its range", ("retention.ms", Some("-2"))),
        ("a boolean that is a word", ("preallocate", Some("maybe"))),
        ("an unknown policy", ("cleanup.policy", Some("shred"))),
        ("an empty policy", ("cleanup.policy", Some(""))),
        ("an unknown codec", ("compression.type", Some("rar"))),
        ("a segment that is too small", ("segment.bytes", Some("13"))),
        ("a ratio above one", ("min.cleanable.dirty.ratio", Some("1.5"))),
        ("min in-sync replicas of zero", ("min.insync.replicas", Some("0"))),
        ("remote storage that is off", ("remote.storage.enable", Some("true"))),
        ("a wrong throttle list", ("leader.replication.throttled.replicas", Some("x"))),
    ] {
        session.ask(
            &format!("create with {name}"),
            7,
            creating(&[configured("wrong-config", &[configs])]),
        )?;
    }
    let twice = [("retention.ms", Some("1")), ("retention.ms", Some("2"))];
    session.ask("create with a config twice", 7, creating(&[configured("config-twice", &twice)]))?;
    let lags = [("min.compaction.lag.ms", Some("10")), ("max.compaction.lag.ms", Some("5"))];
    session.ask("create with contradicting lags", 7, creating(&[configured("lags", &lags)]))?;
    Ok(())
}

fn delete(session: &mut Session) -> Result<()> {
    for version in 1..=5 {
        let name = format!("doomed-{version}");
        session.create_topic(&name, 1)?;
        let request = DeleteTopicsRequest {
            topic_names: vec![name, "unknown".to_owned()],
            timeout_ms: 5000,
            ..Default::default()
        };
        session.ask_showing(&format!("delete, version {version}"), version, request, show_deleted)?;
    }
    let by_name = |name: &str| DeleteTopicState { name: Some(name.to_owned()), ..Default::default() };
    let by_id = |topic_id: Uuid| DeleteTopicState { name: None, topic_id, ..Default::default() };
    let id = session.create_topic("doomed-by-name", 1)?;
    session.ask_showing("delete by name", 6, deleting(&[by_name("doomed-by-name")]), show_deleted)?;
    session.wait_until_gone("doomed-by-name")?;
    session.ask_showing("delete by name again", 6, deleting(&[by_name("doomed-by-name")]), show_deleted)?;
    session.ask_showing("delete by the id of a deleted topic", 6, deleting(&[by_id(id)]), show_deleted)?;
    let id = session.create_topic("doomed-by-id", 1)?;
    session.ask_showing("delete by id", 6, deleting(&[by_id(id)]), show_deleted)?;
    session.ask_showing(
        "delete an unknown id",
        6,
        deleting(&[by_id(Uuid::from_u128(u128::MAX / 3))]),
        show_deleted,
    )?;
    session.ask_showing("delete the zero id", 6, deleting(&[by_id(Uuid::ZERO)]), show_deleted)?;
    let id = session.create_topic("doomed-both", 1)?;
    let both = DeleteTopicState { name: Some("doomed-both".to_owned()), topic_id: id, ..Default::default() };
    session.ask_showing("delete by name and id", 6, deleting(&[both]), show_deleted)?;
    session.ask(
        "delete the same name twice",
        6,
        deleting(&[by_name("doomed-both"), by_name("doomed-both")]),
    )?;
    session.ask_showing(
        "delete a name and its id",
        6,
        deleting(&[by_name("doomed-both"), by_id(id)]),
        show_deleted,
    )?;
    session.ask_showing("delete an empty name", 6, deleting(&[by_name("")]), show_deleted)?;
    session.ask_showing("delete nothing", 6, deleting(&[]), show_deleted)?;
    let again = session.create_topic("doomed-both-2", 1)?;
    session.ask_showing("delete several", 6, deleting(&[by_name("unknown"), by_id(again)]), show_deleted)?;
    session.wait_until_gone("doomed-both-2")?;
    let response =
        session.ask("create a deleted name again", 7, creating(&[topic("doomed-both-2", 1, 1)]))?;
    let new = response.topics.first().context("an answer")?.topic_id;
    anyhow::ensure!(new != again, "a topic that is created again has a new id");
    Ok(())
}

/// Kafka shuffles its answers.
fn show_deleted(response: &DeleteTopicsResponse) -> String {
    let mut response = response.clone();
    response.responses.sort_by_key(|result| (result.name.clone(), result.error_code));
    format!("{response:#?}")
}

fn creating(topics: &[CreatableTopic]) -> CreateTopicsRequest {
    CreateTopicsRequest { topics: topics.to_vec(), timeout_ms: 10_000, ..Default::default() }
}

fn deleting(topics: &[DeleteTopicState]) -> DeleteTopicsRequest {
    DeleteTopicsRequest { topics: topics.to_vec(), timeout_ms: 10_000, ..Default::default() }
}

fn topic(name: &str, num_partitions: i32, replication_factor: i16) -> CreatableTopic {
    CreatableTopic { name: name.to_owned(), num_partitions, replication_factor, ..Default::default() }
}

fn assignment(partition_index: i32, brokers: &[i32]) -> CreatableReplicaAssignment {
    CreatableReplicaAssignment { partition_index, broker_ids: brokers.to_vec(), ..Default::default() }
}

fn config(name: &str, value: Option<&str>) -> CreatableTopicConfig {
    CreatableTopicConfig { name: name.to_owned(), value: value.map(str::to_owned), ..Default::default() }
}
