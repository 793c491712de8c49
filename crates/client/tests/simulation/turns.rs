//! Every error that a broker may answer with, one API after another: what is passing is got over, the rest is told.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use klamm_client::protocol::ApiKey;
use klamm_client::{
    ClientError, Consumer, ConsumerConfig, ConsumerGroupMetadata, ErrorCode, GroupProtocol, OffsetReset,
    Producer, ProducerConfig, ProducerRecord, TopicPartition,
};

use crate::cluster::{Cluster, Refusal};
use crate::workload::{PLAIN, client};

/// Refused so often in a row before it succeeds.
const TIMES: u32 = 3;
const LIMIT: Duration = Duration::from_secs(600);

/// What a client does to use an API.
#[derive(Clone, Copy, Debug)]
enum Use {
    Produce,
    Transact { version: i16 },
    Read(Option<GroupProtocol>),
}

const USES: &[(ApiKey, Use)] = &[
    (ApiKey::Metadata, Use::Produce),
    (ApiKey::InitProducerId, Use::Produce),
    (ApiKey::Produce, Use::Produce),
    (ApiKey::FindCoordinator, Use::Transact { version: 2 }),
    (ApiKey::InitProducerId, Use::Transact { version: 2 }),
    (ApiKey::Produce, Use::Transact { version: 2 }),
    (ApiKey::TxnOffsetCommit, Use::Transact { version: 2 }),
    (ApiKey::EndTxn, Use::Transact { version: 2 }),
    (ApiKey::AddPartitionsToTxn, Use::Transact { version: 1 }),
    (ApiKey::AddOffsetsToTxn, Use::Transact { version: 1 }),
    (ApiKey::TxnOffsetCommit, Use::Transact { version: 1 }),
    (ApiKey::EndTxn, Use::Transact { version: 0 }),
    (ApiKey::ListOffsets, Use::Read(None)),
    (ApiKey::Fetch, Use::Read(None)),
    (ApiKey::FindCoordinator, Use::Read(Some(GroupProtocol::Classic))),
    (ApiKey::JoinGroup, Use::Read(Some(GroupProtocol::Classic))),
    (ApiKey::SyncGroup, Use::Read(Some(GroupProtocol::Classic))),
    (ApiKey::Heartbeat, Use::Read(Some(GroupProtocol::Classic))),
    (ApiKey::OffsetFetch, Use::Read(Some(GroupProtocol::Classic))),
    (ApiKey::OffsetCommit, Use::Read(Some(GroupProtocol::Classic))),
    (ApiKey::LeaveGroup, Use::Read(Some(GroupProtocol::Classic))),
    (ApiKey::ConsumerGroupHeartbeat, Use::Read(Some(GroupProtocol::Consumer))),
    (ApiKey::OffsetFetch, Use::Read(Some(GroupProtocol::Consumer))),
    (ApiKey::OffsetCommit, Use::Read(Some(GroupProtocol::Consumer))),
];

/// Codes that are not retriable as such, but by which a member or a session only begins anew.
const RENEWING: &[(ApiKey, ErrorCode)] = &[
    (ApiKey::Fetch, ErrorCode::FetchSessionIdNotFound),
    (ApiKey::Fetch, ErrorCode::InvalidFetchSessionEpoch),
    (ApiKey::Heartbeat, ErrorCode::RebalanceInProgress),
    (ApiKey::Heartbeat, ErrorCode::UnknownMemberId),
    (ApiKey::Heartbeat, ErrorCode::IllegalGeneration),
    (ApiKey::SyncGroup, ErrorCode::RebalanceInProgress),
    (ApiKey::SyncGroup, ErrorCode::UnknownMemberId),
    (ApiKey::JoinGroup, ErrorCode::UnknownMemberId),
    (ApiKey::ConsumerGroupHeartbeat, ErrorCode::UnknownMemberId),
    (ApiKey::ConsumerGroupHeartbeat, ErrorCode::FencedMemberEpoch),
    (ApiKey::ConsumerGroupHeartbeat, ErrorCode::UnreleasedInstanceId),
];

fn virtual_cluster(version: i16, refusal: Refusal) -> Arc<Cluster> {
    let cluster = Cluster::new(u64::from(refusal.code.as_i16().unsigned_abs()), 3);
    let mut state = cluster.state.lock();
    state.create_topic(PLAIN, 1);
    (state.refusal, state.transaction_version) = (Some(refusal), version);
    drop(state);
    cluster
}

/// Uses an API whose answers are refused for a while; the outcome, and how many refusals are left.
async fn attempt(what: Use, refusal: Refusal) -> (Result<(), ClientError>, u32, u32) {
    let version = if let Use::Transact { version } = what { version } else { 2 };
    let cluster = virtual_cluster(version, refusal);
    let timekeeper = tokio::spawn({
        let cluster = Arc::clone(&cluster);
        async move { cluster.keep_time().await }
    });
    let outcome = match what {
        Use::Produce => produce(&cluster).await,
        Use::Transact { .. } => transact(&cluster).await,
        Use::Read(protocol) => {
            let lasts = matches!(refusal.api, ApiKey::Heartbeat | ApiKey::ConsumerGroupHeartbeat);
            read(&cluster, protocol, lasts).await
        }
    };
    timekeeper.abort();
    let state = cluster.state.lock();
    let left = state.refusal.map_or(0, |refusal| refusal.times);
    let written = state.topics[PLAIN].partitions[0].visible(true).len();
    (outcome, left, u32::try_from(written).unwrap_or(u32::MAX))
}

async fn produce(cluster: &Arc<Cluster>) -> Result<(), ClientError> {
    let client = client(cluster, 1).map_err(|_| ClientError::Closed)?;
    let producer = Producer::new(&client, ProducerConfig::new().delivery_timeout_ms(300_000))?;
    let sent = producer.send(ProducerRecord::to(PLAIN).partition(0).value("v")).await;
    producer.close(LIMIT).await;
    sent.map(drop)
}

async fn transact(cluster: &Arc<Cluster>) -> Result<(), ClientError> {
    let client = client(cluster, 1).map_err(|_| ClientError::Closed)?;
    let config = ProducerConfig::new().transactional_id("t".to_owned()).delivery_timeout_ms(300_000);
    let producer = Producer::new(&client, config)?;
    producer.init_transactions().await?;
    let transaction = producer.begin().await?;
    transaction.send(ProducerRecord::to(PLAIN).partition(0).value("v")).await?;
    let read = TopicPartition::new(PLAIN, 0);
    transaction.send_offsets([(read, 5.into())], &ConsumerGroupMetadata::standalone("g")).await?;
    transaction.commit().await.map_err(|(_, error)| error)?;
    producer.close(LIMIT).await;
    Ok(())
}

async fn read(
    cluster: &Arc<Cluster>,
    protocol: Option<GroupProtocol>,
    lasts: bool,
) -> Result<(), ClientError> {
    let client = client(cluster, 1).map_err(|_| ClientError::Closed)?;
    let producer = Producer::new(&client, ProducerConfig::new())?;
    producer.send(ProducerRecord::to(PLAIN).partition(0).value("v")).await?;
    producer.close(LIMIT).await;
    let mut config = match protocol {
        Some(protocol) => ConsumerConfig::new("g").group_protocol(protocol),
        None => ConsumerConfig::default(),
    };
    config = config.auto_offset_reset(OffsetReset::Earliest).heartbeat_interval_ms(200);
    config = config.session_timeout_ms(6_000).max_poll_interval_ms(20_000);
    let mut consumer = Consumer::new(&client, config.enable_auto_commit(false))?;
    match protocol {
        Some(_) => consumer.subscribe([PLAIN])?,
        None => consumer.assign([TopicPartition::new(PLAIN, 0)])?,
    }
    consumer.next().await?;
    if protocol.is_some() {
        consumer.commit().await?;
    }
    if lasts && let Ok(failed) = tokio::time::timeout(Duration::from_secs(100), consumer.next()).await {
        failed?;
    }
    consumer.close().await;
    Ok(())
}

#[test]
fn a_client_gets_over_each_passing_error_of_each_api() -> Result<()> {
    let mut failed = Vec::new();
    let mut count = 0;
    for (api, what) in USES {
        let passing = ErrorCode::all().filter(|code| code.is_retriable());
        let renewing = RENEWING.iter().filter(|(renewed, _)| renewed == api).map(|(_, code)| *code);
        for code in passing.chain(renewing) {
            let refusal = Refusal { api: *api, code, times: TIMES };
            let attempt = async { tokio::time::timeout(LIMIT, attempt(*what, refusal)).await };
            count += 1;
            match crate::virtual_time()?.block_on(attempt) {
                // A leave is not repeated.
                Ok((Ok(()), left, 1)) if left == 0 || *api == ApiKey::LeaveGroup => {}
                other => failed.push(format!("{what:?} with {code} from {api}: {other:?}")),
            }
        }
    }
    println!("{count} errors were got over");
    ensure!(failed.is_empty(), "{} failed:\n{}", failed.len(), failed.join("\n"));
    Ok(())
}

/// Errors that end a call, by API and code, and whether they must name the partition.
const FINAL: &[(ApiKey, Use, ErrorCode, bool)] = &[
    (ApiKey::Metadata, Use::Produce, ErrorCode::TopicAuthorizationFailed, true),
    (ApiKey::Metadata, Use::Produce, ErrorCode::InvalidTopicException, true),
    (ApiKey::InitProducerId, Use::Produce, ErrorCode::ClusterAuthorizationFailed, false),
    (ApiKey::Produce, Use::Produce, ErrorCode::TopicAuthorizationFailed, true),
    (ApiKey::Produce, Use::Produce, ErrorCode::InvalidRecord, true),
    (ApiKey::Produce, Use::Produce, ErrorCode::InvalidTimestamp, true),
    (ApiKey::Produce, Use::Produce, ErrorCode::InvalidRequiredAcks, true),
    (ApiKey::Produce, Use::Produce, ErrorCode::PolicyViolation, true),
    (
        ApiKey::FindCoordinator,
        Use::Transact { version: 2 },
        ErrorCode::TransactionalIdAuthorizationFailed,
        false,
    ),
    (ApiKey::InitProducerId, Use::Transact { version: 2 }, ErrorCode::InvalidTransactionTimeout, false),
    (ApiKey::Produce, Use::Transact { version: 2 }, ErrorCode::InvalidProducerEpoch, false),
    (ApiKey::AddPartitionsToTxn, Use::Transact { version: 1 }, ErrorCode::ProducerFenced, false),
    (ApiKey::TxnOffsetCommit, Use::Transact { version: 2 }, ErrorCode::GroupAuthorizationFailed, false),
    (ApiKey::TxnOffsetCommit, Use::Transact { version: 2 }, ErrorCode::FencedInstanceId, false),
    (ApiKey::EndTxn, Use::Transact { version: 2 }, ErrorCode::ProducerFenced, false),
    (ApiKey::EndTxn, Use::Transact { version: 2 }, ErrorCode::InvalidTxnState, false),
    (ApiKey::Fetch, Use::Read(None), ErrorCode::TopicAuthorizationFailed, true),
    (ApiKey::ListOffsets, Use::Read(None), ErrorCode::TopicAuthorizationFailed, true),
    (
        ApiKey::FindCoordinator,
        Use::Read(Some(GroupProtocol::Classic)),
        ErrorCode::GroupAuthorizationFailed,
        false,
    ),
    (ApiKey::JoinGroup, Use::Read(Some(GroupProtocol::Classic)), ErrorCode::InconsistentGroupProtocol, false),
    (ApiKey::JoinGroup, Use::Read(Some(GroupProtocol::Classic)), ErrorCode::GroupMaxSizeReached, false),
    (ApiKey::JoinGroup, Use::Read(Some(GroupProtocol::Classic)), ErrorCode::FencedInstanceId, false),
    (ApiKey::OffsetCommit, Use::Read(Some(GroupProtocol::Classic)), ErrorCode::IllegalGeneration, false),
    (ApiKey::OffsetCommit, Use::Read(Some(GroupProtocol::Classic)), ErrorCode::OffsetMetadataTooLarge, true),
    (
        ApiKey::ConsumerGroupHeartbeat,
        Use::Read(Some(GroupProtocol::Consumer)),
        ErrorCode::UnsupportedAssignor,
        false,
    ),
    (
        ApiKey::ConsumerGroupHeartbeat,
        Use::Read(Some(GroupProtocol::Consumer)),
        ErrorCode::InvalidRegularExpression,
        false,
    ),
];

#[test]
fn what_does_not_pass_is_told_with_code_place_and_broker() -> Result<()> {
    let mut failed = Vec::new();
    for (api, what, code, names_partition) in FINAL {
        let refusal = Refusal { api: *api, code: *code, times: u32::MAX };
        let attempt = async { tokio::time::timeout(LIMIT, attempt(*what, refusal)).await };
        let outcome = crate::virtual_time()?.block_on(attempt);
        let told = outcome.with_context(|| format!("{code} from {api} hangs"));
        let said = told.and_then(|(result, _, _)| {
            let error = result.err().context("it succeeds")?;
            ensure!(error.code() == Some(*code), "{error}");
            ensure!(!error.is_retriable(), "{error} is not to be retried");
            ensure!(
                !names_partition || error.topic_partition().is_some(),
                "{error} names no topic partition"
            );
            ensure!(error.broker().is_some() || error.setting().is_some(), "{error} names no broker");
            Ok(())
        });
        if let Err(error) = said {
            failed.push(format!("{what:?} with {code} from {api}: {error:#}"));
        }
    }
    ensure!(failed.is_empty(), "{} failed:\n{}", failed.len(), failed.join("\n"));
    Ok(())
}
