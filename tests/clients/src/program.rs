//! Clients that are programs with the sub-commands of this folder: create, produce, consume, group and so on.
//!
//! A record is a line `timestamp TAB key TAB value TAB headers`, bytes in hex and `-` for null; a record that was
//! read has its partition and offset in front.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;
use testkit::bounded::{self, Conversation};
use testkit::prepared;

use crate::client::{Client, Member, Offsets, Produced, ReadRecord, Topic};
use crate::dataset::{Richness, SentRecord};

const LIMIT: Duration = Duration::from_secs(240);

/// A client library behind a program.
pub struct Program {
    name: String,
    pub command: Vec<PathBuf>,
}

pub fn java(version: &str) -> Program {
    let setup = prepared::folder();
    let jars = setup.join(format!("java-{version}/*"));
    let classpath = format!("{}:{}", setup.join("java-classes").display(), jars.display());
    let quiet = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn";
    let arguments = [
        "java",
        "-Xmx512m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        quiet,
        "-cp",
        &classpath,
        "Client",
    ];
    Program { name: format!("java-{version}"), command: arguments.map(PathBuf::from).to_vec() }
}

/// A program that is run from its source.
pub fn java_source(version: &str, source: &str) -> Vec<PathBuf> {
    let jars = prepared::folder().join(format!("java-{version}/*"));
    let source = prepared::repository().join("tests/clients/java").join(source);
    let quiet = "-Dorg.slf4j.simpleLogger.defaultLogLevel=off";
    vec!["java".into(), "-Xmx512m".into(), quiet.into(), "-cp".into(), jars, source]
}

pub fn python(name: &str, script: &str) -> Program {
    let folder = prepared::repository().join("tests/clients/python");
    let interpreter = prepared::folder().join("python/bin/python");
    Program { name: name.to_owned(), command: vec![interpreter, folder.join(script)] }
}

pub fn franz_go() -> Program {
    Program { name: "franz-go".to_owned(), command: vec![prepared::folder().join("franz-go")] }
}

pub fn kafkajs() -> Program {
    let script = prepared::repository().join("tests/clients/node/client.js");
    let arguments = [PathBuf::from("node"), PathBuf::from("--no-warnings"), script];
    Program { name: "kafkajs".to_owned(), command: arguments.to_vec() }
}

impl Program {
    fn command(&self, step: &str, topic: Topic<'_>, options: &[(&str, &str)]) -> Command {
        let mut command = Command::new(&self.command[0]);
        command.args(&self.command[1..]).arg(step).arg(format!("bootstrap={}", topic.bootstrap));
        command.arg(format!("topic={}", topic.name)).arg(format!("partitions={}", topic.partitions));
        for (name, value) in options {
            command.arg(format!("{name}={value}"));
        }
        command
    }

    fn run(&self, step: &str, topic: Topic<'_>, options: &[(&str, &str)]) -> Result<String> {
        let mut command = self.command(step, topic, options);
        let output =
            bounded::output(&mut command, b"", LIMIT).with_context(|| format!("{} {step}", self.name))?;
        Ok(String::from_utf8(output)?)
    }

    fn offsets(&self, step: &str, topic: Topic<'_>, options: &[(&str, &str)]) -> Result<Offsets> {
        let output = self.run(step, topic, options)?;
        parse_offsets(output.trim()).with_context(|| format!("{} {step}: {output:?}", self.name))
    }
}

impl Client for Program {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn richness(&self) -> Richness {
        Richness::Everything
    }

    fn create(&self, topic: Topic<'_>) -> Result<Option<()>> {
        self.run("create", topic, &[]).map(|_| Some(()))
    }

    fn produce(&self, topic: Topic<'_>, codec: &str, records: &[SentRecord]) -> Result<Produced> {
        let folder = tempfile::tempdir()?;
        let (input, output) = (folder.path().join("input"), folder.path().join("output"));
        let lines: String = records.iter().map(line_of).collect();
        fs::write(&input, lines)?;
        let options = [("codec", codec), ("input", text(&input)?), ("output", text(&output)?)];
        self.run("produce", topic, &options)?;
        let places = fs::read_to_string(&output)?;
        let place = |line: &str| {
            let (partition, offset) = line.split_once('\t')?;
            Some((partition.parse().ok()?, offset.parse().ok()?))
        };
        let places: Option<Vec<_>> = places.lines().map(place).collect();
        Ok(Produced::Places(places.with_context(|| format!("{}: a place is not two numbers", self.name))?))
    }

    fn consume(&self, topic: Topic<'_>, ends: &Offsets) -> Result<Vec<ReadRecord>> {
        let folder = tempfile::tempdir()?;
        let output = folder.path().join("output");
        self.run("consume", topic, &[("ends", &show_offsets(ends)), ("output", text(&output)?)])?;
        read_records(&output)
    }

    fn join(&self, topic: Topic<'_>, group: &str) -> Result<Box<dyn Member>> {
        let folder = tempfile::tempdir()?;
        let output = folder.path().join("output");
        let mut command = self.command("group", topic, &[("group", group), ("output", text(&output)?)]);
        let conversation = Conversation::start(&self.name, &mut command)?;
        Ok(Box::new(ProgramMember { conversation, folder, owned: Vec::new(), committed: Offsets::new() }))
    }

    fn committed(&self, topic: Topic<'_>, group: &str) -> Result<Option<Offsets>> {
        self.offsets("committed", topic, &[("group", group)]).map(Some)
    }

    fn offsets_for_time(&self, topic: Topic<'_>, timestamp: i64) -> Result<Option<Offsets>> {
        self.offsets("offsets", topic, &[("timestamp", &timestamp.to_string())]).map(Some)
    }

    fn first_and_next(&self, topic: Topic<'_>) -> Result<Option<(Offsets, Offsets)>> {
        let first = self.offsets("offsets", topic, &[("timestamp", "-2")])?;
        Ok(Some((first, self.offsets("offsets", topic, &[("timestamp", "-1")])?)))
    }

    fn delete_records(&self, topic: Topic<'_>, before: &Offsets) -> Result<Option<Offsets>> {
        self.offsets("delete", topic, &[("before", &show_offsets(before))]).map(Some)
    }
}

struct ProgramMember {
    conversation: Conversation,
    folder: TempDir,
    owned: Vec<i32>,
    committed: Offsets,
}

impl Member for ProgramMember {
    fn listen(&mut self, wait: Duration) -> Result<()> {
        let mut wait = wait;
        while let Some(line) = self.conversation.hear(wait)? {
            wait = Duration::ZERO;
            if line == "revoked" {
                self.owned.clear();
            } else if let Some(numbers) = line.strip_prefix("assigned") {
                let numbers = numbers.trim().split(',').filter(|number| !number.is_empty());
                self.owned =
                    numbers.map(str::parse).collect::<Result<_, _>>().with_context(|| line.clone())?;
            } else if let Some(offsets) = line.strip_prefix("committed ") {
                self.committed.extend(parse_offsets(offsets).with_context(|| line.clone())?);
            }
        }
        Ok(())
    }

    fn owned(&self) -> &[i32] {
        &self.owned
    }

    fn committed(&self) -> Option<&Offsets> {
        Some(&self.committed)
    }

    fn read(&self) -> Result<Vec<ReadRecord>> {
        read_records(&self.folder.path().join("output"))
    }

    fn leave(self: Box<Self>) -> Result<Vec<ReadRecord>> {
        let Self { mut conversation, folder, .. } = *self;
        conversation.say("stop")?;
        conversation.wait_for_end(LIMIT)?;
        read_records(&folder.path().join("output"))
    }

    fn said(&self) -> String {
        self.conversation.heard()
    }
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().context("temporary folders have plain names")
}

fn show_offsets(offsets: &Offsets) -> String {
    offsets.iter().map(|(partition, offset)| format!("{partition}:{offset}")).collect::<Vec<_>>().join(",")
}

fn parse_offsets(text: &str) -> Option<Offsets> {
    let pair = |pair: &str| {
        let (partition, offset) = pair.split_once(':')?;
        Some((partition.parse().ok()?, offset.parse().ok()?))
    };
    text.split(',').map(pair).collect()
}

fn line_of(record: &SentRecord) -> String {
    let headers: Vec<String> =
        record.headers.iter().map(|(name, value)| format!("{name}={}", hex(value))).collect();
    let (key, value) = (optional_hex(record.key.as_ref()), optional_hex(record.value.as_ref()));
    format!("{}\t{key}\t{value}\t{}\n", record.timestamp, headers.join(","))
}

fn read_records(path: &Path) -> Result<Vec<ReadRecord>> {
    let text = fs::read_to_string(path).unwrap_or_default();
    // The last line may still be on its way.
    let complete = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
    complete.lines().map(|line| parse_line(line).with_context(|| format!("not a record: {line:?}"))).collect()
}

fn parse_line(line: &str) -> Option<ReadRecord> {
    let fields: Vec<&str> = line.split('\t').collect();
    let [partition, offset, timestamp, key, value, headers] = fields.as_slice() else { return None };
    let header = |pair: &str| {
        let (name, value) = pair.split_once('=')?;
        Some((name.to_owned(), unhex(value)?))
    };
    let headers = headers.split(',').filter(|pair| !pair.is_empty()).map(header).collect::<Option<_>>()?;
    let bytes = |text: &str| if text == "-" { Some(None) } else { unhex(text).map(Some) };
    let record =
        SentRecord { timestamp: timestamp.parse().ok()?, key: bytes(key)?, value: bytes(value)?, headers };
    Some(ReadRecord { partition: partition.parse().ok()?, offset: offset.parse().ok()?, record })
}

fn optional_hex(bytes: Option<&Vec<u8>>) -> String {
    bytes.map_or_else(|| "-".to_owned(), |bytes| hex(bytes))
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| char::from(DIGITS[usize::from(value)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| Some(digit(*pair.first()?)? << 4 | digit(*pair.get(1)?)?)).collect()
}
