//! Java's `KafkaShareConsumer`: implicit and explicit acknowledgements, two members of one partition, renewed locks, and a
//! server that is killed between an acknowledgement and the next read.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use testkit::server_process::{Product, ServerProcess};
use testkit::{bounded, prepared};

const LIMIT: Duration = Duration::from_secs(180);

/// `java/ShareClient.java` against the server; the step is to follow.
pub fn command(server: &ServerProcess) -> Command {
    let jars = prepared::folder().join("java-4.4.0/*");
    let mut command = Command::new("java");
    command
        .args(["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
        .arg("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")
        .arg("-cp")
        .arg(jars)
        .arg(prepared::repository().join("tests/clients/java/ShareClient.java"))
        .arg(server.bootstrap());
    command
}

/// Runs one step and returns what it says.
pub fn step(server: &ServerProcess, step: &str) -> Result<String> {
    let output = bounded::output(command(server).arg(step), b"", LIMIT).with_context(|| step.to_owned())?;
    Ok(String::from_utf8(output)?)
}

pub fn run() -> Result<()> {
    if !prepared::is_ready(&["java-clients"]) {
        return Ok(());
    }
    let configuration = [("share.coordinator.state.topic.num.partitions", "3")];
    let mut server = ServerProcess::start(Product::under_test(), &configuration)?;
    for name in ["implicit", "explicit", "shared", "renew"] {
        let said = step(&server, name)?;
        ensure!(said.starts_with(name), "{said}");
    }
    step(&server, "before-kill")?;
    server.kill()?;
    server.launch()?;
    let said = step(&server, "after-kill")?;
    ensure!(said.starts_with("after-kill"), "{said}");
    server.stop()
}
