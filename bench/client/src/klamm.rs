//! The loads by klamm-client.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use klamm_client::{
    Client, ClientConfig, Consumer, ConsumerConfig, OffsetReset, Producer, ProducerConfig, ProducerRecord,
    TopicPartition,
};

use crate::load::{Load, PRODUCER, p99_ms};

fn run<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

async fn producer(load: &Load) -> Result<Producer> {
    let mut properties: BTreeMap<String, String> =
        PRODUCER.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    properties.insert("bootstrap.servers".to_owned(), load.bootstrap.clone());
    let (client, producer) = ProducerConfig::from_properties(&properties)?;
    Ok(Producer::new(&Client::connect(client).await?, producer)?)
}

pub fn produce(load: &Load) -> Result<f64> {
    run(async {
        let producer = producer(load).await?;
        let (topic, value) = (load.topic.as_str(), Bytes::from(load.value()));
        let mut last = None;
        for _ in 0..load.records {
            last = Some(producer.enqueue(ProducerRecord::to(topic).value(value.clone())).await?);
        }
        producer.flush().await;
        last.context("nothing was sent")?.await?;
        producer.close(Duration::from_secs(10)).await;
        Ok(0.0)
    })
}

pub fn consume(load: &Load) -> Result<f64> {
    run(async {
        let client = Client::connect(ClientConfig::new(load.bootstrap.clone())).await?;
        let config = ConsumerConfig::default().auto_offset_reset(OffsetReset::Earliest);
        let mut consumer = Consumer::new(&client, config)?;
        let metadata = client.refresh_topics([load.topic.as_str()], false).await?;
        let partitions = metadata.topic(&load.topic).context("the topic exists")?.partitions.len();
        consumer
            .assign((0..partitions as i32).map(|index| TopicPartition::new(load.topic.as_str(), index)))?;
        let (mut records, mut bytes) = (0, 0);
        while records < load.records {
            let batch = consumer.next_batch().await?;
            for record in batch.iter() {
                bytes += record?.value.map_or(0, <[u8]>::len);
                records += 1;
            }
        }
        ensure!(bytes as u64 >= load.records * load.bytes as u64, "{bytes} bytes were read");
        consumer.close().await;
        Ok(0.0)
    })
}

pub fn latency(load: &Load) -> Result<f64> {
    run(async {
        let producer = producer(load).await?;
        let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
        let collector = tokio::spawn(async move {
            let mut latencies = Vec::new();
            while let Some((due, delivery)) = receiver.recv().await {
                let delivery: klamm_client::Delivery = delivery;
                delivery.await?;
                latencies.push(Instant::now().duration_since(due));
            }
            Ok::<_, klamm_client::ClientError>(latencies)
        });
        let (topic, value, began) = (load.topic.as_str(), Bytes::from(load.value()), Instant::now());
        let mut sent = 0;
        while sent < load.records {
            let due_count = (began.elapsed().as_secs_f64() * load.rate as f64) as u64;
            while sent < due_count.min(load.records) {
                let due = began + Duration::from_secs_f64(sent as f64 / load.rate as f64);
                let delivery = producer.enqueue(ProducerRecord::to(topic).value(value.clone())).await?;
                sender.send((due, delivery))?;
                sent += 1;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        drop(sender);
        let latencies = collector.await??;
        producer.close(Duration::from_secs(10)).await;
        Ok(p99_ms(&latencies))
    })
}
