//! Producers: records on their own, and transactions that are committed or aborted.

use std::sync::Arc;

use anyhow::Result;
use history_tests::history::{Action, Function, Key, Operation, Outcome, Value};
use history_tests::random::Random;
use history_tests::topics::{self, INPUT_PARTITIONS};
use klamm_client::{ClientError, Delivery, Producer, ProducerConfig, ProducerRecord, Transaction};

use crate::site::{REST, Site, Values};

const SENDS_MAX: u64 = 4;
const ABORTS: u64 = 15;

/// A record to a key.
pub fn record(key: Key, value: Value) -> ProducerRecord {
    let partition = topics::topic_partition(key);
    ProducerRecord::to(Arc::clone(&partition.topic)).partition(partition.partition).value(value.to_string())
}

pub fn producer_config() -> ProducerConfig {
    ProducerConfig::new().linger_ms(0).delivery_timeout_ms(10_000).max_block_ms(10_000)
}

/// An idempotent producer that tasks share.
pub async fn shared_producer(site: &Site) -> Result<Producer> {
    Ok(Producer::new(&site.client(0).await?, producer_config())?)
}

/// What an operation will send.
pub fn sends(random: &mut Random, values: &mut Values, keys: std::ops::Range<u32>) -> Vec<Action> {
    let count = 1 + random.below(SENDS_MAX);
    let key = |random: &mut Random| keys.start + random.below(u64::from(keys.end - keys.start)) as u32;
    (0..count).map(|_| Action::Send { key: key(random), value: values.next(), offset: None }).collect()
}

/// Sends one after another, each operation when the one before has ended.
pub async fn write(site: Arc<Site>, producer: Arc<Producer>, index: u32) -> Result<()> {
    let (mut random, mut values) = (site.random(index), Values::of(site.process(index)));
    while !site.is_over() {
        let mut operation = site.operation(index, Function::Plain);
        operation.actions = sends(&mut random, &mut values, 0..INPUT_PARTITIONS);
        site.recorder.begin(&operation)?;
        let outcome = send_all(&producer, &mut operation).await;
        // Whatever failed may have been written before it was given up.
        operation.outcome = if outcome.is_ok() { Outcome::Ok } else { Outcome::Info };
        site.end(&mut operation)?;
        if outcome.is_err() {
            tokio::time::sleep(REST).await;
        }
    }
    Ok(())
}

/// Sends what the operation says and notes where it went.
pub async fn send_all(producer: &Producer, operation: &mut Operation) -> Result<(), ClientError> {
    let mut deliveries: Vec<Option<Delivery>> = Vec::new();
    let mut failure = None;
    for action in &operation.actions {
        let Action::Send { key, value, .. } = action else {
            deliveries.push(None);
            continue;
        };
        if failure.is_some() {
            deliveries.push(None);
            continue;
        }
        match producer.enqueue(record(*key, *value)).await {
            Ok(delivery) => deliveries.push(Some(delivery)),
            Err(error) => {
                deliveries.push(None);
                failure = Some(error);
            }
        }
    }
    for (action, delivery) in operation.actions.iter_mut().zip(deliveries) {
        let (Action::Send { offset, .. }, Some(delivery)) = (action, delivery) else { continue };
        match delivery.await {
            Ok(metadata) => *offset = (metadata.offset >= 0).then_some(metadata.offset),
            Err(error) => failure = Some(error),
        }
    }
    failure.map_or(Ok(()), Err)
}

/// A producer that has taken its transactional id over; none when the run is over.
pub async fn transactional(site: &Site, index: u32, id: &str) -> Result<Option<Producer>> {
    loop {
        let client = site.client(index).await?;
        let config = producer_config().transactional_id(Some(id.to_owned())).transaction_timeout_ms(2_000);
        let producer = Producer::new(&client, config)?;
        match producer.init_transactions().await {
            Ok(()) => return Ok(Some(producer)),
            Err(_) if site.is_over() => return Ok(None),
            Err(_) => tokio::time::sleep(REST).await,
        }
    }
}

/// Whether a transaction has an end that is known.
pub enum Ended {
    Known(Outcome),
    /// The producer is to be replaced.
    Unknown,
}

/// Commits, or aborts if something failed.
pub async fn finish(transaction: Transaction, is_commit: bool) -> Ended {
    if !is_commit {
        return match transaction.abort().await {
            Ok(()) => Ended::Known(Outcome::Fail),
            Err(_) => Ended::Unknown,
        };
    }
    match transaction.commit().await {
        Ok(()) => Ended::Known(Outcome::Ok),
        // The coordinator was not asked to commit.
        Err((transaction, ClientError::AbortNeeded { .. })) => match transaction.abort().await {
            Ok(()) => Ended::Known(Outcome::Fail),
            Err(_) => Ended::Unknown,
        },
        Err(_) => Ended::Unknown,
    }
}

/// Transactions one after another.
pub async fn transact(site: Arc<Site>, index: u32) -> Result<()> {
    let (mut random, mut values) = (site.random(index), Values::of(site.process(index)));
    let id = format!("transactor-{}-{index}", site.slot);
    while !site.is_over() {
        let Some(producer) = transactional(&site, index, &id).await? else { return Ok(()) };
        while !site.is_over() {
            let mut operation = site.operation(index, Function::Transaction);
            operation.actions = sends(&mut random, &mut values, 0..INPUT_PARTITIONS);
            let Ok(transaction) = producer.begin().await else { break };
            site.recorder.begin(&operation)?;
            let sent = send_all(&producer, &mut operation).await;
            let is_commit = sent.is_ok() && !random.chance(ABORTS);
            let ended = finish(transaction, is_commit).await;
            operation.outcome = match ended {
                Ended::Known(outcome) => outcome,
                Ended::Unknown => Outcome::Info,
            };
            site.end(&mut operation)?;
            if matches!(ended, Ended::Unknown) {
                tokio::time::sleep(REST).await;
                break;
            }
        }
    }
    Ok(())
}
