//! What a produce and a fetch cost the more is stored, and the more partitions there are.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::Turn;
use crate::closed_loop::{self, Produce};
use crate::connection::{fetch_frame, fetched};

const TIMES: [i32; 3] = [1, 10, 100];
/// Partitions and MiB that are multiplied.
const PARTITIONS: i32 = 100;
/// Less than a batch: each fetch gets one.
const FETCH_BYTES: i32 = 4_096;

/// Rows: CPU per request at each size, and the quotients.
pub fn measure(turn: &mut Turn<'_>) -> Result<()> {
    turn.create("grown", 1, &[("segment.bytes", "16777216")])?;
    let mib = (turn.options.mib / 100).max(1);
    let mut stored = 0;
    let mut costs = Costs::default();
    for times in TIMES {
        let wanted = mib * usize::try_from(times)?;
        turn.fill("grown", 1, wanted - stored)?;
        stored = wanted;
        costs.add(turn, &format!("at {times}× of {mib} MiB"))?;
    }
    costs.record_quotients(turn, "stored data");
    let mut partitions = 0;
    let mut costs = Costs::default();
    for times in TIMES {
        let wanted = PARTITIONS * times;
        turn.connect()?.create_topic(&format!("idle-{times}"), wanted - partitions, &[])?;
        partitions = wanted;
        costs.add(turn, &format!("at {times}× of {PARTITIONS} partitions"))?;
    }
    costs.record_quotients(turn, "partitions");
    Ok(())
}

/// CPU microseconds of a produce and a fetch at each size.
#[derive(Default)]
struct Costs {
    produce: Vec<f64>,
    fetch: Vec<f64>,
}

impl Costs {
    fn add(&mut self, turn: &mut Turn<'_>, size: &str) -> Result<()> {
        let seconds = Duration::from_secs_f64(turn.options.seconds / 2.0);
        // What the growth itself has left to do is done first.
        produce(turn, seconds / 2)?;
        let cpu = turn.server.threads_cpu_seconds()?;
        let requests = produce(turn, seconds)?;
        let produce = (turn.server.threads_cpu_seconds()? - cpu) * 1e6 / requests;
        let cpu = turn.server.threads_cpu_seconds()?;
        let requests = fetch(turn, seconds)?;
        let fetch = (turn.server.threads_cpu_seconds()? - cpu) * 1e6 / requests;
        (turn.record)(&format!("produce of one record {size}"), "CPU µs", produce);
        (turn.record)(&format!("fetch of a batch anywhere {size}"), "CPU µs", fetch);
        self.produce.push(produce);
        self.fetch.push(fetch);
        Ok(())
    }

    fn record_quotients(&self, turn: &mut Turn<'_>, what: &str) {
        for (name, costs) in [("produce", &self.produce), ("fetch", &self.fetch)] {
            if let (Some(first), Some(last)) = (costs.first(), costs.last()) {
                (turn.record)(&format!("{name} at 100× ÷ at 1× of {what}"), "", last / first);
            }
        }
    }
}

fn produce(turn: &Turn<'_>, duration: Duration) -> Result<f64> {
    let outcome = closed_loop::produce(&Produce {
        address: &turn.server.address,
        topic: "grown",
        acks: 1,
        batch_bytes: 200,
        record_bytes: 100,
        connections: 4,
        depth: 1,
        partitions: 1,
        duration,
    })?;
    Ok(outcome.requests as f64)
}

/// Reads from offsets all over the topic, each once.
fn fetch(turn: &Turn<'_>, duration: Duration) -> Result<f64> {
    let mut connection = turn.connect()?;
    // Batches of 512 KiB hold about 500 records each; the end is not far behind the last of them.
    let end = turn.size_mib("grown")? * 1_000.0;
    let mut state = 1_u64;
    let mut requests = 0.0;
    let started = Instant::now();
    while started.elapsed() < duration {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let offset = (end * ((state >> 40) as f64 / (1_u64 << 24) as f64)) as i64;
        let mut frame = fetch_frame("grown", 0, offset, FETCH_BYTES, 0)?;
        connection.send(&mut frame, 1)?;
        fetched(connection.receive()?)?;
        requests += 1.0;
    }
    Ok(requests)
}
