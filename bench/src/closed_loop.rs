//! Closed loops: as fast as the server answers, a fixed number of requests under way.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::connection::{Connection, check_produced, fetch_frame, fetched, produce_frame};
use crate::load::Outcome;

/// How a produce load looks.
pub struct Produce<'a> {
    /// Where the server listens.
    pub address: &'a str,
    /// What is written to.
    pub topic: &'a str,
    /// As in the protocol.
    pub acks: i16,
    /// Size of a batch.
    pub batch_bytes: usize,
    /// Size of a value.
    pub record_bytes: usize,
    /// Connections, each with its own requests under way.
    pub connections: usize,
    /// Requests under way on each connection.
    pub depth: usize,
    /// Partitions that requests go to in turn.
    pub partitions: i32,
    /// When to stop.
    pub duration: Duration,
}

/// Produces until the time is up.
pub fn produce(load: &Produce<'_>) -> Result<Outcome> {
    let mut frames = Vec::new();
    let mut records = 0;
    for partition in 0..load.partitions {
        let (frame, count) =
            produce_frame(load.topic, partition, load.acks, load.batch_bytes, load.record_bytes)?;
        frames.push(frame);
        records = count;
    }
    let frame_bytes = frames.first().map_or(0, Vec::len) as u64;
    let mut next = (0..frames.len()).cycle();
    let mut send = |connection: &mut Connection| {
        let frame = &mut frames[next.next().unwrap_or_default()];
        connection.send(frame, 1)
    };
    let mut connections = Vec::new();
    for _ in 0..load.connections {
        connections.push(Connection::open(load.address)?);
    }
    let started = Instant::now();
    let mut requests = 0_u64;
    for connection in &mut connections {
        for _ in 0..load.depth {
            send(connection)?;
        }
    }
    let mut checked = false;
    while started.elapsed() < load.duration {
        for connection in &mut connections {
            let answer = connection.receive()?;
            if !checked {
                check_produced(answer)?;
                checked = true;
            }
            send(connection)?;
            requests += 1;
        }
    }
    for connection in &mut connections {
        for _ in 0..load.depth {
            check_produced(connection.receive()?)?;
            requests += 1;
        }
    }
    Ok(Outcome {
        seconds: started.elapsed().as_secs_f64(),
        requests,
        bytes: requests * frame_bytes,
        records: requests * records as u64,
        ..Outcome::default()
    })
}

/// Reads partition 0 of `topic` from its beginning, again and again, until the time is up.
pub fn fetch(address: &str, topic: &str, max_bytes: usize, duration: Duration) -> Result<Outcome> {
    let mut connection = Connection::open(address)?;
    let started = Instant::now();
    let mut outcome = Outcome::default();
    let mut offset = 0;
    while started.elapsed() < duration {
        let mut frame = fetch_frame(topic, 0, offset, i32::try_from(max_bytes)?, 0)?;
        connection.send(&mut frame, 1)?;
        let (bytes, next) = fetched(connection.receive()?)?;
        ensure!(offset > 0 || next.is_some(), "{topic} is empty: produce into it first");
        // At the end nothing comes: begin again.
        offset = next.unwrap_or(0);
        outcome.requests += 1;
        outcome.bytes += bytes as u64;
    }
    outcome.seconds = started.elapsed().as_secs_f64();
    Ok(outcome)
}
