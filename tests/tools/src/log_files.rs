//! `kafka-dump-log` on the files that the server has left.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::tool::{Tools, run_offline, text};

/// What dump-log says where it does not like a file.
const COMPLAINTS: [&str; 7] =
    ["Mismatches in", "mismatch", "Non-consecutive", "Could not", "Exception", "isvalid: false", "error"];

fn dump(files: &[PathBuf], options: &[&str]) -> Result<String> {
    dump_unless(files, options, &COMPLAINTS)
}

/// The same of a compacted log, whose offsets have gaps.
pub fn dump_compacted(files: &[PathBuf], options: &[&str]) -> Result<String> {
    let complaints: Vec<&str> =
        COMPLAINTS.into_iter().filter(|complaint| *complaint != "Non-consecutive").collect();
    dump_unless(files, options, &complaints)
}

fn dump_unless(files: &[PathBuf], options: &[&str], complaints: &[&str]) -> Result<String> {
    let files: Vec<String> = files.iter().map(|file| file.to_string_lossy().into_owned()).collect();
    let dumped = run_offline("DumpLogSegments", &[&["--files", &files.join(",")], options].concat())?;
    // What the records say is no complaint.
    for line in dumped.lines().filter(|line| !line.starts_with("| offset: ")) {
        let complaint = complaints.iter().find(|complaint| line.contains(**complaint));
        ensure!(complaint.is_none(), "{options:?}: {line}");
    }
    Ok(dumped)
}

/// The files of a folder whose names end so, oldest segment first.
pub fn files(folder: &Path, ending: &str) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut files = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    files.retain(|file| file.to_string_lossy().ends_with(ending));
    files.sort();
    Ok(files)
}

#[test]
fn segments_and_indexes_pass_kafkas_checks() -> Result<()> {
    let Some((mut server, tools)) = Tools::with_server(&[])? else { return Ok(()) };
    let configs = ["--config", "segment.bytes=1048576", "--config", "index.interval.bytes=1024"];
    tools.create_topic("text", &[&["--partitions", "1"][..], &configs].concat())?;
    let text = text()?.repeat(20);
    let codecs = ["none", "gzip", "snappy", "lz4", "zstd"];
    for codec in codecs {
        tools.produce("text", &text, &["--compression-codec", codec, "--batch-size", "2000"])?;
    }
    server.stop()?;
    let folder = server.data().join("text-0");
    let segments = files(&folder, ".log")?;
    ensure!(segments.len() > 1, "{segments:?}");
    let dumped = dump(&segments, &["--deep-iteration", "--print-data-log"])?;
    let records = dumped.lines().filter(|line| line.contains("| offset: ")).count();
    ensure!(records == codecs.len() * text.lines().count(), "{records} records");
    for codec in codecs {
        let is_there = dumped.contains(&format!("compresscodec: {codec}"));
        ensure!(is_there, "no batch with {codec}");
    }
    for ending in [".index", ".timeindex"] {
        let indexes = files(&folder, ending)?;
        ensure!(indexes.len() == segments.len(), "{indexes:?}");
        let entries = dump(&indexes, &[])?;
        ensure!(entries.lines().count() > 4 * indexes.len(), "{ending}: {entries}");
        dump(&indexes, &["--verify-index-only"])?;
        let checked = dump(&indexes, &["--index-sanity-check"])?;
        let passed = checked.lines().filter(|line| line.ends_with("passed sanity check.")).count();
        ensure!(passed == indexes.len(), "{checked}");
    }
    let snapshots = files(&folder, ".snapshot")?;
    ensure!(!snapshots.is_empty(), "no snapshot of producers");
    let producers = dump(&snapshots, &[])?;
    ensure!(producers.contains("producerId: "), "{producers}");
    Ok(())
}

#[test]
fn offsets_of_groups_are_decoded() -> Result<()> {
    let Some((mut server, tools)) = Tools::with_server(&[("offsets.topic.num.partitions", "1")])? else {
        return Ok(());
    };
    tools.create_topic("one", &["--partitions", "1"])?;
    tools.produce("one", "a\nb\nc\n", &[])?;
    tools.consume("one", 3, &["--group", "readers"])?;
    server.stop()?;
    let dumped = dump(&files(&server.data().join("__consumer_offsets-0"), ".log")?, &["--offsets-decoder"])?;
    ensure!(dumped.contains(r#""group":"readers","topic":"one","partition":0"#), "{dumped}");
    ensure!(dumped.contains(r#""offset":3"#), "{dumped}");
    ensure!(dumped.contains(r#""protocolType":"consumer""#), "{dumped}");
    Ok(())
}

#[test]
fn the_metadata_log_and_a_snapshot_are_decoded() -> Result<()> {
    let configuration = [("metadata.log.max.record.bytes.between.snapshots", "1000")];
    let Some((mut server, tools)) = Tools::with_server(&configuration)? else { return Ok(()) };
    tools.create_topic("one", &["--partitions", "50"])?;
    let folder = server.data().join("__cluster_metadata-0");
    let deadline = Instant::now() + Duration::from_secs(30);
    let snapshot = loop {
        // The name begins with the offset at which the snapshot ends; Kafka's first one is written at offset 0.
        let snapshots = files(&folder, ".checkpoint")?;
        let later =
            snapshots.into_iter().rev().find(|path| !path.to_string_lossy().contains("/0000000000000000000"));
        if let Some(snapshot) = later {
            break snapshot;
        }
        ensure!(Instant::now() < deadline, "no snapshot in {}", folder.display());
        thread::sleep(Duration::from_millis(20));
    };
    let decoded = dump(&[snapshot], &["--cluster-metadata-decoder"])?;
    for record in ["SnapshotHeader", "FEATURE_LEVEL_RECORD", "REGISTER_BROKER_RECORD", "SnapshotFooter"] {
        ensure!(decoded.contains(record), "{record}: {decoded}");
    }
    server.stop()?;
    let decoded = dump(&files(&folder, ".log")?, &["--cluster-metadata-decoder", "--deep-iteration"])?;
    ensure!(decoded.contains(r#""type":"TOPIC_RECORD""#), "{decoded}");
    ensure!(decoded.matches(r#""type":"PARTITION_RECORD""#).count() == 50, "{decoded}");
    Ok(())
}
