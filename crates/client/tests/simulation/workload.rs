//! One seeded schedule: producers, transactions and a group against a cluster in trouble, and what must hold at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures_util::future::BoxFuture;
use klamm_client::{
    AssignorName, Client, ClientConfig, ClientError, Consumer, ConsumerConfig, ConsumerHandle, GroupProtocol,
    IsolationLevel, OffsetReset, Producer, ProducerConfig, ProducerRecord, RebalanceListener, TopicPartition,
};
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::cluster::Cluster;
use crate::wire::SimulatedNetwork;

pub const PLAIN: &str = "plain";
pub const TRANSACTED: &str = "transacted";
pub const PARTITIONS: i32 = 3;
const BROKERS: i32 = 3;

/// A client of the cluster whose limits are short enough for trouble to matter.
pub fn client(cluster: &Arc<Cluster>, seed: u64) -> Result<Client> {
    let config = ClientConfig::new("b0:9092,b1:9092,b2:9092")
        .transport(Arc::new(SimulatedNetwork(Arc::clone(cluster))))
        .seed(seed)
        .request_timeout_ms(3_000)
        .retry_backoff_ms(20)
        .retry_backoff_max_ms(200)
        .reconnect_backoff_ms(10)
        .reconnect_backoff_max_ms(200)
        .default_api_timeout_ms(600_000);
    Ok(Client::unconnected(config)?)
}

/// A record that a consumer got: by which member in which of its assignments, and what.
#[derive(Clone, Debug)]
struct Seen {
    member: usize,
    assignment: u64,
    topic_partition: TopicPartition,
    offset: i64,
    value: String,
}

#[derive(Default)]
struct Rebalances {
    assignments: AtomicU64,
    losses: Arc<AtomicU64>,
}

impl RebalanceListener for Rebalances {
    fn assigned<'a>(&'a self, _: &'a [TopicPartition]) -> BoxFuture<'a, ()> {
        self.assignments.fetch_add(1, Ordering::SeqCst);
        Box::pin(std::future::ready(()))
    }

    fn lost<'a>(&'a self, _: &'a [TopicPartition]) -> BoxFuture<'a, ()> {
        self.losses.fetch_add(1, Ordering::SeqCst);
        Box::pin(std::future::ready(()))
    }
}

struct Schedule {
    seed: u64,
    cluster: Arc<Cluster>,
    is_troubled: bool,
    seen: Arc<Mutex<Vec<Seen>>>,
    losses: Arc<AtomicU64>,
    handles: Mutex<Vec<ConsumerHandle>>,
}

/// Runs one schedule; an error says what did not hold.
pub async fn run(seed: u64) -> Result<()> {
    let cluster = Cluster::new(seed, BROKERS);
    for topic in [PLAIN, TRANSACTED] {
        cluster.state.lock().create_topic(topic, PARTITIONS);
    }
    // Every fourth schedule has a quiet cluster: there nothing may be read twice.
    let is_troubled = !seed.is_multiple_of(4);
    let (seen, losses) = (Arc::default(), Arc::default());
    let schedule = Schedule {
        seed,
        cluster: Arc::clone(&cluster),
        is_troubled,
        seen,
        losses,
        handles: Mutex::default(),
    };
    let timekeeper = tokio::spawn({
        let cluster = Arc::clone(&cluster);
        async move { cluster.keep_time().await }
    });
    let result = tokio::time::timeout(Duration::from_secs(7_200), schedule.play()).await;
    timekeeper.abort();
    result.context("it does not come to an end")?
}

impl Schedule {
    fn below(&self, bound: u64) -> u64 {
        self.cluster.state.lock().chance.below(bound)
    }

    async fn pause(&self, ms_max: u64) {
        tokio::time::sleep(Duration::from_millis(self.below(ms_max + 1))).await;
    }

    async fn play(&self) -> Result<()> {
        self.cluster.state.lock().is_troubled = self.is_troubled;
        let (stop, stopped) = watch::channel([false; 3]);
        let members =
            futures_util::future::try_join_all((0..3).map(|member| self.consume(member, stopped.clone())));
        let work = async {
            let produced = tokio::try_join!(self.produce(), self.transact(), async {
                // One member goes in the midst of it all.
                self.pause(2_000).await;
                stop.send_modify(|stop| stop[0] = true);
                Ok(())
            });
            let (acknowledged, committed, ()) = produced?;
            self.wait_until_all_is_seen(&committed).await?;
            self.cluster.state.lock().is_troubled = false;
            stop.send_replace([true; 3]);
            Ok::<_, anyhow::Error>((acknowledged, committed))
        };
        let trouble = async {
            loop {
                self.make_trouble().await;
            }
        };
        let (acknowledged, committed) = tokio::select! {
            done = async { tokio::try_join!(members, work) } => done?.1,
            () = trouble => anyhow::bail!("trouble never ends"),
        };
        ensure!(self.cluster.state.lock().commits_by_id > 0, "offsets are committed by the topics' names");
        self.check_log(&acknowledged, &committed)?;
        self.check_seen()
    }

    /// Moves leaders and coordinators, takes brokers away and brings them back.
    async fn make_trouble(&self) {
        self.pause(800).await;
        if !self.cluster.state.lock().is_troubled {
            return;
        }
        let broker = self.below(u64::from(BROKERS.unsigned_abs())) as i32;
        match self.below(5) {
            0 | 1 => {
                let partition = self.below(u64::from(PARTITIONS.unsigned_abs())) as i32;
                let topic = if self.below(2) == 0 { PLAIN } else { TRANSACTED };
                let mut state = self.cluster.state.lock();
                let log = state.log(topic, partition).expect("it exists");
                (log.leader, log.leader_epoch) = (broker, log.leader_epoch + 1);
            }
            2 => self.cluster.state.lock().coordinator = broker,
            3 => self.cut(broker),
            _ => {
                self.cluster.state.lock().down.insert(broker);
                self.cut(broker);
                self.pause(1_500).await;
                self.cluster.state.lock().down.remove(&broker);
            }
        }
    }

    fn cut(&self, broker: i32) {
        self.cluster.cuts[broker.unsigned_abs() as usize].send_modify(|cuts| *cuts += 1);
    }

    /// Sends numbered records to each partition; the values that were acknowledged.
    async fn produce(&self) -> Result<Vec<(i32, String)>> {
        let client = client(&self.cluster, self.seed)?;
        let config = ProducerConfig::new()
            .batch_size(150_usize)
            .linger_ms(3)
            .buffer_memory(1_000_usize)
            .max_block_ms(600_000)
            .delivery_timeout_ms(3_000_000);
        let producer = Producer::new(&client, config)?;
        let mut deliveries = Vec::new();
        for number in 0..20 + self.below(40) {
            let partition = self.below(u64::from(PARTITIONS.unsigned_abs())) as i32;
            let value = format!("{number:06}");
            let record = ProducerRecord::to(PLAIN).partition(partition).value(value.clone());
            deliveries.push((partition, value, producer.enqueue(record).await?));
            self.pause(30).await;
        }
        let mut acknowledged = Vec::new();
        for (partition, value, delivery) in deliveries {
            delivery.await.with_context(|| format!("value {value}"))?;
            acknowledged.push((partition, value));
        }
        producer.close(Duration::from_secs(600)).await;
        Ok(acknowledged)
    }

    /// Sends transactions, of which some are aborted; the values of the committed ones.
    async fn transact(&self) -> Result<Vec<(i32, String)>> {
        let client = client(&self.cluster, self.seed ^ 0x5555)?;
        let config = ProducerConfig::new()
            .transactional_id("t".to_owned())
            .batch_size(100_usize)
            .linger_ms(2)
            .max_block_ms(600_000)
            .delivery_timeout_ms(3_000_000);
        let producer = Producer::new(&client, config)?;
        producer.init_transactions().await?;
        let mut committed = Vec::new();
        for round in 0..3 + self.below(5) {
            let mut transaction = producer.begin().await?;
            let mut sent = Vec::new();
            for number in 0..self.below(6) {
                let partition = self.below(u64::from(PARTITIONS.unsigned_abs())) as i32;
                let value = format!("{round:03}-{number:03}");
                let record = ProducerRecord::to(TRANSACTED).partition(partition).value(value.clone());
                let _delivery = transaction.enqueue(record).await?;
                sent.push((partition, value));
                self.pause(20).await;
            }
            match self.below(4) {
                0 => transaction.abort().await.context("aborting")?,
                1 => drop(transaction),
                _ => {
                    while let Err((again, error)) = transaction.commit().await {
                        ensure!(error.is_retriable(), "round {round} is not committed: {error}");
                        transaction = again;
                    }
                    committed.extend(sent);
                }
            }
        }
        producer.close(Duration::from_secs(600)).await;
        Ok(committed)
    }

    fn group_config(&self) -> ConsumerConfig {
        let (protocol, assignor) = match self.seed % 5 {
            0 | 1 => (GroupProtocol::Consumer, AssignorName::Range),
            2 => (GroupProtocol::Classic, AssignorName::Range),
            3 => (GroupProtocol::Classic, AssignorName::CooperativeSticky),
            _ => (GroupProtocol::Classic, AssignorName::Sticky),
        };
        ConsumerConfig::new("g")
            .group_protocol(protocol)
            .assignors(vec![assignor])
            .isolation_level(IsolationLevel::ReadCommitted)
            .auto_offset_reset(OffsetReset::Earliest)
            .auto_commit_interval_ms(200)
            .session_timeout_ms(10_000)
            .heartbeat_interval_ms(300)
            .fetch_max_wait_ms(200)
            .max_poll_interval_ms(60_000)
    }

    /// Reads as one member of the group until it is told to stop.
    async fn consume(&self, member: usize, mut stopped: watch::Receiver<[bool; 3]>) -> Result<()> {
        self.pause(if member == 0 { 0 } else { 3_000 }).await;
        let client = client(&self.cluster, self.seed ^ (member as u64 + 1) << 20)?;
        let rebalances = Arc::new(Rebalances { losses: Arc::clone(&self.losses), ..Rebalances::default() });
        let listener: Arc<dyn RebalanceListener> = Arc::clone(&rebalances) as _;
        let mut consumer = Consumer::with_listener(&client, self.group_config(), Some(listener))?;
        self.handles.lock().push(consumer.handle());
        consumer.subscribe([PLAIN, TRANSACTED])?;
        loop {
            let record = tokio::select! {
                biased;
                _ = stopped.wait_for(|stop| stop[member]) => break,
                record = consumer.next() => record,
            };
            match record {
                Ok(record) => self.seen.lock().push(Seen {
                    member,
                    assignment: rebalances.assignments.load(Ordering::SeqCst)
                        + (self.losses.load(Ordering::SeqCst) << 32),
                    offset: record.offset,
                    value: String::from_utf8_lossy(&record.value.unwrap_or_default()).into_owned(),
                    topic_partition: record.topic_partition,
                }),
                Err(error) => ensure!(is_passing(&error), "member {member}: {error}"),
            }
        }
        consumer.close().await;
        Ok(())
    }

    async fn wait_until_all_is_seen(&self, committed: &[(i32, String)]) -> Result<()> {
        let (plain, found) = (self.visible(PLAIN), self.visible(TRANSACTED));
        let count = committed.len();
        ensure!(found.len() == count, "{found:?} where {committed:?} was committed");
        let count = plain.len() + committed.len();
        for _ in 0..6_000 {
            let seen: BTreeSet<(TopicPartition, i64)> =
                self.seen.lock().iter().map(|one| (one.topic_partition.clone(), one.offset)).collect();
            if seen.len() >= count {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        let seen: BTreeSet<_> =
            self.seen.lock().iter().map(|one| (one.topic_partition.clone(), one.offset)).collect();
        let mut missed = plain;
        missed.extend(found);
        missed.retain(|(named, offset, _)| !seen.contains(&(named.clone(), *offset)));
        let handles = self.handles.lock();
        let members =
            handles.iter().map(|handle| (handle.group_metadata(), handle.positions(), handle.assignment()));
        anyhow::bail!("never read: {missed:?} by {:#?}", members.collect::<Vec<_>>());
    }

    fn visible(&self, topic: &str) -> Vec<(TopicPartition, i64, String)> {
        let state = self.cluster.state.lock();
        let partitions = state.topics[topic].partitions.iter().zip(0..);
        let records = partitions.flat_map(|(log, partition)| {
            let named = TopicPartition::new(topic, partition);
            log.visible(true).into_iter().map(move |one| (named.clone(), one.offset, one.value))
        });
        records.collect()
    }

    /// Everything acknowledged is there once and in order, and nothing of aborted transactions.
    fn check_log(&self, acknowledged: &[(i32, String)], committed: &[(i32, String)]) -> Result<()> {
        for (topic, expected) in [(PLAIN, acknowledged), (TRANSACTED, committed)] {
            let mut found: Vec<(i32, String)> = Vec::new();
            for (named, _, value) in self.visible(topic) {
                found.push((named.partition, value));
            }
            let mut expected = expected.to_vec();
            // Within a partition the order is that of sending.
            expected.sort_by_key(|(partition, _)| *partition);
            ensure!(found == expected, "{topic}: {found:?} where {expected:?} was sent");
        }
        Ok(())
    }

    /// Each member read each assignment without gaps, all were read, and on a quiet cluster nothing was read twice.
    fn check_seen(&self) -> Result<()> {
        let seen = self.seen.lock().clone();
        let mut order: BTreeMap<TopicPartition, Vec<(i64, String)>> = BTreeMap::new();
        for topic in [PLAIN, TRANSACTED] {
            for (named, offset, value) in self.visible(topic) {
                order.entry(named).or_default().push((offset, value));
            }
        }
        let mut last: BTreeMap<(usize, u64, TopicPartition), usize> = BTreeMap::new();
        let mut reads: BTreeMap<(TopicPartition, i64), u32> = BTreeMap::new();
        for one in &seen {
            let place = order.get(&one.topic_partition).and_then(|order| {
                order.iter().position(|(offset, value)| (*offset, value) == (one.offset, &one.value))
            });
            let place = place.with_context(|| format!("{one:?} was never committed"))?;
            let key = (one.member, one.assignment, one.topic_partition.clone());
            if let Some(before) = last.insert(key, place) {
                ensure!(place == before + 1, "{one:?} comes after {:?}", order[&one.topic_partition][before]);
            }
            *reads.entry((one.topic_partition.clone(), one.offset)).or_default() += 1;
        }
        let all: usize = order.values().map(Vec::len).sum();
        ensure!(reads.len() == all, "{} of {all} records were read", reads.len());
        let is_calm = !self.is_troubled && self.losses.load(Ordering::SeqCst) == 0;
        let doubled: Vec<_> = reads.iter().filter(|(_, count)| **count > 1).collect();
        ensure!(!is_calm || doubled.is_empty(), "read twice without need: {doubled:?}");
        Ok(())
    }
}

/// Failures that the consumer tells of and gets over.
fn is_passing(error: &ClientError) -> bool {
    error.is_retriable() || error.is_fenced()
}
