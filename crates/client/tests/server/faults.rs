//! A bad network between the client and the server: nothing lost, nothing doubled, order kept.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures_util::FutureExt;
use klamm_client::protocol::ApiKey;
use klamm_client::{
    AssignorName, Client, ClientConfig, Consumer, ConsumerConfig, GroupProtocol, IsolationLevel, OffsetReset,
    Producer, ProducerConfig, ProducerRecord, partition_for_key,
};
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::producer::values;
use crate::proxy::Proxy;
use crate::scenario::{Bench, Scenario};

pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "a bad network loses nothing for classic members",
        needs: &[ApiKey::InitProducerId, ApiKey::EndTxn, ApiKey::JoinGroup],
        run: |bench| bad_network(bench, GroupProtocol::Classic).boxed_local(),
    },
    Scenario {
        name: "a bad network loses nothing for members by KIP-848",
        needs: &[ApiKey::InitProducerId, ApiKey::EndTxn, ApiKey::ConsumerGroupHeartbeat],
        run: |bench| bad_network(bench, GroupProtocol::Consumer).boxed_local(),
    },
];

const PARTITIONS: i32 = 3;
const KEYS: u64 = 7;

/// How many networks are tried: `KLAMM_TEST_NETWORKS`, each with a seed of its own.
fn networks() -> Result<u64> {
    match std::env::var("KLAMM_TEST_NETWORKS") {
        Ok(text) => text.parse().with_context(|| format!("KLAMM_TEST_NETWORKS={text}")),
        Err(_) => Ok(1),
    }
}

async fn bad_network(bench: Bench, protocol: GroupProtocol) -> Result<()> {
    for seed in 0..networks()? {
        let one = Bench { name: format!("{}-{seed}", bench.name), ..bench.clone() };
        let outcome = tokio::time::timeout(Duration::from_secs(50), one_network(&one, protocol, seed)).await;
        let outcome = outcome.with_context(|| format!("network {seed} does not come to an end"))?;
        outcome.with_context(|| format!("network {seed}"))?;
    }
    Ok(())
}

fn client(bench: &Bench, proxy: &Proxy, seed: u64) -> Result<Client> {
    let config = ClientConfig::new(bench.bootstrap.clone())
        .transport(proxy.transport())
        .seed(seed)
        .request_timeout_ms(1_000)
        .retry_backoff_ms(20)
        .reconnect_backoff_ms(10)
        .reconnect_backoff_max_ms(100);
    Ok(Client::unconnected(config)?)
}

async fn one_network(bench: &Bench, protocol: GroupProtocol, seed: u64) -> Result<()> {
    let proxy = Proxy::start(&bench.bootstrap, seed).await?;
    let plain = bench.topic("-plain", PARTITIONS).await?;
    let transacted = bench.topic("-transacted", 1).await?;
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let (stop, stopped) = watch::channel(false);
    let topics = [plain.clone(), transacted.clone()];
    let readers = futures_util::future::try_join_all((0..2).map(|member| {
        let (topics, seen, stopped) = (topics.clone(), Arc::clone(&seen), stopped.clone());
        let client = client(bench, &proxy, seed * 10 + member);
        let config = group_config(bench, protocol, seed);
        async move { read(client?, config, &topics, &seen, stopped).await }
    }));
    let work = async {
        let (sent, committed) = tokio::try_join!(
            produce(client(bench, &proxy, seed + 1_000)?, &plain),
            transact(client(bench, &proxy, seed + 2_000)?, &transacted, &bench.name),
        )?;
        let cuts = proxy.heal();
        ensure!(cuts > 0, "the network was good");
        let count = sent.values().map(Vec::len).sum::<usize>() + committed.len();
        loop {
            let mut distinct = seen.lock().clone();
            distinct.sort();
            distinct.dedup();
            if distinct.len() >= count {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        stop.send_replace(true);
        Ok::<_, anyhow::Error>((sent, committed))
    };
    let (_, (sent, committed)) = tokio::try_join!(readers, work)?;
    for partition in 0..PARTITIONS {
        let found = values(bench, &plain, partition, true).await?;
        let expected = sent.get(&partition).cloned().unwrap_or_default();
        ensure!(found == expected, "partition {partition}: {found:?} where {expected:?} was sent");
    }
    let found = values(bench, &transacted, 0, true).await?;
    ensure!(found == committed, "{found:?} where {committed:?} was committed");
    let strangers: Vec<String> =
        seen.lock().iter().filter(|value| value.contains("aborted")).cloned().collect();
    ensure!(strangers.is_empty(), "{strangers:?} were read and aborted");
    Ok(())
}

fn group_config(bench: &Bench, protocol: GroupProtocol, seed: u64) -> ConsumerConfig {
    let assignors = [AssignorName::Range, AssignorName::CooperativeSticky, AssignorName::RoundRobin];
    ConsumerConfig::new(format!("{}-group", bench.name))
        .group_protocol(protocol)
        .assignors(vec![assignors[seed as usize % assignors.len()]])
        .isolation_level(IsolationLevel::ReadCommitted)
        .auto_offset_reset(OffsetReset::Earliest)
        .auto_commit_interval_ms(100)
        .session_timeout_ms(6_000)
        .heartbeat_interval_ms(200)
        .fetch_max_wait_ms(100)
}

/// Sends records by key; all values by partition in the order in which they were sent.
async fn produce(client: Client, topic: &str) -> Result<BTreeMap<i32, Vec<String>>> {
    let config = ProducerConfig::new().batch_size(200_usize).linger_ms(1).buffer_memory(4_000_usize);
    let producer = Producer::new(&client, config)?;
    let (mut sent, mut deliveries) = (BTreeMap::<i32, Vec<String>>::new(), Vec::new());
    for number in 0..600_u64 {
        let (key, value) = (format!("key-{}", number % KEYS), format!("plain-{number}"));
        sent.entry(partition_for_key(key.as_bytes(), PARTITIONS)).or_default().push(value.clone());
        let record = ProducerRecord::to(topic).key(key).value(value);
        deliveries.push(producer.enqueue(record).await?);
    }
    for delivery in deliveries {
        delivery.await?;
    }
    producer.close(Duration::from_secs(10)).await;
    Ok(sent)
}

/// Every third transaction is aborted; the values of the others.
async fn transact(client: Client, topic: &str, id: &str) -> Result<Vec<String>> {
    let config = ProducerConfig::new().transactional_id(format!("{id}-transactions")).batch_size(100_usize);
    let producer = Producer::new(&client, config)?;
    producer.init_transactions().await?;
    let mut committed = Vec::new();
    for round in 0..12 {
        let is_aborted = round % 3 == 2;
        let word = if is_aborted { "aborted" } else { "committed" };
        let mut transaction = producer.begin().await?;
        for number in 0..5 {
            let value = format!("{word}-{round}-{number}");
            let _delivery = transaction.enqueue(ProducerRecord::to(topic).value(value.clone())).await?;
            if !is_aborted {
                committed.push(value);
            }
        }
        if is_aborted {
            transaction.abort().await?;
            continue;
        }
        while let Err((again, error)) = transaction.commit().await {
            ensure!(error.is_retriable(), "round {round} is not committed: {error}");
            transaction = again;
        }
    }
    producer.close(Duration::from_secs(10)).await;
    Ok(committed)
}

async fn read(
    client: Client,
    config: ConsumerConfig,
    topics: &[String],
    seen: &Mutex<Vec<String>>,
    mut stopped: watch::Receiver<bool>,
) -> Result<()> {
    let mut consumer = Consumer::new(&client, config)?;
    consumer.subscribe(topics)?;
    loop {
        let record = tokio::select! {
            biased;
            _ = stopped.wait_for(|stop| *stop) => break,
            record = consumer.next() => record,
        };
        match record {
            Ok(record) => {
                seen.lock().push(String::from_utf8_lossy(&record.value.unwrap_or_default()).into_owned());
            }
            Err(error) => ensure!(error.is_retriable() || error.is_fenced(), "{error}"),
        }
    }
    consumer.close().await;
    Ok(())
}
