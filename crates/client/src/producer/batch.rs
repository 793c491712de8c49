//! One batch on its way: open, sealed, sent, sent again, split.

use std::sync::Arc;

use bytes::Bytes;
use protocol::{Records, RecordsPart};
use records::{BATCH_OVERHEAD, BatchBuilder, BatchHeader, Compression, RecordsError};

use crate::producer::delivery::{BatchFate, BatchOutcome, Delivery};
use crate::producer::record::ProducerRecord;
use crate::topic_partition::TopicPartition;

/// The idempotent producer's name towards brokers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProducerIdentity {
    pub(crate) id: i64,
    pub(crate) epoch: i16,
}

impl ProducerIdentity {
    /// None yet, or a producer that is not idempotent.
    pub(crate) const NONE: Self = Self { id: records::NO_PRODUCER_ID, epoch: records::NO_PRODUCER_EPOCH };
}

/// Where the records of a batch are.
#[derive(Debug)]
enum Content {
    Open(Box<BatchBuilder>),
    /// Being sealed outside the lock.
    Taken,
    Sealed(Bytes),
}

/// Records of one partition that travel together.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) id: u64,
    pub(crate) fate: Arc<BatchFate>,
    pub(crate) created_ms: i64,
    pub(crate) record_count: i32,
    /// Bytes of the buffer memory that it holds.
    pub(crate) charged: usize,
    pub(crate) is_closed: bool,
    pub(crate) attempts: u32,
    pub(crate) retry_at_ms: i64,
    content: Content,
    size: usize,
}

/// What is needed to seal a batch or to send it again.
#[derive(Debug)]
pub(crate) enum Sending {
    Builder(Box<BatchBuilder>),
    Sealed(Bytes),
}

impl Batch {
    pub(crate) fn new(
        id: u64,
        topic_partition: TopicPartition,
        compression: Compression,
        is_transactional: bool,
        now_ms: i64,
    ) -> Self {
        let mut builder = BatchBuilder::new(0).compression(compression);
        if is_transactional {
            builder = builder.transactional();
        }
        Self {
            id,
            fate: BatchFate::new(topic_partition),
            created_ms: now_ms,
            record_count: 0,
            charged: 0,
            is_closed: false,
            attempts: 0,
            retry_at_ms: 0,
            content: Content::Open(Box::new(builder)),
            size: BATCH_OVERHEAD,
        }
    }

    /// Bytes, uncompressed while it is open.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// Appends if the batch is open and stays within `bytes_max`; the first record always fits.
    pub(crate) fn try_append(
        &mut self,
        record: &ProducerRecord,
        timestamp_ms: i64,
        record_size: usize,
        bytes_max: usize,
    ) -> Option<Delivery> {
        let Content::Open(builder) = &mut self.content else { return None };
        if self.is_closed || (self.record_count > 0 && self.size + record_size > bytes_max) {
            return None;
        }
        builder.append(timestamp_ms, record.key.as_deref(), record.value.as_deref(), &record.headers);
        let index = self.record_count.unsigned_abs();
        self.record_count += 1;
        self.charged += record_size;
        self.size = builder.size_in_bytes();
        Some(Delivery::new(Arc::clone(&self.fate), index, timestamp_ms))
    }

    /// Takes the content out to be sent. What was open comes back with [`Self::sealed`].
    pub(crate) fn take_for_sending(&mut self) -> Option<Sending> {
        self.is_closed = true;
        match std::mem::replace(&mut self.content, Content::Taken) {
            Content::Open(builder) => Some(Sending::Builder(builder)),
            Content::Taken => None,
            Content::Sealed(bytes) => {
                self.content = Content::Sealed(bytes.clone());
                Some(Sending::Sealed(bytes))
            }
        }
    }

    pub(crate) fn sealed(&mut self, bytes: Bytes) {
        self.size = bytes.len();
        self.content = Content::Sealed(bytes);
    }

    /// Two batches of half the records each, in place of this one; none if there is nothing to halve.
    pub(crate) fn split(
        &self,
        compression: Compression,
        is_transactional: bool,
        ids: [u64; 2],
    ) -> Result<Option<[Self; 2]>, RecordsError> {
        let Content::Sealed(bytes) = &self.content else { return Ok(None) };
        if self.record_count < 2 {
            return Ok(None);
        }
        let Some(batch) = records::batches(bytes).next().transpose()? else { return Ok(None) };
        let first_count = self.record_count / 2;
        let topic_partition = self.fate.topic_partition();
        let mut halves = ids
            .map(|id| Self::new(id, topic_partition.clone(), compression, is_transactional, self.created_ms));
        for (index, record) in (0..).zip(batch.records(usize::MAX)?) {
            let record = record?;
            let half = &mut halves[usize::from(index >= first_count)];
            let Content::Open(builder) = &mut half.content else { continue };
            builder.append(record.timestamp, record.key.as_deref(), record.value.as_deref(), &record.headers);
            half.record_count += 1;
            half.size = builder.size_in_bytes();
        }
        for half in &mut halves {
            (half.is_closed, half.attempts) = (true, self.attempts);
        }
        halves[0].charged = self.charged / 2;
        halves[1].charged = self.charged - self.charged / 2;
        let parts =
            vec![(0, Arc::clone(&halves[0].fate)), (first_count.unsigned_abs(), Arc::clone(&halves[1].fate))];
        self.fate.resolve(BatchOutcome::Split(parts));
        Ok(Some(halves))
    }
}

impl Sending {
    /// The batch's bytes under this identity and sequence.
    pub(crate) fn seal(self, identity: ProducerIdentity, base_sequence: i32) -> Bytes {
        match self {
            Self::Builder(builder) => builder.producer(identity.id, identity.epoch, base_sequence).build(),
            Self::Sealed(bytes) => bytes,
        }
    }
}

/// The batch as it goes on the wire: if its producer fields have changed, a new header before the same records.
pub(crate) fn stamped(bytes: &Bytes, identity: ProducerIdentity, base_sequence: i32) -> Records {
    let Ok(mut header) = BatchHeader::parse(bytes) else { return Records::from(bytes.clone()) };
    if (header.producer_id, header.producer_epoch, header.base_sequence)
        == (identity.id, identity.epoch, base_sequence)
    {
        return Records::from(bytes.clone());
    }
    let tail = bytes.slice(BATCH_OVERHEAD..);
    (header.producer_id, header.producer_epoch, header.base_sequence) =
        (identity.id, identity.epoch, base_sequence);
    header.crc = header.compute_crc(&tail);
    let head = Bytes::copy_from_slice(&header.to_bytes());
    Records { parts: vec![RecordsPart::Bytes(head), RecordsPart::Bytes(tail)] }
}
