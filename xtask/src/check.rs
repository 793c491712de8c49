//! `check` and `fix`: rustfmt, clippy and tidy, each with a time limit.

use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use crate::codegen;
use crate::process;
use crate::report::Report;
use crate::tidy;
use crate::workspace::{Workspace, cargo};

const FORMAT_LIMIT: Duration = Duration::from_secs(2 * 60);
/// From an empty target folder on two slow cores.
const CLIPPY_LIMIT: Duration = Duration::from_secs(20 * 60);

/// Everything that can be said without running the code. Writes nothing but build outputs.
pub fn check(workspace: &Workspace, report: &mut Report) -> Result<()> {
    step(workspace, report, "cargo fmt --check", &["fmt", "--all", "--check"], FORMAT_LIMIT)?;
    report.step(
        "generated code is fresh",
        codegen::run(&workspace.root, true).inspect_err(|error| println!("{error:#}")).is_ok(),
    );
    tidy(workspace, report)?;
    let clippy = ["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"];
    step(workspace, report, "cargo clippy", &clippy, CLIPPY_LIMIT)
}

/// Repairs what rustfmt and clippy can repair.
pub fn fix(workspace: &Workspace, report: &mut Report) -> Result<()> {
    let clippy =
        ["clippy", "--workspace", "--all-targets", "--quiet", "--fix", "--allow-dirty", "--allow-staged"];
    step(workspace, report, "cargo clippy --fix", &clippy, CLIPPY_LIMIT)?;
    step(workspace, report, "cargo fmt", &["fmt", "--all"], FORMAT_LIMIT)
}

/// The house rules of `tidy`, one outcome per rule.
pub fn tidy(workspace: &Workspace, report: &mut Report) -> Result<()> {
    let findings = tidy::findings(workspace)?;
    for finding in &findings {
        println!("{finding}");
    }
    for rule in tidy::Rule::ALL {
        let broken = findings.iter().filter(|finding| finding.rule == rule).count();
        report.step(&format!("tidy: {} ({broken} findings)", rule.name()), broken == 0);
    }
    Ok(())
}

fn step(
    workspace: &Workspace,
    report: &mut Report,
    name: &str,
    arguments: &[&str],
    limit: Duration,
) -> Result<()> {
    let mut command = Command::new(cargo());
    command.args(arguments).current_dir(&workspace.root);
    let ended = process::show(name, &mut command, limit)?;
    report.step(name, ended.succeeded());
    Ok(())
}
