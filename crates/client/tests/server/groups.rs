//! Groups: every assignor, both protocols, static members, patterns, rebalances, exactly once.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use klamm_client::protocol::ApiKey;
use klamm_client::records::Codec;
use klamm_client::{
    AssignorName, ClientError, Consumer, ConsumerConfig, ErrorCode, GroupProtocol, OffsetReset, Producer,
    ProducerConfig, ProducerRecord, RebalanceListener, TopicPartition,
};
use parking_lot::Mutex;

use crate::consumer::fill;
use crate::scenario::{Bench, Scenario};

const NEW: &[ApiKey] = &[ApiKey::ConsumerGroupHeartbeat];
const TRANSACTIONS: &[ApiKey] = &[ApiKey::EndTxn, ApiKey::TxnOffsetCommit];

pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "two members share by every assignor",
        needs: &[],
        run: |bench| assignors(bench).boxed_local(),
    },
    Scenario {
        name: "two members share by the new protocol",
        needs: NEW,
        run: |bench| new_protocol(bench).boxed_local(),
    },
    Scenario {
        name: "cooperative members keep what stays",
        needs: &[],
        run: |bench| cooperative(bench).boxed_local(),
    },
    Scenario {
        name: "a pattern finds topics",
        needs: &[],
        run: |bench| pattern(bench, GroupProtocol::Classic).boxed_local(),
    },
    Scenario {
        name: "a pattern finds topics by the new protocol",
        needs: NEW,
        run: |bench| pattern(bench, GroupProtocol::Consumer).boxed_local(),
    },
    Scenario {
        name: "a static member comes back",
        needs: &[],
        run: |bench| static_member(bench, GroupProtocol::Classic).boxed_local(),
    },
    Scenario {
        name: "a static member comes back by the new protocol",
        needs: NEW,
        run: |bench| static_member(bench, GroupProtocol::Consumer).boxed_local(),
    },
    Scenario {
        name: "a subscription can change",
        needs: &[],
        run: |bench| resubscribe(bench, GroupProtocol::Classic).boxed_local(),
    },
    Scenario {
        name: "a subscription can change by the new protocol",
        needs: NEW,
        run: |bench| resubscribe(bench, GroupProtocol::Consumer).boxed_local(),
    },
    Scenario {
        name: "read process write is exactly once",
        needs: TRANSACTIONS,
        run: |bench| exactly_once(bench).boxed_local(),
    },
];

fn config(group: &str) -> ConsumerConfig {
    ConsumerConfig::new(group)
        .auto_offset_reset(OffsetReset::Earliest)
        .heartbeat_interval_ms(100)
        .session_timeout_ms(6_000)
        .fetch_max_wait_ms(50)
}

/// Every call and its partitions.
#[derive(Default)]
struct Told(Mutex<Vec<(&'static str, Vec<TopicPartition>)>>);

impl RebalanceListener for Told {
    fn assigned<'a>(&'a self, partitions: &'a [TopicPartition]) -> BoxFuture<'a, ()> {
        self.0.lock().push(("assigned", partitions.to_vec()));
        Box::pin(std::future::ready(()))
    }

    fn revoked<'a>(&'a self, partitions: &'a [TopicPartition]) -> BoxFuture<'a, ()> {
        self.0.lock().push(("revoked", partitions.to_vec()));
        Box::pin(std::future::ready(()))
    }
}

/// Polls all until each has as many partitions as it should; what is read comes back.
async fn settle(members: &mut [Consumer], counts: &[usize]) -> Result<Vec<(TopicPartition, i64)>> {
    let mut read = Vec::new();
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    while members.iter().zip(counts).any(|(member, count)| member.assignment().len() != *count) {
        ensure!(
            tokio::time::Instant::now() < deadline,
            "{:?}",
            members.iter().map(|m| m.assignment()).collect::<Vec<_>>()
        );
        read.extend(poll_all(members).await?);
    }
    Ok(read)
}

async fn poll_all(members: &mut [Consumer]) -> Result<Vec<(TopicPartition, i64)>> {
    let polls = members.iter_mut().map(|member| member.poll(Duration::from_millis(30)));
    let polled = futures_util::future::try_join_all(polls).await?;
    Ok(polled.into_iter().flatten().map(|record| (record.topic_partition, record.offset)).collect())
}

/// One member, then two, then one again: each record is read, and none twice.
async fn share(bench: &Bench, suffix: &str, config: ConsumerConfig) -> Result<()> {
    let topic = bench.topic(suffix, 4).await?;
    fill(bench, &topic, 4, 50, Codec::None).await?;
    let mut members = vec![Consumer::new(&bench.client, config.clone())?];
    members[0].subscribe([&topic])?;
    let mut read = settle(&mut members, &[4]).await?;
    members.push(Consumer::new(&bench.client, config)?);
    members[1].subscribe([&topic])?;
    read.extend(settle(&mut members, &[2, 2]).await?);
    fill(bench, &topic, 4, 50, Codec::None).await?;
    while read.len() < 400 {
        let more = poll_all(&mut members).await?;
        read.extend(more);
    }
    let leaving = members.remove(0);
    let (_, settled) = tokio::join!(leaving.close(), settle(&mut members, &[4]));
    read.extend(settled?);
    fill(bench, &topic, 4, 1, Codec::None).await?;
    while read.len() < 404 {
        read.extend(poll_all(&mut members).await?);
    }
    let distinct: BTreeSet<_> = read.iter().collect();
    ensure!(distinct.len() == 404 && read.len() == 404, "{} of {}", distinct.len(), read.len());
    let committed = {
        members.pop().context("one is left")?.close().await;
        let probe = Consumer::new(&bench.client, ConsumerConfig::new(format!("{}{suffix}", bench.name)))?;
        probe.committed((0..4).map(|partition| TopicPartition::new(topic.as_str(), partition))).await?
    };
    ensure!(committed.values().all(|one| one.as_ref().is_some_and(|one| one.offset == 101)), "{committed:?}");
    Ok(())
}

async fn assignors(bench: Bench) -> Result<()> {
    for name in
        [AssignorName::Range, AssignorName::RoundRobin, AssignorName::Sticky, AssignorName::CooperativeSticky]
    {
        let group = format!("{}{}", bench.name, name.name());
        share(&bench, name.name(), config(&group).assignors(vec![name])).await.context(name.name())?;
    }
    Ok(())
}

async fn new_protocol(bench: Bench) -> Result<()> {
    let config = config(&bench.name).group_protocol(GroupProtocol::Consumer);
    share(&bench, "", config).await
}

async fn cooperative(bench: Bench) -> Result<()> {
    let topic = bench.topic("", 4).await?;
    let config = || config(&bench.name).assignors(vec![AssignorName::CooperativeSticky]);
    let told = Arc::new(Told::default());
    let listener: Arc<dyn RebalanceListener> = told.clone();
    let mut members = vec![Consumer::with_listener(&bench.client, config(), Some(listener))?];
    members[0].subscribe([&topic])?;
    settle(&mut members, &[4]).await?;
    members.push(Consumer::new(&bench.client, config())?);
    members[1].subscribe([&topic])?;
    settle(&mut members, &[2, 2]).await?;
    let told: Vec<(&str, usize)> = told
        .0
        .lock()
        .iter()
        .map(|(what, partitions)| (*what, partitions.len()))
        .filter(|(_, count)| *count > 0)
        .collect();
    ensure!(told == [("assigned", 4), ("revoked", 2)], "{told:?}");
    Ok(())
}

async fn pattern(bench: Bench, protocol: GroupProtocol) -> Result<()> {
    let stem = bench.name.clone();
    bench.topic("-a1", 1).await?;
    bench.topic("-b1", 1).await?;
    let mut members = vec![Consumer::new(&bench.client, config(&stem).group_protocol(protocol))?];
    members[0].subscribe_pattern(&format!("{stem}-[ac].*"))?;
    settle(&mut members, &[1]).await?;
    ensure!(*members[0].assignment()[0].topic == format!("{stem}-a1"));
    Ok(())
}

async fn static_member(bench: Bench, protocol: GroupProtocol) -> Result<()> {
    let topic = bench.topic("", 2).await?;
    let config = |id: &str| config(&bench.name).group_protocol(protocol).group_instance_id(id.to_owned());
    let mut members =
        vec![Consumer::new(&bench.client, config("one"))?, Consumer::new(&bench.client, config("two"))?];
    for member in &members {
        member.subscribe([&topic])?;
    }
    settle(&mut members, &[1, 1]).await?;
    let had = members[1].assignment();
    members.pop().context("there are two")?.close().await;
    members.push(Consumer::new(&bench.client, config("two"))?);
    members[1].subscribe([&topic])?;
    settle(&mut members, &[1, 1]).await?;
    ensure!(members[1].assignment() == had);
    Ok(())
}

async fn resubscribe(bench: Bench, protocol: GroupProtocol) -> Result<()> {
    let (first, second) = (bench.topic("1", 1).await?, bench.topic("2", 2).await?);
    let mut members = vec![Consumer::new(&bench.client, config(&bench.name).group_protocol(protocol))?];
    members[0].subscribe([&first])?;
    settle(&mut members, &[1]).await?;
    ensure!(members[0].assign([TopicPartition::new(first.as_str(), 0)]).is_err());
    members[0].subscribe([&second])?;
    settle(&mut members, &[2]).await?;
    members[0].subscribe([&first, &second])?;
    settle(&mut members, &[3]).await?;
    members[0].unsubscribe();
    settle(&mut members, &[0]).await?;
    members[0].assign([TopicPartition::new(first.as_str(), 0)])?;
    ensure!(members[0].assignment().len() == 1);
    Ok(())
}

async fn exactly_once(bench: Bench) -> Result<()> {
    let (source, target) = (bench.topic("from", 2).await?, bench.topic("to", 1).await?);
    fill(&bench, &source, 2, 50, Codec::None).await?;
    let producer_config = ProducerConfig::new().transactional_id(bench.name.clone());
    let producer = Producer::new(&bench.client, producer_config)?;
    producer.init_transactions().await?;
    let mut consumer = Consumer::new(&bench.client, config(&bench.name).enable_auto_commit(false))?;
    consumer.subscribe([&source])?;
    let (mut done, mut round) = (0, 0);
    while done < 100 {
        let records = consumer.poll(Duration::from_millis(100)).await?;
        if records.is_empty() {
            continue;
        }
        let transaction = producer.begin().await?;
        for record in &records {
            let value = record.value.clone().context("it has one")?;
            let _delivery = transaction.enqueue(ProducerRecord::to(target.as_str()).value(value)).await?;
        }
        let group = consumer.group_metadata().context("it has a group")?;
        transaction.send_offsets(consumer.positions(), &group).await?;
        round += 1;
        if round == 1 {
            // It fails, and what was read is read again.
            transaction.abort().await?;
            for partition in consumer.assignment() {
                consumer.seek_to_beginning(&partition)?;
            }
            continue;
        }
        done += records.len();
        transaction.commit().await.map_err(|(_, error)| error)?;
    }
    // The last transaction's marker may come after the answer.
    let mut values = Vec::new();
    while values.len() < 100 {
        values = crate::producer::values(&bench, &target, 0, true).await?;
    }
    values.sort();
    values.dedup();
    ensure!(values.len() == 100 && done == 100, "{} values of {done}", values.len());
    let group = klamm_client::ConsumerGroupMetadata {
        generation_id: 99,
        ..consumer.group_metadata().context("it has")?
    };
    let transaction = producer.begin().await?;
    let error =
        transaction.send_offsets(consumer.positions(), &group).await.expect_err("it is another generation");
    ensure!(error.code() == Some(ErrorCode::IllegalGeneration), "{error}");
    let (transaction, error) = transaction.commit().await.expect_err("it has failed");
    ensure!(matches!(error, ClientError::AbortNeeded { .. }), "{error}");
    transaction.abort().await?;
    Ok(())
}
