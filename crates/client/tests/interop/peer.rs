//! Another client in a process of its own: a line in, a line out.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, ensure};
use testkit::prepared;

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop");

/// Ends with its standard input.
pub struct Peer {
    pub name: &'static str,
    /// What its members may share a group by.
    pub assignors: &'static [&'static str],
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Peer {
    /// kafka-clients 4.4.0.
    pub fn java(bootstrap: &str) -> Result<Self> {
        let mut command = Command::new("java");
        command
            .args(["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
            .arg("-Dorg.slf4j.simpleLogger.defaultLogLevel=error")
            .arg("-cp")
            .arg(prepared::folder().join("java-4.4.0/*"))
            .arg(format!("{SOURCES}/Peer.java"));
        Self::start(
            "java",
            &["range", "roundrobin", "sticky", "cooperative-sticky", "consumer"],
            command,
            bootstrap,
        )
    }

    /// librdkafka through confluent-kafka.
    pub fn librdkafka(bootstrap: &str) -> Result<Self> {
        let mut command = Command::new(prepared::folder().join("python/bin/python3"));
        command.arg(format!("{SOURCES}/peer.py"));
        Self::start(
            "librdkafka",
            &["range", "roundrobin", "cooperative-sticky", "consumer"],
            command,
            bootstrap,
        )
    }

    fn start(
        name: &'static str,
        assignors: &'static [&'static str],
        mut command: Command,
        bootstrap: &str,
    ) -> Result<Self> {
        let mut child =
            command.arg(bootstrap).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context(name)?;
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().context("it was asked for")?);
        Ok(Self { name, assignors, child, input, output })
    }

    /// The answer to a command.
    pub fn ask(&mut self, command: &str) -> Result<String> {
        let input = self.input.as_mut().context("it runs")?;
        writeln!(input, "{command}")?;
        input.flush()?;
        let mut line = String::new();
        ensure!(self.output.read_line(&mut line)? > 0, "{} ended at: {command}", self.name);
        Ok(line.trim_end().to_owned())
    }

    /// A command that is only to be done.
    pub fn tell(&mut self, command: &str) -> Result<()> {
        let answer = self.ask(command)?;
        ensure!(answer == "ok", "{} says {answer:?} to: {command}", self.name);
        Ok(())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
