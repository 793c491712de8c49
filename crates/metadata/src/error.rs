//! What can be wrong with a metadata record, or with writing an image as records.

use protocol::Uuid;

/// A record that does not fit the image it is replayed on, or an image that cannot be written as asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MetadataError {
    /// A record names a topic id that the image does not hold.
    #[error("no topic with id {0}")]
    UnknownTopicId(Uuid),
    /// A record names a topic that the image does not hold.
    #[error("no topic named {0}")]
    UnknownTopicName(String),
    /// A TopicRecord for a name or an id that is taken.
    #[error("topic {name} with id {id} exists already")]
    DuplicateTopic {
        /// The topic's name in the record.
        name: String,
        /// The topic's id in the record.
        id: Uuid,
    },
    /// A PartitionChangeRecord for a partition that the topic does not have.
    #[error("no partition {partition} in the topic with id {topic_id}")]
    UnknownPartition {
        /// The topic in the record.
        topic_id: Uuid,
        /// The partition in the record.
        partition: i32,
    },
    /// A record about a broker that is not registered.
    #[error("no registration of broker {0}")]
    UnknownBroker(i32),
    /// A record about an earlier or later registration of a broker.
    #[error("broker {broker_id} is registered with epoch {registered}, not {epoch}")]
    WrongBrokerEpoch {
        /// The broker in the record.
        broker_id: i32,
        /// The epoch in the record.
        epoch: i64,
        /// The epoch in the image.
        registered: i64,
    },
    /// A record that removes a controller which is not registered.
    #[error("no registration of controller {0}")]
    UnknownController(i32),
    /// A record that removes something which is not there.
    #[error("nothing to remove: {0}")]
    NothingToRemove(String),
    /// A field has a value that its record type does not define.
    #[error("{record}: {field} cannot be {value}")]
    InvalidField {
        /// The record type.
        record: &'static str,
        /// The field's name in Kafka's schema.
        field: &'static str,
        /// Its value.
        value: i64,
    },
    /// A `metadata.version` that this build does not know.
    #[error("metadata.version {0} is not supported; known levels are {1} to {2}")]
    UnsupportedMetadataVersion(i16, i16, i16),
    /// A Begin, End or AbortTransactionRecord out of turn.
    #[error("metadata transaction: {0}")]
    Transaction(&'static str),
    /// The image holds what records of the wanted `metadata.version` cannot say.
    #[error("cannot be written at metadata.version {metadata_version}: {what}")]
    Unwritable {
        /// The level asked for.
        metadata_version: i16,
        /// What would be lost.
        what: &'static str,
    },
}
