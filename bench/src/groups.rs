//! Groups and transactions: rebalances, commits, share groups, loading, memory, beside Apache Kafka in one run.

mod commits;
mod rebalances;
mod share;
mod transactions;

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;

use crate::connection::Connection;
use crate::report::{Contestant, Table};
use crate::server::{Kind, Server};

const SERVER_CORE: usize = 0;
/// Rows that have a goal: a fifth of Apache Kafka's figure.
const FIFTHS: &[&str] = &["consumer members join", "CPU per offset commit", "transaction commit, p50"];

/// What `bench groups` takes.
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
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Seconds of each kind of load before anything is measured: Kafka's virtual machine compiles what runs often.
    #[arg(long, default_value_t = 5.0)]
    warm_up: f64,
    /// Only these: rebalances, commits, transactions, share, load.
    #[arg(long)]
    only: Option<String>,
    /// Sizes of the groups that rebalance.
    #[arg(long, value_delimiter = ',', default_value = "10,100,1000")]
    members: Vec<usize>,
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
    let contestants = [
        (Contestant::Klamm, klamm(Vec::new())),
        (Contestant::PageCache, klamm(vec!["klamm.durability=page-cache".to_string()])),
        (Contestant::Kafka, Kind::Kafka { jars: options.kafka_jars.canonicalize().context("--kafka-jars")? }),
    ];
    let mut table = Table::new(goals);
    for round in 1..=options.rounds {
        for (contestant, kind) in &contestants {
            let record = &mut |name: &str, unit, value| {
                eprintln!("round {round}, {contestant:?}: {name}: {value:.2} {unit}");
                table.add(*contestant, name, unit, value);
            };
            turn(Server::start(kind, Some(SERVER_CORE))?, options, record)?;
        }
    }
    println!("{table}");
    Ok(())
}

fn goals(row: &str) -> &'static [u32] {
    if FIFTHS.iter().any(|part| row.contains(part)) { &[5] } else { &[] }
}

fn turn(server: Server, options: &Options, record: &mut dyn FnMut(&str, &'static str, f64)) -> Result<()> {
    let mut turn = Turn { server, options, record };
    let is_wanted = |name: &str| options.only.as_ref().is_none_or(|only| only.contains(name));
    if is_wanted("commits") {
        commits::measure(&mut turn)?;
    }
    if is_wanted("transactions") {
        transactions::measure(&mut turn)?;
    }
    if is_wanted("share") {
        share::measure(&mut turn)?;
    }
    if is_wanted("rebalances") {
        rebalances::measure(&mut turn)?;
    }
    if is_wanted("load") {
        commits::measure_load(&mut turn)?;
    }
    Ok(())
}

impl Turn<'_> {
    pub fn connect(&self) -> Result<Connection> {
        Connection::open(&self.server.address)
    }
}
