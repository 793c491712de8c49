//! Offsets of consumer groups: epochs instead of generations.

use groups::{Reply, Request};
use protocol::ErrorCode;
use protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;

use super::*;
use crate::bench::{TOPIC_ID, commit};

#[test]
fn a_member_commits_with_its_epoch() {
    let (mut bench, _) = bench();
    let a = Follower::join(&mut bench, "a", &["foo"]);
    assert_eq!(bench.commit_as(9, commit("a", a.epoch, "foo")), ErrorCode::None);
    assert_eq!(bench.fetch("foo"), 7);
    assert_eq!(bench.commit_as(9, commit("a", a.epoch + 1, "foo")), ErrorCode::StaleMemberEpoch);
    assert_eq!(bench.commit_as(9, commit("a", a.epoch - 1, "foo")), ErrorCode::StaleMemberEpoch);
    assert_eq!(bench.commit_as(9, commit("z", a.epoch, "foo")), ErrorCode::UnknownMemberId);
    assert_eq!(bench.commit_as(8, commit("a", a.epoch, "foo")), ErrorCode::UnsupportedVersion);
    assert_eq!(bench.commit_as(9, commit("", -1, "foo")), ErrorCode::UnknownMemberId);
}

#[test]
fn an_earlier_epoch_commits_what_it_already_had() {
    let (mut bench, _) = bench();
    let mut members = vec![Follower::join(&mut bench, "a", &["foo"])];
    let first_epoch = members[0].epoch;
    members.push(Follower::join(&mut bench, "b", &["foo"]));
    settle(&mut bench, &mut members);
    assert!(members[0].epoch > first_epoch);
    let mut request = commit("a", first_epoch, "foo");
    request.topics[0].topic_id = topic_id(1);
    assert_eq!(bench.commit_as(9, request.clone()), ErrorCode::None, "partition 0 stayed with a");
    request.topics[0].partitions[0].partition_index = 5;
    assert_eq!(bench.commit_as(9, request), ErrorCode::StaleMemberEpoch, "partition 5 went to b");
}

#[test]
fn an_empty_group_takes_commits_of_tools() {
    let (mut bench, _) = bench();
    accepted(&mut bench, join("a", &["foo"]));
    accepted(&mut bench, beat("a", -1));
    assert_eq!(bench.commit("foo"), ErrorCode::None);
    assert_eq!(described(&mut bench).group_state, "Empty");
}

#[test]
fn a_member_fetches_with_its_epoch() {
    let (mut bench, _) = bench();
    let a = Follower::join(&mut bench, "a", &["foo"]);
    let mut fetch = |member_id: Option<&str>, member_epoch: i32| {
        let group = OffsetFetchRequestGroup {
            group_id: GROUP.to_owned(),
            member_id: member_id.map(str::to_owned),
            member_epoch,
            ..OffsetFetchRequestGroup::default()
        };
        let id = bench.send(9, Request::OffsetFetch { group, require_stable: false });
        match bench.take(id) {
            Some(Reply::OffsetFetch(group)) => error(group.error_code),
            other => panic!("no answer to a fetch: {other:?}"),
        }
    };
    assert_eq!(fetch(None, -1), ErrorCode::None);
    assert_eq!(fetch(Some("a"), a.epoch), ErrorCode::None);
    assert_eq!(fetch(Some("a"), a.epoch - 1), ErrorCode::StaleMemberEpoch);
    assert_eq!(fetch(Some("z"), a.epoch), ErrorCode::UnknownMemberId);
}

#[test]
fn offsets_of_read_topics_stay() {
    let (mut bench, _) = bench();
    let a = Follower::join(&mut bench, "a", &["foo"]);
    assert_eq!(bench.commit_as(9, commit("a", a.epoch, "foo")), ErrorCode::None);
    assert_eq!(bench.commit_as(9, commit("a", a.epoch, "bar")), ErrorCode::None);
    for _ in 0..=7 * 24 * 60 * 2 {
        bench.advance(30_000);
        send(&mut bench, beat("a", a.epoch));
    }
    assert_eq!((bench.fetch("foo"), bench.fetch("bar")), (7, -1));
    assert_ne!(TOPIC_ID, topic_id(1));
}
