//! Tests of the tables as a whole.

use crate::{BrokerConfig, GroupConfig, Properties, TopicConfig, broker, client_metrics, group, topic};

pub(crate) fn properties(pairs: &[(&str, &str)]) -> Properties {
    pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

/// A configuration of the smallest node, and `pairs`.
pub(crate) fn broker_with(pairs: &[(&str, &str)]) -> BrokerConfig {
    let mut all = properties(&[
        ("node.id", "1"),
        ("process.roles", "broker,controller"),
        ("controller.listener.names", "CONTROLLER"),
    ]);
    all.extend(properties(pairs));
    BrokerConfig::from_properties(&all).expect("valid")
}

#[test]
fn every_default_is_valid_and_typed() {
    let broker = broker_with(&[]);
    TopicConfig::resolve(&broker, &Properties::new());
    GroupConfig::resolve(&broker, &Properties::new());
    for key in client_metrics::keys() {
        key.resolve(None).expect(key.name);
    }
}

#[test]
fn tables_are_sorted_and_names_are_unique() {
    assert!(broker::keys().is_sorted_by(|a, b| a.name < b.name));
    assert!(topic::keys().is_sorted_by(|a, b| a.name < b.name));
    assert!(group::keys().is_sorted_by(|a, b| a.name < b.name));
}

#[test]
fn a_topic_inherits_from_the_broker_in_its_own_unit() {
    let broker = broker_with(&[("log.retention.hours", "2"), ("log.roll.hours", "3")]);
    let topic = TopicConfig::resolve(&broker, &properties(&[("retention.bytes", "7"), ("segment.ms", "0")]));
    assert_eq!((topic.retention_ms, topic.segment_ms, topic.retention_bytes), (7_200_000, 10_800_000, 7));
}
