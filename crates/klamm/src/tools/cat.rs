//! `klamm cat`: produce, consume, list and query from the shell, with kcat's flags and format strings.

mod consume;
mod format;
mod group;
mod list;
mod offsets;
mod pack;
mod produce;

use std::io::{IsTerminal, stdin};

use config::Properties;
use klamm_client::ClientError;

use crate::command_line::{Arguments, Failure, Grammar, Opt, Refusals, Tool, flag, integer, text};

use super::session::on_this_thread;

const OPTIONS: &[Opt] = &[
    flag("produce", "Writes standard input to a topic.").or(&["P"]),
    flag("consume", "Reads a topic.").or(&["C"]),
    flag("list", "Lists brokers, topics and partitions.").or(&["L"]),
    flag("query", "Finds offsets by time: -t topic:partition:timestamp.").or(&["Q"]),
    text("group", "group", "Reads as a member of a group; topics follow as words, ^ begins a regular expression.").or(&["G"]),
    text("brokers", "host:port,...", "Some brokers of the cluster (default: localhost:9092).").or(&["b"]),
    text("topic", "topic", "The topic.").or(&["t"]),
    integer("partition", "partition", "The partition; all or any if not given.").or(&["p"]),
    text("offset", "where", "beginning, end, a number, -100 (so many before the end), s@ts and e@ts, or @-1h, @2026-01-31T12:00:00.").or(&["o"]),
    integer("count", "number", "Ends after so many records.").or(&["c"]),
    flag("exit", "Ends when everything is read.").or(&["e"]),
    text("delimiter", "text", "Parts records (default: a line's end).").or(&["D"]),
    text("key-delimiter", "text", "Parts keys from values.").or(&["K"]),
    text("format", "text", "How a record is written: %s value, %S its size, %R its size in 4 bytes, %k key, %K its size, %t topic, %p partition, %o offset, %T timestamp, %h headers, %% a percent sign.").or(&["f"]),
    flag("json", "Writes a line of JSON for each record.").or(&["J"]),
    text("deserialize", "[key=|value=]pack", "Shows binary keys or values: < and > choose the order of bytes, b B h H i I q Q are integers of 1, 2, 4 and 8 bytes, c a letter, s the rest, $ the end.").or(&["s"]),
    text("header", "name=value", "A header of each record that is written; may be repeated.").or(&["H"]),
    text("key", "key", "The key of each record that is written; or reads only records with this key.").or(&["k"]),
    text("compression", "codec", "none, gzip, snappy, lz4 or zstd.").or(&["z"]),
    flag("null", "Empty values are written as null; null is shown as NULL.").or(&["Z"]),
    flag("lines", "Reads records from a file instead of standard input, a line each.").or(&["l"]),
    flag("tee", "Writes what is sent to standard output too.").or(&["T"]),
    flag("unbuffered", "Writes each record at once.").or(&["u"]),
    flag("offsets", "Taken for kcat's sake: it has no effect there either.").or(&["O"]),
    flag("keep-going", "Goes on after errors that are not fatal.").or(&["E"]),
    integer("timeout", "seconds", "How long to wait for brokers (default: 5).").or(&["m"]),
    flag("quiet", "Says nothing beside records.").or(&["q"]),
    flag("verbose", "Says more.").or(&["v"]),
    text("debug", "contexts", "Taken for kcat's sake.").or(&["d"]),
    text("set", "name=value", "A setting of the client; may be repeated.").or(&["X"]),
    text("config", "file", "A properties file with settings of the client.").or(&["F"]),
    text("match-key", "regex", "Reads only records whose key matches."),
    text("match-value", "regex", "Reads only records whose value matches."),
    text("match-header", "name=regex", "Reads only records with a header that matches."),
];

/// The tool's table.
pub const TOOL: Tool = Tool {
    name: "cat",
    classes: &[],
    about: "Produces, consumes, lists and queries, as kcat does: `klamm cat -b HOST:PORT -t TOPIC`.",
    grammar: Grammar::Getopt,
    options: &[OPTIONS],
    verbs: &[],
    refusals: Refusals::prefixed("% ERROR: "),
    run,
};

const MODES: &[&str] = &["produce", "consume", "list", "query", "group"];

fn run(arguments: &Arguments) -> Result<(), Failure> {
    let chosen = arguments.in_order().filter(|(name, _)| MODES.contains(name)).last();
    let mode = match chosen {
        Some((mode, _)) => mode,
        None => {
            let mode = if stdin().is_terminal() { "consume" } else { "produce" };
            if !arguments.has("quiet") {
                let shown = if mode == "consume" { "Consumer" } else { "Producer" };
                eprintln!("% Auto-selecting {shown} mode (use -P or -C to override)");
            }
            mode
        }
    };
    if mode == "query" && !arguments.has("topic") {
        return Err(Failure::usage("-t <topic>:<partition>:<offset_or_timestamp> missing"));
    }
    if matches!(mode, "produce" | "consume") && !arguments.has("topic") {
        return Err(Failure::usage("-t <topic> missing"));
    }
    let properties = properties(arguments)?;
    on_this_thread(async {
        match mode {
            "produce" => produce::run(arguments, &properties).await,
            "consume" => consume::run(arguments, &properties).await,
            "group" => group::run(arguments, &properties).await,
            "query" => list::query(arguments, &properties).await,
            _ => list::run(arguments, &properties).await,
        }
    })
}

/// Java's names for what librdkafka calls otherwise.
const SYNONYMS: &[(&str, &str)] = &[
    ("metadata.broker.list", "bootstrap.servers"),
    ("compression.codec", "compression.type"),
    ("queue.buffering.max.ms", "linger.ms"),
    ("request.required.acks", "acks"),
    ("message.send.max.retries", "retries"),
    ("message.timeout.ms", "delivery.timeout.ms"),
    ("socket.timeout.ms", "request.timeout.ms"),
    ("message.max.bytes", "max.request.size"),
    ("fetch.message.max.bytes", "max.partition.fetch.bytes"),
    ("fetch.wait.max.ms", "fetch.max.wait.ms"),
];

/// Settings of the environment, the file and the command line, under Java's names.
fn properties(arguments: &Arguments) -> Result<Properties, Failure> {
    let mut given = Properties::new();
    let default = std::env::var("KCAT_CONFIG").ok();
    if let Some(path) = arguments.value("config")?.or(default.as_deref()) {
        given.extend(super::session::read_properties(path)?);
    }
    for pair in arguments.values("set") {
        let (name, value) = pair.split_once('=').ok_or_else(|| {
            Failure::bare(format!(
                "% Expected -X property=value, not {pair}, use -X list to display available properties"
            ))
        })?;
        given.insert(name.to_owned(), value.to_owned());
    }
    let mut properties = Properties::new();
    for (key, value) in given {
        let key = key.strip_prefix("topic.").unwrap_or(&key);
        let java = SYNONYMS.iter().find(|(other, _)| *other == key).map_or(key, |(_, java)| java);
        let value = match (java, value.as_str()) {
            ("auto.offset.reset", "smallest" | "beginning") => "earliest".to_owned(),
            ("auto.offset.reset", "largest" | "end") => "latest".to_owned(),
            _ => value,
        };
        properties.insert(java.to_owned(), value);
    }
    if let Some(brokers) = arguments.value("brokers")? {
        properties.insert("bootstrap.servers".to_owned(), brokers.to_owned());
    }
    let seconds: i64 = arguments.number("timeout")?.unwrap_or(5);
    let mut set = |key: &str, value: &str| {
        properties.entry(key.to_owned()).or_insert_with(|| value.to_owned());
    };
    set("bootstrap.servers", "localhost:9092");
    set("client.id", "klamm-cat");
    set("default.api.timeout.ms", &(seconds.max(1) * 1000).to_string());
    Ok(properties)
}

/// librdkafka's words where nobody answers; others as they are.
fn unreachable(what: &str, error: &ClientError, hint: &str) -> Failure {
    match error {
        ClientError::NoBroker { .. } | ClientError::TimedOut { .. } | ClientError::Connect { .. } => {
            Failure::refused(format!("{what}: Local: Broker transport failure{hint}"))
        }
        error => Failure::refused(format!("{what}: {}", super::java_errors::message(error))),
    }
}

/// A text with `\n`, `\t`, `\r`, `\0` and `\xNN` made bytes.
fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            bytes.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        match letters.next() {
            Some('n') => bytes.push(b'\n'),
            Some('t') => bytes.push(b'\t'),
            Some('r') => bytes.push(b'\r'),
            Some('0') => bytes.push(0),
            Some('x') => {
                let digits: String = letters.by_ref().take(2).collect();
                bytes.extend(u8::from_str_radix(&digits, 16).ok());
            }
            Some(other) => bytes.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
            None => bytes.push(b'\\'),
        }
    }
    bytes
}
