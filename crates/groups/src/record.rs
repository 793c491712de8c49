//! Records of `__consumer_offsets`, at the versions Kafka 4.4 writes them.

use protocol::coordinator_records::{
    CoordinatorKey, GroupMetadataKey, GroupMetadataValue, OffsetCommitKey, OffsetCommitValue, encode_coordinator_key,
    encode_coordinator_value,
};

use crate::config::GroupCoordinatorConfig;
use crate::effects::CoordinatorRecord;

const GROUP_METADATA_VALUE_VERSION: i16 = 3;
const OFFSET_COMMIT_VALUE_VERSION: i16 = 4;
/// The only version that can say when an offset expires: asked for by OffsetCommit v2-4.
const EXPIRING_OFFSET_COMMIT_VALUE_VERSION: i16 = 1;

/// Bytes of an empty record batch.
const BATCH_OVERHEAD: usize = 61;
/// The most a record takes besides key and value: its own length, attributes, deltas, two lengths, the header count.
const RECORD_OVERHEAD: usize = 32;

/// A group's metadata, or None where it cannot be written at all (a string longer than the format has room for).
pub(crate) fn group_metadata_record(group_id: &str, value: &GroupMetadataValue) -> Option<CoordinatorRecord> {
    record(&group_metadata_key(group_id), value, GROUP_METADATA_VALUE_VERSION)
}

/// The end of a group's metadata.
pub(crate) fn group_metadata_tombstone(group_id: &str) -> Option<CoordinatorRecord> {
    tombstone(&group_metadata_key(group_id))
}

/// A committed offset, or None where it cannot be written at all.
pub(crate) fn offset_commit_record(
    group_id: &str,
    topic: &str,
    partition: i32,
    value: &OffsetCommitValue,
) -> Option<CoordinatorRecord> {
    let expires = value.expire_timestamp != -1;
    let version = if expires { EXPIRING_OFFSET_COMMIT_VALUE_VERSION } else { OFFSET_COMMIT_VALUE_VERSION };
    record(&offset_commit_key(group_id, topic, partition), value, version)
}

/// The end of a committed offset.
pub(crate) fn offset_commit_tombstone(group_id: &str, topic: &str, partition: i32) -> Option<CoordinatorRecord> {
    tombstone(&offset_commit_key(group_id, topic, partition))
}

/// Whether these records can be appended as one batch.
pub(crate) fn fits_one_batch(records: &[CoordinatorRecord], config: &GroupCoordinatorConfig) -> bool {
    let size_of = |record: &CoordinatorRecord| {
        RECORD_OVERHEAD + record.key.len() + record.value.as_ref().map_or(0, |value| value.len())
    };
    BATCH_OVERHEAD + records.iter().map(size_of).sum::<usize>() <= config.max_batch_bytes
}

fn group_metadata_key(group_id: &str) -> GroupMetadataKey {
    GroupMetadataKey { group: group_id.to_owned() }
}

fn offset_commit_key(group_id: &str, topic: &str, partition: i32) -> OffsetCommitKey {
    OffsetCommitKey { group: group_id.to_owned(), topic: topic.to_owned(), partition }
}

fn record<K: CoordinatorKey>(key: &K, value: &K::Value, version: i16) -> Option<CoordinatorRecord> {
    let key = encode_coordinator_key(key).ok()?;
    Some(CoordinatorRecord { key, value: Some(encode_coordinator_value(value, version).ok()?) })
}

fn tombstone<K: CoordinatorKey>(key: &K) -> Option<CoordinatorRecord> {
    Some(CoordinatorRecord { key: encode_coordinator_key(key).ok()?, value: None })
}
