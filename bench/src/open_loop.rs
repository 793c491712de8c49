//! An open loop: requests leave on schedule whatever the server does, and latency counts from the schedule, so that a stall
//! is seen by every request that it delays (no coordinated omission).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use hdrhistogram::Histogram;

use crate::connection::{Connection, check_produced, fetch_frame, fetched, produce_frame};
use crate::load::Outcome;

/// Latencies up to a minute, in microseconds, to three digits.
const HIGHEST_US: u64 = 60_000_000;
/// How long a consumer's fetch waits for records, and how much it takes.
const FETCH_WAIT_MS: i32 = 100;
const FETCH_BYTES: i32 = 1 << 20;

/// How an open loop looks.
pub struct OpenLoop<'a> {
    /// Where the server listens.
    pub address: &'a str,
    /// Written to its partitions in turn; what consumers read is partition 0.
    pub topic: &'a str,
    /// As in the protocol.
    pub acks: i16,
    /// Size of a batch.
    pub batch_bytes: usize,
    /// Size of a value.
    pub record_bytes: usize,
    /// Bytes per second over all.
    pub bytes_per_second: u64,
    /// Partitions of the topic.
    pub partitions: i32,
    /// Latency counts until a consumer has the records, not until the producer has its answer.
    pub end_to_end: bool,
    /// Consumers that read along; the bytes of the outcome are those that they are sent.
    pub consumers: usize,
    /// When to stop.
    pub duration: Duration,
}

/// Reads an empty topic as it grows.
struct Consumer {
    connection: Connection,
    topic: String,
    offset: i64,
    is_over: Arc<AtomicBool>,
}

impl Consumer {
    fn open(load: &OpenLoop<'_>, is_over: &Arc<AtomicBool>) -> Result<Self> {
        let connection = Connection::open(load.address)?;
        Ok(Consumer { connection, topic: load.topic.to_string(), offset: 0, is_over: is_over.clone() })
    }

    /// How many records have come; `None` when the load is over and nothing more comes.
    fn poll(&mut self) -> Result<Option<usize>> {
        let is_over = self.is_over.load(Ordering::Acquire);
        let mut frame = fetch_frame(&self.topic, 0, self.offset, FETCH_BYTES, FETCH_WAIT_MS)?;
        self.connection.send(&mut frame, 1)?;
        let (_, next) = fetched(self.connection.receive()?)?;
        let Some(next) = next else { return Ok((!is_over).then_some(0)) };
        let records = usize::try_from(next - self.offset)?;
        self.offset = next;
        Ok(Some(records))
    }
}

/// Sends on schedule until the time is up and measures each answer, or each batch at its consumer.
pub fn produce(load: &OpenLoop<'_>) -> Result<Outcome> {
    let frame =
        |partition| produce_frame(load.topic, partition, load.acks, load.batch_bytes, load.record_bytes);
    let (first, records) = frame(0)?;
    let bytes = first.len() as u64;
    let mut frames = vec![first];
    for partition in 1..load.partitions {
        frames.push(frame(partition)?.0);
    }
    let mut next = (0..frames.len()).cycle();
    let interval = Duration::from_secs_f64(bytes as f64 / load.bytes_per_second as f64);
    let mut sender = Connection::open(load.address)?;
    let mut receiver = sender.reader()?;
    let (scheduled, due) = mpsc::channel::<Instant>();
    let (answered, produced) = mpsc::channel::<Instant>();
    let is_over = Arc::new(AtomicBool::new(false));
    let mut consuming = Vec::new();
    for _ in 0..load.consumers {
        let consumer = Consumer::open(load, &is_over)?;
        consuming.push(thread::spawn(move || consume(consumer)));
    }
    let end_to_end = load.end_to_end;
    let measured = if end_to_end { Some(Consumer::open(load, &is_over)?) } else { None };
    let consumer = thread::spawn(move || match measured {
        Some(consumer) => measure_consumer(consumer, records, &produced),
        None => measure(&produced, || Ok(1)),
    });
    let answering = thread::spawn(move || -> Result<Histogram<u64>> {
        measure(&due, || {
            check_produced(receiver.receive()?)?;
            Ok(1)
        })
    });
    let started = Instant::now();
    let mut requests = 0_u32;
    while interval * requests < load.duration {
        let at = started + interval * requests;
        if let Some(early) = at.checked_duration_since(Instant::now()) {
            thread::sleep(early);
        }
        if scheduled.send(at).is_err() || (end_to_end && answered.send(at).is_err()) {
            // The receiving half says why.
            break;
        }
        sender.send(&mut frames[next.next().unwrap_or_default()], 1)?;
        requests += 1;
    }
    drop((scheduled, answered));
    let panicked = |_| anyhow!("a receiving half panicked");
    let at_producer = answering.join().map_err(panicked)??;
    let at_consumer = consumer.join().map_err(panicked)??;
    is_over.store(true, Ordering::Release);
    for consumer in consuming {
        consumer.join().map_err(panicked)??;
    }
    let latencies = if end_to_end { at_consumer } else { at_producer };
    Ok(Outcome {
        seconds: started.elapsed().as_secs_f64(),
        requests: requests.into(),
        bytes: u64::from(requests) * bytes * load.consumers.max(1) as u64,
        records: u64::from(requests) * records as u64,
        p50_us: latencies.value_at_quantile(0.5),
        p99_us: latencies.value_at_quantile(0.99),
        p999_us: latencies.value_at_quantile(0.999),
    })
}

/// Takes what is scheduled, `arrived` of it at a time, until there is no more.
fn measure(
    scheduled: &mpsc::Receiver<Instant>,
    mut arrived: impl FnMut() -> Result<usize>,
) -> Result<Histogram<u64>> {
    let mut latencies = Histogram::new_with_max(HIGHEST_US, 3)?;
    let mut ready = 0;
    for at in scheduled {
        while ready == 0 {
            ready = arrived()?;
        }
        ready -= 1;
        latencies.saturating_record(u64::try_from(at.elapsed().as_micros())?);
    }
    Ok(latencies)
}

fn measure_consumer(
    mut consumer: Consumer,
    records: usize,
    scheduled: &mpsc::Receiver<Instant>,
) -> Result<Histogram<u64>> {
    measure(scheduled, || Ok(consumer.poll()?.unwrap_or(0) / records))
}

fn consume(mut consumer: Consumer) -> Result<()> {
    while consumer.poll()?.is_some() {}
    Ok(())
}
