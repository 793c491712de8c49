//! Every call of the administrator: groups of each kind, transactions.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures_util::FutureExt;
use klamm_client::admin::{AbortTransaction, CommittedOffset, FeatureUpgrade, MemberToRemove};
use klamm_client::protocol::ApiKey;
use klamm_client::records::Codec;
use klamm_client::{
    Admin, Client, ClientConfig, Consumer, ConsumerConfig, ConsumerGroupMetadata, ErrorCode, GroupProtocol,
    OffsetReset, Producer, ProducerConfig, ProducerRecord, ShareConsumer, ShareConsumerConfig,
    TopicPartition,
};

use crate::admin::{all, code};
use crate::consumer::fill;
use crate::producer::comes_to_be;
use crate::scenario::{Bench, Scenario};
use crate::share::from_the_start;

const FEATURE: &str = "transaction.version";

pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "an administrator looks after classic groups",
        needs: &[ApiKey::DescribeGroups, ApiKey::LeaveGroup, ApiKey::OffsetDelete, ApiKey::DeleteGroups],
        run: |bench| groups(bench, GroupProtocol::Classic).boxed_local(),
    },
    Scenario {
        name: "an administrator looks after groups of KIP-848",
        needs: &[ApiKey::ConsumerGroupDescribe, ApiKey::LeaveGroup, ApiKey::OffsetDelete],
        run: |bench| groups(bench, GroupProtocol::Consumer).boxed_local(),
    },
    Scenario {
        name: "an administrator looks after share groups",
        needs: &[ApiKey::ShareGroupDescribe, ApiKey::AlterShareGroupOffsets],
        run: |bench| share_groups(bench).boxed_local(),
    },
    Scenario {
        name: "an administrator ends transactions",
        needs: &[ApiKey::ListTransactions, ApiKey::DescribeTransactions, ApiKey::WriteTxnMarkers],
        run: |bench| transactions(bench).boxed_local(),
    },
    Scenario {
        name: "transactions of the first protocol work",
        needs: &[ApiKey::UpdateFeatures, ApiKey::AddPartitionsToTxn, ApiKey::AddOffsetsToTxn],
        run: |bench| first_protocol(bench).boxed_local(),
    },
];

async fn groups(bench: Bench, protocol: GroupProtocol) -> Result<()> {
    let (admin, group) = (Admin::new(bench.client.clone()), bench.name.clone());
    let topic = bench.topic("", 2).await?;
    let config = ConsumerConfig::new(group.as_str())
        .group_protocol(protocol)
        .group_instance_id("static".to_owned())
        .heartbeat_interval_ms(100)
        .auto_offset_reset(OffsetReset::Earliest);
    let mut member = Consumer::new(&bench.client, config)?;
    member.subscribe([&topic])?;
    while member.assignment().len() < 2 {
        member.poll(Duration::from_millis(30)).await?;
    }
    let described = loop {
        let described = admin.describe_consumer_group(&group).await?;
        if described.state == "Stable" {
            break described;
        }
        member.poll(Duration::from_millis(30)).await?;
    };
    ensure!(described.members.len() == 1, "{described:?}");
    ensure!(
        described.members[0].assignment == BTreeMap::from([(topic.clone(), vec![0, 1])]),
        "{described:?}"
    );
    let kind = if protocol == GroupProtocol::Classic { "Classic" } else { "Consumer" };
    ensure!(
        described.group_type == kind && described.members[0].group_instance_id.is_some(),
        "{described:?}"
    );
    let listed = admin.list_groups(&["Stable".to_owned()], &[kind.to_owned()]).await?;
    ensure!(listed.iter().any(|one| one.group_id == group), "{listed:?}");
    ensure!(code(admin.delete_groups(std::slice::from_ref(&group)).await?) == Some(ErrorCode::NonEmptyGroup));
    // It stays a member of the group without being there.
    member.close().await;
    let unknown = MemberToRemove::GroupInstanceId("nobody".to_owned());
    let refused = admin.remove_group_members(&group, &[unknown], "a test").await?;
    ensure!(code(refused) == Some(ErrorCode::UnknownMemberId));
    let known = MemberToRemove::GroupInstanceId("static".to_owned());
    all(admin.remove_group_members(&group, &[known], "a test").await?)?;
    let partition = TopicPartition::new(topic.as_str(), 1);
    let committed = CommittedOffset { offset: 7, leader_epoch: -1, metadata: "by hand".to_owned() };
    let offsets = BTreeMap::from([(partition.clone(), committed.clone())]);
    all(admin.alter_group_offsets(&group, &offsets).await?)?;
    let found = admin.list_group_offsets(&group, None).await?;
    ensure!(found.get(&partition) == Some(&committed), "{found:?}");
    let only = std::slice::from_ref(&partition);
    all(admin.delete_group_offsets(&group, only).await?)?;
    ensure!(admin.list_group_offsets(&group, Some(only)).await?.is_empty());
    all(admin.delete_groups(std::slice::from_ref(&group)).await?)?;
    let listed = admin.list_groups(&[], &[]).await?;
    ensure!(!listed.iter().any(|one| one.group_id == group), "{listed:?}");
    let unknown = admin.describe_streams_group(&group).await;
    ensure!(unknown.is_err_and(|error| error.code() == Some(ErrorCode::GroupIdNotFound)));
    Ok(())
}

async fn share_groups(bench: Bench) -> Result<()> {
    let (admin, group) = (Admin::new(bench.client.clone()), bench.name.clone());
    let topic = bench.topic("", 1).await?;
    fill(&bench, &topic, 1, 10, Codec::None).await?;
    from_the_start(&bench, &group).await?;
    let mut member = ShareConsumer::new(&bench.client, ShareConsumerConfig::new(group.clone()))?;
    member.subscribe([&topic]);
    while member.poll(Duration::from_millis(100)).await?.is_empty() {}
    let described = admin.describe_share_group(&group).await?;
    ensure!(described.members.len() == 1 && described.group_type == "Share", "{described:?}");
    ensure!(described.members[0].assignment == BTreeMap::from([(topic.clone(), vec![0])]), "{described:?}");
    member.close().await;
    let partition = TopicPartition::new(topic.as_str(), 0);
    let offsets = BTreeMap::from([(partition.clone(), 4)]);
    all(admin.alter_share_group_offsets(&group, &offsets).await?)?;
    let found = all(admin.describe_share_group_offsets(&group).await?)?;
    ensure!(found.len() == 1 && found[0].start_offset == 4, "{found:?}");
    all(admin.delete_share_group_offsets(&group, &[topic]).await?)?;
    ensure!(admin.describe_share_group_offsets(&group).await?.is_empty());
    all(admin.delete_groups(&[group]).await?)?;
    Ok(())
}

async fn transactional(client: &Client, id: &str) -> Result<Producer> {
    let config = ProducerConfig::new().transactional_id(id.to_owned());
    let producer = Producer::new(client, config)?;
    producer.init_transactions().await?;
    Ok(producer)
}

async fn transactions(bench: Bench) -> Result<()> {
    let (admin, id) = (Admin::new(bench.client.clone()), bench.name.clone());
    let topic = bench.topic("", 1).await?;
    let partition = TopicPartition::new(topic.as_str(), 0);
    let producer = transactional(&bench.client, &id).await?;
    let transaction = producer.begin().await?;
    transaction.send(ProducerRecord::to(topic.as_str()).value("lost")).await?;
    let listed = admin.list_transactions(-1, None).await?;
    let states: Vec<_> = listed.into_iter().flat_map(|(_, states)| states).collect();
    ensure!(states.iter().any(|one| one.transactional_id == id && one.transaction_state == "Ongoing"));
    let (_, described) = admin.describe_transaction(&id).await?;
    ensure!(described.transaction_state == "Ongoing" && described.topics[0].topic == topic, "{described:?}");
    let producers = admin.describe_producers(&partition, None).await?;
    let open = producers.iter().find(|one| one.current_txn_start_offset == 0).context("it is open")?;
    let abort = AbortTransaction {
        topic_partition: partition.clone(),
        producer_id: open.producer_id,
        producer_epoch: i16::try_from(open.producer_epoch)?,
        coordinator_epoch: open.coordinator_epoch.max(0),
    };
    admin.abort_transaction(&abort).await?;
    let producers = admin.describe_producers(&partition, None).await?;
    ensure!(producers.iter().all(|one| one.current_txn_start_offset == -1), "{producers:?}");
    let (_, epoch) = admin.fence_producer(&id).await?;
    ensure!(epoch > described.producer_epoch);
    let (transaction, error) = transaction.commit().await.err().context("its producer is fenced")?;
    ensure!(error.is_fenced(), "{error}");
    drop(transaction);
    comes_to_be(&bench, &topic, 0, &[]).await
}

/// Sets the feature and waits until the broker says so.
async fn set_version(bench: &Bench, level: i16) -> Result<()> {
    let admin = Admin::new(bench.client.clone());
    let now = admin.describe_features(None).await?.finalized[FEATURE];
    let kind = if level < now { FeatureUpgrade::SafeDowngrade } else { FeatureUpgrade::Upgrade };
    all(admin.update_features(&BTreeMap::from([(FEATURE.to_owned(), (level, kind))]), false).await?)?;
    while admin.describe_features(None).await?.finalized[FEATURE] != level {
        bench.client.back_off(1).await;
    }
    Ok(())
}

async fn first_protocol(bench: Bench) -> Result<()> {
    set_version(&bench, 1).await?;
    let outcome = transact_as_before(&bench).await;
    set_version(&bench, 2).await?;
    outcome
}

async fn transact_as_before(bench: &Bench) -> Result<()> {
    let (admin, topic) = (Admin::new(bench.client.clone()), bench.topic("", 2).await?);
    // Versions are agreed on when a connection is made.
    let client = Client::connect(ClientConfig::new(bench.bootstrap.clone())).await?;
    let producer = transactional(&client, &bench.name).await?;
    let group = ConsumerGroupMetadata::standalone(format!("{}-group", bench.name));
    let partition = TopicPartition::new(topic.as_str(), 0);
    let mut epochs = Vec::new();
    for round in 0..4 {
        let transaction = producer.begin().await?;
        for partition in 0..2 {
            let record = ProducerRecord::to(topic.as_str()).partition(partition).value(round.to_string());
            transaction.send(record).await?;
        }
        transaction.send_offsets([(partition.clone(), (round + 1).into())], &group).await?;
        let producers = admin.describe_producers(&partition, None).await?;
        epochs.push(producers.first().context("it has written")?.producer_epoch);
        match round % 2 {
            0 => transaction.commit().await.map_err(|(_, error)| error)?,
            _ => transaction.abort().await?,
        }
    }
    ensure!(
        epochs[0] == epochs[1] && epochs[2] == epochs[3],
        "a commit leaves the epoch as it is: {epochs:?}"
    );
    for partition in 0..2 {
        comes_to_be(bench, &topic, partition, &["0", "2"]).await?;
    }
    loop {
        let committed = admin.list_group_offsets(&group.group_id, None).await?;
        if committed.get(&partition).is_some_and(|one| one.offset == 3) {
            break;
        }
        bench.client.back_off(1).await;
    }
    producer.close(Duration::from_secs(10)).await;
    Ok(())
}
