//! Consumer groups of the new protocol (KIP-848) with Java's consumer: members of both protocols in one group.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use testkit::server_process::{Product, ServerProcess};
use testkit::{bounded, prepared};

const LIMIT: Duration = Duration::from_secs(600);
/// A killed member is given up soon.
const SETTINGS: [(&str, &str); 2] =
    [("group.consumer.min.session.timeout.ms", "6000"), ("group.consumer.session.timeout.ms", "6000")];

#[test]
fn java_consumers_of_both_protocols() -> Result<()> {
    let product = Product::under_test();
    let mut steps = vec!["java-clients"];
    if product == Product::Kafka {
        steps.push("kafka-server");
    }
    if !prepared::is_ready(&steps) {
        return Ok(());
    }
    let server = ServerProcess::start(product, &SETTINGS)?;
    let program = prepared::repository().join("tests/clients/java/ConsumerGroups.java");
    let jars = prepared::folder().join("java-4.4.0/*");
    let mut command = Command::new("java");
    command
        .args(["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
        .arg("-Dorg.slf4j.simpleLogger.defaultLogLevel=error")
        .arg(format!("-Dprogram={}", program.display()))
        .arg("-cp")
        .arg(jars)
        .arg(&program)
        .arg(server.bootstrap());
    let output = bounded::output(&mut command, b"", LIMIT)
        .map_err(|error| anyhow!("{error:#}\n--- the server said\n{}", server.log()))?;
    let text = String::from_utf8(output).context("the program prints text")?;
    print!("{text}");
    ensure!(text.lines().last() == Some("done"), "{text}");
    Ok(())
}
