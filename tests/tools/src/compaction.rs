//! A compacted topic: keyed records go in through Kafka's tools, and what is left passes Kafka's checks.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use testkit::prepared;
use testkit::server_process::{Product, ServerProcess};

use crate::log_files::{dump_compacted, files};
use crate::swapped_logs::replace_log;
use crate::tool::{Tools, ensure_equal};

const SETTINGS: [(&str, &str); 2] =
    [("log.cleaner.backoff.ms", "100"), ("offsets.topic.num.partitions", "1")];
const TOPIC: [&str; 10] = [
    "--partitions",
    "1",
    "--config",
    "cleanup.policy=compact",
    "--config",
    "segment.ms=100",
    "--config",
    "min.cleanable.dirty.ratio=0.01",
    "--config",
    "index.interval.bytes=100",
];
const CODECS: [&str; 5] = ["none", "gzip", "snappy", "lz4", "zstd"];
const KEYED: [&str; 4] = ["--reader-property", "parse.key=true", "--reader-property", "null.marker=NULL"];
const SHOWN: [&str; 4] =
    ["--formatter-property", "print.key=true", "--formatter-property", "print.offset=true"];
/// Twenty keys, three times over, in each codec.
const RECORDS: usize = 300;

#[test]
fn the_newest_record_of_each_key_is_left() -> Result<()> {
    let Some((mut server, tools)) = Tools::with_server(&SETTINGS)? else { return Ok(()) };
    let wanted = fill_and_compact(&server, &tools)?;
    ensure_equal(&tools.consume("state", wanted.lines().count(), &SHOWN)?, &wanted)?;
    server.stop()?;
    let folder = server.data().join("state-0");
    let dumped = dump_compacted(&files(&folder, ".log")?, &["--deep-iteration", "--print-data-log"])?;
    let records = dumped.lines().filter(|line| line.contains("| offset: ")).count();
    ensure!(records == wanted.lines().count(), "{dumped}");
    ensure!(dumped.contains("compresscodec: zstd"), "batches keep their codec: {dumped}");
    ensure!(dumped.contains("deleteHorizonMs: OptionalLong["), "the tombstone has its time: {dumped}");
    for ending in [".index", ".timeindex"] {
        let indexes = files(&folder, ending)?;
        dump_compacted(&indexes, &["--verify-index-only"])?;
        let checked = dump_compacted(&indexes, &["--index-sanity-check"])?;
        let passed = checked.lines().filter(|line| line.ends_with("passed sanity check.")).count();
        let empty = checked.lines().filter(|line| line.ends_with("is empty.")).count();
        ensure!(passed > 0 && passed + empty == indexes.len(), "{checked}");
    }
    Ok(())
}

#[test]
fn kafka_serves_what_klamm_has_compacted() -> Result<()> {
    if !prepared::is_ready(&["kafka-tools", "kafka-server"]) {
        return Ok(());
    }
    let mut writer = ServerProcess::start(Product::Klamm, &SETTINGS)?;
    let wanted = fill_and_compact(&writer, &Tools::of(&writer))?;
    writer.stop()?;
    let mut reader = ServerProcess::start(Product::Kafka, &SETTINGS)?;
    Tools::of(&reader).create_topic("state", &TOPIC)?;
    reader.stop()?;
    replace_log(&writer.data().join("state-0"), &reader.data().join("state-0"))?;
    reader.launch()?;
    let tools = Tools::of(&reader);
    ensure_equal(&tools.consume("state", wanted.lines().count(), &SHOWN)?, &wanted)?;
    // Kafka goes on compacting what Klamm has compacted.
    tools.produce("state", "key19\tnewer\n", &KEYED)?;
    tools.produce("state", "last\tone\n", &KEYED)?;
    await_cleaned(&reader, RECORDS + 2)?;
    let after: String =
        wanted.lines().filter(|line| !line.contains("key19\t")).map(|line| format!("{line}\n")).collect();
    let after = after.replace(
        "Offset:300\tlast\tone\n",
        "Offset:300\tlast\tone\nOffset:301\tkey19\tnewer\nOffset:302\tlast\tone\n",
    );
    ensure_equal(&tools.consume("state", after.lines().count(), &SHOWN)?, &after)
}

/// Sends the records, and one more that ends the segment of the others; returns what remains of them.
fn fill_and_compact(server: &ServerProcess, tools: &Tools) -> Result<String> {
    tools.create_topic("state", &TOPIC)?;
    let mut remaining = String::new();
    let mut offset = 0;
    for codec in CODECS {
        let mut text = String::new();
        for number in 0..RECORDS / CODECS.len() {
            let key = format!("key{}", number % 20);
            let is_deleted = key == "key7" && number >= 40;
            let value = if is_deleted { "NULL".to_owned() } else { format!("{codec} {number}") };
            text += &format!("{key}\t{value}\n");
            if codec == "zstd" && number >= 40 {
                let shown = if is_deleted { "null" } else { &value };
                remaining += &format!("Offset:{offset}\t{key}\t{shown}\n");
            }
            offset += 1;
        }
        tools.produce(
            "state",
            &text,
            &[&["--compression-codec", codec, "--batch-size", "200"][..], &KEYED].concat(),
        )?;
    }
    tools.produce("state", "last\tone\n", &KEYED)?;
    await_cleaned(server, offset)?;
    Ok(remaining + &format!("Offset:{offset}\tlast\tone\n"))
}

/// Waits until the checkpoint of the cleaner says that the log is clean up to here.
fn await_cleaned(server: &ServerProcess, offset: usize) -> Result<()> {
    let checkpoint = server.data().join("cleaner-offset-checkpoint");
    let wanted = format!("state 0 {offset}");
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let text = fs::read_to_string(&checkpoint).unwrap_or_default();
        if text.lines().any(|line| line == wanted) {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "not clean up to {offset}: {text:?}\n{}", server.log());
        thread::sleep(Duration::from_millis(50));
    }
}
