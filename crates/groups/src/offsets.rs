//! Committed offsets of a shard's groups, and those that wait for the end of their transaction.

pub(crate) mod commit;
pub(crate) mod delete;
pub(crate) mod expire;
pub(crate) mod fetch;
mod table;

use std::collections::{BTreeMap, BTreeSet};

use protocol::Uuid;
use protocol::coordinator_records::{OffsetCommitKey, OffsetCommitValue};

use crate::replay::RecordPosition;
use table::OffsetTable;

/// One committed offset.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CommittedOffset {
    pub(crate) offset: i64,
    /// -1 where the client did not give one.
    pub(crate) leader_epoch: i32,
    pub(crate) metadata: Box<str>,
    pub(crate) commit_timestamp_ms: i64,
    /// -1 unless an old client asked for a retention of its own (OffsetCommit v2-4).
    pub(crate) expire_timestamp_ms: i64,
    /// Zero in records from before offsets knew their topic's id.
    pub(crate) topic_id: Uuid,
    /// Where its record stands in the partition, or would: of two commits the later one counts.
    record_offset: i64,
}

impl CommittedOffset {
    fn from_record(record_offset: i64, value: OffsetCommitValue) -> Self {
        Self {
            offset: value.offset,
            leader_epoch: value.leader_epoch,
            metadata: value.metadata.into(),
            commit_timestamp_ms: value.commit_timestamp,
            expire_timestamp_ms: value.expire_timestamp,
            topic_id: value.topic_id,
            record_offset,
        }
    }
}

/// Every offset of a shard. Groups appear here by id only; whether one exists is the shard's to know.
#[derive(Debug, Default)]
pub(crate) struct OffsetStore {
    committed: OffsetTable,
    /// Offsets of open transactions by producer id (KIP-98).
    pending: BTreeMap<i64, OffsetTable>,
    /// Producers with an open transaction that touches the group.
    producers_by_group: BTreeMap<Box<str>, BTreeSet<i64>>,
    /// Above every record offset seen. What a step writes counts on from here: only the order matters.
    next_record_offset: i64,
}

impl OffsetStore {
    pub(crate) fn note_record_offset(&mut self, record_offset: i64) {
        self.next_record_offset = self.next_record_offset.max(record_offset.saturating_add(1));
    }

    /// Takes an offset over from its record: into its transaction, where it has one.
    pub(crate) fn put(&mut self, position: RecordPosition, key: &OffsetCommitKey, value: OffsetCommitValue) {
        self.note_record_offset(position.offset);
        let committed = CommittedOffset::from_record(position.offset, value);
        if position.producer_id == -1 {
            self.committed.insert(&key.group, &key.topic, key.partition, committed);
            return;
        }
        let pending = self.pending.entry(position.producer_id).or_default();
        pending.insert(&key.group, &key.topic, key.partition, committed);
        self.producers_by_group.entry(key.group.as_str().into()).or_default().insert(position.producer_id);
    }

    /// As [`OffsetStore::put`], for an offset this shard writes now.
    pub(crate) fn put_next(&mut self, producer_id: i64, key: &OffsetCommitKey, value: OffsetCommitValue) {
        let position = RecordPosition { offset: self.next_record_offset, producer_id };
        self.put(position, key, value);
    }

    /// Forgets an offset, in open transactions too.
    pub(crate) fn remove(&mut self, group_id: &str, topic: &str, partition: i32) {
        self.committed.remove(group_id, topic, partition);
        let producers: Vec<i64> = self.producers_of(group_id).collect();
        for producer_id in producers {
            if let Some(pending) = self.pending.get_mut(&producer_id) {
                pending.remove(group_id, topic, partition);
                if !pending.contains_group(group_id) {
                    self.forget_producer(group_id, producer_id);
                }
            }
        }
    }

    /// Ends a transaction. A commit that came later than the transaction's own stays.
    pub(crate) fn end_transaction(&mut self, producer_id: i64, committed: bool) {
        let Some(pending) = self.pending.remove(&producer_id) else { return };
        for (group_id, topic, partition, offset) in pending.into_entries() {
            self.forget_producer(&group_id, producer_id);
            let stored = self.committed.get(&group_id, &topic, partition);
            if committed && stored.is_none_or(|stored| stored.record_offset < offset.record_offset) {
                self.committed.insert(&group_id, &topic, partition, offset);
            }
        }
    }

    fn has_open_transaction(&self, group_id: &str) -> bool {
        self.producers_by_group.contains_key(group_id)
    }

    fn has_pending(&self, group_id: &str, topic: &str, partition: i32) -> bool {
        let mut producers =
            self.producers_of(group_id).filter_map(|producer_id| self.pending.get(&producer_id));
        producers.any(|pending| pending.get(group_id, topic, partition).is_some())
    }

    fn producers_of(&self, group_id: &str) -> impl Iterator<Item = i64> {
        self.producers_by_group.get(group_id).into_iter().flatten().copied()
    }

    fn forget_producer(&mut self, group_id: &str, producer_id: i64) {
        if let Some(producers) = self.producers_by_group.get_mut(group_id) {
            producers.remove(&producer_id);
            if producers.is_empty() {
                self.producers_by_group.remove(group_id);
            }
        }
    }
}
