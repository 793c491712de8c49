//! `uniform` where members read different topics: members as equal as their subscriptions allow, moving little.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use protocol::Uuid;

use super::{Assignment, GroupSpec, PartitionCount, count_of};
use crate::consumer::member::AssignedPartitions;

/// How often all topics are gone through at most while partitions still move.
const ROUNDS_MAX: usize = 16;

struct Topic {
    /// By partition: the index of the member that gets it.
    owners: Vec<Option<usize>>,
    /// Indexes of the members that read it.
    subscribers: Vec<usize>,
}

struct Balance {
    topics: BTreeMap<Uuid, Topic>,
    /// By member: how many partitions it gets.
    loads: Vec<usize>,
}

pub(super) fn assign(group: &GroupSpec, counts: PartitionCount<'_>) -> Result<Assignment, String> {
    let mut balance = Balance { topics: BTreeMap::new(), loads: vec![0; group.members.len()] };
    for (index, member) in group.members.values().enumerate() {
        for topic_id in &member.subscribed {
            if !balance.topics.contains_key(topic_id) {
                let count = usize::try_from(count_of(counts, *topic_id)?).unwrap_or(0);
                balance
                    .topics
                    .insert(*topic_id, Topic { owners: vec![None; count], subscribers: Vec::new() });
            }
            if let Some(topic) = balance.topics.get_mut(topic_id) {
                topic.subscribers.push(index);
            }
        }
    }
    for (index, member) in group.members.values().enumerate() {
        balance.keep(index, &member.subscribed, &member.assigned);
    }
    let order = balance.topics_by_need();
    order.iter().for_each(|topic_id| balance.give_free(*topic_id));
    balance.even_out(&order);
    Ok(balance.into_assignment(group.members.keys()))
}

impl Balance {
    /// What a member has and still reads, it keeps for now.
    fn keep(&mut self, member: usize, subscribed: &BTreeSet<Uuid>, assigned: &AssignedPartitions) {
        for (topic_id, partitions) in assigned.iter().filter(|(topic_id, _)| subscribed.contains(topic_id)) {
            for partition in partitions {
                self.set_owner(*topic_id, usize::try_from(*partition).unwrap_or(usize::MAX), member);
            }
        }
    }

    fn set_owner(&mut self, topic_id: Uuid, partition: usize, member: usize) {
        let topic = self.topics.get_mut(&topic_id);
        let Some(owner) = topic.and_then(|topic| topic.owners.get_mut(partition)) else { return };
        if let Some(before) = owner.replace(member)
            && let Some(load) = self.loads.get_mut(before)
        {
            *load -= 1;
        }
        if let Some(load) = self.loads.get_mut(member) {
            *load += 1;
        }
    }

    fn load(&self, member: usize) -> usize {
        self.loads.get(member).copied().unwrap_or(0)
    }

    /// Topics with most partitions for each reader first, then those with fewer readers.
    fn topics_by_need(&self) -> Vec<Uuid> {
        let mut order: Vec<(&Uuid, &Topic)> = self.topics.iter().collect();
        order.sort_by(|(left_id, left), (right_id, right)| {
            let left_share = right.owners.len() * left.subscribers.len();
            let right_share = left.owners.len() * right.subscribers.len();
            left_share
                .cmp(&right_share)
                .then(left.subscribers.len().cmp(&right.subscribers.len()))
                .then_with(|| java_uuid_order(**left_id, **right_id))
        });
        order.into_iter().map(|(topic_id, _)| *topic_id).collect()
    }

    /// The readers of a topic, those with the least first. Where two come to have equally many, this order holds.
    fn ranked_subscribers(&self, topic_id: Uuid) -> Vec<usize> {
        let mut ranked =
            self.topics.get(&topic_id).map(|topic| topic.subscribers.clone()).unwrap_or_default();
        ranked.sort_by_key(|member| (self.load(*member), *member));
        ranked
    }

    /// Gives each partition that nobody has to the reader with the least.
    fn give_free(&mut self, topic_id: Uuid) {
        let ranked = self.ranked_subscribers(topic_id);
        let mut queue: BTreeSet<(usize, usize)> =
            ranked.iter().enumerate().map(|(rank, member)| (self.load(*member), rank)).collect();
        let owners = self.topics.get(&topic_id).map(|topic| topic.owners.as_slice()).unwrap_or_default();
        let free = owners.iter().enumerate().filter(|(_, owner)| owner.is_none());
        for partition in free.map(|(partition, _)| partition).collect::<Vec<_>>() {
            let Some((load, rank)) = queue.pop_first() else { return };
            if let Some(member) = ranked.get(rank) {
                self.set_owner(topic_id, partition, *member);
            }
            queue.insert((load + 1, rank));
        }
    }

    /// Goes through the topics until all of them have been found even since one last moved.
    fn even_out(&mut self, order: &[Uuid]) {
        let shared: Vec<Uuid> = order.iter().copied().filter(|topic_id| self.is_shared(*topic_id)).collect();
        let mut quiet = 0;
        for topic_id in shared.iter().cycle().take(shared.len().saturating_mul(ROUNDS_MAX)) {
            quiet = if self.even_out_topic(*topic_id) { 1 } else { quiet + 1 };
            if quiet >= shared.len().saturating_add(1) {
                return;
            }
        }
    }

    fn is_shared(&self, topic_id: Uuid) -> bool {
        self.topics.get(&topic_id).is_some_and(|topic| topic.subscribers.len() > 1)
    }

    /// Moves partitions of one topic from the reader with most to the one with least, while that makes them more equal.
    fn even_out_topic(&mut self, topic_id: Uuid) -> bool {
        let ranked = self.ranked_subscribers(topic_id);
        let mut owned = self.owned_by_rank(topic_id, &ranked);
        let mut takers: BTreeSet<(usize, usize)> =
            ranked.iter().enumerate().map(|(rank, member)| (self.load(*member), rank)).collect();
        // Who has nothing of this topic to give is left out on the heavy side.
        let mut givers = takers.clone();
        let mut has_moved = false;
        while let (Some(&(least, taker)), Some(&(most, giver))) = (takers.first(), givers.last()) {
            if most <= least + 1 {
                break;
            }
            givers.remove(&(most, giver));
            let Some(partition) = owned.get_mut(&giver).and_then(Vec::pop) else { continue };
            let Some(member) = ranked.get(taker) else { break };
            self.set_owner(topic_id, partition, *member);
            takers.remove(&(most, giver));
            takers.remove(&(least, taker));
            takers.insert((most - 1, giver));
            takers.insert((least + 1, taker));
            givers.insert((most - 1, giver));
            if givers.remove(&(least, taker)) {
                givers.insert((least + 1, taker));
            }
            has_moved = true;
        }
        has_moved
    }

    /// The partitions of a topic that each of its readers gets, in order.
    fn owned_by_rank(&self, topic_id: Uuid, ranked: &[usize]) -> BTreeMap<usize, Vec<usize>> {
        let ranks: BTreeMap<usize, usize> =
            ranked.iter().enumerate().map(|(rank, member)| (*member, rank)).collect();
        let mut owned: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        let owners = self.topics.get(&topic_id).map(|topic| topic.owners.as_slice()).unwrap_or_default();
        for (partition, owner) in owners.iter().enumerate() {
            if let Some(rank) = owner.and_then(|owner| ranks.get(&owner)) {
                owned.entry(*rank).or_default().push(partition);
            }
        }
        owned
    }

    fn into_assignment<'a>(self, member_ids: impl Iterator<Item = &'a String>) -> Assignment {
        let member_ids: Vec<&String> = member_ids.collect();
        let mut assignment: Assignment =
            member_ids.iter().map(|member_id| ((*member_id).clone(), AssignedPartitions::new())).collect();
        for (topic_id, topic) in self.topics {
            for (partition, owner) in (0_i32..).zip(topic.owners) {
                let member_id = owner.and_then(|owner| member_ids.get(owner));
                if let Some(target) = member_id.and_then(|member_id| assignment.get_mut(*member_id)) {
                    target.entry(topic_id).or_default().insert(partition);
                }
            }
        }
        assignment
    }
}

/// Java compares the halves of an id as signed numbers.
fn java_uuid_order(left: Uuid, right: Uuid) -> Ordering {
    let halves = |id: Uuid| {
        let number = id.as_u128().cast_signed();
        (number >> 64, i64::from_ne_bytes((id.as_u128() as u64).to_ne_bytes()))
    };
    halves(left).cmp(&halves(right))
}
