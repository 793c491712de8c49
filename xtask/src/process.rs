//! Child processes that always end: each has a time limit and dies with its whole process group.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process_group};

/// How a child ended, and what it said if that was captured.
pub struct Ended {
    /// Its exit status.
    pub status: ExitStatus,
    /// Whether it was killed for running past its limit.
    pub timed_out: bool,
    /// Its standard output and error, interleaved; empty if they were shown instead.
    pub output: String,
}

impl Ended {
    /// Whether it ended by itself and with exit code 0.
    pub fn succeeded(&self) -> bool {
        self.status.success() && !self.timed_out
    }
}

/// Runs `command` with its output shown. `name` is what the time limit message calls it.
pub fn show(name: &str, command: &mut Command, limit: Duration) -> Result<Ended> {
    run(name, command, limit, false)
}

/// Runs `command` and keeps its output.
pub fn capture(name: &str, command: &mut Command, limit: Duration) -> Result<Ended> {
    run(name, command, limit, true)
}

fn run(name: &str, command: &mut Command, limit: Duration, keep_output: bool) -> Result<Ended> {
    command.stdin(Stdio::null()).process_group(0);
    die_with_parent(command);
    let reader = if keep_output {
        let (reader, writer) = std::io::pipe()?;
        command.stdout(writer.try_clone()?).stderr(writer);
        Some(reader)
    } else {
        None
    };
    let mut child = command.spawn().with_context(|| format!("{name}: cannot start {command:?}"))?;
    // The command keeps the pipe's writing end; without this the reader would never see the end.
    command.stdout(Stdio::null()).stderr(Stdio::null());

    let group = Pid::from_child(&child);
    let (ended, wait_for_end) = mpsc::channel::<()>();
    let timed_out = Arc::new(AtomicBool::new(false));
    let watcher = thread::spawn({
        let timed_out = Arc::clone(&timed_out);
        move || {
            if let Err(mpsc::RecvTimeoutError::Timeout) = wait_for_end.recv_timeout(limit) {
                timed_out.store(true, Ordering::SeqCst);
                // A failure means that the group is gone already.
                let _ = kill_process_group(group, Signal::KILL);
            }
        }
    });
    let collector = reader.map(|reader| thread::spawn(move || collect_lines(reader)));
    let status = child.wait()?;
    // Stragglers of the group would keep the pipe open and the collector waiting.
    let _ = kill_process_group(group, Signal::KILL);
    drop(ended);
    watcher.join().expect("the watcher does not panic");
    let output =
        collector.map_or_else(String::new, |thread| thread.join().expect("the collector does not panic"));
    let timed_out = timed_out.load(Ordering::SeqCst);
    if timed_out {
        println!("KILLED {name}: still running after {} s", limit.as_secs());
    }
    Ok(Ended { status, timed_out, output })
}

fn collect_lines(reader: std::io::PipeReader) -> String {
    let mut output = String::new();
    let mut reader = BufReader::new(reader);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
        output.push_str(&String::from_utf8_lossy(&line));
        line.clear();
    }
    output
}

/// A child in its own process group does not get the terminal's interrupt, so it follows its parent instead.
fn die_with_parent(command: &mut Command) {
    // SAFETY: prctl is async-signal-safe and touches no memory of the parent.
    unsafe {
        command.pre_exec(|| {
            rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).map_err(std::io::Error::from)
        });
    }
}
