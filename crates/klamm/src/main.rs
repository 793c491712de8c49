//! The `klamm` binary: picks the subcommand and runs it.

mod server;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// An event streaming platform that speaks Apache Kafka's protocol.
#[derive(Parser)]
#[command(name = "klamm", version, disable_help_subcommand = true)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs a node: a broker and a controller, unless `process.roles` says otherwise.
    Server(server::Options),
}

fn main() -> ExitCode {
    let outcome = match CommandLine::parse().command {
        Command::Server(options) => server::run(&options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("klamm: {error:#}");
            ExitCode::FAILURE
        }
    }
}
