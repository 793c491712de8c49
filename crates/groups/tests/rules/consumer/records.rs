//! Records of consumer groups: Kafka's, in Kafka's order, and what comes of replaying them.

use groups::{Reply, Request};
use protocol::coordinator_records::GroupCoordinatorRecord as Record;
use protocol::messages::ListGroupsRequest;

use super::*;
use crate::bench::TOPIC_ID;

fn kinds(bench: &Bench) -> Vec<&'static str> {
    let kind = |record: &Record| match record {
        Record::GroupMetadata(_, None) => "-group",
        Record::ConsumerGroupMemberMetadata(_, Some(_)) => "member",
        Record::ConsumerGroupMemberMetadata(_, None) => "-member",
        Record::ConsumerGroupMetadata(_, Some(_)) => "epoch",
        Record::ConsumerGroupMetadata(_, None) => "-epoch",
        Record::ConsumerGroupTargetAssignmentMember(_, Some(_)) => "target",
        Record::ConsumerGroupTargetAssignmentMember(_, None) => "-target",
        Record::ConsumerGroupTargetAssignmentMetadata(_, Some(_)) => "target epoch",
        Record::ConsumerGroupTargetAssignmentMetadata(_, None) => "-target epoch",
        Record::ConsumerGroupCurrentMemberAssignment(_, Some(_)) => "current",
        Record::ConsumerGroupCurrentMemberAssignment(_, None) => "-current",
        Record::ConsumerGroupPartitionMetadata(_, None) => "-partitions",
        Record::OffsetCommit(_, None) => "-offset",
        _ => "other",
    };
    bench.last_records().iter().map(kind).collect()
}

#[test]
fn a_join_is_written_as_kafka_does() {
    let (mut bench, _) = bench();
    accepted(&mut bench, join("a", &["foo"]));
    assert_eq!(kinds(&bench), ["member", "epoch", "target", "target epoch", "current"]);
    accepted(&mut bench, beat("a", 2));
    assert_eq!(kinds(&bench), Vec::<&str>::new(), "a quiet heartbeat writes nothing");
    accepted(&mut bench, beat("a", -1));
    assert_eq!(kinds(&bench), ["-current", "-target", "-member", "epoch", "target epoch"]);
}

#[test]
fn the_join_of_an_empty_classic_group_ends_it() {
    let (mut bench, _) = bench();
    assert_eq!(bench.commit("foo"), protocol::ErrorCode::None);
    accepted(&mut bench, join("a", &["foo"]));
    assert_eq!(kinds(&bench).first(), Some(&"-group"));
    assert_eq!(bench.fetch("foo"), 7, "its offsets stay");
}

#[test]
fn deletion_takes_everything_out() {
    let (mut bench, _) = bench();
    accepted(&mut bench, join("a", &["foo"]));
    accepted(&mut bench, beat("a", -1));
    assert_eq!(bench.commit("foo"), protocol::ErrorCode::None);
    let id = bench.send(2, Request::DeleteGroups(vec![GROUP.to_owned()]));
    let Some(Reply::DeleteGroups(results)) = bench.take(id) else { panic!("no answer") };
    assert_eq!(results[0].error_code, 0);
    assert_eq!(kinds(&bench), ["-offset", "-target epoch", "-partitions", "-epoch"]);
    bench.restart();
    assert_eq!(bench.shard.group_count(), 0);
}

#[test]
fn a_restart_forgets_nothing() {
    let (mut bench, cluster) = bench();
    let mut members =
        vec![Follower::join(&mut bench, "a", &["foo"]), Follower::join(&mut bench, "b", &["foo"])];
    settle(&mut bench, &mut members);
    members.push(Follower::join(&mut bench, "c", &["bar"]));
    let before = described(&mut bench);
    bench.restart();
    bench.step(cluster.everything());
    assert_eq!(described(&mut bench), before);
    settle(&mut bench, &mut members);
    assert_eq!(members.iter().map(Follower::partition_count).collect::<Vec<_>>(), [3, 3, 3]);
    bench.advance(45_000);
    assert_eq!(described(&mut bench).members.len(), 0);
}

#[test]
fn groups_are_listed_by_type_and_state() {
    let (mut bench, _) = bench();
    accepted(&mut bench, join("a", &["foo"]));
    let mut list = |types: &[&str], states: &[&str]| {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let request = ListGroupsRequest {
            types_filter: owned(types),
            states_filter: owned(states),
            ..ListGroupsRequest::default()
        };
        let id = bench.send(5, Request::ListGroups(request));
        let Some(Reply::ListGroups(response)) = bench.take(id) else { panic!("no answer") };
        let listed = response.groups.into_iter();
        listed.map(|group| (group.protocol_type, group.group_type, group.group_state)).collect::<Vec<_>>()
    };
    let stable = vec![("consumer".to_owned(), "consumer".to_owned(), "Stable".to_owned())];
    assert_eq!(list(&[], &[]), stable);
    assert_eq!(list(&["Consumer"], &["stable"]), stable);
    assert_eq!(list(&["classic"], &[]), vec![]);
    assert_eq!(list(&[], &["Empty"]), vec![]);
    assert_eq!(bench.state(), "Dead", "DescribeGroups knows classic groups only");
    assert_eq!(bench.describe().error_message, Some(format!("Group {GROUP} is not a classic group.")));
    assert!(!TOPIC_ID.is_zero());
}
