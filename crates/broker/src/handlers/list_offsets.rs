//! ListOffsets (key 2, v1-11). The offset at a timestamp, or at one of Kafka's special ones.
//!
//! read_committed clients end at the last stable offset, others at the high watermark.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use protocol::ErrorCode;
use protocol::messages::list_offsets_request::ListOffsetsPartition;
use protocol::messages::list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse};
use protocol::messages::{ListOffsetsRequest, ListOffsetsResponse};

use crate::context::RequestContext;
use crate::partition::Partition;

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
/// KIP-734, v7.
const MAX_TIMESTAMP: i64 = -3;
/// KIP-405, v8.
const EARLIEST_LOCAL: i64 = -4;
/// KIP-1005, v9.
const LATEST_TIERED: i64 = -5;
/// KIP-1023, v11.
const EARLIEST_PENDING_UPLOAD: i64 = -6;

/// From here on clients know OFFSET_NOT_AVAILABLE.
const FIRST_VERSION_WITH_NOT_AVAILABLE: i16 = 5;

/// Many times what a disk takes to sync.
const SYNC_PATIENCE: Duration = Duration::from_millis(100);

/// The replica id of clients.
const CONSUMER: i32 = -1;
/// The replica id of a client that may ask a follower, too.
const DEBUGGING_CONSUMER: i32 = -2;

/// What was found: where, stamped when, under which leader epoch.
struct Found {
    timestamp: i64,
    offset: i64,
    leader_epoch: i32,
}

impl Found {
    const NOTHING: Found = Found { timestamp: -1, offset: -1, leader_epoch: -1 };
}

/// Looks up each partition's offset.
pub async fn handle(context: &RequestContext, request: ListOffsetsRequest) -> ListOffsetsResponse {
    let mut asked = HashSet::new();
    let mut doubled = HashSet::new();
    for topic in &request.topics {
        for partition in &topic.partitions {
            if !asked.insert((&topic.name, partition.partition_index)) {
                doubled.insert((topic.name.clone(), partition.partition_index));
            }
        }
    }
    // Whatever is asked twice is refused once.
    let mut refused = HashSet::new();
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for asked in &topic.partitions {
            let found = if doubled.contains(&(topic.name.clone(), asked.partition_index)) {
                if !refused.insert((&topic.name, asked.partition_index)) {
                    continue;
                }
                Err(ErrorCode::InvalidRequest)
            } else {
                look_up(context, &request, &topic.name, asked).await
            };
            partitions.push(row(context.api_version, asked.partition_index, found));
        }
        topics.push(ListOffsetsTopicResponse { name: topic.name.clone(), partitions, ..Default::default() });
    }
    ListOffsetsResponse { topics, ..Default::default() }
}

fn row(
    api_version: i16,
    partition_index: i32,
    found: Result<Found, ErrorCode>,
) -> ListOffsetsPartitionResponse {
    match found {
        Ok(found) => ListOffsetsPartitionResponse {
            partition_index,
            error_code: ErrorCode::None.as_i16(),
            timestamp: found.timestamp,
            offset: found.offset,
            // Before v4 there is no room for it (KIP-320).
            leader_epoch: if api_version >= 4 { found.leader_epoch } else { -1 },
            ..Default::default()
        },
        Err(error) => {
            ListOffsetsPartitionResponse { partition_index, error_code: error.as_i16(), ..Default::default() }
        }
    }
}

async fn look_up(
    context: &RequestContext,
    request: &ListOffsetsRequest,
    topic: &str,
    asked: &ListOffsetsPartition,
) -> Result<Found, ErrorCode> {
    if !is_timestamp_known(context.api_version, asked.timestamp) {
        return Err(ErrorCode::UnsupportedVersion);
    }
    let only_from_leader = request.replica_id != DEBUGGING_CONSUMER;
    let partition =
        context.broker.partitions.by_name(topic, asked.partition_index).map_err(ErrorCode::from)?;
    partition.check_leader_epoch(asked.current_leader_epoch, only_from_leader)?;
    let is_from_client = request.replica_id == CONSUMER;
    if is_from_client && asked.timestamp != EARLIEST {
        await_own_sync(&partition).await;
    }
    let end = match request.isolation_level {
        _ if !is_from_client => partition.log.log_end_offset(),
        1 => partition.log.last_stable_offset(),
        _ => partition.log.high_watermark(),
    };
    // Until the high watermark has reached the leader's own epoch, it may be behind what clients have seen before.
    let is_behind = is_from_client && partition.log.high_watermark() < partition.leader_epoch_start();
    let not_yet = if context.api_version >= FIRST_VERSION_WITH_NOT_AVAILABLE {
        ErrorCode::OffsetNotAvailable
    } else {
        ErrorCode::LeaderNotAvailable
    };
    if asked.timestamp == LATEST {
        if is_behind {
            return Err(not_yet);
        }
        return Ok(Found { timestamp: -1, offset: end, leader_epoch: partition.leader_epoch() });
    }
    let by_time = asked.timestamp >= 0 || asked.timestamp == MAX_TIMESTAMP;
    let found = find(partition, asked.timestamp, end).await?;
    if is_behind && by_time && found.offset < 0 { Err(not_yet) } else { Ok(found) }
}

/// Lets the high watermark pass what is in the log already, if only our disk keeps it back: whoever was answered with acks=1
/// finds the record here, as with Kafka.
async fn await_own_sync(partition: &Arc<Partition>) {
    let end = partition.log.log_end_offset();
    if partition.log.high_watermark() < end {
        let committed = partition.committed(end, partition.leader_epoch());
        // In vain if other replicas lag behind, or the leader changes: then the answer is what it is.
        let _ = tokio::time::timeout(SYNC_PATIENCE, committed).await;
    }
}

fn is_timestamp_known(api_version: i16, timestamp: i64) -> bool {
    match timestamp {
        MAX_TIMESTAMP => api_version >= 7,
        EARLIEST_LOCAL => api_version >= 8,
        LATEST_TIERED => api_version >= 9,
        EARLIEST_PENDING_UPLOAD => api_version >= 11,
        _ => timestamp >= EARLIEST,
    }
}

async fn find(partition: Arc<Partition>, timestamp: i64, end: i64) -> Result<Found, ErrorCode> {
    match timestamp {
        EARLIEST | EARLIEST_LOCAL => {
            let offset = partition.log.log_start_offset();
            Ok(Found {
                timestamp: -1,
                offset,
                leader_epoch: partition.log.epoch_for_offset(offset).unwrap_or(-1),
            })
        }
        // Nothing is tiered here: Kafka answers likewise while remote storage is off.
        LATEST_TIERED | EARLIEST_PENDING_UPLOAD => Ok(Found::NOTHING),
        // Scans segments: off the core's loop.
        _ => tokio::task::spawn_blocking(move || scan(&partition, timestamp, end))
            .await
            .unwrap_or(Err(ErrorCode::UnknownServerError)),
    }
}

fn scan(partition: &Partition, timestamp: i64, end: i64) -> Result<Found, ErrorCode> {
    let found = if timestamp == MAX_TIMESTAMP {
        partition.log.offset_of_max_timestamp()
    } else {
        partition.log.offset_for_timestamp(timestamp)
    };
    let found = found.map_err(|error| {
        tracing::error!(topic_partition = %partition.topic_partition, timestamp, %error, "cannot look up the offset");
        ErrorCode::KafkaStorageError
    })?;
    match found {
        Some(found) if found.offset < end => Ok(Found {
            timestamp: found.timestamp,
            offset: found.offset,
            leader_epoch: found.leader_epoch.unwrap_or(-1),
        }),
        _ => Ok(Found::NOTHING),
    }
}
