//! Rebuilding a shard from the records of its partition.

use std::sync::Arc;

use bytes::Bytes;
use protocol::coordinator_records::{
    CoordinatorKey, GroupMetadataKey, LegacyOffsetCommitKey, OffsetCommitKey, OffsetCommitValue,
    decode_coordinator_value,
};
use protocol::{DecodeError, Message, Reader};

use crate::classic::{ClassicGroup, replayed_group};
use crate::group::Group;
use crate::shard::GroupShard;

/// Where a replayed record stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordPosition {
    /// The record's offset in the partition.
    pub offset: i64,
    /// The producer id of a transactional batch; -1 for any other batch.
    pub producer_id: i64,
}

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
    /// The record is of a kind this shard does not know.
    #[error("the record at offset {offset} has the unknown type {record_type}")]
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
        let mut key = Reader::new(key.ok_or(ReplayWarning::NoKey { offset })?);
        let record_type = key.i16().map_err(|_| ReplayWarning::NoKey { offset })?;
        let undecodable = |source| ReplayWarning::Undecodable { offset, source };
        self.offsets.note_record_offset(offset);
        match record_type {
            LegacyOffsetCommitKey::TYPE => {
                let (key, value) = pair::<LegacyOffsetCommitKey>(&mut key, value).map_err(undecodable)?;
                let key = OffsetCommitKey { group: key.group, topic: key.topic, partition: key.partition };
                let value = value.map(|value| OffsetCommitValue {
                    offset: value.offset,
                    metadata: value.metadata,
                    commit_timestamp: value.commit_timestamp,
                    ..OffsetCommitValue::default()
                });
                self.replay_offset_commit(position, &key, value);
            }
            OffsetCommitKey::TYPE => {
                let (key, value) = pair::<OffsetCommitKey>(&mut key, value).map_err(undecodable)?;
                self.replay_offset_commit(position, &key, value);
            }
            GroupMetadataKey::TYPE => {
                let (key, value) = pair::<GroupMetadataKey>(&mut key, value).map_err(undecodable)?;
                let group_id: Arc<str> = key.group.into();
                let Some(value) = value else {
                    self.remove_group(&group_id);
                    return Ok(());
                };
                let Some(group) = replayed_group(group_id.clone(), value) else {
                    let group_id = group_id.to_string();
                    return Err(ReplayWarning::MembersWithoutProtocol { offset, group_id });
                };
                self.remove_group(&group_id);
                self.groups.insert(group_id, Group::Classic(group));
            }
            _ => return Err(ReplayWarning::UnknownRecordType { offset, record_type }),
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
            self.groups.insert(group_id.clone(), Group::Classic(ClassicGroup::new(group_id, None)));
        }
        self.offsets.put(position, key, value);
    }
}

fn pair<K: CoordinatorKey>(key: &mut Reader, value: Option<Bytes>) -> Result<(K, Option<K::Value>), DecodeError> {
    let key = K::decode(key, *K::VERSIONS.start())?;
    Ok((key, value.map(decode_coordinator_value).transpose()?))
}
