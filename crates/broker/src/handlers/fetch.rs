//! Fetch (key 1, v4-18). Record batches from where each partition is read, in incremental sessions (KIP-227).
//!
//! A fetch that finds less than it wants parks on its partitions and looks again when one of them changes. The first batch is
//! returned whole even beyond the limits, so that a consumer always gets on. v13 names topics by id (KIP-516).

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use protocol::messages::fetch_request;
use protocol::messages::fetch_response::{
    EpochEndOffset, FetchableTopicResponse, LeaderIdAndEpoch, NodeEndpoint, PartitionData,
};
use protocol::messages::{FetchRequest, FetchResponse};
use protocol::{ErrorCode, Records, Uuid};
use replica::{FetchAnswer, FetchMetadata, FetchParameters, FetchPartition, FetchTopic};

use crate::context::RequestContext;
use crate::fetch_read::{self, FetchLimits, PartitionRead};
use crate::parking::Ticket;
use crate::partition::Partition;
use crate::partitions::NotHere;

/// From here on answers say who leads instead (KIP-951).
const FIRST_VERSION_WITH_LEADERS: i16 = 16;

/// One partition of the fetch: what is asked, and the replica that answers.
struct Asked {
    key: FetchPartition,
    parameters: FetchParameters,
    partition: Result<Arc<Partition>, ErrorCode>,
}

impl Asked {
    /// Reads; a replica that has gone while the fetch waited is looked up again, for the error that fits now.
    fn read(
        &self,
        context: &RequestContext,
        limits: FetchLimits,
        room: usize,
        is_first: bool,
    ) -> PartitionRead {
        match &self.partition {
            Ok(partition) => {
                let read = fetch_read::read(partition, &self.parameters, limits, room, is_first);
                if read.error_code != ErrorCode::NotLeaderOrFollower {
                    return read;
                }
                let now = serving(context, &self.key, &self.parameters, false);
                PartitionRead::failed(now.err().unwrap_or(ErrorCode::NotLeaderOrFollower))
            }
            Err(error) => PartitionRead::failed(*error),
        }
    }
}

/// Reads, waits if there is too little, and answers what the session has not been told yet.
pub async fn handle(context: &RequestContext, request: FetchRequest) -> FetchResponse {
    if !(0..=1).contains(&request.isolation_level) {
        return refused(context.api_version, request, ErrorCode::UnknownServerError);
    }
    let is_from_follower = replica_id(context, &request) >= 0;
    let metadata = FetchMetadata {
        session_id: request.session_id,
        session_epoch: request.session_epoch,
        uses_topic_ids: context.api_version >= 13,
        is_from_follower,
    };
    let (wanted, forgotten) = named(context, &request);
    let begun = context.broker.fetch_sessions.lock().begin(metadata, wanted, &forgotten, context.now_ms);
    let session = match begun {
        Ok(session) => session,
        Err(error) => return FetchResponse { error_code: error.as_i16(), ..Default::default() },
    };
    let mut asked: Vec<Asked> = session
        .partitions
        .iter()
        .map(|(key, parameters)| Asked {
            partition: serving(context, key, parameters, is_from_follower),
            key: key.clone(),
            parameters: *parameters,
        })
        .collect();
    // Kafka tells last of what does not exist.
    asked.sort_by_key(|asked| asked.partition.as_ref().is_err_and(|error| is_unknown(*error)));
    let limits = FetchLimits {
        max_bytes: request.max_bytes.min(context.broker.config().replication.fetch_max_bytes).max(0) as usize,
        is_read_committed: request.isolation_level == 1,
    };
    warm(&asked, limits).await;
    let enough = Enough {
        // Kafka never waits for more than it would answer.
        min_bytes: usize::try_from(request.min_bytes).unwrap_or(0).min(limits.max_bytes),
        wait: Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0)),
    };
    // It may hold a large frame, which nobody needs while the fetch waits.
    drop(request);
    let reads = read_enough(context, &asked, limits, enough).await;
    let answers: Vec<(FetchPartition, FetchAnswer)> =
        asked.iter().zip(&reads).map(|(asked, read)| (asked.key.clone(), summary(read))).collect();
    let completion =
        context.broker.fetch_sessions.lock().complete(&session, &answers, context.now_ms, rand::random());
    let mentioned =
        asked.iter().zip(reads).zip(completion.is_mentioned).filter(|(_, is_mentioned)| *is_mentioned);
    let mut response = FetchResponse {
        error_code: completion.error_code.as_i16(),
        session_id: completion.session_id,
        responses: by_topic(context, mentioned.map(|(row, _)| row)),
        ..Default::default()
    };
    if !is_from_follower {
        name_new_leaders(context, &mut response);
    }
    response
}

/// The answer to a request that fails as a whole. Topics are told one by one as long as they have names.
fn refused(api_version: i16, request: FetchRequest, error: ErrorCode) -> FetchResponse {
    let named = if api_version < 13 { request.topics } else { Vec::new() };
    let partition = |partition: &fetch_request::FetchPartition| PartitionData {
        partition_index: partition.partition,
        error_code: error.as_i16(),
        high_watermark: -1,
        records: Some(Records::default()),
        ..Default::default()
    };
    let responses = named.into_iter().map(|topic| FetchableTopicResponse {
        partitions: topic.partitions.iter().map(partition).collect(),
        topic: topic.topic,
        ..Default::default()
    });
    FetchResponse {
        error_code: error.as_i16(),
        session_id: request.session_id,
        responses: responses.collect(),
        ..Default::default()
    }
}

fn is_unknown(error: ErrorCode) -> bool {
    matches!(error, ErrorCode::UnknownTopicOrPartition | ErrorCode::UnknownTopicId)
}

fn replica_id(context: &RequestContext, request: &FetchRequest) -> i32 {
    if context.api_version >= 15 { request.replica_state.replica_id } else { request.replica_id }
}

/// What the request names: partitions to fetch, and partitions to forget.
fn named(
    context: &RequestContext,
    request: &FetchRequest,
) -> (Vec<(FetchPartition, FetchParameters)>, Vec<FetchPartition>) {
    let topic_of = |name: &str, id: Uuid| {
        if context.api_version >= 13 { FetchTopic::Id(id) } else { FetchTopic::Name(Arc::from(name)) }
    };
    let mut wanted = Vec::new();
    for topic in &request.topics {
        let name = topic_of(&topic.topic, topic.topic_id);
        for partition in &topic.partitions {
            let parameters = FetchParameters {
                fetch_offset: partition.fetch_offset,
                log_start_offset: partition.log_start_offset,
                max_bytes: partition.partition_max_bytes,
                current_leader_epoch: Some(partition.current_leader_epoch).filter(|epoch| *epoch >= 0),
                last_fetched_epoch: Some(partition.last_fetched_epoch).filter(|epoch| *epoch >= 0),
            };
            wanted.push((FetchPartition { topic: name.clone(), partition: partition.partition }, parameters));
        }
    }
    let mut forgotten = Vec::new();
    for topic in &request.forgotten_topics_data {
        let name = topic_of(&topic.topic, topic.topic_id);
        for partition in &topic.partitions {
            forgotten.push(FetchPartition { topic: name.clone(), partition: *partition });
        }
    }
    (wanted, forgotten)
}

/// The replica that may answer.
fn serving(
    context: &RequestContext,
    key: &FetchPartition,
    parameters: &FetchParameters,
    is_from_follower: bool,
) -> Result<Arc<Partition>, ErrorCode> {
    let partitions = &context.broker.partitions;
    let found = match &key.topic {
        FetchTopic::Id(id) => partitions.by_id(*id, key.partition).map_err(|not_here| match not_here {
            NotHere::UnknownTopic => ErrorCode::UnknownTopicId,
            other => other.into(),
        }),
        FetchTopic::Name(name) => partitions.by_name(name, key.partition).map_err(ErrorCode::from),
    }?;
    found.check_leader_epoch(parameters.current_leader_epoch.unwrap_or(-1), true)?;
    if is_from_follower {
        // No partition here has a replica elsewhere.
        return Err(ErrorCode::NotLeaderOrFollower);
    }
    Ok(found)
}

/// Brings what lies on disk only into memory, off the core's loop; what a fetch waits for has just been written.
async fn warm(asked: &[Asked], limits: FetchLimits) {
    let mut room = limits.max_bytes;
    let mut cold: Vec<(Arc<Partition>, FetchParameters)> = Vec::new();
    for Asked { partition, parameters, .. } in asked {
        let Ok(partition) = partition else { continue };
        if fetch_read::would_block(partition, parameters, room) {
            cold.push((partition.clone(), *parameters));
        }
        // About what the partitions before leave, so that a long list is not probed to its end.
        if partition.log.high_watermark() > parameters.fetch_offset {
            room = room.saturating_sub(usize::try_from(parameters.max_bytes).unwrap_or(0));
        }
        if room == 0 {
            break;
        }
    }
    if cold.is_empty() {
        return;
    }
    let warmed = tokio::task::spawn_blocking(move || {
        let mut room = limits.max_bytes;
        for (index, (partition, parameters)) in cold.into_iter().enumerate() {
            let read = fetch_read::read(&partition, &parameters, limits, room, index == 0);
            room = room.saturating_sub(read.records.len());
            if room == 0 {
                return;
            }
        }
    });
    if warmed.await.is_err() {
        tracing::error!("a cold read has panicked");
    }
}

/// What a fetch waits for, and how long.
#[derive(Clone, Copy)]
struct Enough {
    min_bytes: usize,
    wait: Duration,
}

/// Reads until there is enough, something that the client must hear of, or no time left.
async fn read_enough(
    context: &RequestContext,
    asked: &[Asked],
    limits: FetchLimits,
    Enough { min_bytes, wait }: Enough,
) -> Vec<PartitionRead> {
    let (reads, is_enough) = read_all(context, asked, limits, min_bytes);
    if is_enough || wait.is_zero() || asked.is_empty() {
        return reads;
    }
    drop(reads);
    let mut tickets: Vec<Ticket<'_>> =
        asked.iter().filter_map(|asked| Some(asked.partition.as_ref().ok()?.waiters.ticket())).collect();
    let enough = poll_fn(|task| {
        tickets.iter_mut().for_each(|ticket| ticket.register(task));
        let (reads, is_enough) = read_all(context, asked, limits, min_bytes);
        if is_enough {
            return Poll::Ready(reads);
        }
        // What lies behind the high watermark comes into reach when it is durable.
        asked.iter().flat_map(|asked| &asked.partition).for_each(|partition| partition.log.hurry_sync());
        Poll::Pending
    });
    match tokio::time::timeout(wait, enough).await {
        Ok(reads) => reads,
        Err(_) => read_all(context, asked, limits, min_bytes).0,
    }
}

fn read_all(
    context: &RequestContext,
    asked: &[Asked],
    limits: FetchLimits,
    min_bytes: usize,
) -> (Vec<PartitionRead>, bool) {
    let mut room = limits.max_bytes;
    let mut total = 0;
    let mut must_answer = false;
    let mut has_known = false;
    let mut reads = Vec::with_capacity(asked.len());
    for asked in asked {
        let read = asked.read(context, limits, room, total == 0);
        total += read.records.len();
        room = room.saturating_sub(read.records.len());
        // KAFKA: what does not exist keeps nobody from waiting for the rest, or a client would ask without a pause.
        let is_known = !is_unknown(read.error_code);
        has_known |= is_known;
        let is_error = read.error_code != ErrorCode::None || read.diverging_epoch.is_some();
        must_answer |= is_known && is_error || read.has_more;
        reads.push(read);
    }
    let is_enough = must_answer || !has_known || total >= min_bytes;
    (reads, is_enough)
}

fn summary(read: &PartitionRead) -> FetchAnswer {
    FetchAnswer {
        records_bytes: read.records.len(),
        high_watermark: read.high_watermark,
        log_start_offset: read.log_start_offset,
        has_preferred_read_replica: false,
        has_diverging_epoch: read.diverging_epoch.is_some(),
        is_error: read.error_code != ErrorCode::None,
    }
}

/// Rows of the same topic that stand together become one topic of the answer.
fn by_topic<'a>(
    context: &RequestContext,
    rows: impl Iterator<Item = (&'a Asked, PartitionRead)>,
) -> Vec<FetchableTopicResponse> {
    let mut responses: Vec<FetchableTopicResponse> = Vec::new();
    let mut last: Option<&FetchTopic> = None;
    for (asked, read) in rows {
        if last != Some(&asked.key.topic) {
            let mut topic = FetchableTopicResponse::default();
            match &asked.key.topic {
                FetchTopic::Id(id) => topic.topic_id = *id,
                FetchTopic::Name(name) => topic.topic = name.to_string(),
            }
            responses.push(topic);
            last = Some(&asked.key.topic);
        }
        if let Some(topic) = responses.last_mut() {
            topic.partitions.push(row(context, asked, read));
        }
    }
    responses
}

fn row(context: &RequestContext, asked: &Asked, read: PartitionRead) -> PartitionData {
    let mut row = PartitionData {
        partition_index: asked.key.partition,
        error_code: read.error_code.as_i16(),
        high_watermark: read.high_watermark,
        last_stable_offset: read.last_stable_offset,
        log_start_offset: read.log_start_offset,
        aborted_transactions: read.aborted_transactions,
        records: Some(read.records),
        ..Default::default()
    };
    if let Some((epoch, end_offset)) = read.diverging_epoch {
        row.diverging_epoch = EpochEndOffset { epoch, end_offset, ..Default::default() };
    }
    // KAFKA: what does not exist has an empty list, whatever is not read for another reason has none.
    if is_unknown(read.error_code) {
        row.aborted_transactions = Some(Vec::new());
    }
    let moved = matches!(read.error_code, ErrorCode::NotLeaderOrFollower | ErrorCode::FencedLeaderEpoch);
    if moved && context.api_version >= FIRST_VERSION_WITH_LEADERS {
        let leader = match &asked.key.topic {
            FetchTopic::Id(id) => context.broker.leader_by_id(*id, asked.key.partition),
            FetchTopic::Name(name) => context.broker.leader_by_name(name, asked.key.partition),
        };
        if let Some((leader_id, leader_epoch)) = leader {
            row.current_leader = LeaderIdAndEpoch { leader_id, leader_epoch, ..Default::default() };
        }
    }
    row
}

/// KIP-951: where the leaders are that the rows name.
fn name_new_leaders(context: &RequestContext, response: &mut FetchResponse) {
    let rows = response.responses.iter().flat_map(|topic| &topic.partitions);
    let mut leaders: Vec<i32> = rows.map(|row| row.current_leader.leader_id).filter(|id| *id >= 0).collect();
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
