//! What a topic has by its broker's settings under all their names: Apache Kafka 4.4.0's answers, asked of our tables too.

use config::{BrokerConfig, Properties, TopicConfig};

const INHERITED: &str = include_str!("data/inherited.txt");

const NODE: &str = "process.roles=broker,controller;node.id=1;controller.quorum.voters=1@localhost:9093;\
    listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093;controller.listener.names=CONTROLLER";

fn settings(text: &str) -> Properties {
    let pairs = text.split(';').filter(|pair| !pair.is_empty());
    let split = pairs.map(|pair| pair.split_once('=').expect("a name and a value"));
    split.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn shown(topic: &TopicConfig) -> [(&'static str, i64); 7] {
    [
        ("retention.ms", topic.retention_ms),
        ("retention.bytes", topic.retention_bytes),
        ("segment.ms", topic.segment_ms),
        ("segment.jitter.ms", topic.segment_jitter_ms),
        ("segment.bytes", i64::from(topic.segment_bytes)),
        ("file.delete.delay.ms", topic.file_delete_delay_ms),
        ("flush.ms", topic.flush_ms),
    ]
}

fn what_differs(broker: &str, own: &str) -> String {
    let Ok(broker) = BrokerConfig::from_properties(&settings(&format!("{NODE};{broker}"))) else {
        return "refused".to_owned();
    };
    let defaults = BrokerConfig::from_properties(&settings(NODE)).expect("the smallest node is valid");
    let defaults = shown(&TopicConfig::resolve(&defaults, &Properties::new()));
    let values = shown(&TopicConfig::resolve(&broker, &settings(own)));
    let differing = values.iter().zip(&defaults).filter(|(value, default)| value != default);
    differing.map(|((name, value), _)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
}

#[test]
fn topics_inherit_retention_and_rolling_as_from_apache_kafka() {
    let mut wrong = Vec::new();
    let mut asked = 0;
    for line in INHERITED.lines().filter(|line| !line.starts_with('#')) {
        let [broker, own, kafka] = line.split('|').collect::<Vec<_>>()[..] else {
            panic!("three fields: {line}")
        };
        let ours = what_differs(broker, own);
        if ours != kafka {
            wrong.push(format!("{line}\n  ours: {ours}"));
        }
        asked += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(asked > 50, "{asked} answers only");
}
