//! `kafka-verifiable-consumer`: reads as a member of a group and tells what happens as lines of JSON.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use klamm_client::{
    Client, Consumer, ConsumerConfig, ConsumerRecord, OffsetAndMetadata, RebalanceListener, TopicPartition,
};
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};

use crate::command_line::{Arguments, Failure, Grammar, Opt, Refusals, Tool, flag, integer, text};

use super::java_errors;
use super::session::{on_this_thread, read_properties};
use super::verifiable_producer::say;

const OPTIONS: &[Opt] = &[
    text("bootstrap-server", "HOST1:PORT1[,HOST2:PORT2[...]]", "Some brokers of the cluster to connect to.")
        .required(),
    text("topic", "TOPIC", "The topic to read.").required(),
    text("group-id", "GROUP_ID", "The group to be a member of.").required(),
    text("group-protocol", "GROUP_PROTOCOL", "classic (default) or consumer."),
    text("group-remote-assignor", "ASSIGNOR", "The coordinator's assignor, with the consumer protocol."),
    text(
        "group-instance-id",
        "GROUP_INSTANCE_ID",
        "A name that lets the member come back without a rebalance.",
    ),
    integer("max-messages", "MAX-MESSAGES", "Ends after so many records; -1 goes on for ever."),
    integer(
        "session-timeout",
        "MS",
        "A member that is silent for longer is out of its group (default: 30000).",
    ),
    flag("verbose", "Tells each record."),
    flag("enable-autocommit", "Commits by itself instead of after each batch."),
    text(
        "reset-policy",
        "POLICY",
        "Where to begin without a committed offset: earliest (default), latest or none.",
    ),
    text("assignment-strategy", "CLASS", "The assignor, with the classic protocol."),
    text("command-config", "CONFIG_FILE", "A properties file with settings of the consumer."),
    text("consumer.config", "CONFIG_FILE", "").replaced_by("command-config"),
];

/// The tool's table.
pub const TOOL: Tool = Tool {
    name: "verifiable-consumer",
    classes: &["org.apache.kafka.tools.VerifiableConsumer"],
    about: "Reads a topic as a member of a group and tells what happens, as JSON.",
    grammar: Grammar::Argparse,
    options: &[OPTIONS],
    verbs: &[],
    refusals: Refusals::PLAIN,
    run,
};

/// Tells of rebalances.
struct Herald;

fn partitions(partitions: &[TopicPartition]) -> Value {
    let one =
        |partition: &TopicPartition| json!({ "topic": &*partition.topic, "partition": partition.partition });
    json!({ "partitions": partitions.iter().map(one).collect::<Vec<_>>() })
}

type Told<'a> = std::pin::Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

impl RebalanceListener for Herald {
    fn assigned<'a>(&'a self, given: &'a [TopicPartition]) -> Told<'a> {
        say("partitions_assigned", partitions(given));
        Box::pin(std::future::ready(()))
    }

    fn revoked<'a>(&'a self, taken: &'a [TopicPartition]) -> Told<'a> {
        say("partitions_revoked", partitions(taken));
        Box::pin(std::future::ready(()))
    }
}

fn run(arguments: &Arguments) -> Result<(), Failure> {
    let limit: i64 = arguments.number("max-messages")?.unwrap_or(-1);
    let mut properties = config::Properties::new();
    for option in ["command-config", "consumer.config"] {
        if let Some(path) = arguments.value(option)? {
            properties.extend(read_properties(path)?);
        }
    }
    let mut set = |key: &str, value: Option<&str>| {
        if let Some(value) = value {
            properties.insert(key.to_owned(), value.to_owned());
        }
    };
    set("bootstrap.servers", arguments.value("bootstrap-server")?);
    set("group.id", arguments.value("group-id")?);
    set("group.protocol", arguments.value("group-protocol")?);
    set("group.remote.assignor", arguments.value("group-remote-assignor")?);
    set("group.instance.id", arguments.value("group-instance-id")?);
    set("auto.offset.reset", Some(arguments.value("reset-policy")?.unwrap_or("earliest")));
    set("enable.auto.commit", Some(if arguments.has("enable-autocommit") { "true" } else { "false" }));
    if arguments.value("group-protocol")? != Some("consumer") {
        set("session.timeout.ms", Some(arguments.value("session-timeout")?.unwrap_or("30000")));
        set("partition.assignment.strategy", arguments.value("assignment-strategy")?);
    }
    let (client, consumer) = ConsumerConfig::from_properties(&properties)?;
    let topic = arguments.required("topic")?.to_owned();
    let commits = !arguments.has("enable-autocommit");
    let verbose = arguments.has("verbose");
    on_this_thread(async move {
        let client = Client::unconnected(client)?;
        let mut consumer = Consumer::with_listener(&client, consumer, Some(Arc::new(Herald)))?;
        say("startup_complete", json!({}));
        consumer.subscribe([&topic])?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut count = 0;
        while limit < 0 || count < limit {
            let records = tokio::select! {
                biased;
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                records = consumer.poll(Duration::from_secs(1)) => records?,
            };
            if records.is_empty() {
                continue;
            }
            let room = if limit < 0 { usize::MAX } else { usize::try_from(limit - count).unwrap_or(0) };
            let taken = &records[..records.len().min(room)];
            let offsets = tell(records.len(), taken, verbose);
            count += i64::try_from(taken.len()).unwrap_or(0);
            if commits {
                let outcome = consumer.commit_offsets(offsets.clone()).await;
                tell_commit(&offsets, outcome.err());
            }
        }
        consumer.close().await;
        say("shutdown_complete", json!({}));
        Ok(())
    })
}

type Offsets = BTreeMap<TopicPartition, OffsetAndMetadata>;

/// Tells a batch of records; gives where each partition goes on.
fn tell(polled: usize, records: &[ConsumerRecord], verbose: bool) -> Offsets {
    let mut summaries: BTreeMap<TopicPartition, (usize, i64, i64)> = BTreeMap::new();
    for record in records {
        if verbose {
            let text = |bytes: &Option<Bytes>| {
                bytes.as_ref().map(|bytes| String::from_utf8_lossy(bytes).into_owned())
            };
            say(
                "record_data",
                json!({
                    "key": text(&record.key), "value": text(&record.value), "topic": &*record.topic_partition.topic,
                    "partition": record.topic_partition.partition, "offset": record.offset,
                }),
            );
        }
        let summary =
            summaries.entry(record.topic_partition.clone()).or_insert((0, record.offset, record.offset));
        summary.0 += 1;
        summary.2 = record.offset;
    }
    let rows = summaries.iter().map(|(partition, (count, min, max))| {
        json!({ "topic": &*partition.topic, "partition": partition.partition, "count": count, "minOffset": min, "maxOffset": max })
    });
    say("records_consumed", json!({ "count": polled, "partitions": rows.collect::<Vec<_>>() }));
    let next = |max: i64| OffsetAndMetadata::from(max + 1);
    summaries.into_iter().map(|(partition, (_, _, max))| (partition, next(max))).collect()
}

fn tell_commit(offsets: &Offsets, error: Option<klamm_client::ClientError>) {
    let rows = offsets.iter().map(|(partition, committed)| {
        json!({ "topic": &*partition.topic, "partition": partition.partition, "offset": committed.offset })
    });
    let mut fields = json!({ "offsets": rows.collect::<Vec<_>>() });
    if let (Some(fields), Some(error)) = (fields.as_object_mut(), &error) {
        fields.insert("error".to_owned(), json!(java_errors::message(error)));
    }
    if let Some(fields) = fields.as_object_mut() {
        fields.insert("success".to_owned(), json!(error.is_none()));
    }
    say("offsets_committed", fields);
}
