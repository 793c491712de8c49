//! Writing batches: records appended one by one, compressed and sealed at the end.

use bytes::Bytes;

use crate::compression::{Codec, Compression};
use crate::control::{ControlRecordType, control_record_key};
use crate::header::{BatchHeader, TimestampType, attributes};
use crate::record::{RecordHeader, write_record};
use crate::{
    BATCH_OVERHEAD, LOG_OVERHEAD, MAGIC, NO_PARTITION_LEADER_EPOCH, NO_PRODUCER_EPOCH, NO_PRODUCER_ID,
    NO_SEQUENCE, NO_TIMESTAMP,
};

/// Collects records into one batch.
///
/// A batch must stay under 2 GiB; [`size_in_bytes`](Self::size_in_bytes) tells callers when to begin another.
#[derive(Clone, Debug)]
pub struct BatchBuilder {
    header: BatchHeader,
    compression: Compression,
    log_append_time: Option<i64>,
    delete_horizon_ms: Option<i64>,
    last_offset: Option<i64>,
    is_transactional: bool,
    is_control: bool,
    body: Vec<u8>,
}

impl BatchBuilder {
    /// An uncompressed batch without producer, whose first record gets `base_offset`.
    pub fn new(base_offset: i64) -> Self {
        Self {
            header: BatchHeader {
                base_offset,
                batch_length: 0,
                partition_leader_epoch: NO_PARTITION_LEADER_EPOCH,
                magic: MAGIC,
                crc: 0,
                attributes: 0,
                last_offset_delta: -1,
                base_timestamp: NO_TIMESTAMP,
                max_timestamp: NO_TIMESTAMP,
                producer_id: NO_PRODUCER_ID,
                producer_epoch: NO_PRODUCER_EPOCH,
                base_sequence: NO_SEQUENCE,
                record_count: 0,
            },
            compression: Compression::default(),
            log_append_time: None,
            delete_horizon_ms: None,
            last_offset: None,
            is_transactional: false,
            is_control: false,
            body: Vec::new(),
        }
    }

    /// Compresses the records when the batch is sealed.
    pub fn compression(mut self, compression: Compression) -> Self {
        self.compression = compression;
        self
    }

    /// Epoch of the leader that appends the batch.
    pub fn partition_leader_epoch(mut self, epoch: i32) -> Self {
        self.header.partition_leader_epoch = epoch;
        self
    }

    /// The idempotent producer and the sequence of its first record here (-1: none, as for markers).
    pub fn producer(mut self, producer_id: i64, producer_epoch: i16, base_sequence: i32) -> Self {
        self.header.producer_id = producer_id;
        self.header.producer_epoch = producer_epoch;
        self.header.base_sequence = base_sequence;
        self
    }

    /// Marks the batch as part of its producer's transaction.
    pub fn transactional(mut self) -> Self {
        self.is_transactional = true;
        self
    }

    /// Marks the batch as holding control records.
    pub fn control(mut self) -> Self {
        self.is_control = true;
        self
    }

    /// All records count as appended at this time, ms.
    pub fn log_append_time(mut self, now_ms: i64) -> Self {
        self.log_append_time = Some(now_ms);
        self
    }

    /// Stamps when tombstones of this batch may go, ms (KIP-534). To be set before the first record.
    pub fn delete_horizon(mut self, horizon_ms: i64) -> Self {
        self.delete_horizon_ms = Some(horizon_ms);
        self
    }

    /// The batch covers offsets up to this one, whatever its last record's: compaction removes records, not offsets.
    pub fn ends_at(mut self, last_offset: i64) -> Self {
        self.last_offset = Some(last_offset);
        self
    }

    /// Appends a record at the next offset, which is returned. `timestamp` in ms.
    pub fn append(
        &mut self,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[RecordHeader],
    ) -> i64 {
        let offset = self.next_offset();
        self.append_with_offset(offset, timestamp, key, value, headers);
        offset
    }

    /// Appends a record at an offset of the caller's choice, above all before it: compaction leaves gaps.
    pub fn append_with_offset(
        &mut self,
        offset: i64,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[RecordHeader],
    ) {
        assert!(offset >= self.next_offset(), "offsets within a batch must ascend");
        let offset_delta = i32::try_from(offset - self.header.base_offset)
            .expect("offsets of one batch lie within 2^31: callers begin a new batch before");
        if self.header.record_count == 0 {
            self.header.base_timestamp = self.delete_horizon_ms.unwrap_or(timestamp);
        }
        let timestamp_delta = timestamp.wrapping_sub(self.header.base_timestamp);
        write_record(&mut self.body, timestamp_delta, offset_delta, key, value, headers);
        self.header.max_timestamp = self.header.max_timestamp.max(timestamp);
        self.header.last_offset_delta = offset_delta;
        self.header.record_count += 1;
    }

    /// Appends a control record with the encoded body of its type.
    pub fn append_control(&mut self, timestamp: i64, control_type: ControlRecordType, value: &[u8]) -> i64 {
        self.append(timestamp, Some(&control_record_key(control_type)), Some(value), &[])
    }

    /// Offset the next record would get.
    pub fn next_offset(&self) -> i64 {
        self.header.base_offset + i64::from(self.header.last_offset_delta) + 1
    }

    /// Number of records so far.
    pub fn record_count(&self) -> i32 {
        self.header.record_count
    }

    /// Whether nothing was appended yet.
    pub fn is_empty(&self) -> bool {
        self.header.record_count == 0
    }

    /// Bytes the batch would have uncompressed.
    pub fn size_in_bytes(&self) -> usize {
        BATCH_OVERHEAD + self.body.len()
    }

    /// Seals the batch; empty bytes if there are no records.
    pub fn build(self) -> Bytes {
        if self.is_empty() {
            return Bytes::new();
        }
        let tail = match self.compression.codec {
            Codec::None => self.body,
            _ => self
                .compression
                .compress(&self.body)
                .expect("compressing into memory fails only without memory"),
        };
        let mut header = self.header;
        if let Some(last_offset) = self.last_offset {
            let delta = i32::try_from(last_offset - header.base_offset);
            let delta =
                delta.expect("offsets of one batch lie within 2^31: callers begin a new batch before");
            header.last_offset_delta = header.last_offset_delta.max(delta);
        }
        let mut timestamp_type = TimestampType::CreateTime;
        if let Some(now_ms) = self.log_append_time {
            timestamp_type = TimestampType::LogAppendTime;
            header.max_timestamp = now_ms;
        }
        header.attributes = attributes(
            self.compression.codec,
            timestamp_type,
            self.is_transactional,
            self.is_control,
            self.delete_horizon_ms.is_some(),
        );
        seal(&mut header, &tail)
    }
}

impl BatchHeader {
    /// The batch that remains of this one when compaction has removed all its records: it keeps offsets, producer
    /// and flags, so that sequences stay known (Kafka's `writeEmptyHeader`).
    pub fn without_records(&self) -> Bytes {
        let mut header = *self;
        header.attributes =
            attributes(Codec::None, self.timestamp_type(), self.is_transactional(), self.is_control(), false);
        header.base_timestamp = NO_TIMESTAMP;
        header.record_count = 0;
        seal(&mut header, &[])
    }
}

/// Fills in length and checksum and joins the parts.
pub(crate) fn seal(header: &mut BatchHeader, tail: &[u8]) -> Bytes {
    seal_header(header, tail);
    let mut whole = Vec::with_capacity(BATCH_OVERHEAD + tail.len());
    whole.extend_from_slice(&header.to_bytes());
    whole.extend_from_slice(tail);
    whole.into()
}

/// Fills in length and checksum.
pub(crate) fn seal_header(header: &mut BatchHeader, tail: &[u8]) {
    header.batch_length = i32::try_from(BATCH_OVERHEAD - LOG_OVERHEAD + tail.len())
        .expect("a batch is smaller than 2 GiB: callers begin a new one before");
    header.crc = header.compute_crc(tail);
}
