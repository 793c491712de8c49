//! What a simulated broker answers: data here, groups and transactions in `coordinator`.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use klamm_client::protocol::messages::api_versions_response::{ApiVersion, FinalizedFeatureKey};
use klamm_client::protocol::messages::fetch_request::FetchPartition;
use klamm_client::protocol::messages::fetch_response::{self, FetchableTopicResponse, PartitionData};
use klamm_client::protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use klamm_client::protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use klamm_client::protocol::messages::offset_for_leader_epoch_response::{
    EpochEndOffset, OffsetForLeaderTopicResult,
};
use klamm_client::protocol::messages::produce_response::{
    LeaderIdAndEpoch, PartitionProduceResponse, TopicProduceResponse,
};
use klamm_client::protocol::messages::{
    ApiVersionsResponse, FetchRequest, FetchResponse, ListOffsetsRequest, ListOffsetsResponse,
    MetadataRequest, MetadataResponse, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse,
    ProduceRequest, ProduceResponse,
};
use klamm_client::protocol::{ApiKey, Message, Records, RequestFrame, decode_request_frame, encode_response};
use klamm_client::{ErrorCode, Uuid};
use tokio::time::Instant;

use crate::cluster::{Cluster, State};
use crate::coordinator;

const BASE_PORT: i32 = 9092;
const EARLIEST: i64 = -2;

const PRODUCE_TROUBLE: &[ErrorCode] = &[
    ErrorCode::NotLeaderOrFollower,
    ErrorCode::NotEnoughReplicas,
    ErrorCode::NotEnoughReplicasAfterAppend,
    ErrorCode::RequestTimedOut,
    ErrorCode::KafkaStorageError,
    ErrorCode::UnknownTopicId,
];
const READ_TROUBLE: &[ErrorCode] = &[
    ErrorCode::NotLeaderOrFollower,
    ErrorCode::FencedLeaderEpoch,
    ErrorCode::UnknownLeaderEpoch,
    ErrorCode::KafkaStorageError,
    ErrorCode::OffsetNotAvailable,
    ErrorCode::ReplicaNotAvailable,
];

/// The bytes of an answer, length included.
pub fn encoded<M: Message>(frame: &RequestFrame, response: &M) -> Option<Bytes> {
    let (version, correlation_id) = (frame.header.request_api_version, frame.header.correlation_id);
    let encoded = encode_response(frame.api_key, version, correlation_id, response).expect("it can be said");
    encoded.to_bytes()
}

/// The frame with its header read.
pub fn opened(bytes: Bytes) -> RequestFrame {
    decode_request_frame(bytes).expect("the client writes what can be read")
}

/// Answers a request; none where none is due.
pub async fn answer(cluster: &Arc<Cluster>, broker: i32, bytes: Bytes) -> Option<Bytes> {
    let frame = opened(bytes.clone());
    let body = opened(bytes.clone());
    match frame.api_key {
        ApiKey::ApiVersions => encoded(&frame, &api_versions(&cluster.state.lock())),
        ApiKey::Metadata => {
            let request = body.decode_body().expect("it is read");
            encoded(&frame, &metadata(&mut cluster.state.lock(), &request))
        }
        ApiKey::Produce => {
            let request: ProduceRequest = body.decode_body().expect("it is read");
            let is_answered = request.acks != 0;
            let response = produce(&mut cluster.state.lock(), broker, request);
            cluster.appended.send_modify(|version| *version += 1);
            if is_answered { encoded(&frame, &response) } else { None }
        }
        ApiKey::Fetch => {
            let request = body.decode_body().expect("it is read");
            encoded(&frame, &fetch(cluster, broker, &request).await)
        }
        ApiKey::ListOffsets => {
            let request = body.decode_body().expect("it is read");
            encoded(&frame, &list_offsets(&mut cluster.state.lock(), broker, request))
        }
        ApiKey::OffsetForLeaderEpoch => {
            let request = body.decode_body().expect("it is read");
            encoded(&frame, &epoch_ends(&mut cluster.state.lock(), broker, request))
        }
        _ => coordinator::answer(cluster, broker, bytes).await,
    }
}

const SERVED: &[ApiKey] = &[
    ApiKey::ApiVersions,
    ApiKey::Metadata,
    ApiKey::Produce,
    ApiKey::Fetch,
    ApiKey::ListOffsets,
    ApiKey::OffsetForLeaderEpoch,
    ApiKey::FindCoordinator,
    ApiKey::InitProducerId,
    ApiKey::AddPartitionsToTxn,
    ApiKey::AddOffsetsToTxn,
    ApiKey::EndTxn,
    ApiKey::TxnOffsetCommit,
    ApiKey::OffsetCommit,
    ApiKey::OffsetFetch,
    ApiKey::JoinGroup,
    ApiKey::SyncGroup,
    ApiKey::Heartbeat,
    ApiKey::LeaveGroup,
    ApiKey::ConsumerGroupHeartbeat,
];

fn api_versions(state: &State) -> ApiVersionsResponse {
    let api_keys = SERVED.iter().map(|api| ApiVersion {
        api_key: api.as_i16(),
        min_version: *api.stable_versions().start(),
        max_version: *api.stable_versions().end(),
        ..ApiVersion::default()
    });
    let feature = FinalizedFeatureKey {
        name: "transaction.version".to_owned(),
        max_version_level: state.transaction_version,
        min_version_level: state.transaction_version,
        ..FinalizedFeatureKey::default()
    };
    ApiVersionsResponse {
        api_keys: api_keys.collect(),
        finalized_features_epoch: 1,
        finalized_features: vec![feature],
        ..ApiVersionsResponse::default()
    }
}

fn metadata(state: &mut State, request: &MetadataRequest) -> MetadataResponse {
    let brokers = (0..state.broker_count).map(|node_id| MetadataResponseBroker {
        node_id,
        host: format!("b{node_id}"),
        port: BASE_PORT,
        ..MetadataResponseBroker::default()
    });
    let brokers = brokers.collect();
    let names: Vec<String> = match &request.topics {
        Some(topics) => topics.iter().filter_map(|topic| topic.name.clone()).collect(),
        None => state.topics.keys().cloned().collect(),
    };
    let trouble = [ErrorCode::LeaderNotAvailable, ErrorCode::UnknownTopicOrPartition];
    let refusal = state.refusal(ApiKey::Metadata, if names.is_empty() { &[] } else { &trouble });
    let topics = names.into_iter().map(|name| {
        let found = state.topics.get(&name);
        let code = match (refusal, found) {
            (Some(code), _) => code,
            (None, None) => ErrorCode::UnknownTopicOrPartition,
            (None, Some(_)) => ErrorCode::None,
        };
        let partitions = found.filter(|_| code.is_none()).map(|topic| {
            let partitions =
                topic.partitions.iter().zip(0..).map(|(log, partition_index)| MetadataResponsePartition {
                    partition_index,
                    leader_id: log.leader,
                    leader_epoch: log.leader_epoch,
                    replica_nodes: vec![log.leader],
                    isr_nodes: vec![log.leader],
                    ..MetadataResponsePartition::default()
                });
            partitions.collect()
        });
        MetadataResponseTopic {
            error_code: code.as_i16(),
            topic_id: found.map_or(Uuid::ZERO, |topic| topic.id),
            name: Some(name),
            partitions: partitions.unwrap_or_default(),
            ..MetadataResponseTopic::default()
        }
    });
    let topics = topics.collect();
    MetadataResponse { brokers, topics, controller_id: 0, ..MetadataResponse::default() }
}

fn produce(state: &mut State, broker: i32, request: ProduceRequest) -> ProduceResponse {
    let refusal = state.refusal(ApiKey::Produce, PRODUCE_TROUBLE);
    // What these say may be of a batch that is written.
    let may_be_written =
        matches!(refusal, Some(ErrorCode::NotEnoughReplicasAfterAppend | ErrorCode::RequestTimedOut));
    let is_written = refusal.is_none() || (may_be_written && state.chance.below(2) == 0);
    let transactional_id = request.transactional_id;
    let mut responses = Vec::new();
    for topic in request.topic_data {
        let name = state.topic_name(topic.topic_id, &topic.name);
        let mut partition_responses = Vec::new();
        for data in topic.partition_data {
            let bytes = data.records.and_then(|records| records.to_bytes()).unwrap_or_default();
            let appended = match (is_written, &name) {
                (true, Some(name)) => {
                    append(state, broker, name, data.index, &bytes, transactional_id.as_deref())
                }
                (true, None) => Err(ErrorCode::UnknownTopicId),
                (false, _) => Ok(-1),
            };
            let appended = refusal.map_or(appended, Err);
            let hint = name.as_deref().and_then(|name| state.log(name, data.index));
            let hint = hint.map(|log| LeaderIdAndEpoch {
                leader_id: log.leader,
                leader_epoch: log.leader_epoch,
                ..LeaderIdAndEpoch::default()
            });
            let is_hinted = appended == Err(ErrorCode::NotLeaderOrFollower) && state.chance.below(2) == 0;
            partition_responses.push(PartitionProduceResponse {
                index: data.index,
                error_code: appended.err().map_or(0, ErrorCode::as_i16),
                base_offset: appended.unwrap_or(-1),
                log_append_time_ms: -1,
                current_leader: hint.filter(|_| is_hinted).unwrap_or_default(),
                ..PartitionProduceResponse::default()
            });
        }
        responses.push(TopicProduceResponse {
            name: topic.name,
            topic_id: topic.topic_id,
            partition_responses,
            ..TopicProduceResponse::default()
        });
    }
    ProduceResponse { responses, ..ProduceResponse::default() }
}

fn append(
    state: &mut State,
    broker: i32,
    topic: &str,
    partition: i32,
    bytes: &Bytes,
    transactional_id: Option<&str>,
) -> Result<i64, ErrorCode> {
    let is_v2 = state.transaction_version >= 2;
    let named = (topic.to_owned(), partition);
    if let Some(id) = transactional_id {
        let transaction = state.transactions.get_mut(id).ok_or(ErrorCode::InvalidProducerIdMapping)?;
        let batch = klamm_client::records::batches(bytes).next().ok_or(ErrorCode::CorruptMessage)?;
        let header = batch.map_err(|_| ErrorCode::CorruptMessage)?.header;
        if header.producer_epoch != transaction.epoch {
            return Err(ErrorCode::InvalidProducerEpoch);
        }
        if is_v2 {
            transaction.partitions.insert(named);
        } else if !transaction.partitions.contains(&named) {
            return Err(ErrorCode::InvalidTxnState);
        }
    }
    let log = state.log(topic, partition).ok_or(ErrorCode::UnknownTopicOrPartition)?;
    if log.leader != broker {
        return Err(ErrorCode::NotLeaderOrFollower);
    }
    log.append(bytes)
}

async fn fetch(cluster: &Arc<Cluster>, broker: i32, request: &FetchRequest) -> FetchResponse {
    let until = Instant::now() + Duration::from_millis(u64::from(request.max_wait_ms.unsigned_abs()));
    let mut appended = cluster.appended.subscribe();
    let refusal = cluster.state.lock().refusal(ApiKey::Fetch, READ_TROUBLE);
    let is_top_level = refusal.is_some_and(|code| {
        matches!(
            code,
            ErrorCode::FetchSessionIdNotFound
                | ErrorCode::InvalidFetchSessionEpoch
                | ErrorCode::FetchSessionTopicIdError
        )
    });
    if let Some(code) = refusal.filter(|_| is_top_level) {
        return FetchResponse { error_code: code.as_i16(), ..FetchResponse::default() };
    }
    loop {
        let (responses, is_due) = fetched(&mut cluster.state.lock(), broker, request, refusal);
        if is_due || Instant::now() >= until {
            return FetchResponse { responses, ..FetchResponse::default() };
        }
        tokio::select! {
            _ = appended.changed() => {}
            () = tokio::time::sleep_until(until) => {}
        }
    }
}

fn fetched(
    state: &mut State,
    broker: i32,
    request: &FetchRequest,
    refusal: Option<ErrorCode>,
) -> (Vec<FetchableTopicResponse>, bool) {
    let mut is_due = request.topics.is_empty();
    let mut responses = Vec::new();
    for topic in &request.topics {
        let name = state.topic_name(topic.topic_id, &topic.topic).unwrap_or_default();
        let partitions = topic.partitions.iter().map(|wanted| {
            let data = read(state, broker, &name, wanted, request.isolation_level == 1, refusal);
            is_due |= data.error_code != 0 || data.records.as_ref().is_some_and(|all| !all.is_empty());
            data
        });
        responses.push(FetchableTopicResponse {
            partitions: partitions.collect(),
            topic: topic.topic.clone(),
            topic_id: topic.topic_id,
            ..FetchableTopicResponse::default()
        });
    }
    (responses, is_due)
}

fn read(
    state: &mut State,
    broker: i32,
    topic: &str,
    wanted: &FetchPartition,
    is_committed: bool,
    refusal: Option<ErrorCode>,
) -> PartitionData {
    let blank = PartitionData {
        partition_index: wanted.partition,
        preferred_read_replica: -1,
        records: Some(Records::default()),
        ..PartitionData::default()
    };
    let failed = |code: ErrorCode| PartitionData { error_code: code.as_i16(), ..blank.clone() };
    let Some(log) = state.log(topic, wanted.partition) else {
        return failed(ErrorCode::UnknownTopicId);
    };
    let epoch = wanted.current_leader_epoch;
    let code = match refusal {
        Some(code) => code,
        None if log.leader != broker => ErrorCode::NotLeaderOrFollower,
        None if epoch >= 0 && epoch < log.leader_epoch => ErrorCode::FencedLeaderEpoch,
        None if epoch > log.leader_epoch => ErrorCode::UnknownLeaderEpoch,
        None if !(0..=log.end_offset()).contains(&wanted.fetch_offset) => ErrorCode::OffsetOutOfRange,
        None => ErrorCode::None,
    };
    if !code.is_none() {
        let current_leader = fetch_response::LeaderIdAndEpoch {
            leader_id: log.leader,
            leader_epoch: log.leader_epoch,
            ..fetch_response::LeaderIdAndEpoch::default()
        };
        return PartitionData { current_leader, ..failed(code) };
    }
    let end = if is_committed { log.last_stable_offset() } else { log.end_offset() };
    let (bytes, aborted) = log.read(wanted.fetch_offset, end);
    PartitionData {
        high_watermark: log.end_offset(),
        last_stable_offset: log.last_stable_offset(),
        log_start_offset: 0,
        aborted_transactions: is_committed.then_some(aborted),
        records: Some(Records::from(bytes)),
        ..blank
    }
}

fn list_offsets(state: &mut State, broker: i32, request: ListOffsetsRequest) -> ListOffsetsResponse {
    let refusal = state.refusal(ApiKey::ListOffsets, READ_TROUBLE);
    let is_committed = request.isolation_level == 1;
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|wanted| {
            let found = match (refusal, state.log(&topic.name, wanted.partition_index)) {
                (Some(code), _) => Err(code),
                (None, None) => Err(ErrorCode::UnknownTopicOrPartition),
                (None, Some(log)) if log.leader != broker => Err(ErrorCode::NotLeaderOrFollower),
                (None, Some(_)) if wanted.timestamp == EARLIEST => Ok(0),
                (None, Some(log)) if is_committed => Ok(log.last_stable_offset()),
                (None, Some(log)) => Ok(log.end_offset()),
            };
            ListOffsetsPartitionResponse {
                partition_index: wanted.partition_index,
                error_code: found.err().map_or(0, ErrorCode::as_i16),
                timestamp: -1,
                offset: found.unwrap_or(-1),
                leader_epoch: -1,
                ..ListOffsetsPartitionResponse::default()
            }
        });
        let partitions = partitions.collect();
        ListOffsetsTopicResponse { name: topic.name.clone(), partitions, ..Default::default() }
    });
    ListOffsetsResponse { topics: topics.collect(), ..ListOffsetsResponse::default() }
}

fn epoch_ends(
    state: &mut State,
    broker: i32,
    request: OffsetForLeaderEpochRequest,
) -> OffsetForLeaderEpochResponse {
    let refusal = state.refusal(ApiKey::OffsetForLeaderEpoch, READ_TROUBLE);
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|wanted| {
            let found = match (refusal, state.log(&topic.topic, wanted.partition)) {
                (Some(code), _) => Err(code),
                (None, None) => Err(ErrorCode::UnknownTopicOrPartition),
                (None, Some(log)) if log.leader != broker => Err(ErrorCode::NotLeaderOrFollower),
                (None, Some(log)) => Ok(log.epoch_end(wanted.leader_epoch)),
            };
            let (leader_epoch, end_offset) = found.unwrap_or((-1, -1));
            EpochEndOffset {
                error_code: found.err().map_or(0, ErrorCode::as_i16),
                partition: wanted.partition,
                leader_epoch,
                end_offset,
                ..EpochEndOffset::default()
            }
        });
        let partitions = partitions.collect();
        OffsetForLeaderTopicResult { topic: topic.topic.clone(), partitions, ..Default::default() }
    });
    OffsetForLeaderEpochResponse { topics: topics.collect(), ..OffsetForLeaderEpochResponse::default() }
}
