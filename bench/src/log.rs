//! The log: busy partitions, compaction, retention, cold reads, growth and restarts, beside Apache Kafka in one run.

mod cleaning;
mod cold_reads;
mod filling;
mod growth;
mod restarts;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;

use crate::connection::Connection;
use crate::load::Outcome;
use crate::open_loop::{self, OpenLoop};
use crate::report::{Contestant, Table};
use crate::server::{Kind, Server};

const SERVER_CORE: usize = 0;
/// Upkeep is done often, so that there is some while it is measured.
const SETTINGS: &[(&str, &str)] = &[
    ("log.cleaner.backoff.ms", "200"),
    ("log.retention.check.interval.ms", "500"),
    ("log.initial.task.delay.ms", "500"),
    ("log.segment.delete.delay.ms", "1000"),
    // The generator's records are years old.
    ("log.retention.ms", "-1"),
];
/// Partitions that are written to at a time.
const BUSY: [i32; 4] = [1, 10, 100, 1_000];
/// Produces a second over all of them.
const BUSY_RATE: u64 = 1_000;
/// Bytes a second of the producer whose latency is watched while something else is done.
const WATCHED_RATE: u64 = 2_000_000;

/// What `bench log` takes.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Our binary, a release build.
    #[arg(long)]
    klamm: PathBuf,
    /// Folder with Apache Kafka's jars.
    #[arg(long)]
    kafka_jars: PathBuf,
    /// How often each server takes its turn.
    #[arg(long, default_value_t = 1)]
    rounds: usize,
    /// Seconds of each load.
    #[arg(long, default_value_t = 4.0)]
    seconds: f64,
    /// Seconds of load before anything is measured: Kafka's virtual machine compiles what runs often.
    #[arg(long, default_value_t = 5.0)]
    warm_up: f64,
    /// Only these: busy, compaction, retention, cold, growth, restart.
    #[arg(long)]
    only: Option<String>,
    /// MiB that are compacted, deleted, read cold and found at a restart.
    #[arg(long, default_value_t = 1_024)]
    mib: usize,
    /// Partitions that a restart finds.
    #[arg(long, default_value_t = 1_000)]
    partitions: i32,
    /// Leaves Apache Kafka out.
    #[arg(long)]
    without_kafka: bool,
}

/// One server's turn.
pub(crate) struct Turn<'a> {
    pub server: Server,
    pub options: &'a Options,
    /// Takes a row's name, its unit and its value.
    pub record: &'a mut dyn FnMut(&str, &'static str, f64),
}

/// Runs all rounds and prints the table.
pub fn compare(options: &Options) -> Result<()> {
    let binary = options.klamm.canonicalize().context("--klamm")?;
    let klamm = |overrides| Kind::Klamm { binary: binary.clone(), overrides };
    let mut contestants = vec![
        (Contestant::Klamm, klamm(Vec::new())),
        (Contestant::PageCache, klamm(vec!["klamm.durability=page-cache".to_string()])),
    ];
    if !options.without_kafka {
        let jars = options.kafka_jars.canonicalize().context("--kafka-jars")?;
        contestants.push((Contestant::Kafka, Kind::Kafka { jars }));
    }
    let mut table = Table::new(|_| &[]);
    for round in 1..=options.rounds {
        for (contestant, kind) in &contestants {
            let record = &mut |name: &str, unit, value| {
                eprintln!("round {round}, {contestant:?}: {name}: {value:.2} {unit}");
                table.add(*contestant, name, unit, value);
            };
            let start = || Server::start_with(kind, Some(SERVER_CORE), SETTINGS);
            take(&mut Turn { server: start()?, options, record })?;
            // On a server that has nothing but what it is to find.
            if options.wants("restart") {
                restarts::measure(&mut Turn { server: start()?, options, record })?;
            }
        }
    }
    println!("{table}");
    Ok(())
}

fn take(turn: &mut Turn<'_>) -> Result<()> {
    let options = turn.options;
    if options.only.as_ref().is_some_and(|only| only == "restart") {
        return Ok(());
    }
    turn.create("warm", 1, &[])?;
    turn.open_loop("warm", -1, BUSY_RATE * 1_000, 1, options.warm_up)?;
    if options.wants("busy") {
        busy(turn)?;
    }
    if options.wants("compaction") {
        cleaning::compaction(turn)?;
    }
    if options.wants("retention") {
        cleaning::retention(turn)?;
    }
    if options.wants("cold") {
        cold_reads::measure(turn)?;
    }
    if options.wants("growth") {
        growth::measure(turn)?;
    }
    Ok(())
}

/// Rows: latency of synced produces at one rate, over ever more partitions.
fn busy(turn: &mut Turn<'_>) -> Result<()> {
    let mut first = None;
    for partitions in BUSY {
        let topic = format!("busy-{partitions}");
        turn.create(&topic, partitions, &[])?;
        // Each partition has its files before anything is measured.
        turn.open_loop(&topic, -1, BUSY_RATE * 1_000, partitions, 1.0 + f64::from(partitions) / 500.0)?;
        let outcome = turn.open_loop(&topic, -1, BUSY_RATE * 1_000, partitions, turn.options.seconds)?;
        let what = format!("1,000 produces/s with acks=all over {partitions} partitions");
        (turn.record)(&format!("{what}, p50"), "µs", outcome.p50_us as f64);
        (turn.record)(&format!("{what}, p99"), "µs", outcome.p99_us as f64);
        let first = *first.get_or_insert(outcome.p99_us.max(1) as f64);
        if partitions > 1 {
            (turn.record)(&format!("{what}, p99 ÷ of one"), "", outcome.p99_us as f64 / first);
        }
    }
    Ok(())
}

impl Options {
    fn wants(&self, family: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only.contains(family))
    }
}

impl Turn<'_> {
    pub fn connect(&self) -> Result<Connection> {
        Connection::open(&self.server.address)
    }

    /// Produces of one record of about 900 bytes on schedule, to the partitions of `topic` in turn.
    pub fn open_loop(
        &self,
        topic: &str,
        acks: i16,
        bytes_per_second: u64,
        partitions: i32,
        seconds: f64,
    ) -> Result<Outcome> {
        open_loop::produce(&OpenLoop {
            address: &self.server.address,
            topic,
            acks,
            batch_bytes: 1_000,
            record_bytes: 900,
            bytes_per_second,
            partitions,
            end_to_end: false,
            consumers: 0,
            duration: Duration::from_secs_f64(seconds),
        })
    }

    /// Rows: p99 of a producer with acks=1 before and while something is done, which `begin` sets going.
    pub fn disturb(&mut self, what: &str, begin: impl FnOnce(&Self) -> Result<()>) -> Result<()> {
        self.create("watched", 1, &[])?;
        let seconds = self.options.seconds;
        self.open_loop("watched", 1, WATCHED_RATE, 1, 1.0)?;
        let before = self.open_loop("watched", 1, WATCHED_RATE, 1, seconds)?;
        begin(self)?;
        let during = self.open_loop("watched", 1, WATCHED_RATE, 1, seconds)?;
        (self.record)(&format!("produce p99 before {what}"), "µs", before.p99_us as f64);
        (self.record)(&format!("produce p99 during {what}"), "µs", during.p99_us as f64);
        let quotient = during.p99_us as f64 / before.p99_us.max(1) as f64;
        (self.record)(&format!("produce p99 during {what} ÷ before"), "", quotient);
        Ok(())
    }
}
