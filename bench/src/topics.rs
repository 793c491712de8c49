//! Loads on metadata: topics created, and topics told of.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::connection::{Connection, metadata_frame, topics_told};
use crate::load::Outcome;

/// Topics of one request.
const TOGETHER: usize = 100;

/// Creates `count` topics whose names begin with `prefix`; records are topics.
pub fn create(address: &str, prefix: &str, count: usize) -> Result<Outcome> {
    let mut connection = Connection::open(address)?;
    let names: Vec<String> = (0..count).map(|number| format!("{prefix}-{number}")).collect();
    let started = Instant::now();
    for names in names.chunks(TOGETHER) {
        connection.create_topics(names)?;
    }
    Ok(Outcome {
        seconds: started.elapsed().as_secs_f64(),
        requests: count.div_ceil(TOGETHER) as u64,
        records: count as u64,
        ..Outcome::default()
    })
}

/// Asks for all topics until the time is up; records are topics told of.
pub fn metadata(address: &str, duration: Duration) -> Result<Outcome> {
    let mut connection = Connection::open(address)?;
    let mut frame = metadata_frame(&[])?;
    connection.send(&mut frame, 1)?;
    let topics = topics_told(connection.receive()?)? as u64;
    let started = Instant::now();
    let mut outcome = Outcome::default();
    while started.elapsed() < duration {
        connection.send(&mut frame, 1)?;
        outcome.bytes += connection.receive()?.len() as u64;
        outcome.requests += 1;
        outcome.records += topics;
    }
    outcome.seconds = started.elapsed().as_secs_f64();
    Ok(outcome)
}
