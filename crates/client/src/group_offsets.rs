//! Offsets as they are committed, and the group in whose name.

use std::sync::Arc;

/// A position that is committed: the next offset to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetAndMetadata {
    /// The next offset to read.
    pub offset: i64,
    /// Epoch of the leader that the record before it was read from, if known.
    pub leader_epoch: Option<i32>,
    /// Anything the caller wants to keep with it.
    pub metadata: String,
}

impl From<i64> for OffsetAndMetadata {
    fn from(offset: i64) -> Self {
        Self { offset, leader_epoch: None, metadata: String::new() }
    }
}

/// A member of a group as the coordinator knows it, for commits within transactions (KIP-447).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerGroupMetadata {
    /// The group.
    pub group_id: Arc<str>,
    /// Generation, or member epoch with KIP-848; -1 outside of a group.
    pub generation_id: i32,
    /// Member; empty outside of a group.
    pub member_id: Arc<str>,
    /// Static name of the member.
    pub group_instance_id: Option<Arc<str>>,
}

impl ConsumerGroupMetadata {
    /// A group without members: its offsets are committed by whoever assigns partitions itself.
    pub fn standalone(group_id: impl Into<Arc<str>>) -> Self {
        Self { group_id: group_id.into(), generation_id: -1, member_id: "".into(), group_instance_id: None }
    }
}
