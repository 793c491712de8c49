//! Properties files as Java reads them, values in text, variables, and what a start makes of its sources.

use config::launch::{self, LaunchSources};
use config::{BrokerConfig, Kind, Properties, Value, VariableSource, Warning, properties};
use proptest::prelude::*;

/// Variables in memory.
struct Variables;

impl VariableSource for Variables {
    fn environment(&self, name: &str) -> Option<String> {
        (name == "HOME_OF_DATA").then(|| "/data".to_owned())
    }

    fn file(&self, path: &str) -> Result<Vec<u8>, String> {
        match path {
            "/secrets/file.properties" => Ok(b"rack=r1\n".to_vec()),
            "/secrets/rack" => Ok(b"r2".to_vec()),
            _ => Err("no such file".to_owned()),
        }
    }
}

fn map(pairs: &[(&str, &str)]) -> Properties {
    pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    map(pairs).into_iter().collect()
}

#[test]
fn a_properties_file_reads_as_in_java() {
    let read = properties::parse(include_bytes!("data/java.properties")).expect("a properties file");
    let escape = |text: &str| text.replace('\n', "\\n").replace('\t', "\\t").replace('\r', "\\r");
    let lines: Vec<String> = read.iter().map(|(key, value)| escape(&format!("{key}=>{value}<"))).collect();
    let java: Vec<&str> = include_str!("data/java.properties.read").lines().collect();
    assert_eq!(lines, java);
}

#[test]
fn latin_1_and_a_byte_order_mark_are_read() {
    assert_eq!(properties::parse(b"a=\xfc").expect("Latin-1"), map(&[("a", "ü")]));
    assert_eq!(properties::parse("\u{feff}a=ü".as_bytes()).expect("UTF-8"), map(&[("a", "ü")]));
}

#[test]
fn a_malformed_escape_names_its_line() {
    let error = properties::parse(b"a=1\n\nb=\\u12x4\n").expect_err("three digits and an x");
    assert!(error.to_string().starts_with("line 3: "), "{error}");
}

#[test]
fn values_are_printed_as_java_prints_them() {
    for (text, printed) in [
        ("0.5", "0.5"),
        ("1", "1.0"),
        ("1e-5", "1.0E-5"),
        ("123456789", "1.23456789E8"),
        ("1.7976931348623157E308", "1.7976931348623157E308"),
        (".5d", "0.5"),
        ("-0", "-0.0"),
        ("0.001", "0.001"),
        ("9999999", "9999999.0"),
        ("1e7", "1.0E7"),
        ("NaN", "NaN"),
        ("-Infinity", "-Infinity"),
    ] {
        assert_eq!(Kind::Double.parse("x", text).map(|value| value.to_string()), Ok(printed.to_owned()));
    }
    for text in ["inf", "nan", "infinity", "1_0", "", "0x1p3x"] {
        Kind::Double.parse("x", text).expect_err(text);
    }
    assert_eq!(Kind::Int.parse("x", " +5 "), Ok(Value::Int(5)));
    assert_eq!(Kind::Boolean.parse("x", " TRUE "), Ok(Value::Boolean(true)));
    assert_eq!(Kind::List.parse("x", " a , b ").map(|list| list.to_string()), Ok("a,b".to_owned()));
    assert_eq!(
        Kind::Password.parse("x", "secret").map(|value| format!("{value} {value:?}")).ok().as_deref(),
        Some("[hidden] Password([hidden])")
    );
}

#[test]
fn environment_variables_are_settings_by_the_convention_of_containers() {
    for (variable, key) in [
        ("KAFKA_LOG_DIRS", Some("log.dirs")),
        ("KAFKA_A__B___C", Some("a_b-c")),
        ("KAFKA_KLAMM_DURABILITY", Some("klamm.durability")),
        ("KAFKA_HEAP_OPTS", None),
        ("KAFKA_JMX_PORT", None),
        ("KAFKA_", None),
        ("LOG_DIRS", None),
    ] {
        assert_eq!(launch::key_of_variable(variable).as_deref(), key, "{variable}");
    }
}

#[test]
fn the_command_line_goes_before_the_environment_and_that_before_the_file() {
    let sources = LaunchSources {
        file: Some(map(&[("num.partitions", "1"), ("log.dirs", "/file"), ("broker.rack", "file")])),
        environment: pairs(&[("KAFKA_LOG_DIRS", "/environment"), ("KAFKA_BROKER_RACK", "environment")]),
        overrides: pairs(&[("broker.rack", "command line")]),
    };
    let merged = launch::merge(&sources, &Variables).expect("mergeable");
    let expected =
        map(&[("num.partitions", "1"), ("log.dirs", "/environment"), ("broker.rack", "command line")]);
    assert_eq!(merged, expected);
}

#[test]
fn without_a_file_a_node_is_alone_and_its_internal_topics_have_one_replica() {
    let merged = launch::merge(&LaunchSources::default(), &Variables).expect("mergeable");
    let config = BrokerConfig::from_properties(&merged).expect("a node needs no file");
    assert!(config.is_alone() && config.is_broker() && config.is_controller());
    assert_eq!((config.node.node_id, config.log_dirs()), (1, &["./klamm-data".to_owned()][..]));
    assert!(config.endpoints.controller.is_empty());
    let [listener] = &config.endpoints.advertised[..] else { panic!("one listener") };
    assert_eq!((listener.name.as_str(), &listener.host, listener.port), ("PLAINTEXT", &None, 9092));
    assert_eq!(config.groups.offsets_topic_replication_factor, 1);
    assert_eq!(
        (
            config.transactions.transaction_state_log_replication_factor,
            config.transactions.transaction_state_log_min_isr
        ),
        (1, 1)
    );
}

#[test]
fn without_a_file_explicit_settings_are_obeyed() {
    let overrides = pairs(&[
        ("offsets.topic.replication.factor", "2"),
        ("node.id", "7"),
        ("listeners", "PLAINTEXT://127.0.0.1:0"),
    ]);
    let sources = LaunchSources { overrides, ..LaunchSources::default() };
    let merged = launch::merge(&sources, &Variables).expect("mergeable");
    let config = BrokerConfig::from_properties(&merged).expect("valid");
    assert_eq!((config.groups.offsets_topic_replication_factor, config.node.node_id), (2, 7));
    assert_eq!(config.endpoints.broker.first().map(|listener| listener.port), Some(0));
}

#[test]
fn with_a_file_kafkas_defaults_hold() {
    let file = map(&[
        ("process.roles", "broker,controller"),
        ("node.id", "1"),
        ("controller.listener.names", "CONTROLLER"),
        ("listeners", "PLAINTEXT://:9092,CONTROLLER://:9093"),
        ("controller.quorum.bootstrap.servers", "localhost:9093"),
        ("advertised.listeners", "PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093"),
    ]);
    let merged = launch::merge(&LaunchSources { file: Some(file), ..LaunchSources::default() }, &Variables);
    let config = BrokerConfig::from_properties(&merged.expect("mergeable")).expect("valid");
    assert_eq!(config.groups.offsets_topic_replication_factor, 3);
    let default = config::broker::key("log.dir").and_then(config::ConfigKey::default_text);
    assert_eq!(config.log_dirs().first().map(String::as_str), default);
    assert_eq!(config.endpoints.controller.len(), 1);
    assert_eq!(config.endpoints.advertised_controller.first().map(|listener| listener.port), Some(9093));
}

#[test]
fn variables_are_filled_in_by_the_providers_named() {
    let package = "org.apache.kafka.common.config.provider.";
    let file = map(&[
        ("config.providers", "env,file,dir"),
        ("config.providers.env.class", &format!("{package}EnvVarConfigProvider")),
        ("config.providers.file.class", &format!("{package}FileConfigProvider")),
        ("config.providers.dir.class", &format!("{package}DirectoryConfigProvider")),
        ("log.dirs", "${env:HOME_OF_DATA}/a,${env:HOME_OF_DATA}/b"),
        ("broker.rack", "${file:/secrets/file.properties:rack}-${dir:/secrets:rack}"),
        ("other", "${unknown:x} ${env"),
    ]);
    let with = |changes: &[(&str, &str)]| {
        let mut file = file.clone();
        file.extend(map(changes));
        launch::merge(&LaunchSources { file: Some(file), ..LaunchSources::default() }, &Variables)
    };
    let merged = with(&[]).expect("every variable is known");
    assert_eq!(merged.get("log.dirs").map(String::as_str), Some("/data/a,/data/b"));
    assert_eq!(merged.get("broker.rack").map(String::as_str), Some("r1-r2"));
    assert_eq!(merged.get("other").map(String::as_str), Some("${unknown:x} ${env"));
    with(&[("broker.rack", "${env:NOBODY}")]).expect_err("no such variable");
    with(&[("broker.rack", "${file:/nowhere:x}")]).expect_err("no such file");
    with(&[("broker.rack", "${dir:/secrets:../rack}")]).expect_err("a path, not a name");
    with(&[("config.providers.env.class", "org.example.Vault")]).expect_err("a Java class");
    with(&[("config.providers.file.param.allowed.paths", "/secrets")]).expect_err("a limit");
}

#[test]
fn unknown_deprecated_and_inert_keys_are_told_apart() {
    let told = config::warnings(&map(&[
        ("num.partition", "3"),
        ("log.retention.hour", "3"),
        ("completely.different", "3"),
        ("broker.id", "3"),
        ("num.io.threads", "4"),
        ("num.network.threads", "3"),
        ("num.partitions", "3"),
        ("config.providers.env.class", "x"),
        ("listener.name.plaintext.max.connections", "5"),
    ]));
    let unknown = |name: &str, nearest| Warning::Unknown { name: name.to_owned(), nearest };
    assert_eq!(
        told,
        [
            Warning::Deprecated { name: "broker.id".to_owned(), instead: "use node.id" },
            unknown("completely.different", None),
            unknown("log.retention.hour", Some("log.retention.hours")),
            Warning::Inert { name: "num.io.threads".to_owned() },
            unknown("num.partition", Some("num.partitions")),
        ]
    );
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = properties::parse(&bytes);
    }

    #[test]
    fn any_text_is_a_value_or_refused(text in "\\PC{0,40}") {
        for key in config::broker::keys().iter().copied().chain(config::group::keys()) {
            if let Ok(value) = key.parse(&text) {
                prop_assert_eq!(key.parse(&value.to_string()).map(|again| again.to_string()).ok(), Some(value.to_string()));
            }
        }
    }

    #[test]
    fn any_listener_is_read_or_refused(text in "[A-Z:/,.@0-9\\[\\]-]{0,40}") {
        let mut settings = launch::settings_without_file(&Properties::new());
        settings.insert("listeners".to_owned(), text.clone());
        settings.insert("listener.security.protocol.map".to_owned(), text.clone());
        settings.insert("controller.quorum.voters".to_owned(), text);
        let _ = BrokerConfig::from_properties(&settings);
    }
}
