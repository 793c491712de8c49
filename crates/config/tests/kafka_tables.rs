//! Every key of Apache Kafka 4.4 is in our tables with the same type, default, importance, update mode and
//! valid values, or in `tests/config/differences.txt` with the reason.

use std::collections::BTreeSet;
use std::path::Path;

use config::{ConfigKey, Unit, broker, client_metrics, group, topic};

const DIFFERENCES: &str = include_str!("../../../tests/config/differences.txt");

/// What the Java program in tests/config wrote; `None` where it was not set up, which under `CI=true` is a
/// failure.
fn kafka_tables() -> Option<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/.setup/config/tables.txt");
    match std::fs::read_to_string(&path) {
        Ok(text) => Some(text),
        Err(error) if std::env::var("CI").is_ok_and(|value| value == "true") => {
            panic!("{}: {error}: `cargo xtask setup` writes it", path.display())
        }
        Err(error) => {
            println!("skipped: tests/.setup/config/tables.txt: {error}: `cargo xtask setup` writes it");
            None
        }
    }
}

fn ours(scope: &str) -> Vec<&'static ConfigKey> {
    match scope {
        "broker" => broker::keys().iter().copied().filter(|key| !key.dynamic_only).collect(),
        "broker-dynamic" => broker::keys().iter().copied().filter(|key| key.dynamic_only).collect(),
        "topic" => topic::keys().iter().collect(),
        "group" => group::keys().iter().collect(),
        "client-metrics" => client_metrics::keys().iter().collect(),
        other => panic!("unknown scope {other}"),
    }
}

/// A key of ours, in the words of the Java program: what, and the word for it.
fn facts(scope: &str, key: &ConfigKey) -> [(&'static str, String); 7] {
    let default = match key.resolve(None) {
        Ok(Some(value)) => value.to_string(),
        Ok(None) => "<null>".to_owned(),
        Err(_) => "<required>".to_owned(),
    };
    let synonyms: Vec<String> = key
        .synonyms
        .iter()
        .map(|synonym| {
            let one = if synonym.unit == Unit::Same { "1".to_owned() } else { synonym.unit.convert("1") };
            format!("{}={one}", synonym.name)
        })
        .collect();
    let update_mode = if scope.starts_with("broker") { key.update_mode.word() } else { "" };
    let hidden = key.internal && !key.dynamic_only;
    [
        ("type", key.kind.name().to_owned()),
        ("default", default),
        ("importance", format!("{:?}", key.importance).to_uppercase()),
        ("update mode", update_mode.to_owned()),
        ("visibility", if hidden { "internal" } else { "public" }.to_owned()),
        ("valid values", key.valid.to_string()),
        ("synonyms", synonyms.join(" ")),
    ]
}

#[test]
fn our_tables_are_kafkas() {
    let Some(tables) = kafka_tables() else { return };
    let mut different = BTreeSet::new();
    let mut seen: BTreeSet<(String, String)> = BTreeSet::new();
    for line in tables.lines().filter(|line| !line.starts_with('#')) {
        let [scope, name, kafka @ ..] = &line.split('|').collect::<Vec<_>>()[..] else {
            panic!("a scope and a name: {line}")
        };
        seen.insert(((*scope).to_owned(), (*name).to_owned()));
        let Some(key) = ours(scope).into_iter().find(|key| key.name == *name) else {
            different.insert(format!("{scope}|{name}|missing"));
            continue;
        };
        let facts = facts(scope, key);
        assert_eq!(facts.len(), kafka.len(), "{line}");
        for ((what, ours), kafka) in facts.iter().zip(kafka) {
            // A broker's own synonyms are rules, not columns; "non-null string" is every string.
            let kafka = if *kafka == "non-null string" { "" } else { kafka };
            if ours != kafka && !(*what == "synonyms" && scope.starts_with("broker")) {
                different.insert(format!("{scope}|{name}|{what}"));
                println!("{scope} {name}: {what}: ours is '{ours}', Kafka's '{kafka}'");
            }
        }
    }
    let explained: BTreeSet<String> = DIFFERENCES
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.rsplit_once('|').expect("a reason after the last bar").0.to_owned())
        .collect();
    assert_eq!(different, explained, "what differs, and what is explained");
    for scope in ["broker", "broker-dynamic", "topic", "group", "client-metrics"] {
        for key in ours(scope).into_iter().filter(|key| !key.name.starts_with("klamm.")) {
            assert!(
                seen.contains(&(scope.to_owned(), key.name.to_owned())),
                "{} is no key of Kafka's",
                key.name
            );
        }
    }
    assert!(seen.len() > 440, "{} keys only", seen.len());
}
