//! As even as possible, moving as little as possible (KIP-54), and without taking away what still is read (KIP-429).

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{Assignment, Member};
use crate::topic_partition::TopicPartition;

pub(super) fn assign(members: &[&Member], partitions: &BTreeMap<String, i32>) -> Assignment {
    let mut all: BTreeSet<TopicPartition> = BTreeSet::new();
    for (topic, count) in partitions {
        if members.iter().any(|member| member.topics.contains(topic)) {
            all.extend((0..*count).map(|partition| TopicPartition::new(topic.as_str(), partition)));
        }
    }
    let owners = owners(members);
    let mut assigned: Vec<BTreeSet<TopicPartition>> = vec![BTreeSet::new(); members.len()];
    let mut free: Vec<TopicPartition> = Vec::new();
    for named in all {
        match owners.get(&named).filter(|owner| reads(members[**owner], &named)) {
            Some(owner) => drop(assigned[*owner].insert(named)),
            None => free.push(named),
        }
    }
    // Those that fewest members read are placed first: the others have more choice.
    free.sort_by_key(|named| members.iter().filter(|member| reads(member, named)).count());
    for named in free {
        let readers = (0..members.len()).filter(|index| reads(members[*index], &named));
        if let Some(lightest) = readers.min_by_key(|index| assigned[*index].len()) {
            assigned[lightest].insert(named);
        }
    }
    balance(members, &mut assigned);
    let ids = members.iter().map(|member| member.id.clone());
    ids.zip(assigned.into_iter().map(|some| some.into_iter().collect())).collect()
}

fn reads(member: &Member, named: &TopicPartition) -> bool {
    member.topics.iter().any(|topic| **topic == *named.topic)
}

/// Who has a partition: of several claims the one of the latest generation, of two equal ones nobody's.
fn owners(members: &[&Member]) -> HashMap<TopicPartition, usize> {
    let mut claims: HashMap<TopicPartition, (i32, Option<usize>)> = HashMap::new();
    for (index, member) in members.iter().enumerate() {
        for named in &member.owned {
            let claim = claims.entry(named.clone()).or_insert((i32::MIN, None));
            match member.generation.cmp(&claim.0) {
                std::cmp::Ordering::Greater => *claim = (member.generation, Some(index)),
                std::cmp::Ordering::Equal => claim.1 = None,
                std::cmp::Ordering::Less => {}
            }
        }
    }
    claims.into_iter().filter_map(|(named, (_, owner))| Some((named, owner?))).collect()
}

/// Moves partitions from those with more to those with at least two fewer until nothing can move.
fn balance(members: &[&Member], assigned: &mut [BTreeSet<TopicPartition>]) {
    loop {
        let mut heaviest_first: Vec<usize> = (0..members.len()).collect();
        heaviest_first.sort_by_key(|index| std::cmp::Reverse(assigned[*index].len()));
        let movable = heaviest_first.iter().find_map(|from| {
            assigned[*from].iter().rev().find_map(|named| {
                let lighter = heaviest_first.iter().rev().copied();
                let to = lighter
                    .take_while(|to| assigned[*to].len() + 1 < assigned[*from].len())
                    .find(|to| reads(members[*to], named))?;
                Some((*from, to, named.clone()))
            })
        });
        let Some((from, to, named)) = movable else { return };
        assigned[from].remove(&named);
        assigned[to].insert(named);
    }
}

/// Leaves out what somebody else still has: it is given away in the rebalance that follows its release.
pub(super) fn withhold_moving(members: &[&Member], mut assignment: Assignment) -> Assignment {
    let owners = owners(members);
    for (index, member) in members.iter().enumerate() {
        if let Some(assigned) = assignment.get_mut(&member.id) {
            assigned.retain(|named| owners.get(named).is_none_or(|owner| *owner == index));
        }
    }
    assignment
}

#[cfg(test)]
mod tests {
    use super::super::{AssignorName, assign, tests::member, tests::shown};
    use super::*;

    fn owning(id: &str, generation: i32, owned: std::ops::Range<i32>) -> Member {
        let owned = owned.map(|partition| TopicPartition::new("t", partition)).collect();
        Member { owned, generation, ..member(id, &["t"]) }
    }

    #[test]
    fn what_can_stay_stays() {
        let counts = BTreeMap::from([("t".to_owned(), 6)]);
        let fresh = assign(AssignorName::Sticky, &[member("a", &["t"]), member("b", &["t"])], &counts);
        assert_eq!(shown(&fresh), ["a: t-0 t-2 t-4", "b: t-1 t-3 t-5"]);
        let members = [owning("a", 1, 0..3), owning("b", 1, 3..6), member("c", &["t"])];
        let third = assign(AssignorName::Sticky, &members, &counts);
        assert_eq!(shown(&third), ["a: t-0 t-1", "b: t-3 t-4", "c: t-2 t-5"]);
        let cooperative = assign(AssignorName::CooperativeSticky, &members, &counts);
        assert_eq!(shown(&cooperative), ["a: t-0 t-1", "b: t-3 t-4", "c: "]);
        let left = assign(AssignorName::CooperativeSticky, &members[..1], &counts);
        assert_eq!(shown(&left), ["a: t-0 t-1 t-2 t-3 t-4 t-5"]);
    }

    #[test]
    fn of_two_claims_the_later_generation_counts() {
        let counts = BTreeMap::from([("t".to_owned(), 2)]);
        let members = [owning("a", 1, 0..2), owning("b", 2, 0..1)];
        assert_eq!(shown(&assign(AssignorName::Sticky, &members, &counts)), ["a: t-1", "b: t-0"]);
        let members = [owning("a", 1, 0..1), owning("b", 1, 0..1)];
        let owners = owners(&members.iter().collect::<Vec<_>>());
        assert!(owners.is_empty());
    }

    #[test]
    fn random_groups_are_balanced_and_complete() {
        let mut jitter = crate::backoff::Jitter::new(11);
        for _ in 0..300 {
            let counts: BTreeMap<String, i32> =
                (0..3).map(|topic| (format!("t{topic}"), jitter.below(6) as i32)).collect();
            let mut members: Vec<Member> = Vec::new();
            for id in 0..1 + jitter.below(5) {
                let mut one = member(&format!("m{id}"), &[]);
                one.topics = counts.keys().filter(|_| jitter.below(4) > 0).cloned().collect();
                members.push(one);
            }
            for round in 0..3 {
                let assignment = assign(AssignorName::Sticky, &members, &counts);
                let given: Vec<&TopicPartition> = assignment.values().flatten().collect();
                let distinct: BTreeSet<&TopicPartition> = given.iter().copied().collect();
                assert_eq!(given.len(), distinct.len());
                let wanted =
                    counts.iter().filter(|(topic, _)| members.iter().any(|one| one.topics.contains(topic)));
                assert_eq!(given.len() as i32, wanted.map(|(_, count)| count).sum::<i32>());
                for heavy in &members {
                    for light in &members {
                        let (from, to) = (&assignment[&heavy.id], &assignment[&light.id]);
                        let could_move = from.iter().any(|named| reads(light, named));
                        assert!(!could_move || from.len() <= to.len() + 1, "{assignment:?}");
                    }
                }
                if round > 0 {
                    let kept = members.iter().all(|one| one.owned == assignment[&one.id]);
                    assert!(kept, "nothing moves when nothing has changed");
                }
                for one in &mut members {
                    (one.owned, one.generation) = (assignment[&one.id].clone(), round);
                }
            }
        }
    }
}
