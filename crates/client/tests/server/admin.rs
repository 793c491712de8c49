//! Every call of the administrator: topics, settings, the cluster.

use std::collections::BTreeMap;
use std::fmt::Debug;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use futures_util::FutureExt;
use klamm_client::admin::{
    AclBinding, AlterConfigOp, ConfigResourceType, ElectionType, FeatureUpgrade, IsolationLevel, NewTopic,
    OffsetSpec, PerKey, QuotaFilter, QuotaMatch,
};
use klamm_client::protocol::ApiKey;
use klamm_client::records::Codec;
use klamm_client::{Admin, ErrorCode, TopicPartition};

use crate::consumer::fill;
use crate::scenario::{Bench, Scenario};

pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "an administrator makes and removes topics",
        needs: &[ApiKey::CreatePartitions, ApiKey::DeleteTopics, ApiKey::IncrementalAlterConfigs],
        run: |bench| topics(bench).boxed_local(),
    },
    Scenario {
        name: "an administrator looks after partitions",
        needs: &[ApiKey::ElectLeaders, ApiKey::AlterPartitionReassignments, ApiKey::AlterReplicaLogDirs],
        run: |bench| partitions(bench).boxed_local(),
    },
    Scenario {
        name: "an administrator looks at the cluster",
        needs: &[ApiKey::DescribeQuorum, ApiKey::UpdateFeatures, ApiKey::DescribeAcls],
        run: |bench| cluster(bench).boxed_local(),
    },
    Scenario {
        name: "an administrator sets quotas and credentials",
        needs: &[ApiKey::AlterClientQuotas, ApiKey::AlterUserScramCredentials],
        run: |bench| quotas(bench).boxed_local(),
    },
];

/// The values, if each key went well.
pub fn all<K: Debug, V>(results: PerKey<K, V>) -> Result<Vec<V>> {
    let value = |(key, result): (K, Result<V, _>)| result.with_context(|| format!("{key:?}"));
    results.into_iter().map(value).collect()
}

/// The code of the only key's failure.
pub fn code<K, V: Debug>(results: PerKey<K, V>) -> Option<ErrorCode> {
    results.into_iter().next().and_then(|(_, result)| result.err()).and_then(|error| error.code())
}

async fn topics(bench: Bench) -> Result<()> {
    let (admin, name) = (Admin::new(bench.client.clone()), bench.name.clone());
    let new = |partitions| NewTopic {
        name: name.clone(),
        partitions: Some(partitions),
        configs: BTreeMap::from([("retention.ms".to_owned(), "3600000".to_owned())]),
        ..NewTopic::default()
    };
    all(admin.create_topics(vec![new(2)], true).await?)?;
    ensure!(!admin.list_topics().await?.iter().any(|topic| topic.name == name), "it was only validated");
    let id = all(admin.create_topics(vec![new(2)], false).await?)?[0];
    ensure!(code(admin.create_topics(vec![new(2)], false).await?) == Some(ErrorCode::TopicAlreadyExists));
    all(admin.create_partitions(vec![(name.clone(), 4, None)]).await?)?;
    loop {
        let mut described = admin.describe_topics_by_id(&[id]).await?;
        if matches!(described.pop(), Some((_, Ok(topic))) if topic.partitions.len() == 4 && topic.name == name)
        {
            break;
        }
        bench.client.back_off(1).await;
    }
    // In pages of three partitions.
    let described = all(admin.describe_topics(std::slice::from_ref(&name), 3).await?)?;
    ensure!(described[0].partitions.len() == 4 && described[0].id == id, "{described:?}");
    ensure!(admin.list_topics().await?.iter().any(|topic| topic.id == id && !topic.is_internal));
    let changes = vec![
        AlterConfigOp::Delete("retention.ms".to_owned()),
        AlterConfigOp::Append("cleanup.policy".to_owned(), "compact".to_owned()),
        AlterConfigOp::Set("max.message.bytes".to_owned(), "100000".to_owned()),
    ];
    admin.incremental_alter_configs(ConfigResourceType::Topic, &name, changes).await?;
    loop {
        let configs = admin.describe_configs(ConfigResourceType::Topic, &name, true).await?;
        let value = |key: &str| configs.iter().find(|one| one.name == key).and_then(|one| one.value.clone());
        if value("max.message.bytes").as_deref() == Some("100000") {
            ensure!(value("cleanup.policy").as_deref() == Some("delete,compact"));
            ensure!(value("retention.ms").as_deref() == Some("604800000"));
            break;
        }
        bench.client.back_off(1).await;
    }
    let listed = admin.list_config_resources(ConfigResourceType::Topic).await?;
    ensure!(listed.contains(&name), "{listed:?}");
    all(admin.delete_topics_by_id(&[id]).await?)?;
    ensure!(code(admin.delete_topics_by_id(&[id]).await?) == Some(ErrorCode::UnknownTopicId));
    let gone = admin.delete_topics(std::slice::from_ref(&name)).await?;
    ensure!(code(gone) == Some(ErrorCode::UnknownTopicOrPartition));
    Ok(())
}

async fn partitions(bench: Bench) -> Result<()> {
    let (admin, topic) = (Admin::new(bench.client.clone()), bench.topic("", 1).await?);
    // The records are of 1970.
    let forever = AlterConfigOp::Set("retention.ms".to_owned(), "-1".to_owned());
    admin.incremental_alter_configs(ConfigResourceType::Topic, &topic, vec![forever]).await?;
    fill(&bench, &topic, 1, 50, Codec::None).await?;
    let one = TopicPartition::new(topic.as_str(), 0);
    // The records have the times 10,000 to 10,049.
    for (spec, expected) in [
        (OffsetSpec::Earliest, 0),
        (OffsetSpec::Latest, 50),
        (OffsetSpec::MaxTimestamp, 49),
        (OffsetSpec::ForTimestamp(10_020), 20),
        (OffsetSpec::ForTimestamp(20_000), -1),
    ] {
        let listed = admin.list_offsets(&[(one.clone(), spec)], IsolationLevel::ReadCommitted).await?;
        let offset = all(listed)?[0].offset;
        ensure!(offset == expected, "{spec:?}: {offset}");
    }
    ensure!(all(admin.delete_records(&[(one.clone(), 30)]).await?)? == [30]);
    let beyond = admin.delete_records(&[(one.clone(), 1_000)]).await?;
    ensure!(code(beyond) == Some(ErrorCode::OffsetOutOfRange));
    let broker = bench.client.leader(&one).await?;
    let asked = BTreeMap::from([(topic.clone(), vec![0])]);
    let directories = admin.describe_log_dirs(broker, Some(&asked)).await?;
    let directory = directories.first().context("there is one")?;
    ensure!(directory.error.is_none() && directory.topics[0].name == topic, "{directory:?}");
    let here = (one.clone(), directory.path.clone());
    all(admin.alter_replica_log_dirs(broker, &[here]).await?)?;
    let nowhere = admin.alter_replica_log_dirs(broker, &[(one.clone(), "/nowhere".to_owned())]).await?;
    ensure!(code(nowhere) == Some(ErrorCode::LogDirNotFound));
    let only = std::slice::from_ref(&one);
    let elected = admin.elect_leaders(ElectionType::Preferred, Some(only)).await?;
    ensure!(code(elected) == Some(ErrorCode::ElectionNotNeeded));
    all(admin.elect_leaders(ElectionType::Preferred, None).await?)?;
    let same = BTreeMap::from([(one.clone(), Some(vec![broker]))]);
    all(admin.alter_partition_reassignments(&same, true).await?)?;
    let cancelled = admin.alter_partition_reassignments(&BTreeMap::from([(one.clone(), None)]), true).await?;
    ensure!(code(cancelled) == Some(ErrorCode::NoReassignmentInProgress));
    ensure!(admin.list_partition_reassignments(Some(only)).await?.is_empty());
    let producers = admin.describe_producers(&one, None).await?;
    ensure!(producers.len() == 1 && producers[0].last_sequence == 49, "{producers:?}");
    Ok(())
}

async fn cluster(bench: Bench) -> Result<()> {
    let admin = Admin::new(bench.client.clone());
    let described = admin.describe_cluster(false).await?;
    let node = described.nodes.first().context("there is one")?;
    ensure!(described.nodes.len() == 1 && bench.bootstrap.ends_with(&node.port.to_string()), "{described:?}");
    ensure!(Some(&*described.cluster_id) == bench.client.metadata().cluster_id());
    let quorum = admin.describe_quorum().await?;
    ensure!(quorum.topics[0].partitions[0].leader_id == node.id, "{quorum:?}");
    let features = admin.describe_features(Some(node.id)).await?;
    let level = *features.finalized.get("transaction.version").context("it is a feature")?;
    ensure!(level == 2 && features.supported["transaction.version"].1 >= level && features.epoch.is_some());
    let update = BTreeMap::from([("transaction.version".to_owned(), (1, FeatureUpgrade::SafeDowngrade))]);
    all(admin.update_features(&update, true).await?)?;
    ensure!(admin.describe_features(None).await?.finalized["transaction.version"] == level);
    ensure!(!admin.api_versions(None).await?.api_keys.is_empty());
    let acl = AclBinding {
        resource_type: 2,
        resource_name: Some("topic".to_owned()),
        pattern_type: 3,
        principal: Some("User:alice".to_owned()),
        host: Some("*".to_owned()),
        operation: 3,
        permission_type: 3,
    };
    for refused in [
        admin.create_acls(std::slice::from_ref(&acl)).await,
        admin.describe_acls(&acl).await.map(drop),
        admin.delete_acls(&[acl]).await.map(drop),
    ] {
        let code = refused.err().and_then(|error| error.code());
        ensure!(code == Some(ErrorCode::SecurityDisabled), "{code:?}");
    }
    Ok(())
}

async fn quotas(bench: Bench) -> Result<()> {
    let (admin, user) = (Admin::new(bench.client.clone()), bench.name.clone());
    let entity = || vec![("user".to_owned(), Some(user.clone()))];
    let filter =
        || vec![QuotaFilter { entity_type: "user".to_owned(), matches: QuotaMatch::Exact(user.clone()) }];
    let key = "producer_byte_rate".to_owned();
    for value in [Some(1_000_000.0), None] {
        admin.alter_client_quotas(entity(), vec![(key.clone(), value)]).await?;
        loop {
            let described = admin.describe_client_quotas(filter()).await?;
            let found = described.first().and_then(|entry| entry.values.first());
            if found.map(|found| found.value) == value {
                break;
            }
            bench.client.back_off(1).await;
        }
    }
    let bytes = || Bytes::from_static(&[7; 32]);
    let upsertion = (user.clone(), 1, 4_096, bytes(), bytes());
    admin.alter_user_scram_credentials(Vec::new(), vec![upsertion]).await?;
    loop {
        let mut described = admin.describe_user_scram_credentials(std::slice::from_ref(&user)).await?;
        if let Some((_, Ok(credentials))) = described.pop() {
            ensure!((credentials[0].mechanism, credentials[0].iterations) == (1, 4_096), "{credentials:?}");
            break;
        }
        bench.client.back_off(1).await;
    }
    admin.alter_user_scram_credentials(vec![(user.clone(), 1)], Vec::new()).await?;
    let again = admin.alter_user_scram_credentials(vec![(user, 1)], Vec::new()).await;
    ensure!(again.is_err_and(|error| error.code() == Some(ErrorCode::ResourceNotFound)));
    Ok(())
}
