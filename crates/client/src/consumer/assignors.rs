//! Who reads which partition, decided by one member of a classic group.

mod member_data;
mod sticky;

use std::collections::BTreeMap;

use crate::topic_partition::TopicPartition;

pub(crate) use member_data::{MemberData, decode_assignment, encode_assignment, encode_subscription};

/// An assignor by its name in the group protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AssignorName {
    /// Ranges of each topic's partitions by member.
    Range,
    /// One partition after another to one member after another.
    RoundRobin,
    /// As even as possible, moving as little as possible.
    Sticky,
    /// The same, and only what moves stops being read meanwhile (KIP-429).
    CooperativeSticky,
}

impl AssignorName {
    const ALL: [Self; 4] = [Self::Range, Self::RoundRobin, Self::Sticky, Self::CooperativeSticky];

    /// The name that members of a group compare.
    pub fn name(self) -> &'static str {
        match self {
            Self::Range => "range",
            Self::RoundRobin => "roundrobin",
            Self::Sticky => "sticky",
            Self::CooperativeSticky => "cooperative-sticky",
        }
    }

    fn java_class(self) -> &'static str {
        match self {
            Self::Range => "org.apache.kafka.clients.consumer.RangeAssignor",
            Self::RoundRobin => "org.apache.kafka.clients.consumer.RoundRobinAssignor",
            Self::Sticky => "org.apache.kafka.clients.consumer.StickyAssignor",
            Self::CooperativeSticky => "org.apache.kafka.clients.consumer.CooperativeStickyAssignor",
        }
    }

    /// By Java's class name or the protocol's.
    pub(crate) fn from_java(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.java_class() == name || known.name() == name)
    }

    /// By the protocol's name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.name() == name)
    }

    /// Whether members keep what they have while the group is rebalanced.
    pub(crate) fn is_cooperative(self) -> bool {
        self == Self::CooperativeSticky
    }
}

/// A member as the assignor sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) id: String,
    pub(crate) instance_id: Option<String>,
    pub(crate) topics: Vec<String>,
    /// What it has, as of `generation`.
    pub(crate) owned: Vec<TopicPartition>,
    pub(crate) generation: i32,
}

/// Partitions by member id.
pub(crate) type Assignment = BTreeMap<String, Vec<TopicPartition>>;

/// Decides for all members; `partitions` has the partition count of each topic that exists.
pub(crate) fn assign(
    assignor: AssignorName,
    members: &[Member],
    partitions: &BTreeMap<String, i32>,
) -> Assignment {
    let mut members: Vec<&Member> = members.iter().collect();
    // Static members keep their place whatever id they have now.
    members.sort_by(|a, b| match (&a.instance_id, &b.instance_id) {
        (Some(a), Some(b)) => a.cmp(b),
        (Some(_), None) => std::cmp::Ordering::Less,
        (None, Some(_)) => std::cmp::Ordering::Greater,
        (None, None) => a.id.cmp(&b.id),
    });
    match assignor {
        AssignorName::Range => range(&members, partitions),
        AssignorName::RoundRobin => round_robin(&members, partitions),
        AssignorName::Sticky => sticky::assign(&members, partitions),
        AssignorName::CooperativeSticky => {
            let balanced = sticky::assign(&members, partitions);
            sticky::withhold_moving(&members, balanced)
        }
    }
}

fn empty(members: &[&Member]) -> Assignment {
    members.iter().map(|member| (member.id.clone(), Vec::new())).collect()
}

/// Each topic's partitions in consecutive ranges; the first members get one more where it does not come out even.
fn range(members: &[&Member], partitions: &BTreeMap<String, i32>) -> Assignment {
    let mut assignment = empty(members);
    for (topic, count) in partitions {
        let subscribed: Vec<&&Member> =
            members.iter().filter(|member| member.topics.contains(topic)).collect();
        let readers = i32::try_from(subscribed.len()).unwrap_or(i32::MAX);
        if readers == 0 {
            continue;
        }
        let (each, extra) = (count / readers, count % readers);
        let mut next = 0;
        for (member, index) in subscribed.iter().zip(0..) {
            let end = next + each + i32::from(index < extra);
            let some = (next..end).map(|partition| TopicPartition::new(topic.as_str(), partition));
            assignment.entry(member.id.clone()).or_default().extend(some);
            next = end;
        }
    }
    assignment
}

/// All partitions in order, dealt to the members in order, passing over those who do not read the topic.
fn round_robin(members: &[&Member], partitions: &BTreeMap<String, i32>) -> Assignment {
    let mut assignment = empty(members);
    let mut turn = 0;
    for (topic, count) in partitions {
        if !members.iter().any(|member| member.topics.contains(topic)) {
            continue;
        }
        for partition in 0..*count {
            while !members[turn % members.len()].topics.contains(topic) {
                turn += 1;
            }
            let member = members[turn % members.len()];
            let named = TopicPartition::new(topic.as_str(), partition);
            assignment.entry(member.id.clone()).or_default().push(named);
            turn += 1;
        }
    }
    assignment
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn member(id: &str, topics: &[&str]) -> Member {
        Member {
            id: id.to_owned(),
            topics: topics.iter().map(|topic| (*topic).to_owned()).collect(),
            generation: -1,
            ..Member::default()
        }
    }

    pub(super) fn shown(assignment: &Assignment) -> Vec<String> {
        let lines = assignment.iter().map(|(member, partitions)| {
            let partitions: Vec<String> = partitions.iter().map(ToString::to_string).collect();
            format!("{member}: {}", partitions.join(" "))
        });
        lines.collect()
    }

    fn partitions(counts: &[(&str, i32)]) -> BTreeMap<String, i32> {
        counts.iter().map(|(topic, count)| ((*topic).to_owned(), *count)).collect()
    }

    #[test]
    fn ranges_are_those_of_java() {
        let members = [member("a", &["t", "u"]), member("b", &["t", "u"])];
        let assignment = assign(AssignorName::Range, &members, &partitions(&[("t", 3), ("u", 3)]));
        assert_eq!(shown(&assignment), ["a: t-0 t-1 u-0 u-1", "b: t-2 u-2"]);
        let mut first = member("z", &["t"]);
        first.instance_id = Some("1".to_owned());
        let assignment = assign(AssignorName::Range, &[member("a", &["t"]), first], &partitions(&[("t", 3)]));
        assert_eq!(shown(&assignment), ["a: t-2", "z: t-0 t-1"]);
    }

    #[test]
    fn turns_are_those_of_java() {
        let members = [member("a", &["t", "u"]), member("b", &["t", "u"])];
        let assignment = assign(AssignorName::RoundRobin, &members, &partitions(&[("t", 3), ("u", 3)]));
        assert_eq!(shown(&assignment), ["a: t-0 t-2 u-1", "b: t-1 u-0 u-2"]);
        let members = [member("a", &["t"]), member("b", &["t", "u"]), member("c", &["t", "u", "v"])];
        let counts = partitions(&[("t", 1), ("u", 2), ("v", 3)]);
        let assignment = assign(AssignorName::RoundRobin, &members, &counts);
        assert_eq!(shown(&assignment), ["a: t-0", "b: u-0", "c: u-1 v-0 v-1 v-2"]);
    }
}
