//! A coordinator's state as records of its partition: appended by a shard's step, replayed into a new shard.

use std::sync::Arc;
use std::time::{Duration, Instant};

use coordinator::{CoordinatorRecord, CoordinatorShard, RecordPosition, TransactionalWrite};
use protocol::ErrorCode;
use records::{BatchBuilder, EndTransactionMarker, NO_SEQUENCE};
use tracing::{info, warn};

use crate::partition::Partition;

/// What a record takes beside its key and value, at most.
const RECORD_OVERHEAD: usize = 32;

/// How often a long replay says how far it is.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(5);

/// The largest batch that a coordinator's partition takes.
pub fn batch_bytes_max(partition: &Partition) -> usize {
    let config = partition.log.config();
    usize::try_from(config.max_message_bytes.min(config.effective_segment_bytes())).unwrap_or(0)
}

/// Appends what a step asks for: as one batch, if it fits. What concerns many keys at once (a deleted topic, expired offsets)
/// may take several; a single request's records always fit.
///
/// Returns the offset that must be committed before the step's replies leave: everything that the step may have seen.
///
/// # Errors
/// What the log refused with. Batches before the refused one stay in the log.
pub fn append(
    partition: &Arc<Partition>,
    leader_epoch: i32,
    records: &[CoordinatorRecord],
    transaction: Option<TransactionalWrite>,
    now_ms: i64,
) -> Result<i64, ErrorCode> {
    let limit = batch_bytes_max(partition);
    let mut batch = new_batch(transaction);
    for record in records {
        let size = RECORD_OVERHEAD + record.key.len() + record.value.as_ref().map_or(0, |value| value.len());
        if !batch.is_empty() && batch.size_in_bytes().saturating_add(size) > limit {
            let full = std::mem::replace(&mut batch, new_batch(transaction));
            append_batch(partition, leader_epoch, full, now_ms)?;
        }
        batch.append(now_ms, Some(&record.key), record.value.as_deref(), &[]);
    }
    if batch.is_empty() {
        return Ok(partition.log.log_end_offset());
    }
    append_batch(partition, leader_epoch, batch, now_ms)
}

fn new_batch(transaction: Option<TransactionalWrite>) -> BatchBuilder {
    match transaction {
        Some(by) => {
            BatchBuilder::new(0).producer(by.producer_id, by.producer_epoch, NO_SEQUENCE).transactional()
        }
        None => BatchBuilder::new(0),
    }
}

fn append_batch(
    partition: &Arc<Partition>,
    leader_epoch: i32,
    batch: BatchBuilder,
    now_ms: i64,
) -> Result<i64, ErrorCode> {
    let appended = partition.append_from_coordinator(&batch.build(), leader_epoch, now_ms);
    appended.map(|appended| appended.info.last_offset + 1).map_err(|refusal| refusal.error_code)
}

/// Replays the whole partition into `shard`, `buffer_bytes` at a time; returns how many records there were.
///
/// # Errors
/// Why it cannot be read, in words.
pub fn replay<S: CoordinatorShard>(
    partition: &Partition,
    buffer_bytes: usize,
    shard: &mut S,
) -> Result<u64, String> {
    let log = &partition.log;
    let end = log.log_end_offset();
    let mut offset = log.log_start_offset();
    let mut replayed = 0;
    let mut told = Instant::now();
    while offset < end {
        let bytes = log
            .read_bytes(offset, buffer_bytes, end)
            .map_err(|error| format!("offset {offset} cannot be read: {error}"))?;
        let before = offset;
        for batch in records::batches(&bytes) {
            let batch = batch.map_err(|error| format!("the batch at offset {offset} is damaged: {error}"))?;
            offset = batch.header.next_offset();
            replayed += replay_batch(partition, &batch, shard)?;
        }
        if offset == before {
            return Err(format!("nothing can be read at offset {offset}, and the log ends at {end}"));
        }
        if told.elapsed() >= PROGRESS_INTERVAL {
            told = Instant::now();
            info!(topic_partition = %partition.topic_partition, offset, end, "replaying");
        }
    }
    Ok(replayed)
}

fn replay_batch<S: CoordinatorShard>(
    partition: &Partition,
    batch: &records::Batch,
    shard: &mut S,
) -> Result<u64, String> {
    let damaged = |error| format!("the batch at offset {} is damaged: {error}", batch.header.base_offset);
    let limit = usize::try_from(partition.log.config().max_decompressed_message_bytes).unwrap_or(usize::MAX);
    let mut replayed = 0;
    for record in batch.records(limit).map_err(damaged)? {
        let record = record.map_err(damaged)?;
        replayed += 1;
        if batch.header.is_control() {
            if let Ok(Some(marker)) = EndTransactionMarker::parse(&record) {
                shard.replay_end_transaction(batch.header.producer_id, marker.committed);
            }
            continue;
        }
        let producer_id = if batch.header.is_transactional() { batch.header.producer_id } else { -1 };
        let position = RecordPosition { offset: record.offset, producer_id };
        if let Err(warning) = shard.replay(position, record.key, record.value) {
            warn!(
                topic_partition = %partition.topic_partition,
                offset = record.offset,
                %warning,
                "skipped a record of a coordinator"
            );
        }
    }
    Ok(replayed)
}
