//! `kafka-verifiable-producer`: writes numbers and tells each record's fate as a line of JSON.

use std::collections::VecDeque;
use std::io::{Write, stdout};
use std::time::{Duration, Instant};

use bytes::Bytes;
use klamm_client::{Client, Delivery, Producer, ProducerConfig, ProducerRecord};
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};

use crate::command_line::{Arguments, Failure, Grammar, Opt, Refusals, Tool, integer, long, text};
use crate::text::calendar::now_ms;

use super::java_errors;
use super::session::{on_this_thread, read_properties};

const OPTIONS: &[Opt] = &[
    text("topic", "TOPIC", "The topic to write to.").required(),
    text("bootstrap-server", "HOST1:PORT1[,HOST2:PORT2[...]]", "Some brokers of the cluster to connect to.")
        .required(),
    integer("max-messages", "MAX-MESSAGES", "Ends after so many records; -1 goes on for ever."),
    integer("throughput", "THROUGHPUT", "No more records per second than this; -1 for no limit."),
    integer("acks", "ACKS", "Who has to acknowledge: 0, 1 or -1."),
    text("command-config", "CONFIG_FILE", "A properties file with settings of the producer."),
    long("message-create-time", "CREATE-TIME", "The timestamp of the first record; they are a second apart."),
    integer("value-prefix", "VALUE-PREFIX", "Stands before each number, and a dot."),
    integer("repeating-keys", "REPEATING-KEYS", "Gives records keys from 0 up to this."),
    text("producer.config", "CONFIG_FILE", "").replaced_by("command-config"),
];

/// The tool's table.
pub const TOOL: Tool = Tool {
    name: "verifiable-producer",
    classes: &["org.apache.kafka.tools.VerifiableProducer"],
    about: "Writes numbers to a topic and tells what became of each, as JSON.",
    grammar: Grammar::Argparse,
    options: &[OPTIONS],
    verbs: &[],
    refusals: Refusals::PLAIN,
    run,
};

/// Prints an event with the time in front.
pub fn say(name: &str, fields: Value) {
    let mut event = json!({ "timestamp": now_ms(), "name": name });
    if let (Some(event), Value::Object(fields)) = (event.as_object_mut(), fields) {
        event.extend(fields);
    }
    println!("{event}");
    // Whoever listens waits for whole lines; a closed pipe ends the tool by its signal.
    let _ = stdout().flush();
}

type Underway = VecDeque<(Value, Value, Delivery)>;

fn run(arguments: &Arguments) -> Result<(), Failure> {
    let max: i64 = arguments.number("max-messages")?.unwrap_or(-1);
    let throughput: i64 = arguments.number("throughput")?.unwrap_or(-1);
    let mut properties = config::Properties::new();
    for option in ["command-config", "producer.config"] {
        if let Some(path) = arguments.value(option)? {
            properties.extend(read_properties(path)?);
        }
    }
    properties.insert("bootstrap.servers".to_owned(), arguments.required("bootstrap-server")?.to_owned());
    let acks: i32 = arguments.number("acks")?.unwrap_or(-1);
    properties.insert("acks".to_owned(), acks.to_string());
    properties.insert("retries".to_owned(), "0".to_owned());
    if acks != -1 {
        properties.entry("enable.idempotence".to_owned()).or_insert_with(|| "false".to_owned());
    }
    let (client, producer) = ProducerConfig::from_properties(&properties)?;
    on_this_thread(async move {
        let client = Client::unconnected(client)?;
        let producer = Producer::new(&client, producer)?;
        say("startup_complete", json!({}));
        send_all(&producer, arguments, max, throughput).await?;
        producer.close(Duration::from_secs(30)).await;
        Ok(())
    })
}

async fn send_all(
    producer: &Producer,
    arguments: &Arguments,
    max: i64,
    throughput: i64,
) -> Result<(), Failure> {
    let topic = arguments.required("topic")?.to_owned();
    let prefix: Option<i32> = arguments.number("value-prefix")?;
    let keys: Option<i64> = arguments.number("repeating-keys")?;
    let mut create_time: Option<i64> = arguments.number("message-create-time")?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let started = Instant::now();
    let mut underway = Underway::new();
    let (mut sent, mut acked) = (0i64, 0i64);
    while max < 0 || sent < max {
        let value = prefix.map_or_else(|| sent.to_string(), |prefix| format!("{prefix}.{sent}"));
        let key = keys.filter(|keys| *keys > 0).map(|keys| (sent % keys).to_string());
        let mut record = ProducerRecord::to(topic.as_str()).value(Bytes::from(value.clone()));
        if let Some(key) = &key {
            record = record.key(Bytes::from(key.clone()));
        }
        if let Some(time) = &mut create_time {
            record = record.timestamp_ms(*time);
            *time += 1000;
        }
        sent += 1;
        let delivery = producer.enqueue(record).await?;
        underway.push_back((json!(key), json!(value), delivery));
        let early = match throughput {
            1.. => Duration::from_secs_f64(sent as f64 / throughput as f64).saturating_sub(started.elapsed()),
            _ => Duration::ZERO,
        };
        tokio::select! {
            biased;
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            () = tokio::time::sleep(early) => {}
        }
        while underway.len() > 1000 || (throughput > 0 && !underway.is_empty()) {
            let Some(first) = underway.pop_front() else { break };
            acked += tell(&topic, first).await;
        }
    }
    producer.flush().await;
    for each in underway {
        acked += tell(&topic, each).await;
    }
    say("shutdown_complete", json!({}));
    let seconds = started.elapsed().as_secs_f64();
    let fields = json!({ "sent": sent, "acked": acked, "target_throughput": throughput, "avg_throughput": acked as f64 / seconds });
    say("tool_data", fields);
    Ok(())
}

/// Waits for a record's fate and tells it; 1 if it was written.
async fn tell(topic: &str, (key, value, delivery): (Value, Value, Delivery)) -> i64 {
    match delivery.await {
        Ok(written) => {
            let place = written.topic_partition;
            say(
                "producer_send_success",
                json!({ "key": key, "value": value, "topic": topic, "partition": place.partition, "offset": written.offset }),
            );
            1
        }
        Err(error) => {
            say(
                "producer_send_error",
                json!({
                    "key": key, "value": value, "topic": topic,
                    "exception": java_errors::class(&error), "message": java_errors::message(&error),
                }),
            );
            0
        }
    }
}
