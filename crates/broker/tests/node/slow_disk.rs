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
/// Requests that a connection may have under way.
const PIPELINE_DEPTH: usize = 128;
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
    let most = before + (PRODUCERS * PIPELINE_DEPTH * batch(&[&value()]).len()) as u64;
    let until = Instant::now() + PATIENCE;
    while stored(&fixture)? < most {
        ensure!(Instant::now() < until, "{} of {most} bytes came", stored(&fixture)?);
        thread::park_timeout(Duration::from_millis(5));
    }
    let until = Instant::now() + MOMENT;
    while Instant::now() < until {
        ensure!(stored(&fixture)? == most, "more was taken than may be under way");
        thread::park_timeout(Duration::from_millis(5));
    }
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
