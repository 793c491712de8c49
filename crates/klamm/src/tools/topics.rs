//! `kafka-topics`: topics made, changed, shown, removed.

mod describe;

use std::collections::{BTreeMap, BTreeSet};

use klamm_client::admin::NewTopic;
use klamm_client::{Admin, ErrorCode};
use serde_json::json;

use crate::command_line::{Arguments, Failure, Grammar, Opt, Refusals, Tool, flag, integer, text};

use super::session::{BOOTSTRAP, COMMAND_CONFIG, late, with_admin};
use super::topic_filter::{INTERNAL, IncludeList};

const ACTIONS: &[&str] = &["create", "list", "alter", "describe", "delete"];

const OPTIONS: &[Opt] = &[
    BOOTSTRAP,
    COMMAND_CONFIG,
    flag("list", "Lists the names of topics."),
    flag("create", "Makes a topic."),
    flag("delete", "Deletes topics."),
    flag("alter", "Raises the number of partitions; settings are changed by kafka-configs."),
    flag("describe", "Shows topics with their partitions."),
    text("topic", "topic", "The topic; a regular expression except with --create. Commas part alternatives."),
    text("topic-id", "topic-id", "The topic to describe, by its id."),
    text("config", "name=value", "A setting of the new topic; may be repeated."),
    text("delete-config", "name", "Does nothing since Kafka 4.0; use kafka-configs."),
    integer(
        "partitions",
        "# of partitions",
        "How many partitions. Records with keys may change place when it is raised.",
    ),
    integer("replication-factor", "replication factor", "How many replicas of each partition."),
    text(
        "replica-assignment",
        "0:1,1:2,...",
        "The brokers of each partition: partitions parted by commas, replicas by colons.",
    ),
    flag("under-replicated-partitions", "Shows only partitions with replicas that lag."),
    flag("unavailable-partitions", "Shows only partitions without a live leader."),
    flag(
        "under-min-isr-partitions",
        "Shows only partitions with fewer replicas in sync than min.insync.replicas.",
    ),
    flag(
        "at-min-isr-partitions",
        "Shows only partitions with just as many replicas in sync as min.insync.replicas.",
    ),
    flag("topics-with-overrides", "Shows only topics with settings of their own."),
    flag("if-exists", "Does nothing where the topic does not exist, instead of failing."),
    flag("if-not-exists", "Does nothing where the topic exists already, instead of failing."),
    flag("exclude-internal", "Leaves Kafka's own topics out."),
    integer("partition-size-limit-per-response", "number", "How many partitions one response may carry."),
];

/// The tool's table.
pub const TOOL: Tool = Tool {
    name: "topics",
    classes: &["org.apache.kafka.tools.TopicCommand", "kafka.admin.TopicCommand"],
    about: "This tool creates, lists, describes, changes and deletes topics.",
    grammar: Grammar::Joptsimple,
    options: &[OPTIONS],
    verbs: &[],
    refusals: Refusals {
        prefix: "Error while executing topic command : ",
        on_stdout: true,
        option_prefix: Some(""),
    },
    run,
};

fn run(arguments: &Arguments) -> Result<(), Failure> {
    check(arguments)?;
    with_admin(arguments, "adminclient-1", async |admin| {
        if arguments.has("create") {
            create(&admin, arguments).await
        } else if arguments.has("alter") {
            alter(&admin, arguments).await
        } else if arguments.has("list") {
            list(&admin, arguments).await
        } else if arguments.has("describe") {
            describe::run(&admin, arguments).await
        } else {
            delete(&admin, arguments).await
        }
        .map_err(late)
    })
}

/// Which options go together.
fn check(arguments: &Arguments) -> Result<(), Failure> {
    if ACTIONS.iter().filter(|action| arguments.has(action)).count() != 1 {
        return Err(Failure::usage(
            "Command must include exactly one action: --list, --describe, --create, --alter or --delete",
        ));
    }
    if arguments.has("delete-config") {
        eprintln!(
            "delete-config option is no longer supported and deprecated since version 4.0. The config will be fully \
             removed in future releases."
        );
    }
    if !arguments.has("bootstrap-server") {
        return Err(Failure::bare("--bootstrap-server must be specified"));
    }
    if arguments.has("describe") && arguments.has("if-exists") {
        if !arguments.has("topic") && !arguments.has("topic-id") {
            return Err(Failure::usage("--topic or --topic-id is required to describe a topic"));
        }
        if arguments.has("topic") && arguments.has("topic-id") {
            println!(
                "Only topic id will be used when both --topic and --topic-id are specified and topicId is not \
                 Uuid.ZERO_UUID"
            );
        }
    }
    if !arguments.has("list") && !arguments.has("describe") {
        arguments.require(&["topic"])?;
    }
    if arguments.has("alter") {
        if arguments.has("config") {
            return Err(Failure::usage(
                "Option combination \"[[bootstrap-server], [config]]\" can't be used with option \"[alter]\" (To alter \
                 topic configurations, the kafka-configs tool can be used.)",
            ));
        }
        arguments.require(&["partitions"])?;
    }
    check_scopes(arguments)
}

/// Each option with the actions that it has a meaning for.
fn check_scopes(arguments: &Arguments) -> Result<(), Failure> {
    const REPORTS: &[&str] = &[
        "under-replicated-partitions",
        "under-min-isr-partitions",
        "at-min-isr-partitions",
        "unavailable-partitions",
    ];
    let only_with = |option: &str, allowed: &[&str], also: &[&str]| {
        let others = ACTIONS.iter().copied().filter(|action| !allowed.contains(action));
        arguments.forbid(option, &others.chain(also.iter().copied()).collect::<Vec<_>>())
    };
    only_with("config", &["alter", "create"], &[])?;
    only_with("partitions", &["alter", "create"], &[])?;
    only_with("replication-factor", &["create"], &[])?;
    only_with("replica-assignment", &["alter", "create"], &[])?;
    if arguments.has("create") {
        arguments.forbid("replica-assignment", &["partitions", "replication-factor"])?;
    }
    for report in REPORTS {
        only_with(report, &["describe"], &["topics-with-overrides"])?;
    }
    only_with("topics-with-overrides", &["describe"], REPORTS)?;
    only_with("if-exists", &["alter", "delete", "describe"], &[])?;
    only_with("if-not-exists", &["create"], &[])?;
    only_with("exclude-internal", &["list", "describe"], &[])
}

/// The names that `--topic` means, all if it is not given.
async fn matching(admin: &Admin, arguments: &Arguments) -> Result<Vec<String>, Failure> {
    let excludes_internal = arguments.has("exclude-internal");
    let filter = arguments.value("topic")?.map(IncludeList::new).transpose()?;
    let topics = admin.list_topics().await?;
    let names = topics.into_iter().map(|topic| topic.name);
    let is_wanted = |name: &String| match &filter {
        Some(filter) => filter.allows(name, excludes_internal),
        None => !(excludes_internal && INTERNAL.contains(&name.as_str())),
    };
    Ok(names.filter(is_wanted).collect())
}

/// The same, failing where a topic was named and none is found.
async fn existing(admin: &Admin, arguments: &Arguments) -> Result<Vec<String>, Failure> {
    let names = matching(admin, arguments).await?;
    match arguments.value("topic")? {
        Some(topic) if names.is_empty() && !topic.is_empty() && !arguments.has("if-exists") => {
            Err(Failure::refused(format!("Topic '{topic}' does not exist as expected")))
        }
        _ => Ok(names),
    }
}

async fn list(admin: &Admin, arguments: &Arguments) -> Result<(), Failure> {
    let names = matching(admin, arguments).await?;
    if arguments.json() {
        println!("{}", json!(names));
    } else {
        println!("{}", names.join("\n"));
    }
    Ok(())
}

async fn create(admin: &Admin, arguments: &Arguments) -> Result<(), Failure> {
    let name = arguments.required("topic")?.to_owned();
    let partitions = arguments.number::<i32>("partitions")?;
    let replication_factor = arguments.number::<i32>("replication-factor")?;
    let assignments = arguments.value("replica-assignment")?.map(assignments).transpose()?;
    let configs = configs(arguments)?;
    if name.contains(['.', '_']) {
        println!(
            "WARNING: Due to limitations in metric names, topics with a period ('.') or underscore ('_') could collide. \
             To avoid issues it is best to use either, but not both."
        );
    }
    let replication_factor = match replication_factor.map(i16::try_from).transpose() {
        Ok(factor) if factor.is_none_or(|factor| factor >= 1) => factor,
        _ => {
            return Err(Failure::refused("The replication factor must be between 1 and 32767 inclusive"));
        }
    };
    if partitions.is_some_and(|partitions| partitions < 1) {
        return Err(Failure::refused("The partitions must be greater than 0"));
    }
    let topic = NewTopic {
        name: name.clone(),
        partitions,
        replication_factor,
        assignments: assignments.unwrap_or_default(),
        configs,
    };
    for (_, result) in admin.create_topics(vec![topic], false).await? {
        match result {
            Err(error)
                if error.code() == Some(ErrorCode::TopicAlreadyExists) && arguments.has("if-not-exists") =>
            {
                return Ok(());
            }
            Err(error) => return Err(error.into()),
            Ok(id) if arguments.json() => println!("{}", json!({ "topic": name, "id": id.to_string() })),
            Ok(_) => println!("Created topic {name}."),
        }
    }
    Ok(())
}

/// `0:1,1:2`: the replicas of partition 0, 1, …
fn assignments(text: &str) -> Result<BTreeMap<i32, Vec<i32>>, Failure> {
    let mut assignments: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    for (partition, part) in (0..).zip(text.split(',')) {
        let parse = |id: &str| {
            id.trim().parse().map_err(|_| Failure::refused(format!("For input string: \"{}\"", id.trim())))
        };
        let brokers: Vec<i32> = part.split(':').map(parse).collect::<Result<_, _>>()?;
        let mut seen = BTreeSet::new();
        let twice: BTreeSet<_> = brokers.iter().filter(|broker| !seen.insert(**broker)).collect();
        if !twice.is_empty() {
            let twice: Vec<_> = twice.iter().map(ToString::to_string).collect();
            return Err(Failure::refused(format!(
                "Partition replica lists may not contain duplicate entries: {}",
                twice.join(",")
            )));
        }
        if assignments.get(&0).is_some_and(|first| first.len() != brokers.len()) {
            return Err(Failure::refused(format!(
                "Partition {partition} has different replication factor: {brokers:?}"
            )));
        }
        assignments.insert(partition, brokers);
    }
    Ok(assignments)
}

/// The settings of a new topic; what no topic has is told before anybody is asked.
fn configs(arguments: &Arguments) -> Result<BTreeMap<String, String>, Failure> {
    let mut configs = BTreeMap::new();
    for text in arguments.values("config") {
        let Some((name, value)) = text.split_once('=').filter(|(_, value)| !value.is_empty()) else {
            return Err(Failure::refused(
                "requirement failed: Invalid topic config: all configs to be added must be in the format \"key=val\".",
            ));
        };
        let name = name.trim();
        if !config::topic::keys().iter().any(|key| key.name == name) {
            return Err(Failure::refused(format!("Unknown topic config name: {name}")));
        }
        configs.insert(name.to_owned(), value.trim().to_owned());
    }
    Ok(configs)
}

async fn alter(admin: &Admin, arguments: &Arguments) -> Result<(), Failure> {
    let count: i32 = arguments.number("partitions")?.unwrap_or(0);
    let assigned = arguments.value("replica-assignment")?.map(assignments).transpose()?;
    let names = existing(admin, arguments).await?;
    if names.is_empty() {
        return Ok(());
    }
    let described = admin.describe_topics(&names, 2000).await?;
    let mut wanted = Vec::new();
    for (name, topic) in described {
        let begin = topic?.partitions.len();
        let added = assigned.as_ref().map(|assigned| assigned.values().skip(begin).cloned().collect());
        wanted.push((name, count, added));
    }
    for (_, result) in admin.create_partitions(wanted).await? {
        result?;
    }
    Ok(())
}

async fn delete(admin: &Admin, arguments: &Arguments) -> Result<(), Failure> {
    let names = existing(admin, arguments).await?;
    if names.is_empty() {
        return Ok(());
    }
    for (_, result) in admin.delete_topics(&names).await? {
        result?;
    }
    Ok(())
}
