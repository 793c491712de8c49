//! franz-go's `GroupTransactSession` copies a topic exactly once in two processes, one of which is killed.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use testkit::bounded::{self, Conversation};
use testkit::prepared;
use testkit::server_process::{Product, ServerProcess};

const LIMIT: Duration = Duration::from_secs(90);
const HALF: u32 = 3000;
const SETTINGS: [(&str, &str); 2] = [
    ("num.partitions", "4"),
    // What a killed member leaves open is aborted soon.
    ("transaction.abort.timed.out.transaction.cleanup.interval.ms", "500"),
];

#[test]
fn franz_go_group_transact_session() -> Result<()> {
    let product = Product::under_test();
    let mut steps = vec!["franz-go"];
    if product == Product::Kafka {
        steps.push("kafka-server");
    }
    if !prepared::is_ready(&steps) {
        return Ok(());
    }
    let mut server = ServerProcess::start(product, &SETTINGS)?;
    let outcome = copy(&mut server);
    outcome.map_err(|error| anyhow!("{error:#}\n--- the server said\n{}", server.log()))
}

fn copy(server: &mut ServerProcess) -> Result<()> {
    for topic in ["in", "out"] {
        finish(command(server, "create", topic).arg("partitions=4"))?;
    }
    finish(command(server, "fill", "in").arg("first=0").arg(format!("count={HALF}")))?;
    let mut doomed = member(server, "doomed")?;
    let mut survivor = member(server, "survivor")?;
    wait_for_copies(&mut doomed)?;
    wait_for_copies(&mut survivor)?;
    finish(command(server, "fill", "in").arg(format!("first={HALF}")).arg(format!("count={HALF}")))?;
    doomed.kill_and_hear()?;
    let said = finish(command(server, "copies", "out").arg(format!("count={}", 2 * HALF)))?;
    ensure!(said.trim() == format!("exact {}", 2 * HALF), "{said}");
    survivor.say("stop")?;
    survivor.wait_for_end(LIMIT)?;
    Ok(())
}

fn command(server: &ServerProcess, step: &str, topic: &str) -> Command {
    let mut command = Command::new(prepared::folder().join("franz-go"));
    command.arg(step).arg(format!("bootstrap={}", server.bootstrap())).arg(format!("topic={topic}"));
    command
}

fn finish(command: &mut Command) -> Result<String> {
    Ok(String::from_utf8(bounded::output(command, b"", LIMIT)?)?)
}

fn member(server: &ServerProcess, id: &str) -> Result<Conversation> {
    let mut command = command(server, "transact", "in");
    Conversation::start(id, command.args(["out=out", "group=copiers"]).arg(format!("id={id}")))
}

/// Both have a share of the work before one is killed.
fn wait_for_copies(member: &mut Conversation) -> Result<()> {
    let deadline = Instant::now() + LIMIT;
    loop {
        let line = member.hear(Duration::from_secs(10))?;
        let line = line.with_context(|| format!("nothing for 10 s: {}", member.heard()))?;
        if line.starts_with("copied ") {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "{}", member.heard());
    }
}
