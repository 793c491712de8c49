//! The workloads, and the rounds in which both servers take them in turn.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::connection::Connection;
use crate::load::Outcome;
use crate::report::{Contestant, Figure, Table};
use crate::server::{Kind, Server, pinned};
use crate::workloads::{Measure, WORKLOADS, Workload, goals};
use crate::{backed_memory, idle, plots};

const SERVER_CORE: usize = 0;
const LOAD_CORE: usize = 1;
const GIGABYTE: f64 = 1e9;
/// No server here takes more.
const BYTES_PER_SECOND_MAX: f64 = 0.6e9;
/// A program without a virtual machine is warm after this part of the time.
const NATIVE_NEEDS_ONE_IN: f64 = 5.0;

/// What `bench compare` takes.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Our binary, a release build.
    #[arg(long)]
    klamm: PathBuf,
    /// Folder with Apache Kafka's jars.
    #[arg(long)]
    kafka_jars: PathBuf,
    /// How often each server takes its turn.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Seconds of each load.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Seconds of load before anything is measured: Kafka's virtual machine compiles what runs often.
    #[arg(long, default_value_t = 20.0)]
    warm_up: f64,
    /// Only rows whose name contains this.
    #[arg(long)]
    only: Option<String>,
    /// Server and load generator may use all cores, instead of one each.
    #[arg(long)]
    free: bool,
    /// Without Apache Kafka, for figures that are held against the floor only.
    #[arg(long)]
    without_kafka: bool,
    /// Folder for plots of the rows.
    #[arg(long)]
    plots: Option<PathBuf>,
}

impl Options {
    fn takes(&self, workload: &Workload) -> bool {
        self.only.as_ref().is_none_or(|only| workload.name.contains(only.as_str()))
    }

    fn server_core(&self) -> Option<usize> {
        (!self.free).then_some(SERVER_CORE)
    }

    fn load_core(&self) -> Option<usize> {
        (!self.free).then_some(LOAD_CORE)
    }
}

/// What the topic that is fetched is filled with.
const FILL: &[&str] = &["produce", "--batch-bytes", "65536"];
const FILL_SECONDS: f64 = 1.0;

/// The topic that is fetched.
const FETCHED: &str = "fetched";

/// The records' timestamps are years old: time must not take what is still to be fetched.
const KEPT: &[(&str, &str)] = &[("retention.ms", "-1")];

/// Every kind of request that is measured, as often as the time allows.
const WARM_UP: &[&[&str]] = &[
    &["produce", "--batch-bytes", "16384", "--acks=-1"],
    &["produce", "--batch-bytes", "1", "--record-bytes", "100", "--depth", "1", "--connections", "16"],
    &["fetch"],
    &["produce", "--batch-bytes", "65536"],
];

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
    let mut table = Table::new(goals);
    for round in 1..=options.rounds {
        eprintln!("round {round} of {}", options.rounds);
        for (contestant, kind) in &contestants {
            turn(kind, options, &mut |name, unit, value| table.add(*contestant, name, unit, value))?;
        }
        for (contestant, appends) in [(Contestant::Floor, false), (Contestant::AppendingFloor, true)] {
            floor_turn(appends, options, &mut |name, unit, value| table.add(contestant, name, unit, value))?;
        }
    }
    println!("{table}");
    options.plots.as_ref().map_or(Ok(()), |folder| plots::write(folder, &table))
}

fn is_fetch(arguments: &[&str]) -> bool {
    arguments.first() == Some(&"fetch")
}

/// One server's turn: start, warm up, every workload, memory.
fn turn(kind: &Kind, options: &Options, record: &mut dyn FnMut(&str, &'static str, f64)) -> Result<()> {
    let server = Server::start(kind, options.server_core())?;
    record("start to first acknowledged produce", "ms", server.start_seconds * 1e3);
    record("resident memory after the start", "MiB", server.resident_mib()?);
    let mut connection = Connection::open(&server.address)?;
    connection.create_topic("warm", 1, KEPT)?;
    connection.create_topic(FETCHED, 1, KEPT)?;
    let warm_up = match kind {
        Kind::Klamm { .. } => options.warm_up / NATIVE_NEEDS_ONE_IN,
        Kind::Kafka { .. } => options.warm_up,
    };
    let part = warm_up / WARM_UP.len() as f64;
    for arguments in WARM_UP {
        let topic = if is_fetch(arguments) { FETCHED } else { "warm" };
        load(&server, topic, arguments, part, options)?;
        if topic == "warm" {
            load(&server, FETCHED, FILL, FILL_SECONDS, options)?;
        }
    }
    for (index, workload) in WORKLOADS.iter().enumerate() {
        if !options.takes(workload) {
            continue;
        }
        let topic = if is_fetch(workload.arguments) { FETCHED.to_string() } else { format!("load-{index}") };
        connection.create_topic(&topic, workload.partitions, KEPT)?;
        let (outcome, cpu) = load(&server, &topic, workload.arguments, options.seconds, options)?;
        for Figure { name, unit, value } in figures(workload, &outcome, cpu) {
            record(&name, unit, value);
        }
    }
    record("resident memory after all loads", "MiB", server.resident_mib()?);
    if options.only.is_none() {
        idle::measure(&server, record)?;
    }
    Ok(())
}

/// The floor program's turn, as far as it knows the workloads: a process for each.
fn floor_turn(
    appends: bool,
    options: &Options,
    record: &mut dyn FnMut(&str, &'static str, f64),
) -> Result<()> {
    for workload in WORKLOADS.iter().filter(|workload| workload.has_floor && options.takes(workload)) {
        let size = workload.arguments.windows(2).find(|pair| pair[0] == "--batch-bytes").map(|pair| pair[1]);
        let server = Server::floor(appends, size.unwrap_or("65536"), options.server_core())?;
        load(&server, "floor", workload.arguments, options.seconds / NATIVE_NEEDS_ONE_IN, options)?;
        let (outcome, cpu) = load(&server, "floor", workload.arguments, options.seconds, options)?;
        for Figure { name, unit, value } in figures(workload, &outcome, cpu) {
            record(&name, unit, value);
        }
    }
    Ok(())
}

fn figures(workload: &Workload, outcome: &Outcome, cpu: f64) -> Vec<Figure> {
    let figure =
        |suffix: &str, unit, value| Figure { name: format!("{}{suffix}", workload.name), unit, value };
    let per_gigabyte = cpu / (outcome.bytes as f64 / GIGABYTE);
    match workload.measure {
        Measure::CpuPerGigabyte => vec![figure("", "CPU s/GB", per_gigabyte)],
        Measure::CpuPerRecord => vec![
            figure("", "CPU s/GB", per_gigabyte),
            figure(", a thousand records", "CPU µs", cpu * 1e9 / outcome.records as f64),
        ],
        Measure::CpuPerRequest => vec![figure("", "CPU µs/request", cpu * 1e6 / outcome.requests as f64)],
        Measure::CpuPerTopic => vec![figure("", "CPU µs/topic", cpu * 1e6 / outcome.records as f64)],
        Measure::Latency => vec![
            figure(", p50", "µs", outcome.p50_us as f64),
            figure(", p99", "µs", outcome.p99_us as f64),
            figure(", p99.9", "µs", outcome.p999_us as f64),
            figure("", "CPU s/GB", per_gigabyte),
        ],
    }
}

/// Runs the generator on the other core; its outcome, and the CPU seconds that the server used meanwhile.
fn load(
    server: &Server,
    topic: &str,
    arguments: &[&str],
    seconds: f64,
    options: &Options,
) -> Result<(Outcome, f64)> {
    if !is_fetch(arguments) {
        backed_memory::back((seconds * BYTES_PER_SECOND_MAX) as u64)?;
    }
    // What earlier loads have left to the page cache is written back now, not on this one's account.
    rustix::fs::sync();
    let before = server.cpu_seconds()?;
    let mut command: Command = pinned(&std::env::current_exe()?, options.load_core());
    command.arg("load").args(arguments);
    command.args(["--address", &server.address, "--topic", topic, "--seconds", &seconds.to_string()]);
    let output = command.output().context("the load generator")?;
    ensure!(output.status.success(), "load {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    let outcome = serde_json::from_slice(&output.stdout).context("the load generator's outcome")?;
    Ok((outcome, server.cpu_seconds()? - before))
}
