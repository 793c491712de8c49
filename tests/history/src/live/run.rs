//! One run from an empty server to the checker's report.
//!
//! `HISTORY_SECONDS` is how long clients and faults are at work, `HISTORY_SEED` decides what they do, `HISTORY_KEEP` names a
//! folder that keeps the history.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use history_tests::check::check;
use history_tests::history::{History, Operation, Outcome};
use history_tests::random::Random;
use history_tests::{text, topics};
use testkit::calls::create_topic;
use testkit::raw_client::RawClient;
use testkit::server_process::{Product, ServerProcess};

use super::faults::Faults;
use super::last_reader;
use super::processes::Processes;

const SECONDS_BY_DEFAULT: u64 = 20;
const SLOTS: u32 = 4;
/// Sessions and transactions that end within a run.
const SETTINGS: &[(&str, &str)] = &[
    ("offsets.topic.num.partitions", "4"),
    ("transaction.state.log.num.partitions", "4"),
    ("group.min.session.timeout.ms", "500"),
    ("group.consumer.min.session.timeout.ms", "500"),
    ("group.consumer.session.timeout.ms", "2000"),
    ("group.consumer.min.heartbeat.interval.ms", "100"),
    ("group.consumer.heartbeat.interval.ms", "300"),
    ("transaction.abort.timed.out.transaction.cleanup.interval.ms", "500"),
];

#[test]
fn clients_under_faults_see_no_anomaly() -> Result<()> {
    let seconds = number("HISTORY_SECONDS")?.unwrap_or(SECONDS_BY_DEFAULT);
    let seed = number("HISTORY_SEED")?.unwrap_or_else(|| u64::from(std::process::id()));
    println!("note: {seconds} seconds, HISTORY_SEED={seed}");
    let temporary = tempfile::tempdir()?;
    let folder = std::env::var_os("HISTORY_KEEP").map_or(temporary.path().to_owned(), PathBuf::from);
    let mut server = ServerProcess::start(Product::under_test(), SETTINGS)?;
    let mut admin = RawClient::connect(server.bootstrap(), "admin")?;
    create_topic(&mut admin, topics::INPUT, topics::INPUT_PARTITIONS as i32, &[])?;
    create_topic(&mut admin, topics::OUTPUT, topics::OUTPUT_PARTITIONS as i32, &[])?;
    let mut processes = Processes::start(&server.bootstrap(), &folder, seed, SLOTS)?;
    let (mut faults, mut random) = (Faults::default(), Random::new(seed));
    faults.happen(&mut server, &mut processes, &mut random, Duration::from_secs(seconds))?;
    let finished = processes.end()?;
    println!("note: {faults:?}; {finished} of {SLOTS} clients finished by themselves");
    ensure!(!server.whole_log().contains("panicked"), "a panic: {}", server.log());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let last = runtime
        .block_on(last_reader::read(&server.bootstrap()))
        .with_context(|| format!("HISTORY_SEED={seed}: {}", server.log()))?;
    server.stop()?;
    judge(&folder, last).with_context(|| format!("HISTORY_SEED={seed}"))
}

fn judge(folder: &Path, last: Vec<Operation>) -> Result<()> {
    let mut operations = last;
    for entry in std::fs::read_dir(folder)? {
        operations.extend(text::read(&entry?.path())?);
    }
    let history = History::new(operations, true);
    let count = |outcome| history.operations.iter().filter(|one| one.outcome == outcome).count();
    let sends = history.operations.iter().map(|operation| operation.sends().count()).sum::<usize>();
    let polled = history.operations.iter().map(|operation| operation.polled().count()).sum::<usize>();
    println!(
        "note: {} operations ({} ok, {} fail, {} info) with {sends} sends and {polled} records polled",
        history.operations.len(),
        count(Outcome::Ok),
        count(Outcome::Fail),
        count(Outcome::Info),
    );
    let began = Instant::now();
    let report = check(&history);
    println!("note: checked in {} ms; what was found:\n{report}", began.elapsed().as_millis());
    ensure!(report.fatal().is_empty(), "anomalies:\n{report}");
    // A run in which nothing happens proves nothing.
    ensure!(count(Outcome::Ok) > 100 && count(Outcome::Fail) > 0 && polled > 100, "hardly anything happened");
    Ok(())
}

fn number(variable: &str) -> Result<Option<u64>> {
    std::env::var(variable)
        .ok()
        .map(|text| text.parse().with_context(|| format!("{variable}={text}")))
        .transpose()
}
