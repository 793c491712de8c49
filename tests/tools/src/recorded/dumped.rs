//! `klamm dump-log` beside Kafka's on the same files: every line is equal, nothing is masked.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use testkit::prepared;
use testkit::server_process::{Product, ServerProcess};

use super::player::{KafkasTools, our_tool};

/// Files below a folder with this suffix, sorted.
fn files(folder: &Path, suffix: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path, suffix)?);
        } else if path.extension().is_some_and(|extension| extension == suffix) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn fill(server: &ServerProcess) -> Result<()> {
    let bootstrap = server.bootstrap();
    let run = |line: &str, input: &str| -> Result<()> {
        let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        words.splice(1..1, ["--bootstrap-server".to_owned(), bootstrap.clone()]);
        let answer = our_tool(&words, input)?;
        ensure!(answer.exit == 0, "{line}: {}{}", answer.out, answer.err);
        Ok(())
    };
    run(
        "topics --create --topic one --partitions 2 --config segment.bytes=1048576 --config index.interval.bytes=100",
        "",
    )?;
    let lines: String = (0..2000).map(|number| format!("key-{number}:value-{number}\n")).collect();
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let options = "--reader-property parse.key=true --reader-property key.separator=:";
        run(
            &format!("console-producer --topic one --compression-codec {codec} --batch-size 500 {options}"),
            &lines,
        )?;
    }
    run("consumer-groups --reset-offsets --group g1 --topic one --to-earliest --execute", "")?;
    run("configs --alter --topic one --add-config retention.ms=3600000", "")
}

#[test]
fn files_are_dumped_as_kafka_dumps_them() -> Result<()> {
    if !prepared::is_ready(&["kafka-tools"]) {
        return Ok(());
    }
    let mut server = ServerProcess::start(Product::Klamm, &[])?;
    fill(&server)?;
    server.stop()?;
    let data = server.data();
    let mut kafka = KafkasTools::start()?;
    let mut compared = 0;
    let mut compare = |list: Vec<PathBuf>, options: &[&str]| -> Result<()> {
        for file in list {
            let name = file.to_string_lossy().into_owned();
            let mut words = vec!["dump-log".to_owned(), "--files".to_owned(), name.clone()];
            words.extend(options.iter().map(|option| (*option).to_owned()));
            let (wanted, got) = (kafka.run(&words, "")?, our_tool(&words, "")?);
            let differs = wanted.out.lines().zip(got.out.lines()).find(|(wanted, got)| wanted != got);
            ensure!(
                wanted.out == got.out && wanted.exit == got.exit,
                "{name} {options:?}: exit {} and {}; {differs:?}",
                wanted.exit,
                got.exit
            );
            compared += 1;
        }
        Ok(())
    };
    let topic = |suffix: &str| {
        files(&data, suffix).map(|mut list| {
            list.retain(|path| path.to_string_lossy().contains("/one-"));
            list
        })
    };
    compare(topic("log")?, &[])?;
    compare(topic("log")?, &["--deep-iteration"])?;
    compare(topic("log")?, &["--print-data-log", "--skip-record-metadata"])?;
    compare(topic("log")?, &["--print-data-log", "--max-bytes", "5000"])?;
    for suffix in ["index", "timeindex"] {
        compare(topic(suffix)?, &[])?;
        compare(topic(suffix)?, &["--verify-index-only"])?;
        compare(topic(suffix)?, &["--index-sanity-check"])?;
    }
    compare(topic("snapshot")?, &[])?;
    let mut offsets = files(&data, "log")?;
    offsets.retain(|path| {
        path.to_string_lossy().contains("/__consumer_offsets-")
            && path.metadata().is_ok_and(|meta| meta.len() > 0)
    });
    compare(offsets, &["--offsets-decoder"])?;
    let metadata = data.join("__cluster_metadata-0");
    compare(files(&metadata, "log")?, &["--cluster-metadata-decoder"]).context("the metadata log")?;
    println!("note: dump-log: {compared} dumps are equal");
    ensure!(compared > 20, "only {compared} files were there");
    Ok(())
}
