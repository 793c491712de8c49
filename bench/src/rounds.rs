//! The workloads, and the rounds in which both servers take them in turn.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::connection::Connection;
use crate::load::Outcome;
use crate::report::{Contestant, Figure, Table};
use crate::server::{Kind, Server, pinned};

const SERVER_CORE: usize = 0;
const LOAD_CORE: usize = 1;
const GIGABYTE: f64 = 1e9;
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
}

/// One load, and the figure that counts.
struct Workload {
    name: &'static str,
    arguments: &'static [&'static str],
    measure: Measure,
}

#[derive(Clone, Copy)]
enum Measure {
    /// CPU seconds of the server per GB.
    CpuPerGigabyte,
    /// CPU microseconds of the server per request.
    CpuPerRequest,
    /// The three percentiles.
    Latency,
}

const WORKLOADS: &[Workload] = &[
    Workload {
        name: "produce 64 KiB batches, acks=1",
        arguments: &["produce", "--batch-bytes", "65536"],
        measure: Measure::CpuPerGigabyte,
    },
    Workload {
        name: "produce 16 KiB batches, acks=1",
        arguments: &["produce", "--batch-bytes", "16384"],
        measure: Measure::CpuPerGigabyte,
    },
    Workload {
        name: "fetch 1 MiB",
        arguments: &["fetch", "--batch-bytes", "1048576"],
        measure: Measure::CpuPerGigabyte,
    },
    Workload {
        name: "fetch 64 KiB",
        arguments: &["fetch", "--batch-bytes", "65536"],
        measure: Measure::CpuPerGigabyte,
    },
    Workload {
        name: "one 100-byte record, 1 connection",
        arguments: &["produce", "--batch-bytes", "1", "--record-bytes", "100", "--depth", "1"],
        measure: Measure::CpuPerRequest,
    },
    Workload {
        name: "one 100-byte record, 16 connections",
        arguments: &[
            "produce",
            "--batch-bytes",
            "1",
            "--record-bytes",
            "100",
            "--depth",
            "1",
            "--connections",
            "16",
        ],
        measure: Measure::CpuPerRequest,
    },
    Workload {
        name: "one 100-byte record, 256 connections",
        arguments: &[
            "produce",
            "--batch-bytes",
            "1",
            "--record-bytes",
            "100",
            "--depth",
            "1",
            "--connections",
            "256",
        ],
        measure: Measure::CpuPerRequest,
    },
    Workload {
        name: "20 MB/s open loop, 16 KiB batches, acks=1",
        arguments: &["open-loop", "--batch-bytes", "16384"],
        measure: Measure::Latency,
    },
    Workload {
        name: "20 MB/s open loop, 16 KiB batches, acks=all",
        arguments: &["open-loop", "--batch-bytes", "16384", "--acks=-1"],
        measure: Measure::Latency,
    },
];

/// What the topic that is fetched is filled with.
const FILL: &[&str] = &["produce", "--batch-bytes", "65536"];
const FILL_SECONDS: f64 = 1.0;

/// The topic that is fetched.
const FETCHED: &str = "fetched";

/// The records' timestamps are years old: time must not take what is still to be fetched.
const KEPT: &[(&str, &str)] = &[("retention.ms", "-1")];

/// What each kind of row is to reach: a part of its name, and Klamm's share of Apache Kafka's figure as one in so many.
const GOALS: &[(&str, u32)] = &[
    ("start to", 50),
    ("resident memory", 20),
    ("KiB batches, acks=1, p99", 3),
    ("100-byte record", 3),
    ("produce", 5),
];

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
    let contestants = [
        (Contestant::Klamm, klamm(Vec::new())),
        (Contestant::PageCache, klamm(vec!["klamm.durability=page-cache".to_string()])),
        (Contestant::Kafka, Kind::Kafka { jars: options.kafka_jars.canonicalize().context("--kafka-jars")? }),
    ];
    let mut table = Table::new(goal);
    for round in 1..=options.rounds {
        eprintln!("round {round} of {}", options.rounds);
        for (contestant, kind) in &contestants {
            turn(kind, options, &mut |name, unit, value| table.add(*contestant, name, unit, value))?;
        }
    }
    println!("{table}");
    Ok(())
}

/// The goal of a row, as one in so many.
fn goal(row: &str) -> Option<u32> {
    if row.ends_with("p99.9") {
        return None;
    }
    GOALS.iter().find(|(part, _)| row.contains(part)).map(|(_, one_in)| *one_in)
}

fn is_fetch(arguments: &[&str]) -> bool {
    arguments.first() == Some(&"fetch")
}

/// One server's turn: start, warm up, every workload, memory.
fn turn(kind: &Kind, options: &Options, record: &mut dyn FnMut(&str, &'static str, f64)) -> Result<()> {
    let server = Server::start(kind, SERVER_CORE)?;
    record("start to first acknowledged produce", "ms", server.start_seconds * 1e3);
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
        load(&server, topic, arguments, part)?;
        if topic == "warm" {
            load(&server, FETCHED, FILL, FILL_SECONDS)?;
        }
    }
    for (index, workload) in WORKLOADS.iter().enumerate() {
        if options.only.as_ref().is_some_and(|only| !workload.name.contains(only.as_str())) {
            continue;
        }
        let topic = if is_fetch(workload.arguments) { FETCHED.to_string() } else { format!("load-{index}") };
        connection.create_topic(&topic, 1, KEPT)?;
        let (outcome, cpu) = load(&server, &topic, workload.arguments, options.seconds)?;
        for Figure { name, unit, value } in figures(workload, &outcome, cpu) {
            record(&name, unit, value);
        }
    }
    record("resident memory after all loads", "MiB", server.resident_mib()?);
    Ok(())
}

fn figures(workload: &Workload, outcome: &Outcome, cpu: f64) -> Vec<Figure> {
    let figure =
        |suffix: &str, unit, value| Figure { name: format!("{}{suffix}", workload.name), unit, value };
    match workload.measure {
        Measure::CpuPerGigabyte => vec![figure("", "CPU s/GB", cpu / (outcome.bytes as f64 / GIGABYTE))],
        Measure::CpuPerRequest => vec![figure("", "CPU µs/request", cpu * 1e6 / outcome.requests as f64)],
        Measure::Latency => vec![
            figure(", p50", "µs", outcome.p50_us as f64),
            figure(", p99", "µs", outcome.p99_us as f64),
            figure(", p99.9", "µs", outcome.p999_us as f64),
        ],
    }
}

/// Runs the generator on the other core; its outcome, and the CPU seconds that the server used meanwhile.
fn load(server: &Server, topic: &str, arguments: &[&str], seconds: f64) -> Result<(Outcome, f64)> {
    // What earlier loads have left to the page cache is written back now, not on this one's account.
    rustix::fs::sync();
    let before = server.cpu_seconds()?;
    let mut command: Command = pinned(&std::env::current_exe()?, LOAD_CORE);
    command.arg("load").args(arguments);
    command.args(["--address", &server.address, "--topic", topic, "--seconds", &seconds.to_string()]);
    let output = command.output().context("the load generator")?;
    ensure!(output.status.success(), "load {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    let outcome = serde_json::from_slice(&output.stdout).context("the load generator's outcome")?;
    Ok((outcome, server.cpu_seconds()? - before))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_the_goals_of_their_kind() {
        assert_eq!(goal("start to first acknowledged produce"), Some(50));
        assert_eq!(goal("produce 16 KiB batches, acks=1"), Some(5));
        assert_eq!(goal("one 100-byte record, 16 connections"), Some(3));
        assert_eq!(goal("20 MB/s open loop, 16 KiB batches, acks=1, p99"), Some(3));
        assert_eq!(goal("20 MB/s open loop, 16 KiB batches, acks=1, p99.9"), None);
        assert_eq!(goal("20 MB/s open loop, 16 KiB batches, acks=all, p99"), None);
        assert_eq!(goal("fetch 1 MiB"), None);
    }
}
