//! A disk that syncs slowly holds its producers back: what they may have under way is bounded, and all of it arrives.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use storage::disk::Disk;
use testkit::calls::{batch, create_topic, produce, receive_produce, send_produce};
use testkit::raw_client::RawClient;

use crate::harness::{Fixture, MOMENT, PATIENCE, TWO_DIRECTORIES};

const PRODUCERS: usize = 2;
/// More than a connection may have under way and its socket holds.
const PRODUCES: usize = 400;
/// Bytes of requests that a connection may have under way, and one request.
const PIPELINED_BYTES: usize = 1024 * 1024;
const VALUE_BYTES: usize = 64 * 1024;

#[test]
fn producers_are_held_back_until_the_disk_has_caught_up() -> Result<()> {
    let fixture = Fixture::start(&[TWO_DIRECTORIES])?;
    let mut client = fixture.client()?;
    create_topic(&mut client, "t", 1, &[])?;
    produce(&mut client, "t", &["first"])?;
    fixture.gate.close_for("t-0");
    let before = stored(&fixture)?;
    let mut producers = Vec::new();
    for _ in 0..PRODUCERS {
        let client = fixture.client()?;
        producers.push(thread::spawn(move || push(client)));
    }
    // As much as may be under way is taken, and then nothing more.
    let (mut taken, mut since) = (before, Instant::now());
    while taken == before || since.elapsed() < MOMENT {
        ensure!(since.elapsed() < PATIENCE, "nothing came");
        let now = stored(&fixture)?;
        if now > taken {
            (taken, since) = (now, Instant::now());
        }
        thread::park_timeout(Duration::from_millis(5));
    }
    let most = PRODUCERS * (PIPELINED_BYTES + batch(&[&value()]).len());
    ensure!(taken - before <= most as u64, "{} bytes are under way, not {most}", taken - before);
    fixture.gate.open();
    for producer in producers {
        producer.join().map_err(|_| anyhow!("a producer panicked"))??;
    }
    let end = produce(&mut client, "t", &["last"])?;
    ensure!(end == (1 + PRODUCERS * PRODUCES) as i64, "the log ended at {end}");
    Ok(())
}

fn value() -> String {
    "x".repeat(VALUE_BYTES)
}

/// Sends everything without waiting for an answer, then takes the answers.
fn push(mut client: RawClient) -> Result<()> {
    for _ in 0..PRODUCES {
        send_produce(&mut client, "t", batch(&[&value()]), -1, 60_000)?;
    }
    let mut last = -1;
    for _ in 0..PRODUCES {
        let row = receive_produce(&mut client)?;
        ensure!(row.error_code == 0 && row.base_offset > last, "{row:?} after {last}");
        last = row.base_offset;
    }
    Ok(())
}

fn stored(fixture: &Fixture) -> Result<u64> {
    let entries = fixture.sim.list(Path::new("/more/t-0"))?;
    Ok(entries.iter().filter(|entry| entry.name.ends_with(".log")).map(|entry| entry.length).sum())
}
