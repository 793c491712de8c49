//! Reading the log for a member of a share group.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use protocol::ErrorCode;
use records::EndTransactionMarker;
use share::{AcquiredRecords, FetchedBatch};
use storage::ReadError;

use super::Shared;

/// The least that is read at a time.
const READ_BYTES_MIN: usize = 64 * 1_024;

/// What was found in the log.
pub struct SharedRead {
    /// Where it was read from.
    pub fetch_offset: i64,
    /// Whole batches.
    pub bytes: Bytes,
    /// What they are.
    pub batches: Vec<FetchedBatch>,
    /// Where each of them begins in `bytes`.
    positions: Vec<usize>,
}

impl Shared {
    /// About how much has to be read for `max_records`.
    pub fn read_bytes_for(&self, max_records: i64, room: usize) -> usize {
        let records = usize::try_from(max_records).unwrap_or(0);
        let wanted = self.bytes_per_record.load(Ordering::Relaxed).saturating_mul(records);
        wanted.max(READ_BYTES_MIN).min(room)
    }

    /// Reads from `fetch_offset` on; nothing if there is nothing committed.
    ///
    /// # Errors
    /// OFFSET_OUT_OF_RANGE if the log begins later or ends before, or what reading failed with.
    pub fn read(
        &self,
        fetch_offset: i64,
        room: usize,
        is_read_committed: bool,
    ) -> Result<SharedRead, ErrorCode> {
        let log = &self.partition.log;
        if log.directory().is_offline() {
            return Err(ErrorCode::KafkaStorageError);
        }
        let nothing =
            SharedRead { fetch_offset, bytes: Bytes::new(), batches: Vec::new(), positions: Vec::new() };
        if fetch_offset < log.log_start_offset() || fetch_offset > log.log_end_offset() {
            return Err(ErrorCode::OffsetOutOfRange);
        }
        let high_watermark = log.high_watermark();
        let bound =
            if is_read_committed { log.last_stable_offset().min(high_watermark) } else { high_watermark };
        if fetch_offset >= bound {
            return Ok(nothing);
        }
        let bytes = log.read_bytes(fetch_offset, room.max(1), bound).map_err(|error| match error {
            ReadError::OffsetOutOfRange { .. } => ErrorCode::OffsetOutOfRange,
            error => {
                tracing::error!(topic_partition = %self.partition.topic_partition, fetch_offset, %error, "cannot read");
                error.error_code()
            }
        })?;
        let mut read = SharedRead { bytes: bytes.clone(), ..nothing };
        let mut aborted = match is_read_committed {
            true => Aborted::new(self, fetch_offset, bound)?,
            false => Aborted::default(),
        };
        let (mut position, mut records) = (0, 0_i64);
        for batch in records::batches(&bytes) {
            let batch = batch.map_err(|_| ErrorCode::CorruptMessage)?;
            let (base_offset, last_offset) = (batch.header.base_offset, batch.header.last_offset());
            if last_offset >= bound {
                break;
            }
            let is_aborted = aborted.contains(&batch);
            read.batches.push(FetchedBatch { base_offset, last_offset, is_aborted });
            read.positions.push(position);
            position += batch.header.size_in_bytes();
            records += last_offset - base_offset + 1;
        }
        read.bytes.truncate(position);
        if let Some(each) = usize::try_from(records).ok().and_then(|records| position.checked_div(records)) {
            self.bytes_per_record.store(each.max(1), Ordering::Relaxed);
        }
        Ok(read)
    }
}

impl SharedRead {
    /// The batches that hold these records.
    pub fn slice(&self, acquired: &[AcquiredRecords]) -> Bytes {
        let (Some(first), Some(last)) = (acquired.first(), acquired.last()) else { return Bytes::new() };
        let begins = self.batches.partition_point(|batch| batch.last_offset < first.first_offset);
        let ends = self.batches.partition_point(|batch| batch.base_offset <= last.last_offset);
        let position = |index: usize| self.positions.get(index).copied().unwrap_or(self.bytes.len());
        self.bytes.slice(position(begins)..position(ends).max(position(begins)))
    }
}

/// Which batches belong to aborted transactions.
#[derive(Default)]
struct Aborted {
    /// Producer ids with the first offsets of their aborted transactions, latest first.
    coming: Vec<(i64, i64)>,
    open: Vec<i64>,
}

impl Aborted {
    fn new(shared: &Shared, from: i64, to: i64) -> Result<Self, ErrorCode> {
        let aborted = shared.partition.log.aborted_transactions(from, to).map_err(|error| {
            tracing::error!(topic_partition = %shared.partition.topic_partition, %error, "cannot read");
            ErrorCode::KafkaStorageError
        })?;
        let mut coming: Vec<(i64, i64)> =
            aborted.into_iter().map(|aborted| (aborted.first_offset, aborted.producer_id)).collect();
        coming.sort_unstable_by(|left, right| right.cmp(left));
        Ok(Aborted { coming, open: Vec::new() })
    }

    /// Batches are to be asked for in the order of the log.
    fn contains(&mut self, batch: &records::Batch) -> bool {
        let header = &batch.header;
        while let Some((first_offset, producer_id)) = self.coming.last().copied() {
            if first_offset > header.last_offset() {
                break;
            }
            self.coming.pop();
            self.open.push(producer_id);
        }
        if !header.is_transactional() {
            return false;
        }
        let Some(place) = self.open.iter().position(|producer_id| *producer_id == header.producer_id) else {
            return false;
        };
        if !header.is_control() {
            return true;
        }
        if ends_aborted(batch) {
            self.open.swap_remove(place);
        }
        false
    }
}

fn ends_aborted(batch: &records::Batch) -> bool {
    let records = batch.records(usize::MAX).ok();
    let first = records.and_then(|mut records| records.next()).and_then(Result::ok);
    let marker = first.and_then(|record| EndTransactionMarker::parse(&record).ok().flatten());
    marker.is_some_and(|marker| !marker.committed)
}
