//! The scenario: produce in every codec, a group of two, kill -9, resume, offsets by time, delete records.

use std::collections::BTreeSet;
use std::env;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use testkit::prepared;
use testkit::server_process::{Product, ServerProcess};

use crate::client::{Client, Member, Offsets, ReadRecord, Topic};
use crate::dataset::{self, Richness, SentRecord};
use crate::verify::Expected;

const PARTITIONS: i32 = 6;
const CODECS: [&str; 5] = ["none", "gzip", "snappy", "lz4", "zstd"];
/// Records in each codec's topic.
const RECORDS: u64 = 100_000;
/// For a group to come to rest, rebalances and reconnections included.
const PATIENCE: Duration = Duration::from_secs(120);
const GROUP: &str = "readers";

/// One codec's topic and what must lie in it.
struct CodecTopic {
    codec: &'static str,
    name: String,
    sent: Vec<SentRecord>,
    expected: Expected,
}

/// Runs the whole scenario on a fresh server, if `steps` of the set-up are there.
pub fn run(steps: &[&str], client: &dyn Client) -> Result<()> {
    let product = Product::under_test();
    let mut steps = steps.to_vec();
    if product == Product::Kafka {
        steps.push("kafka-server");
    }
    if !prepared::is_ready(&steps) {
        return Ok(());
    }
    let count = records_per_codec()?;
    let mut server = ServerProcess::start(product, &[("num.partitions", "6")])?;
    let outcome = Run { client, count, start_ms: dataset::recent_start_ms(count) }.scenario(&mut server);
    outcome.map_err(|error| anyhow!("{}: {error:#}\n--- the server said\n{}", client.name(), server.log()))
}

/// `KLAMM_TEST_RECORDS` makes a run shorter while a test is being written.
fn records_per_codec() -> Result<u64> {
    match env::var("KLAMM_TEST_RECORDS") {
        Ok(count) => count.parse().context("KLAMM_TEST_RECORDS"),
        Err(_) => Ok(RECORDS),
    }
}

struct Run<'a> {
    client: &'a dyn Client,
    count: u64,
    start_ms: i64,
}

impl Run<'_> {
    fn scenario(&self, server: &mut ServerProcess) -> Result<()> {
        let bootstrap = server.bootstrap();
        let mut topics = Vec::new();
        for codec in CODECS {
            let name = format!("scenario-{codec}");
            let mut topic = CodecTopic { codec, name, sent: Vec::new(), expected: Expected::default() };
            self.client.create(at(&bootstrap, &topic.name))?;
            self.produce_half(&bootstrap, &mut topic).with_context(|| format!("{codec}, first half"))?;
            topics.push(topic);
        }
        let mut group = Group { run: self, bootstrap: &bootstrap, members: Vec::new(), read: Vec::new() };
        group.read_first_half(&topics[0]).context("the group, first half")?;
        server.kill()?;
        server.launch().context("after kill -9")?;
        for topic in &mut topics {
            self.produce_half(&bootstrap, topic).with_context(|| format!("{}, second half", topic.codec))?;
        }
        group.read_second_half(&mut topics[0]).context("the group, second half")?;
        for topic in &mut topics {
            self.check_topic(&bootstrap, topic).with_context(|| topic.codec)?;
        }
        self.check_offsets(&bootstrap, &topics[1])?;
        self.delete_records(&bootstrap, &topics[2])
    }

    fn produce_half(&self, bootstrap: &str, topic: &mut CodecTopic) -> Result<()> {
        let seed = topic.name.bytes().map(u64::from).sum();
        let first = topic.sent.len() as u64;
        let records = dataset::records(seed, self.client.richness(), self.start_ms, first, self.count / 2);
        let produced = self.client.produce(at(bootstrap, &topic.name), topic.codec, &records)?;
        topic.sent.extend(records.iter().cloned());
        topic.expected.add(records, &produced)
    }

    /// Everything is there once, in order, byte for byte.
    fn check_topic(&self, bootstrap: &str, topic: &mut CodecTopic) -> Result<()> {
        let place = at(bootstrap, &topic.name);
        let ends = match self.client.first_and_next(place)? {
            Some((_, next)) => next,
            None => topic.expected.ends(),
        };
        let total: i64 = ends.values().sum();
        let read = self.client.consume(place, &ends)?;
        topic.expected.settle(&read)?;
        ensure!(
            total == 0 || topic.expected.ends().values().sum::<i64>() == total,
            "the end offsets are {ends:?}"
        );
        topic.expected.check_complete(&by_partition(read), &Offsets::new(), self.client.richness())?;
        topic.expected.check_key_order(&topic.sent)?;
        ensure!(topic.expected.ends().len() == PARTITIONS as usize, "keys in every partition");
        Ok(())
    }

    fn check_offsets(&self, bootstrap: &str, topic: &CodecTopic) -> Result<()> {
        if self.client.richness() != Richness::Everything {
            return Ok(());
        }
        let middle = topic.sent[topic.sent.len() / 2].timestamp;
        let last = topic.sent.last().context("records")?.timestamp;
        for timestamp in [0, middle, middle + 1, last, last + 1] {
            let Some(found) = self.client.offsets_for_time(at(bootstrap, &topic.name), timestamp)? else {
                return Ok(());
            };
            let expected: Offsets = (0..PARTITIONS)
                .map(|partition| (partition, topic.expected.offset_for_time(partition, timestamp)))
                .collect();
            ensure!(found == expected, "offsets for time {timestamp}: {found:?}, expected {expected:?}");
        }
        Ok(())
    }

    fn delete_records(&self, bootstrap: &str, topic: &CodecTopic) -> Result<()> {
        let place = at(bootstrap, &topic.name);
        let ends = topic.expected.ends();
        let starts: Offsets =
            ends.iter().map(|(partition, end)| (*partition, end / 3 + i64::from(*partition))).collect();
        let Some(low) = self.client.delete_records(place, &starts)? else { return Ok(()) };
        ensure!(low == starts, "deleted up to {low:?}, asked for {starts:?}");
        if let Some((first, next)) = self.client.first_and_next(place)? {
            ensure!(first == starts && next == ends, "after deleting: {first:?} to {next:?}");
        }
        let read = self.client.consume(place, &ends)?;
        topic.expected.check_complete(&by_partition(read), &starts, self.client.richness())
    }
}

/// Two members that read one topic.
struct Group<'a> {
    run: &'a Run<'a>,
    bootstrap: &'a str,
    members: Vec<Box<dyn Member>>,
    read: Vec<ReadRecord>,
}

impl Group<'_> {
    /// One member begins, another joins: both have half of the partitions, and together they read everything.
    fn read_first_half(&mut self, topic: &CodecTopic) -> Result<()> {
        self.join(topic)?;
        self.wait("the first member owns everything", |members| owned(members) == [PARTITIONS as usize])?;
        self.join(topic)?;
        self.wait("both own half", |members| {
            let distinct: BTreeSet<i32> = members.iter().flat_map(|member| member.owned().to_vec()).collect();
            owned(members) == [3, 3] && distinct.len() == PARTITIONS as usize
        })?;
        self.wait_until_read(topic, self.run.count / 2)?;
        if self.members.iter().any(|member| member.committed().is_none()) {
            // What it has read is committed for certain only when it has left.
            self.leave()?;
        }
        Ok(())
    }

    /// After the kill nothing that was committed comes again, and everything new comes.
    fn read_second_half(&mut self, topic: &mut CodecTopic) -> Result<()> {
        let client = self.run.client;
        let place = at(self.bootstrap, &topic.name);
        let first_half: usize =
            self.members.iter().map(|member| member.read().map(|read| read.len())).sum::<Result<usize>>()?;
        let mut before = self.read.clone();
        for member in &self.members {
            before.extend(member.read()?);
        }
        if self.members.is_empty() {
            self.join(topic)?;
            self.join(topic)?;
        }
        self.wait_until_read(topic, self.run.count)?;
        self.leave()?;
        let places = |records: &[ReadRecord]| {
            records.iter().map(|read| (read.partition, read.offset)).collect::<Vec<_>>()
        };
        let all = places(&self.read);
        let distinct: BTreeSet<_> = all.iter().copied().collect();
        let earlier: BTreeSet<_> = places(&before).into_iter().collect();
        let twice_before = before.len() - earlier.len();
        let twice = all.len() - distinct.len();
        ensure!(
            twice == twice_before,
            "{twice} records read twice, {twice_before} of them before the kill ({first_half} read)"
        );
        topic.expected.settle(&self.read)?;
        topic.expected.check_bytes(&self.read, client.richness())?;
        ensure!(distinct.len() as u64 == self.run.count, "{} distinct records read", distinct.len());
        if let Some(committed) = client.committed(place, GROUP)? {
            ensure!(
                committed == topic.expected.ends(),
                "committed {committed:?}, the ends are {:?}",
                topic.expected.ends()
            );
        }
        Ok(())
    }

    fn join(&mut self, topic: &CodecTopic) -> Result<()> {
        self.members.push(self.run.client.join(at(self.bootstrap, &topic.name), GROUP)?);
        Ok(())
    }

    fn leave(&mut self) -> Result<()> {
        for member in self.members.drain(..) {
            self.read.extend(member.leave()?);
        }
        Ok(())
    }

    /// Until this many distinct records have come, and the members that tell have committed them.
    fn wait_until_read(&mut self, topic: &CodecTopic, count: u64) -> Result<()> {
        let earlier = self.read.clone();
        let ends = topic.expected.ends();
        let what = format!("{count} records");
        self.wait(&what, |members| {
            let mut committed = Offsets::new();
            for (partition, offset) in members.iter().filter_map(|member| member.committed()).flatten() {
                let known = committed.entry(*partition).or_insert(0);
                *known = (*known).max(*offset);
            }
            if members.iter().all(|member| member.committed().is_some()) {
                return committed == ends;
            }
            let mut places: BTreeSet<_> = earlier.iter().map(|read| (read.partition, read.offset)).collect();
            for read in members.iter().filter_map(|member| member.read().ok()) {
                places.extend(read.iter().map(|read| (read.partition, read.offset)));
            }
            places.len() as u64 == count
        })
    }

    fn wait(&mut self, what: &str, is_there: impl Fn(&[Box<dyn Member>]) -> bool) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !is_there(&self.members) {
            for member in &mut self.members {
                member.listen(Duration::from_millis(50)).with_context(|| what.to_owned())?;
            }
            let said = || self.members.iter().map(|member| member.said()).collect::<Vec<_>>().join("\n");
            ensure!(Instant::now() < deadline, "waited in vain for: {what}\n{}", said());
        }
        Ok(())
    }
}

fn owned(members: &[Box<dyn Member>]) -> Vec<usize> {
    members.iter().map(|member| member.owned().len()).collect()
}

fn at<'a>(bootstrap: &'a str, name: &'a str) -> Topic<'a> {
    Topic { bootstrap, name, partitions: PARTITIONS }
}

/// The order between partitions is the client's affair.
fn by_partition(mut read: Vec<ReadRecord>) -> Vec<ReadRecord> {
    read.sort_by_key(|read| read.partition);
    read
}
