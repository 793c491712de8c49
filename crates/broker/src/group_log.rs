//! Group state as records of a `__consumer_offsets` partition: appended by a shard's step, replayed into a new shard.

use std::sync::Arc;

use groups::{Effects, GroupShard, RecordPosition};
use protocol::ErrorCode;
use records::{BatchBuilder, EndTransactionMarker, NO_SEQUENCE};
use tracing::warn;

use crate::partition::Partition;

/// What a record takes beside its key and value, at most.
const RECORD_OVERHEAD: usize = 32;

/// The largest batch that a partition of group state takes.
pub fn batch_bytes_max(partition: &Partition) -> usize {
    let config = partition.log.config();
    usize::try_from(config.max_message_bytes.min(config.effective_segment_bytes())).unwrap_or(0)
}

/// Appends what a step asks for: as one batch, if it fits. What concerns many groups at once (a deleted topic, expired offsets)
/// may take several; a single request's records always fit.
///
/// Returns the offset that must be committed before the step's replies leave: everything that the step may have seen.
///
/// # Errors
/// What the log refused with. Batches before the refused one stay in the log.
pub fn append(
    partition: &Arc<Partition>,
    leader_epoch: i32,
    effects: &Effects,
    now_ms: i64,
) -> Result<i64, ErrorCode> {
    let limit = batch_bytes_max(partition);
    let mut batch = new_batch(effects);
    for record in &effects.records {
        let size = RECORD_OVERHEAD + record.key.len() + record.value.as_ref().map_or(0, |value| value.len());
        if !batch.is_empty() && batch.size_in_bytes().saturating_add(size) > limit {
            let full = std::mem::replace(&mut batch, new_batch(effects));
            append_batch(partition, leader_epoch, full, now_ms)?;
        }
        batch.append(now_ms, Some(&record.key), record.value.as_deref(), &[]);
    }
    if batch.is_empty() {
        return Ok(partition.log.log_end_offset());
    }
    append_batch(partition, leader_epoch, batch, now_ms)
}

fn new_batch(effects: &Effects) -> BatchBuilder {
    match effects.transaction {
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

/// Replays the whole partition into `engine`, `buffer_bytes` at a time; returns how many records there were.
///
/// # Errors
/// Why it cannot be read, in words.
pub fn replay(partition: &Partition, buffer_bytes: usize, engine: &mut GroupShard) -> Result<u64, String> {
    let log = &partition.log;
    let end = log.log_end_offset();
    let mut offset = log.log_start_offset();
    let mut replayed = 0;
    while offset < end {
        let bytes = log
            .read_bytes(offset, buffer_bytes, end)
            .map_err(|error| format!("offset {offset} cannot be read: {error}"))?;
        let before = offset;
        for batch in records::batches(&bytes) {
            let batch = batch.map_err(|error| format!("the batch at offset {offset} is damaged: {error}"))?;
            offset = batch.header.next_offset();
            replayed += replay_batch(partition, &batch, engine)?;
        }
        if offset == before {
            return Err(format!("nothing can be read at offset {offset}, and the log ends at {end}"));
        }
    }
    Ok(replayed)
}

fn replay_batch(
    partition: &Partition,
    batch: &records::Batch,
    engine: &mut GroupShard,
) -> Result<u64, String> {
    let damaged = |error| format!("the batch at offset {} is damaged: {error}", batch.header.base_offset);
    let limit = usize::try_from(partition.log.config().max_decompressed_message_bytes).unwrap_or(usize::MAX);
    let mut replayed = 0;
    for record in batch.records(limit).map_err(damaged)? {
        let record = record.map_err(damaged)?;
        replayed += 1;
        if batch.header.is_control() {
            if let Ok(Some(marker)) = EndTransactionMarker::parse(&record) {
                engine.replay_end_transaction(batch.header.producer_id, marker.committed);
            }
            continue;
        }
        let position = RecordPosition { offset: record.offset, producer_id: batch.header.producer_id };
        if let Err(warning) = engine.replay(position, record.key, record.value) {
            warn!(
                topic_partition = %partition.topic_partition,
                offset = record.offset,
                %warning,
                "skipped a record of group state"
            );
        }
    }
    Ok(replayed)
}
