//! An open loop: requests leave on schedule whatever the server does, and latency counts from the schedule, so that a stall
//! is seen by every request that it delays (no coordinated omission).

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use hdrhistogram::Histogram;

use crate::connection::{Connection, check_produced, produce_frame};
use crate::load::Outcome;

/// Latencies up to a minute, in microseconds, to three digits.
const HIGHEST_US: u64 = 60_000_000;

/// How an open loop looks.
pub struct OpenLoop<'a> {
    /// Where the server listens.
    pub address: &'a str,
    /// Written to its partition 0.
    pub topic: &'a str,
    /// As in the protocol.
    pub acks: i16,
    /// Size of a batch.
    pub batch_bytes: usize,
    /// Size of a value.
    pub record_bytes: usize,
    /// Bytes per second over all.
    pub bytes_per_second: u64,
    /// When to stop.
    pub duration: Duration,
}

/// Sends on schedule until the time is up and measures each answer.
pub fn produce(load: &OpenLoop<'_>) -> Result<Outcome> {
    let (mut frame, records) = produce_frame(load.topic, 0, load.acks, load.batch_bytes, load.record_bytes)?;
    let bytes = frame.len() as u64;
    let interval = Duration::from_secs_f64(bytes as f64 / load.bytes_per_second as f64);
    let mut sender = Connection::open(load.address)?;
    let mut receiver = sender.reader()?;
    let (scheduled, due) = mpsc::channel::<Instant>();
    let measuring = thread::spawn(move || -> Result<Histogram<u64>> {
        let mut latencies = Histogram::new_with_max(HIGHEST_US, 3)?;
        for scheduled in due {
            check_produced(receiver.receive()?)?;
            latencies.saturating_record(u64::try_from(scheduled.elapsed().as_micros())?);
        }
        Ok(latencies)
    });
    let started = Instant::now();
    let mut requests = 0_u32;
    while interval * requests < load.duration {
        let at = started + interval * requests;
        if let Some(early) = at.checked_duration_since(Instant::now()) {
            thread::sleep(early);
        }
        if scheduled.send(at).is_err() {
            // The receiving half says why.
            break;
        }
        sender.send(&mut frame, 1)?;
        requests += 1;
    }
    drop(scheduled);
    let latencies = measuring.join().map_err(|_| anyhow!("the receiving half panicked"))??;
    Ok(Outcome {
        seconds: started.elapsed().as_secs_f64(),
        requests: requests.into(),
        bytes: u64::from(requests) * bytes,
        records: u64::from(requests) * records as u64,
        p50_us: latencies.value_at_quantile(0.5),
        p99_us: latencies.value_at_quantile(0.99),
        p999_us: latencies.value_at_quantile(0.999),
    })
}
