//! `kafka-topics`, `kafka-get-offsets` and `kafka-delete-records`.

use std::fs;

use anyhow::{Result, ensure};

use crate::tool::{GET_OFFSETS, TOPICS, Tools};

#[test]
fn topics_are_created_listed_described_altered_and_deleted() -> Result<()> {
    let Some((_server, tools)) = Tools::with_server(&[])? else { return Ok(()) };
    tools.create_topic("one", &["--partitions", "3", "--config", "retention.ms=3600000"])?;
    tools.create_topic("two", &["--replica-assignment", "1,1"])?;
    tools.run(TOPICS, &["--create", "--if-not-exists", "--topic", "two"])?;
    ensure!(tools.lines(TOPICS, &["--list"])? == ["one", "two"]);

    let described = tools.lines(TOPICS, &["--describe", "--topic", "one"])?;
    ensure!(described.len() == 4, "{described:?}");
    ensure!(described[0].contains("PartitionCount: 3 ReplicationFactor: 1 Configs:"), "{described:?}");
    ensure!(described[0].contains("retention.ms=3600000"), "{described:?}");
    for (partition, line) in described[1..].iter().enumerate() {
        let wanted = format!("Topic: one Partition: {partition} Leader: 1 Replicas: 1 Isr: 1");
        ensure!(line.starts_with(&wanted), "{line}");
    }

    tools.run(TOPICS, &["--alter", "--topic", "one", "--partitions", "5"])?;
    let described = tools.lines(TOPICS, &["--describe", "--topic", "one"])?;
    ensure!(described.len() == 6 && described[0].contains("PartitionCount: 5"), "{described:?}");
    let refused = tools.refusal(TOPICS, &["--alter", "--topic", "one", "--partitions", "2"])?;
    ensure!(refused.contains("The topic one currently has 5 partition(s)"), "{refused}");

    for problem in [
        "--unavailable-partitions",
        "--under-replicated-partitions",
        "--under-min-isr-partitions",
        "--at-min-isr-partitions",
    ] {
        let found = tools.lines(TOPICS, &["--describe", problem])?;
        let is_at_minimum = problem == "--at-min-isr-partitions";
        ensure!(found.is_empty() != is_at_minimum, "{problem}: {found:?}");
    }
    let overridden = tools.lines(TOPICS, &["--describe", "--topics-with-overrides"])?;
    ensure!(overridden.iter().any(|line| line.contains("Topic: one")), "{overridden:?}");

    tools.run(TOPICS, &["--delete", "--topic", "two"])?;
    ensure!(tools.lines(TOPICS, &["--list"])? == ["one"]);
    let refused = tools.refusal(TOPICS, &["--create", "--topic", "one"])?;
    ensure!(refused.contains("Topic 'one' already exists."), "{refused}");
    Ok(())
}

#[test]
fn offsets_are_found_and_records_deleted() -> Result<()> {
    let Some((_server, tools)) = Tools::with_server(&[])? else { return Ok(()) };
    tools.create_topic("numbers", &["--partitions", "1"])?;
    let text: String = (0..100).map(|number| format!("{number}\n")).collect();
    tools.produce("numbers", &text, &[])?;
    let offset = |time: &str| tools.run(GET_OFFSETS, &["--topic", "numbers", "--time", time]);
    ensure!(offset("latest")? == "numbers:0:100\n");
    ensure!(offset("earliest")? == "numbers:0:0\n");
    ensure!(offset("earliest-local")? == "numbers:0:0\n");
    ensure!(offset("0")? == "numbers:0:0\n");

    let folder = tempfile::tempdir()?;
    let path = folder.path().join("offsets.json");
    fs::write(
        &path,
        r#"{"partitions": [{"topic": "numbers", "partition": 0, "offset": 40}], "version": 1}"#,
    )?;
    let path = path.to_string_lossy();
    let deleted = tools.lines("DeleteRecordsCommand", &["--offset-json-file", &path])?;
    ensure!(
        deleted.last().is_some_and(|line| line == "partition: numbers-0 low_watermark: 40"),
        "{deleted:?}"
    );
    ensure!(offset("earliest")? == "numbers:0:40\n");
    let rest: String = (40..100).map(|number| format!("{number}\n")).collect();
    ensure!(tools.consume("numbers", 60, &[])? == rest);
    Ok(())
}
