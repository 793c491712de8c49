//! ConsumerGroupHeartbeat, ConsumerGroupDescribe (KIP-848), and what other APIs say to a consumer group.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use protocol::Uuid;
use protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use protocol::messages::{
    ConsumerGroupDescribeRequest, ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse,
    DeleteGroupsRequest, DescribeGroupsRequest, ListGroupsRequest, OffsetCommitRequest,
};

use super::group_membership::{beating as classic_beat, joining, leaving, wait_for_coordinator};
use super::group_offsets::{committing, deleting};
use crate::session::Session;

const GROUP: &str = "consumers";
const PATIENCE: Duration = Duration::from_secs(20);

pub fn ask(session: &mut Session) -> Result<()> {
    let id = session.create_topic("plain", 2)?;
    session.create_topic("other", 1)?;
    wait_for_coordinator(session)?;
    refused(session)?;
    one_member(session, id)?;
    two_members(session, id)?;
    offsets(session, id)?;
    seen_from_elsewhere(session)?;
    static_members(session, id)?;
    expressions(session)?;
    leave(session)
}

fn refused(session: &mut Session) -> Result<()> {
    let with = |change: &dyn Fn(&mut ConsumerGroupHeartbeatRequest)| {
        let mut request = joining_as("member-a");
        change(&mut request);
        request
    };
    for (name, request) in [
        ("no group", with(&|beat| beat.group_id.clear())),
        ("no member id", with(&|beat| beat.member_id.clear())),
        ("an empty instance id", with(&|beat| beat.instance_id = Some(String::new()))),
        ("an empty rack", with(&|beat| beat.rack_id = Some(String::new()))),
        ("no rebalance timeout", with(&|beat| beat.rebalance_timeout_ms = -1)),
        ("no subscription", with(&|beat| beat.subscribed_topic_names = None)),
        ("an empty subscription", with(&|beat| beat.subscribed_topic_names = Some(Vec::new()))),
        ("no partitions", with(&|beat| beat.topic_partitions = None)),
        (
            "partitions owned at once",
            with(&|beat| beat.topic_partitions = Some(owned(Uuid::from_u128(9), &[0]))),
        ),
        ("an unknown assignor", with(&|beat| beat.server_assignor = Some("best".to_owned()))),
        ("an empty assignor", with(&|beat| beat.server_assignor = Some(String::new()))),
        ("an epoch below -2", with(&|beat| beat.member_epoch = -3)),
        ("epoch -2 without an instance id", with(&|beat| beat.member_epoch = -2)),
        ("a member that leaves a group nobody knows", with(&|beat| beat.member_epoch = -1)),
        ("an epoch in a group nobody knows", beating("member-a", 4)),
        ("a wrong expression", with(&|beat| beat.subscribed_topic_regex = Some("[".to_owned()))),
        ("an illegal topic", with(&|beat| beat.subscribed_topic_names = Some(vec!["a b".to_owned()]))),
    ] {
        // What would make a group gets one of its own.
        let request = match request.group_id.as_str() {
            "" => request,
            _ => ConsumerGroupHeartbeatRequest { group_id: "refused".to_owned(), ..request },
        };
        session.ask_showing(&format!("join with {name}"), 1, request, show)?;
    }
    session.ask_showing(
        "version 0 without a member id",
        0,
        with(&|beat| {
            beat.group_id = "old-version".to_owned();
            beat.member_id.clear();
        }),
        show,
    )?;
    Ok(())
}

fn one_member(session: &mut Session, id: Uuid) -> Result<()> {
    session.ask_showing("the first member joins", 1, joining_as("member-a"), show)?;
    let epoch = settle(session, "member-a", 2)?;
    session.ask("the first member is settled", 1, with_owned("member-a", epoch, id, &[0, 1]))?;
    session.ask("a plain heartbeat", 1, beating("member-a", epoch))?;
    session.ask("an epoch too high", 1, beating("member-a", epoch + 1))?;
    session.ask("an old epoch", 1, beating("member-a", epoch - 1))?;
    session.ask("somebody unknown", 1, beating("nobody", epoch))?;
    session.ask("somebody unknown leaves", 1, beating("nobody", -1))?;
    session.ask("join again under the same id", 1, joining_as("member-a"))?;
    for version in 0..=1 {
        session.ask(&format!("describe, version {version}"), version, describing(&[GROUP]))?;
    }
    session.ask("describe nobody's group", 1, describing(&["unknown"]))?;
    session.ask("describe a group without a name", 1, describing(&[""]))?;
    session.ask("describe no groups", 1, describing(&[]))?;
    let all = ConsumerGroupDescribeRequest { include_authorized_operations: true, ..describing(&[GROUP]) };
    session.ask("describe with authorized operations", 1, all)?;
    Ok(())
}

/// The second member gets half once the first has given it up.
fn two_members(session: &mut Session, id: Uuid) -> Result<()> {
    session.ask_showing("the second member joins", 1, joining_as("member-b"), show)?;
    let asked = ConsumerGroupHeartbeatRequest {
        topic_partitions: Some(owned(id, &[0, 1])),
        ..beating("member-a", described_epoch(session, "member-a")?)
    };
    let revoking = session.ask_until("the first member is to give up a partition", 1, asked, |response| {
        response.assignment.as_ref().is_some_and(|assignment| {
            assignment.topic_partitions.iter().map(|topic| topic.partitions.len()).sum::<usize>() == 1
        })
    })?;
    let before = revoking.member_epoch;
    let keeps = revoking.assignment.map(|assignment| assignment.topic_partitions).unwrap_or_default();
    let keeps: Vec<i32> = keeps.into_iter().flat_map(|topic| topic.partitions).collect();
    let waiting = described_epoch(session, "member-b")?;
    session.ask("the second member waits", 1, beating("member-b", waiting))?;
    session.ask("describe while a partition moves", 1, describing(&[GROUP]))?;
    session.ask("the first member has given it up", 1, with_owned("member-a", before, id, &keeps))?;
    let settled = settle(session, "member-b", 1)?;
    let others: Vec<i32> = [0, 1].into_iter().filter(|partition| !keeps.contains(partition)).collect();
    session.ask("the second member has it", 1, with_owned("member-b", settled, id, &others))?;
    session.ask("describe the two", 1, describing(&[GROUP]))?;
    Ok(())
}

fn offsets(session: &mut Session, id: Uuid) -> Result<()> {
    let epoch = described_epoch(session, "member-a")?;
    let by_member = |epoch: i32, version: i16| {
        let mut request = OffsetCommitRequest {
            generation_id_or_member_epoch: epoch,
            member_id: "member-a".to_owned(),
            ..committing(GROUP, if version < 10 { "plain" } else { "" }, &[(0, 3, Some("a note"))])
        };
        if version >= 10 {
            request.topics[0].topic_id = id;
        }
        request
    };
    for version in 8..=10 {
        session.ask(&format!("a member commits, version {version}"), version, by_member(epoch, version))?;
        let stale = by_member(epoch - 1, version);
        session.ask(&format!("a member commits with an old epoch, version {version}"), version, stale)?;
        let early = by_member(epoch + 1, version);
        session.ask(&format!("a member commits with an epoch to come, version {version}"), version, early)?;
    }
    let mut stranger = by_member(epoch, 10);
    stranger.member_id = "nobody".to_owned();
    session.ask("somebody unknown commits", 10, stranger)?;
    session.ask("nobody commits for a group with members", 9, committing(GROUP, "plain", &[(0, 1, None)]))?;
    session.ask("offsets of a topic that is read are deleted", 0, deleting(GROUP, "plain", &[0]))?;
    Ok(())
}

fn seen_from_elsewhere(session: &mut Session) -> Result<()> {
    let listing = |states: &[&str], types: &[&str]| ListGroupsRequest {
        states_filter: states.iter().map(|state| (*state).to_owned()).collect(),
        types_filter: types.iter().map(|kind| (*kind).to_owned()).collect(),
        ..Default::default()
    };
    session.ask("list consumer groups", 5, listing(&[], &["consumer"]))?;
    session.ask("list classic groups", 5, listing(&[], &["Classic"]))?;
    session.ask("list stable consumer groups", 5, listing(&["stable"], &["CONSUMER"]))?;
    session.ask("list reconciling consumer groups", 4, listing(&["Reconciling"], &[]))?;
    session.ask("list assigning share groups", 5, listing(&["Assigning"], &["share", "streams"]))?;
    let classic = DescribeGroupsRequest { groups: vec![GROUP.to_owned()], ..Default::default() };
    session.ask("describe it as a classic group", 5, classic.clone())?;
    session.ask("describe it as a classic group, version 6", 6, classic)?;
    let doomed = DeleteGroupsRequest { groups_names: vec![GROUP.to_owned()], ..Default::default() };
    session.ask("delete a group with members", 2, doomed.clone())?;
    session.ask("delete a group with members, version 3", 3, doomed)?;
    session.ask("a classic heartbeat", 4, classic_beat(GROUP, 1, "member-a"))?;
    session.ask("a classic member joins, whose metadata says nothing", 9, joining(GROUP, "stranger"))?;
    session.ask("a classic member leaves", 5, leaving(GROUP, &["member-b", "nobody"]))?;
    Ok(())
}

fn static_members(session: &mut Session, id: Uuid) -> Result<()> {
    let as_instance = |member: &str, epoch: i32| ConsumerGroupHeartbeatRequest {
        group_id: "statics".to_owned(),
        instance_id: Some("place-1".to_owned()),
        ..if epoch == 0 { joining_as(member) } else { beating(member, epoch) }
    };
    session.ask_showing("a static member joins", 1, as_instance("static-a", 0), show)?;
    let epoch = settle_in(session, "statics", as_instance("static-a", 0), 2)?;
    let owning = ConsumerGroupHeartbeatRequest {
        topic_partitions: Some(owned(id, &[0, 1])),
        ..as_instance("static-a", epoch)
    };
    session.ask("a static member is settled", 1, owning)?;
    session.ask("its place is taken", 1, as_instance("static-b", 0))?;
    session.ask("a static member goes for a while", 1, as_instance("static-a", -2))?;
    session.ask("describe a group whose static member is away", 1, describing(&["statics"]))?;
    session.ask("a static member returns under another id", 1, as_instance("static-b", 0))?;
    session.ask("the old id is fenced", 1, as_instance("static-a", epoch))?;
    session.ask("the old id cannot leave", 1, as_instance("static-a", -1))?;
    session.ask(
        "another instance id",
        1,
        ConsumerGroupHeartbeatRequest {
            instance_id: Some("place-2".to_owned()),
            ..as_instance("static-b", epoch)
        },
    )?;
    session.ask("a static member leaves for good", 1, as_instance("static-b", -1))?;
    session.ask("describe a group that is empty", 1, describing(&["statics"]))?;
    Ok(())
}

fn expressions(session: &mut Session) -> Result<()> {
    let expression = |text: &str, epoch: i32| ConsumerGroupHeartbeatRequest {
        group_id: "expressions".to_owned(),
        subscribed_topic_names: None,
        subscribed_topic_regex: Some(text.to_owned()),
        ..if epoch == 0 { joining_as("member-r") } else { beating("member-r", epoch) }
    };
    session.ask_showing("join with an expression", 1, expression("oth.*", 0), show)?;
    let epoch = settle_in(session, "expressions", expression("oth.*", 0), 1)?;
    session.ask("change to a wrong expression", 1, expression("(", epoch))?;
    session.ask("describe a group with an expression", 1, describing(&["expressions"]))?;
    session.ask("describe a group with an expression, version 0", 0, describing(&["expressions"]))?;
    Ok(())
}

fn leave(session: &mut Session) -> Result<()> {
    session.ask("the first member leaves", 1, beating("member-a", -1))?;
    session.ask("the first member leaves again", 1, beating("member-a", -1))?;
    session.ask("the last member leaves", 1, beating("member-b", -1))?;
    session.ask("describe it when all have left", 1, describing(&[GROUP]))?;
    session.ask("offsets can be deleted now", 0, deleting(GROUP, "plain", &[0]))?;
    let doomed = DeleteGroupsRequest { groups_names: vec![GROUP.to_owned()], ..Default::default() };
    session.ask("delete it", 2, doomed.clone())?;
    session.ask("delete it again", 2, doomed)?;
    session.ask("describe it when it is deleted", 1, describing(&[GROUP]))?;
    Ok(())
}

/// Beats until the member has `count` partitions and the group's epoch, which is returned.
fn settle(session: &mut Session, member: &str, count: usize) -> Result<i32> {
    settle_in(session, GROUP, joining_as(member), count)
}

fn settle_in(
    session: &mut Session,
    group: &str,
    request: ConsumerGroupHeartbeatRequest,
    count: usize,
) -> Result<i32> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let described = session.quietly(1, describing(&[group]))?;
        let group = described.groups.first().context("the group")?;
        let known = group.members.iter().find(|member| member.member_id == request.member_id);
        // A request that says everything is answered with everything.
        let beat = ConsumerGroupHeartbeatRequest {
            group_id: group.group_id.clone(),
            member_epoch: known.context("the member")?.member_epoch,
            ..request.clone()
        };
        let response = session.quietly(1, beat)?;
        let topics = response.assignment.iter().flat_map(|assignment| &assignment.topic_partitions);
        let has_all = topics.map(|topic| topic.partitions.len()).sum::<usize>() == count;
        if has_all && response.member_epoch == group.group_epoch {
            return Ok(response.member_epoch);
        }
        ensure!(Instant::now() < deadline, "{request:?} does not settle: {described:?} {response:?}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// The epoch that the group's description gives the member.
fn described_epoch(session: &mut Session, member: &str) -> Result<i32> {
    let described = session.quietly(1, describing(&[GROUP]))?;
    let mut members = described.groups.iter().flat_map(|group| &group.members);
    Ok(members.find(|known| known.member_id == member).map_or(-9, |known| known.member_epoch))
}

/// A first answer, whose assignment may come with it or with a later one.
fn show(response: &ConsumerGroupHeartbeatResponse) -> String {
    let mut response = response.clone();
    response.assignment = None;
    if response.error_code == 0 {
        response.member_epoch = 0;
    }
    if response
        .member_id
        .as_ref()
        .is_some_and(|member| !member.starts_with("member") && !member.starts_with("static"))
    {
        response.member_id = Some("GIVEN".to_owned());
    }
    format!("{response:#?}")
}

fn joining_as(member: &str) -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest {
        rebalance_timeout_ms: 60_000,
        subscribed_topic_names: Some(vec!["plain".to_owned()]),
        topic_partitions: Some(Vec::new()),
        ..beating(member, 0)
    }
}

fn beating(member: &str, member_epoch: i32) -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest {
        group_id: GROUP.to_owned(),
        member_id: member.to_owned(),
        member_epoch,
        ..Default::default()
    }
}

fn with_owned(member: &str, epoch: i32, id: Uuid, partitions: &[i32]) -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest { topic_partitions: Some(owned(id, partitions)), ..beating(member, epoch) }
}

fn owned(topic_id: Uuid, partitions: &[i32]) -> Vec<TopicPartitions> {
    vec![TopicPartitions { topic_id, partitions: partitions.to_vec(), ..Default::default() }]
}

fn describing(groups: &[&str]) -> ConsumerGroupDescribeRequest {
    ConsumerGroupDescribeRequest {
        group_ids: groups.iter().map(|group| (*group).to_owned()).collect(),
        ..Default::default()
    }
}
