//! `range`: every topic's partitions in order, a run of them for each member, so that the same partitions of topics with
//! equally many meet at the same member.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use protocol::Uuid;

use super::{Assignment, GroupSpec, MemberSpec, PartitionCount, count_of};
use crate::consumer::member::AssignedPartitions;

struct Topic {
    partition_count: i32,
    member_count: i32,
    /// How many members have been given theirs.
    served: i32,
    next: i32,
}

impl Topic {
    /// The next member's run: the first ones get one more while there is a remainder.
    fn next_run(&mut self) -> std::ops::Range<i32> {
        let remainder = self.partition_count % self.member_count.max(1);
        let quota = self.partition_count / self.member_count.max(1) + i32::from(self.served < remainder);
        let start = self.next;
        self.next = start.saturating_add(quota).min(self.partition_count);
        self.served += 1;
        start..self.next
    }
}

pub(super) fn assign(group: &GroupSpec, counts: PartitionCount<'_>) -> Result<Assignment, String> {
    let mut topics: BTreeMap<Uuid, Topic> = BTreeMap::new();
    for topic_id in group.members.values().flat_map(|member| &member.subscribed) {
        if !topics.contains_key(topic_id) {
            let partition_count = count_of(counts, *topic_id)?;
            topics.insert(*topic_id, Topic { partition_count, member_count: 0, served: 0, next: 0 });
        }
        if let Some(topic) = topics.get_mut(topic_id) {
            topic.member_count += 1;
        }
    }
    let mut members: Vec<(&String, &MemberSpec)> = group.members.iter().collect();
    members.sort_by(by_instance_then_member);
    let mut assignment = Assignment::new();
    for (member_id, member) in members {
        let mut partitions = AssignedPartitions::new();
        for topic_id in &member.subscribed {
            let run = topics.get_mut(topic_id).map(Topic::next_run).unwrap_or_default();
            if !run.is_empty() {
                partitions.insert(*topic_id, run.collect());
            }
        }
        assignment.insert(member_id.clone(), partitions);
    }
    Ok(assignment)
}

/// Static members first, by instance: they keep their places when they come back under new member ids.
fn by_instance_then_member(left: &(&String, &MemberSpec), right: &(&String, &MemberSpec)) -> Ordering {
    match (&left.1.instance_id, &right.1.instance_id) {
        (Some(left), Some(right)) => left.cmp(right),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => left.0.cmp(right.0),
    }
}
