//! A volume of its own gets full under load, and has space again later: clear errors meanwhile, no restart.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use protocol::ErrorCode;
use testkit::bounded;
use testkit::calls::create_topic;
use testkit::raw_client::RawClient;
use testkit::server_process::{Product, ServerProcess};

use crate::failing_run::{LOG_DIRS, Run, at_work, dump, second};
use crate::kills::number;
use crate::producer::IN_FLIGHT_MAX;

/// Large enough for a reserve that lets the metadata change.
const VOLUME: &str = "size=256m,mode=0700";
const PATIENCE: Duration = Duration::from_secs(20);
const ATTEMPTS: usize = 50;
const LEFT_BYTES: u64 = 3 << 20;

/// A volume in memory; gone when this is dropped.
struct Volume(PathBuf);

impl Volume {
    /// `None` where nobody may mount anything.
    fn mount(path: &Path) -> Result<Option<Volume>> {
        fs::create_dir_all(path)?;
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", VOLUME, "tmpfs"]).arg(path);
        match bounded::output(&mut command, b"", PATIENCE) {
            Ok(_) => Ok(Some(Volume(path.to_owned()))),
            Err(reason) => {
                let line = format!("a volume of its own: {reason:#}");
                ensure!(std::env::var("CI").as_deref() != Ok("true"), "skipped under CI=true: {line}");
                println!("note: skipped: {line}");
                Ok(None)
            }
        }
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        // The server has ended by now, or it is about to be killed.
        let _ = bounded::output(Command::new("umount").arg("--lazy").arg(&self.0), b"", PATIENCE);
    }
}

/// Somebody else's file takes all but a few megabytes.
fn fill(volume: &Path) -> Result<PathBuf> {
    let filler = volume.join("filler");
    let file = fs::File::create(&filler)?;
    for _ in 0..ATTEMPTS {
        let space = rustix::fs::statvfs(volume)?;
        let length = (space.f_bavail * space.f_frsize).saturating_sub(LEFT_BYTES);
        // The server may have taken space meanwhile.
        if rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, length).is_ok() {
            return Ok(filler);
        }
    }
    bail!("the volume cannot be filled")
}

fn play(run: &mut Run<'_>, volume: &Path, is_only: bool) -> Result<()> {
    run.failing.wait_for_acknowledgements(run.failing.count() + 20)?;
    let filler = fill(volume)?;
    run.failing.wait_for_a_refusal()?;
    // Whatever is not of records goes on: topics come into being, consumers read, the log directory is online.
    let mut client = RawClient::connect(run.server.bootstrap(), "admin")?;
    create_topic(&mut client, "while-it-is-full", 1, &[])?;
    let error = run.fetch_error()?;
    ensure!(error == Some(ErrorCode::None), "a fetch is answered {error:?}");
    let errors = run.log_dir_errors()?;
    ensure!(errors.values().all(|error| *error == Some(ErrorCode::None)), "{errors:?}");
    if !is_only {
        run.healthy.wait_for_acknowledgements(run.healthy.count() + 60)?;
    }
    let log = run.server.whole_log();
    ensure!(log.contains("space") || log.contains("full"), "nobody is told");
    fs::remove_file(filler)?;
    run.failing.wait_for_acknowledgements(run.failing.count() + 60)
}

fn gets_full(is_only: bool) -> Result<()> {
    let log_dirs = if is_only { LOG_DIRS[0].to_owned() } else { LOG_DIRS.join(",") };
    let mut server = ServerProcess::stopped(Product::Klamm, &[("log.dirs", &log_dirs)])?;
    let folder =
        if is_only { server.data().parent().context("a folder")?.to_owned() } else { second(&server) };
    let kept = is_only.then(|| fs::read(server.properties())).transpose()?;
    let Some(_volume) = Volume::mount(&folder)? else { return Ok(()) };
    if let Some(properties) = kept {
        fs::write(server.properties(), properties)?;
    }
    server.launch()?;
    let outcome = at_work(&mut server, 1, IN_FLIGHT_MAX, |run| play(run, &folder, is_only));
    let told = outcome.with_context(|| server.log())?;
    println!("note: a full volume, {}: {told}", if is_only { "the only one" } else { "one of two" });
    if number("KLAMM_FAULTS")?.is_some() {
        println!("note: {} files pass kafka-dump-log", dump(&mut server)?);
    }
    drop(server);
    Ok(())
}

#[test]
fn a_full_volume_is_refused_and_recovers_by_itself() -> Result<()> {
    gets_full(false)
}

#[test]
fn a_node_with_nothing_but_a_full_volume_goes_on() -> Result<()> {
    gets_full(true)
}
