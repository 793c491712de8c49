//! ShareGroupHeartbeat, ShareGroupDescribe (KIP-932), and the offsets of share groups: describe, alter, delete.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use protocol::messages::alter_share_group_offsets_request::{
    AlterShareGroupOffsetsRequestPartition, AlterShareGroupOffsetsRequestTopic,
};
use protocol::messages::delete_share_group_offsets_request::DeleteShareGroupOffsetsRequestTopic;
use protocol::messages::describe_share_group_offsets_request::{
    DescribeShareGroupOffsetsRequestGroup, DescribeShareGroupOffsetsRequestTopic,
};
use protocol::messages::{
    AlterShareGroupOffsetsRequest, ConsumerGroupDescribeRequest, DeleteGroupsRequest,
    DeleteShareGroupOffsetsRequest, DescribeGroupsRequest, DescribeShareGroupOffsetsRequest,
    ListGroupsRequest, ShareGroupDescribeRequest, ShareGroupHeartbeatRequest, ShareGroupHeartbeatResponse,
};

use super::group_membership::wait_for_coordinator;
use super::group_offsets::{committing, deleting};
use super::produce::{batch, producing};
use crate::session::Session;

const GROUP: &str = "sharers";
const PATIENCE: Duration = Duration::from_secs(20);

pub fn ask(session: &mut Session) -> Result<()> {
    session.create_topic("plain", 2)?;
    session.create_topic("other", 1)?;
    session.quietly(9, producing("plain", 0, batch(&["a", "b", "c"])))?;
    wait_for_coordinator(session)?;
    refused(session)?;
    members(session)?;
    seen_from_elsewhere(session)?;
    offsets_while_there_are_members(session)?;
    for member in ["member-a", "member-b"] {
        session.ask(&format!("{member} leaves"), 1, beating(member, -1))?;
    }
    session.ask("describe it when all have left", 1, describing(&[GROUP]))?;
    offsets(session)?;
    deletion(session)
}

fn refused(session: &mut Session) -> Result<()> {
    let with = |change: &dyn Fn(&mut ShareGroupHeartbeatRequest)| {
        let mut request = joining("member-a");
        request.group_id = "refused".to_owned();
        change(&mut request);
        request
    };
    for (name, request) in [
        ("no group", with(&|beat| beat.group_id.clear())),
        ("no member id", with(&|beat| beat.member_id.clear())),
        ("a long member id", with(&|beat| beat.member_id = "m".repeat(37))),
        ("an empty rack", with(&|beat| beat.rack_id = Some(String::new()))),
        ("no subscription", with(&|beat| beat.subscribed_topic_names = None)),
        ("an empty subscription", with(&|beat| beat.subscribed_topic_names = Some(Vec::new()))),
        ("an epoch below -1", with(&|beat| beat.member_epoch = -2)),
        ("a member that leaves a group nobody knows", with(&|beat| beat.member_epoch = -1)),
        ("an epoch in a group nobody knows", with(&|beat| beat.member_epoch = 4)),
    ] {
        session.ask_showing(&format!("join with {name}"), 1, request, show)?;
    }
    Ok(())
}

fn members(session: &mut Session) -> Result<()> {
    session.ask_showing("the first member joins", 1, joining("member-a"), show)?;
    let epoch = settle(session, "member-a", 2)?;
    session.ask("a plain heartbeat", 1, beating("member-a", epoch))?;
    session.ask(
        "the same subscription again",
        1,
        ShareGroupHeartbeatRequest {
            subscribed_topic_names: Some(vec!["plain".to_owned()]),
            ..beating("member-a", epoch)
        },
    )?;
    session.ask("an epoch too high", 1, beating("member-a", epoch + 1))?;
    session.ask("an old epoch", 1, beating("member-a", epoch - 1))?;
    session.ask("somebody unknown", 1, beating("nobody", epoch))?;
    session.ask("somebody unknown leaves", 1, beating("nobody", -1))?;
    session.ask("join again under the same id", 1, joining("member-a"))?;
    session.ask("describe", 1, describing(&[GROUP]))?;
    session.ask_showing("the second member joins", 1, joining("member-b"), show)?;
    // Both are done when the first has given up what the second gets.
    for member in ["member-b", "member-a", "member-b"] {
        settle(session, member, 1)?;
    }
    session.ask("describe the two", 1, describing(&[GROUP]))?;
    session.ask("describe nobody's group", 1, describing(&["unknown"]))?;
    session.ask("describe a group without a name", 1, describing(&[""]))?;
    session.ask("describe no groups", 1, describing(&[]))?;
    let all = ShareGroupDescribeRequest { include_authorized_operations: true, ..describing(&[GROUP]) };
    session.ask("describe with authorized operations", 1, all)?;
    Ok(())
}

fn seen_from_elsewhere(session: &mut Session) -> Result<()> {
    let listing = |states: &[&str], types: &[&str]| ListGroupsRequest {
        states_filter: states.iter().map(|state| (*state).to_owned()).collect(),
        types_filter: types.iter().map(|kind| (*kind).to_owned()).collect(),
        ..Default::default()
    };
    session.ask("list share groups", 5, listing(&[], &["share"]))?;
    session.ask("list stable share groups", 5, listing(&["Stable"], &["Share"]))?;
    session.ask("list dead share groups", 5, listing(&["Dead"], &["Share"]))?;
    session.ask("list before types", 4, listing(&[], &[]))?;
    session.ask("list before states", 3, listing(&[], &[]))?;
    let classic = DescribeGroupsRequest { groups: vec![GROUP.to_owned()], ..Default::default() };
    session.ask("describe it as a classic group", 6, classic)?;
    let consumer = ConsumerGroupDescribeRequest { group_ids: vec![GROUP.to_owned()], ..Default::default() };
    session.ask("describe it as a consumer group", 1, consumer)?;
    session.ask("a consumer's offsets", 9, committing(GROUP, "plain", &[(0, 1, None)]))?;
    session.ask("a consumer's offsets are deleted", 0, deleting(GROUP, "plain", &[0]))?;
    Ok(())
}

fn offsets_while_there_are_members(session: &mut Session) -> Result<()> {
    session.ask("alter offsets while there are members", 0, altering(GROUP, &[("plain", &[(0, 0)])]))?;
    session.ask("delete offsets while there are members", 0, forgetting(GROUP, &["plain"]))?;
    session.ask("delete it while there are members", 3, dooming(GROUP))?;
    Ok(())
}

fn offsets(session: &mut Session) -> Result<()> {
    for version in 0..=1 {
        let named = asking(GROUP, Some(&[("plain", &[0, 1])]));
        session.ask(&format!("offsets that nobody has set, version {version}"), version, named)?;
    }
    session.ask("all offsets before there are any", 1, asking(GROUP, None))?;
    session.ask("alter offsets", 0, altering(GROUP, &[("plain", &[(0, 2), (1, 0)])]))?;
    for version in 0..=1 {
        let named = asking(GROUP, Some(&[("plain", &[0, 1])]));
        session.ask(&format!("offsets, version {version}"), version, named)?;
    }
    session.ask("all offsets", 1, asking(GROUP, None))?;
    session.ask("offsets of an unknown topic", 1, asking(GROUP, Some(&[("unknown", &[0])])))?;
    session.ask("offsets of an unknown partition", 1, asking(GROUP, Some(&[("plain", &[7])])))?;
    session.ask("offsets of a topic that it does not read", 1, asking(GROUP, Some(&[("other", &[0])])))?;
    session.ask("offsets of a group nobody knows", 1, asking("unknown", Some(&[("plain", &[0])])))?;
    session.ask("all offsets of a group nobody knows", 1, asking("unknown", None))?;
    session.ask("offsets of no topics", 1, asking(GROUP, Some(&[])))?;
    session.ask("offsets of a group without a name", 1, asking("", None))?;
    session.ask("offsets of no groups", 1, DescribeShareGroupOffsetsRequest::default())?;
    session.ask("alter offsets of an unknown topic", 0, altering(GROUP, &[("unknown", &[(0, 0)])]))?;
    session.ask("alter offsets of an unknown partition", 0, altering(GROUP, &[("plain", &[(7, 0)])]))?;
    session.ask(
        "alter offsets of known and unknown topics",
        0,
        altering(GROUP, &[("unknown", &[(0, 0)]), ("plain", &[(0, 1)])]),
    )?;
    session.ask(
        "alter offsets of a topic that it does not read",
        0,
        altering(GROUP, &[("other", &[(0, 0)])]),
    )?;
    session.ask("alter offsets of a group nobody knows", 0, altering("made", &[("plain", &[(0, 1)])]))?;
    session.ask("a group that came of it", 1, describing(&["made"]))?;
    session.ask("alter offsets of a group without a name", 0, altering("", &[("plain", &[(0, 1)])]))?;
    session.ask("alter no offsets", 0, altering(GROUP, &[]))?;
    session.ask("delete offsets of an unknown topic", 0, forgetting(GROUP, &["unknown"]))?;
    session.ask("delete offsets of a group nobody knows", 0, forgetting("unknown", &["plain"]))?;
    session.ask("delete offsets of a group without a name", 0, forgetting("", &["plain"]))?;
    session.ask("delete no offsets", 0, forgetting(GROUP, &[]))?;
    session.ask("delete offsets", 0, forgetting(GROUP, &["plain"]))?;
    session.ask("delete offsets again", 0, forgetting(GROUP, &["plain"]))?;
    session.ask("offsets that were deleted", 1, asking(GROUP, Some(&[("plain", &[0])])))?;
    Ok(())
}

fn deletion(session: &mut Session) -> Result<()> {
    session.ask("delete it", 2, dooming(GROUP))?;
    session.ask("delete it again", 3, dooming(GROUP))?;
    session.ask("describe it when it is deleted", 1, describing(&[GROUP]))?;
    Ok(())
}

/// Beats until the member has `count` partitions and the group's epoch, which is returned.
fn settle(session: &mut Session, member: &str, count: usize) -> Result<i32> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let described = session.quietly(1, describing(&[GROUP]))?;
        let group = described.groups.first().context("the group")?;
        let known = group.members.iter().find(|known| known.member_id == member).context("the member")?;
        let subscribed = ShareGroupHeartbeatRequest {
            subscribed_topic_names: Some(vec!["plain".to_owned()]),
            ..beating(member, known.member_epoch)
        };
        let response = session.quietly(1, subscribed)?;
        let topics = response.assignment.iter().flat_map(|assignment| &assignment.topic_partitions);
        let has_all = topics.map(|topic| topic.partitions.len()).sum::<usize>() == count;
        if has_all && response.member_epoch == group.group_epoch {
            return Ok(response.member_epoch);
        }
        ensure!(Instant::now() < deadline, "{member} does not settle: {described:?} {response:?}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// A first answer, whose assignment may come with it or with a later one.
fn show(response: &ShareGroupHeartbeatResponse) -> String {
    let mut response = response.clone();
    response.assignment = None;
    if response.error_code == 0 {
        response.member_epoch = 0;
    }
    format!("{response:#?}")
}

fn joining(member: &str) -> ShareGroupHeartbeatRequest {
    ShareGroupHeartbeatRequest {
        subscribed_topic_names: Some(vec!["plain".to_owned()]),
        ..beating(member, 0)
    }
}

fn beating(member: &str, member_epoch: i32) -> ShareGroupHeartbeatRequest {
    ShareGroupHeartbeatRequest {
        group_id: GROUP.to_owned(),
        member_id: member.to_owned(),
        member_epoch,
        ..Default::default()
    }
}

fn describing(groups: &[&str]) -> ShareGroupDescribeRequest {
    ShareGroupDescribeRequest {
        group_ids: groups.iter().map(|group| (*group).to_owned()).collect(),
        ..Default::default()
    }
}

fn asking(group: &str, topics: Option<&[(&str, &[i32])]>) -> DescribeShareGroupOffsetsRequest {
    let topic = |(name, partitions): &(&str, &[i32])| DescribeShareGroupOffsetsRequestTopic {
        topic_name: (*name).to_owned(),
        partitions: partitions.to_vec(),
        ..Default::default()
    };
    let group = DescribeShareGroupOffsetsRequestGroup {
        group_id: group.to_owned(),
        topics: topics.map(|topics| topics.iter().map(topic).collect()),
        ..Default::default()
    };
    DescribeShareGroupOffsetsRequest { groups: vec![group], ..Default::default() }
}

fn altering(group: &str, topics: &[(&str, &[(i32, i64)])]) -> AlterShareGroupOffsetsRequest {
    let partition = |(index, offset): &(i32, i64)| AlterShareGroupOffsetsRequestPartition {
        partition_index: *index,
        start_offset: *offset,
        ..Default::default()
    };
    let topic = |(name, offsets): &(&str, &[(i32, i64)])| AlterShareGroupOffsetsRequestTopic {
        topic_name: (*name).to_owned(),
        partitions: offsets.iter().map(partition).collect(),
        ..Default::default()
    };
    AlterShareGroupOffsetsRequest {
        group_id: group.to_owned(),
        topics: topics.iter().map(topic).collect(),
        ..Default::default()
    }
}

fn forgetting(group: &str, topics: &[&str]) -> DeleteShareGroupOffsetsRequest {
    let topic = |name: &&str| DeleteShareGroupOffsetsRequestTopic {
        topic_name: (*name).to_owned(),
        ..Default::default()
    };
    DeleteShareGroupOffsetsRequest {
        group_id: group.to_owned(),
        topics: topics.iter().map(topic).collect(),
        ..Default::default()
    }
}

fn dooming(group: &str) -> DeleteGroupsRequest {
    DeleteGroupsRequest { groups_names: vec![group.to_owned()], ..Default::default() }
}
