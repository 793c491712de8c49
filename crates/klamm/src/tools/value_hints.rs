//! The word that was meant: values, and keys of `name=value`, that are no word of an option, with the nearest that is.

use crate::command_line::{Arguments, nearest};

use super::features;

/// One of a tool's options, with what it takes.
struct Vocabulary {
    words: Vec<String>,
    /// Whether the words are keys that stand before an equals sign.
    are_keys: bool,
}

const FORMATTERS: &[&str] = &[
    "DefaultMessageFormatter",
    "LoggingMessageFormatter",
    "NoOpMessageFormatter",
    "OffsetsMessageFormatter",
    "GroupMetadataMessageFormatter",
    "ConsumerGroupMessageFormatter",
    "ShareGroupMessageFormatter",
    "StreamsGroupMessageFormatter",
    "TransactionLogMessageFormatter",
    "ShareGroupStateMessageFormatter",
];

const FORMATTER_KEYS: &[&str] = &[
    "print.timestamp",
    "print.key",
    "print.offset",
    "print.epoch",
    "print.partition",
    "print.headers",
    "print.value",
    "print.delivery",
    "key.separator",
    "line.separator",
    "headers.separator",
    "null.literal",
    "key.deserializer",
    "value.deserializer",
    "headers.deserializer",
];

const READER_KEYS: &[&str] = &[
    "parse.key",
    "parse.headers",
    "key.separator",
    "headers.delimiter",
    "headers.separator",
    "headers.key.separator",
    "ignore.error",
    "null.marker",
    "topic",
];

const OPERATIONS: &[&str] = &[
    "Read",
    "Write",
    "Create",
    "Delete",
    "Alter",
    "Describe",
    "ClusterAction",
    "DescribeConfigs",
    "AlterConfigs",
    "IdempotentWrite",
    "CreateTokens",
    "DescribeTokens",
    "TwoPhaseCommit",
    "All",
];

const STATES: &[&str] = &[
    "Stable",
    "Empty",
    "Dead",
    "Assigning",
    "Reconciling",
    "PreparingRebalance",
    "CompletingRebalance",
    "NotReady",
];

const ENTITY_TYPES: &[&str] =
    &["topics", "clients", "users", "brokers", "broker-loggers", "ips", "client-metrics", "groups"];

/// The words that an option takes, where they are few.
fn values(tool: &str, option: &str) -> &'static [&'static str] {
    match (tool, option) {
        (_, "election-type") => &["preferred", "unclean"],
        (_, "entity-type") => ENTITY_TYPES,
        (_, "state") => STATES,
        (_, "type" | "group-type") => &["classic", "consumer", "share", "streams"],
        (_, "operation") => OPERATIONS,
        (_, "resource-pattern-type") => &["literal", "prefixed", "any", "match"],
        (_, "compression-codec") => &["none", "gzip", "snappy", "lz4", "zstd"],
        (_, "isolation-level") => &["read_committed", "read_uncommitted"],
        ("console-consumer", "offset") => &["earliest", "latest"],
        (_, "formatter") => FORMATTERS,
        ("get-offsets", "time") => &[
            "latest",
            "earliest",
            "max-timestamp",
            "earliest-local",
            "latest-tiered",
            "earliest-pending-upload",
        ],
        (_, "reset-policy") => &["earliest", "latest", "none"],
        (_, "group-protocol") => &["classic", "consumer"],
        (_, "producer-acks") => &["1", "all"],
        (_, "process-role") => &["broker", "controller"],
        _ => &[],
    }
}

fn vocabulary(arguments: &Arguments, option: &str) -> Vocabulary {
    let tool = arguments.tool.name;
    let keys = |words: Vec<String>| Vocabulary { words, are_keys: true };
    let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    match (tool, option) {
        ("topics", "config") => keys(named(config::topic::keys())),
        ("configs", "add-config") => keys(config_keys(arguments)),
        ("configs", "delete-config") => Vocabulary { words: config_keys(arguments), are_keys: false },
        (_, "reader-property") => keys(owned(READER_KEYS)),
        (_, "formatter-property") => keys(owned(FORMATTER_KEYS)),
        (_, "feature") => {
            let names = features::FEATURES.iter().map(|feature| feature.name);
            keys(names.chain([features::METADATA_VERSION]).map(str::to_owned).collect())
        }
        (_, "release-version") => Vocabulary {
            words: features::metadata_versions().iter().map(ToString::to_string).collect(),
            are_keys: false,
        },
        _ => Vocabulary { words: owned(values(tool, option)), are_keys: false },
    }
}

fn named(keys: &[config::ConfigKey]) -> Vec<String> {
    keys.iter().map(|key| key.name.to_owned()).collect()
}

/// The keys of whatever `kafka-configs` is about.
fn config_keys(arguments: &Arguments) -> Vec<String> {
    let is = |types: &[&str], options: &[&str]| {
        arguments.values("entity-type").iter().any(|given| types.contains(given))
            || options.iter().any(|option| arguments.has(option))
    };
    if is(&["topics"], &["topic"]) {
        named(config::topic::keys())
    } else if is(&["brokers"], &["broker", "broker-defaults"]) {
        config::broker::keys().iter().map(|key| key.name.to_owned()).collect()
    } else if is(&["groups"], &["group"]) {
        named(config::group::keys())
    } else if is(&["client-metrics"], &["client-metrics"]) {
        named(config::client_metrics::keys())
    } else {
        let quotas = [
            "producer_byte_rate",
            "consumer_byte_rate",
            "request_percentage",
            "controller_mutation_rate",
            "connection_creation_rate",
            "SCRAM-SHA-256",
            "SCRAM-SHA-512",
        ];
        quotas.iter().map(|key| (*key).to_owned()).collect()
    }
}

/// The nearest valid word for the first value that is none; nothing where every value is one, or none is near.
pub fn hint(arguments: &Arguments) -> Option<String> {
    arguments.in_order().find_map(|(option, value)| {
        let vocabulary = vocabulary(arguments, option);
        let value = value.filter(|_| !vocabulary.words.is_empty())?;
        value.split(',').find_map(|part| {
            let word = match (vocabulary.are_keys, part.split_once('=')) {
                (true, key) => key?.0,
                (false, _) => part.rsplit('.').next().filter(|_| option == "formatter").unwrap_or(part),
            };
            let word = word.trim();
            if vocabulary.words.iter().any(|known| known.eq_ignore_ascii_case(word)) {
                return None;
            }
            let near = nearest(word, vocabulary.words.iter().map(String::as_str))?;
            Some(format!("{word} is no word of --{option}; did you mean {near}?"))
        })
    })
}
