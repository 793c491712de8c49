//! What Apache Kafka 4.4.0 answered to alterations and descriptions, asked of our tables in the same order.

use std::collections::{BTreeMap, BTreeSet};

use config::alter::{self, Operation, OperationKind, Refusal, Resource};
use config::describe::{self, ConfigSource, Description};
use config::{BrokerConfig, Properties};

const ANSWERS: &str = include_str!("data/answers.txt");

/// Answers that differ, and why. A prefix of the line names them.
const DIFFERENCES: [(&str, &str); 6] = [
    ("BROKER|1|SET metric.reporters=foo.Bar", "no reporter is ever loaded: accepted, without effect"),
    ("BROKER||SET metric.reporters=foo.Bar", "no reporter is ever loaded: accepted, without effect"),
    ("BROKER|1|SET max.connections.per.ip.overrides=foo", "Kafka's text ends in a Java exception's"),
    ("BROKER||SET max.connections.per.ip.overrides=foo", "Kafka's text ends in a Java exception's"),
    (
        "BROKER|1|SET listener.name.plaintext.ssl.keystore.location",
        "security that is not enforced is refused",
    ),
    ("CLIENT_METRICS|m|SET match=client_id=[", "patterns are compiled where they are used"),
];

/// The properties file of the broker that answered.
fn base() -> BrokerConfig {
    let file = "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1@localhost:9093\n\
        listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093\n\
        advertised.listeners=PLAINTEXT://localhost:9092\ninter.broker.listener.name=PLAINTEXT\n\
        controller.listener.names=CONTROLLER\nnum.network.threads=3\nnum.io.threads=8\nlog.dirs=/data\n\
        listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT\nnum.partitions=2\n\
        offsets.topic.replication.factor=1\ntransaction.state.log.replication.factor=1\n\
        transaction.state.log.min.isr=1\nshare.coordinator.state.topic.replication.factor=1\n\
        share.coordinator.state.topic.min.isr=1\ngroup.initial.rebalance.delay.ms=0\nlog.retention.hours=100\n";
    let properties = config::properties::parse(file.as_bytes()).expect("a properties file");
    BrokerConfig::from_properties(&properties).expect("valid")
}

/// What is altered, by resource and name.
type Altered = BTreeMap<(String, String), Properties>;

fn altered(state: &Altered, resource: &str, name: &str) -> Properties {
    state.get(&(resource.to_owned(), name.to_owned())).cloned().unwrap_or_default()
}

fn current(state: &Altered) -> BrokerConfig {
    base().with_altered(&altered(state, "BROKER", ""), &altered(state, "BROKER", "1"))
}

fn operation(text: &str) -> Operation {
    let (word, rest) = text.split_once(' ').expect("an operation");
    let kind = [OperationKind::Set, OperationKind::Delete, OperationKind::Append, OperationKind::Subtract]
        .into_iter()
        .find(|kind| kind.word() == word)
        .expect("a known operation");
    let (name, value) = rest.split_once('=').map_or((rest, None), |(name, value)| (name, Some(value)));
    Operation { name: name.to_owned(), kind, value: value.map(str::to_owned) }
}

fn alter(state: &Altered, resource: &str, name: &str, operations: &str) -> Result<Properties, Refusal> {
    let kind = match resource {
        "TOPIC" => Resource::Topic,
        "BROKER" => Resource::Broker,
        "GROUP" => Resource::Group,
        _ => Resource::ClientMetrics,
    };
    let operations: Vec<Operation> = operations.split(';').map(operation).collect();
    let own = altered(state, resource, name);
    let new = alter::applied(&own, &alter::apply(kind, &own, &operations)?);
    match kind {
        Resource::Topic => alter::check_topic(&current(state), &new),
        Resource::Broker => alter::check_broker(&current(state), &new, !name.is_empty()),
        Resource::Group => alter::check_group(&current(state), &new),
        Resource::ClientMetrics => alter::check_client_metrics(name, &new),
    }?;
    Ok(new)
}

/// Every line up to the end: alterations change `state`, descriptions go to `describe`.
fn replay(
    mut on_alteration: impl FnMut(&str, String, String),
    mut on_description: impl FnMut(&Altered, &str),
) {
    let mut state = Altered::new();
    let cluster = [("min.insync.replicas".to_owned(), "1".to_owned())].into();
    state.insert(("BROKER".to_owned(), String::new()), cluster);
    for line in ANSWERS.lines().filter(|line| !line.starts_with('#')) {
        if line.starts_with("DESC|") {
            on_description(&state, line);
            continue;
        }
        let [resource, name, operations, answer] = line.splitn(4, '|').collect::<Vec<_>>()[..] else {
            panic!("four fields: {line}")
        };
        let ours = match alter(&state, resource, name, operations) {
            Ok(new) => {
                // A later answer builds on what Kafka took, not on what we did.
                let new = if answer == "NONE" { new } else { altered(&state, resource, name) };
                state.insert((resource.to_owned(), name.to_owned()), new);
                "NONE".to_owned()
            }
            Err(refusal) => format!("{}|{}", refusal.code as i16, refusal.message),
        };
        on_alteration(line, answer.to_owned(), ours);
    }
}

#[test]
fn alterations_are_answered_alike() {
    let mut wrong = Vec::new();
    let mut asked = 0;
    let check = |line: &str, kafka: String, ours: String| {
        asked += 1;
        let differs = DIFFERENCES.iter().any(|(prefix, _)| line.starts_with(prefix));
        if (kafka == ours) == differs {
            wrong.push(format!("{line}\n  ours: {ours}"));
        }
    };
    replay(check, |_, _| {});
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(asked > 150, "{asked} answers only");
}

fn source(source: ConfigSource) -> &'static str {
    match source {
        ConfigSource::DynamicTopic => "DYNAMIC_TOPIC_CONFIG",
        ConfigSource::DynamicBroker => "DYNAMIC_BROKER_CONFIG",
        ConfigSource::DynamicDefaultBroker => "DYNAMIC_DEFAULT_BROKER_CONFIG",
        ConfigSource::StaticBroker => "STATIC_BROKER_CONFIG",
        ConfigSource::Default => "DEFAULT_CONFIG",
        ConfigSource::ClientMetrics => "DYNAMIC_CLIENT_METRICS_CONFIG",
        ConfigSource::Group => "DYNAMIC_GROUP_CONFIG",
    }
}

fn shown(resource: &str, name: &str, description: &Description) -> String {
    let null = || "null".to_owned();
    let synonyms: Vec<String> = description
        .synonyms
        .iter()
        .map(|synonym| {
            let value = synonym.value.clone().unwrap_or_else(null);
            format!("{}={value}@{}", synonym.name, source(synonym.source))
        })
        .collect();
    let kinds =
        ["UNKNOWN", "BOOLEAN", "STRING", "INT", "SHORT", "LONG", "DOUBLE", "LIST", "CLASS", "PASSWORD"];
    format!(
        "DESC|{resource}|{name}|{}|{}|{}|ro={}|sens={}|{}|{}",
        description.name,
        description.value.clone().unwrap_or_else(null),
        source(description.source),
        description.read_only,
        description.sensitive,
        kinds[description.type_code as usize],
        synonyms.join(" ")
    )
}

#[test]
fn descriptions_are_alike() {
    let mut kafka: BTreeSet<String> = BTreeSet::new();
    let mut ours: BTreeSet<String> = BTreeSet::new();
    replay(
        |_, _, _| {},
        |state, line| {
            kafka.insert(line.to_owned());
            let [_, resource, name, ..] = line.split('|').collect::<Vec<_>>()[..] else {
                panic!("a description: {line}")
            };
            let (config, own) = (current(state), altered(state, resource, name));
            let described = match resource {
                "TOPIC" => describe::topic(&config, &own),
                "GROUP" => describe::group(&config, &own),
                "CLIENT_METRICS" => describe::client_metrics(&own),
                _ if name.is_empty() => describe::cluster(&config),
                _ => describe::broker(&config),
            };
            let common = described.iter().filter(|description| !description.name.starts_with("klamm."));
            ours.extend(common.map(|description| shown(resource, name, description)));
        },
    );
    let refused_here = |line: &&String| {
        !line.contains("listener.name.plaintext.ssl") && !line.contains("|metric.reporters|")
    };
    let missing: Vec<&String> = kafka.difference(&ours).filter(refused_here).collect();
    let more: Vec<&String> = ours.difference(&kafka).filter(refused_here).collect();
    assert!(missing.is_empty() && more.is_empty(), "Kafka says\n{missing:#?}\nwe say\n{more:#?}");
    assert!(kafka.len() > 400, "{} descriptions only", kafka.len());
}
