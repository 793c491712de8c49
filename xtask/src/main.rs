//! `cargo xtask`: the one door for people who work on Klamm.

mod bench;
mod check;
mod client_bench;
mod codegen;
mod process;
mod report;
mod setup;
mod test_run;
mod tidy;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use report::Report;
use workspace::Workspace;

/// Checks, repairs and tests the workspace.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Formatting, clippy with warnings denied, layers, tidy. Changes nothing.
    Check,
    /// Formats and applies clippy's suggestions.
    Fix,
    /// Everything there is: check, set-up, every test, the real clients included.
    Test(test_run::Selection),
    /// Writes the generated Rust of Kafka's messages from the tables of facts.
    Codegen {
        /// Write nothing; fail if a generated file is stale.
        #[arg(long)]
        check: bool,
    },
    /// Only the house rules that neither rustfmt nor clippy knows.
    Tidy,
    /// Klamm and Apache Kafka under the same load, as a table of ratios.
    Bench(bench::Options),
    /// Only what the tests need from the package managers, into `tests/.setup`.
    Setup,
}

fn main() -> ExitCode {
    match run(Arguments::parse().task) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether the task found nothing to complain about.
fn run(task: Task) -> Result<bool> {
    let workspace = Workspace::load()?;
    let mut report = Report::default();
    match task {
        Task::Check => check::check(&workspace, &mut report)?,
        Task::Fix => check::fix(&workspace, &mut report)?,
        Task::Codegen { check } => codegen::run(&workspace.root, check)?,
        Task::Tidy => check::tidy(&workspace, &mut report)?,
        Task::Bench(options) => bench::run(&workspace, &options, &mut report)?,
        Task::Setup => setup::set_up(&workspace, &mut report)?,
        Task::Test(selection) => {
            if selection.is_everything() {
                check::check(&workspace, &mut report)?;
            }
            setup::set_up(&workspace, &mut report)?;
            test_run::run(&workspace, &selection, &mut report)?;
        }
    }
    Ok(report.close())
}
