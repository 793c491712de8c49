//! `klamm cat`: produce, consume, list and query from the shell, with kcat's flags and format strings.

mod consume;
mod format;
mod list;
mod produce;

use std::io::{IsTerminal, stdin};

use config::Properties;

use crate::command_line::{Arguments, Failure, Grammar, Opt, Refusals, Tool, flag, integer, text};

use super::console_producer::pairs;
use super::session::on_this_thread;

const OPTIONS: &[Opt] = &[
    flag("produce", "Writes standard input to a topic.").or(&["P"]),
    flag("consume", "Reads a topic.").or(&["C"]),
    flag("list", "Lists brokers, topics and partitions.").or(&["L"]),
    flag("query", "Finds offsets by time: -t topic:partition:timestamp.").or(&["Q"]),
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
    text("header", "name=value", "A header of each record that is written; may be repeated.").or(&["H"]),
    text("key", "key", "The key of each record that is written; or reads only records with this key.").or(&["k"]),
    text("compression", "codec", "none, gzip, snappy, lz4 or zstd.").or(&["z"]),
    flag("null", "Empty values are written as null; null is shown as NULL.").or(&["Z"]),
    text("file", "file", "Reads records from a file instead of standard input, a line each.").or(&["l"]),
    flag("unbuffered", "Writes each record at once.").or(&["u"]),
    flag("quiet", "Says nothing beside records.").or(&["q"]),
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
    grammar: Grammar::Argparse,
    options: &[OPTIONS],
    verbs: &[],
    refusals: Refusals::prefixed("% ERROR: "),
    run,
};

fn run(arguments: &Arguments) -> Result<(), Failure> {
    let modes = ["produce", "consume", "list", "query"];
    let chosen: Vec<_> = modes.into_iter().filter(|mode| arguments.has(mode)).collect();
    let mode = match chosen[..] {
        [mode] => mode,
        [] if !arguments.has("topic") => "list",
        [] if stdin().is_terminal() => "consume",
        [] => "produce",
        _ => return Err(Failure::refused("name one of -P, -C, -L and -Q")),
    };
    if mode != "list" && !arguments.has("topic") {
        return Err(Failure::refused("-t <topic> missing"));
    }
    let properties = properties(arguments)?;
    on_this_thread(async {
        match mode {
            "produce" => produce::run(arguments, &properties).await,
            "consume" => consume::run(arguments, &properties).await,
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
];

fn properties(arguments: &Arguments) -> Result<Properties, Failure> {
    let mut given = Properties::new();
    let default = std::env::var("KCAT_CONFIG").ok();
    if let Some(path) = arguments.value("config")?.or(default.as_deref()) {
        given.extend(super::session::read_properties(path)?);
    }
    given.extend(pairs(arguments.values("set")));
    let mut properties = Properties::new();
    for (key, value) in given {
        let java = SYNONYMS.iter().find(|(other, _)| *other == key).map(|(_, java)| (*java).to_owned());
        properties.insert(java.unwrap_or(key), value);
    }
    if let Some(brokers) = arguments.value("brokers")? {
        properties.insert("bootstrap.servers".to_owned(), brokers.to_owned());
    }
    properties.entry("bootstrap.servers".to_owned()).or_insert_with(|| "localhost:9092".to_owned());
    properties.entry("client.id".to_owned()).or_insert_with(|| "klamm-cat".to_owned());
    Ok(properties)
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
