//! `kafka-get-offsets`: offsets of partitions, by place or time.

use klamm_client::TopicPartition;
use klamm_client::admin::{IsolationLevel, OffsetSpec};
use serde_json::{Value, json};

use crate::command_line::{Arguments, Failure, Grammar, Refusals, Tool, flag, text};

use super::java_errors;
use super::session::{BOOTSTRAP, COMMAND_CONFIG};
use super::topic_filter::{INTERNAL, IncludeList};

const MALFORMED: &str = "Please use -1 or latest / -2 or earliest / -3 or max-timestamp / -4 or earliest-local / -5 or \
                         latest-tiered / -6 or earliest-pending-upload, or a specified long format timestamp";

/// The tool's table.
pub const TOOL: Tool = Tool {
    name: "get-offsets",
    classes: &["org.apache.kafka.tools.GetOffsetShell", "kafka.tools.GetOffsetShell"],
    about: "This tool shows offsets of topic partitions: the first, the last, or those at a time.",
    grammar: Grammar::Joptsimple,
    options: &[&[
        BOOTSTRAP,
        text("broker-list", "host:port,...", "").replaced_by("bootstrap-server"),
        COMMAND_CONFIG,
        text(
            "topic-partitions",
            "topic1:1,topic2:0-3,:-3",
            "Patterns of topics, each with a partition or a range of them.",
        ),
        text("topic", "topic", "The topic, or a regular expression; all if not given."),
        text("partitions", "0,1,...", "The partitions; all if not given."),
        text(
            "time",
            "timestamp|place",
            "A time in ms since 1970, or latest, earliest, max-timestamp, earliest-local, latest-tiered, earliest-pending-upload (-1 to -6).",
        ),
        flag("exclude-internal-topics", "Leaves Kafka's own topics out."),
    ]],
    verbs: &[],
    refusals: Refusals {
        prefix: "Error occurred: ",
        on_stdout: false,
        option_prefix: Some("Error occurred: "),
    },
    run,
};

/// A topic pattern with the partitions that are meant, from and to (not included).
struct Rule {
    topics: IncludeList,
    partitions: Partitions,
}

enum Partitions {
    Range(i32, i32),
    Set(Vec<i32>),
}

impl Rule {
    fn allows(&self, partition: &TopicPartition) -> bool {
        let number = partition.partition;
        self.topics.allows(&partition.topic, false)
            && match &self.partitions {
                Partitions::Range(from, to) => (*from..*to).contains(&number),
                Partitions::Set(set) => set.is_empty() || set.contains(&number),
            }
    }
}

fn run(arguments: &Arguments) -> Result<(), Failure> {
    let bootstrap = match arguments.value("broker-list")? {
        Some(old) => old,
        None => arguments.required("bootstrap-server")?,
    };
    if !bootstrap
        .split(',')
        .all(|part| part.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()))
    {
        return Err(Failure::usage("Please provide valid host:port like host1:9091,host2:9092\n"));
    }
    if arguments.has("topic-partitions") && (arguments.has("topic") || arguments.has("partitions")) {
        return Err(Failure::refused("--topic-partitions cannot be used with --topic or --partitions"));
    }
    let spec = offset_spec(arguments.value("time")?.unwrap_or("latest"))?;
    let rules = rules(arguments)?;
    let mut properties = super::session::properties(arguments)?;
    properties.insert("bootstrap.servers".to_owned(), bootstrap.to_owned());
    let excludes_internal = arguments.has("exclude-internal-topics");
    super::session::with_admin_of(properties, "GetOffsetShell", async |admin| {
        let listed = admin.list_topics().await;
        let names: Vec<String> = listed
            .map_err(|error| Failure::refused(super::java_errors::full(&error)))?
            .into_iter()
            .map(|topic| topic.name)
            .filter(|name| !(excludes_internal && INTERNAL.contains(&name.as_str())))
            .filter(|name| rules.iter().any(|rule| rule.topics.allows(name, false)))
            .collect();
        let mut wanted = Vec::new();
        for (name, topic) in admin.describe_topics(&names, 2000).await? {
            let partitions = topic?.partitions.into_iter();
            let named = partitions.map(|partition| TopicPartition::new(name.as_str(), partition.partition));
            wanted
                .extend(named.filter(|key| rules.iter().any(|rule| rule.allows(key))).map(|key| (key, spec)));
        }
        if wanted.is_empty() {
            return Err(Failure::refused("Could not match any topic-partitions with the specified filters"));
        }
        let mut found = Vec::new();
        for (partition, result) in admin.list_offsets(&wanted, IsolationLevel::ReadUncommitted).await? {
            match result {
                Ok(listed) if listed.offset >= 0 => found.push((partition, listed)),
                Ok(_) => {}
                Err(error) => eprintln!(
                    "Skip getting offsets for topic-partition {partition} due to error: {}",
                    java_errors::full(&error)
                ),
            }
        }
        // Kafka sorts by the text `topic-partition`.
        found.sort_by_key(|(partition, _)| partition.to_string());
        if arguments.json() {
            let row = |(partition, listed): &(TopicPartition, klamm_client::admin::ListedOffset)| {
                json!({
                    "topic": &*partition.topic, "partition": partition.partition,
                    "offset": listed.offset, "timestamp": listed.timestamp, "leaderEpoch": listed.leader_epoch,
                })
            };
            println!("{}", Value::Array(found.iter().map(row).collect()));
            return Ok(());
        }
        for (partition, listed) in found {
            println!("{}:{}:{}", partition.topic, partition.partition, listed.offset);
        }
        Ok(())
    })
}

fn offset_spec(text: &str) -> Result<OffsetSpec, Failure> {
    Ok(match text {
        "latest" | "-1" => OffsetSpec::Latest,
        "earliest" | "-2" => OffsetSpec::Earliest,
        "max-timestamp" | "-3" => OffsetSpec::MaxTimestamp,
        "earliest-local" | "-4" => OffsetSpec::EarliestLocal,
        "latest-tiered" | "-5" => OffsetSpec::LatestTiered,
        "earliest-pending-upload" | "-6" => OffsetSpec::EarliestPendingUpload,
        number => match number.parse() {
            Ok(timestamp) => OffsetSpec::ForTimestamp(timestamp),
            Err(_) => {
                return Err(Failure::refused(format!("Malformed time argument {number}. {MALFORMED}")));
            }
        },
    })
}

fn rules(arguments: &Arguments) -> Result<Vec<Rule>, Failure> {
    if let Some(patterns) = arguments.value("topic-partitions")? {
        return patterns.split(',').map(rule).collect();
    }
    let topics = IncludeList::new(arguments.value("topic")?.unwrap_or(".*"))?;
    let text = arguments.value("partitions")?.unwrap_or_default();
    let numbers = text.split(',').filter(|part| !part.is_empty()).map(str::parse);
    let set = numbers.collect::<Result<Vec<i32>, _>>().map_err(|_| {
        Failure::refused(format!(
            "--partitions expects a comma separated list of numeric partition ids, but received: {text}"
        ))
    })?;
    Ok(vec![Rule { topics, partitions: Partitions::Set(set) }])
}

/// `topic:0`, `topic:0-3`, `topic:5-`, `:-3`, `topic`.
fn rule(text: &str) -> Result<Rule, Failure> {
    let invalid = || {
        Failure::refused(format!("org.apache.kafka.tools.TerseException: Invalid rule specification: {text}"))
    };
    let (topic, partitions) = text.split_once(':').unwrap_or((text, ""));
    let bound = |text: &str, default: i32| match text {
        "" => Ok(default),
        text => text.parse::<i32>().map_err(|_| invalid()),
    };
    let partitions = match partitions.split_once('-') {
        _ if partitions.is_empty() => Partitions::Range(0, i32::MAX),
        Some((from, to)) => Partitions::Range(bound(from, 0)?, bound(to, i32::MAX)?),
        None => {
            let number = bound(partitions, 0)?;
            Partitions::Range(number, number.saturating_add(1))
        }
    };
    Ok(Rule { topics: IncludeList::new(if topic.is_empty() { ".*" } else { topic })?, partitions })
}
