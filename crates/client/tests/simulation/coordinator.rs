//! What the simulated coordinators answer: transactions in their simplest form, groups by the server's own engine.

use std::sync::Arc;

use bytes::Bytes;
use groups::{Reply, Request as GroupRequest, offset_fetch_request_groups, offset_fetch_response};
use klamm_client::ErrorCode;
use klamm_client::protocol::messages::add_partitions_to_txn_response::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnTopicResult,
};
use klamm_client::protocol::messages::find_coordinator_response::Coordinator;
use klamm_client::protocol::messages::{
    AddOffsetsToTxnRequest, AddOffsetsToTxnResponse, AddPartitionsToTxnRequest, AddPartitionsToTxnResponse,
    EndTxnRequest, EndTxnResponse, FindCoordinatorRequest, FindCoordinatorResponse, InitProducerIdRequest,
    InitProducerIdResponse, OffsetCommitRequest, OffsetFetchRequest, TxnOffsetCommitRequest,
};
use klamm_client::protocol::{ApiKey, RequestFrame};

use crate::broker::{encoded, opened};
use crate::cluster::{Cluster, State, Transaction};

const TROUBLE: &[ErrorCode] =
    &[ErrorCode::NotCoordinator, ErrorCode::CoordinatorNotAvailable, ErrorCode::CoordinatorLoadInProgress];
const TRANSACTION_TROUBLE: &[ErrorCode] = &[
    ErrorCode::NotCoordinator,
    ErrorCode::CoordinatorNotAvailable,
    ErrorCode::CoordinatorLoadInProgress,
    ErrorCode::ConcurrentTransactions,
];

/// Answers whatever coordinators are asked.
pub async fn answer(cluster: &Arc<Cluster>, broker: i32, bytes: Bytes) -> Option<Bytes> {
    let (frame, body) = (opened(bytes.clone()), opened(bytes));
    match frame.api_key {
        ApiKey::FindCoordinator => {
            let request = body.decode_body().expect("it is read");
            encoded(&frame, &find_coordinator(&mut cluster.state.lock(), &request))
        }
        ApiKey::InitProducerId => {
            let request = body.decode_body().expect("it is read");
            let response = init_producer_id(&mut cluster.state.lock(), broker, &request);
            cluster.appended.send_modify(|version| *version += 1);
            encoded(&frame, &response)
        }
        ApiKey::AddPartitionsToTxn => {
            let request = body.decode_body().expect("it is read");
            encoded(&frame, &add_partitions(&mut cluster.state.lock(), broker, request))
        }
        ApiKey::AddOffsetsToTxn => {
            let request: AddOffsetsToTxnRequest = body.decode_body().expect("it is read");
            let mut state = cluster.state.lock();
            let code = ready(&mut state, ApiKey::AddOffsetsToTxn, broker, TRANSACTION_TROUBLE);
            let code = code.or_else(|| {
                let id = &request.transactional_id;
                check_epoch(&mut state, id, request.producer_epoch, |one| one.has_offsets = true).err()
            });
            let response = AddOffsetsToTxnResponse {
                error_code: code.map_or(0, ErrorCode::as_i16),
                ..AddOffsetsToTxnResponse::default()
            };
            encoded(&frame, &response)
        }
        ApiKey::EndTxn => {
            let request = body.decode_body().expect("it is read");
            let response = end_transaction(&mut cluster.state.lock(), broker, &request);
            cluster.appended.send_modify(|version| *version += 1);
            encoded(&frame, &response)
        }
        _ => groups_answer(cluster, broker, frame, body).await,
    }
}

/// Why the coordinator does not answer as asked; none if it does.
fn ready(state: &mut State, api: ApiKey, broker: i32, trouble: &[ErrorCode]) -> Option<ErrorCode> {
    let refusal = state.refusal(api, trouble);
    let is_elsewhere = state.coordinator != broker;
    refusal.or(is_elsewhere.then_some(ErrorCode::NotCoordinator))
}

fn find_coordinator(state: &mut State, request: &FindCoordinatorRequest) -> FindCoordinatorResponse {
    let trouble = [ErrorCode::CoordinatorNotAvailable, ErrorCode::CoordinatorLoadInProgress];
    let code = state.refusal(ApiKey::FindCoordinator, &trouble);
    let node_id = state.coordinator;
    let coordinators = request.coordinator_keys.iter().map(|key| Coordinator {
        key: key.clone(),
        node_id: if code.is_some() { -1 } else { node_id },
        host: format!("b{node_id}"),
        port: 9092,
        error_code: code.map_or(0, ErrorCode::as_i16),
        ..Coordinator::default()
    });
    FindCoordinatorResponse { coordinators: coordinators.collect(), ..FindCoordinatorResponse::default() }
}

fn init_producer_id(
    state: &mut State,
    broker: i32,
    request: &InitProducerIdRequest,
) -> InitProducerIdResponse {
    let refused = |code: ErrorCode| InitProducerIdResponse {
        error_code: code.as_i16(),
        producer_id: -1,
        producer_epoch: -1,
        ..InitProducerIdResponse::default()
    };
    let Some(id) = &request.transactional_id else {
        return match state.refusal(ApiKey::InitProducerId, &TROUBLE[1..]) {
            Some(code) => refused(code),
            None => InitProducerIdResponse {
                producer_id: state.new_producer_id(),
                ..InitProducerIdResponse::default()
            },
        };
    };
    if let Some(code) = ready(state, ApiKey::InitProducerId, broker, TRANSACTION_TROUBLE) {
        return refused(code);
    }
    if !state.transactions.contains_key(id) {
        let producer_id = state.new_producer_id();
        state.transactions.insert(id.clone(), Transaction { producer_id, ..Transaction::default() });
    } else {
        let known = &state.transactions[id];
        if request.producer_epoch >= 0 && request.producer_epoch < known.epoch - 1 {
            return refused(ErrorCode::ProducerFenced);
        }
        // What is open is aborted; in any case there is a new epoch.
        state.end_transaction(id, false);
    }
    let known = &state.transactions[id];
    InitProducerIdResponse {
        producer_id: known.producer_id,
        producer_epoch: known.epoch,
        ..InitProducerIdResponse::default()
    }
}

fn check_epoch(
    state: &mut State,
    id: &str,
    epoch: i16,
    change: impl FnOnce(&mut Transaction),
) -> Result<(), ErrorCode> {
    let transaction = state.transactions.get_mut(id).ok_or(ErrorCode::InvalidProducerIdMapping)?;
    if transaction.epoch != epoch {
        return Err(ErrorCode::ProducerFenced);
    }
    change(transaction);
    Ok(())
}

fn add_partitions(
    state: &mut State,
    broker: i32,
    request: AddPartitionsToTxnRequest,
) -> AddPartitionsToTxnResponse {
    let code = ready(state, ApiKey::AddPartitionsToTxn, broker, TRANSACTION_TROUBLE).or_else(|| {
        let topics = request.v3_and_below_topics.iter();
        let partitions = topics
            .flat_map(|topic| topic.partitions.iter().map(|partition| (topic.name.clone(), *partition)));
        let id = &request.v3_and_below_transactional_id;
        let epoch = request.v3_and_below_producer_epoch;
        check_epoch(state, id, epoch, |one| one.partitions.extend(partitions)).err()
    });
    let topics = request.v3_and_below_topics.into_iter().map(|topic| {
        let results = topic.partitions.into_iter().map(|partition_index| AddPartitionsToTxnPartitionResult {
            partition_index,
            partition_error_code: code.map_or(0, ErrorCode::as_i16),
            ..AddPartitionsToTxnPartitionResult::default()
        });
        let results_by_partition = results.collect();
        AddPartitionsToTxnTopicResult { name: topic.name, results_by_partition, ..Default::default() }
    });
    AddPartitionsToTxnResponse {
        results_by_topic_v3_and_below: topics.collect(),
        ..AddPartitionsToTxnResponse::default()
    }
}

fn end_transaction(state: &mut State, broker: i32, request: &EndTxnRequest) -> EndTxnResponse {
    let refused = |code: ErrorCode| EndTxnResponse { error_code: code.as_i16(), ..EndTxnResponse::default() };
    if let Some(code) = ready(state, ApiKey::EndTxn, broker, TRANSACTION_TROUBLE) {
        return refused(code);
    }
    let Some(known) = state.transactions.get(&request.transactional_id) else {
        return refused(ErrorCode::InvalidProducerIdMapping);
    };
    let is_again = request.producer_epoch == known.epoch - 1 && known.last_committed.is_some();
    if is_again {
        // The answer to the first one was lost.
        if known.last_committed != Some(request.committed) {
            return refused(ErrorCode::InvalidTxnState);
        }
    } else if request.producer_epoch != known.epoch {
        return refused(ErrorCode::ProducerFenced);
    } else {
        state.end_transaction(&request.transactional_id, request.committed);
    }
    let known = &state.transactions[&request.transactional_id];
    EndTxnResponse {
        producer_id: known.producer_id,
        producer_epoch: known.epoch,
        ..EndTxnResponse::default()
    }
}

async fn groups_answer(
    cluster: &Arc<Cluster>,
    broker: i32,
    frame: RequestFrame,
    body: RequestFrame,
) -> Option<Bytes> {
    let (api, version) = (frame.api_key, frame.header.request_api_version);
    let request = group_request(&mut cluster.state.lock(), body, version);
    let request = match request {
        Ok(request) => request,
        Err(reply) => return encode_reply(&frame, *reply, version),
    };
    let code = ready(&mut cluster.state.lock(), api, broker, TROUBLE);
    if let Some(code) = code {
        return encode_reply(&frame, request.refused(code, version), version);
    }
    let reply = cluster.state.lock().ask_groups(version, request);
    cluster.group_changed.notify_waiters();
    // A cluster that is gone answers nobody.
    let mut reply = reply.await.ok()?;
    if let Reply::OffsetFetch(group) = &mut reply {
        let state = cluster.state.lock();
        for topic in &mut group.topics {
            topic.topic_id = state.topics[&topic.name].id;
        }
    }
    encode_reply(&frame, reply, version)
}

/// The request as the groups take it. A transaction's offsets are refused here if its epoch is over.
fn group_request(state: &mut State, frame: RequestFrame, version: i16) -> Result<GroupRequest, Box<Reply>> {
    let api = frame.api_key;
    Ok(match api {
        ApiKey::JoinGroup => GroupRequest::JoinGroup(frame.decode_body().expect("it is read")),
        ApiKey::SyncGroup => GroupRequest::SyncGroup(frame.decode_body().expect("it is read")),
        ApiKey::Heartbeat => GroupRequest::Heartbeat(frame.decode_body().expect("it is read")),
        ApiKey::LeaveGroup => GroupRequest::LeaveGroup(frame.decode_body().expect("it is read")),
        ApiKey::OffsetCommit => {
            let mut request: OffsetCommitRequest = frame.decode_body().expect("it is read");
            state.commits_by_id += u32::from(request.topics.iter().all(|topic| !topic.topic_id.is_zero()));
            for topic in &mut request.topics {
                topic.name = state.topic_name(topic.topic_id, &topic.name).expect("it exists");
            }
            GroupRequest::OffsetCommit(request)
        }
        ApiKey::ConsumerGroupHeartbeat => {
            GroupRequest::ConsumerGroupHeartbeat(frame.decode_body().expect("it is read"))
        }
        ApiKey::OffsetFetch => {
            let request: OffsetFetchRequest = frame.decode_body().expect("it is read");
            let require_stable = request.require_stable;
            let mut group = offset_fetch_request_groups(request, version).remove(0);
            for topic in group.topics.iter_mut().flatten() {
                topic.name = state.topic_name(topic.topic_id, &topic.name).expect("it exists");
            }
            GroupRequest::OffsetFetch { group, require_stable }
        }
        ApiKey::TxnOffsetCommit => {
            let request: TxnOffsetCommitRequest = frame.decode_body().expect("it is read");
            let (id, epoch) = (request.transactional_id.clone(), request.producer_epoch);
            let checked = check_epoch(state, &id, epoch, |one| one.has_offsets = true);
            let request = GroupRequest::TxnOffsetCommit(request);
            match checked {
                Ok(()) => request,
                Err(code) => return Err(Box::new(request.refused(code, version))),
            }
        }
        other => panic!("{other} is not served"),
    })
}

fn encode_reply(frame: &RequestFrame, reply: Reply, version: i16) -> Option<Bytes> {
    match reply {
        Reply::JoinGroup(response) => encoded(frame, &response),
        Reply::SyncGroup(response) => encoded(frame, &response),
        Reply::Heartbeat(response) => encoded(frame, &response),
        Reply::LeaveGroup(response) => encoded(frame, &response),
        Reply::ConsumerGroupHeartbeat(response) => encoded(frame, &response),
        Reply::OffsetCommit(response) => encoded(frame, &response),
        Reply::TxnOffsetCommit(response) => encoded(frame, &response),
        Reply::OffsetFetch(group) => encoded(frame, &offset_fetch_response(vec![group], version)),
        other => panic!("nobody asked for {other:?}"),
    }
}
