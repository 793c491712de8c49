//! Records of `__consumer_offsets`, at the versions Kafka 4.4 writes them.

use protocol::coordinator_records::{
    GroupCoordinatorRecord, GroupMetadataKey, GroupMetadataValue, OffsetCommitKey, OffsetCommitValue,
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
pub(crate) fn group_metadata_record(group_id: &str, value: GroupMetadataValue) -> Option<CoordinatorRecord> {
    let record = GroupCoordinatorRecord::GroupMetadata(group_metadata_key(group_id), Some(value));
    encoded(&record, GROUP_METADATA_VALUE_VERSION)
}

/// The end of a group's metadata.
pub(crate) fn group_metadata_tombstone(group_id: &str) -> Option<CoordinatorRecord> {
    let record = GroupCoordinatorRecord::GroupMetadata(group_metadata_key(group_id), None);
    encoded(&record, GROUP_METADATA_VALUE_VERSION)
}

/// A committed offset with its record, or None where it cannot be written at all.
pub(crate) fn offset_commit_record(
    key: OffsetCommitKey,
    value: OffsetCommitValue,
) -> Option<(CoordinatorRecord, OffsetCommitKey, OffsetCommitValue)> {
    let expires = value.expire_timestamp != -1;
    let version = if expires { EXPIRING_OFFSET_COMMIT_VALUE_VERSION } else { OFFSET_COMMIT_VALUE_VERSION };
    let record = GroupCoordinatorRecord::OffsetCommit(key, Some(value));
    let written = encoded(&record, version)?;
    let GroupCoordinatorRecord::OffsetCommit(key, Some(value)) = record else { return None };
    Some((written, key, value))
}

/// The end of a committed offset.
pub(crate) fn offset_commit_tombstone(
    group_id: &str,
    topic: &str,
    partition: i32,
) -> Option<CoordinatorRecord> {
    let key = OffsetCommitKey { group: group_id.to_owned(), topic: topic.to_owned(), partition };
    encoded(&GroupCoordinatorRecord::OffsetCommit(key, None), OFFSET_COMMIT_VALUE_VERSION)
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

/// A record in bytes, or None where it cannot be written at all.
pub(crate) fn encoded(record: &GroupCoordinatorRecord, value_version: i16) -> Option<CoordinatorRecord> {
    let (key, value) = record.encode(value_version).ok()?;
    Some(CoordinatorRecord { key, value })
}
