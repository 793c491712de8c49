//! Produce (key 0, v3-13). Appends record batches to the logs of partitions that this broker leads.
//!
//! The appends happen before this returns; what is still awaited for acks=all is the high watermark, so that a connection's
//! later produces may append meanwhile. Only the first records of a transaction wait for its coordinator, and with them the
//! connection. acks=0 has no answer: an error closes the connection, as in Kafka. v13 names topics by id.

mod together;
mod transactional;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use network::Outcome;
use protocol::messages::produce_request::PartitionProduceData;
use protocol::messages::produce_response::{
    BatchIndexAndErrorMessage, LeaderIdAndEpoch, NodeEndpoint, PartitionProduceResponse, TopicProduceResponse,
};
use protocol::messages::{ProduceRequest, ProduceResponse};
use protocol::{ErrorCode, Records, Uuid};
use records::RecordError;
use tracing::debug;

pub use self::together::handle_together;
use self::transactional::Permissions;
use crate::context::RequestContext;
use crate::dispatch::close;
use crate::partition::{AppendRefusal, Appended, Partition};
use crate::partitions::NotHere;

/// How many replicas a producer waits for: none, the leader, all in sync.
const ACKS: [i16; 3] = [0, 1, -1];

/// From here on answers say who leads instead (KIP-951).
const FIRST_VERSION_WITH_LEADERS: i16 = 10;

/// Why a partition's records were not appended.
#[derive(Clone)]
struct Refusal {
    error_code: ErrorCode,
    record_errors: Vec<RecordError>,
    message: Option<String>,
    /// The log's, where the log itself refused; -1 otherwise.
    log_start_offset: i64,
}

impl Refusal {
    fn of(error_code: ErrorCode) -> Self {
        Refusal { error_code, record_errors: Vec::new(), message: None, log_start_offset: -1 }
    }

    /// As Kafka tells it: in words only where single records are at fault, and with the log's start unless the error is one
    /// of the everyday ones.
    fn by_log(refusal: AppendRefusal, partition: &Partition) -> Self {
        debug!(topic_partition = %partition.topic_partition, reason = refusal.message, "refused a produce");
        let AppendRefusal { error_code, mut record_errors, mut message } = refusal;
        if error_code == ErrorCode::InvalidRecord && !record_errors.is_empty() {
            for error in &mut record_errors {
                let place = &partition.topic_partition;
                error.message = format!("{} in topic partition {place}", error.message).into();
            }
            message = Some(first_of(&record_errors));
        }
        let is_everyday = matches!(
            error_code,
            ErrorCode::UnknownTopicOrPartition
                | ErrorCode::NotLeaderOrFollower
                | ErrorCode::MessageTooLarge
                | ErrorCode::RecordListTooLarge
                | ErrorCode::CorruptMessage
                | ErrorCode::KafkaStorageError
        );
        Refusal {
            error_code,
            message: message.filter(|_| !record_errors.is_empty()),
            record_errors,
            log_start_offset: if is_everyday { -1 } else { partition.log.log_start_offset() },
        }
    }
}

/// How many record errors the message of a refusal repeats.
const RECORD_ERRORS_SHOWN: usize = 3;

fn first_of(errors: &[RecordError]) -> String {
    let show = |error: &RecordError| {
        format!("RecordError(batchIndex={}, message='{}')", error.batch_index, error.message)
    };
    let shown: Vec<String> = errors.iter().take(RECORD_ERRORS_SHOWN).map(show).collect();
    format!(
        "One or more records have been rejected due to {} record errors in total, and only showing the first three errors at most: [{}]",
        errors.len(),
        shown.join(", ")
    )
}

/// An append whose acknowledgement waits for the high watermark.
struct Awaited {
    topic: usize,
    partition: usize,
    log: Arc<Partition>,
    appended: Appended,
}

/// Appends now and answers when `acks` is met.
pub async fn handle(context: RequestContext, request: ProduceRequest) -> Outcome {
    let acks = request.acks;
    let timeout = timeout(&request);
    let (response, awaited) = match refusal_of_all(&request) {
        Some(refusal) => (refuse_all(request, &refusal), Vec::new()),
        None => match Permissions::needed(&context, &request) {
            // Boxed so that an idle connection does not hold room for it.
            Ok(Some(needed)) => {
                let permissions = Box::pin(needed.ask(&context)).await;
                append_all(&context, request, &permissions)
            }
            Ok(None) => append_all(&context, request, &Permissions::default()),
            Err(error) => (refuse_all(request, &Refusal::of(error)), Vec::new()),
        },
    };
    answer(context, acks, timeout, response, awaited)
}

fn timeout(request: &ProduceRequest) -> Duration {
    Duration::from_millis(request.timeout_ms.max(0) as u64)
}

/// What becomes of a request whose records are appended: an answer now, or when they are replicated.
fn answer(
    context: RequestContext,
    acks: i16,
    timeout: Duration,
    mut response: ProduceResponse,
    awaited: Vec<Awaited>,
) -> Outcome {
    name_new_leaders(&context, &mut response);
    if acks == 0 {
        return close_on_error(&response);
    }
    if awaited.is_empty() {
        return context.encode::<ProduceRequest>(&response);
    }
    let reply = async move {
        await_replication(&awaited, timeout, &mut response).await;
        context.encoded::<ProduceRequest>(context.api_version, &response)
    };
    Outcome::Pending { reply: reply.boxed_local(), admits_next: true }
}

/// What Kafka refuses before it looks at single partitions: transactional records of nobody known, and first batches that
/// cannot be told apart from other bytes.
fn refusal_of_all(request: &ProduceRequest) -> Option<Refusal> {
    for data in request.topic_data.iter().flat_map(|topic| &topic.partition_data) {
        let records = data.records.as_ref().and_then(Records::to_bytes).unwrap_or_default();
        match records::batches(&records).next() {
            Some(Ok(batch)) if batch.header.is_transactional() && request.transactional_id.is_none() => {
                return Some(Refusal::of(ErrorCode::TransactionalIdAuthorizationFailed));
            }
            Some(Err(error)) if error.error_code() == ErrorCode::CorruptMessage => {
                return Some(Refusal {
                    message: Some(error.to_string()),
                    ..Refusal::of(ErrorCode::CorruptMessage)
                });
            }
            _ => {}
        }
    }
    None
}

fn refuse_all(request: ProduceRequest, refusal: &Refusal) -> ProduceResponse {
    let responses = request.topic_data.into_iter().map(|topic| TopicProduceResponse {
        partition_responses: topic
            .partition_data
            .iter()
            .map(|data| refused(data.index, refusal.clone()))
            .collect(),
        name: topic.name,
        topic_id: topic.topic_id,
        ..Default::default()
    });
    ProduceResponse { responses: responses.collect(), ..Default::default() }
}

fn append_all(
    context: &RequestContext,
    request: ProduceRequest,
    permissions: &Permissions,
) -> (ProduceResponse, Vec<Awaited>) {
    let mut awaited = Vec::new();
    let mut responses = Vec::with_capacity(request.topic_data.len());
    for topic in request.topic_data {
        let mut partition_responses = Vec::with_capacity(topic.partition_data.len());
        for data in topic.partition_data {
            let index = data.index;
            let outcome = append(context, &topic.name, topic.topic_id, data, request.acks, permissions);
            partition_responses.push(match outcome {
                Ok((partition, appended)) => {
                    let row = accepted(index, &appended);
                    if request.acks == -1 {
                        let (topic, position) = (responses.len(), partition_responses.len());
                        awaited.push(Awaited { topic, partition: position, log: partition, appended });
                    }
                    row
                }
                Err(refusal) => refused(index, refusal),
            });
        }
        responses.push(TopicProduceResponse {
            name: topic.name,
            topic_id: topic.topic_id,
            partition_responses,
            ..Default::default()
        });
    }
    (ProduceResponse { responses, ..Default::default() }, awaited)
}

fn append(
    context: &RequestContext,
    name: &str,
    topic_id: Uuid,
    data: PartitionProduceData,
    acks: i16,
    permissions: &Permissions,
) -> Result<(Arc<Partition>, Appended), Refusal> {
    let (partition, records) = look_up(context, name, topic_id, data, acks)?;
    let appended = match transactional::first_batch(&records) {
        Some(batch) => permissions.append(&partition, &records, acks, batch, context.now_ms)?,
        None => partition.append_from_client(&records, acks, context.now_ms),
    };
    match appended {
        Ok(appended) => Ok((partition, appended)),
        Err(refusal) => Err(Refusal::by_log(refusal, &partition)),
    }
}

/// The partition that records go to, and the records, unless they are refused before the log sees them.
fn look_up(
    context: &RequestContext,
    name: &str,
    topic_id: Uuid,
    data: PartitionProduceData,
    acks: i16,
) -> Result<(Arc<Partition>, Bytes), Refusal> {
    let partition = find(context, name, topic_id, data.index).map_err(|not_here| match not_here {
        NotHere::UnknownTopic if context.api_version >= 13 => Refusal::of(ErrorCode::UnknownTopicId),
        other => Refusal::of(other.into()),
    })?;
    let records = data.records.and_then(|records| records.to_bytes()).unwrap_or_default();
    records::check_produced(&records, context.api_version).map_err(|invalid| {
        debug!(topic_partition = %partition.topic_partition, reason = %invalid.message, "refused a produce");
        Refusal::of(invalid.error_code)
    })?;
    if !ACKS.contains(&acks) {
        return Err(Refusal::of(ErrorCode::InvalidRequiredAcks));
    }
    if controller::topics::names::is_internal(&partition.topic_partition.topic)
        && context.client_id() != "__admin_client"
    {
        return Err(Refusal::of(ErrorCode::InvalidTopicException));
    }
    Ok((partition, records))
}

fn find(context: &RequestContext, name: &str, topic_id: Uuid, index: i32) -> Result<Arc<Partition>, NotHere> {
    let partitions = &context.broker.partitions;
    if context.api_version >= 13 {
        partitions.by_id(topic_id, index)
    } else {
        partitions.by_name(name, index)
    }
}

fn accepted(index: i32, appended: &Appended) -> PartitionProduceResponse {
    PartitionProduceResponse {
        index,
        base_offset: appended.info.first_offset,
        log_append_time_ms: appended.info.log_append_time,
        log_start_offset: appended.info.log_start_offset,
        ..Default::default()
    }
}

fn refused(index: i32, refusal: Refusal) -> PartitionProduceResponse {
    PartitionProduceResponse {
        index,
        error_code: refusal.error_code.as_i16(),
        base_offset: -1,
        log_start_offset: refusal.log_start_offset,
        record_errors: refusal
            .record_errors
            .into_iter()
            .map(|error| BatchIndexAndErrorMessage {
                batch_index: error.batch_index,
                batch_index_error_message: Some(error.message.into_owned()),
                ..Default::default()
            })
            .collect(),
        error_message: refusal.message,
        ..Default::default()
    }
}

async fn await_replication(awaited: &[Awaited], timeout: Duration, response: &mut ProduceResponse) {
    let all = async {
        for waiting in awaited {
            let verdict = waiting.log.replicated(&waiting.appended).await;
            if let Err(error) = verdict {
                fail(response, waiting, error);
            }
        }
    };
    if tokio::time::timeout(timeout, all).await.is_ok() {
        return;
    }
    for waiting in awaited.iter().filter(|waiting| !waiting.log.is_replicated(&waiting.appended)) {
        fail(response, waiting, ErrorCode::RequestTimedOut);
    }
}

fn fail(response: &mut ProduceResponse, waiting: &Awaited, error: ErrorCode) {
    let row = &mut response.responses[waiting.topic].partition_responses[waiting.partition];
    // The first error stands. The offset stays in the answer, as in Kafka: the record is in the log after all.
    if row.error_code == ErrorCode::None.as_i16() {
        row.error_code = error.as_i16();
    }
}

/// KIP-951: who leads now, for partitions that moved away.
fn name_new_leaders(context: &RequestContext, response: &mut ProduceResponse) {
    if context.api_version < FIRST_VERSION_WITH_LEADERS {
        return;
    }
    let mut leaders = Vec::new();
    for topic in &mut response.responses {
        for row in &mut topic.partition_responses {
            if row.error_code != ErrorCode::NotLeaderOrFollower.as_i16() {
                continue;
            }
            let leader = if context.api_version >= 13 {
                context.broker.leader_by_id(topic.topic_id, row.index)
            } else {
                context.broker.leader_by_name(&topic.name, row.index)
            };
            if let Some((leader_id, leader_epoch)) = leader {
                row.current_leader = LeaderIdAndEpoch { leader_id, leader_epoch, ..Default::default() };
                leaders.push(leader_id);
            }
        }
    }
    leaders.sort_unstable();
    leaders.dedup();
    response.node_endpoints = leaders
        .into_iter()
        .filter_map(|leader| context.endpoint(leader))
        .map(|endpoint| NodeEndpoint {
            node_id: endpoint.node_id,
            host: endpoint.host,
            port: endpoint.port,
            rack: endpoint.rack,
            ..Default::default()
        })
        .collect();
}

fn close_on_error(response: &ProduceResponse) -> Outcome {
    for topic in &response.responses {
        for row in &topic.partition_responses {
            if let Some(error) = ErrorCode::from_i16(row.error_code).filter(|error| *error != ErrorCode::None)
            {
                return close(format!(
                    "a produce with acks=0 to {}-{} failed with {}; closing tells the client to refresh its metadata",
                    topic.name,
                    row.index,
                    error.name()
                ));
            }
        }
    }
    Outcome::None
}
