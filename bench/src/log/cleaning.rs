//! Compaction and retention: what they cost, and what producers notice.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::Turn;

/// How long a compaction may take.
const PATIENCE: Duration = Duration::from_secs(120);
const NEVER: &str = "1.0";
const SOON: &str = "0.01";

/// Rows: CPU for a GB of new records, and a producer's p99.
pub fn compaction(turn: &mut Turn<'_>) -> Result<()> {
    let compacted =
        [("cleanup.policy", "compact"), ("segment.bytes", "16777216"), ("min.cleanable.dirty.ratio", NEVER)];
    let mib = turn.options.mib / 2;
    for topic in ["keyed", "keyed-again"] {
        turn.create(topic, 1, &compacted)?;
        turn.fill_keyed(topic, mib)?;
    }
    let size = turn.size_mib("keyed")?;
    let cpu_before = turn.server.cpu_seconds()?;
    turn.set("keyed", "min.cleanable.dirty.ratio", SOON)?;
    await_shrunk(turn, "keyed", size * 0.75)?;
    let cpu = turn.server.cpu_seconds()? - cpu_before;
    (turn.record)("compaction", "CPU s/GB", cpu / (size * 1.048_576 / 1_000.0));
    turn.disturb("compaction", |turn| turn.set("keyed-again", "min.cleanable.dirty.ratio", SOON))?;
    await_shrunk(turn, "keyed-again", size * 0.75)
}

/// Rows: a producer's p99 while segments of 1 MiB are deleted.
pub fn retention(turn: &mut Turn<'_>) -> Result<()> {
    turn.create("old", 1, &[("segment.bytes", "1048576")])?;
    turn.fill("old", 1, turn.options.mib)?;
    turn.disturb("retention", |turn| turn.set("old", "retention.bytes", "1048576"))?;
    await_shrunk(turn, "old", 10.0)
}

/// Waits until a topic has become smaller than `mib`, and then no smaller for a while.
fn await_shrunk(turn: &Turn<'_>, topic: &str, mib: f64) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    let mut size = f64::MAX;
    loop {
        let now = turn.size_mib(topic)?;
        if now < mib && now >= size {
            return Ok(());
        }
        size = now;
        ensure!(Instant::now() < deadline, "{topic} still has {now:.0} MiB");
        std::thread::sleep(Duration::from_millis(500));
    }
}
