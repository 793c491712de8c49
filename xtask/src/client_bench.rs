//! `bench client`: our client, librdkafka and Java's on one server, measured by a package of its own.

use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use crate::process;
use crate::report::Report;
use crate::setup;
use crate::workspace::{Workspace, cargo};

/// With librdkafka, from nothing, on two slow cores.
const BUILD_LIMIT: Duration = Duration::from_secs(40 * 60);
const RUN_LIMIT: Duration = Duration::from_secs(60 * 60);
/// The step of `tests/setup.toml` that brings Kafka's tools, and the folder with their jars.
const KAFKA_STEP: &str = "kafka-server";
const TOOLS_FOLDER: &str = "kafka-tools-4.3.1";
/// Not a member of the workspace: nothing else builds or links librdkafka.
const PACKAGE: &str = "bench/client/Cargo.toml";

/// Builds the server and the loads, then compares; `arguments` are for `client-bench compare`.
pub fn run(workspace: &Workspace, arguments: &[String], report: &mut Report) -> Result<()> {
    setup::set_up_one(workspace, KAFKA_STEP, report)?;
    let target = workspace.target_folder.join("bench-client");
    let mut server = Command::new(cargo());
    server.args(["build", "--quiet", "--release", "-p", "klamm"]).current_dir(&workspace.root);
    let mut loads = Command::new(cargo());
    loads.args(["build", "--quiet", "--release", "--manifest-path", PACKAGE, "--target-dir"]);
    loads.arg(&target).current_dir(&workspace.root);
    for (name, mut build) in [("cargo build --release", server), ("cargo build of the loads", loads)] {
        let built = process::show(name, &mut build, BUILD_LIMIT)?;
        report.step(name, built.succeeded());
        if !built.succeeded() {
            return Ok(());
        }
    }
    let mut compare = Command::new(target.join("release/client-bench"));
    compare.arg("compare").arg(workspace.target_folder.join("release/klamm"));
    compare.arg(workspace.setup_folder().join(TOOLS_FOLDER)).args(arguments);
    let ended = process::show("client-bench compare", &mut compare, RUN_LIMIT)?;
    report.step("client-bench compare", ended.succeeded());
    Ok(())
}
