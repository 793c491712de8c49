//! Reads everything when all is over, once as committed and once as written, up to a last record of its own.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use history_tests::clock::now_ns;
use history_tests::history::{Action, Function, Isolation, Key, Operation, Polled, Value};
use history_tests::topics;
use klamm_client::{
    Client, ClientConfig, Consumer, ConsumerConfig, IsolationLevel, OffsetReset, Producer, ProducerConfig,
    ProducerRecord, TopicPartition,
};

/// Transactions that nobody ends are aborted by then.
const SETTLE_LIMIT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(500);
/// Above all processes of clients.
const PROCESS: u32 = u32::MAX - 3;

/// Waits until no transaction is open, then reads every key to its end with both isolation levels.
pub async fn read(address: &str) -> Result<Vec<Operation>> {
    let client = Client::connect(ClientConfig::new(address).client_id("last-reader")).await?;
    settle(&client).await?;
    let mut operations = vec![mark(&client).await?];
    for (process, isolation) in [(PROCESS, Isolation::Committed), (PROCESS + 1, Isolation::Uncommitted)] {
        read_all(&client, process, isolation, &mut operations).await?;
    }
    Ok(operations)
}

/// The last value of a key.
fn last_value(key: Key) -> Value {
    u64::from(PROCESS + 2) << 32 | u64::from(key)
}

/// Sends the last record of each key.
async fn mark(client: &Client) -> Result<Operation> {
    let producer = Producer::new(client, ProducerConfig::new())?;
    let mut operation = Operation::new(PROCESS + 2, Function::Plain, now_ns(), 0);
    for key in topics::keys() {
        let TopicPartition { topic, partition } = topics::topic_partition(key);
        let record = ProducerRecord::to(topic).partition(partition).value(last_value(key).to_string());
        let offset = Some(producer.send(record).await?.offset).filter(|offset| *offset >= 0);
        operation.actions.push(Action::Send { key, value: last_value(key), offset });
    }
    operation.completed_ns = Some(now_ns());
    Ok(operation)
}

fn consumer(client: &Client, isolation: Isolation) -> Result<Consumer> {
    let level = match isolation {
        Isolation::Committed => IsolationLevel::ReadCommitted,
        Isolation::Uncommitted => IsolationLevel::ReadUncommitted,
    };
    let config = ConsumerConfig::standalone().isolation_level(level).auto_offset_reset(OffsetReset::Earliest);
    Ok(Consumer::new(client, config)?)
}

/// Waits until the last stable offsets are the ends of the logs.
async fn settle(client: &Client) -> Result<()> {
    let (committed, all) =
        (consumer(client, Isolation::Committed)?, consumer(client, Isolation::Uncommitted)?);
    let partitions: Vec<TopicPartition> = topics::keys().map(topics::topic_partition).collect();
    let deadline = Instant::now() + SETTLE_LIMIT;
    loop {
        let ends = all.end_offsets(partitions.clone()).await?;
        let stable = committed.end_offsets(partitions.clone()).await?;
        if ends == stable {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "a transaction hangs: {stable:?} of {ends:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn read_all(
    client: &Client,
    process: u32,
    isolation: Isolation,
    operations: &mut Vec<Operation>,
) -> Result<()> {
    let mut reader = consumer(client, isolation)?;
    let now = now_ns();
    operations.push(Operation::new(process, Function::Assign, now, now));
    reader.assign(topics::keys().map(topics::topic_partition))?;
    let mut left: BTreeSet<Key> = topics::keys().collect();
    let deadline = Instant::now() + SETTLE_LIMIT * 4;
    while !left.is_empty() {
        ensure!(Instant::now() < deadline, "{left:?} do not end: {:?}", reader.positions());
        let mut operation = Operation::new(process, Function::Plain, now_ns(), 0);
        operation.isolation = isolation;
        let mut records = Vec::new();
        for record in reader.poll(POLL).await? {
            let text = std::str::from_utf8(record.value.as_deref().unwrap_or_default())?;
            let key = topics::key(&record.topic_partition)?;
            let value = text.parse()?;
            if value == last_value(key) {
                left.remove(&key);
            }
            records.push(Polled { key, offset: record.offset, value });
        }
        operation.actions.push(Action::Poll(records));
        operation.completed_ns = Some(now_ns());
        operations.push(operation);
    }
    Ok(())
}
