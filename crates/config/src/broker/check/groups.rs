//! How the bounds and values of group settings must lie to each other.

use super::{BrokerConfig, Rule, expect};
use crate::broker;
use crate::value::Value;

/// How two numbers must lie to each other.
#[derive(Clone, Copy)]
enum Relation {
    AtLeast,
    AtMost,
    Below,
}
use Relation::{AtLeast, AtMost, Below};

/// Pairs of keys, in the order in which Kafka looks.
const RELATIONS: [(&str, Relation, &str); 40] = [
    ("group.consumer.max.heartbeat.interval.ms", AtLeast, "group.consumer.min.heartbeat.interval.ms"),
    ("group.consumer.heartbeat.interval.ms", AtLeast, "group.consumer.min.heartbeat.interval.ms"),
    ("group.consumer.heartbeat.interval.ms", AtMost, "group.consumer.max.heartbeat.interval.ms"),
    ("group.consumer.max.session.timeout.ms", AtLeast, "group.consumer.min.session.timeout.ms"),
    ("group.consumer.session.timeout.ms", AtLeast, "group.consumer.min.session.timeout.ms"),
    ("group.consumer.session.timeout.ms", AtMost, "group.consumer.max.session.timeout.ms"),
    ("group.consumer.heartbeat.interval.ms", Below, "group.consumer.session.timeout.ms"),
    ("group.consumer.max.assignment.interval.ms", AtLeast, "group.consumer.min.assignment.interval.ms"),
    ("group.consumer.assignment.interval.ms", AtLeast, "group.consumer.min.assignment.interval.ms"),
    ("group.consumer.assignment.interval.ms", AtMost, "group.consumer.max.assignment.interval.ms"),
    ("group.share.max.heartbeat.interval.ms", AtLeast, "group.share.min.heartbeat.interval.ms"),
    ("group.share.heartbeat.interval.ms", AtLeast, "group.share.min.heartbeat.interval.ms"),
    ("group.share.heartbeat.interval.ms", AtMost, "group.share.max.heartbeat.interval.ms"),
    ("group.share.max.session.timeout.ms", AtLeast, "group.share.min.session.timeout.ms"),
    ("group.share.session.timeout.ms", AtLeast, "group.share.min.session.timeout.ms"),
    ("group.share.session.timeout.ms", AtMost, "group.share.max.session.timeout.ms"),
    ("group.share.heartbeat.interval.ms", Below, "group.share.session.timeout.ms"),
    ("group.share.max.assignment.interval.ms", AtLeast, "group.share.min.assignment.interval.ms"),
    ("group.share.assignment.interval.ms", AtLeast, "group.share.min.assignment.interval.ms"),
    ("group.share.assignment.interval.ms", AtMost, "group.share.max.assignment.interval.ms"),
    ("group.streams.max.heartbeat.interval.ms", AtLeast, "group.streams.min.heartbeat.interval.ms"),
    ("group.streams.heartbeat.interval.ms", AtLeast, "group.streams.min.heartbeat.interval.ms"),
    ("group.streams.heartbeat.interval.ms", AtMost, "group.streams.max.heartbeat.interval.ms"),
    ("group.streams.max.session.timeout.ms", AtLeast, "group.streams.min.session.timeout.ms"),
    ("group.streams.session.timeout.ms", AtLeast, "group.streams.min.session.timeout.ms"),
    ("group.streams.session.timeout.ms", AtMost, "group.streams.max.session.timeout.ms"),
    ("group.streams.heartbeat.interval.ms", Below, "group.streams.session.timeout.ms"),
    ("group.streams.max.assignment.interval.ms", AtLeast, "group.streams.min.assignment.interval.ms"),
    ("group.streams.assignment.interval.ms", AtLeast, "group.streams.min.assignment.interval.ms"),
    ("group.streams.assignment.interval.ms", AtMost, "group.streams.max.assignment.interval.ms"),
    ("group.streams.num.standby.replicas", AtMost, "group.streams.max.standby.replicas"),
    ("group.streams.task.offset.interval.ms", AtLeast, "group.streams.min.task.offset.interval.ms"),
    ("group.streams.num.warmup.replicas", AtMost, "group.streams.max.warmup.replicas"),
    ("group.share.max.delivery.count.limit", AtLeast, "group.share.delivery.count.limit"),
    ("group.share.delivery.count.limit", AtLeast, "group.share.min.delivery.count.limit"),
    ("group.share.max.partition.max.record.locks", AtLeast, "group.share.partition.max.record.locks"),
    ("group.share.partition.max.record.locks", AtLeast, "group.share.min.partition.max.record.locks"),
    ("group.share.record.lock.duration.ms", AtLeast, "group.share.min.record.lock.duration.ms"),
    ("group.share.max.record.lock.duration.ms", AtLeast, "group.share.record.lock.duration.ms"),
    ("group.share.max.share.sessions", AtLeast, "group.share.max.size"),
];

pub(super) fn rules(config: &BrokerConfig) -> Vec<Rule> {
    let (groups, share, streams) = (&config.groups, &config.share, &config.streams);
    let mut rules = vec![
        assignors("group.consumer.assignors", &groups.group_consumer_assignors, &["uniform", "range"]),
        assignors("group.share.assignors", &share.group_share_assignors, &["simple"]),
        assignors("group.streams.assignors", &streams.group_streams_assignors, &["sticky"]),
        expect(
            share.group_share_assignors.len() == 1,
            format!(
                "group.share.assignors must contain exactly one assignor, but found {}",
                share.group_share_assignors.len()
            ),
        ),
        expect(
            groups.group_coordinator_rebalance_protocols.iter().any(|protocol| protocol == "classic"),
            "Disabling the 'classic' protocol is not supported.",
        ),
    ];
    for codec in
        [groups.offsets_topic_compression_codec, share.share_coordinator_state_topic_compression_codec]
    {
        rules.push(expect((0..=4).contains(&codec), format!("Unknown compression type id: {codec}")));
    }
    rules.extend(RELATIONS.iter().map(|(name, relation, other)| related(config, name, *relation, other)));
    rules
}

fn assignors(name: &str, configured: &[String], built_in: &[&str]) -> Rule {
    let unknown = configured.iter().find(|assignor| !built_in.contains(&assignor.as_str()));
    let text = unknown
        .map(|assignor| format!("Invalid value {assignor} for configuration {name}: Class cannot be found"));
    expect(text.is_none(), text.unwrap_or_default())
}

fn related(config: &BrokerConfig, name: &str, relation: Relation, other: &str) -> Rule {
    let (Some(a), Some(b)) = (number(config, name), number(config, other)) else {
        return expect(true, "");
    };
    match relation {
        AtLeast => expect(a >= b, format!("{name} must be greater than or equal to {other}")),
        AtMost => expect(a <= b, format!("{name} must be less than or equal to {other}")),
        Below => expect(a < b, format!("{name} must be less than {other}")),
    }
}

fn number(config: &BrokerConfig, name: &str) -> Option<i32> {
    match broker::key(name)?.resolve(config.layers.get(name)) {
        Ok(Some(Value::Int(number))) => Some(number),
        _ => None,
    }
}
