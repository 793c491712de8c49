//! Consumers: one that reads everything from the beginning, one that shares it with a group.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Result;
use futures_util::future::BoxFuture;
use history_tests::history::{Action, Function, Isolation, Key, Outcome};
use history_tests::topics;
use klamm_client::{
    Consumer, ConsumerConfig, IsolationLevel, OffsetReset, RebalanceListener, TopicPartition,
};

use crate::site::{self, REST, Site};

/// How long a poll waits.
pub const POLL: Duration = Duration::from_millis(200);
/// One operation in so many is the consumer's last.
const LIFE: u64 = 300;
const FAILURES_MAX: u32 = 20;

/// Reads all keys from the beginning, again and again.
pub async fn assign(site: Arc<Site>, index: u32, isolation: Isolation) -> Result<()> {
    let mut random = site.random(index);
    while !site.is_over() {
        let level = match isolation {
            Isolation::Committed => IsolationLevel::ReadCommitted,
            Isolation::Uncommitted => IsolationLevel::ReadUncommitted,
        };
        let config = ConsumerConfig::standalone().isolation_level(level);
        let config = config.auto_offset_reset(OffsetReset::Earliest).fetch_max_wait_ms(100);
        let mut operation = site.operation(index, Function::Assign);
        site.recorder.begin(&operation)?;
        let mut consumer = Consumer::new(&site.client(index).await?, config)?;
        consumer.assign(topics::keys().map(topics::topic_partition))?;
        site.end(&mut operation)?;
        let mut failures = 0;
        while !site.is_over() && random.below(LIFE) > 0 && failures < FAILURES_MAX {
            let mut operation = site.operation(index, Function::Plain);
            operation.isolation = isolation;
            site.recorder.begin(&operation)?;
            match consumer.poll(POLL).await {
                Ok(records) => {
                    let records: Result<Vec<_>> = records.iter().map(site::polled).collect();
                    operation.actions.push(Action::Poll(records?));
                }
                Err(_) => {
                    operation.outcome = Outcome::Info;
                    failures += 1;
                    tokio::time::sleep(REST).await;
                }
            }
            site.end(&mut operation)?;
        }
    }
    Ok(())
}

/// Notes which keys come and go.
#[derive(Debug, Default)]
pub struct Rebalances(Mutex<Vec<Key>>);

impl Rebalances {
    /// What has come or gone since the last call.
    pub fn take(&self) -> Vec<Key> {
        std::mem::take(&mut self.0.lock().expect("nobody panics with it"))
    }

    fn note(&self, partitions: &[TopicPartition]) -> BoxFuture<'static, ()> {
        self.0.lock().expect("nobody panics with it").extend(site::keys(partitions));
        Box::pin(std::future::ready(()))
    }
}

impl RebalanceListener for Rebalances {
    fn assigned<'a>(&'a self, partitions: &'a [TopicPartition]) -> BoxFuture<'a, ()> {
        self.note(partitions)
    }

    fn revoked<'a>(&'a self, partitions: &'a [TopicPartition]) -> BoxFuture<'a, ()> {
        self.note(partitions)
    }
}

/// A consumer of a group that commits by itself, and who is told of its rebalances.
pub async fn member(
    site: &Site,
    index: u32,
    group: &str,
    topics: &[&str],
) -> Result<(Consumer, Arc<Rebalances>)> {
    let config = ConsumerConfig::new(group)
        .group_protocol(site.group_protocol())
        .isolation_level(IsolationLevel::ReadCommitted)
        .auto_offset_reset(OffsetReset::Earliest)
        .enable_auto_commit(false)
        .session_timeout_ms(2_000)
        .heartbeat_interval_ms(300)
        .fetch_max_wait_ms(100);
    let rebalances = Arc::new(Rebalances::default());
    let listener = Arc::clone(&rebalances) as Arc<dyn RebalanceListener>;
    let consumer = Consumer::with_listener(&site.client(index).await?, config, Some(listener))?;
    consumer.subscribe(topics.iter().copied())?;
    Ok((consumer, rebalances))
}

/// Shares everything with a group and commits after each poll.
pub async fn follow(site: Arc<Site>, index: u32) -> Result<()> {
    let mut random = site.random(index);
    let group = format!("followers-{:?}", site.group_protocol());
    while !site.is_over() {
        let mut operation = site.operation(index, Function::Subscribe);
        site.recorder.begin(&operation)?;
        let (mut consumer, rebalances) =
            member(&site, index, &group, &[topics::INPUT, topics::OUTPUT]).await?;
        site.end(&mut operation)?;
        let mut failures = 0;
        while !site.is_over() && random.below(LIFE) > 0 && failures < FAILURES_MAX {
            let mut operation = site.operation(index, Function::Plain);
            site.recorder.begin(&operation)?;
            let mut has_failed = true;
            if let Ok(records) = consumer.poll(POLL).await {
                let polled: Result<Vec<_>> = records.iter().map(site::polled).collect();
                operation.actions.push(Action::Poll(polled?));
                has_failed = consumer.commit().await.is_err();
            }
            operation.rebalanced = rebalances.take();
            if has_failed {
                operation.outcome = Outcome::Info;
                failures += 1;
                tokio::time::sleep(REST).await;
            }
            site.end(&mut operation)?;
        }
        if random.chance(50) {
            consumer.close().await;
        }
    }
    Ok(())
}
