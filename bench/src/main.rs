//! Benchmarks: Klamm and Apache Kafka 4.4.0 in turn, one core for the server, the other for the same load generator.
//!
//! `cargo xtask bench` builds and calls this; `bench load …` is the generator, in a process of its own.

mod backed_memory;
mod closed_loop;
mod connection;
mod floor;
mod groups;
mod idle;
mod load;
mod log;
mod open_loop;
mod plots;
mod report;
mod rounds;
mod server;
mod topics;
mod workloads;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "bench")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs all workloads against both servers and prints the ratios.
    Compare(rounds::Options),
    /// Groups and transactions on both servers, and the ratios.
    Groups(groups::Options),
    /// Compaction, retention, cold reads, growth and restarts on both servers, and the ratios.
    Log(log::Options),
    /// Puts one load on a running server and prints what came of it as a line of JSON.
    Load(load::Options),
    /// Serves as little as can be, to measure what no server can do without.
    Floor(floor::Options),
}

fn main() -> Result<()> {
    match Arguments::parse().command {
        Command::Compare(options) => rounds::compare(&options),
        Command::Groups(options) => groups::compare(&options),
        Command::Log(options) => log::compare(&options),
        Command::Load(options) => load::run(&options),
        Command::Floor(options) => floor::run(&options),
    }
}
