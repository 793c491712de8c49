//! Up to where a partition of `__share_group_state` is of no use any more.

use std::collections::{BTreeSet, HashMap};

use super::SharePartitionKey;

/// Where the newest snapshot of each shared partition lies. What is before all of them is redundant.
#[derive(Debug, Default)]
pub(super) struct RedundantOffsets {
    newest: HashMap<SharePartitionKey, i64>,
    in_order: BTreeSet<i64>,
    /// Behind the last record seen: what is redundant where nothing is kept.
    end: i64,
    /// What was last found redundant.
    told: i64,
}

impl RedundantOffsets {
    /// A snapshot, or a tombstone, stands at `offset`.
    pub(super) fn snapshot_at(&mut self, key: SharePartitionKey, offset: i64, is_deleted: bool) {
        self.end = self.end.max(offset);
        let before = if is_deleted { self.newest.remove(&key) } else { self.newest.insert(key, offset) };
        if let Some(before) = before {
            self.in_order.remove(&before);
        }
        if !is_deleted {
            self.in_order.insert(offset);
        }
    }

    /// The offset before which all is redundant, if there is more of it than the last time.
    pub(super) fn take_new(&mut self) -> Option<i64> {
        let redundant = self.in_order.first().copied().unwrap_or(self.end);
        if redundant <= self.told {
            return None;
        }
        self.told = redundant;
        Some(redundant)
    }
}
