//! `bench`: release builds of the server and the load generator, Apache Kafka's jars, and the comparison of the two.

use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use clap::Args;

use crate::client_bench;
use crate::process;
use crate::report::Report;
use crate::setup;
use crate::workspace::{Workspace, cargo};

/// From an empty target folder on two slow cores.
const BUILD_LIMIT: Duration = Duration::from_secs(30 * 60);
/// Many long rounds.
const RUN_LIMIT: Duration = Duration::from_secs(6 * 60 * 60);
/// The step of `tests/setup.toml` that brings Apache Kafka, and the folder it fills.
const KAFKA_STEP: &str = "kafka-server";
const TOOLS_STEP: &str = "kafka-tools";
/// Rows of their own.
const FAMILIES: [&str; 2] = ["groups", "log"];
const KAFKA_FOLDER: &str = "kafka-4.4.0";

/// What the comparison takes.
#[derive(Args)]
pub struct Options {
    /// `tools` for the start times of the command-line tools, `groups` for groups and transactions, `log` for the log; then what `bench compare`, `bench groups` or `bench log` takes: --rounds, --seconds, --only and so on.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Builds, sets up and compares.
pub fn run(workspace: &Workspace, options: &Options, report: &mut Report) -> Result<()> {
    if options.arguments.first().is_some_and(|word| word == "tools") {
        return tools(workspace, report);
    }
    if let Some((first, rest)) = options.arguments.split_first()
        && first == "client"
    {
        return client_bench::run(workspace, rest, report);
    }
    setup::set_up_one(workspace, KAFKA_STEP, report)?;
    let mut build = Command::new(cargo());
    build.args(["build", "--quiet", "--release", "-p", "klamm", "-p", "bench"]).current_dir(&workspace.root);
    let built = process::show("cargo build --release", &mut build, BUILD_LIMIT)?;
    report.step("cargo build --release", built.succeeded());
    if !built.succeeded() {
        return Ok(());
    }
    let binaries = workspace.target_folder.join("release");
    let mut arguments = options.arguments.as_slice();
    let mut comparison = "compare";
    if let Some((first, rest)) = arguments.split_first()
        && let Some(family) = FAMILIES.into_iter().find(|family| family == first)
    {
        (comparison, arguments) = (family, rest);
    }
    let mut compare = Command::new(binaries.join("bench"));
    compare.arg(comparison).arg("--klamm").arg(binaries.join("klamm"));
    compare.arg("--kafka-jars").arg(workspace.setup_folder().join(KAFKA_FOLDER)).args(arguments);
    let ended = process::show("bench compare", &mut compare, RUN_LIMIT)?;
    report.step("bench compare", ended.succeeded());
    Ok(())
}

/// How long the tools take, release build, beside Kafka's.
fn tools(workspace: &Workspace, report: &mut Report) -> Result<()> {
    setup::set_up_one(workspace, TOOLS_STEP, report)?;
    let mut build = Command::new(cargo());
    build.args(["build", "--quiet", "--release", "-p", "klamm"]).current_dir(&workspace.root);
    let built = process::show("cargo build --release", &mut build, BUILD_LIMIT)?;
    report.step("cargo build --release", built.succeeded());
    if !built.succeeded() {
        return Ok(());
    }
    let mut measure = Command::new(cargo());
    measure.args(["test", "--quiet", "-p", "tool-tests", "start_time", "--", "--nocapture"]);
    measure.env("KLAMM_BENCH_TOOLS", "1").env("KLAMM_BINARY", workspace.target_folder.join("release/klamm"));
    let ended = process::show("bench tools", measure.current_dir(&workspace.root), RUN_LIMIT)?;
    report.step("bench tools", ended.succeeded());
    Ok(())
}
