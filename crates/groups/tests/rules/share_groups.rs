//! Share groups: joining, epochs, states that are set up first, sessions, offsets, what a replay gives.

use std::collections::BTreeSet;
use std::sync::Arc;

use groups::{
    Action, Event, InitializeShareState, MetadataUpdate, Reply, Request, ShareReply, ShareRequest,
    ShareTopicPartitions,
};
use metadata::{MetadataDelta, MetadataImage, Provenance};
use protocol::messages::alter_share_group_offsets_request::{
    AlterShareGroupOffsetsRequestPartition, AlterShareGroupOffsetsRequestTopic,
};
use protocol::messages::delete_share_group_offsets_request::DeleteShareGroupOffsetsRequestTopic;
use protocol::messages::share_group_describe_response::DescribedGroup;
use protocol::messages::{
    AlterShareGroupOffsetsRequest, DeleteShareGroupOffsetsRequest, ShareGroupHeartbeatRequest,
    ShareGroupHeartbeatResponse,
};
use protocol::metadata_records::{MetadataRecord, PartitionRecord, TopicRecord};
use protocol::{ErrorCode, Uuid};

use crate::bench::{Bench, GROUP, error};

const TOPIC: Uuid = Uuid::from_u128(1);

/// A cluster with these topics, which have so many partitions.
fn cluster(topics: &[(&str, u128, i32)]) -> MetadataUpdate {
    let mut delta = MetadataDelta::new(&MetadataImage::empty());
    for (name, id, partitions) in topics {
        let topic_id = Uuid::from_u128(*id);
        let topic = TopicRecord { name: (*name).to_owned(), topic_id, ..TopicRecord::default() };
        delta.replay(&MetadataRecord::Topic(topic)).expect("a topic");
        for partition_id in 0..*partitions {
            let partition = PartitionRecord {
                partition_id,
                topic_id,
                replicas: vec![1],
                isr: vec![1],
                leader: 1,
                directories: vec![Uuid::from_u128(9)],
                ..PartitionRecord::default()
            };
            delta.replay(&MetadataRecord::Partition(partition)).expect("a partition");
        }
    }
    MetadataUpdate {
        image: Arc::new(delta.apply(Provenance {
            last_contained_offset: 0,
            last_contained_epoch: 0,
            last_contained_log_time_ms: 0,
        })),
        changed_topics: topics.iter().map(|(name, ..)| (*name).to_owned()).collect::<BTreeSet<String>>(),
        has_new_topics: true,
    }
}

fn bench() -> Bench {
    let mut bench = Bench::new();
    bench.step(Event::MetadataChanged(cluster(&[("topic", 1, 4)])));
    bench
}

fn ask(bench: &mut Bench, request: ShareRequest) -> ShareReply {
    let id = bench.send(1, Request::Share(request));
    match bench.take(id) {
        Some(Reply::Share(reply)) => reply,
        other => panic!("not an answer about share groups: {other:?}"),
    }
}

fn heartbeat_of(
    bench: &mut Bench,
    member_id: &str,
    member_epoch: i32,
    topics: Option<&[&str]>,
) -> ShareGroupHeartbeatResponse {
    let request = ShareGroupHeartbeatRequest {
        group_id: GROUP.to_owned(),
        member_id: member_id.to_owned(),
        member_epoch,
        subscribed_topic_names: topics.map(|topics| topics.iter().map(|name| (*name).to_owned()).collect()),
        ..ShareGroupHeartbeatRequest::default()
    };
    match ask(bench, ShareRequest::Heartbeat(request)) {
        ShareReply::Heartbeat(response) => response,
        other => panic!("not an answer to a heartbeat: {other:?}"),
    }
}

/// What the last step wants set up.
fn to_initialize(bench: &Bench) -> Option<&InitializeShareState> {
    bench.last.actions.iter().map(|Action::InitializeShareState(wanted)| wanted).next()
}

fn initialized(bench: &mut Bench, partitions: &[i32], is_done: bool) {
    let topics = vec![ShareTopicPartitions { topic_id: TOPIC, partitions: partitions.to_vec() }];
    let told = ShareRequest::StateInitialized { group_id: GROUP.to_owned(), topics, is_done };
    assert_eq!(ask(bench, told), ShareReply::Heard(ErrorCode::None));
}

/// A member that has joined and been assigned everything.
fn joined(bench: &mut Bench, member_id: &str) -> i32 {
    heartbeat_of(bench, member_id, 0, Some(&["topic"]));
    if to_initialize(bench).is_some() {
        initialized(bench, &[0, 1, 2, 3], true);
    }
    bench.now_ms += 1_000;
    let response = heartbeat_of(bench, member_id, 0, Some(&["topic"]));
    assert_eq!(error(response.error_code), ErrorCode::None);
    response.member_epoch
}

fn assigned(response: &ShareGroupHeartbeatResponse) -> Option<Vec<i32>> {
    let topics = &response.assignment.as_ref()?.topic_partitions;
    Some(topics.iter().flat_map(|topic| topic.partitions.clone()).collect())
}

fn described(bench: &mut Bench) -> DescribedGroup {
    match ask(bench, ShareRequest::Describe(vec![GROUP.to_owned()])) {
        ShareReply::Describe(mut groups) => groups.remove(0),
        other => panic!("not a description: {other:?}"),
    }
}

#[test]
fn partitions_are_assigned_when_their_state_is_set_up() {
    let mut bench = bench();
    let first = heartbeat_of(&mut bench, "one", 0, Some(&["topic"]));
    assert_eq!((first.member_epoch, assigned(&first)), (2, Some(vec![])));
    assert!(first.heartbeat_interval_ms < 1_000, "it is to come again soon");
    let wanted = to_initialize(&bench).expect("nothing is set up yet").clone();
    assert_eq!((wanted.state_epoch, wanted.partitions.len()), (2, 4));
    assert!(wanted.partitions.iter().all(|row| row.start_offset == -1 && row.topic_id == TOPIC));
    heartbeat_of(&mut bench, "one", 2, None);
    assert_eq!(to_initialize(&bench), None, "it is under way");
    initialized(&mut bench, &[0, 1, 2, 3], true);
    bench.now_ms += 1_000;
    let next = heartbeat_of(&mut bench, "one", 2, None);
    assert_eq!((next.member_epoch, assigned(&next)), (3, Some(vec![0, 1, 2, 3])));
    let quiet = heartbeat_of(&mut bench, "one", 3, None);
    assert_eq!((quiet.heartbeat_interval_ms, assigned(&quiet)), (5_000, None));
}

#[test]
fn what_could_not_be_set_up_is_tried_again() {
    let mut bench = bench();
    heartbeat_of(&mut bench, "one", 0, Some(&["topic"]));
    initialized(&mut bench, &[0, 1], true);
    initialized(&mut bench, &[2, 3], false);
    bench.now_ms += 1_000;
    let response = heartbeat_of(&mut bench, "one", 2, None);
    assert_eq!(assigned(&response), Some(vec![0, 1]));
    let again: Vec<i32> =
        to_initialize(&bench).expect("two are missing").partitions.iter().map(|row| row.partition).collect();
    assert_eq!(again, [2, 3]);
    bench.now_ms += 30_000;
    let epoch = response.member_epoch;
    heartbeat_of(&mut bench, "one", epoch, None);
    assert!(to_initialize(&bench).is_some(), "nobody has said how it went");
    bench.step(Event::MetadataChanged(cluster(&[("topic", 1, 5)])));
    initialized(&mut bench, &[2, 3], true);
    heartbeat_of(&mut bench, "one", epoch, None);
    let grown = to_initialize(&bench).expect("the topic has grown");
    assert_eq!(grown.partitions.iter().map(|row| row.partition).collect::<Vec<_>>(), [4]);
}

#[test]
fn members_share_and_are_fenced_by_their_epochs() {
    let mut bench = bench();
    let epoch = joined(&mut bench, "one");
    let second = heartbeat_of(&mut bench, "two", 0, Some(&["topic"]));
    assert_eq!(error(second.error_code), ErrorCode::None);
    bench.now_ms += 1_000;
    let first = heartbeat_of(&mut bench, "one", epoch, None);
    let second = heartbeat_of(&mut bench, "two", second.member_epoch, Some(&["topic"]));
    let (left, right) = (assigned(&first).expect("fewer"), assigned(&second).expect("some"));
    assert_eq!((left.len(), right.len()), (2, 2));
    assert!(left.iter().all(|partition| !right.contains(partition)));
    let late = heartbeat_of(&mut bench, "one", first.member_epoch + 1, None);
    assert_eq!(error(late.error_code), ErrorCode::FencedMemberEpoch);
    let lost_answer = heartbeat_of(&mut bench, "one", epoch, None);
    assert_eq!(error(lost_answer.error_code), ErrorCode::None);
    let stranger = heartbeat_of(&mut bench, "three", 1, None);
    assert_eq!(error(stranger.error_code), ErrorCode::UnknownMemberId);
    let left = heartbeat_of(&mut bench, "one", -1, None);
    assert_eq!((error(left.error_code), left.member_epoch), (ErrorCode::None, -1));
    bench.now_ms += 1_000;
    let alone = heartbeat_of(&mut bench, "two", second.member_epoch, None);
    assert_eq!(assigned(&alone).map(|partitions| partitions.len()), Some(4));
}

#[test]
fn who_is_silent_is_put_out() {
    let mut bench = bench();
    let epoch = joined(&mut bench, "one");
    bench.advance(44_000);
    assert_eq!(error(heartbeat_of(&mut bench, "one", epoch, None).error_code), ErrorCode::None);
    bench.advance(45_000);
    assert_eq!(described(&mut bench).group_state, "Empty");
    let late = heartbeat_of(&mut bench, "one", epoch, None);
    assert_eq!(error(late.error_code), ErrorCode::UnknownMemberId);
    bench.advance(30 * 24 * 3_600_000);
    assert_eq!(described(&mut bench).group_state, "Empty", "a share group stays until it is deleted");
}

#[test]
fn a_replay_gives_the_same_group() {
    let mut bench = bench();
    let epoch = joined(&mut bench, "one");
    heartbeat_of(&mut bench, "two", 0, Some(&["topic"]));
    let before = described(&mut bench);
    bench.restart();
    bench.step(Event::MetadataChanged(cluster(&[("topic", 1, 4)])));
    assert_eq!(described(&mut bench), before);
    bench.now_ms += 1_000;
    let response = heartbeat_of(&mut bench, "one", epoch, None);
    assert_eq!(error(response.error_code), ErrorCode::None);
    assert_eq!(to_initialize(&bench), None, "what was set up is remembered");
    heartbeat_of(&mut bench, "one", -1, None);
    heartbeat_of(&mut bench, "two", -1, None);
    let deleted = bench.send(2, Request::DeleteGroups(vec![GROUP.to_owned()]));
    assert!(matches!(bench.take(deleted), Some(Reply::DeleteGroups(rows)) if rows[0].error_code == 0));
    bench.restart();
    assert_eq!(error(described(&mut bench).error_code), ErrorCode::GroupIdNotFound);
}

#[test]
fn requests_that_make_no_sense_are_refused() {
    let mut bench = bench();
    let mut refused = |member_id: &str, epoch: i32, topics: Option<&[&str]>| {
        error(heartbeat_of(&mut bench, member_id, epoch, topics).error_code)
    };
    assert_eq!(refused("", 0, Some(&["topic"])), ErrorCode::InvalidRequest);
    assert_eq!(refused("one", 0, None), ErrorCode::InvalidRequest);
    assert_eq!(refused("one", 0, Some(&[])), ErrorCode::InvalidRequest);
    assert_eq!(refused("one", -2, None), ErrorCode::InvalidRequest);
    assert_eq!(refused("one", 3, None), ErrorCode::GroupIdNotFound);
    assert_eq!(refused("one", -1, None), ErrorCode::GroupIdNotFound);
    bench.join_dynamic();
    let classic = heartbeat_of(&mut bench, "one", 0, Some(&["topic"]));
    assert_eq!(error(classic.error_code), ErrorCode::GroupIdNotFound);
}

#[test]
fn a_share_group_is_none_of_the_classic_protocols_business() {
    let mut bench = bench();
    joined(&mut bench, "one");
    let join = bench.send(9, crate::bench::join("", None));
    assert_eq!(error(bench.joined(join).error_code), ErrorCode::InconsistentGroupProtocol);
    assert_eq!(bench.heartbeat("one", 1), ErrorCode::UnknownMemberId);
    assert_eq!(bench.commit("topic"), ErrorCode::GroupIdNotFound);
}

fn alter(bench: &mut Bench, topic: &str, partition: i32) -> (ErrorCode, Vec<ErrorCode>, bool) {
    let request = AlterShareGroupOffsetsRequest {
        group_id: GROUP.to_owned(),
        topics: vec![AlterShareGroupOffsetsRequestTopic {
            topic_name: topic.to_owned(),
            partitions: vec![AlterShareGroupOffsetsRequestPartition {
                partition_index: partition,
                start_offset: 7,
                ..Default::default()
            }],
            ..Default::default()
        }],
        ..Default::default()
    };
    match ask(bench, ShareRequest::AlterOffsets(request)) {
        ShareReply::AlterOffsets(response, initialize) => {
            let rows = response.responses.iter().flat_map(|topic| &topic.partitions);
            let rows = rows.map(|row| error(row.error_code)).collect();
            (error(response.error_code), rows, initialize.is_some())
        }
        other => panic!("not an answer to an alteration: {other:?}"),
    }
}

fn delete(bench: &mut Bench, topic: &str) -> (ErrorCode, usize, usize) {
    let topics =
        vec![DeleteShareGroupOffsetsRequestTopic { topic_name: topic.to_owned(), ..Default::default() }];
    let request = DeleteShareGroupOffsetsRequest { group_id: GROUP.to_owned(), topics, ..Default::default() };
    match ask(bench, ShareRequest::DeleteOffsets(request)) {
        ShareReply::DeleteOffsets(response, topics) => {
            (error(response.error_code), response.responses.len(), topics.len())
        }
        other => panic!("not an answer to a deletion: {other:?}"),
    }
}

#[test]
fn offsets_are_an_administrators_while_the_group_is_empty() {
    let mut bench = bench();
    assert_eq!(delete(&mut bench, "topic"), (ErrorCode::GroupIdNotFound, 0, 0));
    joined(&mut bench, "one");
    assert_eq!(alter(&mut bench, "topic", 0).0, ErrorCode::NonEmptyGroup);
    assert_eq!(delete(&mut bench, "topic").0, ErrorCode::NonEmptyGroup);
    heartbeat_of(&mut bench, "one", -1, None);
    assert_eq!(alter(&mut bench, "topic", 0), (ErrorCode::None, vec![ErrorCode::None], true));
    let unknown = vec![ErrorCode::UnknownTopicOrPartition];
    assert_eq!(alter(&mut bench, "topic", 4), (ErrorCode::None, unknown.clone(), false));
    assert_eq!(alter(&mut bench, "nothing", 0), (ErrorCode::None, unknown, false));
    initialized(&mut bench, &[0], true);
    assert_eq!(delete(&mut bench, "nothing"), (ErrorCode::None, 1, 0));
    assert_eq!(delete(&mut bench, "topic"), (ErrorCode::None, 0, 1));
    assert_eq!(delete(&mut bench, "topic"), (ErrorCode::None, 0, 1), "nobody has said that it is done");
    let done = ShareRequest::StateDeleted { group_id: GROUP.to_owned(), topic_ids: vec![TOPIC] };
    assert_eq!(ask(&mut bench, done), ShareReply::Heard(ErrorCode::None));
    assert_eq!(delete(&mut bench, "topic"), (ErrorCode::None, 1, 0));
}

#[test]
fn a_deleted_group_names_the_states_that_go_first() {
    let mut bench = bench();
    let begin = || ShareRequest::BeginDelete { group_id: GROUP.to_owned() };
    assert_eq!(ask(&mut bench, begin()), ShareReply::BeginDelete(ErrorCode::None, vec![]), "no such group");
    joined(&mut bench, "one");
    assert_eq!(ask(&mut bench, begin()), ShareReply::BeginDelete(ErrorCode::NonEmptyGroup, vec![]));
    heartbeat_of(&mut bench, "one", -1, None);
    let ShareReply::BeginDelete(ErrorCode::None, topics) = ask(&mut bench, begin()) else {
        panic!("refused")
    };
    assert_eq!(topics.len(), 1);
    assert_eq!((topics[0].topic_id, &topics[0].partitions[..]), (TOPIC, &[0, 1, 2, 3][..]));
}
