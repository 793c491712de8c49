//! `kafka-console-producer`: lines of standard input as records.

mod lines;

use std::io::{BufRead, IsTerminal, Write, stdin, stdout};
use std::time::Duration;

use config::Properties;
use klamm_client::{Client, ClientError, Delivery, Producer, ProducerConfig};

use crate::command_line::{
    Arguments, Failure, Grammar, Opt, Refusals, Tool, flag, integer, long, optional, text,
};

use super::java_errors;
use super::session::{BOOTSTRAP, on_this_thread, read_properties};
use lines::LineReader;

const OPTIONS: &[Opt] = &[
    BOOTSTRAP,
    text("topic", "topic", "The topic to write to."),
    flag("sync", "Waits for each record's acknowledgement before the next is sent."),
    optional("compression-codec", "codec", "none, gzip, snappy, lz4 or zstd; gzip without a value."),
    integer("batch-size", "bytes", "Bytes of records in a batch (default: 16384)."),
    integer("message-send-max-retries", "number", "How often a batch is sent again (default: 3)."),
    long("retry-backoff-ms", "ms", "How long to wait before that (default: 100)."),
    long("timeout", "ms", "How long a batch waits for more records (default: 1000)."),
    text("request-required-acks", "acks", "Who has to acknowledge: 0, 1 or all (default: -1, which is all)."),
    integer("request-timeout-ms", "ms", "How long a request may take (default: 1500)."),
    long("metadata-expiry-ms", "ms", "How old metadata may grow (default: 300000)."),
    long("max-block-ms", "ms", "How long a record may wait for room (default: 60000)."),
    long("max-memory-bytes", "bytes", "How many bytes of records may wait (default: 33554432)."),
    integer("max-partition-memory-bytes", "bytes", "").replaced_by("batch-size"),
    text(
        "line-reader",
        "class",
        "What makes records of lines (default: org.apache.kafka.tools.LineMessageReader).",
    ),
    integer("socket-buffer-size", "bytes", "The send buffer of sockets."),
    text(
        "reader-property",
        "name=value",
        "How lines are read: parse.key, key.separator, parse.headers, headers.delimiter, headers.separator, headers.key.separator, ignore.error, null.marker.",
    ),
    text("reader-config", "file", "A properties file with the same."),
    text("command-property", "name=value", "A setting of the producer."),
    text("command-config", "file", "A properties file with settings of the producer."),
    text("property", "name=value", "").replaced_by("reader-property"),
    text("producer-property", "name=value", "").replaced_by("command-property"),
    text("producer.config", "file", "").replaced_by("command-config"),
    text("broker-list", "host:port,...", "").replaced_by("bootstrap-server"),
];

/// The tool's table.
pub const TOOL: Tool = Tool {
    name: "console-producer",
    classes: &["org.apache.kafka.tools.ConsoleProducer", "kafka.tools.ConsoleProducer"],
    about: "This tool writes lines of standard input to a topic.",
    grammar: Grammar::Joptsimple,
    options: &[OPTIONS],
    verbs: &[],
    refusals: Refusals::PLAIN,
    run,
};

/// Each option with the setting it stands for, and its default.
const SETTINGS: &[(&str, &str, &str)] = &[
    ("timeout", "linger.ms", "1000"),
    ("request-required-acks", "acks", "-1"),
    ("request-timeout-ms", "request.timeout.ms", "1500"),
    ("message-send-max-retries", "retries", "3"),
    ("retry-backoff-ms", "retry.backoff.ms", "100"),
    ("socket-buffer-size", "send.buffer.bytes", "102400"),
    ("max-memory-bytes", "buffer.memory", "33554432"),
    ("batch-size", "batch.size", "16384"),
    ("max-partition-memory-bytes", "batch.size", "16384"),
    ("metadata-expiry-ms", "metadata.max.age.ms", "300000"),
    ("max-block-ms", "max.block.ms", "60000"),
];

fn run(arguments: &Arguments) -> Result<(), Failure> {
    let topic = arguments.required("topic")?.to_owned();
    for (new, old) in [
        ("command-config", "producer.config"),
        ("command-property", "producer-property"),
        ("reader-property", "property"),
    ] {
        if arguments.has(new) && arguments.has(old) {
            return Err(Failure::Usage(format!("Options --{new} and --{old} cannot be specified together.")));
        }
    }
    let bootstrap = bootstrap(arguments)?;
    let properties = producer_properties(arguments, &bootstrap)?;
    let mut reader = LineReader::new(&topic, &reader_properties(arguments)?)?;
    let (client, producer) = ProducerConfig::from_properties(&properties).map_err(config_failure)?;
    on_this_thread(async move {
        let client = Client::unconnected(client).map_err(config_failure)?;
        let producer = Producer::new(&client, producer).map_err(config_failure)?;
        let outcome = copy(&producer, &mut reader, arguments.has("sync")).await;
        producer.flush().await;
        producer.close(Duration::from_secs(60)).await;
        outcome
    })
}

/// `--bootstrap-server`, which may be missing or nonsense.
pub fn bootstrap(arguments: &Arguments) -> Result<String, Failure> {
    let given = match arguments.value("broker-list")? {
        Some(old) => Some(old),
        None => arguments.value("bootstrap-server")?,
    };
    let given = given.ok_or_else(|| Failure::usage("Error while validating the bootstrap address\n"))?;
    let is_address = |part: &str| part.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    match given.split(',').all(is_address) {
        true => Ok(given.to_owned()),
        false => Err(Failure::usage("Please provide valid host:port like host1:9091,host2:9092\n")),
    }
}

fn config_failure(error: klamm_client::ClientError) -> Failure {
    Failure::bare(match &error {
        klamm_client::ClientError::Config { setting, value, reason } => format!(
            "org.apache.kafka.common.config.ConfigException: Invalid value {value} for configuration {setting}: {reason}"
        ),
        error => java_errors::full(error),
    })
}

/// `name=value` pairs.
pub fn pairs<'a>(texts: impl IntoIterator<Item = &'a str>) -> Properties {
    let split = |text: &str| {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        (name.to_owned(), value.to_owned())
    };
    texts.into_iter().map(split).collect()
}

fn producer_properties(arguments: &Arguments, bootstrap: &str) -> Result<Properties, Failure> {
    let mut properties = Properties::new();
    for option in ["command-config", "producer.config"] {
        if let Some(path) = arguments.value(option)? {
            properties.extend(read_properties(path)?);
        }
    }
    properties.extend(pairs(arguments.values("command-property")));
    properties.extend(pairs(arguments.values("producer-property")));
    properties.insert("bootstrap.servers".to_owned(), bootstrap.to_owned());
    let codec = match arguments.values("compression-codec")[..] {
        [codec, ..] => codec,
        [] if arguments.has("compression-codec") => "gzip",
        [] => "none",
    };
    if !["none", "gzip", "snappy", "lz4", "zstd"].contains(&codec) {
        return Err(Failure::bare(format!(
            "org.apache.kafka.common.config.ConfigException: Invalid value {codec} for configuration compression.type: \
             String must be one of: none, gzip, snappy, lz4, zstd"
        )));
    }
    properties.insert("compression.type".to_owned(), codec.to_owned());
    properties.entry("client.id".to_owned()).or_insert_with(|| "console-producer".to_owned());
    for (option, key, default) in SETTINGS {
        match arguments.value(option)? {
            Some(value) => _ = properties.insert((*key).to_owned(), value.to_owned()),
            None => _ = properties.entry((*key).to_owned()).or_insert_with(|| (*default).to_owned()),
        }
    }
    let acks = properties.get("acks").map_or("all", String::as_str);
    if !["all", "-1", "0", "1"].contains(&acks) {
        return Err(Failure::bare(format!(
            "org.apache.kafka.common.config.ConfigException: Invalid value {acks} for configuration acks: String must be \
             one of: all, -1, 0, 1"
        )));
    }
    Ok(properties)
}

fn reader_properties(arguments: &Arguments) -> Result<Properties, Failure> {
    const READERS: &[&str] =
        &["org.apache.kafka.tools.LineMessageReader", "kafka.tools.ConsoleProducer$LineMessageReader"];
    if let Some(class) = arguments.value("line-reader")?
        && !READERS.contains(&class)
    {
        return Err(Failure::bare(format!("java.lang.ClassNotFoundException: {class}")));
    }
    let mut properties = match arguments.value("reader-config")? {
        Some(path) => read_properties(path)?,
        None => Properties::new(),
    };
    properties.extend(pairs(arguments.values("reader-property")));
    properties.extend(pairs(arguments.values("property")));
    Ok(properties)
}

/// Sends every line. What fails after it was sent is told on standard error, as Kafka's tool does.
async fn copy(producer: &Producer, reader: &mut LineReader, is_synchronous: bool) -> Result<(), Failure> {
    let prompts = stdin().is_terminal();
    let (lines, mut incoming) = tokio::sync::mpsc::channel::<std::io::Result<String>>(1024);
    // Standard input blocks: it gets a thread of its own, so that batches leave while a person thinks.
    std::thread::spawn(move || {
        for line in stdin().lock().split(b'\n') {
            let line = line.map(|mut bytes| {
                if bytes.last() == Some(&b'\r') {
                    bytes.pop();
                }
                String::from_utf8_lossy(&bytes).into_owned()
            });
            if lines.blocking_send(line).is_err() {
                return;
            }
        }
    });
    let mut underway: std::collections::VecDeque<Delivery> = std::collections::VecDeque::new();
    loop {
        if prompts {
            print!(">");
            stdout().flush()?;
        }
        let Some(line) = incoming.recv().await else { break };
        let record = reader.read(&line?)?;
        let delivery = producer.enqueue(record).await;
        let delivery = match delivery {
            // A record that finds no room or no broker in time is given up, and told.
            Err(error @ ClientError::TimedOut { .. }) if !is_synchronous => {
                complain(Err(error));
                continue;
            }
            delivery => delivery.map_err(|error| Failure::bare(java_errors::full(&error)))?,
        };
        if is_synchronous {
            delivery.await.map_err(|error| Failure::bare(java_errors::full(&error)))?;
            continue;
        }
        underway.push_back(delivery);
        if underway.len() > 10_000
            && let Some(oldest) = underway.pop_front()
        {
            complain(oldest.await);
        }
    }
    producer.flush().await;
    for delivery in underway {
        complain(delivery.await);
    }
    Ok(())
}

fn complain(outcome: Result<klamm_client::RecordMetadata, klamm_client::ClientError>) {
    if let Err(error) = outcome {
        eprintln!("Error when sending message: {}", java_errors::full(&error));
    }
}
