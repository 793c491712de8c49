//! Streams groups (KIP-1071).

use groups::{Event, Reply, Request};
use protocol::ErrorCode;
use protocol::coordinator_records::GroupCoordinatorRecord as Record;
use protocol::messages::create_topics_request::CreatableTopic;
use protocol::messages::streams_group_heartbeat_request::{Subtopology, TaskIds, TopicInfo, Topology};
use protocol::messages::{StreamsGroupHeartbeatRequest, StreamsGroupHeartbeatResponse};

use crate::bench::{Bench, GROUP, commit, error};
use crate::cluster::Cluster;

/// Status codes of a heartbeat's answer.
const MISSING_SOURCE_TOPICS: i8 = 1;
const MISSING_INTERNAL_TOPICS: i8 = 3;
const SHUTDOWN_APPLICATION: i8 = 4;
const ASSIGNMENT_DELAYED: i8 = 5;

/// The word count: `0` splits lines of `foo` and writes words to `words`, which `1` counts with state.
fn topology() -> Topology {
    let topic = |name: &str| TopicInfo { name: name.to_owned(), ..TopicInfo::default() };
    Topology {
        epoch: 0,
        subtopologies: vec![
            Subtopology {
                subtopology_id: "0".to_owned(),
                source_topics: vec!["foo".to_owned()],
                repartition_sink_topics: vec!["words".to_owned()],
                ..Subtopology::default()
            },
            Subtopology {
                subtopology_id: "1".to_owned(),
                repartition_source_topics: vec![topic("words")],
                state_changelog_topics: vec![topic("counts")],
                ..Subtopology::default()
            },
        ],
        ..Topology::default()
    }
}

fn beat(member_id: &str, member_epoch: i32) -> StreamsGroupHeartbeatRequest {
    StreamsGroupHeartbeatRequest {
        group_id: GROUP.to_owned(),
        member_id: member_id.to_owned(),
        member_epoch,
        ..StreamsGroupHeartbeatRequest::default()
    }
}

fn join(member_id: &str) -> StreamsGroupHeartbeatRequest {
    StreamsGroupHeartbeatRequest {
        rebalance_timeout_ms: 60_000,
        topology: Some(topology()),
        active_tasks: Some(Vec::new()),
        standby_tasks: Some(Vec::new()),
        warmup_tasks: Some(Vec::new()),
        process_id: Some(format!("process of {member_id}")),
        ..beat(member_id, 0)
    }
}

fn send(
    bench: &mut Bench,
    request: StreamsGroupHeartbeatRequest,
) -> (StreamsGroupHeartbeatResponse, Vec<CreatableTopic>) {
    let id = bench.send(1, Request::StreamsGroupHeartbeat(request));
    match bench.take(id) {
        Some(Reply::StreamsGroupHeartbeat(response, topics)) => (response, topics),
        other => panic!("no answer to a heartbeat: {other:?}"),
    }
}

fn refused(bench: &mut Bench, request: StreamsGroupHeartbeatRequest) -> (ErrorCode, String) {
    let (response, _) = send(bench, request);
    (error(response.error_code), response.error_message.unwrap_or_default())
}

fn statuses(response: &StreamsGroupHeartbeatResponse) -> Vec<i8> {
    response.status.iter().flatten().map(|status| status.status_code).collect()
}

fn described(bench: &mut Bench) -> protocol::messages::streams_group_describe_response::DescribedGroup {
    let id = bench.send(0, Request::StreamsGroupDescribe(vec![GROUP.to_owned()]));
    match bench.take(id) {
        Some(Reply::StreamsGroupDescribe(mut groups)) => groups.remove(0),
        other => panic!("no answer to a describe: {other:?}"),
    }
}

/// A member that does what it is told.
struct Follower {
    member_id: String,
    epoch: i32,
    tasks: [Vec<TaskIds>; 2],
}

impl Follower {
    fn join(bench: &mut Bench, member_id: &str) -> Self {
        let (response, _) = send(bench, join(member_id));
        assert_eq!(error(response.error_code), ErrorCode::None, "{:?}", response.error_message);
        let mut member = Self { member_id: member_id.to_owned(), epoch: 0, tasks: [Vec::new(), Vec::new()] };
        member.take(&response);
        member
    }

    fn take(&mut self, response: &StreamsGroupHeartbeatResponse) {
        self.epoch = response.member_epoch;
        let ids = |tasks: &[protocol::messages::streams_group_heartbeat_response::TaskIds]| {
            let ids = tasks.iter().map(|task| TaskIds {
                subtopology_id: task.subtopology_id.clone(),
                partitions: task.partitions.clone(),
                ..TaskIds::default()
            });
            ids.collect()
        };
        if let (Some(active), Some(standby)) = (&response.active_tasks, &response.standby_tasks) {
            self.tasks = [ids(active), ids(standby)];
        }
    }

    fn beat(&mut self, bench: &mut Bench) -> StreamsGroupHeartbeatResponse {
        let request = StreamsGroupHeartbeatRequest {
            active_tasks: Some(self.tasks[0].clone()),
            standby_tasks: Some(self.tasks[1].clone()),
            warmup_tasks: Some(Vec::new()),
            ..beat(&self.member_id, self.epoch)
        };
        let (response, _) = send(bench, request);
        assert_eq!(error(response.error_code), ErrorCode::None, "{:?}", response.error_message);
        self.take(&response);
        response
    }

    fn count(&self, kind: usize) -> usize {
        self.tasks[kind].iter().map(|task| task.partitions.len()).sum()
    }
}

/// A bench with `foo` of 4 partitions, and the application's internal topics if wanted.
fn bench(with_internal: bool) -> (Bench, Cluster) {
    let mut bench = Bench::new();
    let mut cluster = Cluster::default();
    bench.step(cluster.topic("foo", 1, 0..4));
    if with_internal {
        bench.step(cluster.topic("words", 2, 0..4));
        bench.step(cluster.topic("counts", 3, 0..4));
    }
    (bench, cluster)
}

fn settle(bench: &mut Bench, members: &mut [Follower]) {
    bench.advance(3_000);
    for _ in 0..4 {
        members.iter_mut().for_each(|member| drop(member.beat(bench)));
    }
}

#[test]
fn missing_internal_topics_are_asked_for() {
    let (mut bench, mut cluster) = bench(false);
    let (response, topics) = send(&mut bench, join("a"));
    let wanted: Vec<(&str, i32, i16)> = topics
        .iter()
        .map(|topic| (topic.name.as_str(), topic.num_partitions, topic.replication_factor))
        .collect();
    assert_eq!(wanted, [("counts", 4, -1), ("words", 4, -1)]);
    assert!(statuses(&response).contains(&MISSING_INTERNAL_TOPICS));
    assert_eq!(described(&mut bench).group_state, "NotReady");
    bench.step(cluster.topic("words", 2, 0..4));
    bench.step(cluster.topic("counts", 3, 0..4));
    let mut members = [Follower {
        member_id: "a".to_owned(),
        epoch: response.member_epoch,
        tasks: [Vec::new(), Vec::new()],
    }];
    settle(&mut bench, &mut members);
    let (response, topics) = send(&mut bench, beat("a", members[0].epoch));
    assert!(!statuses(&response).contains(&MISSING_INTERNAL_TOPICS) && topics.is_empty());
    settle(&mut bench, &mut members);
    assert_eq!((members[0].count(0), described(&mut bench).group_state.as_str()), (8, "Stable"));
}

#[test]
fn missing_source_topics_are_named() {
    let mut bench = Bench::new();
    let (response, topics) = send(&mut bench, join("a"));
    assert!(statuses(&response).contains(&MISSING_SOURCE_TOPICS) && topics.is_empty());
    let details: Vec<&str> =
        response.status.iter().flatten().map(|status| status.status_detail.as_str()).collect();
    assert!(details.contains(&"Source topics foo are missing."), "{details:?}");
}

#[test]
fn the_first_assignment_waits_for_more_members() {
    let (mut bench, _) = bench(true);
    let (response, _) = send(&mut bench, join("a"));
    assert_eq!(statuses(&response), [ASSIGNMENT_DELAYED]);
    assert_eq!(response.active_tasks, Some(Vec::new()));
    let mut members = [
        Follower { member_id: "a".to_owned(), epoch: response.member_epoch, tasks: [Vec::new(), Vec::new()] },
        Follower::join(&mut bench, "b"),
    ];
    settle(&mut bench, &mut members);
    assert_eq!(members.iter().map(|member| member.count(0)).collect::<Vec<_>>(), [4, 4]);
    assert_eq!(described(&mut bench).group_state, "Stable");
}

#[test]
fn tasks_move_when_they_are_given_up() {
    let (mut bench, mut cluster) = bench(true);
    bench.step(cluster.group_config(GROUP, "streams.num.standby.replicas", "1"));
    let mut members = vec![Follower::join(&mut bench, "a")];
    settle(&mut bench, &mut members);
    assert_eq!((members[0].count(0), members[0].count(1)), (8, 0), "nobody else can stand by");
    members.push(Follower::join(&mut bench, "b"));
    settle(&mut bench, &mut members);
    let counts: Vec<_> = members.iter().map(|member| (member.count(0), member.count(1))).collect();
    assert_eq!(counts.iter().map(|(active, _)| active).sum::<usize>(), 8, "{counts:?}");
    assert_eq!(counts.iter().map(|(_, standby)| standby).sum::<usize>(), 4, "{counts:?}");
    assert!(counts.iter().all(|(active, _)| *active == 4), "{counts:?}");
    send(&mut bench, beat("a", -1));
    members.remove(0);
    settle(&mut bench, &mut members);
    assert_eq!((members[0].count(0), members[0].count(1)), (8, 0));
}

#[test]
fn tasks_whose_answer_was_lost_are_told_again() {
    let (mut bench, _) = bench(true);
    let mut members = [Follower::join(&mut bench, "a")];
    bench.advance(3_000);
    let lost =
        Follower { tasks: members[0].tasks.clone(), member_id: "a".to_owned(), epoch: members[0].epoch };
    members[0].beat(&mut bench);
    assert_eq!((lost.count(0), members[0].count(0)), (0, 8));
    // It never heard of it: it comes with its old epoch, and again with the new one.
    let mut member = Follower { epoch: members[0].epoch, ..lost };
    let answer = member.beat(&mut bench);
    assert!(answer.active_tasks.is_some(), "{answer:?}");
    assert_eq!(member.count(0), 8);
    assert_eq!(member.beat(&mut bench).active_tasks, None, "it knows");
    let (quiet, _) = send(&mut bench, beat("a", member.epoch));
    assert_eq!(quiet.active_tasks, None, "it does not say what it runs");
}

#[test]
fn silent_members_are_given_up_and_a_restart_forgets_nothing() {
    let (mut bench, cluster) = bench(true);
    let mut members = vec![Follower::join(&mut bench, "a"), Follower::join(&mut bench, "b")];
    settle(&mut bench, &mut members);
    let before = described(&mut bench);
    bench.restart();
    bench.step(cluster.everything());
    // How many partitions internal topics have is worked out anew when a member is heard of.
    for member in &mut members {
        member.beat(&mut bench);
    }
    assert_eq!(described(&mut bench), before);
    bench.advance(44_000);
    members.truncate(1);
    members[0].beat(&mut bench);
    bench.advance(1_000);
    settle(&mut bench, &mut members);
    assert_eq!(members[0].count(0), 8);
    bench.advance(45_000);
    assert_eq!(described(&mut bench).group_state, "Empty");
    let id = bench.send(2, Request::DeleteGroups(vec![GROUP.to_owned()]));
    let Some(Reply::DeleteGroups(results)) = bench.take(id) else { panic!("no answer") };
    assert_eq!(results[0].error_code, 0);
    assert!(
        bench.last_records().iter().any(|record| matches!(record, Record::StreamsGroupTopology(_, None)))
    );
    bench.restart();
    assert_eq!(bench.shard.group_count(), 0);
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let (mut bench, _) = bench(true);
    let mut check = |request: StreamsGroupHeartbeatRequest, message: &str| {
        assert_eq!(refused(&mut bench, request), (ErrorCode::InvalidRequest, message.to_owned()));
    };
    check(join(""), "MemberId can't be empty.");
    let without_topology = StreamsGroupHeartbeatRequest { topology: None, ..join("a") };
    check(without_topology, "Topology must be non-null when (re-)joining.");
    let without_tasks = StreamsGroupHeartbeatRequest { active_tasks: None, ..join("a") };
    check(without_tasks, "ActiveTasks must be empty when (re-)joining.");
    check(beat("a", -3), "MemberEpoch is -3, but must be greater than or equal to -2.");
    Follower::join(&mut bench, "a");
    let other = Topology { subtopologies: topology().subtopologies[..1].to_vec(), ..topology() };
    let request = StreamsGroupHeartbeatRequest { topology: Some(other), ..join("b") };
    let message = "Topology updates are not supported yet.".to_owned();
    assert_eq!(refused(&mut bench, request), (ErrorCode::InvalidRequest, message));
    assert_eq!(refused(&mut bench, beat("a", 9)).0, ErrorCode::FencedMemberEpoch);
    assert_eq!(refused(&mut bench, beat("z", 1)).0, ErrorCode::UnknownMemberId);
}

#[test]
fn a_shutdown_is_told_to_everybody() {
    let (mut bench, _) = bench(true);
    let mut members = [Follower::join(&mut bench, "a"), Follower::join(&mut bench, "b")];
    settle(&mut bench, &mut members);
    let request = StreamsGroupHeartbeatRequest { shutdown_application: true, ..beat("a", members[0].epoch) };
    send(&mut bench, request);
    assert_eq!(statuses(&members[1].beat(&mut bench)), [SHUTDOWN_APPLICATION]);
}

#[test]
fn offsets_go_by_the_members_epoch() {
    let (mut bench, _) = bench(true);
    let mut members = [Follower::join(&mut bench, "a")];
    settle(&mut bench, &mut members);
    assert_eq!(bench.commit_as(9, commit("a", members[0].epoch, "foo")), ErrorCode::None);
    assert_eq!(bench.commit_as(9, commit("a", members[0].epoch + 1, "foo")), ErrorCode::StaleMemberEpoch);
    assert_eq!(bench.commit_as(9, commit("", -1, "foo")), ErrorCode::UnknownMemberId);
    bench.step(Event::Tick);
    assert_eq!(bench.state(), "Dead", "DescribeGroups knows classic groups only");
}
