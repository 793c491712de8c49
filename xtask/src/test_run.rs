//! `test`: builds every test once, then runs each test program by itself under a time limit.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;
use serde::Deserialize;

use crate::process;
use crate::report::Report;
use crate::workspace::{Workspace, cargo};

/// From an empty target folder on two slow cores.
const BUILD_LIMIT: Duration = Duration::from_secs(20 * 60);
/// For one test program; the longest ones drive the real clients.
const PROGRAM_LIMIT: Duration = Duration::from_secs(15 * 60);
const DOC_TESTS_LIMIT: Duration = Duration::from_secs(5 * 60);

/// Which tests to run: all of them unless something is named.
#[derive(Args)]
pub struct Selection {
    /// Only this package.
    #[arg(short, long)]
    package: Option<String>,
    /// Only tests whose name contains this.
    filter: Option<String>,
}

impl Selection {
    /// Whether nothing is left out.
    pub fn is_everything(&self) -> bool {
        self.package.is_none() && self.filter.is_none()
    }
}

/// One line of cargo's JSON output, as far as it matters here.
#[derive(Deserialize)]
struct BuildMessage {
    reason: String,
    executable: Option<PathBuf>,
    manifest_path: Option<PathBuf>,
    target: Option<BuildTarget>,
    profile: Option<BuildProfile>,
}

#[derive(Deserialize)]
struct BuildTarget {
    name: String,
    kind: Vec<String>,
}

#[derive(Deserialize)]
struct BuildProfile {
    test: bool,
}

struct TestProgram {
    executable: PathBuf,
    package_folder: PathBuf,
}

/// Builds, runs, counts.
pub fn run(workspace: &Workspace, selection: &Selection, report: &mut Report) -> Result<()> {
    // The server under test is the binary that stands beside the test programs.
    let mut build = Command::new(cargo());
    build.args(["build", "--quiet", "--workspace", "--bins"]).current_dir(&workspace.root);
    let built = process::show("cargo build", &mut build, BUILD_LIMIT)?;
    report.step("cargo build", built.succeeded());
    if !built.succeeded() {
        return Ok(());
    }
    let Some(programs) = build_tests(workspace, selection, report)? else { return Ok(()) };
    for (name, program) in &programs {
        run_program(name, program, selection, report)?;
    }
    if selection.is_everything() {
        let mut doc_tests = Command::new(cargo());
        doc_tests.args(["test", "--workspace", "--doc", "--quiet"]).current_dir(&workspace.root);
        let ended = process::capture("doc tests", &mut doc_tests, DOC_TESTS_LIMIT)?;
        count("doc tests", &ended, report);
    }
    Ok(())
}

/// The test programs by name, `None` when they do not compile.
fn build_tests(
    workspace: &Workspace,
    selection: &Selection,
    report: &mut Report,
) -> Result<Option<BTreeMap<String, TestProgram>>> {
    let mut command = Command::new(cargo());
    command.args(["test", "--no-run", "--message-format", "json-render-diagnostics", "--quiet"]);
    match &selection.package {
        Some(package) => command.args(["--package", package]),
        None => command.arg("--workspace"),
    };
    command.current_dir(&workspace.root);
    let ended = process::capture("cargo test --no-run", &mut command, BUILD_LIMIT)?;
    report.step("cargo test --no-run", ended.succeeded());
    if !ended.succeeded() {
        println!("{}", lines_for_people(&ended.output));
        return Ok(None);
    }
    let mut programs = BTreeMap::new();
    for line in ended.output.lines().filter(|line| line.starts_with('{')) {
        let message: BuildMessage = serde_json::from_str(line)?;
        let (Some(executable), Some(manifest), Some(target)) =
            (message.executable, message.manifest_path, message.target)
        else {
            continue;
        };
        if message.reason != "compiler-artifact" || !message.profile.is_some_and(|profile| profile.test) {
            continue;
        }
        let Some(package_folder) = manifest.parent().map(PathBuf::from) else {
            bail!("{} has no folder", manifest.display())
        };
        let package = workspace.relative(&package_folder);
        let name = format!("{package} {} {}", target.kind.join("+"), target.name);
        programs.insert(name, TestProgram { executable, package_folder });
    }
    Ok(Some(programs))
}

fn run_program(name: &str, program: &TestProgram, selection: &Selection, report: &mut Report) -> Result<()> {
    let mut command = Command::new(&program.executable);
    command.arg("--show-output").args(&selection.filter);
    command.current_dir(&program.package_folder).env("CARGO_MANIFEST_DIR", &program.package_folder);
    let ended = process::capture(name, &mut command, PROGRAM_LIMIT)?;
    count(name, &ended, report);
    Ok(())
}

/// Adds a test program's outcomes; shows everything it said if one failed, else only its `note: ` lines.
fn count(name: &str, ended: &process::Ended, report: &mut Report) {
    let tally = tally(&ended.output);
    report.pass(tally.passed);
    if ended.succeeded() {
        println!("ok     {name}: {} passed", tally.passed);
        for line in ended.output.lines().filter(|line| line.starts_with("note: ")) {
            println!("       {line}");
        }
        return;
    }
    println!("{}", ended.output);
    for test in &tally.failed {
        report.fail(format!("{name}: {test}"));
    }
    if ended.timed_out {
        let hanging =
            tally.slow.iter().filter(|test| !tally.ended.contains(test)).cloned().collect::<Vec<_>>();
        report.fail(format!("{name}: killed at its time limit, while running: {}", hanging.join(", ")));
    } else if tally.failed.is_empty() {
        report.fail(format!("{name}: ended with {}", ended.status));
    }
}

/// What libtest's output says, over all the programs in it.
#[derive(Default, PartialEq, Debug)]
struct Tally {
    passed: usize,
    failed: Vec<String>,
    ended: Vec<String>,
    slow: Vec<String>,
}

fn tally(output: &str) -> Tally {
    let mut tally = Tally::default();
    for line in output.lines() {
        let Some(rest) = line.strip_prefix("test ") else { continue };
        if let Some((test, outcome)) = rest.rsplit_once(" ... ") {
            tally.ended.push(test.to_owned());
            match outcome {
                "FAILED" => tally.failed.push(test.to_owned()),
                outcome if outcome.starts_with("ok") => tally.passed += 1,
                _ => {}
            }
        } else if let Some((test, _)) = rest.split_once(" has been running for over") {
            tally.slow.push(test.to_owned());
        }
    }
    // `--quiet` prints dots instead of names.
    if tally.ended.is_empty() {
        tally.passed = output.lines().filter_map(passed_in_summary).sum();
    }
    tally
}

fn passed_in_summary(line: &str) -> Option<usize> {
    line.strip_prefix("test result: ")?.split_once(". ")?.1.split_once(" passed")?.0.parse().ok()
}

fn lines_for_people(output: &str) -> String {
    output.lines().filter(|line| !line.starts_with('{')).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_and_hanging_tests_are_named() {
        let output = "test a::fine ... ok\ntest b::broken ... FAILED\n\
                      test c::stuck has been running for over 60 seconds\n";
        let tally = tally(output);
        assert_eq!(tally.passed, 1);
        assert_eq!(tally.failed, ["b::broken"]);
        assert_eq!(tally.slow, ["c::stuck"]);
    }

    #[test]
    fn quiet_output_is_counted_by_its_summary() {
        let output = "running 3 tests\n...\ntest result: ok. 3 passed; 0 failed; 0 ignored\n\
                      test result: FAILED. 2 passed; 1 failed; 0 ignored\n";
        assert_eq!(tally(output).passed, 5);
    }
}
