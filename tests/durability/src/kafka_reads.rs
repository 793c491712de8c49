//! Apache Kafka's own check of the files that Klamm has written.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use testkit::{bounded, prepared};

const LIMIT: Duration = Duration::from_secs(120);
/// What Kafka's tool says where it does not like a file.
const COMPLAINTS: [&str; 6] = [
    "Mismatches in",
    "Non-consecutive",
    "Could not",
    "Exception",
    "isvalid: false",
    "Found timestamp mismatch",
];

/// Every file of the partitions below these folders through `kafka-dump-log`: batches and records, indexes against the
/// log, and the indexes' own sanity. Returns how many files there are; none without Kafka.
pub fn dump_log(log_dirs: &[PathBuf]) -> Result<usize> {
    if !prepared::is_ready(&["kafka-tools"]) {
        return Ok(0);
    }
    let (mut logs, mut indexes) = (Vec::new(), Vec::new());
    for folder in log_dirs {
        for entry in fs::read_dir(folder)? {
            let partition = entry?.path();
            if !partition.is_dir() {
                continue;
            }
            for entry in fs::read_dir(&partition)? {
                let file = entry?.path().to_string_lossy().into_owned();
                match file.rsplit('.').next() {
                    Some("log" | "snapshot") => logs.push(file),
                    Some("index" | "timeindex" | "txnindex") => indexes.push(file),
                    _ => {}
                }
            }
        }
    }
    dump(&logs, "--deep-iteration")?;
    dump(&indexes, "--verify-index-only")?;
    indexes.retain(|file| !file.ends_with(".txnindex"));
    let checked = dump(&indexes, "--index-sanity-check")?;
    let is_sane = |line: &&str| line.ends_with("passed sanity check.") || line.ends_with("is empty.");
    let passed = checked.lines().filter(is_sane).count();
    ensure!(passed == indexes.len(), "{passed} of {}: {checked}", indexes.len());
    Ok(logs.len() + indexes.len())
}

fn dump(files: &[String], option: &str) -> Result<String> {
    let mut command = Command::new("java");
    command.args(["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp"]);
    command.arg(prepared::folder().join("kafka-tools-4.3.1/*"));
    command.args(["org.apache.kafka.tools.DumpLogSegments", "--files", &files.join(","), option]);
    let said = String::from_utf8(bounded::output(&mut command, b"", LIMIT)?)?;
    for line in said.lines().filter(|line| !line.starts_with("| offset: ")) {
        let complaint = COMPLAINTS.iter().find(|complaint| line.contains(**complaint));
        ensure!(complaint.is_none(), "{option}: {line}");
    }
    Ok(said)
}
