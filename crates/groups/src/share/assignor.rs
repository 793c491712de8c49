//! The `simple` assignor: every partition has a member, every member as many partitions as the others, if need be together
//! with others; and as much as can be stays where it was.

use std::collections::{BTreeMap, BTreeSet};

use protocol::Uuid;

use super::Partitions;

type TopicPartition = (Uuid, i32);

/// Who gets what. `subscribed` are the topics that each member reads, `assignable` the partitions that may be handed out,
/// `before` is the last assignment.
///
/// Members that all read the same are given their share of all partitions at once; if they read different topics, they are
/// given their share of each topic.
pub(super) fn assign(
    subscribed: &BTreeMap<String, BTreeSet<Uuid>>,
    assignable: &Partitions,
    before: &BTreeMap<String, Partitions>,
) -> BTreeMap<String, Partitions> {
    let mut assigned: BTreeMap<String, Partitions> =
        subscribed.keys().map(|member| (member.clone(), Partitions::new())).collect();
    let all: BTreeSet<Uuid> = subscribed.values().flatten().copied().collect();
    let is_homogeneous = subscribed.values().all(|topics| *topics == all);
    let parts: Vec<BTreeSet<Uuid>> = match is_homogeneous {
        true => vec![all],
        false => all.into_iter().map(|topic_id| BTreeSet::from([topic_id])).collect(),
    };
    for topics in parts {
        let members: Vec<&str> = subscribed
            .iter()
            .filter(|(_, reads)| !topics.is_empty() && topics.is_subset(reads))
            .map(|(member, _)| member.as_str())
            .collect();
        let partitions: Vec<TopicPartition> = topics
            .iter()
            .filter_map(|topic_id| Some((*topic_id, assignable.get(topic_id)?)))
            .flat_map(|(topic_id, partitions)| partitions.iter().map(move |partition| (topic_id, *partition)))
            .collect();
        for (member, shares) in balance(&members, &partitions, before) {
            let target = assigned.entry(member.to_owned()).or_default();
            for (topic_id, partition) in shares {
                target.entry(topic_id).or_default().insert(partition);
            }
        }
    }
    assigned
}

/// Shares of each member of these partitions, as equal as can be.
fn balance<'a>(
    members: &[&'a str],
    partitions: &[TopicPartition],
    before: &BTreeMap<String, Partitions>,
) -> BTreeMap<&'a str, BTreeSet<TopicPartition>> {
    if members.is_empty() || partitions.is_empty() {
        return BTreeMap::new();
    }
    let sharing = members.len().div_ceil(partitions.len());
    let shares_before = |count: usize| (sharing * partitions.len() * count).div_ceil(members.len());
    let wanted: Vec<usize> =
        (0..members.len()).map(|index| shares_before(index + 1) - shares_before(index)).collect();
    let is_assignable: BTreeSet<TopicPartition> = partitions.iter().copied().collect();
    let mut shared_by: BTreeMap<TopicPartition, usize> = partitions.iter().map(|key| (*key, 0)).collect();
    let mut shares: Vec<BTreeSet<TopicPartition>> = Vec::with_capacity(members.len());
    for (member, wanted) in members.iter().zip(&wanted) {
        let had = before.get(*member).into_iter().flatten();
        let had =
            had.flat_map(|(topic_id, partitions)| partitions.iter().map(move |index| (*topic_id, *index)));
        let mut kept = BTreeSet::new();
        for key in had.filter(|key| is_assignable.contains(key)) {
            let sharers = shared_by.entry(key).or_default();
            if kept.len() < *wanted && *sharers < sharing {
                *sharers += 1;
                kept.insert(key);
            }
        }
        shares.push(kept);
    }
    let mut unfilled: Vec<usize> =
        (0..members.len()).filter(|index| shares[*index].len() < wanted[*index]).collect();
    let mut next = 0;
    for key in partitions {
        let sharers = shared_by.entry(*key).or_default();
        let mut passed = 0;
        while *sharers < sharing && passed < unfilled.len() {
            next %= unfilled.len();
            let index = unfilled[next];
            if !shares[index].insert(*key) {
                next += 1;
                passed += 1;
                continue;
            }
            *sharers += 1;
            passed = 0;
            if shares[index].len() < wanted[index] {
                next += 1;
            } else {
                unfilled.remove(next);
            }
        }
    }
    members.iter().copied().zip(shares).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    fn members(names: &[&str], topics: &[u128]) -> BTreeMap<String, BTreeSet<Uuid>> {
        let topics: BTreeSet<Uuid> = topics.iter().map(|number| topic(*number)).collect();
        names.iter().map(|name| ((*name).to_owned(), topics.clone())).collect()
    }

    fn partitions(topics: &[(u128, i32)]) -> Partitions {
        topics.iter().map(|(number, count)| (topic(*number), (0..*count).collect())).collect()
    }

    fn counts(assigned: &BTreeMap<String, Partitions>) -> Vec<usize> {
        assigned.values().map(|target| target.values().map(BTreeSet::len).sum()).collect()
    }

    fn every_partition_has_a_member(assigned: &BTreeMap<String, Partitions>, assignable: &Partitions) {
        for (topic_id, partitions) in assignable {
            for partition in partitions {
                let has =
                    |target: &Partitions| target.get(topic_id).is_some_and(|set| set.contains(partition));
                assert!(assigned.values().any(has), "{topic_id}-{partition}");
            }
        }
    }

    #[test]
    fn few_members_have_partitions_for_themselves() {
        let assignable = partitions(&[(1, 5), (2, 2)]);
        let assigned = assign(&members(&["a", "b", "c"], &[1, 2]), &assignable, &BTreeMap::new());
        every_partition_has_a_member(&assigned, &assignable);
        assert_eq!(counts(&assigned), [3, 2, 2]);
    }

    #[test]
    fn many_members_share_partitions() {
        let assignable = partitions(&[(1, 3)]);
        let assigned = assign(&members(&["a", "b", "c", "d"], &[1]), &assignable, &BTreeMap::new());
        every_partition_has_a_member(&assigned, &assignable);
        assert_eq!(counts(&assigned), [2, 1, 2, 1]);
        let one = assign(&members(&["a", "b", "c", "d"], &[1]), &partitions(&[(1, 1)]), &BTreeMap::new());
        assert_eq!(counts(&one), [1, 1, 1, 1]);
    }

    #[test]
    fn what_can_stays_where_it_was() {
        let assignable = partitions(&[(1, 6)]);
        let first = assign(&members(&["a", "b"], &[1]), &assignable, &BTreeMap::new());
        assert_eq!(assign(&members(&["a", "b"], &[1]), &assignable, &first), first);
        let grown = assign(&members(&["a", "b", "c"], &[1]), &assignable, &first);
        assert_eq!(counts(&grown), [2, 2, 2]);
        for member in ["a", "b"] {
            let (was, is) = (&first[member][&topic(1)], &grown[member][&topic(1)]);
            assert!(is.is_subset(was), "{member} had {was:?} and has {is:?}");
        }
    }

    #[test]
    fn members_get_what_they_read() {
        let mut subscribed = members(&["a", "b"], &[1]);
        subscribed.extend(members(&["c"], &[1, 2]));
        subscribed.extend(members(&["d"], &[]));
        let assignable = partitions(&[(1, 3), (2, 2), (3, 4)]);
        let assigned = assign(&subscribed, &assignable, &BTreeMap::new());
        assert_eq!(counts(&assigned), [1, 1, 3, 0]);
        assert_eq!(assigned["c"][&topic(2)].len(), 2);
    }

    #[test]
    fn nothing_comes_of_nothing() {
        let none = BTreeMap::new();
        assert_eq!(assign(&BTreeMap::new(), &partitions(&[(1, 3)]), &none), none_assigned(&[]));
        let assigned = assign(&members(&["a"], &[1]), &Partitions::new(), &none_assigned(&[]));
        assert_eq!(assigned, none_assigned(&["a"]));
    }

    fn none_assigned(names: &[&str]) -> BTreeMap<String, Partitions> {
        names.iter().map(|name| ((*name).to_owned(), Partitions::new())).collect()
    }
}
