//! `uniform` where all members read the same topics: equal numbers for all, moving as little as possible.

use std::collections::BTreeSet;

use protocol::Uuid;

use super::{Assignment, GroupSpec, PartitionCount, count_of};
use crate::consumer::member::AssignedPartitions;

/// How many partitions members may have.
struct Quotas {
    least: usize,
    /// Members who may still get one more.
    with_one_more: usize,
}

pub(super) fn assign(group: &GroupSpec, counts: PartitionCount<'_>) -> Result<Assignment, String> {
    let Some(first) = group.members.values().next() else { return Ok(Assignment::new()) };
    let subscribed = &first.subscribed;
    let assigned: BTreeSet<(Uuid, i32)> =
        group.members.values().flat_map(|member| pairs(&member.assigned)).collect();
    let mut free = Vec::new();
    let mut partition_count = 0;
    for topic_id in subscribed {
        let count = count_of(counts, *topic_id)?;
        free.extend((0..count).map(|index| (*topic_id, index)).filter(|pair| !assigned.contains(pair)));
        partition_count += usize::try_from(count).unwrap_or(0);
    }
    let member_count = group.members.len();
    let mut quotas =
        Quotas { least: partition_count / member_count, with_one_more: partition_count % member_count };
    let mut assignment = Assignment::new();
    let mut unfilled = Vec::new();
    for (index, (member_id, member)) in group.members.iter().enumerate() {
        let is_last_chance = member_count - index <= quotas.with_one_more;
        let mut kept = member.assigned.clone();
        kept.retain(|topic_id, _| subscribed.contains(topic_id));
        let room = keep_quota(&mut kept, &mut quotas, is_last_chance, &mut free);
        if room > 0 {
            unfilled.push((member_id, room));
        }
        assignment.insert(member_id.clone(), kept);
    }
    let mut free = free.into_iter();
    for (member_id, room) in unfilled {
        let target = assignment.entry(member_id.clone()).or_default();
        for (topic_id, partition) in free.by_ref().take(room) {
            target.entry(topic_id).or_default().insert(partition);
        }
    }
    if free.next().is_some() {
        return Err("Partitions were left unassigned".to_owned());
    }
    Ok(assignment)
}

/// Frees what a member has beyond its quota; returns how much it may still get. A member that does not need the one more
/// leaves it to a later one, if there are enough of them.
fn keep_quota(
    kept: &mut AssignedPartitions,
    quotas: &mut Quotas,
    is_last_chance: bool,
    free: &mut Vec<(Uuid, i32)>,
) -> usize {
    let mut has_one_more = quotas.with_one_more > 0;
    let mut room = quotas.least + usize::from(has_one_more);
    for (topic_id, partitions) in kept.iter_mut() {
        if partitions.len() <= room {
            room -= partitions.len();
            continue;
        }
        let surplus: Vec<i32> = partitions.iter().copied().skip(room).collect();
        room = 0;
        for partition in surplus {
            partitions.remove(&partition);
            free.push((*topic_id, partition));
        }
    }
    kept.retain(|_, partitions| !partitions.is_empty());
    if room > 0 && has_one_more && !is_last_chance {
        room -= 1;
        has_one_more = false;
    }
    quotas.with_one_more -= usize::from(has_one_more);
    room
}

fn pairs(partitions: &AssignedPartitions) -> impl Iterator<Item = (Uuid, i32)> + '_ {
    partitions
        .iter()
        .flat_map(|(topic_id, partitions)| partitions.iter().map(move |partition| (*topic_id, *partition)))
}
