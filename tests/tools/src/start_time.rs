//! How long a tool takes from its start over one exchange with the server to its end, beside Kafka's.
//!
//! `cargo xtask bench tools` runs this with the release build, many rounds and Java; the ordinary test is a short one.

use std::env;
use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use testkit::prepared;
use testkit::server_process::{Product, ServerProcess};

use crate::recorded::player::{kafkas_class, our_binary, our_tool};

/// One call each; `B` stands for the bootstrap server and its option.
const COMMANDS: &[&str] = &[
    "topics B --list",
    "configs B --describe --topic one",
    "console-producer B --topic one",
    "console-consumer B --topic one --partition 0 --offset earliest --max-messages 1",
    "consumer-groups B --list",
    "groups B --list",
    "share-groups B --list",
    "streams-groups B --list",
    "get-offsets B --topic one",
    "delete-records B --offset-json-file FILE",
    "log-dirs B --describe",
    "broker-api-versions B",
    "cluster cluster-id B",
    "features B describe",
    "metadata-quorum B describe --status",
    "acls B --list",
    "leader-election B --election-type preferred --all-topic-partitions",
    "reassign-partitions B --list",
    "transactions B list",
    "client-metrics B --list",
    "producer-perf-test B --topic one --num-records 1 --record-size 10 --throughput -1",
    "verifiable-producer B --topic one --max-messages 1",
    "storage random-uuid",
];

/// What the goal is, for the release build.
const GOAL: Duration = Duration::from_millis(15);
/// What no build may need, on a busy machine.
const LIMIT: Duration = Duration::from_secs(2);

fn once(command: &mut Command) -> Result<(Duration, bool)> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let begun = Instant::now();
    let status = command.status().with_context(|| format!("{command:?}"))?;
    Ok((begun.elapsed(), status.success()))
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

#[test]
fn tools_start_call_and_end_at_once() -> Result<()> {
    let is_bench = env::var_os("KLAMM_BENCH_TOOLS").is_some();
    let with_java = is_bench && prepared::is_ready(&["kafka-tools"]);
    let (rounds, java_rounds) = if is_bench { (21, 3) } else { (3, 0) };
    let server = ServerProcess::start(Product::Klamm, &[])?;
    let bootstrap = server.bootstrap();
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("records.json");
    fs::write(&file, r#"{"partitions": [{"topic": "one", "partition": 0, "offset": 0}], "version": 1}"#)?;
    let option = format!("--bootstrap-server {bootstrap}");
    let words = |line: &str| -> Vec<String> {
        let line = line.replace(" B", &format!(" {option}")).replace("FILE", &file.to_string_lossy());
        line.split(' ').map(str::to_owned).collect()
    };
    ensure!(our_tool(&words("topics B --create --topic one"), "")?.exit == 0, "no topic");
    ensure!(our_tool(&words("console-producer B --topic one"), "first\n")?.exit == 0, "no record");
    let mut late = Vec::new();
    println!("{:<24} {:>9} {:>9} {:>9}", "tool", "median", "fastest", "Java");
    for line in COMMANDS {
        let words = words(line);
        let mut times = Vec::new();
        for _ in 0..rounds {
            let (time, succeeded) = once(Command::new(our_binary()?).args(&words))?;
            // Without an authorizer the answer about ACLs is a refusal.
            ensure!(succeeded || words[0] == "acls", "{line} fails");
            times.push(time);
        }
        let mut java_times = Vec::new();
        for _ in 0..if with_java { java_rounds } else { 0 } {
            let mut java = Command::new("java");
            java.args(["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp"]);
            java.arg(prepared::folder().join("kafka-tools-4.3.1/*"));
            java.arg(kafkas_class(&words[0])?).args(&words[1..]);
            java_times.push(once(&mut java)?.0);
        }
        let fastest = times.iter().min().copied().unwrap_or_default();
        let median_time = median(times);
        let milliseconds = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1000.0);
        let java = if java_times.is_empty() { "-".to_owned() } else { milliseconds(median(java_times)) };
        println!("{:<24} {:>9} {:>9} {java:>9}", words[0], milliseconds(median_time), milliseconds(fastest));
        if fastest > LIMIT || (is_bench && median_time > GOAL) {
            late.push(format!("{line}: {median_time:?}"));
        }
    }
    ensure!(late.is_empty(), "too late: {late:?}");
    Ok(())
}
