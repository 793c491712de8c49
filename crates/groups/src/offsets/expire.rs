//! Offsets that have been kept long enough (KIP-211).

use super::{CommittedOffset, OffsetStore};
use crate::group::{Group, OffsetExpiry, Step};

impl OffsetStore {
    /// Forgets the group's expired offsets. Whether nothing is left that would keep an empty group alive: no offset, and
    /// no open transaction.
    pub(crate) fn expire(&mut self, step: &mut Step<'_>, group: &Group) -> bool {
        let group_id = group.id().clone();
        let expiry = group.offset_expiry();
        let mut expired = Vec::new();
        let mut all_expired = true;
        for stored in self.committed.topics(&group_id) {
            let is_read = group.is_subscribed_to(&stored.topic);
            for (partition, offset) in &stored.partitions {
                let is_expired = !is_read
                    && has_expired(offset, &expiry, step.now_ms, step.config.offsets_retention_ms)
                    && !self.has_pending(&group_id, &stored.topic, *partition);
                if is_expired {
                    expired.push((stored.topic.clone(), *partition));
                } else {
                    all_expired = false;
                }
            }
        }
        for (topic, partition) in expired {
            self.remove_with_tombstone(step.effects, &group_id, &topic, partition);
        }
        all_expired && !self.has_open_transaction(&group_id)
    }
}

/// An offset with an expiry of its own goes by that, where the group lets offsets go at all.
fn has_expired(offset: &CommittedOffset, expiry: &OffsetExpiry, now_ms: i64, retention_ms: i64) -> bool {
    let since_ms = match expiry {
        OffsetExpiry::Never => return false,
        OffsetExpiry::SinceCommit => offset.commit_timestamp_ms,
        OffsetExpiry::Since(since_ms) => *since_ms,
    };
    if offset.expire_timestamp_ms != -1 {
        return now_ms >= offset.expire_timestamp_ms;
    }
    now_ms.saturating_sub(since_ms) >= retention_ms
}
