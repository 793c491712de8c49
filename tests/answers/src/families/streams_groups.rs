//! StreamsGroupHeartbeat, StreamsGroupDescribe (KIP-1071) and StreamsGroupTopologyDescriptionUpdate (KIP-1331).

use anyhow::Result;
use protocol::messages::streams_group_heartbeat_request::{
    CopartitionGroup, Endpoint, Subtopology, TaskIds, TopicInfo, Topology,
};
use protocol::messages::streams_group_topology_description_update_request::{
    TopologyDescription, TopologyDescriptionNode, TopologyDescriptionSubtopology,
};
use protocol::messages::{
    DeleteGroupsRequest, DescribeGroupsRequest, ListGroupsRequest, OffsetCommitRequest,
    StreamsGroupDescribeRequest, StreamsGroupHeartbeatRequest, StreamsGroupHeartbeatResponse,
    StreamsGroupTopologyDescriptionUpdateRequest,
};

use super::group_membership::wait_for_coordinator;
use super::group_offsets::{committing, deleting};
use crate::session::Session;

const GROUP: &str = "streamers";

pub fn ask(session: &mut Session) -> Result<()> {
    session.create_topic("lines", 2)?;
    wait_for_coordinator(session)?;
    refused(session)?;
    missing_topics(session)?;
    one_member(session)?;
    second_member(session)?;
    topology_descriptions(session)?;
    seen_from_elsewhere(session)?;
    leave(session)
}

fn refused(session: &mut Session) -> Result<()> {
    let with = |change: &dyn Fn(&mut StreamsGroupHeartbeatRequest)| {
        let mut request = joining("member-a");
        request.group_id = "refused".to_owned();
        change(&mut request);
        request
    };
    let topology = |change: &dyn Fn(&mut Topology)| {
        let mut topology = counting();
        change(&mut topology);
        with(&|beat| beat.topology = Some(topology.clone()))
    };
    for (name, request) in [
        ("no group", with(&|beat| beat.group_id.clear())),
        ("no member id", with(&|beat| beat.member_id.clear())),
        ("a long member id", with(&|beat| beat.member_id = "m".repeat(37))),
        ("an empty instance id", with(&|beat| beat.instance_id = Some(String::new()))),
        ("an empty rack", with(&|beat| beat.rack_id = Some(String::new()))),
        ("no rebalance timeout", with(&|beat| beat.rebalance_timeout_ms = -1)),
        ("no topology", with(&|beat| beat.topology = None)),
        ("no tasks", with(&|beat| beat.active_tasks = None)),
        ("no standby tasks", with(&|beat| beat.standby_tasks = None)),
        ("no warm-up tasks", with(&|beat| beat.warmup_tasks = None)),
        ("tasks owned at once", with(&|beat| beat.active_tasks = Some(tasks("0", &[0])))),
        ("no process id", with(&|beat| beat.process_id = None)),
        ("an empty process id", with(&|beat| beat.process_id = Some(String::new()))),
        ("an epoch below -2", with(&|beat| beat.member_epoch = -3)),
        ("epoch -2 without an instance id", with(&|beat| beat.member_epoch = -2)),
        ("a member that leaves a group nobody knows", with(&|beat| beat.member_epoch = -1)),
        (
            "an epoch in a group nobody knows",
            StreamsGroupHeartbeatRequest { group_id: "refused".to_owned(), ..beating("member-a", 4) },
        ),
        ("a topology outside a join", with(&|beat| beat.member_epoch = 3)),
        ("an empty topology", topology(&|topology| topology.subtopologies.clear())),
        (
            "a subtopology twice",
            topology(&|topology| {
                let first = topology.subtopologies[0].clone();
                topology.subtopologies.push(first);
            }),
        ),
        ("a negative topology epoch", topology(&|topology| topology.epoch = -1)),
        (
            "a number of partitions for a changelog",
            topology(&|topology| {
                topology.subtopologies[1].state_changelog_topics[0].partitions = 3;
            }),
        ),
        (
            "a copartition group beyond the topics",
            topology(&|topology| {
                let group = CopartitionGroup { source_topics: vec![9], ..Default::default() };
                topology.subtopologies[0].copartition_groups.push(group);
            }),
        ),
        (
            "an illegal internal topic",
            topology(&|topology| {
                topology.subtopologies[1].state_changelog_topics[0].name = "a b".to_owned();
            }),
        ),
        (
            "an illegal source topic",
            topology(&|topology| {
                topology.subtopologies[0].source_topics = vec!["a b".to_owned()];
            }),
        ),
    ] {
        session.ask_showing(&format!("join with {name}"), 1, request, show)?;
    }
    // Some were let in.
    let leaving = StreamsGroupHeartbeatRequest { group_id: "refused".to_owned(), ..beating("member-a", -1) };
    session.ask_showing("leave", 1, leaving, show)?;
    Ok(())
}

fn missing_topics(session: &mut Session) -> Result<()> {
    let mut topology = counting();
    topology.subtopologies[0].source_topics = vec!["unknown".to_owned()];
    let request = StreamsGroupHeartbeatRequest {
        group_id: "sourceless".to_owned(),
        topology: Some(topology),
        ..joining("member-s")
    };
    session.ask("a source topic is missing", 1, request)?;
    session.ask("describe a group that is not ready", 1, describing(&["sourceless"]))?;
    Ok(())
}

fn one_member(session: &mut Session) -> Result<()> {
    session.ask_showing("internal topics are missing", 1, joining("member-a"), show)?;
    for topic in ["streamers-words-repartition", "streamers-counts-changelog"] {
        session.wait_for_topic(topic)?;
    }
    let epoch = settle(session, "member-a", 4)?;
    let owning = StreamsGroupHeartbeatRequest {
        active_tasks: Some([tasks("0", &[0, 1]), tasks("1", &[0, 1])].concat()),
        standby_tasks: Some(Vec::new()),
        warmup_tasks: Some(Vec::new()),
        ..beating("member-a", epoch)
    };
    for version in 0..=1 {
        session.ask(&format!("a member that has everything, version {version}"), version, owning.clone())?;
    }
    session.ask("a plain heartbeat", 1, beating("member-a", epoch))?;
    session.ask("an epoch too high", 1, beating("member-a", epoch + 1))?;
    session.ask("an old epoch", 1, beating("member-a", epoch - 1))?;
    session.ask("somebody unknown", 1, beating("nobody", epoch))?;
    for version in 0..=1 {
        session.ask(&format!("describe, version {version}"), version, describing(&[GROUP]))?;
    }
    let all = StreamsGroupDescribeRequest {
        include_authorized_operations: true,
        include_topology_description: true,
        ..describing(&[GROUP])
    };
    session.ask("describe with everything", 1, all)?;
    session.ask("describe nobody's group", 1, describing(&["unknown"]))?;
    session.ask("describe a group without a name", 1, describing(&[""]))?;
    session.ask("describe no groups", 1, describing(&[]))?;
    Ok(())
}

fn second_member(session: &mut Session) -> Result<()> {
    let mut changed = counting();
    changed.subtopologies[0].source_topics = vec!["other".to_owned()];
    let request = StreamsGroupHeartbeatRequest { topology: Some(changed), ..joining("member-c") };
    session.ask_showing("another topology under the same epoch", 1, request, show)?;
    let mut newer = counting();
    newer.epoch = 3;
    let request = StreamsGroupHeartbeatRequest { topology: Some(newer), ..joining("member-c") };
    session.ask_showing("a newer topology", 1, request, show)?;
    session.ask("the newcomer leaves", 1, beating("member-c", -1))?;
    let request = StreamsGroupHeartbeatRequest {
        user_endpoint: Some(Endpoint { host: "localhost".to_owned(), port: 9_999, ..Default::default() }),
        ..joining("member-b")
    };
    session.ask_showing("a second member with an endpoint", 1, request, show)?;
    session.ask(
        "a member asks everybody to stop",
        1,
        StreamsGroupHeartbeatRequest { shutdown_application: true, ..beating("member-b", -1) },
    )?;
    Ok(())
}

fn topology_descriptions(session: &mut Session) -> Result<()> {
    let node = TopologyDescriptionNode {
        name: "source".to_owned(),
        source_topics: vec!["lines".to_owned()],
        ..Default::default()
    };
    let subtopology = TopologyDescriptionSubtopology {
        subtopology_id: "0".to_owned(),
        nodes: vec![node],
        ..Default::default()
    };
    let telling =
        |group: &str, member: &str, topology_epoch: i32| StreamsGroupTopologyDescriptionUpdateRequest {
            group_id: group.to_owned(),
            member_id: member.to_owned(),
            topology_epoch,
            topology_description: TopologyDescription {
                subtopologies: vec![subtopology.clone()],
                ..Default::default()
            },
            ..Default::default()
        };
    session.ask("a member describes the topology", 0, telling(GROUP, "member-a", 0))?;
    session.ask("a topology of another epoch", 0, telling(GROUP, "member-a", 5))?;
    session.ask("somebody unknown describes the topology", 0, telling(GROUP, "nobody", 0))?;
    session.ask("a topology of a group nobody knows", 0, telling("unknown", "member-a", 0))?;
    session.ask("a topology of a group without a name", 0, telling("", "member-a", 0))?;
    session.ask("a topology without a member", 0, telling(GROUP, "", 0))?;
    session.ask("a topology with a negative epoch", 0, telling(GROUP, "member-a", -1))?;
    session.ask(
        "describe afterwards",
        1,
        StreamsGroupDescribeRequest { include_topology_description: true, ..describing(&[GROUP]) },
    )?;
    Ok(())
}

fn seen_from_elsewhere(session: &mut Session) -> Result<()> {
    let listing = |states: &[&str], types: &[&str]| ListGroupsRequest {
        states_filter: states.iter().map(|state| (*state).to_owned()).collect(),
        types_filter: types.iter().map(|kind| (*kind).to_owned()).collect(),
        ..Default::default()
    };
    session.ask("list groups that are not ready", 5, listing(&["NotReady"], &["streams"]))?;
    session.ask("list groups that are not_ready", 5, listing(&["not_ready"], &[]))?;
    session.ask("list groups that are not ready, in other letters", 5, listing(&["notready"], &[]))?;
    let classic = DescribeGroupsRequest { groups: vec![GROUP.to_owned()], ..Default::default() };
    session.ask("describe it as a classic group", 6, classic)?;
    let epoch = described_epoch(session, "member-a")?;
    let commit = |epoch: i32| OffsetCommitRequest {
        generation_id_or_member_epoch: epoch,
        member_id: "member-a".to_owned(),
        ..committing(GROUP, "lines", &[(0, 3, None)])
    };
    session.ask("a member commits", 9, commit(epoch))?;
    session.ask("a member commits with an old epoch", 9, commit(epoch - 1))?;
    session.ask("a member commits with an epoch to come", 9, commit(epoch + 1))?;
    session.ask("offsets of a topic that is read are deleted", 0, deleting(GROUP, "lines", &[0]))?;
    session.ask("delete a group with members", 2, dooming(GROUP))?;
    Ok(())
}

fn leave(session: &mut Session) -> Result<()> {
    session.ask("the last member leaves", 1, beating("member-a", -1))?;
    session.ask("the last member leaves again", 1, beating("member-a", -1))?;
    session.ask("describe it when all have left", 1, describing(&[GROUP]))?;
    session.ask("offsets can be deleted now", 0, deleting(GROUP, "lines", &[0]))?;
    session.ask("delete it", 3, dooming(GROUP))?;
    session.ask("delete it again", 3, dooming(GROUP))?;
    Ok(())
}

/// Beats until the member has `count` active tasks and the newest epoch, which is returned.
fn settle(session: &mut Session, member: &str, count: usize) -> Result<i32> {
    session.until(1, joining(member), |response| {
        let active = response.active_tasks.iter().flatten();
        active.map(|tasks| tasks.partitions.len()).sum::<usize>() == count
    })?;
    described_epoch(session, member)
}

fn described_epoch(session: &mut Session, member: &str) -> Result<i32> {
    let described = session.quietly(1, describing(&[GROUP]))?;
    let mut members = described.groups.iter().flat_map(|group| &group.members);
    Ok(members.find(|known| known.member_id == member).map_or(-9, |known| known.member_epoch))
}

/// A first answer, whose tasks may come with it or with a later one.
fn show(response: &StreamsGroupHeartbeatResponse) -> String {
    let mut response = response.clone();
    if response.error_code == 0 {
        response.member_epoch = 0;
        response.endpoint_information_epoch = 0;
        (response.active_tasks, response.standby_tasks, response.warmup_tasks) = (None, None, None);
        for status in response.status.iter_mut().flatten() {
            status.status_detail = "TEXT".to_owned();
        }
    }
    format!("{response:#?}")
}

/// Lines are split into words, and the words counted.
fn counting() -> Topology {
    let internal = |name: &str| TopicInfo { name: name.to_owned(), ..Default::default() };
    let split = Subtopology {
        subtopology_id: "0".to_owned(),
        source_topics: vec!["lines".to_owned()],
        repartition_sink_topics: vec!["streamers-words-repartition".to_owned()],
        ..Default::default()
    };
    let count = Subtopology {
        subtopology_id: "1".to_owned(),
        repartition_source_topics: vec![internal("streamers-words-repartition")],
        state_changelog_topics: vec![internal("streamers-counts-changelog")],
        ..Default::default()
    };
    Topology { epoch: 0, subtopologies: vec![split, count], ..Default::default() }
}

fn tasks(subtopology_id: &str, partitions: &[i32]) -> Vec<TaskIds> {
    vec![TaskIds {
        subtopology_id: subtopology_id.to_owned(),
        partitions: partitions.to_vec(),
        ..Default::default()
    }]
}

fn joining(member: &str) -> StreamsGroupHeartbeatRequest {
    StreamsGroupHeartbeatRequest {
        rebalance_timeout_ms: 60_000,
        topology: Some(counting()),
        active_tasks: Some(Vec::new()),
        standby_tasks: Some(Vec::new()),
        warmup_tasks: Some(Vec::new()),
        process_id: Some("process-1".to_owned()),
        client_tags: Some(Vec::new()),
        ..beating(member, 0)
    }
}

fn beating(member: &str, member_epoch: i32) -> StreamsGroupHeartbeatRequest {
    StreamsGroupHeartbeatRequest {
        group_id: GROUP.to_owned(),
        member_id: member.to_owned(),
        member_epoch,
        ..Default::default()
    }
}

fn describing(groups: &[&str]) -> StreamsGroupDescribeRequest {
    StreamsGroupDescribeRequest {
        group_ids: groups.iter().map(|group| (*group).to_owned()).collect(),
        ..Default::default()
    }
}

fn dooming(group: &str) -> DeleteGroupsRequest {
    DeleteGroupsRequest { groups_names: vec![group.to_owned()], ..Default::default() }
}
