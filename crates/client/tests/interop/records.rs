//! What one writes the other reads: every codec, keys in the same partitions, transactions.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use klamm_client::records::Codec;
use klamm_client::{
    Client, Consumer, ConsumerConfig, ConsumerRecord, IsolationLevel, OffsetReset, Producer, ProducerConfig,
    ProducerRecord, TopicPartition, partition_for_key, read_properties,
};

use crate::Table;
use crate::peer::Peer;

const COUNT: usize = 300;
const KEYS: usize = 10_000;
const KEY_PARTITIONS: i32 = 7;

fn expected(prefix: &str, count: usize) -> Vec<String> {
    let mut values: Vec<String> = (0..count).map(|index| format!("{prefix}{index}")).collect();
    values.sort();
    values
}

/// Reads a topic by `read_committed` until so many records have come.
fn read(table: &Table, topic: &str, partitions: i32, count: usize) -> Result<Vec<ConsumerRecord>> {
    table.runtime.block_on(async {
        let config = ConsumerConfig::default()
            .auto_offset_reset(OffsetReset::Earliest)
            .isolation_level(IsolationLevel::ReadCommitted);
        let mut consumer = Consumer::new(&table.client, config)?;
        consumer.assign((0..partitions).map(|partition| TopicPartition::new(topic, partition)))?;
        let mut records = Vec::new();
        while records.len() < count {
            let next = tokio::time::timeout(Duration::from_secs(30), consumer.next()).await;
            records.push(next.with_context(|| format!("{} of {count} came", records.len()))??);
        }
        // More than that must not come.
        if let Ok(next) = tokio::time::timeout(Duration::from_millis(300), consumer.next()).await {
            records.push(next?);
        }
        consumer.close().await;
        Ok(records)
    })
}

fn values(records: Vec<ConsumerRecord>) -> Vec<String> {
    let text = |bytes: Option<bytes::Bytes>| String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned();
    let mut values: Vec<String> = records.into_iter().map(|record| text(record.value)).collect();
    values.sort();
    values
}

pub fn codecs(table: &Table, peer: &mut Peer) -> Result<()> {
    for codec in Codec::ALL {
        let (ours, theirs) = (format!("ours-{}", codec.name()), format!("theirs-{}", codec.name()));
        table.topic(&ours, 2)?;
        table.topic(&theirs, 2)?;
        table.runtime.block_on(async {
            let producer = Producer::new(&table.client, ProducerConfig::new().compression_type(codec))?;
            for index in 0..COUNT {
                let record =
                    ProducerRecord::to(ours.as_str()).key(format!("v{index}")).value(format!("v{index}"));
                let _delivery = producer.enqueue(record).await?;
            }
            producer.close(Duration::from_secs(10)).await;
            Ok::<_, anyhow::Error>(())
        })?;
        let answer = peer.ask(&format!("values {ours}"))?;
        let found: Vec<&str> = answer.split(',').collect();
        ensure!(found == expected("v", COUNT), "{} reads {} with {codec:?}", peer.name, found.len());
        peer.tell(&format!("produce {theirs} {} {COUNT}", codec.name()))?;
        let found = values(read(table, &theirs, 2, COUNT)?);
        ensure!(found == expected("v", COUNT), "from {} with {codec:?}: {found:?}", peer.name);
    }
    println!("{}: {} codecs in both directions", peer.name, Codec::ALL.len());
    Ok(())
}

pub fn keys(table: &Table, peer: &mut Peer) -> Result<()> {
    table.topic("keys", KEY_PARTITIONS)?;
    peer.tell(&format!("keys keys {KEYS}"))?;
    let records = read(table, "keys", KEY_PARTITIONS, KEYS)?;
    for record in &records {
        let key = record.key.as_deref().context("it has one")?;
        let ours = partition_for_key(key, KEY_PARTITIONS);
        ensure!(ours == record.topic_partition.partition, "{key:?} lies elsewhere");
    }
    ensure!(values(records) == expected("key-", KEYS));
    println!("{}: {KEYS} keys in the same partitions", peer.name);
    Ok(())
}

pub fn transactions(table: &Table, peer: &mut Peer) -> Result<()> {
    let committed = [expected("committed-", 10), expected("committed-again-", 10)].concat();
    let mut committed: Vec<String> = committed;
    committed.sort();
    table.topic("our-transactions", 2)?;
    table.runtime.block_on(async {
        let config = ProducerConfig::new().transactional_id("ours".to_owned());
        let producer = Producer::new(&table.client, config)?;
        producer.init_transactions().await?;
        for word in ["committed", "aborted", "committed-again"] {
            let transaction = producer.begin().await?;
            for index in 0..10 {
                let record = ProducerRecord::to("our-transactions").value(format!("{word}-{index}"));
                transaction.send(record).await?;
            }
            match word {
                "aborted" => transaction.abort().await?,
                _ => transaction.commit().await.map_err(|(_, error)| error)?,
            }
        }
        producer.close(Duration::from_secs(10)).await;
        Ok::<_, anyhow::Error>(())
    })?;
    let answer = peer.ask("values our-transactions")?;
    let found: Vec<&str> = answer.split(',').collect();
    ensure!(found == committed, "{} reads {found:?}", peer.name);
    table.topic("their-transactions", 2)?;
    peer.tell("transact their-transactions theirs")?;
    let found = values(read(table, "their-transactions", 2, committed.len())?);
    ensure!(found == committed, "of {} we read {found:?}", peer.name);
    println!("{}: transactions in both directions", peer.name);
    Ok(())
}

/// One file of settings, with names, forms and values as a Java programmer writes them.
const SETTINGS: &str = "# Written for Java.
bootstrap.servers = BOOTSTRAP
key.serializer=org.apache.kafka.common.serialization.StringSerializer
value.serializer=org.apache.kafka.common.serialization.StringSerializer
acks: all
linger.ms=20
batch.size 20000
compression.type=lz4
enable.idempotence=true
max.in.flight.requests.per.connection=\\
  3
delivery.timeout.ms=60000
partitioner.ignore.keys=false
";

pub fn settings(table: &Table, peer: &mut Peer) -> Result<()> {
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), SETTINGS.replace("BOOTSTRAP", &table.bootstrap))?;
    let (client, config) = ProducerConfig::from_properties(&read_properties(file.path())?)?;
    let told = format!("{config:?}");
    ensure!(told.contains("max_in_flight: 3") && told.contains("linger_ms: 20"), "{told}");
    table.topic("by-file", 3)?;
    peer.tell(&format!("produce-by-file {} by-file {COUNT}", file.path().display()))?;
    table.runtime.block_on(async {
        let producer = Producer::new(&Client::connect(client).await?, config)?;
        for index in 0..COUNT {
            let record = ProducerRecord::to("by-file").key(format!("v{index}")).value(format!("v{index}"));
            let _delivery = producer.enqueue(record).await?;
        }
        producer.close(Duration::from_secs(10)).await;
        Ok::<_, anyhow::Error>(())
    })?;
    let records = read(table, "by-file", 3, 2 * COUNT)?;
    for record in &records {
        let key = record.key.as_deref().context("it has one")?;
        ensure!(partition_for_key(key, 3) == record.topic_partition.partition, "{record:?}");
    }
    let mut twice = [expected("v", COUNT), expected("v", COUNT)].concat();
    twice.sort();
    ensure!(values(records) == twice);
    println!("{}: one file of settings for both", peer.name);
    Ok(())
}
