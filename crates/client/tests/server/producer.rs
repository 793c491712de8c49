//! Producing: codecs, order, partitions, transactions.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures_util::FutureExt;
use klamm_client::protocol::ApiKey;
use klamm_client::protocol::messages::FetchRequest;
use klamm_client::protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use klamm_client::records::{Codec, batches};
use klamm_client::{
    Acks, ClientError, ConsumerGroupMetadata, Partitioning, Producer, ProducerConfig, ProducerRecord,
    TopicPartition, partition_for_key,
};

use crate::scenario::{Bench, Scenario};

const TRANSACTIONS: &[ApiKey] = &[ApiKey::InitProducerId, ApiKey::EndTxn, ApiKey::TxnOffsetCommit];

pub const SCENARIOS: &[Scenario] = &[
    Scenario { name: "records of every codec arrive", needs: &[], run: |bench| codecs(bench).boxed_local() },
    Scenario { name: "records keep their order", needs: &[], run: |bench| order(bench).boxed_local() },
    Scenario {
        name: "keys choose partitions as in Java",
        needs: &[],
        run: |bench| keys(bench).boxed_local(),
    },
    Scenario { name: "every acks is served", needs: &[], run: |bench| every_acks(bench).boxed_local() },
    Scenario { name: "round robin spreads", needs: &[], run: |bench| round_robin(bench).boxed_local() },
    Scenario {
        name: "buffer memory holds back",
        needs: &[],
        run: |bench| back_pressure(bench).boxed_local(),
    },
    Scenario {
        name: "too large a record is refused",
        needs: &[],
        run: |bench| too_large(bench).boxed_local(),
    },
    Scenario { name: "close delivers what is pending", needs: &[], run: |bench| close(bench).boxed_local() },
    Scenario {
        name: "a committed transaction is visible",
        needs: TRANSACTIONS,
        run: |bench| commit(bench).boxed_local(),
    },
    Scenario {
        name: "an aborted transaction is not",
        needs: TRANSACTIONS,
        run: |bench| abort(bench).boxed_local(),
    },
    Scenario {
        name: "a newer producer fences",
        needs: TRANSACTIONS,
        run: |bench| fencing(bench).boxed_local(),
    },
    Scenario {
        name: "offsets are part of a transaction",
        needs: TRANSACTIONS,
        run: |bench| offsets(bench).boxed_local(),
    },
];

fn producer(bench: &Bench, config: ProducerConfig) -> Result<Producer> {
    Ok(Producer::new(&bench.client, config)?)
}

/// All values of a partition's data batches from its start, with `read_committed` if asked for.
pub async fn values(bench: &Bench, topic: &str, partition: i32, is_committed: bool) -> Result<Vec<String>> {
    let metadata = bench.client.refresh_topics([topic], false).await?;
    let known = metadata.topic(topic).context("it exists")?;
    let leader = bench.client.leader(&TopicPartition::new(topic, partition)).await?;
    let (mut offset, mut values) = (0, Vec::new());
    loop {
        let fetched = FetchPartition {
            partition,
            fetch_offset: offset,
            partition_max_bytes: 1 << 20,
            current_leader_epoch: -1,
            last_fetched_epoch: -1,
            ..FetchPartition::default()
        };
        let request = FetchRequest {
            max_wait_ms: 0,
            max_bytes: 1 << 20,
            isolation_level: i8::from(is_committed),
            session_epoch: -1,
            topics: vec![FetchTopic {
                topic_id: known.id,
                partitions: vec![fetched],
                ..FetchTopic::default()
            }],
            ..FetchRequest::default()
        };
        let mut response = bench.client.send(leader, &request).await?;
        let mut data = response.responses.remove(0).partitions.remove(0);
        ClientError::check(ApiKey::Fetch, data.error_code, None)?;
        let mut aborted = data.aborted_transactions.take().unwrap_or_default();
        aborted.sort_by_key(|range| range.first_offset);
        let bytes = data.records.take().and_then(|records| records.to_bytes()).unwrap_or_default();
        let before = offset;
        for batch in batches(&bytes) {
            let batch = batch?;
            offset = batch.header.next_offset();
            let producer_id = batch.header.producer_id;
            let range = aborted.iter().position(|range| {
                range.producer_id == producer_id && range.first_offset <= batch.header.base_offset
            });
            if batch.header.is_control() {
                // A marker ends its producer's oldest transaction.
                range.map(|index| aborted.remove(index));
                continue;
            }
            if range.is_some() && batch.header.is_transactional() {
                continue;
            }
            for record in batch.records(1 << 24)? {
                values.push(String::from_utf8_lossy(&record?.value.unwrap_or_default()).into_owned());
            }
        }
        if offset == before {
            return Ok(values);
        }
    }
}

/// Asserts what a `read_committed` reader comes to see: markers are written after the answer to a commit.
pub async fn comes_to_be(bench: &Bench, topic: &str, partition: i32, expected: &[&str]) -> Result<()> {
    while values(bench, topic, partition, true).await? != expected {
        bench.client.back_off(1).await;
    }
    Ok(())
}

async fn codecs(bench: Bench) -> Result<()> {
    for codec in Codec::ALL {
        let topic = bench.topic(codec.name(), 1).await?;
        let producer = producer(&bench, ProducerConfig::new().compression_type(codec))?;
        let sent = (0..500).map(|index| {
            let record =
                ProducerRecord::to(topic.as_str()).key(format!("k{index}")).value(format!("{index:0100}"));
            producer.send(record.header("h", "v").timestamp_ms(1_000 + index))
        });
        let written = futures_util::future::try_join_all(sent).await?;
        ensure!(written.iter().enumerate().all(|(index, one)| one.offset == index as i64), "{codec:?}");
        ensure!(written[7].timestamp_ms == 1_007);
        let expected: Vec<String> = (0..500).map(|index| format!("{index:0100}")).collect();
        ensure!(values(&bench, &topic, 0, false).await? == expected, "{codec:?}");
    }
    Ok(())
}

async fn order(bench: Bench) -> Result<()> {
    let topic = bench.topic("", 2).await?;
    let producer = producer(&bench, ProducerConfig::new().batch_size(300_usize).linger_ms(0))?;
    let mut deliveries = Vec::new();
    for index in 0..2_000 {
        let record = ProducerRecord::to(topic.as_str()).partition(index % 2).value(format!("{index}"));
        deliveries.push(producer.enqueue(record).await?);
    }
    producer.flush().await;
    for delivery in deliveries {
        ensure!(delivery.now_or_never().context("flush waits for all")?.is_ok());
    }
    for partition in 0..2 {
        let expected: Vec<String> =
            (0..2_000).filter(|n| n % 2 == partition).map(|n| n.to_string()).collect();
        ensure!(values(&bench, &topic, partition, false).await? == expected);
    }
    Ok(())
}

async fn keys(bench: Bench) -> Result<()> {
    let topic = bench.topic("", 7).await?;
    let producer = producer(&bench, ProducerConfig::new())?;
    for index in 0..50 {
        let key = format!("key-{index}");
        let record = ProducerRecord::to(topic.as_str()).key(key.clone()).value("v");
        let delivery = producer.enqueue(record).await?;
        ensure!(delivery.topic_partition().partition == partition_for_key(key.as_bytes(), 7));
    }
    producer.flush().await;
    let record = ProducerRecord::to(topic.as_str()).partition(7);
    let error = producer.send(record).await.expect_err("there are 7 partitions");
    ensure!(error.topic_partition() == Some(&TopicPartition::new(topic.as_str(), 7)), "{error}");
    Ok(())
}

async fn every_acks(bench: Bench) -> Result<()> {
    let topic = bench.topic("", 1).await?;
    for (acks, offset) in [(Acks::None, -1), (Acks::Leader, 1), (Acks::All, 2)] {
        let producer = producer(&bench, ProducerConfig::new().acks(acks))?;
        let written = producer.send(ProducerRecord::to(topic.as_str()).value("v")).await?;
        ensure!(written.offset == offset, "{acks:?}: {written:?}");
        if acks == Acks::None {
            bench
                .client
                .with_retries("the record without acknowledgement", || async {
                    match values(&bench, &topic, 0, false).await {
                        Ok(values) if values.len() == 1 => Ok(()),
                        _ => {
                            Err(ClientError::refused(ApiKey::Fetch, klamm_client::ErrorCode::RequestTimedOut))
                        }
                    }
                })
                .await?;
        }
    }
    Ok(())
}

async fn round_robin(bench: Bench) -> Result<()> {
    let topic = bench.topic("", 3).await?;
    let config = ProducerConfig::new().partitioning(Partitioning::RoundRobin);
    let producer = producer(&bench, config)?;
    for _ in 0..30 {
        let _delivery = producer.enqueue(ProducerRecord::to(topic.as_str()).key("same").value("v")).await?;
    }
    producer.close(Duration::from_secs(10)).await;
    for partition in 0..3 {
        ensure!(values(&bench, &topic, partition, false).await?.len() == 10);
    }
    Ok(())
}

async fn back_pressure(bench: Bench) -> Result<()> {
    let topic = bench.topic("", 1).await?;
    let config = ProducerConfig::new().buffer_memory(20_000_usize).linger_ms(60_000).max_block_ms(1_500);
    let config = config.batch_size(1_000_000_usize).delivery_timeout_ms(200_000);
    let producer = producer(&bench, config)?;
    let record = || ProducerRecord::to(topic.as_str()).value(vec![0_u8; 9_000]);
    let kept = [producer.enqueue(record()).await?, producer.enqueue(record()).await?];
    ensure!(producer.try_send(record())?.is_err(), "there is no room for a third");
    let error = producer.enqueue(record()).await.expect_err("nothing leaves within max.block.ms");
    ensure!(error.setting() == Some("max.block.ms") && error.is_retriable(), "{error}");
    let (_, third) = tokio::join!(producer.flush(), producer.enqueue(record()));
    let third = third?;
    for delivery in kept {
        delivery.await?;
    }
    producer.flush().await;
    ensure!(third.await?.offset == 2);
    Ok(())
}

async fn too_large(bench: Bench) -> Result<()> {
    let topic = bench.topic("", 1).await?;
    let one = producer(&bench, ProducerConfig::new())?;
    let record = ProducerRecord::to(topic.as_str()).value(vec![0_u8; 1_100_000]);
    let error = one.send(record.clone()).await.expect_err("max.request.size is 1048576");
    ensure!(error.setting() == Some("max.request.size") && !error.is_retriable(), "{error}");
    let two = producer(&bench, ProducerConfig::new().max_request_size(2_000_000_usize))?;
    let error = two.send(record).await.expect_err("max.message.bytes is 1048588");
    ensure!(error.code() == Some(klamm_client::ErrorCode::MessageTooLarge), "{error}");
    ensure!(error.topic_partition().is_some());
    // The producer goes on behind the gap, and a batch that is too large as a whole goes in halves.
    let three = producer(
        &bench,
        ProducerConfig::new().max_request_size(4_000_000_usize).batch_size(3_000_000_usize).linger_ms(50),
    )?;
    let sent = (0..10).map(|n| three.send(ProducerRecord::to(topic.as_str()).value(vec![n as u8; 200_000])));
    let written = futures_util::future::try_join_all(sent).await?;
    ensure!(written.iter().enumerate().all(|(index, one)| one.offset == index as i64), "{written:?}");
    ensure!(two.send(ProducerRecord::to(topic.as_str()).value("v")).await?.offset == 10);
    Ok(())
}

async fn close(bench: Bench) -> Result<()> {
    let topic = bench.topic("", 1).await?;
    let producer = producer(&bench, ProducerConfig::new().linger_ms(5_000))?;
    let clone = producer.clone();
    for index in 0..100 {
        let _delivery = producer.enqueue(ProducerRecord::to(topic.as_str()).value(index.to_string())).await?;
    }
    producer.close(Duration::from_secs(10)).await;
    ensure!(values(&bench, &topic, 0, false).await?.len() == 100);
    let refused = clone.send(ProducerRecord::to(topic.as_str())).await;
    ensure!(matches!(refused, Err(ClientError::Closed)));
    Ok(())
}

async fn transactional(bench: &Bench) -> Result<Producer> {
    let config = ProducerConfig::new().transactional_id(format!("{}-id", bench.name));
    let producer = producer(bench, config)?;
    producer.init_transactions().await?;
    Ok(producer)
}

async fn commit(bench: Bench) -> Result<()> {
    let topic = bench.topic("", 2).await?;
    let producer = transactional(&bench).await?;
    let outside = producer.send(ProducerRecord::to(topic.as_str())).await;
    ensure!(matches!(outside, Err(ClientError::IllegalState(_))));
    for round in 0..3 {
        let transaction = producer.begin().await?;
        for partition in 0..2 {
            transaction
                .send(ProducerRecord::to(topic.as_str()).partition(partition).value(format!("{round}")))
                .await?;
        }
        ensure!(values(&bench, &topic, 0, true).await?.len() <= round);
        transaction.commit().await.map_err(|(_, error)| error)?;
    }
    for partition in 0..2 {
        comes_to_be(&bench, &topic, partition, &["0", "1", "2"]).await?;
    }
    // An empty one costs nothing and works.
    producer.begin().await?.commit().await.map_err(|(_, error)| error)?;
    Ok(())
}

async fn abort(bench: Bench) -> Result<()> {
    let topic = bench.topic("", 1).await?;
    let producer = transactional(&bench).await?;
    for round in 0..3 {
        let transaction = producer.begin().await?;
        transaction.send(ProducerRecord::to(topic.as_str()).value(format!("{round}"))).await?;
        match round {
            0 => transaction.abort().await?,
            1 => drop(transaction),
            _ => transaction.commit().await.map_err(|(_, error)| error)?,
        }
    }
    comes_to_be(&bench, &topic, 0, &["2"]).await?;
    ensure!(values(&bench, &topic, 0, false).await? == ["0", "1", "2"]);
    Ok(())
}

async fn fencing(bench: Bench) -> Result<()> {
    let topic = bench.topic("", 1).await?;
    let old = transactional(&bench).await?;
    let transaction = old.begin().await?;
    transaction.send(ProducerRecord::to(topic.as_str()).value("old")).await?;
    let new = transactional(&bench).await?;
    let error = transaction.send(ProducerRecord::to(topic.as_str()).value("late")).await.expect_err("fenced");
    ensure!(error.is_fenced(), "{error}");
    let (transaction, error) = transaction.commit().await.expect_err("fenced");
    ensure!(error.is_fenced() && !error.is_retriable(), "{error}");
    drop(transaction);
    let transaction = new.begin().await?;
    transaction.send(ProducerRecord::to(topic.as_str()).value("new")).await?;
    transaction.commit().await.map_err(|(_, error)| error)?;
    comes_to_be(&bench, &topic, 0, &["new"]).await?;
    Ok(())
}

async fn offsets(bench: Bench) -> Result<()> {
    let topic = bench.topic("", 1).await?;
    let producer = transactional(&bench).await?;
    let group = ConsumerGroupMetadata::standalone(format!("{}-group", bench.name));
    let transaction = producer.begin().await?;
    let read = TopicPartition::new(topic.as_str(), 0);
    transaction.send_offsets([(read, 5.into())], &group).await?;
    transaction.commit().await.map_err(|(_, error)| error)?;
    Ok(())
}
