//! CreateTopics, DeleteTopics, CreatePartitions. The messages are those that Apache Kafka 4.4.0 answered.

use std::collections::BTreeSet;

use controller::{DeleteAccess, TopicAccess};
use protocol::messages::create_partitions_request::{CreatePartitionsAssignment, CreatePartitionsTopic};
use protocol::messages::delete_topics_request::DeleteTopicState;
use protocol::messages::{CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest};
use protocol::metadata_records::MetadataRecord;
use protocol::{ErrorCode, Uuid};

use crate::cluster::{Cluster, assigned, topic, with_configs};

#[test]
fn a_topic_is_created_as_kafka_records_it() {
    let mut cluster = Cluster::new(1);
    let wanted = with_configs(topic("a.b", 2, 1), &[("min.insync.replicas", Some("1"))]);
    let request = CreateTopicsRequest { topics: vec![wanted], ..Default::default() };
    let image = cluster.image().clone();
    let result =
        cluster.controller.create_topics(&image, &request, TopicAccess::ALL, &mut cluster.randomness);
    let kinds: Vec<&str> = result.records.iter().map(kind).collect();
    assert_eq!(kinds, ["topic", "config", "clear elr", "partition", "partition"]);
    let answer = cluster.commit(result).topics.remove(0);
    assert_eq!((answer.error_code, answer.error_message.clone()), (0, None));
    assert_eq!((answer.num_partitions, answer.replication_factor), (2, 1));
    let partition = cluster.partition("a.b", 1);
    assert_eq!((partition.leader, partition.leader_epoch, partition.partition_epoch), (1, 0, 0));
    assert_eq!((&*partition.isr, &*partition.replicas), (&[1][..], &[1][..]));
    assert_eq!(*partition.directories, [crate::cluster::directory(1)]);
    assert_eq!(cluster.image().topics.by_name("a.b").unwrap().id(), answer.topic_id);

    let configs = answer.configs.unwrap();
    let names: Vec<&str> = configs.iter().map(|config| config.name.as_str()).collect();
    assert!(names.is_sorted() && names.contains(&"cleanup.policy"));
    let of = |name: &str| configs.iter().find(|config| config.name == name).unwrap();
    let topic_source = 1;
    let min_isr = of("min.insync.replicas");
    assert_eq!((min_isr.value.as_deref(), min_isr.config_source), (Some("1"), topic_source));
    let default_source = 5;
    let retention = of("retention.ms");
    assert_eq!((retention.value.as_deref(), retention.config_source), (Some("604800000"), default_source));
}

fn kind(record: &MetadataRecord) -> &'static str {
    match record {
        MetadataRecord::Topic(_) => "topic",
        MetadataRecord::Partition(_) => "partition",
        MetadataRecord::Config(_) => "config",
        MetadataRecord::ClearElr(_) => "clear elr",
        _ => "other",
    }
}

#[test]
fn what_cannot_be_created_is_refused_in_kafkas_words() {
    let mut cluster = Cluster::new(1);
    assert_eq!(cluster.create(vec![topic("a.b", 1, 1)])[0].error_code, 0);
    let long = "a".repeat(250);
    let mut gap = assigned("x", &[&[1]]);
    gap.assignments[0].partition_index = 1;
    let mut twice = assigned("x", &[&[1], &[1]]);
    twice.assignments[1].partition_index = 0;
    let mut with_count = assigned("x", &[&[1]]);
    with_count.num_partitions = 1;
    let mut with_factor = assigned("x", &[&[1]]);
    with_factor.replication_factor = 1;
    use ErrorCode as E;
    let cases = [
        (topic("a.b", 1, 1), E::TopicAlreadyExists, "Topic 'a.b' already exists."),
        (topic("a_b", 1, 1), E::InvalidTopicException, "Topic 'a_b' collides with existing topic: a.b"),
        (
            topic("x", 1, 3),
            E::InvalidReplicationFactor,
            "Unable to replicate the partition 3 time(s): The target \
          replication factor of 3 cannot be reached because only 1 broker(s) are registered or some brokers have all \
          their log directories cordoned.",
        ),
        (
            topic("x", 1, 0),
            E::InvalidReplicationFactor,
            "Replication factor must be larger than 0, or -1 to use the default value.",
        ),
        (
            topic("x", 0, 1),
            E::InvalidPartitions,
            "Number of partitions was set to an invalid non-positive value.",
        ),
        (
            topic("x y", 1, 1),
            E::InvalidTopicException,
            "Topic name is invalid: 'x y' contains one or more characters \
          other than ASCII alphanumerics, '.', '_' and '-'",
        ),
        (topic("", 1, 1), E::InvalidTopicException, "Topic name is invalid: the empty string is not allowed"),
        (
            topic(&long, 1, 1),
            E::InvalidTopicException,
            &format!(
                "Topic name is invalid: the length of '{long}' is longer than the max allowed length 249"
            ),
        ),
        (
            with_configs(topic("x", 1, 1), &[("foo", Some("1"))]),
            E::InvalidConfig,
            "Unknown topic config name: foo",
        ),
        (
            with_configs(topic("x", 1, 1), &[("retention.ms", Some("abc"))]),
            E::InvalidConfig,
            "Invalid value abc for configuration retention.ms: Not a number of type LONG",
        ),
        (
            with_configs(topic("x", 1, 1), &[("retention.ms", None), ("segment.ms", None)]),
            E::InvalidConfig,
            "Null value not supported for topic configs: retention.ms,segment.ms",
        ),
        (
            assigned("x", &[&[9]]),
            E::InvalidReplicaAssignment,
            "The manual partition assignment includes broker 9, but no such broker is registered.",
        ),
        (
            assigned("x", &[&[1, 1]]),
            E::InvalidReplicaAssignment,
            "The manual partition assignment includes the broker 1 more than once.",
        ),
        (
            assigned("x", &[&[]]),
            E::InvalidReplicaAssignment,
            "The manual partition assignment includes an empty replica list.",
        ),
        (gap, E::InvalidReplicaAssignment, "partitions should be a consecutive 0-based integer sequence"),
        (twice, E::InvalidReplicaAssignment, "Found multiple manual partition assignments for partition 0"),
        (
            with_count,
            E::InvalidRequest,
            "A manual partition assignment was specified, but numPartitions was not set to -1.",
        ),
        (
            with_factor,
            E::InvalidRequest,
            "A manual partition assignment was specified, but replication factor was not set to -1.",
        ),
        (
            topic("__cluster_metadata", 1, 1),
            E::InvalidRequest,
            "Creation of internal topic __cluster_metadata is prohibited.",
        ),
        (topic("x", 10_001, 1), E::PolicyViolation, "Excessively large number of partitions per request."),
        (topic("x", 10_000, 1), E::PolicyViolation, "Unable to perform excessively large batch operation."),
    ];
    for (wanted, code, message) in cases {
        let name = wanted.name.clone();
        let result = cluster.create(vec![wanted]).remove(0);
        assert_eq!(
            (result.error_code, result.error_message.as_deref()),
            (code.into(), Some(message)),
            "{name}"
        );
        assert_eq!((result.num_partitions, result.topic_id), (-1, Uuid::ZERO));
    }
    assert_eq!(cluster.image().topics.len(), 1);
}

/// With a look at all names for each it would take an hour.
#[test]
fn a_request_with_very_many_names_is_refused_quickly() {
    let mut cluster = Cluster::new(1);
    let results = cluster.create((0..200_000).map(|index| topic(&format!("t{index}"), 1, 1)).collect());
    assert_eq!(results.len(), 200_000);
    assert!(results.iter().all(|result| result.error_code == ErrorCode::PolicyViolation.into()));
}

#[test]
fn replicas_of_one_assignment_are_as_many_as_of_the_others() {
    let mut cluster = Cluster::new(2);
    let result = cluster.create(vec![assigned("x", &[&[1], &[1, 2]])]).remove(0);
    assert_eq!(
        result.error_message.unwrap(),
        "The manual partition assignment includes a partition with 2 replica(s), but this is not consistent with \
         previous partitions, which have 1 replica(s)."
    );
}

#[test]
fn one_request_may_succeed_in_part() {
    let mut cluster = Cluster::new(1);
    let results =
        cluster.create(vec![topic("a", 1, 1), topic("b", 1, 1), topic("b", 1, 1), topic("c", 0, 1)]);
    let brief: Vec<_> = results.iter().map(|r| (r.name.as_str(), r.error_code)).collect();
    assert_eq!(brief, [("a", 0), ("c", 37), ("b", 42)]);
    assert_eq!(results[2].error_message.as_deref(), Some("Duplicate topic name."));
    assert!(cluster.image().topics.by_name("b").is_none());
}

#[test]
fn validate_only_answers_and_changes_nothing() {
    let mut cluster = Cluster::new(1);
    let request = CreateTopicsRequest {
        topics: vec![topic("a", 3, -1), topic("b", -1, -1)],
        validate_only: true,
        ..Default::default()
    };
    let image = cluster.image().clone();
    let result =
        cluster.controller.create_topics(&image, &request, TopicAccess::ALL, &mut cluster.randomness);
    assert!(result.records.is_empty());
    let counts: Vec<_> = result.response.topics.iter().map(|t| (t.error_code, t.num_partitions)).collect();
    assert_eq!(counts, [(0, 3), (0, 1)]);
}

#[test]
fn settings_are_shown_to_those_who_may_see_them() {
    let mut cluster = Cluster::new(1);
    let request =
        CreateTopicsRequest { topics: vec![topic("a", 1, 1), topic("b", 1, 1)], ..Default::default() };
    let access = TopicAccess { can_create: &|name| name == "a", can_describe_configs: &|_| false };
    let image = cluster.image().clone();
    let result = cluster.controller.create_topics(&image, &request, access, &mut cluster.randomness);
    let [a, b] = &result.response.topics[..] else { panic!("two answers") };
    assert_eq!((a.error_code, a.topic_config_error_code, a.num_partitions), (0, 29, -1));
    assert_eq!((b.error_code, b.error_message.as_deref()), (29, Some("Authorization failed.")));
}

#[test]
fn fenced_brokers_get_replicas_but_are_not_in_sync() {
    let mut cluster = Cluster::new(3);
    cluster.expire_broker(3);
    assert_eq!(cluster.create(vec![topic("a", 6, 3)])[0].error_code, 0);
    for number in 0..6 {
        let partition = cluster.partition("a", number);
        assert_eq!(partition.replicas.iter().collect::<BTreeSet<_>>().len(), 3);
        assert!(!partition.isr.contains(&3) && partition.isr.len() == 2 && partition.leader != 3);
    }
    let result = cluster.create(vec![assigned("b", &[&[3]])]).remove(0);
    assert_eq!(
        result.error_message.unwrap(),
        "All brokers specified in the manual partition assignment for partition 0 are fenced or in controlled shutdown."
    );
}

fn delete(
    cluster: &mut Cluster,
    request: &DeleteTopicsRequest,
) -> Vec<(Option<String>, i16, Option<String>)> {
    let image = cluster.image().clone();
    let result = cluster.controller.delete_topics(&image, request, 6, DeleteAccess::ALL);
    let responses = cluster.commit(result).responses;
    responses.into_iter().map(|r| (r.name, r.error_code, r.error_message)).collect()
}

fn state(name: Option<&str>, topic_id: Uuid) -> DeleteTopicState {
    DeleteTopicState { name: name.map(str::to_owned), topic_id, ..Default::default() }
}

#[test]
fn topics_are_deleted_by_name_and_by_id() {
    let mut cluster = Cluster::new(1);
    cluster.create(vec![topic("a", 1, 1), topic("b", 1, 1), topic("c", 1, 1)]);
    let id = |cluster: &Cluster, name| cluster.image().topics.by_name(name).unwrap().id();
    let (a, b, c) = (id(&cluster, "a"), id(&cluster, "b"), id(&cluster, "c"));
    let unknown = Uuid::from_u128(7 << 90);
    let request = DeleteTopicsRequest {
        topics: vec![
            state(Some("a"), Uuid::ZERO),
            state(None, b),
            state(None, unknown),
            state(Some("nope"), Uuid::ZERO),
            state(None, Uuid::ZERO),
            state(Some("c"), c),
        ],
        ..Default::default()
    };
    let results = delete(&mut cluster, &request);
    let find = |name: Option<&str>, code: ErrorCode| {
        results.iter().filter(|r| r.0.as_deref() == name && r.1 == i16::from(code)).count()
    };
    assert_eq!(find(Some("a"), ErrorCode::None), 1);
    assert_eq!(find(Some("b"), ErrorCode::None), 1);
    assert_eq!(find(None, ErrorCode::UnknownTopicId), 1);
    assert_eq!(find(Some("nope"), ErrorCode::UnknownTopicOrPartition), 1);
    assert!(results.contains(&(None, 42, Some("Neither topic name nor id were specified.".into()))));
    assert!(results.contains(&(
        Some("c".into()),
        42,
        Some("You may not specify both topic name and topic id.".into())
    )));
    assert_eq!(results.len(), 6);
    let left: Vec<_> = cluster.image().topics.iter().map(|t| t.name().to_owned()).collect();
    assert_eq!(left, ["c"]);
    assert!(cluster.image().topics.by_id(a).is_none());

    let twice = DeleteTopicsRequest {
        topics: vec![state(Some("c"), Uuid::ZERO), state(None, c)],
        ..Default::default()
    };
    let message = "The provided topic name maps to an ID that was already supplied.";
    assert_eq!(delete(&mut cluster, &twice), [(Some("c".into()), 42, Some(message.into()))]);
    let twice = DeleteTopicsRequest { topic_names: vec!["c".into(), "c".into()], ..Default::default() };
    let message = "Duplicate topic name.";
    assert_eq!(delete(&mut cluster, &twice), [(Some("c".into()), 42, Some(message.into()))]);
    assert_eq!(cluster.image().topics.len(), 1);
}

#[test]
fn deletion_can_be_forbidden() {
    let mut cluster = Cluster::with_settings(1, &[("delete.topic.enable", "false")]);
    cluster.create(vec![topic("a", 1, 1)]);
    let request = DeleteTopicsRequest { topic_names: vec!["a".into()], ..Default::default() };
    assert_eq!(delete(&mut cluster, &request), [(Some("a".into()), 73, None)]);
    let image = cluster.image().clone();
    let old = cluster.controller.delete_topics(&image, &request, 2, DeleteAccess::ALL);
    assert_eq!(old.response.responses[0].error_code, i16::from(ErrorCode::InvalidRequest));
}

fn grow(
    cluster: &mut Cluster,
    name: &str,
    count: i32,
    assignments: Option<&[&[i32]]>,
) -> (i16, Option<String>) {
    let assignments = assignments.map(|assignments| {
        assignments
            .iter()
            .map(|ids| CreatePartitionsAssignment { broker_ids: ids.to_vec(), ..Default::default() })
            .collect()
    });
    let topics = vec![CreatePartitionsTopic { name: name.into(), count, assignments, ..Default::default() }];
    let request = CreatePartitionsRequest { topics, ..Default::default() };
    let image = cluster.image().clone();
    let result = cluster.controller.create_partitions(&image, &request, &|_| true, &mut cluster.randomness);
    let result = cluster.commit(result).results.remove(0);
    (result.error_code, result.error_message)
}

#[test]
fn topics_grow_and_never_shrink() {
    let mut cluster = Cluster::new(2);
    cluster.create(vec![topic("a.b", 2, 1)]);
    let mut refused = |name, count, assignments, code: ErrorCode, message: Option<&str>| {
        let wanted = (code.into(), message.map(str::to_owned));
        assert_eq!(grow(&mut cluster, name, count, assignments), wanted);
    };
    use ErrorCode as E;
    refused("a.b", 2, None, E::InvalidPartitions, Some("Topic already has 2 partition(s)."));
    let fewer = "The topic a.b currently has 2 partition(s); 1 would not be an increase.";
    refused("a.b", 1, None, E::InvalidPartitions, Some(fewer));
    refused("nope", 1, None, E::UnknownTopicOrPartition, None);
    let too_few = "Attempted to add 2 additional partition(s), but only 1 assignment(s) were specified.";
    refused("a.b", 4, Some(&[&[1]]), E::InvalidReplicaAssignment, Some(too_few));
    let factor = "The manual partition assignment includes a partition with 2 replica(s), but this is not consistent \
                  with previous partitions, which have 1 replica(s).";
    refused("a.b", 3, Some(&[&[1, 2]]), E::InvalidReplicaAssignment, Some(factor));
    let many = "Excessively large number of additional partitions per request.";
    refused("a.b", 10_003, None, E::PolicyViolation, Some(many));

    assert_eq!(grow(&mut cluster, "a.b", 4, Some(&[&[2], &[1]])), (0, None));
    assert_eq!(cluster.partition("a.b", 2).leader, 2);
    assert_eq!(grow(&mut cluster, "a.b", 6, None), (0, None));
    assert_eq!(cluster.image().topics.by_name("a.b").unwrap().partition_count(), 6);
}
