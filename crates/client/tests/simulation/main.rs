//! The whole client against a simulated cluster in virtual time: seeded schedules, and each error in its turn.
//!
//! `SEEDS=10000 cargo test -p klamm-client --test simulation schedules` runs so many schedules, `FIRST_SEED` begins elsewhere.

mod broker;
mod cluster;
mod coordinator;
mod endings;
mod log;
mod turns;
mod wire;
mod workload;

use anyhow::{Context, Result, ensure};

/// Schedules in a run that names no number.
const SAMPLE: u64 = 60;

fn number(name: &str, default: u64) -> Result<u64> {
    match std::env::var(name) {
        Ok(text) => text.parse().with_context(|| format!("{name}={text}")),
        Err(_) => Ok(default),
    }
}

/// A runtime whose clock goes on only when nobody has anything to do.
fn virtual_time() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?)
}

#[test]
fn schedules_lose_nothing_double_nothing_and_end() -> Result<()> {
    let (first, count) = (number("FIRST_SEED", 0)?, number("SEEDS", SAMPLE)?);
    let mut failed = Vec::new();
    for seed in first..first + count {
        if let Err(error) = virtual_time()?.block_on(workload::run(seed)) {
            println!("seed {seed}: {error:#}");
            failed.push(seed);
        }
    }
    println!("{} of {count} schedules held", count - failed.len() as u64);
    ensure!(failed.is_empty(), "seeds {failed:?}");
    Ok(())
}
