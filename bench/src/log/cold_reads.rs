//! Consumers that catch up on what is no longer in memory, while a producer goes on.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};

use super::Turn;
use super::filling::forget;
use crate::closed_loop;

const READ_BYTES: usize = 1 << 20;

/// Rows: the producer's p99, and what the consumer gets.
pub fn measure(turn: &mut Turn<'_>) -> Result<()> {
    turn.create("cold", 1, &[])?;
    turn.fill("cold", 1, turn.options.mib)?;
    for path in turn.segments("cold")? {
        forget(&path)?;
    }
    let duration = Duration::from_secs_f64(turn.options.seconds);
    let address = turn.server.address.clone();
    let mut reader = None;
    turn.disturb("a cold catch-up", |_| {
        reader = Some(thread::spawn(move || closed_loop::fetch(&address, "cold", READ_BYTES, duration)));
        Ok(())
    })?;
    let reader = reader.context("it was begun")?;
    let read = reader.join().map_err(|_| anyhow!("the reader panicked"))??;
    (turn.record)("cold catch-up meanwhile", "MB/s", read.bytes as f64 / 1e6 / read.seconds);
    Ok(())
}
