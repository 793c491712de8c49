//! Ends and limits: flush, close, memory, metadata, with brokers that refuse or say nothing.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures_util::FutureExt;
use klamm_client::protocol::ApiKey;
use klamm_client::{
    Acks, AssignorName, ClientError, Consumer, ConsumerConfig, ErrorCode, GroupProtocol, OffsetReset,
    Producer, ProducerConfig, ProducerRecord,
};
use tokio::time::Instant;

use crate::cluster::{Cluster, Refusal};
use crate::virtual_time;
use crate::workload::{PLAIN, client};

fn quiet_cluster() -> Arc<Cluster> {
    let cluster = Cluster::new(1, 3);
    cluster.state.lock().create_topic(PLAIN, 1);
    cluster
}

fn record(bytes: usize) -> ProducerRecord {
    ProducerRecord::to(PLAIN).partition(0).value(vec![b'v'; bytes])
}

#[test]
fn a_flush_waits_for_both_halves_of_a_batch_that_was_too_large() -> Result<()> {
    virtual_time()?.block_on(async {
        let cluster = quiet_cluster();
        let refusal = Refusal { api: ApiKey::Produce, code: ErrorCode::MessageTooLarge, times: 1 };
        cluster.state.lock().refusal = Some(refusal);
        let producer = Producer::new(&client(&cluster, 1)?, ProducerConfig::new().linger_ms(50))?;
        let mut deliveries = Vec::new();
        for _ in 0..4 {
            deliveries.push(producer.enqueue(record(10)).await?);
        }
        producer.flush().await;
        for delivery in deliveries {
            delivery.now_or_never().context("flushed, and yet open")??;
        }
        let state = cluster.state.lock();
        ensure!(state.topics[PLAIN].partitions[0].visible(false).len() == 4);
        ensure!(state.asked[&ApiKey::Produce] == 3, "one batch and its halves");
        Ok(())
    })
}

#[test]
fn closing_ends_every_call_however_silent_the_brokers_are() -> Result<()> {
    virtual_time()?.block_on(async {
        let cluster = quiet_cluster();
        let client = client(&cluster, 1)?;
        let config = ProducerConfig::new().buffer_memory(1_000_usize).max_block_ms(600_000);
        let producer = Producer::new(&client, config)?;
        producer.send(record(10)).await?;
        cluster.state.lock().is_silent = true;
        let held = producer.enqueue(record(600)).await?;
        let clone = producer.clone();
        let waiting = tokio::spawn(async move { clone.enqueue(record(600)).await.map(drop) });
        tokio::time::sleep(Duration::from_millis(100)).await;
        let began = Instant::now();
        producer.close(Duration::from_secs(1)).await;
        ensure!(matches!(held.await, Err(ClientError::Closed)), "what is on its way fails");
        ensure!(matches!(waiting.await?, Err(ClientError::Closed)), "who waits for room is told");
        ensure!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        Ok(())
    })
}

#[test]
fn without_acknowledgements_memory_is_bounded_all_the_same() -> Result<()> {
    const BUFFER_BYTES: usize = 100_000;
    virtual_time()?.block_on(async {
        let cluster = quiet_cluster();
        let client = client(&cluster, 1)?;
        let config = ProducerConfig::new().acks(Acks::None).buffer_memory(BUFFER_BYTES).linger_ms(0);
        let producer = Producer::new(&client, config)?;
        producer.send(record(10)).await?;
        cluster.state.lock().is_silent = true;
        let mut taken = 0;
        for _ in 0..2_000 {
            if let Ok(delivery) = producer.try_send(record(1_000))? {
                drop(delivery);
                taken += 1_000;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // What the network holds has left.
        ensure!(taken < BUFFER_BYTES + 100_000, "{taken} bytes were taken");
        cluster.state.lock().is_silent = false;
        producer.close(Duration::from_secs(100)).await;
        Ok(())
    })
}

#[test]
fn many_who_ask_for_metadata_at_once_share_few_requests() -> Result<()> {
    virtual_time()?.block_on(async {
        let cluster = quiet_cluster();
        let client = client(&cluster, 1)?;
        let asked = (0..500).map(|_| client.refresh_topics([PLAIN], false));
        for metadata in futures_util::future::try_join_all(asked).await? {
            ensure!(metadata.topic(PLAIN).is_some_and(|topic| topic.is_available()));
        }
        let count = cluster.state.lock().asked[&ApiKey::Metadata];
        ensure!(count <= 3, "{count} requests");
        Ok(())
    })
}

#[test]
fn a_member_that_waits_for_others_closes_at_once() -> Result<()> {
    virtual_time()?.block_on(async {
        let cluster = quiet_cluster();
        let timekeeper = tokio::spawn({
            let cluster = Arc::clone(&cluster);
            async move { cluster.keep_time().await }
        });
        let producer = Producer::new(&client(&cluster, 9)?, ProducerConfig::new())?;
        producer.send(record(1)).await?;
        let config = ConsumerConfig::new("g")
            .group_protocol(GroupProtocol::Classic)
            .assignors(vec![AssignorName::Range])
            .auto_offset_reset(OffsetReset::Earliest);
        let mut first = Consumer::new(&client(&cluster, 1)?, config.clone())?;
        first.subscribe([PLAIN])?;
        first.next().await?;
        // The first member is busy with its record: the group waits for it, and the second with the group.
        let second = Consumer::new(&client(&cluster, 2)?, config)?;
        second.subscribe([PLAIN])?;
        tokio::time::sleep(Duration::from_secs(20)).await;
        let began = Instant::now();
        second.close().await;
        ensure!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        first.close().await;
        timekeeper.abort();
        Ok(())
    })
}

#[test]
fn a_consumer_closes_in_time_when_no_broker_answers() -> Result<()> {
    virtual_time()?.block_on(async {
        let cluster = quiet_cluster();
        cluster.state.lock().is_silent = true;
        let consumer = Consumer::new(&client(&cluster, 1)?, ConsumerConfig::new("g"))?;
        consumer.subscribe([PLAIN])?;
        tokio::time::sleep(Duration::from_secs(5)).await;
        let began = Instant::now();
        consumer.close_within(Duration::from_secs(3)).await;
        ensure!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
        Ok(())
    })
}

#[test]
fn a_leader_that_is_named_in_a_refusal_is_asked_without_new_metadata() -> Result<()> {
    let (mut hinted, mut unhinted) = (0, 0);
    for seed in 0..20 {
        virtual_time()?.block_on(async {
            let cluster = Cluster::new(seed, 3);
            cluster.state.lock().create_topic(PLAIN, 1);
            let producer = Producer::new(&client(&cluster, seed)?, ProducerConfig::new())?;
            producer.send(record(1)).await?;
            let asked = {
                let mut state = cluster.state.lock();
                let log = state.log(PLAIN, 0).context("it exists")?;
                (log.leader, log.leader_epoch) = (1, log.leader_epoch + 1);
                state.asked[&ApiKey::Metadata]
            };
            producer.send(record(1)).await?;
            // The simulated broker names the leader in half of its refusals.
            match cluster.state.lock().asked[&ApiKey::Metadata] == asked {
                true => hinted += 1,
                false => unhinted += 1,
            }
            Ok::<_, anyhow::Error>(())
        })?;
    }
    ensure!(hinted >= 5 && unhinted >= 5, "{hinted} with a hint, {unhinted} without");
    Ok(())
}
