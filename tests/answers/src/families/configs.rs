//! DescribeConfigs, AlterConfigs, IncrementalAlterConfigs and ListConfigResources.

use anyhow::Result;
use protocol::messages::alter_configs_request::{AlterConfigsResource, AlterableConfig};
use protocol::messages::describe_configs_request::DescribeConfigsResource;
use protocol::messages::describe_configs_response::DescribeConfigsResponse;
use protocol::messages::incremental_alter_configs_request as incremental;
use protocol::messages::{
    AlterConfigsRequest, DescribeConfigsRequest, IncrementalAlterConfigsRequest, ListConfigResourcesRequest,
};

use crate::session::Session;

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const BROKER_LOGGER: i8 = 8;
const CLIENT_METRICS: i8 = 16;
const GROUP: i8 = 32;

const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

pub fn ask(session: &mut Session) -> Result<()> {
    session.create_topic("plain", 1)?;
    describe(session)?;
    alter_incrementally(session)?;
    alter_brokers(session)?;
    alter_other_resources(session)?;
    alter_all_at_once(session)?;
    list_resources(session)
}

fn describe(session: &mut Session) -> Result<()> {
    for version in 1..=4 {
        let request = describing(TOPIC, "plain", Some(&["retention.ms", "cleanup.policy"]));
        session.ask(&format!("describe two topic keys, version {version}"), version, request)?;
    }
    session.ask_showing("describe every topic key", 4, describing(TOPIC, "plain", None), show_entries)?;
    let with_synonyms = DescribeConfigsRequest {
        include_synonyms: true,
        ..describing(
            TOPIC,
            "plain",
            Some(&["retention.ms", "segment.bytes", "compression.type", "preallocate"]),
        )
    };
    session.ask("describe topic keys with synonyms", 4, with_synonyms)?;
    session.ask("describe an unknown topic", 4, describing(TOPIC, "unknown", None))?;
    session.ask("describe an illegal topic", 4, describing(TOPIC, "a b", None))?;
    session.ask("describe a topic without a name", 4, describing(TOPIC, "", None))?;
    session.ask("describe an unknown key", 4, describing(TOPIC, "plain", Some(&["no.such.key"])))?;
    session.ask("describe no keys", 4, describing(TOPIC, "plain", Some(&[])))?;
    let some = ["log.retention.hours", "num.partitions", "message.max.bytes", "log.retention.ms"];
    session.ask("describe broker keys", 4, describing(BROKER, "1", Some(&some)))?;
    let with_synonyms =
        DescribeConfigsRequest { include_synonyms: true, ..describing(BROKER, "1", Some(&some)) };
    session.ask("describe broker keys with synonyms", 4, with_synonyms)?;
    session.ask_showing("describe the cluster's defaults", 4, describing(BROKER, "", None), show_entries)?;
    session.ask("describe another broker", 4, describing(BROKER, "2", Some(&some)))?;
    session.ask("describe a broker that is a word", 4, describing(BROKER, "one", Some(&some)))?;
    session.ask("describe an unknown resource type", 4, describing(77, "plain", None))?;
    session.ask("describe the unknown resource type", 4, describing(0, "plain", None))?;
    session.ask_showing("describe a group", 4, describing(GROUP, "some-group", None), show_entries)?;
    session.ask("describe a group without a name", 4, describing(GROUP, "", None))?;
    session.ask("describe client metrics", 4, describing(CLIENT_METRICS, "some", None))?;
    session.ask("describe client metrics without a name", 4, describing(CLIENT_METRICS, "", None))?;
    session.ask("describe loggers of another broker", 4, describing(BROKER_LOGGER, "2", None))?;
    let two = DescribeConfigsRequest {
        resources: [
            describing(TOPIC, "plain", Some(&["retention.ms"])).resources,
            describing(TOPIC, "unknown", Some(&["retention.ms"])).resources,
        ]
        .concat(),
        ..Default::default()
    };
    session.ask("describe two resources", 4, two)?;
    session.ask("describe nothing", 4, DescribeConfigsRequest::default())?;
    Ok(())
}

fn alter_incrementally(session: &mut Session) -> Result<()> {
    let change = |op: i8, name: &str, value: Option<&str>| changing(TOPIC, "plain", &[(op, name, value)]);
    session.ask("set, version 0", 0, change(SET, "retention.ms", Some("86400000")))?;
    session.ask("set, version 1", 1, change(SET, "cleanup.policy", Some("compact")))?;
    session.ask("append", 1, change(APPEND, "cleanup.policy", Some("delete")))?;
    session.ask("append what is there", 1, change(APPEND, "cleanup.policy", Some("delete")))?;
    see(session, "after append", &["cleanup.policy", "retention.ms"], |value| value == "compact,delete")?;
    session.ask("subtract", 1, change(SUBTRACT, "cleanup.policy", Some("compact")))?;
    see(session, "after subtract", &["cleanup.policy"], |value| value == "delete")?;
    session.ask("subtract what is not there", 1, change(SUBTRACT, "cleanup.policy", Some("compact")))?;
    session.ask("append to a number", 1, change(APPEND, "retention.ms", Some("1")))?;
    session.ask("subtract from a number", 1, change(SUBTRACT, "retention.ms", Some("1")))?;
    session.ask("delete", 1, change(DELETE, "retention.ms", None))?;
    session.ask("delete what is not set", 1, change(DELETE, "segment.ms", None))?;
    session.ask("delete an unknown key", 1, change(DELETE, "no.such.key", None))?;
    see(session, "after delete", &["retention.ms"], |value| value == "-1")?;
    session.ask("set to null", 1, change(SET, "retention.ms", None))?;
    session.ask("set an unknown key", 1, change(SET, "no.such.key", Some("1")))?;
    session.ask("set a wrong number", 1, change(SET, "retention.ms", Some("soon")))?;
    session.ask("set a number out of range", 1, change(SET, "min.insync.replicas", Some("0")))?;
    session.ask("set with spaces around", 1, change(SET, "retention.ms", Some(" 77 ")))?;
    see(session, "after set with spaces", &["retention.ms"], |value| value != "-1")?;
    session.ask("an unknown operation", 1, change(9, "retention.ms", Some("1")))?;
    let twice =
        changing(TOPIC, "plain", &[(SET, "retention.ms", Some("1")), (SET, "retention.ms", Some("2"))]);
    session.ask("the same key twice", 1, twice)?;
    session.ask(
        "change an unknown topic",
        1,
        changing(TOPIC, "unknown", &[(SET, "retention.ms", Some("1"))]),
    )?;
    session.ask(
        "change a topic without a name",
        1,
        changing(TOPIC, "", &[(SET, "retention.ms", Some("1"))]),
    )?;
    let validating =
        IncrementalAlterConfigsRequest { validate_only: true, ..change(SET, "retention.ms", Some("5")) };
    session.ask("validate a change", 1, validating)?;
    let validating =
        IncrementalAlterConfigsRequest { validate_only: true, ..change(SET, "retention.ms", Some("x")) };
    session.ask("validate a wrong change", 1, validating)?;
    see(session, "after validation", &["retention.ms"], |_| true)?;
    let same = changing(TOPIC, "plain", &[(SET, "retention.ms", Some("1"))]).resources;
    let request =
        IncrementalAlterConfigsRequest { resources: [same.clone(), same].concat(), ..Default::default() };
    session.ask("the same resource twice", 1, request)?;
    session.ask("no changes", 1, changing(TOPIC, "plain", &[]))?;
    session.ask("no resources", 1, IncrementalAlterConfigsRequest::default())?;
    Ok(())
}

fn alter_brokers(session: &mut Session) -> Result<()> {
    let change = |name: &str, key: &str, value: Option<&str>| {
        changing(BROKER, name, &[(if value.is_some() { SET } else { DELETE }, key, value)])
    };
    session.ask("set a cluster-wide default", 1, change("", "log.retention.ms", Some("123456789")))?;
    session.ask_until(
        "topics see the cluster's default",
        4,
        synonyms_of("max.message.bytes", "retention.ms"),
        |response| format!("{response:?}").contains("123456789"),
    )?;
    session.ask("set for one broker", 1, change("1", "log.cleaner.threads", Some("1")))?;
    session.ask("set for another broker", 1, change("2", "log.cleaner.threads", Some("2")))?;
    session.ask("set for a broker that is a word", 1, change("one", "log.cleaner.threads", Some("2")))?;
    session.ask("set a read-only key", 1, change("1", "node.id", Some("2")))?;
    session.ask("set a read-only key for all", 1, change("", "broker.rack", Some("a")))?;
    session.ask("set a key of one broker for all", 1, change("", "listeners", Some("PLAINTEXT://:1")))?;
    session.ask("set an unknown broker key", 1, change("", "no.such.key", Some("1")))?;
    session.ask("set a wrong broker value", 1, change("", "message.max.bytes", Some("many")))?;
    session.ask("set a broker value out of range", 1, change("", "message.max.bytes", Some("-5")))?;
    session.ask("remove the cluster-wide default", 1, change("", "log.retention.ms", None))?;
    session.ask_until(
        "topics see the file's value again",
        4,
        synonyms_of("max.message.bytes", "retention.ms"),
        |response| !format!("{response:?}").contains("123456789"),
    )?;
    Ok(())
}

fn alter_other_resources(session: &mut Session) -> Result<()> {
    let group = |key: &str, value: &str| changing(GROUP, "some-group", &[(SET, key, Some(value))]);
    session.ask("set a group's key", 1, group("consumer.session.timeout.ms", "50000"))?;
    session.ask_until(
        "describe the group's key",
        4,
        describing(GROUP, "some-group", Some(&["consumer.session.timeout.ms"])),
        |response| format!("{response:?}").contains("50000"),
    )?;
    session.ask("set a group's key out of range", 1, group("consumer.session.timeout.ms", "1"))?;
    session.ask("set an unknown group key", 1, group("no.such.key", "1"))?;
    session.ask(
        "set for a group without a name",
        1,
        changing(GROUP, "", &[(SET, "consumer.session.timeout.ms", Some("50000"))]),
    )?;
    session.ask("change an unknown resource type", 1, changing(77, "x", &[(SET, "a", Some("1"))]))?;
    session.ask("change the unknown resource type", 1, changing(0, "x", &[(SET, "a", Some("1"))]))?;
    session.ask(
        "set a client metrics key",
        1,
        changing(CLIENT_METRICS, "some", &[(SET, "interval.ms", Some("1000"))]),
    )?;
    session.ask(
        "set a wrong client metrics key",
        1,
        changing(CLIENT_METRICS, "some", &[(SET, "interval.ms", Some("1"))]),
    )?;
    session.ask(
        "set an unknown client metrics key",
        1,
        changing(CLIENT_METRICS, "some", &[(SET, "no.such", Some("1"))]),
    )?;
    Ok(())
}

fn alter_all_at_once(session: &mut Session) -> Result<()> {
    let change = |name: &str, configs: &[(&str, Option<&str>)]| replacing(TOPIC, name, configs);
    for version in 0..=2 {
        let request =
            change("plain", &[("retention.ms", Some("1234567890")), ("cleanup.policy", Some("delete"))]);
        session.ask(&format!("replace all, version {version}"), version, request)?;
    }
    see(session, "after replacing", &["retention.ms", "cleanup.policy"], |value| value == "1234567890")?;
    session.ask("replace by less", 2, change("plain", &[("cleanup.policy", Some("compact"))]))?;
    see(session, "after replacing by less", &["retention.ms", "cleanup.policy"], |value| value == "-1")?;
    session.ask("replace with an unknown key", 2, change("plain", &[("no.such.key", Some("1"))]))?;
    session.ask("replace with a wrong value", 2, change("plain", &[("segment.bytes", Some("tiny"))]))?;
    session.ask("replace with null", 2, change("plain", &[("retention.ms", None)]))?;
    session.ask("replace on an unknown topic", 2, change("unknown", &[("retention.ms", Some("1"))]))?;
    session.ask(
        "replace on a broker that is a word",
        2,
        replacing(BROKER, "one", &[("log.cleaner.threads", Some("1"))]),
    )?;
    session.ask("replace on an unknown resource type", 2, replacing(77, "x", &[("a", Some("1"))]))?;
    let validating =
        AlterConfigsRequest { validate_only: true, ..change("plain", &[("retention.ms", Some("9"))]) };
    session.ask("replace, validate only", 2, validating)?;
    Ok(())
}

fn list_resources(session: &mut Session) -> Result<()> {
    session.ask("list client metrics, version 0", 0, ListConfigResourcesRequest::default())?;
    let list =
        |types: &[i8]| ListConfigResourcesRequest { resource_types: types.to_vec(), ..Default::default() };
    for (name, types) in [
        ("topics", vec![TOPIC]),
        ("brokers", vec![BROKER]),
        ("loggers", vec![BROKER_LOGGER]),
        ("groups", vec![GROUP]),
        ("groups and topics", vec![GROUP, TOPIC]),
        ("an unknown type", vec![77]),
    ] {
        session.ask(&format!("list {name}"), 1, list(&types))?;
    }
    Ok(())
}

/// Records some of the topic's configs as soon as the first of them has the expected value.
fn see(session: &mut Session, name: &str, keys: &[&str], is_expected: impl Fn(&str) -> bool) -> Result<()> {
    let first = keys[0].to_owned();
    session.ask_until(name, 4, describing(TOPIC, "plain", Some(keys)), |response| {
        let mut entries = response.results.iter().flat_map(|result| &result.configs);
        entries.any(|entry| entry.name == first && entry.value.as_deref().is_some_and(&is_expected))
    })?;
    Ok(())
}

/// One line for each entry, in the order of the names.
fn show_entries(response: &DescribeConfigsResponse) -> String {
    let mut lines = Vec::new();
    for result in &response.results {
        lines.push(format!("{} {:?}: {}", result.resource_type, result.resource_name, result.error_code));
        let mut entries: Vec<_> = result.configs.iter().collect();
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        for entry in entries {
            let (source, kind) = (entry.config_source, entry.config_type);
            let flags = [(entry.read_only, " read-only"), (entry.is_sensitive, " sensitive")];
            let flags: String = flags.iter().filter(|(set, _)| *set).map(|(_, flag)| *flag).collect();
            lines.push(format!("    {} = {:?} source {source} type {kind}{flags}", entry.name, entry.value));
        }
    }
    lines.join("\n")
}

fn describing(resource_type: i8, name: &str, keys: Option<&[&str]>) -> DescribeConfigsRequest {
    let resource = DescribeConfigsResource {
        resource_type,
        resource_name: name.to_owned(),
        configuration_keys: keys.map(|keys| keys.iter().map(|key| (*key).to_owned()).collect()),
        ..Default::default()
    };
    DescribeConfigsRequest { resources: vec![resource], ..Default::default() }
}

fn synonyms_of(first: &str, second: &str) -> DescribeConfigsRequest {
    DescribeConfigsRequest { include_synonyms: true, ..describing(TOPIC, "plain", Some(&[first, second])) }
}

fn changing(
    resource_type: i8,
    name: &str,
    changes: &[(i8, &str, Option<&str>)],
) -> IncrementalAlterConfigsRequest {
    let change = |(config_operation, name, value): &(i8, &str, Option<&str>)| incremental::AlterableConfig {
        name: (*name).to_owned(),
        config_operation: *config_operation,
        value: value.map(str::to_owned),
        ..Default::default()
    };
    let resource = incremental::AlterConfigsResource {
        resource_type,
        resource_name: name.to_owned(),
        configs: changes.iter().map(change).collect(),
        ..Default::default()
    };
    IncrementalAlterConfigsRequest { resources: vec![resource], ..Default::default() }
}

fn replacing(resource_type: i8, name: &str, configs: &[(&str, Option<&str>)]) -> AlterConfigsRequest {
    let config = |(name, value): &(&str, Option<&str>)| AlterableConfig {
        name: (*name).to_owned(),
        value: value.map(str::to_owned),
        ..Default::default()
    };
    let resource = AlterConfigsResource {
        resource_type,
        resource_name: name.to_owned(),
        configs: configs.iter().map(config).collect(),
        ..Default::default()
    };
    AlterConfigsRequest { resources: vec![resource], ..Default::default() }
}
