//! Reading one partition for a fetch: bounds, diverging epochs, aborted transactions.

use protocol::messages::fetch_response::AbortedTransaction;
use protocol::{ErrorCode, Records};
use replica::FetchParameters;
use storage::{ReadError, ReadResult};

use crate::partition::Partition;

/// What holds for the whole fetch.
#[derive(Debug, Clone, Copy)]
pub struct FetchLimits {
    /// Most bytes over all partitions; the first batch may exceed it.
    pub max_bytes: usize,
    /// Whether to end at the last stable offset and to name aborted transactions.
    pub is_read_committed: bool,
}

/// What was found.
#[derive(Debug)]
pub struct PartitionRead {
    /// Success, or why nothing could be read.
    pub error_code: ErrorCode,
    /// As of the read, or -1.
    pub high_watermark: i64,
    /// As of the read, or -1.
    pub last_stable_offset: i64,
    /// As of the read, or -1.
    pub log_start_offset: i64,
    /// Epoch and end offset where the fetcher's log leaves ours (KIP-595).
    pub diverging_epoch: Option<(i32, i64)>,
    /// For read_committed: transactions in the records whose markers abort them.
    pub aborted_transactions: Option<Vec<AbortedTransaction>>,
    /// Whole batches.
    pub records: Records,
    /// Whether there is more within reach than `records`: a limit or the end of a segment cut the read off.
    pub has_more: bool,
}

impl PartitionRead {
    /// Nothing but an error.
    pub fn failed(error_code: ErrorCode) -> Self {
        PartitionRead {
            error_code,
            high_watermark: -1,
            last_stable_offset: -1,
            log_start_offset: -1,
            diverging_epoch: None,
            aborted_transactions: None,
            records: Records::default(),
            has_more: false,
        }
    }
}

/// Whether [`read`] would wait for the device if it had `room`.
pub fn would_block(partition: &Partition, asked: &FetchParameters, room: usize) -> bool {
    let most = room.min(usize::try_from(asked.max_bytes).unwrap_or(0));
    asked.fetch_offset >= partition.log.log_start_offset()
        && asked.fetch_offset < partition.log.high_watermark()
        && partition.log.read_would_block(asked.fetch_offset, most)
}

/// Where the fetcher's log leaves ours, if it does.
fn diverging_epoch(partition: &Partition, asked: &FetchParameters) -> Result<Option<(i32, i64)>, ErrorCode> {
    let Some(epoch) = asked.last_fetched_epoch else { return Ok(None) };
    let end = partition.log.end_offset_for_epoch(epoch);
    // Where to cut off is of no use to whoever has to begin anew.
    if end.end_offset < 0 || asked.fetch_offset < partition.log.log_start_offset() {
        return Err(ErrorCode::OffsetOutOfRange);
    }
    let diverges = end.epoch < epoch || end.end_offset < asked.fetch_offset;
    Ok(diverges.then_some((end.epoch, end.end_offset)))
}

/// Reads up to `room` bytes; with `is_first`, the first batch whatever its size.
pub fn read(
    partition: &Partition,
    asked: &FetchParameters,
    limits: FetchLimits,
    room: usize,
    is_first: bool,
) -> PartitionRead {
    let log = &partition.log;
    let high_watermark = log.high_watermark();
    let mut found = PartitionRead {
        error_code: ErrorCode::None,
        high_watermark,
        last_stable_offset: log.last_stable_offset().min(high_watermark),
        log_start_offset: log.log_start_offset(),
        ..PartitionRead::failed(ErrorCode::None)
    };
    if log.directory().is_offline() {
        return PartitionRead::failed(ErrorCode::KafkaStorageError);
    }
    // Anew with each look: leadership may have changed while the fetch waited.
    if let Err(error) = partition.check_leader_epoch(asked.current_leader_epoch.unwrap_or(-1), true) {
        return PartitionRead::failed(error);
    }
    match diverging_epoch(partition, asked) {
        Ok(None) => {}
        Ok(diverging_epoch) => return PartitionRead { diverging_epoch, ..found },
        Err(error) => return PartitionRead::failed(error),
    }
    if asked.fetch_offset < found.log_start_offset || asked.fetch_offset > log.log_end_offset() {
        return PartitionRead::failed(ErrorCode::OffsetOutOfRange);
    }
    if limits.is_read_committed {
        found.aborted_transactions = Some(Vec::new());
    }
    let bound = if limits.is_read_committed { found.last_stable_offset } else { found.high_watermark };
    let most = room.min(usize::try_from(asked.max_bytes).unwrap_or(0));
    if asked.fetch_offset >= bound || most == 0 && !is_first {
        return found;
    }
    match read_records(partition, asked.fetch_offset, most, bound, is_first, limits.is_read_committed) {
        Ok((read, aborted_transactions)) => PartitionRead {
            has_more: !read.records.is_empty() && read.end_offset < bound,
            records: read.records,
            aborted_transactions,
            ..found
        },
        Err(ReadError::OffsetOutOfRange { .. }) => PartitionRead::failed(ErrorCode::OffsetOutOfRange),
        Err(error) => {
            tracing::error!(topic_partition = %partition.topic_partition, offset = asked.fetch_offset, %error, "cannot read");
            PartitionRead::failed(error.error_code())
        }
    }
}

/// Batches, and for read_committed the transactions among them that were aborted.
fn read_records(
    partition: &Partition,
    offset: i64,
    most: usize,
    bound: i64,
    is_first: bool,
    is_read_committed: bool,
) -> Result<(ReadResult, Option<Vec<AbortedTransaction>>), ReadError> {
    if !is_read_committed {
        return Ok((partition.log.read(offset, most, bound, is_first)?, None));
    }
    let (read, aborted) = partition.log.read_committed(offset, most, bound, is_first)?;
    let row = |aborted: storage::AbortedTransaction| AbortedTransaction {
        producer_id: aborted.producer_id,
        first_offset: aborted.first_offset,
        ..Default::default()
    };
    Ok((read, Some(aborted.into_iter().map(row).collect())))
}
