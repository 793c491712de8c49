//! Kafka Streams counts words exactly once, with a RocksDB store and two instances, one of which is killed.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail, ensure};
use testkit::bounded::Conversation;
use testkit::prepared;
use testkit::server_process::{Product, ServerProcess};

const PATIENCE: Duration = Duration::from_secs(90);
/// Killed instances and what they left under way are given up soon.
const SETTINGS: [(&str, &str); 8] = [
    ("group.streams.min.session.timeout.ms", "5000"),
    ("group.streams.session.timeout.ms", "5000"),
    ("group.streams.min.heartbeat.interval.ms", "500"),
    ("group.streams.heartbeat.interval.ms", "500"),
    ("group.streams.initial.rebalance.delay.ms", "0"),
    ("transaction.abort.timed.out.transaction.cleanup.interval.ms", "500"),
    ("offsets.topic.num.partitions", "5"),
    ("transaction.state.log.num.partitions", "5"),
];
/// Tasks of the topology: four that split lines, four that count words.
const TASKS: u64 = 8;

#[test]
fn word_count_with_the_classic_protocol() -> Result<()> {
    run("classic", false)
}

#[test]
fn word_count_with_the_streams_protocol_and_a_killed_server() -> Result<()> {
    run("streams", true)
}

fn run(protocol: &str, is_server_killed: bool) -> Result<()> {
    let product = Product::under_test();
    let mut steps = vec!["kafka-streams"];
    if product == Product::Kafka {
        steps.push("kafka-server");
    }
    if !prepared::is_ready(&steps) {
        return Ok(());
    }
    let mut server = ServerProcess::start(product, &SETTINGS)?;
    let outcome = count_words(&mut server, protocol, is_server_killed);
    outcome.map_err(|error| anyhow!("{error:#}\n--- the server said\n{}", server.log()))
}

fn count_words(server: &mut ServerProcess, protocol: &str, is_server_killed: bool) -> Result<()> {
    let lines = lines()?;
    let folder = tempfile::tempdir()?;
    let mut watcher = Conversation::start("the watcher", command(server).arg("watch"))?;
    hear(&mut watcher, |line| line == "ready")?;
    let mut first = instance(server, protocol, &folder.path().join("first"))?;
    let mut second = instance(server, protocol, &folder.path().join("second"))?;
    tell(&mut watcher, &format!("send {lines}"), "sent")?;
    wait_for_tasks(&mut [&mut first, &mut second])?;
    tell(&mut watcher, "read 30", "read")?;
    tell(&mut watcher, &format!("send {lines}"), "sent")?;
    // Killed in the middle of its transactions.
    drop(second);
    if is_server_killed {
        server.kill()?;
        server.launch()?;
    }
    tell(&mut watcher, &format!("send {lines}"), "sent")?;
    let said = tell(&mut watcher, "end", "exact")?;
    println!("note: {protocol}: {said}");
    ensure!(!watcher.heard().contains("failed: "), "{}", watcher.heard());
    first.say("stop")?;
    hear(&mut first, |line| line == "closed")?;
    Ok(())
}

/// Lines of each of the three sendings; `KLAMM_TEST_RECORDS` makes a longer run.
fn lines() -> Result<u64> {
    Ok(std::env::var("KLAMM_TEST_RECORDS").ok().map(|count| count.parse()).transpose()?.unwrap_or(1000))
}

fn command(server: &ServerProcess) -> Command {
    let setup = prepared::folder();
    let classpath = format!("{}/streams-classes:{}/streams-4.3.1/*", setup.display(), setup.display());
    let mut command = Command::new("java");
    command.args(["-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]);
    command.arg("-Dorg.slf4j.simpleLogger.defaultLogLevel=error").arg("-cp").arg(classpath);
    command.arg("WordCount").arg(server.bootstrap());
    command
}

fn instance(server: &ServerProcess, protocol: &str, folder: &Path) -> Result<Conversation> {
    Conversation::start(
        &format!("the instance in {}", folder.display()),
        command(server).args(["instance", protocol]).arg(folder),
    )
}

/// Both instances run and have some of the tasks; together they have all.
fn wait_for_tasks(instances: &mut [&mut Conversation]) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    let mut tasks = vec![0; instances.len()];
    while tasks.contains(&0) || tasks.iter().sum::<u64>() != TASKS {
        for (instance, tasks) in instances.iter_mut().zip(&mut tasks) {
            if let Some(line) = instance.hear(Duration::from_millis(50))?
                && let Some(count) = line.strip_prefix("tasks ")
            {
                *tasks = count.parse()?;
            }
        }
        if Instant::now() > deadline {
            let heard: Vec<_> = instances.iter().map(|instance| instance.heard()).collect();
            bail!("{tasks:?} tasks after {PATIENCE:?}: {}", heard.join("\n"));
        }
    }
    Ok(())
}

fn tell(conversation: &mut Conversation, what: &str, answer: &str) -> Result<String> {
    conversation.say(what)?;
    hear(conversation, |line| line.starts_with(answer) || line.starts_with("failed: "))
}

fn hear(conversation: &mut Conversation, is_awaited: impl Fn(&str) -> bool) -> Result<String> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Some(line) = conversation.hear(Duration::from_secs(1))?
            && is_awaited(&line)
        {
            ensure!(!line.starts_with("failed: "), "{line}");
            return Ok(line);
        }
    }
    bail!("nothing after {PATIENCE:?}: {}", conversation.heard())
}
