//! `kafka-producer-perf-test`: how fast a producer writes, and how long records take.

use std::collections::VecDeque;
use std::fs;
use std::time::{Duration, Instant};

use bytes::Bytes;
use config::Properties;
use klamm_client::{Client, ClientError, Delivery, Producer, ProducerConfig, ProducerRecord, Transaction};
use rand::RngExt;
use serde_json::json;

use crate::command_line::{Arguments, Failure, Grammar, Opt, Refusals, Tool, flag, integer, long, text};
use crate::text::java_fixed;
use crate::text::progress::Progress;

use super::console_producer::pairs;
use super::java_errors;
use super::session::{on_this_thread, read_properties};

const OPTIONS: &[Opt] = &[
    text("bootstrap-server", "BOOTSTRAP-SERVER", "Some brokers of the cluster to connect to."),
    text("topic", "TOPIC", "The topic to write to.").required(),
    long("num-records", "NUM-RECORDS", "How many records.").required(),
    integer("record-size", "RECORD-SIZE", "Bytes of a record."),
    text("payload-file", "PAYLOAD-FILE", "A file with records to choose from."),
    text("payload-delimiter", "PAYLOAD-DELIMITER", "What parts them; a line's end if not given."),
    flag("payload-monotonic", "Writes the numbers from 0 on."),
    text("throughput", "THROUGHPUT", "No more records per second than this; -1 for no limit.").required(),
    text("command-property", "NAME=VALUE", "Settings of the producer.").many(),
    text("command-config", "CONFIG-FILE", "A properties file with settings of the producer."),
    flag("print-metrics", "Prints the producer's numbers at the end."),
    text("transactional-id", "TRANSACTIONAL-ID", "Writes in transactions of this id."),
    long("transaction-duration-ms", "MS", "How long each transaction lasts (3000 if not given)."),
    long("warmup-records", "WARMUP-RECORDS", "Leaves so many records out of a second summary."),
    long("reporting-interval", "MS", "How often to tell how it goes (default: 5000)."),
    text("producer-props", "NAME=VALUE", "").replaced_by("command-property").many(),
    text("producer.config", "CONFIG-FILE", "").replaced_by("command-config"),
];

/// The tool's table.
pub const TOOL: Tool = Tool {
    name: "producer-perf-test",
    classes: &["org.apache.kafka.tools.ProducerPerformance"],
    about: "Writes many records and tells how fast they went and how long each took.",
    grammar: Grammar::Argparse,
    options: &[OPTIONS],
    verbs: &[],
    refusals: Refusals::PLAIN,
    run,
};

/// Latencies, in ms, and what they add up to.
struct Statistics {
    name: &'static str,
    started: Instant,
    window_started: Instant,
    window: Vec<u32>,
    window_bytes: u64,
    latencies: Vec<u32>,
    bytes: u64,
    interval: Duration,
    is_json: bool,
}

impl Statistics {
    fn new(name: &'static str, interval: Duration, is_json: bool) -> Self {
        let now = Instant::now();
        Self {
            name,
            started: now,
            window_started: now,
            window: Vec::new(),
            window_bytes: 0,
            latencies: Vec::new(),
            bytes: 0,
            interval,
            is_json,
        }
    }

    fn record(&mut self, latency: Duration, bytes: usize) {
        let latency = u32::try_from(latency.as_millis()).unwrap_or(u32::MAX);
        self.latencies.push(latency);
        self.bytes += bytes as u64;
        self.window.push(latency);
        self.window_bytes += bytes as u64;
        if self.window_started.elapsed() >= self.interval {
            self.print_window();
        }
    }

    fn print_window(&mut self) {
        let seconds = self.window_started.elapsed().as_secs_f64();
        let count = self.window.len();
        let sum: u64 = self.window.iter().map(|latency| u64::from(*latency)).sum();
        if self.is_json {
            let line = json!({
                "records": count, "recordsPerSecond": count as f64 / seconds,
                "megabytesPerSecond": self.window_bytes as f64 / seconds / 1_048_576.0,
                "latencyMs": { "average": sum as f64 / count.max(1) as f64, "max": self.window.iter().max() },
            });
            println!("{line}");
        } else {
            println!(
                "{count} records sent, {} records/sec ({} MB/sec), {} ms avg latency, {} ms max latency.",
                java_fixed(count as f64 / seconds, 1),
                java_fixed(self.window_bytes as f64 / seconds / 1_048_576.0, 2),
                java_fixed(sum as f64 / count.max(1) as f64, 1),
                java_fixed(f64::from(self.window.iter().max().copied().unwrap_or(0)), 1)
            );
        }
        self.window.clear();
        self.window_bytes = 0;
        self.window_started = Instant::now();
    }

    fn print_total(&mut self) {
        let seconds = self.started.elapsed().as_secs_f64();
        let count = self.latencies.len();
        self.latencies.sort_unstable();
        let sum: u64 = self.latencies.iter().map(|latency| u64::from(*latency)).sum();
        let at = |part: f64| {
            let index = ((part * count as f64) as usize).min(count.saturating_sub(1));
            self.latencies.get(index).copied().unwrap_or(0)
        };
        if self.is_json {
            let line = json!({
                "total": true, "phase": self.name.trim(), "records": count,
                "recordsPerSecond": count as f64 / seconds,
                "megabytesPerSecond": self.bytes as f64 / seconds / 1_048_576.0,
                "latencyMs": {
                    "average": sum as f64 / count.max(1) as f64, "max": self.latencies.last(),
                    "p50": at(0.5), "p95": at(0.95), "p99": at(0.99), "p999": at(0.999),
                },
            });
            println!("{line}");
            return;
        }
        println!(
            "{count}{} records sent, {} records/sec ({} MB/sec), {} ms avg latency, {} ms max latency, {} ms 50th, {} ms \
             95th, {} ms 99th, {} ms 99.9th.",
            self.name,
            java_fixed(count as f64 / seconds, 6),
            java_fixed(self.bytes as f64 / seconds / 1_048_576.0, 2),
            java_fixed(sum as f64 / count.max(1) as f64, 2),
            java_fixed(f64::from(self.latencies.last().copied().unwrap_or(0)), 2),
            at(0.5),
            at(0.95),
            at(0.99),
            at(0.999)
        );
    }
}

/// Where payloads come from.
enum Payload {
    Random(Bytes),
    Listed(Vec<Bytes>),
    Monotonic,
}

impl Payload {
    fn of(arguments: &Arguments) -> Result<Self, Failure> {
        let size: Option<i32> = arguments.number("record-size")?;
        let ways = [size.is_some(), arguments.has("payload-file"), arguments.has("payload-monotonic")];
        if ways.iter().filter(|way| **way).count() != 1 {
            return Err(Failure::usage(
                "one of the arguments --record-size --payload-file --payload-monotonic is required",
            ));
        }
        if let Some(size) = size {
            let Ok(size @ 1..) = usize::try_from(size) else {
                return Err(Failure::usage("--record-size should be greater than zero."));
            };
            let mut random = rand::rng();
            let bytes: Vec<u8> = (0..size).map(|_| random.random_range(b'A'..=b'Z')).collect();
            return Ok(Self::Random(Bytes::from(bytes)));
        }
        let Some(path) = arguments.value("payload-file")? else { return Ok(Self::Monotonic) };
        let delimiter = arguments.value("payload-delimiter")?.unwrap_or("\\n").replace("\\n", "\n");
        println!("Reading payloads from: {}", super::dump_log::absolute(path));
        let text = fs::read_to_string(path).unwrap_or_default();
        if text.is_empty() {
            return Err(Failure::bare(
                "Exception in thread \"main\" java.lang.IllegalArgumentException: File does not exist or empty file \
                 provided.",
            ));
        }
        let mut parts: Vec<_> = text.split(&delimiter).collect();
        if parts.last().is_some_and(|last| last.is_empty()) {
            parts.pop();
        }
        println!("Number of records read: {}", parts.len());
        Ok(Self::Listed(parts.into_iter().map(|part| Bytes::copy_from_slice(part.as_bytes())).collect()))
    }

    fn next(&self, index: u64) -> Bytes {
        match self {
            Self::Random(bytes) => bytes.clone(),
            Self::Listed(parts) => parts[rand::rng().random_range(0..parts.len())].clone(),
            Self::Monotonic => Bytes::from(index.to_string()),
        }
    }
}

fn properties(arguments: &Arguments) -> Result<Properties, Failure> {
    let mut properties = Properties::new();
    for option in ["command-config", "producer.config"] {
        if let Some(path) = arguments.value(option)? {
            properties.extend(read_properties(path)?);
        }
    }
    properties.extend(pairs(arguments.values("command-property")));
    properties.extend(pairs(arguments.values("producer-props")));
    if let Some(bootstrap) = arguments.value("bootstrap-server")? {
        properties.insert("bootstrap.servers".to_owned(), bootstrap.to_owned());
    }
    properties.entry("client.id".to_owned()).or_insert_with(|| "perf-producer-client".to_owned());
    if !properties.contains_key("bootstrap.servers") && arguments.value("command-config")?.is_none() {
        return Err(Failure::usage(
            "At least one of --bootstrap-server, --command-property, --producer-props, --producer.config or \
             --command-config must be specified.",
        ));
    }
    let duration: Option<i64> = arguments.number("transaction-duration-ms")?;
    if duration.is_some_and(|duration| duration <= 0) {
        return Err(Failure::usage("--transaction-duration-ms should be greater than zero."));
    }
    if let Some(id) = arguments.value("transactional-id")? {
        properties.insert("transactional.id".to_owned(), id.to_owned());
    } else if duration.is_some() && !properties.contains_key("transactional.id") {
        let id = format!("performance-producer-{}", super::storage::random_uuid());
        properties.insert("transactional.id".to_owned(), id);
    }
    Ok(properties)
}

/// How the run goes.
struct Plan {
    topic: String,
    count: u64,
    warmup: u64,
    throughput: f64,
    interval: Duration,
    transaction: Option<Duration>,
    is_json: bool,
}

fn run(arguments: &Arguments) -> Result<(), Failure> {
    let count: i64 = arguments.number("num-records")?.unwrap_or(0);
    let Ok(count @ 1..) = u64::try_from(count) else {
        return Err(Failure::usage("--num-records should be greater than zero."));
    };
    let warmup = u64::try_from(arguments.number::<i64>("warmup-records")?.unwrap_or(0)).unwrap_or(0);
    if warmup >= count {
        return Err(Failure::usage(
            "The value for --warmup-records must be strictly fewer than the number of records in the test, --num-records.",
        ));
    }
    let payload = Payload::of(arguments)?;
    let properties = properties(arguments)?;
    let throughput: f64 = arguments.number("throughput")?.unwrap_or(-1.0);
    let interval =
        u64::try_from(arguments.number::<i64>("reporting-interval")?.unwrap_or(5000)).unwrap_or(5000);
    let duration: Option<i64> = arguments.number("transaction-duration-ms")?;
    let duration = u64::try_from(duration.unwrap_or(3000)).unwrap_or(3000);
    let plan = Plan {
        topic: arguments.required("topic")?.to_owned(),
        count,
        warmup,
        throughput,
        interval: Duration::from_millis(interval),
        transaction: properties.contains_key("transactional.id").then(|| Duration::from_millis(duration)),
        is_json: arguments.json(),
    };
    let (client, producer) = ProducerConfig::from_properties(&properties)?;
    on_this_thread(async move {
        let client = Client::unconnected(client)?;
        let producer = Producer::new(&client, producer)?;
        send_all(&producer, &plan, &payload).await.map_err(|error| {
            Failure::bare(format!("Exception in thread \"main\" {}", java_errors::full(&error)))
        })?;
        producer.close(Duration::from_secs(60)).await;
        if arguments.has("print-metrics") {
            println!("\nMetric Name Value");
        }
        Ok(())
    })
}

async fn send_all(producer: &Producer, plan: &Plan, payload: &Payload) -> Result<(), ClientError> {
    if plan.warmup > 0 && !plan.is_json {
        println!(
            "Warmup first {} records. Steady state results will print after the complete test summary.",
            plan.warmup
        );
    }
    let mut flight = Flight {
        whole: Statistics::new("", plan.interval, plan.is_json),
        steady: None,
        underway: VecDeque::new(),
        warmup: plan.warmup,
    };
    let mut transaction: Option<(Transaction, Instant)> = None;
    if plan.transaction.is_some() {
        producer.init_transactions().await?;
    }
    let started = Instant::now();
    let mut progress = Progress::new("sending", plan.count);
    for index in 0..plan.count {
        if let Some(duration) = plan.transaction {
            let is_over = transaction.as_ref().is_some_and(|(_, begun)| begun.elapsed() >= duration);
            if is_over && let Some((open, _)) = transaction.take() {
                open.commit().await.map_err(|(_, error)| error)?;
            }
            if transaction.is_none() {
                transaction = Some((producer.begin().await?, Instant::now()));
            }
        }
        if index == plan.warmup && plan.warmup > 0 {
            flight.steady = Some(Statistics::new(" steady state", Duration::MAX, plan.is_json));
        }
        let value = payload.next(index);
        let size = value.len();
        let record = ProducerRecord::to(plan.topic.as_str()).value(value);
        let sent = Instant::now();
        let delivery = match &transaction {
            Some((open, _)) => open.enqueue(record).await?,
            None => producer.enqueue(record).await?,
        };
        flight.underway.push_back((sent, size, index, delivery));
        flight.land().await?;
        progress.advance(index + 1);
        if plan.throughput > 0.0 {
            let due = Duration::from_secs_f64((index + 1) as f64 / plan.throughput);
            let early = due.saturating_sub(started.elapsed());
            if early >= Duration::from_millis(1) {
                tokio::time::sleep(early).await;
            }
        } else if index % 64 == 0 {
            // The sender shares this thread.
            tokio::task::yield_now().await;
        }
    }
    producer.flush().await;
    while let Some((sent, size, number, delivery)) = flight.underway.pop_front() {
        delivery.await?;
        flight.record(sent, size, number);
    }
    if let Some((open, _)) = transaction {
        open.commit().await.map_err(|(_, error)| error)?;
    }
    drop(progress);
    flight.whole.print_total();
    if let Some(mut steady) = flight.steady {
        steady.print_total();
    }
    Ok(())
}

/// Records on their way, and what is known of those that arrived.
struct Flight {
    whole: Statistics,
    steady: Option<Statistics>,
    underway: VecDeque<(Instant, usize, u64, Delivery)>,
    warmup: u64,
}

impl Flight {
    fn record(&mut self, sent: Instant, size: usize, number: u64) {
        let latency = sent.elapsed();
        self.whole.record(latency, size);
        if let Some(steady) = self.steady.as_mut().filter(|_| number >= self.warmup) {
            steady.record(latency, size);
        }
    }

    /// Counts those that have arrived; waits for the oldest where too many are underway.
    async fn land(&mut self) -> Result<(), ClientError> {
        let is_full = self.underway.len() >= 100_000;
        while let Some((sent, size, number, delivery)) = self.underway.front_mut() {
            let (sent, size, number) = (*sent, *size, *number);
            match poll_now(delivery).await {
                None if !is_full => break,
                None => tokio::task::yield_now().await,
                Some(outcome) => {
                    outcome?;
                    self.record(sent, size, number);
                    self.underway.pop_front();
                }
            }
        }
        Ok(())
    }
}

/// The outcome, if it is there already.
async fn poll_now(delivery: &mut Delivery) -> Option<Result<klamm_client::RecordMetadata, ClientError>> {
    std::future::poll_fn(|context| {
        let polled = std::pin::Pin::new(&mut *delivery).poll(context);
        std::task::Poll::Ready(match polled {
            std::task::Poll::Ready(outcome) => Some(outcome),
            std::task::Poll::Pending => None,
        })
    })
    .await
}
