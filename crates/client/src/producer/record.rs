//! What is produced, and where it ended up.

use std::sync::Arc;

use bytes::Bytes;
use records::RecordHeader;

use crate::topic_partition::TopicPartition;

/// A record on its way to a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProducerRecord {
    /// The topic's name.
    pub topic: Arc<str>,
    /// The partition; chosen by the partitioner if not given.
    pub partition: Option<i32>,
    /// Key: records of equal keys go to one partition.
    pub key: Option<Bytes>,
    /// Value; none is a tombstone.
    pub value: Option<Bytes>,
    /// Headers in order; names may repeat.
    pub headers: Vec<RecordHeader>,
    /// Milliseconds since 1970; now if not given.
    pub timestamp_ms: Option<i64>,
}

impl ProducerRecord {
    /// An empty record for a topic.
    pub fn to(topic: impl Into<Arc<str>>) -> Self {
        Self {
            topic: topic.into(),
            partition: None,
            key: None,
            value: None,
            headers: Vec::new(),
            timestamp_ms: None,
        }
    }

    /// Sets the key.
    #[must_use]
    pub fn key(mut self, key: impl Into<Bytes>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Sets the value.
    #[must_use]
    pub fn value(mut self, value: impl Into<Bytes>) -> Self {
        self.value = Some(value.into());
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: impl Into<Bytes>, value: impl Into<Bytes>) -> Self {
        self.headers.push(RecordHeader { key: name.into(), value: Some(value.into()) });
        self
    }

    /// Sets the partition.
    #[must_use]
    pub fn partition(mut self, partition: i32) -> Self {
        self.partition = Some(partition);
        self
    }

    /// Sets the timestamp, milliseconds since 1970.
    #[must_use]
    pub fn timestamp_ms(mut self, timestamp_ms: i64) -> Self {
        self.timestamp_ms = Some(timestamp_ms);
        self
    }

    /// An upper bound of its bytes within a batch.
    pub(crate) fn size(&self) -> usize {
        let length = |bytes: Option<&Bytes>| bytes.map_or(0, Bytes::len) + VARINT_BYTES_MAX;
        let headers =
            self.headers.iter().map(|header| length(Some(&header.key)) + length(header.value.as_ref()));
        RECORD_OVERHEAD + length(self.key.as_ref()) + length(self.value.as_ref()) + headers.sum::<usize>()
    }
}

const VARINT_BYTES_MAX: usize = 5;
/// Length, attributes, timestamp delta, offset delta, number of headers.
const RECORD_OVERHEAD: usize = 5 + 1 + 10 + 5 + 5;

/// Where a record is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordMetadata {
    /// The partition.
    pub topic_partition: TopicPartition,
    /// The offset; -1 where the broker does not say it: acks=0, or a record that was written before by the same sequence.
    pub offset: i64,
    /// The broker's time where the topic is so configured, else the record's own, ms.
    pub timestamp_ms: i64,
}
