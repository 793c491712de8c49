//! The consumer protocol that classic groups carry in their members' metadata and assignments.

use std::collections::BTreeMap;

use bytes::Bytes;
use protocol::embedded::consumer_protocol_assignment::TopicPartition;
use protocol::embedded::{ConsumerProtocolAssignment, ConsumerProtocolSubscription};
use protocol::{Message, Reader, Uuid, Writer};

use crate::cluster::Cluster;
use crate::consumer::member::AssignedPartitions;

/// A member's subscription; none where the bytes are no subscription.
pub(crate) fn read_subscription(metadata: &Bytes) -> Option<ConsumerProtocolSubscription> {
    read(metadata)
}

/// A member's assignment; none where the bytes are no assignment.
pub(crate) fn read_assignment(assignment: &Bytes) -> Option<ConsumerProtocolAssignment> {
    read(assignment)
}

/// Later versions only add to earlier ones, so one that is not known is read as the last that is.
fn read<M: Message>(bytes: &Bytes) -> Option<M> {
    let mut reader = Reader::new(bytes.clone());
    let version = reader.i16().ok().filter(|version| *version >= 0)?;
    M::decode(&mut reader, version.min(*M::VERSIONS.end())).ok()
}

/// The version a member's metadata is written in.
pub(crate) fn metadata_version(metadata: &Bytes) -> Option<i16> {
    Reader::new(metadata.clone()).i16().ok().filter(|version| *version >= 0)
}

/// An assignment as a member of the classic protocol reads it. Topics that are gone have no name to be told by.
pub(crate) fn write_assignment(
    cluster: &Cluster,
    partitions: impl IntoIterator<Item = (Uuid, Vec<i32>)>,
    version: i16,
) -> Bytes {
    let assigned_partitions = partitions.into_iter().filter_map(|(topic_id, partitions)| {
        Some(TopicPartition { topic: cluster.topic_name(topic_id)?.to_owned(), partitions })
    });
    let assignment = ConsumerProtocolAssignment {
        assigned_partitions: assigned_partitions.collect(),
        ..ConsumerProtocolAssignment::default()
    };
    let version = version.clamp(0, *ConsumerProtocolAssignment::VERSIONS.end());
    let mut writer = Writer::new();
    writer.i16(version);
    if assignment.encode(&mut writer, version).is_err() {
        return Bytes::new();
    }
    writer.into_bytes().ok().flatten().unwrap_or_default()
}

/// Partitions by topic name as partitions by topic id, as far as the topics exist.
pub(crate) fn by_topic_id<'a>(
    cluster: &Cluster,
    topics: impl IntoIterator<Item = (&'a str, &'a [i32])>,
) -> AssignedPartitions {
    let mut result = BTreeMap::new();
    for (name, partitions) in topics {
        if let Some(topic_id) = cluster.topic_id(name) {
            result.insert(topic_id, partitions.iter().copied().collect());
        }
    }
    result
}
