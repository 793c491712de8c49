//! kcat: no program of ours, only its command line. What it has no call for is left out of the scenario.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use testkit::bounded::{self, Conversation};

use crate::client::{Client, Member, Offsets, Produced, ReadRecord, Topic};
use crate::dataset::{FIXED_HEADERS, Richness, SentRecord};

const LIMIT: Duration = Duration::from_secs(120);
/// One line for a record, fields behind lengths or tabs; the dataset of lines has no tab.
const FORMAT: &str = "%p\t%o\t%T\t%k\t%h\t%s\n";
const KEY_END: &str = "\t";

/// The tool itself, from the distribution.
pub struct Kcat;

fn kcat(topic: Topic<'_>, mode: &str) -> Command {
    let mut command = Command::new("kcat");
    command.args(["-b", topic.bootstrap, mode]);
    command
}

impl Client for Kcat {
    fn name(&self) -> String {
        "kcat".to_owned()
    }

    fn richness(&self) -> Richness {
        Richness::Lines
    }

    /// The broker creates the topic when kcat first asks for it.
    fn create(&self, _: Topic<'_>) -> Result<Option<()>> {
        Ok(None)
    }

    fn produce(&self, topic: Topic<'_>, codec: &str, records: &[SentRecord]) -> Result<Produced> {
        let mut command = kcat(topic, "-P");
        command.args(["-t", topic.name, "-K", KEY_END, "-z", codec, "-X", "enable.idempotence=true"]);
        command.args(["-X", "queue.buffering.max.messages=1000000"]);
        for (name, value) in FIXED_HEADERS {
            command.arg("-H").arg(format!("{name}={value}"));
        }
        let mut input = Vec::new();
        for record in records {
            input.extend(record.key.as_deref().unwrap_or_default());
            input.extend(KEY_END.as_bytes());
            input.extend(record.value.as_deref().unwrap_or_default());
            input.push(b'\n');
        }
        bounded::output(&mut command, &input, LIMIT)?;
        Ok(Produced::Somewhere)
    }

    fn consume(&self, topic: Topic<'_>, _: &Offsets) -> Result<Vec<ReadRecord>> {
        let mut command = kcat(topic, "-C");
        command.args(["-t", topic.name, "-o", "beginning", "-e", "-q", "-f", FORMAT]);
        let output = String::from_utf8(bounded::output(&mut command, b"", LIMIT)?)?;
        output.lines().map(parse).collect()
    }

    fn join(&self, topic: Topic<'_>, group: &str) -> Result<Box<dyn Member>> {
        let mut command = kcat(topic, "-G");
        command.arg(group).args(["-f", FORMAT, "-u", "-X", "auto.offset.reset=earliest", topic.name]);
        let conversation = Conversation::start("kcat", &mut command)?;
        Ok(Box::new(KcatMember {
            conversation,
            topic: topic.name.to_owned(),
            owned: Vec::new(),
            read: Vec::new(),
        }))
    }

    fn committed(&self, _: Topic<'_>, _: &str) -> Result<Option<Offsets>> {
        Ok(None)
    }

    fn offsets_for_time(&self, topic: Topic<'_>, timestamp: i64) -> Result<Option<Offsets>> {
        self.query(topic, timestamp).map(Some)
    }

    fn first_and_next(&self, topic: Topic<'_>) -> Result<Option<(Offsets, Offsets)>> {
        Ok(Some((self.query(topic, -2)?, self.query(topic, -1)?)))
    }

    fn delete_records(&self, _: Topic<'_>, _: &Offsets) -> Result<Option<Offsets>> {
        Ok(None)
    }
}

impl Kcat {
    fn query(&self, topic: Topic<'_>, timestamp: i64) -> Result<Offsets> {
        let mut command = kcat(topic, "-Q");
        for partition in 0..topic.partitions {
            command.arg("-t").arg(format!("{}:{partition}:{timestamp}", topic.name));
        }
        let output = String::from_utf8(bounded::output(&mut command, b"", LIMIT)?)?;
        let line = |line: &str| {
            let (place, offset) = line.split_once("] offset ")?;
            let (_, partition) = place.rsplit_once(" [")?;
            Some((partition.parse().ok()?, offset.trim().parse().ok()?))
        };
        output.lines().map(|text| line(text).with_context(|| text.to_owned())).collect()
    }
}

struct KcatMember {
    conversation: Conversation,
    topic: String,
    owned: Vec<i32>,
    read: Vec<ReadRecord>,
}

impl KcatMember {
    fn take(&mut self, line: &str) -> Result<()> {
        let Some(notice) = line.strip_prefix("stderr: ") else {
            self.read.push(parse(line)?);
            return Ok(());
        };
        if notice.contains("revoked:") {
            self.owned.clear();
        } else if let Some((_, partitions)) = notice.split_once("assigned: ") {
            let numbers = partitions.split(", ").filter_map(|place| place.strip_prefix(self.topic.as_str()));
            let numbers = numbers.map(|number| number.trim_matches([' ', '[', ']']));
            self.owned =
                numbers.map(str::parse).collect::<Result<_, _>>().with_context(|| notice.to_owned())?;
        }
        Ok(())
    }
}

impl Member for KcatMember {
    fn listen(&mut self, wait: Duration) -> Result<()> {
        let mut wait = wait;
        while let Some(line) = self.conversation.hear(wait)? {
            wait = Duration::ZERO;
            self.take(&line)?;
        }
        Ok(())
    }

    fn owned(&self) -> &[i32] {
        &self.owned
    }

    fn committed(&self) -> Option<&Offsets> {
        None
    }

    fn read(&self) -> Result<Vec<ReadRecord>> {
        Ok(self.read.clone())
    }

    fn leave(mut self: Box<Self>) -> Result<Vec<ReadRecord>> {
        self.listen(Duration::ZERO)?;
        let known = self.conversation.heard_count();
        self.conversation.terminate()?;
        let Self { conversation, mut read, .. } = *self;
        for line in conversation.wait_for_end(LIMIT)?.iter().skip(known) {
            if !line.starts_with("stderr: ") {
                read.push(parse(line)?);
            }
        }
        Ok(read)
    }

    fn said(&self) -> String {
        self.conversation.heard()
    }
}

fn parse(line: &str) -> Result<ReadRecord> {
    let fields: Vec<&str> = line.splitn(6, '\t').collect();
    let [partition, offset, timestamp, key, headers, value] = fields.as_slice() else {
        bail!("not a record: {line:?}")
    };
    let headers = headers.split(',').map(|pair| {
        let (name, value) = pair.split_once('=').with_context(|| line.to_owned())?;
        Ok((name.to_owned(), value.as_bytes().to_vec()))
    });
    let headers = headers.collect::<Result<Vec<_>>>()?;
    ensure!(!key.is_empty(), "no key: {line:?}");
    let record = SentRecord {
        timestamp: timestamp.parse()?,
        key: Some(key.as_bytes().to_vec()),
        value: Some(value.as_bytes().to_vec()),
        headers,
    };
    Ok(ReadRecord { partition: partition.parse()?, offset: offset.parse()?, record })
}
