//! Server-side assignors: who gets which partitions.

mod heterogeneous;
mod homogeneous;
mod range;

use std::collections::{BTreeMap, BTreeSet};

use protocol::Uuid;

use crate::consumer::member::AssignedPartitions;

/// A member as an assignor sees it.
#[derive(Debug, Clone, Default)]
pub(crate) struct MemberSpec {
    pub(crate) instance_id: Option<String>,
    pub(crate) subscribed: BTreeSet<Uuid>,
    /// Its target so far.
    pub(crate) assigned: AssignedPartitions,
}

/// A group as an assignor sees it.
#[derive(Debug, Clone, Default)]
pub(crate) struct GroupSpec {
    pub(crate) members: BTreeMap<String, MemberSpec>,
    /// Whether all members are subscribed to the same topics.
    pub(crate) is_homogeneous: bool,
}

/// How many partitions a topic has; none where it does not exist.
pub(crate) type PartitionCount<'a> = &'a dyn Fn(Uuid) -> Option<i32>;

/// New targets by member; members without one get nothing.
pub(crate) type Assignment = BTreeMap<String, AssignedPartitions>;

/// Assigns with `uniform` or `range`.
///
/// # Errors
/// Why it cannot be done, in words.
pub(crate) fn assign(
    name: &str,
    group: &GroupSpec,
    counts: PartitionCount<'_>,
) -> Result<Assignment, String> {
    if group.members.is_empty() {
        return Ok(Assignment::new());
    }
    match name {
        "range" => range::assign(group, counts),
        _ if group.is_homogeneous => homogeneous::assign(group, counts),
        _ => heterogeneous::assign(group, counts),
    }
}

fn count_of(counts: PartitionCount<'_>, topic_id: Uuid) -> Result<i32, String> {
    counts(topic_id).ok_or_else(|| {
        format!("Members are subscribed to topic {topic_id} which doesn't exist in the topic metadata.")
    })
}

#[cfg(test)]
mod tests;
