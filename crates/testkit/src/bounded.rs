//! Child processes of tests: they end in time, die with the test, and explain themselves when they fail.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process, set_parent_process_death_signal};

/// Standard output of a command that must succeed within `limit`; `input` is what it reads.
pub fn output(command: &mut Command, input: &[u8], limit: Duration) -> Result<Vec<u8>> {
    die_with_test(command);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
    let process = Pid::from_child(&child);
    let stdout = read_all(child.stdout.take());
    let stderr = read_all(child.stderr.take());
    let mut stdin = child.stdin.take().context("standard input is a pipe")?;
    let input = input.to_vec();
    // A command may end without reading everything: then this write fails, and its exit status tells.
    let writer = thread::spawn(move || drop(stdin.write_all(&input)));
    let (ended, wait_for_end) = mpsc::channel();
    thread::spawn(move || ended.send(child.wait()));
    let status = wait_for_end.recv_timeout(limit);
    if status.is_err() {
        kill_process(process, Signal::KILL)?;
    }
    let stdout = stdout.join().expect("the reader does not panic");
    let stderr = stderr.join().expect("the reader does not panic");
    writer.join().expect("the writer does not panic");
    let explain = || {
        let stderr = String::from_utf8_lossy(&stderr);
        let stdout = String::from_utf8_lossy(&stdout);
        format!("{command:?}\n--- standard error\n{}\n--- standard output\n{}", tail(&stderr), tail(&stdout))
    };
    let Ok(status) = status else { bail!("still running after {limit:?}: {}", explain()) };
    let status = status?;
    ensure!(status.success(), "{status}: {}", explain());
    Ok(stdout)
}

/// The end of a long text.
pub fn tail(text: &str) -> &str {
    let start = text.len().saturating_sub(6000);
    let start = (start..text.len()).find(|index| text.is_char_boundary(*index)).unwrap_or(text.len());
    &text[start..]
}

fn read_all(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // What was read before an error is all there is to show.
            let _ = pipe.read_to_end(&mut bytes);
        }
        bytes
    })
}

fn die_with_test(command: &mut Command) {
    // SAFETY: prctl is async-signal-safe and touches no memory of the parent.
    unsafe {
        command
            .pre_exec(|| set_parent_process_death_signal(Some(Signal::KILL)).map_err(std::io::Error::from));
    }
}

/// A running child that says lines and can be told something.
pub struct Conversation {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    name: String,
    heard: Vec<String>,
}

impl Conversation {
    /// Starts it. Lines of its standard error are heard too, after `stderr: `.
    pub fn start(name: &str, command: &mut Command) -> Result<Self> {
        die_with_test(command);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
        let (sender, lines) = mpsc::channel();
        let stdout = child.stdout.take().context("standard output is a pipe")?;
        let stderr = child.stderr.take().context("standard error is a pipe")?;
        let stderr_sender = sender.clone();
        thread::spawn(move || {
            BufReader::new(stdout).lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        thread::spawn(move || {
            let lines = BufReader::new(stderr).lines().map_while(Result::ok);
            lines.map(|line| format!("stderr: {line}")).try_for_each(|line| stderr_sender.send(line))
        });
        let stdin = child.stdin.take();
        Ok(Self { child, stdin, lines, name: name.to_owned(), heard: Vec::new() })
    }

    /// The next line, or `None` when `wait` is over.
    pub fn hear(&mut self, wait: Duration) -> Result<Option<String>> {
        match self.lines.recv_timeout(wait) {
            Ok(line) => {
                self.heard.push(line.clone());
                Ok(Some(line))
            }
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => {
                bail!("{} has ended: {}", self.name, self.heard.join("\n"))
            }
        }
    }

    /// Says a line to it.
    pub fn say(&mut self, line: &str) -> Result<()> {
        let stdin = self.stdin.as_mut().context("standard input is closed")?;
        writeln!(stdin, "{line}").and_then(|()| stdin.flush()).with_context(|| self.name.clone())
    }

    /// Asks it to terminate.
    pub fn terminate(&self) -> Result<()> {
        Ok(kill_process(Pid::from_child(&self.child), Signal::TERM)?)
    }

    /// Waits for its end, hearing what it still says.
    pub fn wait_for_end(mut self, limit: Duration) -> Result<Vec<String>> {
        let deadline = Instant::now() + limit;
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => self.heard.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    bail!("{} does not end: {}", self.name, tail(&self.heard.join("\n")))
                }
            }
        }
        let status = self.child.wait()?;
        ensure!(status.success(), "{}: {status}: {}", self.name, tail(&self.heard.join("\n")));
        Ok(std::mem::take(&mut self.heard))
    }

    /// Kill -9; what it had said by then and nobody has heard yet.
    pub fn kill_and_hear(mut self) -> Result<Vec<String>> {
        self.child.kill()?;
        self.child.wait()?;
        // The pipes end with the process.
        Ok(self.lines.iter().collect())
    }

    /// How many lines were heard so far.
    pub fn heard_count(&self) -> usize {
        self.heard.len()
    }

    /// Everything it has said so far, for a failure's message.
    pub fn heard(&self) -> String {
        format!("{} said:\n{}", self.name, tail(&self.heard.join("\n")))
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
