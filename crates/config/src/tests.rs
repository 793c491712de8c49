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

#[test]
fn fields_are_named_by_their_keys() {
    use crate::broker::*;
    let tables = [
        NodeConfig::FIELDS,
        NetworkConfig::FIELDS,
        LogConfig::FIELDS,
        TopicsConfig::FIELDS,
        ReplicationConfig::FIELDS,
        GroupsConfig::FIELDS,
        ShareConfig::FIELDS,
        StreamsConfig::FIELDS,
        TransactionsConfig::FIELDS,
        QuotasConfig::FIELDS,
        MetricsConfig::FIELDS,
        TieringConfig::FIELDS,
        SecurityConfig::FIELDS,
        KlammConfig::FIELDS,
        TopicConfig::FIELDS,
        GroupConfig::FIELDS,
        crate::ClientMetricsConfig::FIELDS,
    ];
    for (field, name) in tables.into_iter().flatten() {
        // `match` is a word of Rust's.
        assert_eq!(field.trim_end_matches('_'), name.replace('.', "_"));
    }
}

#[test]
fn altered_values_go_before_those_of_the_start_and_invalid_ones_are_left_out() {
    let broker = broker_with(&[("log.segment.bytes", "2000000"), ("message.max.bytes", "10")]);
    let cluster = properties(&[("log.segment.bytes", "3000000"), ("message.max.bytes", "20")]);
    let own = properties(&[("message.max.bytes", "30"), ("log.roll.ms", "x"), ("num.partitions", "9")]);
    let altered = broker.with_altered(&cluster, &own);
    assert_eq!((altered.log.log_segment_bytes, altered.log.message_max_bytes), (3_000_000, 30));
    assert_eq!((altered.log.roll_ms(), altered.topics.num_partitions), (604_800_000, 1));
    let topic = TopicConfig::resolve(&altered, &properties(&[("segment.bytes", "4000000")]));
    assert_eq!((topic.segment_bytes, topic.max_message_bytes), (4_000_000, 30));
    assert_eq!(topic.effective_segment_bytes(), 4_000_000);
    let small = TopicConfig::resolve(&altered, &properties(&[("internal.segment.bytes", "500")]));
    assert_eq!(small.effective_segment_bytes(), 500);
    let back = altered.with_altered(&Properties::new(), &Properties::new());
    assert_eq!(back, broker);
}

#[test]
fn a_group_inherits_from_the_broker() {
    let broker = broker_with(&[("group.consumer.session.timeout.ms", "50000")]);
    let group = GroupConfig::resolve(&broker, &properties(&[("share.delivery.count.limit", "3")]));
    assert_eq!((group.consumer_session_timeout_ms, group.share_delivery_count_limit), (50_000, 3));
    assert_eq!(group.streams_assignor_name.as_deref(), Some("sticky"));
}

#[test]
fn a_secret_is_never_described() {
    let fixed = properties(&[("ssl.key.password", "hush"), ("listener.name.x.ssl.key.password", "hush")]);
    let mut broker = broker_with(&[]);
    broker.layers.fixed.extend(fixed);
    let described = crate::describe::broker(&broker);
    assert!(!format!("{described:?}").contains("hush"));
    let sensitive = |name| described.iter().any(|one| one.name == name && one.sensitive);
    assert!(sensitive("ssl.key.password") && sensitive("listener.name.x.ssl.key.password"));
}
