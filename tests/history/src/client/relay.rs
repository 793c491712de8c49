//! Exactly once: what a group reads is written elsewhere and committed in one transaction (KIP-447).

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Result;
use history_tests::history::{Action, Function, Operation, Outcome};
use history_tests::random::Random;
use history_tests::topics::{INPUT, INPUT_PARTITIONS, OUTPUT_PARTITIONS};
use klamm_client::{
    Consumer, ConsumerGroupMetadata, GroupProtocol, OffsetAndMetadata, Producer, TopicPartition,
};

use crate::reader::{POLL, Rebalances, member};
use crate::site::{self, REST, Site, Values};
use crate::writer::{Ended, finish, send_all, sends, transactional};

/// One transaction in so many is the consumer's last.
const LIFE: u64 = 200;
const ABORTS: u64 = 10;

/// A relay's consumer, producer and records.
struct Relay {
    site: Arc<Site>,
    index: u32,
    group: u32,
    random: Random,
    values: Values,
}

/// Reads with a group and writes in transactions.
pub async fn relay(site: Arc<Site>, index: u32) -> Result<()> {
    let group = u32::from(site.group_protocol() == GroupProtocol::Classic);
    let id = format!("relay-{}", site.slot);
    let (random, values) = (site.random(index), Values::of(site.process(index)));
    let mut relay = Relay { site: Arc::clone(&site), index, group, random, values };
    while !site.is_over() {
        let Some(producer) = transactional(&site, index, &id).await? else { return Ok(()) };
        let mut operation = site.operation(index, Function::Subscribe);
        site.recorder.begin(&operation)?;
        let (mut consumer, rebalances) = member(&site, index, &format!("relays-{group}"), &[INPUT]).await?;
        site.end(&mut operation)?;
        while !site.is_over() && relay.step(&mut consumer, &producer, &rebalances).await? {}
        consumer.close().await;
        tokio::time::sleep(REST).await;
    }
    Ok(())
}

impl Relay {
    /// False when consumer and producer are to be replaced: then reading begins where the group stands.
    async fn step(
        &mut self,
        consumer: &mut Consumer,
        producer: &Producer,
        rebalances: &Rebalances,
    ) -> Result<bool> {
        let Ok(records) = consumer.poll(POLL).await else { return Ok(false) };
        // As of now: who was thrown out of the group after this poll must not commit.
        let Some(group) = consumer.group_metadata() else { return Ok(false) };
        if records.is_empty() {
            return Ok(true);
        }
        let mut operation = self.site.operation(self.index, Function::Transaction);
        operation.group = Some(self.group);
        let polled: Result<Vec<_>> = records.iter().map(site::polled).collect();
        let mut next: BTreeMap<TopicPartition, i64> = BTreeMap::new();
        for record in &records {
            next.insert(record.topic_partition.clone(), record.offset + 1);
        }
        operation.actions.push(Action::Poll(polled?));
        let output = INPUT_PARTITIONS..INPUT_PARTITIONS + OUTPUT_PARTITIONS;
        operation.actions.extend(sends(&mut self.random, &mut self.values, output));
        operation.rebalanced = rebalances.take();
        let Ok(transaction) = producer.begin().await else { return Ok(false) };
        self.site.recorder.begin(&operation)?;
        let sent = self.send(producer, &transaction, &mut operation, next, &group).await;
        let is_commit = sent && !self.random.chance(ABORTS);
        let ended = finish(transaction, is_commit).await;
        operation.outcome = match ended {
            Ended::Known(outcome) => outcome,
            Ended::Unknown => Outcome::Info,
        };
        self.site.end(&mut operation)?;
        Ok(operation.outcome == Outcome::Ok && self.random.below(LIFE) > 0)
    }

    async fn send(
        &self,
        producer: &Producer,
        transaction: &klamm_client::Transaction,
        operation: &mut Operation,
        next: BTreeMap<TopicPartition, i64>,
        group: &ConsumerGroupMetadata,
    ) -> bool {
        let offsets =
            next.into_iter().map(|(partition, offset)| (partition, OffsetAndMetadata::from(offset)));
        send_all(producer, operation).await.is_ok() && transaction.send_offsets(offsets, group).await.is_ok()
    }
}
