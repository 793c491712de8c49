//! What the documentation promises and no other scenario shows: batches in time, partitioners, dropped calls, no copies.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures_util::FutureExt;
use klamm_client::records::Codec;
use klamm_client::{
    Admin, Client, ClientConfig, Consumer, ConsumerConfig, OffsetReset, Partitioner, Partitioning, Producer,
    ProducerConfig, ProducerRecord, TopicMetadata, TopicPartition,
};
use testkit::server_process::{Product, ServerProcess};

use crate::consumer::fill;
use crate::producer::values;
use crate::scenario::{Bench, Scenario};

pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "batches leave when they are full or old",
        needs: &[],
        run: |bench| batches(bench).boxed_local(),
    },
    Scenario {
        name: "records without a key fill batches and a partitioner may choose",
        needs: &[],
        run: |bench| partitioners(bench).boxed_local(),
    },
    Scenario {
        name: "calls that are dropped lose nothing",
        needs: &[],
        run: |bench| dropped_calls(bench).boxed_local(),
    },
    Scenario {
        name: "records lie in the buffer of the answer",
        needs: &[],
        run: |bench| borrowed(bench).boxed_local(),
    },
    Scenario { name: "levels of compression count", needs: &[], run: |bench| levels(bench).boxed_local() },
];

async fn batches(bench: Bench) -> Result<()> {
    let topic = bench.topic("", 1).await?;
    let config = ProducerConfig::new().batch_size(1_000_usize).linger_ms(50_000);
    let patient = Producer::new(&bench.client, config)?;
    let record = |bytes| ProducerRecord::to(topic.as_str()).value(vec![b'v'; bytes]);
    // The second record does not fit beside the first: the first batch is full.
    let full = patient.enqueue(record(700)).await?;
    let mut rest = patient.enqueue(record(700)).await?;
    full.await?;
    let waits = tokio::time::timeout(Duration::from_millis(100), &mut rest).await;
    ensure!(waits.is_err(), "it is neither full nor old");
    patient.flush().await;
    rest.await?;
    let timely = Producer::new(&bench.client, ProducerConfig::new().linger_ms(150))?;
    timely.send(record(1)).await?;
    let began = Instant::now();
    timely.send(record(1)).await?;
    ensure!(began.elapsed() >= Duration::from_millis(145), "{:?}", began.elapsed());
    Ok(())
}

/// By the first byte of the value.
#[derive(Debug)]
struct ByValue;

impl Partitioner for ByValue {
    fn partition(&self, record: &ProducerRecord, topic: &TopicMetadata) -> i32 {
        let first = record.value.as_ref().and_then(|value| value.first()).copied().unwrap_or(0);
        i32::from(first) % topic.partitions.len().max(1) as i32
    }
}

async fn partitioners(bench: Bench) -> Result<()> {
    let topic = bench.topic("", 3).await?;
    let own = ProducerConfig::new().partitioning(Partitioning::Custom(std::sync::Arc::new(ByValue)));
    let own = Producer::new(&bench.client, own)?;
    for byte in 0..30_u8 {
        let written = own.send(ProducerRecord::to(topic.as_str()).key("same").value(vec![byte])).await?;
        ensure!(written.topic_partition.partition == i32::from(byte) % 3, "{written:?}");
    }
    let sticky = Producer::new(&bench.client, ProducerConfig::new().batch_size(500_usize).linger_ms(5))?;
    let mut chosen = Vec::new();
    for _ in 0..300 {
        let delivery = sticky.enqueue(ProducerRecord::to(topic.as_str()).value([7; 40].as_slice())).await?;
        chosen.push(delivery.topic_partition().partition);
    }
    sticky.close(Duration::from_secs(10)).await;
    let changes = chosen.windows(2).filter(|pair| pair[0] != pair[1]).count();
    ensure!((0..3).all(|partition| chosen.contains(&partition)), "{chosen:?}");
    ensure!(changes < 100, "a partition is kept for a batch: {changes} changes in 300 records");
    Ok(())
}

async fn dropped_calls(bench: Bench) -> Result<()> {
    let topic = bench.topic("", 1).await?;
    fill(&bench, &topic, 1, 400, Codec::Zstd).await?;
    let config = ConsumerConfig::standalone().auto_offset_reset(OffsetReset::Earliest);
    let mut consumer = Consumer::new(&bench.client, config.fetch_max_bytes(4_000).fetch_max_wait_ms(50))?;
    consumer.assign([TopicPartition::new(topic.as_str(), 0)])?;
    let (mut offsets, mut dropped) = (Vec::new(), 0);
    while offsets.len() < 400 {
        // Even polled only once it takes nothing with it.
        match dropped % 3 {
            0 => offsets.extend(consumer.next().now_or_never().transpose()?.map(|one| one.offset)),
            1 => {
                let polled = consumer.poll(Duration::from_secs(1)).now_or_never().transpose()?;
                offsets.extend(polled.unwrap_or_default().iter().map(|one| one.offset));
            }
            _ => {
                let next = tokio::time::timeout(Duration::from_micros(300), consumer.next()).await;
                offsets.extend(next.ok().transpose()?.map(|one| one.offset));
            }
        }
        dropped += 1;
        tokio::task::yield_now().await;
    }
    ensure!(offsets == (0..400).collect::<Vec<i64>>(), "{offsets:?}");
    let producer = Producer::new(&bench.client, ProducerConfig::new())?;
    let other = bench.topic("-written", 1).await?;
    for number in 0..50 {
        // Who does not wait for the delivery has sent it all the same.
        let record = ProducerRecord::to(other.as_str()).value(number.to_string());
        drop(producer.send(record).now_or_never());
    }
    producer.flush().await;
    let found = values(&bench, &other, 0, false).await?;
    let expected: Vec<String> = (0..50).map(|number| number.to_string()).collect();
    ensure!(found == expected, "{found:?}");
    Ok(())
}

async fn borrowed(bench: Bench) -> Result<()> {
    let topic = bench.topic("", 1).await?;
    fill(&bench, &topic, 1, 200, Codec::None).await?;
    let config = ConsumerConfig::standalone().auto_offset_reset(OffsetReset::Earliest);
    let mut consumer = Consumer::new(&bench.client, config)?;
    consumer.assign([TopicPartition::new(topic.as_str(), 0)])?;
    let mut count = 0;
    while count < 200 {
        let batch = consumer.next_batch().await?;
        let mut addresses = Vec::new();
        for (borrowed, owned) in batch.iter().zip(batch.records()) {
            let (borrowed, owned) = (borrowed?, owned?);
            let value = borrowed.value.context("it has one")?;
            let shared = owned.value.context("it has one")?;
            ensure!(value.as_ptr() == shared.as_ptr() && value == &shared[..], "it was copied");
            addresses.push(value.as_ptr() as usize);
            count += 1;
        }
        // One record lies behind the other, as they came.
        ensure!(addresses.is_sorted(), "{addresses:?}");
        let span = addresses[addresses.len() - 1] - addresses[0];
        ensure!(span < batch.size_in_bytes(), "{span} of {}", batch.size_in_bytes());
    }
    Ok(())
}

async fn levels(bench: Bench) -> Result<()> {
    let words = ["klamm", "fluss", "schlucht", "wasser", "stein"];
    let text: String =
        (0..4_000_usize).map(|n| words[n * n % 7 % 5].to_owned() + &(n % 97).to_string()).collect();
    let mut sizes = Vec::new();
    for level in [1, 9] {
        let topic = bench.topic(&format!("-{level}"), 1).await?;
        let properties = [
            ("bootstrap.servers", bench.bootstrap.clone()),
            ("compression.type", "gzip".to_owned()),
            ("compression.gzip.level", level.to_string()),
        ];
        let properties = properties.map(|(key, value)| (key.to_owned(), value)).into_iter().collect();
        let (_, config) = ProducerConfig::from_properties(&properties)?;
        let producer = Producer::new(&bench.client, config)?;
        producer.send(ProducerRecord::to(topic.as_str()).value(text.clone())).await?;
        let config = ConsumerConfig::standalone().auto_offset_reset(OffsetReset::Earliest);
        let mut consumer = Consumer::new(&bench.client, config)?;
        consumer.assign([TopicPartition::new(topic.as_str(), 0)])?;
        let batch = consumer.next_batch().await?;
        let record = batch.iter().next().context("there is one")??;
        ensure!(record.value == Some(text.as_bytes()));
        let leader = bench.client.leader(&TopicPartition::new(topic.as_str(), 0)).await?;
        let asked = BTreeMap::from([(topic, vec![0])]);
        let directories = Admin::new(bench.client.clone()).describe_log_dirs(leader, Some(&asked)).await?;
        sizes.push(directories[0].topics[0].partitions[0].partition_size);
    }
    ensure!(sizes[1] < sizes[0] && sizes[0] < text.len() as i64, "{sizes:?} of {}", text.len());
    Ok(())
}

/// The brokers that are known are gone, another bootstrap address leads to those that are there now.
#[test]
fn a_client_without_brokers_bootstraps_again() -> Result<()> {
    let mut servers =
        [ServerProcess::start(Product::Klamm, &[])?, ServerProcess::start(Product::Klamm, &[])?];
    let addresses = servers.each_ref().map(ServerProcess::bootstrap).join(",");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let client = Client::connect(ClientConfig::new(addresses).rebootstrap_trigger_ms(100)).await?;
        let port = |client: &Client| client.metadata().brokers().next().map(|broker| broker.port);
        let first = port(&client).context("a broker is known")?;
        let known = servers.iter_mut().find(|server| server.port() == first).context("it is one of both")?;
        known.kill()?;
        client.refresh_brokers().await?;
        let second = port(&client).context("a broker is known")?;
        ensure!(second != first && servers.iter().any(|server| server.port() == second));
        Ok(())
    })
}
