//! What the tests need from package managers: the steps of `tests/setup.toml`, done once into `tests/.setup`.
//!
//! A step is done again when its row or one of its inputs has changed. How it went is left as a file
//! `tests/.setup/status/NAME` that reads `ready` or says what is missing; the tests look there.

use std::collections::hash_map::DefaultHasher;
use std::env;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::process;
use crate::report::Report;
use crate::workspace::Workspace;

#[derive(Deserialize)]
struct SetupFile {
    step: Vec<Step>,
}

/// One row of `tests/setup.toml`.
#[derive(Deserialize, Hash)]
struct Step {
    /// The status file's name; tests ask for it.
    name: String,
    /// Programs that must be on the PATH, else the step is skipped.
    #[serde(default)]
    needs: Vec<String>,
    /// A program that the step installs; nothing is to be done where it is there already.
    provides: Option<String>,
    /// Files whose change makes the step run again.
    #[serde(default)]
    inputs: Vec<String>,
    /// For `bash -c`, in the root folder, with `$SETUP` set to the absolute `tests/.setup`.
    run: String,
    /// Time limit.
    #[serde(default = "default_minutes")]
    minutes: u64,
}

fn default_minutes() -> u64 {
    5
}

/// Does every step that is not up to date.
pub fn set_up(workspace: &Workspace, report: &mut Report) -> Result<()> {
    set_up_those(workspace, |_| true, report)
}

/// Does one step, if it is not up to date.
pub fn set_up_one(workspace: &Workspace, name: &str, report: &mut Report) -> Result<()> {
    set_up_those(workspace, |step| step.name == name, report)
}

fn set_up_those(workspace: &Workspace, is_wanted: impl Fn(&Step) -> bool, report: &mut Report) -> Result<()> {
    let path = workspace.root.join("tests/setup.toml");
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let file: SetupFile = toml::from_str(&text).context("tests/setup.toml")?;
    let status_folder = workspace.setup_folder().join("status");
    fs::create_dir_all(&status_folder)?;
    for step in file.step.iter().filter(|step| is_wanted(step)) {
        let status_path = status_folder.join(&step.name);
        if let Some(program) = step.needs.iter().find(|program| !is_on_path(program)) {
            let reason = format!("{program} is not installed");
            fs::write(&status_path, &reason)?;
            report.skip(&step.name, &reason);
            continue;
        }
        let ready = match &step.provides {
            Some(program) if is_on_path(program) => true,
            _ => bring_up_to_date(workspace, step)?,
        };
        if ready {
            fs::write(&status_path, "ready")?;
            report.step(&format!("set-up: {}", step.name), true);
        } else {
            let reason = "its set-up step failed";
            fs::write(&status_path, reason)?;
            report.skip(&step.name, reason);
        }
    }
    Ok(())
}

/// Whether the step's result stands now.
fn bring_up_to_date(workspace: &Workspace, step: &Step) -> Result<bool> {
    let stamp_path = workspace.setup_folder().join(format!("{}.stamp", step.name));
    let stamp = stamp(workspace, step)?;
    if fs::read_to_string(&stamp_path).is_ok_and(|old| old == stamp) {
        return Ok(true);
    }
    let name = format!("set-up: {}", step.name);
    println!("       {name} …");
    let mut command = Command::new("bash");
    command.args(["-euo", "pipefail", "-c", &step.run]);
    command.current_dir(&workspace.root).env("SETUP", workspace.setup_folder());
    let ended = process::capture(&name, &mut command, Duration::from_secs(step.minutes * 60))?;
    if !ended.succeeded() {
        println!("{}", ended.output);
        return Ok(false);
    }
    fs::write(&stamp_path, &stamp)?;
    Ok(true)
}

/// A fingerprint of the row and its inputs. Rust's hasher may change between releases: then the step runs again.
fn stamp(workspace: &Workspace, step: &Step) -> Result<String> {
    let mut hasher = DefaultHasher::new();
    step.hash(&mut hasher);
    for input in &step.inputs {
        let path = workspace.root.join(input);
        hash_tree(&path, &mut hasher).with_context(|| format!("{}: input {input}", step.name))?;
    }
    Ok(format!("{:016x}", hasher.finish()))
}

fn hash_tree(path: &Path, hasher: &mut DefaultHasher) -> Result<()> {
    if path.is_dir() {
        let mut entries = fs::read_dir(path)?.collect::<std::io::Result<Vec<_>>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries.iter().filter(|entry| entry.file_name() != "node_modules") {
            hash_tree(&entry.path(), hasher)?;
        }
    } else {
        path.hash(hasher);
        fs::read(path)?.hash(hasher);
    }
    Ok(())
}

fn is_on_path(program: &str) -> bool {
    let folders = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&folders).any(|folder| folder.join(program).is_file())
}
