//! What a shard keeps of one shared partition, and the records that say so.

use coordinator::CoordinatorRecord;
use protocol::coordinator_records::share_snapshot_value::StateBatch as SnapshotBatch;
use protocol::coordinator_records::share_update_value::StateBatch as UpdateBatch;
use protocol::coordinator_records::{
    ShareCoordinatorRecord, ShareSnapshotKey, ShareSnapshotValue, ShareUpdateKey, ShareUpdateValue,
};

use super::SharePartitionKey;
use crate::state_batch::{StateBatch, combine};

/// The version of both values.
const VALUE_VERSION: i16 = 0;

/// The state of one shared partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept {
    /// Counts the snapshots.
    pub(super) snapshot_epoch: i32,
    pub(super) state_epoch: i32,
    pub(super) leader_epoch: i32,
    pub(super) start_offset: i64,
    pub(super) delivery_complete_count: i32,
    pub(super) created_ms: i64,
    pub(super) written_ms: i64,
    pub(super) batches: Vec<StateBatch>,
    /// How many updates have followed the last snapshot.
    pub(super) update_count: i32,
}

impl Kept {
    pub(super) fn from_snapshot(value: ShareSnapshotValue) -> Self {
        let batch = |batch: SnapshotBatch| StateBatch {
            first_offset: batch.first_offset,
            last_offset: batch.last_offset,
            delivery_state: batch.delivery_state,
            delivery_count: batch.delivery_count,
        };
        Self {
            snapshot_epoch: value.snapshot_epoch,
            state_epoch: value.state_epoch,
            leader_epoch: value.leader_epoch,
            start_offset: value.start_offset,
            delivery_complete_count: value.delivery_complete_count,
            created_ms: value.create_timestamp,
            written_ms: value.write_timestamp,
            batches: value.state_batches.into_iter().map(batch).collect(),
            update_count: 0,
        }
    }

    /// Lays an update over the state.
    pub(super) fn update(&mut self, value: ShareUpdateValue) {
        let batch = |batch: UpdateBatch| StateBatch {
            first_offset: batch.first_offset,
            last_offset: batch.last_offset,
            delivery_state: batch.delivery_state,
            delivery_count: batch.delivery_count,
        };
        let newer: Vec<StateBatch> = value.state_batches.into_iter().map(batch).collect();
        if value.start_offset != -1 {
            self.start_offset = value.start_offset;
        }
        if value.leader_epoch != -1 {
            self.leader_epoch = self.leader_epoch.max(value.leader_epoch);
        }
        self.delivery_complete_count = value.delivery_complete_count;
        self.batches = combine(&self.batches, &newer, self.start_offset);
        self.update_count = self.update_count.saturating_add(1);
    }

    pub(super) fn to_snapshot(&self) -> ShareSnapshotValue {
        let batch = |batch: &StateBatch| SnapshotBatch {
            first_offset: batch.first_offset,
            last_offset: batch.last_offset,
            delivery_state: batch.delivery_state,
            delivery_count: batch.delivery_count,
            ..Default::default()
        };
        ShareSnapshotValue {
            snapshot_epoch: self.snapshot_epoch,
            state_epoch: self.state_epoch,
            leader_epoch: self.leader_epoch,
            start_offset: self.start_offset,
            delivery_complete_count: self.delivery_complete_count,
            create_timestamp: self.created_ms,
            write_timestamp: self.written_ms,
            state_batches: self.batches.iter().map(batch).collect(),
            ..Default::default()
        }
    }
}

/// A batch as updates have it.
pub(super) fn update_batch(batch: &StateBatch) -> UpdateBatch {
    UpdateBatch {
        first_offset: batch.first_offset,
        last_offset: batch.last_offset,
        delivery_state: batch.delivery_state,
        delivery_count: batch.delivery_count,
        ..Default::default()
    }
}

/// A record to write.
pub(super) enum Written {
    Snapshot(ShareSnapshotValue),
    Update(ShareUpdateValue),
    Tombstone,
}

impl Written {
    /// Whether it makes all earlier records of its key redundant.
    pub(super) fn is_snapshot(&self) -> bool {
        !matches!(self, Self::Update(_))
    }

    pub(super) fn is_tombstone(&self) -> bool {
        matches!(self, Self::Tombstone)
    }

    /// The record, or None where it cannot be written at all (a group id longer than the format has room for).
    pub(super) fn encoded(&self, key: &SharePartitionKey) -> Option<CoordinatorRecord> {
        let (group_id, topic_id, partition) = (key.group_id.to_string(), key.topic_id, key.partition);
        let snapshot_key = |group_id| ShareSnapshotKey { group_id, topic_id, partition };
        let record = match self {
            Self::Snapshot(value) => {
                ShareCoordinatorRecord::ShareSnapshot(snapshot_key(group_id), Some(value.clone()))
            }
            Self::Update(value) => {
                let key = ShareUpdateKey { group_id, topic_id, partition };
                ShareCoordinatorRecord::ShareUpdate(key, Some(value.clone()))
            }
            Self::Tombstone => ShareCoordinatorRecord::ShareSnapshot(snapshot_key(group_id), None),
        };
        let (key, value) = record.encode(VALUE_VERSION).ok()?;
        Some(CoordinatorRecord { key, value })
    }
}
