//! What Apache Kafka 4.4.0 says to the settings of a start, asked of our tables too.

use config::{BrokerConfig, Properties};

const STARTS: &str = include_str!("data/starts.txt");

/// Settings to which we answer otherwise, and why.
const DIFFERENCES: [(&str, &str); 4] = [
    ("process.roles=broker,broker", "clusters of several nodes do not exist yet"),
    ("listeners=PLAINTEXT://localhost:99999,CONTROLLER://:9093", "no port is that high; Kafka fails later"),
    ("listener.security.protocol.map=PLAINTEXT", "Kafka's text ends in a Java exception's"),
    ("log.cleaner.threads=0", "Kafka divides by zero"),
];

fn settings(changes: &str) -> Properties {
    let base = "process.roles=broker,controller;node.id=1;controller.quorum.voters=1@localhost:9093;\
        listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093;controller.listener.names=CONTROLLER";
    let mut settings = Properties::new();
    for change in base.split(';').chain(changes.split(';')).filter(|change| !change.is_empty()) {
        match (change.strip_prefix('-'), change.split_once('=')) {
            (Some(name), _) => drop(settings.remove(name)),
            (None, Some((name, value))) => drop(settings.insert(name.to_owned(), value.to_owned())),
            (None, None) => panic!("neither a setting nor a removal: {change}"),
        }
    }
    settings
}

/// Our errors in text, none if the start goes on.
fn errors(changes: &str) -> Vec<String> {
    match BrokerConfig::from_properties(&settings(changes)) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.0.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn starts_are_refused_for_the_same_reasons() {
    let mut wrong = Vec::new();
    let mut asked = 0;
    for line in STARTS.lines().filter(|line| !line.starts_with('#')) {
        let (changes, kafka) = line.split_once('|').expect("two fields");
        let ours = errors(changes);
        let same = if kafka == "NONE" { ours.is_empty() } else { ours.iter().any(|error| error == kafka) };
        let differs = DIFFERENCES.iter().any(|(known, _)| *known == changes);
        if same == differs {
            wrong.push(format!("{line}\n  ours: {ours:?}"));
        }
        asked += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(asked > 100, "{asked} answers only");
}

#[test]
fn security_that_is_not_enforced_stops_the_start() {
    for changes in [
        "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users=User:admin",
        "allow.everyone.if.no.acl.found=false",
        "ssl.keystore.location=/keys",
        "ssl.client.auth=required",
        "listener.name.plaintext.ssl.client.auth=required",
        "sasl.enabled.mechanisms=PLAIN",
        "listener.name.plaintext.plain.sasl.jaas.config=x",
        "delegation.token.secret.key=x",
        "listeners=SSL://localhost:9092,CONTROLLER://localhost:9093;\
            listener.security.protocol.map=SSL:SSL,CONTROLLER:PLAINTEXT;inter.broker.listener.name=SSL",
        "listeners=IN://localhost:9092,CONTROLLER://localhost:9093;inter.broker.listener.name=IN;\
            listener.security.protocol.map=IN:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT",
        "create.topic.policy.class.name=org.example.Policy",
        "alter.config.policy.class.name=org.example.Policy",
        "remote.log.storage.system.enable=true",
        "replica.selector.class=org.example.Selector",
    ] {
        let refused = errors(changes);
        let key = changes.split('=').next().expect("a key");
        assert!(
            refused.iter().any(|error| error.contains(&format!("Configuration {key} cannot be honoured"))),
            "{changes}: {refused:?}"
        );
        assert!(!refused.iter().any(|error| error.contains("=x")), "a secret in {refused:?}");
    }
}

#[test]
fn defaults_of_security_keys_do_not_stop_the_start() {
    for changes in [
        "ssl.client.auth=none",
        "sasl.enabled.mechanisms=GSSAPI",
        "authorizer.class.name=",
        "security.inter.broker.protocol=PLAINTEXT",
        "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SSL:SSL,SASL_SSL:SASL_SSL",
        "replica.selector.class=org.apache.kafka.common.replica.RackAwareReplicaSelector",
    ] {
        assert_eq!(errors(changes), Vec::<String>::new(), "{changes}");
    }
}

#[test]
fn everything_wrong_is_named_at_once() {
    let named = errors("num.partitions=0;log.roll.hours=x;-process.roles").join("\n");
    for name in ["num.partitions", "log.roll.hours", "process.roles"] {
        assert!(named.contains(name), "{name} is missing from {named}");
    }
}
