//! Settings change. The messages are those that Apache Kafka 4.4.0 answered.

use controller::{ApiError, LoggerChange, logger_changes};
use metadata::ConfigResource;
use protocol::ErrorCode;
use protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use protocol::messages::{AlterConfigsRequest, IncrementalAlterConfigsRequest, alter_configs_request};

use crate::cluster::{Cluster, topic};

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const BROKER_LOGGER: i8 = 8;
const CLIENT_METRICS: i8 = 16;
const GROUP: i8 = 32;
const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

fn resource(resource_type: i8, name: &str, ops: &[(i8, &str, Option<&str>)]) -> AlterConfigsResource {
    let config = |(config_operation, name, value): &(i8, &str, Option<&str>)| AlterableConfig {
        name: (*name).into(),
        config_operation: *config_operation,
        value: value.map(str::to_owned),
        ..Default::default()
    };
    AlterConfigsResource {
        resource_type,
        resource_name: name.into(),
        configs: ops.iter().map(config).collect(),
        ..Default::default()
    }
}

fn alter_all(cluster: &mut Cluster, resources: Vec<AlterConfigsResource>) -> Vec<(i16, Option<String>)> {
    let request = IncrementalAlterConfigsRequest { resources, ..Default::default() };
    let image = cluster.image().clone();
    let no_loggers = |_: &AlterConfigsResource| Err(ApiError::silent(ErrorCode::InvalidRequest));
    let result = cluster.controller.incremental_alter_configs(&image, &request, 1, &no_loggers);
    let responses = cluster.commit(result).responses;
    responses.into_iter().map(|r| (r.error_code, r.error_message)).collect()
}

fn alter(
    cluster: &mut Cluster,
    resource_type: i8,
    name: &str,
    op: (i8, &str, Option<&str>),
) -> (i16, Option<String>) {
    alter_all(cluster, vec![resource(resource_type, name, &[op])]).remove(0)
}

fn value<'a>(cluster: &'a Cluster, resource: &ConfigResource, key: &str) -> Option<&'a str> {
    cluster.image().configs.of(resource).get(key).map(String::as_str)
}

#[test]
fn settings_of_a_topic_are_set_extended_and_removed() {
    let mut cluster = Cluster::new(1);
    cluster.create(vec![topic("a.b", 1, 1)]);
    let a = ConfigResource::topic("a.b");
    let done = (0, None);
    assert_eq!(alter(&mut cluster, TOPIC, "a.b", (APPEND, "cleanup.policy", Some("compact"))), done);
    assert_eq!(value(&cluster, &a, "cleanup.policy"), Some("delete,compact"));
    assert_eq!(alter(&mut cluster, TOPIC, "a.b", (SUBTRACT, "cleanup.policy", Some("delete"))), done);
    assert_eq!(value(&cluster, &a, "cleanup.policy"), Some("compact"));
    assert_eq!(alter(&mut cluster, TOPIC, "a.b", (SET, "retention.ms", Some("5"))), done);
    assert_eq!(alter(&mut cluster, TOPIC, "a.b", (DELETE, "cleanup.policy", None)), done);
    assert_eq!(cluster.image().configs.of(&a).len(), 1);
    // The same value again is no change, and no record.
    let offset = cluster.next_offset;
    assert_eq!(alter(&mut cluster, TOPIC, "a.b", (SET, "retention.ms", Some("5"))), done);
    assert_eq!(cluster.next_offset, offset);
}

#[test]
fn what_cannot_be_set_is_refused_in_kafkas_words() {
    let mut cluster = Cluster::new(1);
    cluster.create(vec![topic("a.b", 1, 1)]);
    use ErrorCode as E;
    let cases = [
        (
            TOPIC,
            "a.b",
            (SET, "retention.ms", Some("-2")),
            E::InvalidConfig,
            "Invalid value -2 for configuration retention.ms: Value must be at least -1",
        ),
        (TOPIC, "a.b", (SET, "foo", Some("1")), E::InvalidConfig, "Unknown topic config name: foo"),
        (
            TOPIC,
            "a.b",
            (APPEND, "retention.ms", Some("1")),
            E::InvalidConfig,
            "Can't APPEND to key retention.ms because its type is not LIST.",
        ),
        (
            TOPIC,
            "nope",
            (SET, "retention.ms", Some("1")),
            E::UnknownTopicOrPartition,
            "The topic 'nope' does not exist.",
        ),
        (
            TOPIC,
            "",
            (SET, "retention.ms", Some("1")),
            E::InvalidRequest,
            "Default topic resources are not allowed.",
        ),
        (
            TOPIC,
            "a.b",
            (SET, "retention.ms", None),
            E::InvalidRequest,
            "Null value not supported for : retention.ms",
        ),
        (TOPIC, "a.b", (9, "retention.ms", Some("1")), E::InvalidRequest, "Unknown operations type 9"),
        (
            BROKER,
            "1",
            (SET, "min.insync.replicas", Some("1")),
            E::InvalidConfig,
            "Broker-level min.insync.replicas cannot be altered while ELR is enabled.",
        ),
        (
            BROKER,
            "",
            (DELETE, "min.insync.replicas", None),
            E::InvalidConfig,
            "Cluster-level min.insync.replicas cannot be removed while ELR is enabled.",
        ),
        (
            BROKER,
            "1",
            (SET, "broker.id", Some("2")),
            E::InvalidRequest,
            "Cannot update these configs dynamically: [broker.id]",
        ),
        (
            BROKER,
            "2",
            (SET, "log.retention.ms", Some("2")),
            E::InvalidRequest,
            "Unexpected broker id, expected 1, but received 2",
        ),
        (
            BROKER,
            "x",
            (SET, "log.retention.ms", Some("2")),
            E::InvalidRequest,
            "Node id must be an integer, but it is: x",
        ),
        (
            GROUP,
            "",
            (SET, "consumer.session.timeout.ms", Some("1000")),
            E::InvalidRequest,
            "Default group resources are not allowed.",
        ),
        (
            CLIENT_METRICS,
            "m",
            (SET, "interval.ms", Some("1")),
            E::InvalidRequest,
            "Invalid value 1 for interval.ms, interval must be between 100 and 3600000 (1 hour)",
        ),
        (3, "x", (SET, "a", Some("1")), E::InvalidRequest, "Unknown resource type 3"),
    ];
    let offset = cluster.next_offset;
    for (resource_type, name, op, code, message) in cases {
        let outcome = alter(&mut cluster, resource_type, name, op);
        assert_eq!(outcome, (code.into(), Some(message.to_owned())), "{name:?} {op:?}");
    }
    assert_eq!(cluster.next_offset, offset);
}

#[test]
fn a_resource_or_key_named_twice_is_refused_and_the_others_go_on() {
    let mut cluster = Cluster::new(1);
    cluster.create(vec![topic("a", 1, 1), topic("b", 1, 1)]);
    let set = |name| resource(TOPIC, name, &[(SET, "retention.ms", Some("7"))]);
    let outcomes = alter_all(&mut cluster, vec![set("a"), set("b"), set("a")]);
    let twice = (42, Some("Each resource must appear at most once.".to_owned()));
    assert_eq!(outcomes, [twice.clone(), (0, None), twice]);
    let key = (SET, "retention.ms", Some("7"));
    let outcomes = alter_all(&mut cluster, vec![resource(TOPIC, "a", &[key, key])]);
    assert_eq!(outcomes, [(42, Some("Error due to duplicate config keys".to_owned()))]);
    assert_eq!(cluster.image().configs.of_topic("b").len(), 1);
    assert!(cluster.image().configs.of_topic("a").is_empty());
}

#[test]
fn a_changed_min_isr_clears_who_is_eligible() {
    let mut cluster = Cluster::new(2);
    cluster.topic("a", &[&[1, 2]]);
    cluster.set_topic_config("a", "min.insync.replicas", "2");
    cluster.expire_broker(2);
    assert_eq!(*cluster.partition("a", 0).elr, [2]);
    assert_eq!(alter(&mut cluster, TOPIC, "a", (SET, "min.insync.replicas", Some("1"))), (0, None));
    assert!(cluster.partition("a", 0).elr.is_empty());
    assert_eq!(alter(&mut cluster, BROKER, "", (SET, "min.insync.replicas", Some("2"))), (0, None));
    assert_eq!(value(&cluster, &ConfigResource::default_broker(), "min.insync.replicas"), Some("2"));
}

#[test]
fn settings_of_brokers_reach_topics_that_have_none() {
    let mut cluster = Cluster::new(2);
    cluster.topic("a", &[&[1, 2]]);
    assert_eq!(alter(&mut cluster, BROKER, "", (SET, "min.insync.replicas", Some("2"))), (0, None));
    cluster.expire_broker(2);
    assert_eq!(*cluster.partition("a", 0).elr, [2], "two replicas are wanted in sync");
    assert_eq!(alter(&mut cluster, BROKER, "1", (SET, "log.retention.ms", Some("1000"))), (0, None));
    let configs = cluster.create(vec![topic("b", 1, 1)]).remove(0).configs.unwrap();
    let retention = configs.iter().find(|config| config.name == "retention.ms").unwrap();
    assert_eq!((retention.value.as_deref(), retention.config_source), (Some("1000"), 2));
}

#[test]
fn the_old_request_replaces_everything() {
    let mut cluster = Cluster::new(1);
    cluster.create(vec![topic("a", 1, 1)]);
    alter(&mut cluster, TOPIC, "a", (SET, "retention.ms", Some("5")));
    let mut replace = |configs: &[(&str, Option<&str>)], validate_only| {
        let config = |(name, value): &(&str, Option<&str>)| alter_configs_request::AlterableConfig {
            name: (*name).into(),
            value: value.map(str::to_owned),
            ..Default::default()
        };
        let resource = alter_configs_request::AlterConfigsResource {
            resource_type: TOPIC,
            resource_name: "a".into(),
            configs: configs.iter().map(config).collect(),
            ..Default::default()
        };
        let request = AlterConfigsRequest { resources: vec![resource], validate_only, ..Default::default() };
        let image = cluster.image().clone();
        let result = cluster.controller.alter_configs(&image, &request, 1);
        let response = cluster.commit(result).responses.remove(0);
        let now = cluster.image().configs.of_topic("a").clone();
        (response.error_code, response.error_message, now.into_iter().collect::<Vec<_>>())
    };
    let before = vec![("retention.ms".to_owned(), "5".to_owned())];
    let after = vec![("segment.ms".to_owned(), "7".to_owned())];
    assert_eq!(replace(&[("segment.ms", Some("7"))], true), (0, None, before.clone()));
    let null = "Null value not supported for : segment.ms".to_owned();
    assert_eq!(replace(&[("segment.ms", None)], false), (42, Some(null), before));
    assert_eq!(replace(&[("segment.ms", Some("7"))], false), (0, None, after));
}

#[test]
fn log_levels_follow_kafkas_rules() {
    let change = |name: &str, op| logger_changes(&resource(BROKER_LOGGER, name, &[op]), 1, |l| l != "nope");
    let set = |level: &str| LoggerChange { logger: "root".into(), level: Some(level.to_owned()) };
    assert_eq!(change("1", (SET, "root", Some("DEBUG"))), Ok(vec![set("DEBUG")]));
    let unset = LoggerChange { logger: "broker".into(), level: None };
    assert_eq!(change("1", (DELETE, "broker", None)), Ok(vec![unset]));
    use ErrorCode as E;
    let refused = |name: &str, op, code: E, message: &str| {
        assert_eq!(change(name, op), Err(ApiError::new(code, message)));
    };
    refused("1", (SET, "nope", Some("INFO")), E::InvalidConfig, "Logger nope does not exist!");
    refused(
        "1",
        (SET, "root", Some("LOUD")),
        E::InvalidConfig,
        "Cannot set the log level of root to LOUD as it is not a \
        supported log level. Valid log levels are DEBUG, ERROR, FATAL, INFO, TRACE, WARN",
    );
    refused(
        "1",
        (APPEND, "root", Some("INFO")),
        E::InvalidRequest,
        "APPEND operation is not allowed for the BROKER_LOGGER resource",
    );
    refused(
        "1",
        (DELETE, "root", None),
        E::InvalidRequest,
        "Removing the log level of the root logger is not allowed",
    );
    refused("2", (DELETE, "root", None), E::InvalidRequest, "Unexpected node id. Expected 1, but received 2");
    refused("x", (DELETE, "root", None), E::InvalidRequest, "Node id must be an integer, but it is: x");
}
