//! Records as they are read: batches whose keys and values are slices of the answer they came in.

mod view;

use bytes::Bytes;
use records::{Batch, BatchHeader, RecordHeader, RecordsError, TimestampType};

pub use view::{HeaderRef, RecordRef, RecordRefs};

use crate::error::ClientError;
use crate::topic_partition::TopicPartition;

/// A record that was read. Key, value and headers are slices of the fetched bytes: cheap to clone, never copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerRecord {
    /// Where it is.
    pub topic_partition: TopicPartition,
    /// Its offset.
    pub offset: i64,
    /// Milliseconds since 1970: when it was made, or appended if the topic says so.
    pub timestamp_ms: i64,
    /// Which of the two it is.
    pub timestamp_type: TimestampType,
    /// Epoch of the leader that wrote it, if known.
    pub leader_epoch: Option<i32>,
    /// Key.
    pub key: Option<Bytes>,
    /// Value; none is a tombstone.
    pub value: Option<Bytes>,
    /// Headers in order.
    pub headers: Vec<RecordHeader>,
    /// How often it was delivered, in share groups; else none.
    pub delivery_count: Option<i16>,
}

/// Records of one batch of one partition, decompressed.
#[derive(Clone, Debug)]
pub struct ConsumerBatch {
    topic_partition: TopicPartition,
    header: BatchHeader,
    body: Bytes,
    first_offset: i64,
    last_offset: i64,
}

impl ConsumerBatch {
    /// Checks and decompresses a batch; records before `first_offset` are passed over.
    pub(crate) fn open(
        topic_partition: TopicPartition,
        batch: &Batch,
        first_offset: i64,
        checks_crc: bool,
        decompressed_bytes_max: usize,
    ) -> Result<Self, ClientError> {
        let corrupt = |source: RecordsError| ClientError::Corrupt {
            topic_partition: topic_partition.clone(),
            offset: batch.header.base_offset,
            source,
        };
        if checks_crc {
            batch.verify_crc().map_err(corrupt)?;
        }
        let codec = batch.header.compression().map_err(corrupt)?;
        let body = codec.decompress(&batch.tail(), decompressed_bytes_max).map_err(corrupt)?;
        let (header, last_offset) = (batch.header, batch.header.last_offset());
        Ok(Self { topic_partition, header, body, first_offset, last_offset })
    }

    /// Where the records are.
    pub fn topic_partition(&self) -> &TopicPartition {
        &self.topic_partition
    }

    /// The next offset behind the batch.
    pub fn next_offset(&self) -> i64 {
        self.last_offset + 1
    }

    /// How many records the batch has; some may lie before the position and are passed over.
    pub fn record_count(&self) -> usize {
        usize::try_from(self.header.record_count).unwrap_or(0)
    }

    /// Bytes of the records, decompressed.
    pub fn size_in_bytes(&self) -> usize {
        self.body.len()
    }

    /// The records, borrowed: nothing is allocated or counted. The fast path.
    pub fn iter(&self) -> RecordRefs<'_> {
        RecordRefs::new(&self.header, &self.body, self.first_offset, self.last_offset)
    }

    /// The records, each with slices of its own.
    ///
    /// # Errors
    /// [`ClientError::Corrupt`] at the first record that cannot be read.
    pub fn records(&self) -> impl Iterator<Item = Result<ConsumerRecord, ClientError>> + '_ {
        self.iter().map(|record| {
            let record = record.map_err(|source| self.corrupt(self.first_offset, source))?;
            self.owned(&record)
        })
    }

    fn owned(&self, record: &RecordRef<'_>) -> Result<ConsumerRecord, ClientError> {
        let slice = |bytes: &[u8]| self.body.slice_ref(bytes);
        let headers = record.headers().map(|header| {
            let header = header?;
            Ok(RecordHeader { key: slice(header.key), value: header.value.map(slice) })
        });
        let headers: Result<Vec<RecordHeader>, RecordsError> = headers.collect();
        Ok(ConsumerRecord {
            topic_partition: self.topic_partition.clone(),
            offset: record.offset,
            timestamp_ms: record.timestamp_ms,
            timestamp_type: self.header.timestamp_type(),
            leader_epoch: self.leader_epoch(),
            key: record.key.map(slice),
            value: record.value.map(slice),
            headers: headers.map_err(|source| self.corrupt(record.offset, source))?,
            delivery_count: None,
        })
    }

    pub(crate) fn leader_epoch(&self) -> Option<i32> {
        Some(self.header.partition_leader_epoch).filter(|epoch| *epoch >= 0)
    }

    fn corrupt(&self, offset: i64, source: RecordsError) -> ClientError {
        ClientError::Corrupt { topic_partition: self.topic_partition.clone(), offset, source }
    }
}
