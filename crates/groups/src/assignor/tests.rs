//! Assignors against decisions recorded from Kafka 4.4's own: groups at random, with what they had before.
//!
//! A group's line has the assignor, whether all read the same, and each topic's partitions; a member's has its id, instance,
//! topics, what it had, and what Kafka gave it.

use super::*;

const RECORDED: &str = include_str!("../../tests/recorded/assignors.txt");

fn topic(text: &str) -> Uuid {
    Uuid::from_u128(text.parse().expect("a topic's number"))
}

fn partitions(text: &str) -> AssignedPartitions {
    let parse = |part: &str| {
        let (id, partitions) = part.split_once('=').expect("topic=partitions");
        (topic(id), partitions.split(',').map(|index| index.parse().expect("a partition")).collect())
    };
    text.split(' ').filter(|part| !part.is_empty()).map(parse).collect()
}

#[test]
fn assignments_are_kafkas() {
    let mut checked = 0;
    for group in RECORDED.split("group ").filter(|group| !group.is_empty()) {
        let mut lines = group.lines();
        let header: Vec<&str> = lines.next().expect("a header").split(' ').collect();
        let counts: BTreeMap<Uuid, i32> = header[2..]
            .iter()
            .map(|count| count.split_once(':').expect("topic:count"))
            .map(|(id, count)| (topic(id), count.parse().expect("a count")))
            .collect();
        let mut spec = GroupSpec { is_homogeneous: header[1] == "homogeneous", ..GroupSpec::default() };
        let mut expected = Assignment::new();
        for line in lines {
            let fields: Vec<&str> = line.split('|').collect();
            let subscribed = fields[2].split(',').filter(|id| !id.is_empty()).map(topic).collect();
            let member = MemberSpec {
                instance_id: Some(fields[1].to_owned()).filter(|id| !id.is_empty()),
                subscribed,
                assigned: partitions(fields[3]),
            };
            spec.members.insert(fields[0].to_owned(), member);
            expected.insert(fields[0].to_owned(), partitions(fields[4]));
        }
        let mut assigned = assign(header[0], &spec, &|id| counts.get(&id).copied()).expect("an assignment");
        for member_id in spec.members.keys() {
            assigned.entry(member_id.clone()).or_default();
        }
        assert_eq!(assigned, expected, "{group}");
        checked += 1;
    }
    assert_eq!(checked, 120);
}
