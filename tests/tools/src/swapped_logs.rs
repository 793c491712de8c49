//! Apache Kafka serves copies of Klamm's partition directories, and Klamm serves copies of Kafka's.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use testkit::prepared;
use testkit::server_process::{Product, ServerProcess};

use crate::tool::{CONSUMER_GROUPS, Tools, ensure_equal, text};

const PARTITION: &str = "text-0";
/// Names the topic's id, which each cluster gives itself.
const PARTITION_METADATA: &str = "partition.metadata";

#[test]
fn kafka_serves_what_klamm_has_written() -> Result<()> {
    swap(Product::Klamm, Product::Kafka)
}

#[test]
fn klamm_serves_what_kafka_has_written() -> Result<()> {
    swap(Product::Kafka, Product::Klamm)
}

fn swap(from: Product, to: Product) -> Result<()> {
    if !prepared::is_ready(&["kafka-tools", "kafka-server"]) {
        return Ok(());
    }
    let text = text()?.repeat(20);
    let mut writer = start_with_topic(from)?;
    for codec in ["none", "lz4"] {
        let tools = Tools::of(&writer);
        tools.produce("text", &text, &["--compression-codec", codec, "--batch-size", "2000"])?;
    }
    writer.stop()?;
    let mut reader = start_with_topic(to)?;
    reader.stop()?;
    replace_log(&writer.data().join(PARTITION), &reader.data().join(PARTITION))?;
    drop(writer);
    reader.launch()?;

    let tools = Tools::of(&reader);
    let count = 2 * text.lines().count();
    ensure_equal(&tools.consume("text", count, &["--group", "readers"])?, &text.repeat(2))?;
    // The log goes on where it ended, after a kill as well.
    tools.produce("text", "one more\n", &[])?;
    reader.kill()?;
    reader.launch()?;
    let whole = tools.consume("text", count + 1, &[])?;
    ensure_equal(&whole, &format!("{text}{text}one more\n"))?;
    let described = tools.lines(CONSUMER_GROUPS, &["--describe", "--group", "readers"])?;
    let wanted = format!("readers text 0 {count} {} 1 - - -", count + 1);
    ensure!(described.contains(&wanted), "{described:?}");
    Ok(())
}

fn start_with_topic(product: Product) -> Result<ServerProcess> {
    let server = ServerProcess::start(product, &[("offsets.topic.num.partitions", "1")])?;
    let configs = ["--config", "segment.bytes=1048576", "--config", "index.interval.bytes=1024"];
    Tools::of(&server).create_topic("text", &[&["--partitions", "1"][..], &configs].concat())?;
    Ok(server)
}

/// Puts the files of one partition directory into another one's place; the topic keeps its id.
pub fn replace_log(from: &Path, to: &Path) -> Result<()> {
    let entries = |folder: &Path| {
        let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
        entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()
    };
    // A topic without records has none yet.
    fs::create_dir_all(to)?;
    for path in entries(to)?.iter().filter(|path| !path.ends_with(PARTITION_METADATA)) {
        fs::remove_file(path)?;
    }
    for path in entries(from)?.iter().filter(|path| !path.ends_with(PARTITION_METADATA)) {
        fs::copy(path, to.join(path.file_name().context("a file has a name")?))?;
    }
    Ok(())
}
