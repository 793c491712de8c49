//! The loads by librdkafka, through its Rust binding.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use rdkafka::Offset;
use rdkafka::client::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};
use rdkafka::topic_partition_list::TopicPartitionList;

use crate::load::{Load, PRODUCER, p99_ms};

/// Counts failures, and latencies where the record says when it was due.
#[derive(Default)]
struct Outcomes {
    failed: Arc<Mutex<u64>>,
    latencies: Arc<Mutex<Vec<Duration>>>,
}

impl ClientContext for Outcomes {}

impl ProducerContext for Outcomes {
    type DeliveryOpaque = Box<Option<Instant>>;

    fn delivery(&self, result: &DeliveryResult<'_>, due: Self::DeliveryOpaque) {
        if result.is_err() {
            *self.failed.lock().expect("nobody panics with it") += 1;
        }
        if let Some(due) = *due {
            self.latencies.lock().expect("nobody panics with it").push(due.elapsed());
        }
    }
}

fn producer(load: &Load) -> Result<(ThreadedProducer<Outcomes>, Arc<Mutex<u64>>, Arc<Mutex<Vec<Duration>>>)> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &load.bootstrap).set("enable.idempotence", "true");
    for (key, value) in PRODUCER {
        config.set(*key, *value);
    }
    let outcomes = Outcomes::default();
    let (failed, latencies) = (Arc::clone(&outcomes.failed), Arc::clone(&outcomes.latencies));
    Ok((config.create_with_context(outcomes)?, failed, latencies))
}

fn send(
    producer: &ThreadedProducer<Outcomes>,
    load: &Load,
    value: &[u8],
    due: Option<Instant>,
) -> Result<()> {
    let mut record = BaseRecord::<(), [u8], _>::with_opaque_to(&load.topic, Box::new(due)).payload(value);
    loop {
        match producer.send(record) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), again)) => {
                record = again;
                std::thread::sleep(Duration::from_millis(1));
            }
            Err((error, _)) => return Err(error.into()),
        }
    }
}

pub fn produce(load: &Load) -> Result<f64> {
    let (producer, failed, _) = producer(load)?;
    let value = load.value();
    for _ in 0..load.records {
        send(&producer, load, &value, None)?;
    }
    producer.flush(Duration::from_secs(120))?;
    ensure!(*failed.lock().map_err(|_| anyhow!("a callback panicked"))? == 0, "records failed");
    Ok(0.0)
}

pub fn consume(load: &Load) -> Result<f64> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &load.bootstrap)
        .set("group.id", "bench")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "false")
        .create()?;
    let metadata = consumer.fetch_metadata(Some(&load.topic), Duration::from_secs(10))?;
    let mut wanted = TopicPartitionList::new();
    for partition in metadata.topics().iter().flat_map(|topic| topic.partitions()) {
        wanted.add_partition_offset(&load.topic, partition.id(), Offset::Beginning)?;
    }
    consumer.assign(&wanted)?;
    let (mut records, mut bytes) = (0, 0);
    while records < load.records {
        if let Some(message) = consumer.poll(Duration::from_secs(1)) {
            bytes += message?.payload().map_or(0, <[u8]>::len);
            records += 1;
        }
    }
    ensure!(bytes as u64 >= load.records * load.bytes as u64, "{bytes} bytes were read");
    Ok(0.0)
}

pub fn latency(load: &Load) -> Result<f64> {
    let (producer, failed, latencies) = producer(load)?;
    let (value, began) = (load.value(), Instant::now());
    let mut sent = 0;
    while sent < load.records {
        let due_count = (began.elapsed().as_secs_f64() * load.rate as f64) as u64;
        while sent < due_count.min(load.records) {
            let due = began + Duration::from_secs_f64(sent as f64 / load.rate as f64);
            send(&producer, load, &value, Some(due))?;
            sent += 1;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    producer.flush(Duration::from_secs(60))?;
    ensure!(*failed.lock().map_err(|_| anyhow!("a callback panicked"))? == 0, "records failed");
    let latencies = latencies.lock().map_err(|_| anyhow!("a callback panicked"))?;
    Ok(p99_ms(&latencies))
}
