//! Two of Java's share consumers work through a topic, acknowledging in every way; one is killed, then the server.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use testkit::bounded::Conversation;
use testkit::prepared;
use testkit::server_process::{Product, ServerProcess};

use crate::share_groups::{command, step};

const PATIENCE: Duration = Duration::from_secs(60);
const RECORDS: usize = 4000;
const SETTINGS: [(&str, &str); 3] = [
    ("share.coordinator.state.topic.num.partitions", "3"),
    ("group.share.min.record.lock.duration.ms", "1000"),
    ("group.share.record.lock.duration.ms", "2000"),
];

/// What the workers said.
#[derive(Default)]
struct Work {
    tried: BTreeSet<String>,
    done: BTreeSet<String>,
    twice: Vec<String>,
}

#[test]
fn java_share_consumers_and_the_server_are_killed() -> Result<()> {
    let product = Product::under_test();
    let mut steps = vec!["java-clients"];
    if product == Product::Kafka {
        steps.push("kafka-server");
    }
    if !prepared::is_ready(&steps) {
        return Ok(());
    }
    let mut server = ServerProcess::start(product, &SETTINGS)?;
    run(&mut server).map_err(|error| anyhow!("{error:#}\n--- the server said\n{}", server.log()))
}

fn run(server: &mut ServerProcess) -> Result<()> {
    step(server, "before-work")?;
    let mut work = Work::default();
    let mut doomed = Conversation::start("the doomed worker", command(server).arg("work"))?;
    let mut survivor = Conversation::start("the survivor", command(server).arg("work"))?;
    listen(&mut [&mut doomed, &mut survivor], &mut work, RECORDS / 4)?;
    // What it was about to acknowledge comes again when its locks end.
    let last_words = doomed.kill_and_hear()?;
    last_words.iter().for_each(|line| work.note(line));
    server.kill()?;
    server.launch()?;
    listen(&mut [&mut survivor], &mut work, RECORDS)?;
    let said = step(server, "after-work")?;
    ensure!(said.starts_with("after-work"), "{said}");
    ensure!(work.twice.is_empty(), "acknowledged, and handed out again: {:?}", work.twice);
    ensure!(work.tried.len() == RECORDS, "{} of {RECORDS} records were handed out", work.tried.len());
    survivor.say("stop")?;
    survivor.wait_for_end(PATIENCE)?;
    server.stop()
}

/// Until so many records were tried.
fn listen(workers: &mut [&mut Conversation], work: &mut Work, count: usize) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while work.tried.len() < count {
        for worker in workers.iter_mut() {
            while let Some(line) = worker.hear(Duration::from_millis(20))? {
                work.note(&line);
            }
        }
        ensure!(Instant::now() < deadline, "{} of {count} records after {PATIENCE:?}", work.tried.len());
    }
    Ok(())
}

impl Work {
    fn note(&mut self, line: &str) {
        if let Some(values) = line.strip_prefix("trying ") {
            for value in values.split(' ') {
                if self.done.contains(value) {
                    self.twice.push(value.to_owned());
                }
                self.tried.insert(value.to_owned());
            }
        } else if let Some(values) = line.strip_prefix("done ") {
            self.done.extend(values.split(' ').map(str::to_owned));
        }
    }
}
