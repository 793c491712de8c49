//! ShareFetch (key 78, v1-2). Hands records to a member of a share group, each to one member at a time (KIP-932).
//!
//! A request may acknowledge what the last ones brought; that is done first. What cannot be handed out yet is waited for on
//! the partitions: on their logs for new records, on what is shared for records that come back. v2 has an acquire mode
//! (KIP-1206) and renews locks (KIP-1222).

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use config::IsolationLevel;
use protocol::messages::share_fetch_request::ShareFetchRequest;
use protocol::messages::share_fetch_response::{
    AcquiredRecords as AcquiredRow, LeaderIdAndEpoch, PartitionData, ShareFetchResponse,
    ShareFetchableTopicResponse,
};
use protocol::{ErrorCode, Records, Uuid};
use share::{
    AcquireMode, AcquireRequest, AcquiredRecords, Limits, SessionFetch, SessionKey, SessionRequest,
    SharePartitionKey, SharedPartition,
};

use crate::context::RequestContext;
use crate::parking::Ticket;
use crate::share_acknowledgements::{
    AcknowledgeRules, Acknowledgements, Outcome, acknowledge, end_session, is_member_id, session_key,
};
use crate::share_partitions::{Shared, SharedRead};

/// How often a partition is looked at anew whose records have gone to others, or were aborted.
const ACQUIRE_ATTEMPTS: usize = 16;

/// What holds for the whole request.
struct Wanted {
    session: SessionKey,
    mode: AcquireMode,
    max_records: i64,
    batch_size: i64,
    min_bytes: usize,
    max_bytes: usize,
    limits: Limits,
    is_read_committed: bool,
}

/// A partition of the session, or why it cannot be read.
type Asked = (SharedPartition, Result<Arc<Shared>, ErrorCode>);

/// What a partition has given.
struct Given {
    acquired: Vec<AcquiredRecords>,
    records: Records,
}

/// Acknowledges, hands out, waits if there is nothing.
pub async fn handle(context: &RequestContext, mut request: ShareFetchRequest) -> ShareFetchResponse {
    let broker = &context.broker;
    let session = match admit(context, &request) {
        Ok(session) => session,
        Err((error, message)) => return refused(error, message),
    };
    let (wanted_partitions, forgotten, acknowledgements) = named(&mut request);
    let has_acknowledgements = !acknowledgements.is_empty();
    let sessions_max = usize::try_from(broker.config().share.group_share_max_share_sessions).unwrap_or(0);
    let begun = broker.shared.sessions().lock().fetch(
        &session,
        request.share_session_epoch,
        context.connection.id,
        SessionRequest {
            wanted: &wanted_partitions,
            forgotten: &forgotten,
            acknowledges: has_acknowledgements,
        },
        sessions_max,
    );
    let fetch = match begun {
        Ok(fetch) => fetch,
        Err(error) => {
            if error == ErrorCode::ShareSessionLimitReached {
                // Whoever is turned away should not come again at once.
                tokio::time::sleep(wait_of(&request)).await;
            }
            return refused(error, error.message().to_string());
        }
    };
    let rules = AcknowledgeRules {
        knows_renewal: context.api_version >= 2
            && broker.shared.group_config(&session.group_id).share_renew_acknowledge_enable,
        may_renew: request.is_renew_ack,
    };
    let outcomes = acknowledge(broker, &session, acknowledgements, rules).await;
    let wanted = wanted(context, session, &request);
    let rows = match fetch {
        SessionFetch::End(_) => {
            end_session(broker, &wanted.session);
            Vec::new()
        }
        SessionFetch::Read(_) if request.is_renew_ack && context.api_version >= 2 => Vec::new(),
        SessionFetch::Read(partitions) => hand_out(context, &wanted, partitions, wait_of(&request)).await,
    };
    let is_first = request.share_session_epoch == 0;
    answer(context, &wanted, rows, outcomes, is_first)
}

/// The session that the request is about.
fn admit(context: &RequestContext, request: &ShareFetchRequest) -> Result<SessionKey, (ErrorCode, String)> {
    if !context.broker.supports_share_groups() {
        let error = ErrorCode::UnsupportedVersion;
        return Err((error, error.message().to_string()));
    }
    if !is_member_id(request.member_id.as_deref()) {
        return Err((ErrorCode::InvalidRequest, "Invalid member id in the request.".to_string()));
    }
    if context.api_version >= 2 && request.is_renew_ack {
        let fields = [
            ("maxBytes", request.max_bytes),
            ("minBytes", request.min_bytes),
            ("maxRecords", request.max_records),
            ("maxWaitMs", request.max_wait_ms),
        ];
        let set: Vec<String> = fields
            .iter()
            .filter(|(_, value)| *value != 0)
            .map(|(name, _)| format!("{name} must be set to 0, "))
            .collect();
        if !set.is_empty() {
            return Err((ErrorCode::InvalidRequest, format!("{}if isRenewAck is true.", set.concat())));
        }
    }
    session_key(request.group_id.as_deref(), request.member_id.as_deref())
        .ok_or((ErrorCode::InvalidRequest, ErrorCode::InvalidRequest.message().to_string()))
}

fn refused(error: ErrorCode, message: String) -> ShareFetchResponse {
    ShareFetchResponse { error_code: error.as_i16(), error_message: Some(message), ..Default::default() }
}

fn wait_of(request: &ShareFetchRequest) -> Duration {
    Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0))
}

/// Partitions to read, partitions to forget, and what is acknowledged.
fn named(request: &mut ShareFetchRequest) -> (Vec<SharedPartition>, Vec<SharedPartition>, Acknowledgements) {
    let (mut wanted, mut acknowledgements) = (Vec::new(), Acknowledgements::new());
    for topic in std::mem::take(&mut request.topics) {
        for partition in topic.partitions {
            let key = SharedPartition { topic_id: topic.topic_id, partition: partition.partition_index };
            wanted.push(key);
            let batches = partition.acknowledgement_batches.into_iter();
            let batches: Vec<_> = batches
                .map(|batch| (batch.first_offset, batch.last_offset, batch.acknowledge_types))
                .collect();
            if !batches.is_empty() {
                acknowledgements.entry(key).or_default().extend(batches);
            }
        }
    }
    let forgotten = std::mem::take(&mut request.forgotten_topics_data).into_iter().flat_map(|topic| {
        let key = move |partition| SharedPartition { topic_id: topic.topic_id, partition };
        topic.partitions.into_iter().map(key)
    });
    (wanted, forgotten.collect(), acknowledgements)
}

fn wanted(context: &RequestContext, session: SessionKey, request: &ShareFetchRequest) -> Wanted {
    let shared = &context.broker.shared;
    let max_bytes = request.max_bytes.min(context.broker.config().replication.fetch_max_bytes).max(0);
    Wanted {
        mode: AcquireMode::from_i8(request.share_acquire_mode).unwrap_or(AcquireMode::BatchOptimized),
        max_records: request.max_records.into(),
        batch_size: request.batch_size.into(),
        min_bytes: usize::try_from(request.min_bytes.min(max_bytes)).unwrap_or(0),
        max_bytes: usize::try_from(max_bytes).unwrap_or(0),
        limits: shared.limits(&session.group_id),
        is_read_committed: shared.group_config(&session.group_id).share_isolation_level
            == IsolationLevel::ReadCommitted,
        session,
    }
}

/// Reads the session's partitions until there is something to hand out, or no time left.
async fn hand_out(
    context: &RequestContext,
    wanted: &Wanted,
    partitions: Vec<SharedPartition>,
    wait: Duration,
) -> Vec<(SharedPartition, Result<Given, ErrorCode>)> {
    let mut asked: Vec<Asked> = Vec::with_capacity(partitions.len());
    for partition in partitions {
        asked.push((partition, find(context, wanted, partition).await));
    }
    if wanted.max_records <= 0 || wanted.max_bytes == 0 {
        return asked.into_iter().map(|(key, shared)| (key, shared.map(|_| Given::nothing()))).collect();
    }
    warm(wanted, &asked).await;
    let mut tickets: Vec<Ticket<'_>> = Vec::new();
    for shared in asked.iter().filter_map(|(_, shared)| shared.as_ref().ok()) {
        tickets.push(shared.waiters.ticket());
        tickets.push(shared.partition.waiters.ticket());
    }
    let enough = poll_fn(|task| {
        tickets.iter_mut().for_each(|ticket| ticket.register(task));
        let rows = look(context, wanted, &asked, wanted.min_bytes);
        let is_enough =
            rows.iter().any(|(_, row)| row.as_ref().map_or(true, |given| !given.acquired.is_empty()));
        if is_enough {
            return Poll::Ready(rows);
        }
        // What lies behind the high watermark comes into reach when it is durable.
        let shared = asked.iter().filter_map(|(_, shared)| shared.as_ref().ok());
        shared.for_each(|shared| shared.partition.log.hurry_sync());
        Poll::Pending
    });
    match tokio::time::timeout(wait, enough).await {
        Ok(rows) => rows,
        Err(_) => look(context, wanted, &asked, 0),
    }
}

async fn find(
    context: &RequestContext,
    wanted: &Wanted,
    partition: SharedPartition,
) -> Result<Arc<Shared>, ErrorCode> {
    let SharedPartition { topic_id, partition } = partition;
    let image = context.broker.metadata.image();
    let topic = image.topics.by_id(topic_id).ok_or(ErrorCode::UnknownTopicId)?;
    if topic.partition(partition).is_none() {
        return Err(ErrorCode::UnknownTopicOrPartition);
    }
    let key = SharePartitionKey { group_id: wanted.session.group_id.clone(), topic_id, partition };
    context.broker.shared.get_or_load(&key).await
}

/// Brings what lies on disk only into memory, off the core's loop.
async fn warm(wanted: &Wanted, asked: &[Asked]) {
    let mut cold = Vec::new();
    for shared in asked.iter().filter_map(|(_, shared)| shared.as_ref().ok()) {
        let offset = shared.next_fetch_offset();
        let room = shared.read_bytes_for(wanted.max_records, wanted.max_bytes);
        let log = &shared.partition.log;
        let is_there = log.log_start_offset() <= offset && offset < log.high_watermark();
        if is_there && log.read_would_block(offset, room) {
            cold.push((shared.clone(), offset, room));
        }
    }
    if cold.is_empty() {
        return;
    }
    let is_read_committed = wanted.is_read_committed;
    let warmed = tokio::task::spawn_blocking(move || {
        for (shared, offset, room) in cold {
            let _ = shared.read(offset, room, is_read_committed);
        }
    });
    if warmed.await.is_err() {
        tracing::error!("a cold read has panicked");
    }
}

/// Hands out what is there, unless all of it is less than `min_bytes`.
fn look(
    context: &RequestContext,
    wanted: &Wanted,
    asked: &[Asked],
    min_bytes: usize,
) -> Vec<(SharedPartition, Result<Given, ErrorCode>)> {
    let mut room = wanted.max_bytes;
    let mut reads = Vec::with_capacity(asked.len());
    let mut bytes = 0;
    for (key, shared) in asked {
        let read = match shared {
            Ok(shared) if room > 0 => read(context, wanted, shared, room),
            Ok(_) => Ok(None),
            Err(error) => Err(*error),
        };
        let length = read.as_ref().ok().and_then(Option::as_ref).map_or(0, |read| read.bytes.len());
        bytes += length;
        room = room.saturating_sub(length);
        reads.push((*key, shared, read));
    }
    let is_enough = bytes >= min_bytes.max(1);
    let mut left = wanted.max_records;
    let mut rows = Vec::with_capacity(reads.len());
    for (key, shared, read) in reads {
        let row = match (shared, read) {
            (Ok(shared), Ok(Some(read))) if is_enough && left > 0 => {
                acquire(context, wanted, shared, read, left)
            }
            (_, Ok(_)) => Ok(Given::nothing()),
            (_, Err(error)) => Err(error),
        };
        if let Ok(given) = &row {
            let count = given.acquired.iter().map(|row| row.last_offset - row.first_offset + 1);
            left -= count.sum::<i64>();
        }
        rows.push((key, row));
    }
    rows
}

/// What the log has where the partition's next records are.
fn read(
    context: &RequestContext,
    wanted: &Wanted,
    shared: &Shared,
    room: usize,
) -> Result<Option<SharedRead>, ErrorCode> {
    shared.check()?;
    let room = shared.read_bytes_for(wanted.max_records, room);
    let engines = &context.broker.shared;
    loop {
        let next = engines.with_engine(shared, |engine| {
            engine.can_acquire(&wanted.limits).then(|| engine.next_fetch_offset())
        });
        let Some(offset) = next else { return Ok(None) };
        match shared.read(offset, room, wanted.is_read_committed) {
            Ok(read) if read.batches.is_empty() => return Ok(None),
            Ok(read) => return Ok(Some(read)),
            Err(ErrorCode::OffsetOutOfRange) => {
                let log_start_offset = shared.partition.log.log_start_offset();
                if offset >= log_start_offset {
                    return Err(ErrorCode::OffsetOutOfRange);
                }
                engines.with_engine(shared, |engine| engine.log_start_moved(log_start_offset));
            }
            Err(error) => return Err(error),
        }
    }
}

/// Makes what was read the member's. If somebody was faster, or all of it was aborted, what follows is tried.
fn acquire(
    context: &RequestContext,
    wanted: &Wanted,
    shared: &Shared,
    first_read: SharedRead,
    max_records: i64,
) -> Result<Given, ErrorCode> {
    let engines = &context.broker.shared;
    let mut next = Some(first_read);
    for _ in 0..ACQUIRE_ATTEMPTS {
        let Some(found) = next else { break };
        let acquired = engines.with_engine(shared, |engine| {
            engine.acquire(&AcquireRequest {
                member_id: &wanted.session.member_id,
                mode: wanted.mode,
                max_records,
                batch_size: wanted.batch_size,
                fetch_offset: found.fetch_offset,
                batches: &found.batches,
                limits: &wanted.limits,
                now_ms: engines.now_ms(),
            })
        });
        if !acquired.is_empty() {
            return Ok(Given { records: Records::from(found.slice(&acquired)), acquired });
        }
        next = read(context, wanted, shared, wanted.max_bytes)?;
    }
    Ok(Given::nothing())
}

impl Given {
    fn nothing() -> Self {
        Given { acquired: Vec::new(), records: Records::default() }
    }
}

/// Who leads a partition that the client looks for in the wrong place; -1 otherwise.
pub(crate) fn leader_of(context: &RequestContext, key: SharedPartition, error: ErrorCode) -> (i32, i32) {
    if error != ErrorCode::NotLeaderOrFollower {
        return (0, 0);
    }
    context.broker.leader_by_id(key.topic_id, key.partition).unwrap_or((-1, -1))
}

/// What was found and what became of acknowledgements, by topic. After the first request of a session, partitions that have
/// nothing to say are left out.
fn answer(
    context: &RequestContext,
    wanted: &Wanted,
    rows: Vec<(SharedPartition, Result<Given, ErrorCode>)>,
    mut outcomes: BTreeMap<SharedPartition, Outcome>,
    is_first: bool,
) -> ShareFetchResponse {
    let mut topics: BTreeMap<Uuid, Vec<PartitionData>> = BTreeMap::new();
    let mut found = Vec::new();
    for (key, row) in rows {
        let outcome = outcomes.remove(&key);
        let error = row.as_ref().err().copied().unwrap_or(ErrorCode::None);
        let given = row.unwrap_or_else(|_| Given::nothing());
        let is_silent = error == ErrorCode::None && given.acquired.is_empty() && outcome.is_none();
        if is_silent && !is_first {
            continue;
        }
        if !given.acquired.is_empty() {
            found.push(key);
        }
        topics.entry(key.topic_id).or_default().push(partition_row(context, key, error, given, outcome));
    }
    for (key, outcome) in outcomes {
        let row = partition_row(context, key, ErrorCode::None, Given::nothing(), Some(outcome));
        topics.entry(key.topic_id).or_default().push(row);
    }
    context.broker.shared.sessions().lock().found_records(&wanted.session, &found);
    let topic =
        |(topic_id, partitions)| ShareFetchableTopicResponse { topic_id, partitions, ..Default::default() };
    ShareFetchResponse {
        acquisition_lock_timeout_ms: i32::try_from(wanted.limits.record_lock_duration_ms).unwrap_or(i32::MAX),
        responses: topics.into_iter().map(topic).collect(),
        ..Default::default()
    }
}

fn partition_row(
    context: &RequestContext,
    key: SharedPartition,
    error: ErrorCode,
    given: Given,
    outcome: Option<Outcome>,
) -> PartitionData {
    let (leader_id, leader_epoch) = leader_of(context, key, error);
    let (acknowledge_error, acknowledge_error_message) = outcome.unwrap_or((ErrorCode::None, None));
    let acquired = given.acquired.iter().map(|row| AcquiredRow {
        first_offset: row.first_offset,
        last_offset: row.last_offset,
        delivery_count: row.delivery_count,
        ..Default::default()
    });
    PartitionData {
        partition_index: key.partition,
        error_code: error.as_i16(),
        error_message: (error != ErrorCode::None).then(|| error.message().to_string()),
        acknowledge_error_code: acknowledge_error.as_i16(),
        acknowledge_error_message,
        current_leader: LeaderIdAndEpoch { leader_id, leader_epoch, ..Default::default() },
        acquired_records: acquired.collect(),
        records: Some(given.records),
        ..Default::default()
    }
}
