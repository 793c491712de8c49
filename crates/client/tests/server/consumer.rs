//! Consuming by hand: positions, times, pauses, streams, isolation, codecs.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures_util::{FutureExt, StreamExt};
use klamm_client::protocol::ApiKey;
use klamm_client::records::Codec;
use klamm_client::{
    ClientError, Consumer, ConsumerConfig, IsolationLevel, OffsetReset, Producer, ProducerConfig,
    ProducerRecord, TopicPartition,
};

use crate::scenario::{Bench, Scenario};

pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "records are read as they were written",
        needs: &[],
        run: |bench| round_trip(bench).boxed_local(),
    },
    Scenario { name: "positions can be sought", needs: &[], run: |bench| seeking(bench).boxed_local() },
    Scenario { name: "paused partitions are silent", needs: &[], run: |bench| pausing(bench).boxed_local() },
    Scenario {
        name: "without a position the reset decides",
        needs: &[],
        run: |bench| resets(bench).boxed_local(),
    },
    Scenario {
        name: "partitions have streams of their own",
        needs: &[],
        run: |bench| streams(bench).boxed_local(),
    },
    Scenario {
        name: "offsets are committed and found again",
        needs: &[],
        run: |bench| commits(bench).boxed_local(),
    },
    Scenario { name: "poll hands out what there is", needs: &[], run: |bench| polling(bench).boxed_local() },
    Scenario {
        name: "read committed sees whole transactions",
        needs: &[ApiKey::EndTxn, ApiKey::TxnOffsetCommit],
        run: |bench| read_committed(bench).boxed_local(),
    },
];

/// Writes `count` records per partition, with the number as value and as time.
pub async fn fill(bench: &Bench, topic: &str, partitions: i32, count: i64, codec: Codec) -> Result<()> {
    let config = ProducerConfig::new().compression_type(codec).batch_size(2_000_usize);
    let producer = Producer::new(&bench.client, config)?;
    for partition in 0..partitions {
        for index in 0..count {
            let record =
                ProducerRecord::to(topic).partition(partition).key("k").value(format!("{partition}/{index}"));
            let _delivery = producer.enqueue(record.header("h", "v").timestamp_ms(10_000 + index)).await?;
        }
    }
    producer.flush().await;
    Ok(())
}

fn reader(bench: &Bench, topic: &str, partitions: i32, config: ConsumerConfig) -> Result<Consumer> {
    let consumer = Consumer::new(&bench.client, config.auto_offset_reset(OffsetReset::Earliest))?;
    consumer.assign((0..partitions).map(|partition| TopicPartition::new(topic, partition)))?;
    Ok(consumer)
}

async fn round_trip(bench: Bench) -> Result<()> {
    for codec in Codec::ALL {
        let topic = bench.topic(codec.name(), 3).await?;
        fill(&bench, &topic, 3, 200, codec).await?;
        let mut one = reader(&bench, &topic, 3, ConsumerConfig::standalone())?;
        let mut next = [0; 3];
        for _ in 0..600 {
            let record = one.next().await?;
            let partition = record.topic_partition.partition;
            let expected = next[partition as usize];
            ensure!(record.offset == expected && record.timestamp_ms == 10_000 + expected, "{record:?}");
            ensure!(record.value.as_deref() == Some(format!("{partition}/{expected}").as_bytes()));
            ensure!(record.headers[0].key == "h" && record.key.as_deref() == Some(b"k"));
            next[partition as usize] += 1;
        }
        ensure!(next == [200; 3]);
        ensure!(tokio::time::timeout(Duration::from_millis(50), one.next()).await.is_err());
        // The same as whole batches, borrowed.
        let mut two = reader(&bench, &topic, 3, ConsumerConfig::standalone())?;
        let (mut count, mut bytes) = (0, 0);
        while count < 600 {
            let batch = two.next_batch().await?;
            for record in batch.iter() {
                let record = record?;
                bytes += record.value.context("it has a value")?.len();
                count += 1;
            }
        }
        ensure!(count == 600 && bytes == 3 * (10 * 3 + 90 * 4 + 100 * 5));
        one.close().await;
        two.close().await;
    }
    Ok(())
}

async fn seeking(bench: Bench) -> Result<()> {
    let topic = bench.topic("", 1).await?;
    fill(&bench, &topic, 1, 100, Codec::None).await?;
    let mut consumer = reader(&bench, &topic, 1, ConsumerConfig::standalone())?;
    let read = TopicPartition::new(topic.as_str(), 0);
    ensure!(consumer.next().await?.offset == 0 && consumer.position(&read) == Some(1));
    consumer.seek(&read, 42)?;
    ensure!(consumer.next().await?.offset == 42 && consumer.lag(&read) == Some(57));
    consumer.seek_to_time(&read, 10_070).await?;
    ensure!(consumer.next().await?.offset == 70);
    consumer.seek_to_beginning(&read)?;
    ensure!(consumer.next().await?.offset == 0);
    consumer.seek_to_end(&read)?;
    ensure!(tokio::time::timeout(Duration::from_millis(100), consumer.next()).await.is_err());
    fill(&bench, &topic, 1, 1, Codec::None).await?;
    ensure!(consumer.next().await?.offset == 100);
    ensure!(consumer.beginning_offsets([read.clone()]).await?[&read] == 0);
    ensure!(consumer.end_offsets([read.clone()]).await?[&read] == 101);
    let times = consumer.offsets_for_times([(read.clone(), 10_099)]).await?;
    ensure!(times[&read].context("there is one")?.offset == 99);
    let unassigned = TopicPartition::new(topic.as_str(), 1);
    ensure!(consumer.seek(&unassigned, 0).is_err() && consumer.position(&unassigned).is_none());
    Ok(())
}

async fn pausing(bench: Bench) -> Result<()> {
    let topic = bench.topic("", 2).await?;
    fill(&bench, &topic, 2, 50, Codec::None).await?;
    let mut consumer = reader(&bench, &topic, 2, ConsumerConfig::standalone())?;
    let paused = TopicPartition::new(topic.as_str(), 0);
    consumer.pause([&paused]);
    ensure!(consumer.paused().contains(&paused));
    for _ in 0..50 {
        ensure!(consumer.next().await?.topic_partition.partition == 1);
    }
    ensure!(tokio::time::timeout(Duration::from_millis(50), consumer.next()).await.is_err());
    consumer.resume([&paused]);
    for offset in 0..50 {
        let record = consumer.next().await?;
        ensure!((record.topic_partition.partition, record.offset) == (0, offset));
    }
    Ok(())
}

async fn resets(bench: Bench) -> Result<()> {
    let topic = bench.topic("", 1).await?;
    fill(&bench, &topic, 1, 10, Codec::None).await?;
    let read = TopicPartition::new(topic.as_str(), 0);
    let config = ConsumerConfig::new(format!("{}-none", bench.name)).auto_offset_reset(OffsetReset::None);
    let mut none = Consumer::new(&bench.client, config)?;
    none.assign([read.clone()])?;
    let error = none.next().await.expect_err("nothing is committed");
    ensure!(matches!(&error, ClientError::NoOffset { offset: -1, .. }), "{error}");
    ensure!(error.setting() == Some("auto.offset.reset") && error.topic_partition() == Some(&read));
    none.seek(&read, 1_000)?;
    let error = none.next().await.expect_err("the log ends at 10");
    ensure!(matches!(&error, ClientError::NoOffset { offset: 1_000, .. }), "{error}");
    none.seek(&read, 9)?;
    ensure!(none.next().await?.offset == 9);
    let mut earliest = reader(&bench, &topic, 1, ConsumerConfig::standalone())?;
    earliest.seek(&read, 1_000)?;
    ensure!(earliest.next().await?.offset == 0);
    // All records are of 1970: none is as young as an hour.
    let config = ConsumerConfig::standalone().auto_offset_reset(OffsetReset::ByDuration(3_600_000));
    let mut young = Consumer::new(&bench.client, config)?;
    young.assign([read.clone()])?;
    ensure!(tokio::time::timeout(Duration::from_millis(200), young.next()).await.is_err());
    ensure!(young.position(&read) == Some(10));
    Ok(())
}

async fn streams(bench: Bench) -> Result<()> {
    let topic = bench.topic("", 3).await?;
    fill(&bench, &topic, 3, 100, Codec::Lz4).await?;
    let mut consumer = reader(&bench, &topic, 3, ConsumerConfig::standalone())?;
    let mut tasks = Vec::new();
    for partition in 0..2 {
        let mut stream = consumer.partition_stream(&TopicPartition::new(topic.as_str(), partition))?;
        tasks.push(tokio::spawn(async move {
            let mut offsets = Vec::new();
            while offsets.len() < 100 {
                let Some(batch) = stream.next().await else { break };
                let batch = batch.expect("it can be read");
                assert_eq!(batch.topic_partition().partition, partition);
                offsets.extend(batch.iter().map(|record| record.expect("it can be read").offset));
            }
            let rest = stream.next().await.is_none();
            (offsets, rest)
        }));
    }
    let rest: Vec<_> =
        consumer.stream().take(100).map(|one| one.expect("it can be read").offset).collect().await;
    ensure!(rest == (0..100).collect::<Vec<i64>>());
    while (0..2)
        .any(|partition| consumer.position(&TopicPartition::new(topic.as_str(), partition)) != Some(100))
    {
        tokio::task::yield_now().await;
    }
    consumer.close().await;
    for task in tasks {
        let (offsets, has_ended) = task.await?;
        ensure!(offsets == (0..100).collect::<Vec<i64>>() && has_ended);
    }
    Ok(())
}

async fn commits(bench: Bench) -> Result<()> {
    let topic = bench.topic("", 1).await?;
    fill(&bench, &topic, 1, 20, Codec::None).await?;
    let read = TopicPartition::new(topic.as_str(), 0);
    let group = format!("{}-group", bench.name);
    let config = || ConsumerConfig::new(group.clone()).enable_auto_commit(false);
    let mut one = reader(&bench, &topic, 1, config())?;
    for _ in 0..5 {
        one.next().await?;
    }
    one.commit().await?;
    let committed = one.committed([read.clone()]).await?;
    ensure!(committed[&read].as_ref().context("it is committed")?.offset == 5);
    one.close().await;
    let mut two = reader(&bench, &topic, 1, config().enable_auto_commit(true))?;
    ensure!(two.next().await?.offset == 5);
    two.next().await?;
    // Closing commits what was handed out; dropping only what is known to be processed.
    two.close().await;
    let mut three = reader(&bench, &topic, 1, config())?;
    ensure!(three.next().await?.offset == 7);
    three.commit_offsets([(read.clone(), 3.into())]).await?;
    ensure!(three.committed([read.clone()]).await?[&read].as_ref().context("it is")?.offset == 3);
    let mut alone = reader(&bench, &topic, 1, ConsumerConfig::standalone())?;
    ensure!(alone.next().await?.offset == 0 && alone.committed([read]).await.is_err());
    Ok(())
}

async fn polling(bench: Bench) -> Result<()> {
    let topic = bench.topic("", 1).await?;
    fill(&bench, &topic, 1, 100, Codec::None).await?;
    let mut consumer = reader(&bench, &topic, 1, ConsumerConfig::standalone().max_poll_records(7_usize))?;
    let mut offsets = Vec::new();
    while offsets.len() < 100 {
        let polled = consumer.poll(Duration::from_secs(10)).await?;
        ensure!((1..=7).contains(&polled.len()));
        offsets.extend(polled.iter().map(|record| record.offset));
    }
    ensure!(offsets == (0..100).collect::<Vec<i64>>());
    ensure!(consumer.poll(Duration::from_millis(20)).await?.is_empty());
    Ok(())
}

async fn read_committed(bench: Bench) -> Result<()> {
    let topic = bench.topic("", 1).await?;
    let config = ProducerConfig::new().transactional_id(bench.name.clone());
    let producer = Producer::new(&bench.client, config)?;
    producer.init_transactions().await?;
    let plain = Producer::new(&bench.client, ProducerConfig::new())?;
    let config = ConsumerConfig::standalone().isolation_level(IsolationLevel::ReadCommitted);
    let mut committed = reader(&bench, &topic, 1, config)?;
    for round in 0..6 {
        let transaction = producer.begin().await?;
        for _ in 0..3 {
            transaction.send(ProducerRecord::to(topic.as_str()).value(format!("{round}"))).await?;
        }
        plain.send(ProducerRecord::to(topic.as_str()).value("plain")).await?;
        let early = tokio::time::timeout(Duration::from_millis(100), committed.next()).await;
        ensure!(early.is_err(), "an open transaction holds back all behind it: {early:?}");
        if round % 2 == 0 {
            transaction.abort().await?;
        } else {
            transaction.commit().await.map_err(|(_, error)| error)?;
            for _ in 0..3 {
                ensure!(committed.next().await?.value.as_deref() == Some(round.to_string().as_bytes()));
            }
        }
        ensure!(committed.next().await?.value.as_deref() == Some(&b"plain"[..]));
    }
    let mut all = reader(&bench, &topic, 1, ConsumerConfig::standalone())?;
    for _ in 0..24 {
        all.next().await?;
    }
    ensure!(all.position(&TopicPartition::new(topic.as_str(), 0)) >= Some(29));
    Ok(())
}
