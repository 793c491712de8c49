//! Rebuilding a shard from the records of its partition.

use std::sync::Arc;

use bytes::Bytes;
pub use coordinator::RecordPosition;
use protocol::DecodeError;
use protocol::coordinator_records::{
    GroupCoordinatorRecord, GroupMetadataKey, GroupMetadataValue, OffsetCommitKey, OffsetCommitValue,
};

use crate::classic::{ClassicGroup, replayed_group};
use crate::consumer::ConsumerGroup;
use crate::group::Group;
use crate::shard::GroupShard;
use crate::share::ShareGroup;
use crate::streams::StreamsGroup;

/// Why a record was kept out of a shard. The rest of the partition is not affected.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayWarning {
    /// The record has no key, or one too short for a type.
    #[error("the record at offset {offset} has no key type")]
    NoKey {
        /// The record's offset.
        offset: i64,
    },
    /// The record is of a kind this shard does not keep.
    #[error("the record at offset {offset} has type {record_type}, which is not supported")]
    UnknownRecordType {
        /// The record's offset.
        offset: i64,
        /// The type its key begins with.
        record_type: i16,
    },
    /// Key or value cannot be read.
    #[error("the record at offset {offset} cannot be read: {source}")]
    Undecodable {
        /// The record's offset.
        offset: i64,
        /// What is wrong with it.
        source: DecodeError,
    },
    /// The record is of a group that is there as one of another type.
    #[error("the record at offset {offset} does not belong to a group of the type that {group_id} has")]
    GroupOfAnotherType {
        /// The record's offset.
        offset: i64,
        /// The group.
        group_id: String,
    },
    /// The record names members that share no protocol.
    #[error("the record at offset {offset} gives group {group_id} members but no protocol")]
    MembersWithoutProtocol {
        /// The record's offset.
        offset: i64,
        /// The group.
        group_id: String,
    },
}

impl GroupShard {
    /// Takes one record over. Records of control batches are not for here: an end-transaction marker goes to
    /// [`GroupShard::replay_end_transaction`].
    pub fn replay(
        &mut self,
        position: RecordPosition,
        key: Option<Bytes>,
        value: Option<Bytes>,
    ) -> Result<(), ReplayWarning> {
        let offset = position.offset;
        let key = key.ok_or(ReplayWarning::NoKey { offset })?;
        let (first, second) = (key.first().copied(), key.get(1).copied());
        let record_type = first.zip(second).map(|(first, second)| i16::from_be_bytes([first, second]));
        let record_type = record_type.ok_or(ReplayWarning::NoKey { offset })?;
        self.offsets.note_record_offset(offset);
        match GroupCoordinatorRecord::decode(key, value) {
            Ok(GroupCoordinatorRecord::LegacyOffsetCommit(key, value)) => {
                let key = OffsetCommitKey { group: key.group, topic: key.topic, partition: key.partition };
                let value = value.map(|value| OffsetCommitValue {
                    offset: value.offset,
                    metadata: value.metadata,
                    commit_timestamp: value.commit_timestamp,
                    ..OffsetCommitValue::default()
                });
                self.replay_offset_commit(position, &key, value);
            }
            Ok(GroupCoordinatorRecord::OffsetCommit(key, value)) => {
                self.replay_offset_commit(position, &key, value)
            }
            Ok(GroupCoordinatorRecord::GroupMetadata(key, value)) => {
                return self.replay_group_metadata(offset, key, value);
            }
            Ok(record) if consumer_group_id(&record).is_some() => {
                return self.replay_consumer_record(offset, record);
            }
            Ok(record) if streams_group_id(&record).is_some() => {
                return self.replay_streams_record(offset, record);
            }
            Ok(record) if share_group_id(&record).is_some() => {
                return self.replay_share_record(offset, record);
            }
            Ok(_) | Err(DecodeError::UnknownRecord { .. }) => {
                return Err(ReplayWarning::UnknownRecordType { offset, record_type });
            }
            Err(source) => return Err(ReplayWarning::Undecodable { offset, source }),
        }
        Ok(())
    }

    fn replay_consumer_record(
        &mut self,
        offset: i64,
        record: GroupCoordinatorRecord,
    ) -> Result<(), ReplayWarning> {
        let Some((group_id, is_tombstone)) = consumer_group_id(&record) else { return Ok(()) };
        let ends_group = is_tombstone && matches!(record, GroupCoordinatorRecord::ConsumerGroupMetadata(..));
        let group_id: Arc<str> = group_id.into();
        match self.groups.get_mut(&group_id) {
            Some(Group::Consumer(group)) => group.apply(record),
            _ if is_tombstone => {}
            Some(group) if !group.is_simple() => {
                let group_id = group_id.to_string();
                return Err(ReplayWarning::GroupOfAnotherType { offset, group_id });
            }
            _ => {
                let mut group = ConsumerGroup::new(group_id.clone());
                group.apply(record);
                self.remove_group(&group_id);
                self.groups.insert(group_id.clone(), Group::Consumer(Box::new(group)));
            }
        }
        if ends_group && matches!(self.groups.get(&group_id), Some(Group::Consumer(_))) {
            self.remove_group(&group_id);
        }
        Ok(())
    }

    fn replay_streams_record(
        &mut self,
        offset: i64,
        record: GroupCoordinatorRecord,
    ) -> Result<(), ReplayWarning> {
        let Some((group_id, is_tombstone)) = streams_group_id(&record) else { return Ok(()) };
        let ends_group = is_tombstone && matches!(record, GroupCoordinatorRecord::StreamsGroupMetadata(..));
        let group_id: Arc<str> = group_id.into();
        match self.groups.get_mut(&group_id) {
            Some(Group::Streams(group)) => group.apply(record),
            _ if is_tombstone => {}
            Some(group) if !group.is_simple() => {
                let group_id = group_id.to_string();
                return Err(ReplayWarning::GroupOfAnotherType { offset, group_id });
            }
            _ => {
                let mut group = StreamsGroup::new(group_id.clone());
                group.apply(record);
                self.remove_group(&group_id);
                self.groups.insert(group_id.clone(), Group::Streams(Box::new(group)));
            }
        }
        if ends_group && matches!(self.groups.get(&group_id), Some(Group::Streams(_))) {
            self.remove_group(&group_id);
        }
        Ok(())
    }

    fn replay_share_record(
        &mut self,
        offset: i64,
        record: GroupCoordinatorRecord,
    ) -> Result<(), ReplayWarning> {
        let Some((group_id, is_tombstone)) = share_group_id(&record) else { return Ok(()) };
        let group_id: Arc<str> = group_id.into();
        match self.groups.get_mut(&group_id) {
            Some(Group::Share(group)) => {
                if group.apply(record, 0) {
                    self.remove_group(&group_id);
                }
            }
            _ if is_tombstone => {}
            Some(group) if !group.is_simple() => {
                return Err(ReplayWarning::GroupOfAnotherType { offset, group_id: group_id.to_string() });
            }
            _ => {
                let mut group = ShareGroup::new(group_id.clone());
                group.apply(record, 0);
                self.remove_group(&group_id);
                self.groups.insert(group_id.clone(), Group::Share(Box::new(group)));
            }
        }
        Ok(())
    }

    /// Ends a transaction found in the partition: its offsets become committed, or vanish.
    pub fn replay_end_transaction(&mut self, producer_id: i64, committed: bool) {
        self.offsets.end_transaction(producer_id, committed);
    }

    /// An offset makes its group exist, as one that only holds offsets.
    fn replay_offset_commit(
        &mut self,
        position: RecordPosition,
        key: &OffsetCommitKey,
        value: Option<OffsetCommitValue>,
    ) {
        let Some(value) = value else {
            self.offsets.remove(&key.group, &key.topic, key.partition);
            return;
        };
        if !self.groups.contains_key(key.group.as_str()) {
            let group_id: Arc<str> = key.group.as_str().into();
            self.groups.insert(group_id.clone(), Group::Classic(Box::new(ClassicGroup::new(group_id, None))));
        }
        self.offsets.put(position, key, value);
    }

    fn replay_group_metadata(
        &mut self,
        offset: i64,
        key: GroupMetadataKey,
        value: Option<GroupMetadataValue>,
    ) -> Result<(), ReplayWarning> {
        let group_id: Arc<str> = key.group.as_str().into();
        let Some(value) = value else {
            self.remove_group(&group_id);
            return Ok(());
        };
        let Some(group) = replayed_group(group_id.clone(), value) else {
            return Err(ReplayWarning::MembersWithoutProtocol { offset, group_id: key.group });
        };
        self.remove_group(&group_id);
        self.groups.insert(group_id, Group::Classic(Box::new(group)));
        Ok(())
    }
}

/// The consumer group that a record belongs to, and whether it is a tombstone.
fn consumer_group_id(record: &GroupCoordinatorRecord) -> Option<(&str, bool)> {
    use GroupCoordinatorRecord as Record;
    Some(match record {
        Record::ConsumerGroupMetadata(key, value) => (&key.group_id, value.is_none()),
        Record::ConsumerGroupPartitionMetadata(key, value) => (&key.group_id, value.is_none()),
        Record::ConsumerGroupMemberMetadata(key, value) => (&key.group_id, value.is_none()),
        Record::ConsumerGroupTargetAssignmentMetadata(key, value) => (&key.group_id, value.is_none()),
        Record::ConsumerGroupTargetAssignmentMember(key, value) => (&key.group_id, value.is_none()),
        Record::ConsumerGroupCurrentMemberAssignment(key, value) => (&key.group_id, value.is_none()),
        Record::ConsumerGroupRegularExpression(key, value) => (&key.group_id, value.is_none()),
        _ => return None,
    })
}

/// The streams group that a record belongs to, and whether it is a tombstone.
fn streams_group_id(record: &GroupCoordinatorRecord) -> Option<(&str, bool)> {
    use GroupCoordinatorRecord as Record;
    Some(match record {
        Record::StreamsGroupMetadata(key, value) => (&key.group_id, value.is_none()),
        Record::StreamsGroupTopology(key, value) => (&key.group_id, value.is_none()),
        Record::StreamsGroupMemberMetadata(key, value) => (&key.group_id, value.is_none()),
        Record::StreamsGroupTargetAssignmentMetadata(key, value) => (&key.group_id, value.is_none()),
        Record::StreamsGroupTargetAssignmentMember(key, value) => (&key.group_id, value.is_none()),
        Record::StreamsGroupCurrentMemberAssignment(key, value) => (&key.group_id, value.is_none()),
        _ => return None,
    })
}

/// The share group that a record belongs to, and whether it is a tombstone.
fn share_group_id(record: &GroupCoordinatorRecord) -> Option<(&str, bool)> {
    use GroupCoordinatorRecord as Record;
    Some(match record {
        Record::ShareGroupMetadata(key, value) => (&key.group_id, value.is_none()),
        Record::ShareGroupMemberMetadata(key, value) => (&key.group_id, value.is_none()),
        Record::ShareGroupTargetAssignmentMetadata(key, value) => (&key.group_id, value.is_none()),
        Record::ShareGroupTargetAssignmentMember(key, value) => (&key.group_id, value.is_none()),
        Record::ShareGroupCurrentMemberAssignment(key, value) => (&key.group_id, value.is_none()),
        Record::ShareGroupStatePartitionMetadata(key, value) => (&key.group_id, value.is_none()),
        _ => return None,
    })
}
