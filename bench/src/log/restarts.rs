//! From the start of the process to the first acknowledged produce, after a clean stop and after kill -9.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::Turn;
use crate::connection::{Connection, check_produced, produce_frame};

const PATIENCE: Duration = Duration::from_secs(120);

/// Rows: both restarts.
pub fn measure(turn: &mut Turn<'_>) -> Result<()> {
    let (mib, partitions) = (turn.options.mib, turn.options.partitions);
    turn.create("stored", partitions, &[])?;
    turn.fill("stored", partitions, mib)?;
    let what = format!("{mib} MiB in {partitions} partitions");
    let stopping = Instant::now();
    let started = turn.server.restart()?;
    (turn.record)(&format!("clean stop with {what}"), "ms", (started - stopping).as_secs_f64() * 1e3);
    let start_ms = first_produce(turn, started)?;
    (turn.record)(&format!("start with {what} after a clean stop"), "ms", start_ms);
    // Every partition has something that the last checkpoint does not know of.
    turn.fill("stored", partitions, usize::try_from(partitions)?.div_ceil(1_000))?;
    let started = turn.server.kill_and_restart()?;
    let start_ms = first_produce(turn, started)?;
    (turn.record)(&format!("start with {what} after kill -9"), "ms", start_ms);
    Ok(())
}

/// Milliseconds since `started` when a produce is acknowledged.
fn first_produce(turn: &Turn<'_>, started: Instant) -> Result<f64> {
    let mut frame = produce_frame("stored", 0, -1, 1, 100)?.0;
    loop {
        let attempt = Connection::open(&turn.server.address).and_then(|mut connection| {
            connection.send(&mut frame, 1)?;
            check_produced(connection.receive()?)
        });
        if attempt.is_ok() || started.elapsed() > PATIENCE {
            attempt?;
            return Ok(started.elapsed().as_secs_f64() * 1e3);
        }
    }
}
