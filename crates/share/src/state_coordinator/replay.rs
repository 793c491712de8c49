//! Rebuilding a shard from the records of its partition.

use bytes::Bytes;
use protocol::DecodeError;
use protocol::coordinator_records::{ShareCoordinatorRecord, ShareUpdateValue};

use super::kept::Kept;
use super::{SharePartitionKey, ShareShard};

/// Why a record was kept out of a shard. The rest of the partition is not affected.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayWarning {
    /// The record has no key.
    #[error("the record at offset {offset} has no key")]
    NoKey {
        /// The record's offset.
        offset: i64,
    },
    /// Key or value cannot be read.
    #[error("the record at offset {offset} cannot be read: {source}")]
    Undecodable {
        /// The record's offset.
        offset: i64,
        /// What is wrong with it.
        source: DecodeError,
    },
}

impl ShareShard {
    /// Takes over the record at `offset`.
    ///
    /// # Errors
    /// Why it was passed over.
    pub(super) fn replay_record(
        &mut self,
        offset: i64,
        key: Option<Bytes>,
        value: Option<Bytes>,
    ) -> Result<(), ReplayWarning> {
        let key = key.ok_or(ReplayWarning::NoKey { offset })?;
        let record = ShareCoordinatorRecord::decode(key, value)
            .map_err(|source| ReplayWarning::Undecodable { offset, source })?;
        match record {
            ShareCoordinatorRecord::ShareSnapshot(key, value) => {
                let key = SharePartitionKey {
                    group_id: key.group_id.into(),
                    topic_id: key.topic_id,
                    partition: key.partition,
                };
                self.redundant.snapshot_at(key.clone(), offset, value.is_none());
                match value {
                    Some(value) => {
                        let highest = self.states.get(&key).map_or(i32::MIN, |kept| kept.leader_epoch);
                        let mut kept = Kept::from_snapshot(value);
                        kept.leader_epoch = kept.leader_epoch.max(highest);
                        self.states.insert(key, kept);
                    }
                    None => {
                        self.states.remove(&key);
                    }
                }
            }
            ShareCoordinatorRecord::ShareUpdate(key, Some(value)) => {
                let key = SharePartitionKey {
                    group_id: key.group_id.into(),
                    topic_id: key.topic_id,
                    partition: key.partition,
                };
                self.states.entry(key).or_insert_with(|| without_snapshot(&value)).update(value);
            }
            // Nobody writes those.
            ShareCoordinatorRecord::ShareUpdate(_, None) => {}
        }
        Ok(())
    }
}

/// What an update stands on whose snapshot is gone.
fn without_snapshot(value: &ShareUpdateValue) -> Kept {
    Kept {
        snapshot_epoch: value.snapshot_epoch,
        state_epoch: 0,
        leader_epoch: value.leader_epoch,
        start_offset: value.start_offset,
        delivery_complete_count: -1,
        created_ms: 0,
        written_ms: 0,
        batches: Vec::new(),
        update_count: 0,
    }
}
