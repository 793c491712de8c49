//! `kafka-console-share-consumer`: records of a queue on standard output.

use std::io::{BufWriter, Write, stdout};
use std::time::Duration;

use config::Properties;
use klamm_client::{Acknowledgement, Client, ShareConsumer, ShareConsumerConfig};

use crate::command_line::{Arguments, Failure, Grammar, Opt, Refusals, Tool, flag, integer, text};

use super::console_consumer::{fetched, formatter, group};
use super::console_producer::pairs;
use super::formatters::Formatter;
use super::java_errors;
use super::session::{BOOTSTRAP, Interruption, on_this_thread, read_properties};

/// How long to wait for the group when leaving it.
const GOODBYE: Duration = Duration::from_secs(30);

/// The group, the client's name, and how Kafka calls both.
const NAME: &str = "console-share-consumer";

const OPTIONS: &[Opt] = &[
    BOOTSTRAP,
    text("topic", "topic", "The topic to read.").required(),
    text("group", "group", "The share group to be a member of (default: console-share-consumer)."),
    integer("max-messages", "number", "Ends after so many records."),
    integer("timeout-ms", "ms", "Ends when no record came for so long."),
    flag("reject", "Rejects each record after it was shown: it is delivered to nobody any more."),
    flag("release", "Releases each record after it was shown: it is delivered again."),
    flag("reject-message-on-error", "Rejects a record that cannot be shown, and goes on."),
    text(
        "formatter",
        "class",
        "What makes text of records (default: org.apache.kafka.tools.consumer.DefaultMessageFormatter).",
    ),
    text(
        "formatter-property",
        "name=value",
        "How: print.timestamp, print.key, print.offset, print.delivery, print.epoch, print.partition, print.headers, print.value, key.separator, line.separator, headers.separator, null.literal, key.deserializer, value.deserializer, headers.deserializer.",
    ),
    text("formatter-config", "file", "A properties file with the same."),
    text("key-deserializer", "class", "The deserializer of keys."),
    text("value-deserializer", "class", "The deserializer of values."),
    text("command-property", "name=value", "A setting of the consumer."),
    text("command-config", "file", "A properties file with settings of the consumer."),
    flag("enable-systest-events", "Tells on standard output when it ends."),
    text("property", "name=value", "").replaced_by("formatter-property"),
    text("consumer-property", "name=value", "").replaced_by("command-property"),
    text("consumer-config", "file", "").replaced_by("command-config"),
];

/// The tool's table.
pub const TOOL: Tool = Tool {
    name: NAME,
    classes: &["org.apache.kafka.tools.consumer.ConsoleShareConsumer"],
    about: "This tool reads a topic as a member of a share group and writes its records to standard output.",
    grammar: Grammar::Joptsimple,
    options: &[OPTIONS],
    verbs: &[],
    refusals: Refusals::PLAIN,
    run,
};

/// What is done with records.
struct Plan {
    formatter: Formatter,
    limit: Option<u64>,
    patience: Duration,
    acknowledgement: Acknowledgement,
    rejects_errors: bool,
}

fn run(arguments: &Arguments) -> Result<(), Failure> {
    check(arguments)?;
    let properties = properties(arguments)?;
    let topic = arguments.required("topic")?.to_owned();
    let milliseconds: Option<i32> = arguments.number("timeout-ms")?;
    let limit: Option<i32> = arguments.number("max-messages")?;
    let plan = Plan {
        formatter: formatter(arguments)?,
        limit: limit.and_then(|limit| u64::try_from(limit).ok()),
        patience: milliseconds
            .and_then(|limit| u64::try_from(limit).ok())
            .map_or(Duration::MAX, Duration::from_millis),
        acknowledgement: match (arguments.has("reject"), arguments.has("release")) {
            (true, _) => Acknowledgement::Reject,
            (_, true) => Acknowledgement::Release,
            _ => Acknowledgement::Accept,
        },
        rejects_errors: arguments.has("reject-message-on-error"),
    };
    let mut count = 0;
    let outcome = on_this_thread(async {
        let (client, config) = ShareConsumerConfig::from_properties(&properties)?;
        let mut consumer = ShareConsumer::new(&Client::unconnected(client)?, config)?;
        consumer.subscribe([&topic]);
        let outcome = copy(&mut consumer, &plan, &mut count).await;
        // Brokers that do not answer keep nobody.
        _ = tokio::time::timeout(plan.patience.min(GOODBYE), consumer.close()).await;
        outcome
    });
    eprintln!("Processed a total of {count} messages");
    if arguments.has("enable-systest-events") {
        println!("shutdown_complete");
    }
    outcome
}

/// Shows and acknowledges records until the limit is reached, none come any more, or a signal asks to end.
async fn copy(consumer: &mut ShareConsumer, plan: &Plan, count: &mut u64) -> Result<(), Failure> {
    let mut interruption = Interruption::watch()?;
    let mut out = BufWriter::with_capacity(1 << 16, stdout().lock());
    let is_done = |count: u64| plan.limit.is_some_and(|limit| count >= limit);
    while !is_done(*count) {
        out.flush()?;
        let polled = tokio::select! {
            biased;
            polled = consumer.poll(plan.patience) => polled,
            code = interruption.heard() => return Err(Failure::Ended(code)),
        };
        let records = polled.map_err(|error| {
            Failure::bare(format!(
                "Error processing message, terminating consumer process: {}",
                java_errors::full(&error)
            ))
        })?;
        if records.is_empty() {
            break;
        }
        for record in records {
            if is_done(*count) {
                break;
            }
            *count += 1;
            let what = match plan.formatter.write(&mut out, &fetched(record.clone())) {
                Ok(()) => plan.acknowledgement,
                Err(_) if plan.rejects_errors => Acknowledgement::Reject,
                Err(failure) => {
                    out.flush()?;
                    return Err(failure);
                }
            };
            consumer.acknowledge(&record, what)?;
        }
    }
    out.flush()?;
    Ok(())
}

fn check(arguments: &Arguments) -> Result<(), Failure> {
    if !arguments.has("topic") {
        return Err(Failure::usage("--topic is a required argument"));
    }
    arguments.require(&["bootstrap-server"])?;
    if arguments.has("reject") && arguments.has("release") {
        return Err(Failure::usage("At most one of --reject and --release may be specified."));
    }
    for (new, old) in [
        ("command-property", "consumer-property"),
        ("command-config", "consumer-config"),
        ("formatter-property", "property"),
    ] {
        if arguments.has(new) && arguments.has(old) {
            return Err(Failure::Usage(format!("Options --{old} and --{new} cannot be specified together.")));
        }
    }
    Ok(())
}

fn properties(arguments: &Arguments) -> Result<Properties, Failure> {
    let mut properties = Properties::new();
    for option in ["command-config", "consumer-config"] {
        if let Some(path) = arguments.value(option)? {
            properties.extend(read_properties(path)?);
        }
    }
    properties.extend(pairs(arguments.values("command-property")));
    properties.extend(pairs(arguments.values("consumer-property")));
    let bootstrap = arguments.required("bootstrap-server")?;
    properties.insert("bootstrap.servers".to_owned(), bootstrap.to_owned());
    properties.entry("client.id".to_owned()).or_insert_with(|| NAME.to_owned());
    let group = group(arguments, &properties, "consumer-config")?.unwrap_or_else(|| NAME.to_owned());
    properties.insert("group.id".to_owned(), group);
    // Each record is acknowledged when it was shown.
    properties.insert("share.acknowledgement.mode".to_owned(), "explicit".to_owned());
    Ok(properties)
}
