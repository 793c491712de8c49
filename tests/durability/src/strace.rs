//! strace on a running server: from now on chosen system calls on chosen files fail.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use testkit::prepared;

const PATIENCE: Duration = Duration::from_secs(30);

/// What fails.
pub struct Injection<'a> {
    /// System calls by name, with commas between them.
    pub calls: &'a str,
    /// The error's name, such as `EIO`.
    pub error: &'a str,
    /// Which of the matching calls, as strace writes it: `1+` is all of them, `3` the third of each thread.
    pub when: &'a str,
    /// Only calls on these files; all if there are none.
    pub files: &'a [PathBuf],
}

/// An strace that is attached; dropping it lets go of the server.
pub struct Strace {
    child: Child,
}

/// Whether strace is here; not having it is an error where nothing may be skipped.
pub fn is_ready() -> bool {
    prepared::is_ready(&["strace"])
}

impl Strace {
    /// Returns when every thread of the process is attached.
    pub fn attach(process: u32, injection: &Injection<'_>) -> Result<Self> {
        let Injection { calls, error, when, files } = injection;
        let mut command = Command::new("strace");
        command.args(["-f", "-o", "/dev/null", "-e", &format!("trace={calls}")]);
        command.args(["-e", &format!("inject={calls}:error={error}:when={when}")]);
        for file in *files {
            command.arg("-P").arg(file);
        }
        command.args(["-p", &process.to_string()]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
        let mut said = BufReader::new(child.stderr.take().context("standard error is a pipe")?);
        let strace = Self { child };
        let mut heard = String::new();
        // It names the files that it looks for first.
        while !heard.contains(" attached") {
            let length = said.read_line(&mut heard)?;
            ensure!(length > 0, "strace does not attach: {heard}");
        }
        // Whatever else it says is read, lest it wait for somebody to read it.
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        Ok(strace)
    }

    /// Lets go: calls work again.
    pub fn detach(mut self) -> Result<()> {
        kill_process(Pid::from_child(&self.child), Signal::INT)?;
        self.child.wait()?;
        Ok(())
    }

    /// Waits until the server has ended by itself.
    pub fn wait_for_end(&mut self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while self.child.try_wait()?.is_none() {
            if Instant::now() > deadline {
                bail!("the server goes on");
            }
            std::thread::yield_now();
        }
        Ok(())
    }
}

impl Drop for Strace {
    fn drop(&mut self) {
        // It may have ended with the server.
        let _ = kill_process(Pid::from_child(&self.child), Signal::INT);
        let _ = self.child.wait();
    }
}
