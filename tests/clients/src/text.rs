//! The main job from end to end: Kafka's console producer sends a text, five unrelated libraries read it, before and after kill -9.

use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use testkit::server_process::{Product, ServerProcess};
use testkit::{bounded, prepared};

use crate::client::{Client, Offsets, Topic};
use crate::program::{self, Program};

const STEPS: [&str; 5] = ["kafka-tools", "java-clients", "python-clients", "franz-go", "kafkajs"];
const LIMIT: Duration = Duration::from_secs(120);

#[test]
fn a_text_is_read_by_five_libraries_before_and_after_a_kill() -> Result<()> {
    if !prepared::is_ready(&STEPS) {
        return Ok(());
    }
    let mut server = ServerProcess::start(Product::Klamm, &[("num.partitions", "1")])?;
    let text = text()?;
    console_producer(&server, &text)?;
    everybody_reads(&server, &text).context("before the kill")?;
    server.kill()?;
    server.launch()?;
    everybody_reads(&server, &text).context("after the kill")
}

/// Texts of this repository, with empty lines, and letters beyond ASCII.
fn text() -> Result<String> {
    let mut text = String::new();
    for name in ["LICENSE", "ARCHITECTURE.md", "Cargo.lock"] {
        text += &fs::read_to_string(prepared::repository().join(name)).context(name)?;
    }
    Ok(text + "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich: 十二 🥊\n")
}

/// A record for each line, acknowledged before the tool ends.
fn console_producer(server: &ServerProcess, text: &str) -> Result<()> {
    let mut command = Command::new("java");
    command.args(["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp"]);
    command.arg(prepared::folder().join("kafka-tools-4.3.1/*"));
    command.args(["org.apache.kafka.tools.ConsoleProducer", "--topic", "text"]);
    command.args(["--bootstrap-server", &server.bootstrap()]);
    bounded::output(&mut command, text.as_bytes(), LIMIT).context("the console producer")?;
    Ok(())
}

fn everybody_reads(server: &ServerProcess, text: &str) -> Result<()> {
    let libraries: [Program; 5] = [
        program::java("4.4.0"),
        program::python("confluent-kafka", "confluent_client.py"),
        program::python("kafka-python", "kafka_python_client.py"),
        program::franz_go(),
        program::kafkajs(),
    ];
    let bootstrap = server.bootstrap();
    let topic = Topic { bootstrap: &bootstrap, name: "text", partitions: 1 };
    let lines = i64::try_from(text.lines().count())?;
    for library in libraries {
        let mut read =
            library.consume(topic, &Offsets::from([(0, lines)])).with_context(|| library.name())?;
        read.sort_by_key(|record| record.offset);
        let mut got = Vec::with_capacity(text.len());
        for record in read {
            got.extend(record.record.value.unwrap_or_default());
            got.push(b'\n');
        }
        ensure!(
            got == text.as_bytes(),
            "{}: {} bytes came back instead of {}",
            library.name(),
            got.len(),
            text.len()
        );
        println!("note: {} read {lines} lines, {} bytes", library.name(), got.len());
    }
    Ok(())
}
