//! OffsetCommit, OffsetFetch, OffsetDelete, and topics that are deleted.

use groups::{
    DeletedTopic, Event, GroupCoordinatorConfig, Reply, Request, offset_fetch_request_groups,
    offset_fetch_response,
};
use protocol::coordinator_records::GroupCoordinatorRecord;
use protocol::messages::offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use protocol::messages::offset_fetch_request::{OffsetFetchRequestTopic, OffsetFetchRequestTopics};
use protocol::messages::{OffsetCommitRequest, OffsetDeleteRequest, OffsetFetchRequest};
use protocol::{ErrorCode, Uuid};

use crate::bench::*;

fn delete(bench: &mut Bench, group_id: &str, topic: &str) -> (ErrorCode, Vec<ErrorCode>) {
    let topic = OffsetDeleteRequestTopic {
        name: topic.to_owned(),
        partitions: vec![
            OffsetDeleteRequestPartition { partition_index: 0 },
            OffsetDeleteRequestPartition { partition_index: 1 },
        ],
    };
    let request = OffsetDeleteRequest { group_id: group_id.to_owned(), topics: vec![topic] };
    let id = bench.send(0, Request::OffsetDelete(request));
    match bench.take(id) {
        Some(Reply::OffsetDelete(response)) => {
            let partitions = response.topics.iter().flat_map(|topic| &topic.partitions);
            (error(response.error_code), partitions.map(|partition| error(partition.error_code)).collect())
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn anybody_may_commit_to_a_group_without_members() {
    let mut bench = Bench::new();
    assert_eq!(bench.commit("topic"), ErrorCode::None);
    assert_eq!(&bench.last.records[0].value.as_ref().expect("a value")[..2], [0, 4], "version 4");
    let [GroupCoordinatorRecord::OffsetCommit(key, Some(value))] = &bench.last_records()[..] else {
        panic!("{:?}", bench.last_records());
    };
    assert_eq!((key.group.as_str(), key.topic.as_str(), key.partition), (GROUP, "topic", 0));
    assert_eq!((value.offset, value.leader_epoch, value.metadata.as_str()), (7, 2, "note"));
    assert_eq!(
        (value.commit_timestamp, value.expire_timestamp, value.topic_id),
        (bench.now_ms, -1, TOPIC_ID)
    );
    assert_eq!((bench.state().as_str(), bench.describe().protocol_type.as_str()), ("Empty", ""));
    assert_eq!(bench.fetch("topic"), 7);
}

#[test]
fn members_commit_in_their_generation() {
    let mut bench = Bench::new();
    let members = bench.stable_group(1);
    assert_eq!(bench.commit_as(9, commit(&members[0], 1, "topic")), ErrorCode::None);
    assert_eq!(bench.commit_as(9, commit(&members[0], 0, "topic")), ErrorCode::IllegalGeneration);
    assert_eq!(bench.commit_as(9, commit("stranger", 1, "topic")), ErrorCode::UnknownMemberId);
    assert_eq!(bench.commit("topic"), ErrorCode::UnknownMemberId, "admin commits need an empty group");
    assert_eq!(bench.commit_as(9, commit(&members[0], -1, "topic")), ErrorCode::IllegalGeneration);
    bench.join_dynamic();
    assert_eq!(bench.commit_as(9, commit(&members[0], 1, "topic")), ErrorCode::None, "while members rejoin");
    bench.advance(9_000);
    assert_eq!(bench.commit_as(9, commit(&members[0], 1, "topic")), ErrorCode::None);
    bench.advance(9_000);
    let rejoined = bench.send(9, join(&members[0], None));
    assert_eq!(bench.joined(rejoined).generation_id, 2, "commits have kept the member alive");
    assert_eq!(bench.commit_as(9, commit(&members[0], 2, "topic")), ErrorCode::RebalanceInProgress);
}

#[test]
fn a_generation_of_a_group_that_does_not_exist_is_refused_by_version() {
    let mut bench = Bench::new();
    assert_eq!(bench.commit_as(8, commit("m", 1, "topic")), ErrorCode::IllegalGeneration);
    assert_eq!(bench.commit_as(9, commit("m", 1, "topic")), ErrorCode::GroupIdNotFound);
    assert_eq!(bench.shard.group_count(), 0);
    bench.commit("topic");
    assert_eq!(bench.commit_as(9, commit("m", 1, "topic")), ErrorCode::UnknownMemberId);
}

#[test]
fn metadata_has_a_limit_and_the_rest_is_committed() {
    let mut bench = Bench::new();
    let mut request = commit("", -1, "topic");
    let mut large = request.topics[0].partitions[0].clone();
    large.partition_index = 1;
    large.committed_metadata = Some("ä".repeat(4_097));
    let mut none = large.clone();
    none.partition_index = 2;
    none.committed_metadata = None;
    let mut most = large.clone();
    most.partition_index = 3;
    most.committed_metadata = Some("ä".repeat(4_096));
    request.topics[0].partitions.extend([large, none, most]);
    let id = bench.send(9, Request::OffsetCommit(request));
    let Some(Reply::OffsetCommit(response)) = bench.take(id) else { panic!() };
    let errors: Vec<_> =
        response.topics[0].partitions.iter().map(|partition| error(partition.error_code)).collect();
    let none = ErrorCode::None;
    assert_eq!(errors, [none, ErrorCode::OffsetMetadataTooLarge, none, none]);
    assert_eq!(bench.last.records.len(), 3);
}

#[test]
fn a_commit_too_large_for_the_log_is_refused_as_a_whole() {
    let mut bench = Bench::with(GroupCoordinatorConfig { max_batch_bytes: 200, ..Default::default() });
    let mut request = commit("", -1, "topic");
    let partition = request.topics[0].partitions[0].clone();
    request.topics[0].partitions.extend([partition.clone(), partition]);
    assert_eq!(bench.commit_as(9, request), ErrorCode::UnknownServerError);
    assert!(bench.last.records.is_empty());
    assert_eq!(bench.fetch("topic"), -1);
    assert_eq!(bench.shard.group_count(), 0, "nothing was written that would keep a group");
    assert_eq!(bench.commit("topic"), ErrorCode::None);
    assert_eq!(bench.shard.group_count(), 1);
}

#[test]
fn offsets_are_fetched_one_by_one_or_all() {
    let mut bench = Bench::new();
    assert!(bench.fetch_of(None, false).topics.is_empty());
    assert_eq!(bench.fetch("topic"), -1, "no group, no offset, no error");
    bench.commit("topic");
    bench.commit("other");
    let all = bench.fetch_of(None, true);
    let names: Vec<&str> = all.topics.iter().map(|topic| topic.name.as_str()).collect();
    assert_eq!((names, all.error_code), (vec!["other", "topic"], 0));
    let partition = &all.topics[1].partitions[0];
    assert_eq!((partition.committed_offset, partition.committed_leader_epoch), (7, 2));
    assert_eq!(partition.metadata.as_deref(), Some("note"));
    let missing = OffsetFetchRequestTopics {
        name: "topic".to_owned(),
        partition_indexes: vec![1],
        ..OffsetFetchRequestTopics::default()
    };
    let missing = &bench.fetch_of(Some(vec![missing]), false).topics[0].partitions[0];
    assert_eq!((missing.committed_offset, missing.committed_leader_epoch, missing.error_code), (-1, -1, 0));
    assert_eq!(missing.metadata.as_deref(), Some(""));
}

#[test]
fn an_offset_of_an_earlier_topic_of_that_name_is_not_found() {
    let mut bench = Bench::new();
    bench.commit("topic");
    let by_id = |topic_id| OffsetFetchRequestTopics {
        name: "topic".to_owned(),
        topic_id,
        partition_indexes: vec![0],
        ..OffsetFetchRequestTopics::default()
    };
    for (topic_id, expected) in [(TOPIC_ID, 7), (Uuid::from_u128(1), -1), (Uuid::ZERO, 7)] {
        let fetched = bench.fetch_of(Some(vec![by_id(topic_id)]), false);
        assert_eq!(fetched.topics[0].partitions[0].committed_offset, expected, "{topic_id}");
        assert_eq!(fetched.topics[0].topic_id, topic_id);
    }
}

#[test]
fn older_fetches_ask_about_one_group() {
    let mut bench = Bench::new();
    bench.commit("topic");
    let topic = OffsetFetchRequestTopic {
        name: "topic".to_owned(),
        partition_indexes: vec![0, 1],
        ..OffsetFetchRequestTopic::default()
    };
    let request = OffsetFetchRequest {
        group_id: GROUP.to_owned(),
        topics: Some(vec![topic]),
        ..OffsetFetchRequest::default()
    };
    let groups = offset_fetch_request_groups(request.clone(), 7);
    let fetched = bench.fetch_of(groups[0].topics.clone(), false);
    let response = offset_fetch_response(vec![fetched], 7);
    let offsets: Vec<i64> =
        response.topics[0].partitions.iter().map(|partition| partition.committed_offset).collect();
    assert_eq!((offsets, response.error_code, response.groups.len()), (vec![7, -1], 0, 0));
    let all = OffsetFetchRequest { topics: None, ..request.clone() };
    assert_eq!(offset_fetch_request_groups(all, 2)[0].topics, None);
    // A refusal stands beside the partitions, or before v2 in each of them.
    bench.step(Event::Unload);
    let refused = bench.fetch_of(groups[0].topics.clone(), false);
    let response = offset_fetch_response(vec![refused.clone()], 2);
    assert_eq!((error(response.error_code), response.topics.len()), (ErrorCode::NotCoordinator, 0));
    let response = offset_fetch_response(vec![refused.clone()], 1);
    assert_eq!(error(response.topics[0].partitions[1].error_code), ErrorCode::NotCoordinator);
    let response = offset_fetch_response(vec![refused], 8);
    assert_eq!(
        (error(response.groups[0].error_code), response.groups[0].topics.len()),
        (ErrorCode::NotCoordinator, 0)
    );
}

#[test]
fn offsets_are_deleted_unless_a_member_reads_the_topic() {
    let mut bench = Bench::new();
    assert_eq!(delete(&mut bench, "", "topic").0, ErrorCode::InvalidGroupId);
    assert_eq!(delete(&mut bench, GROUP, "topic").0, ErrorCode::GroupIdNotFound);
    bench.commit("topic");
    bench.commit("read");
    let both = vec![ErrorCode::None; 2];
    assert_eq!(delete(&mut bench, GROUP, "topic"), (ErrorCode::None, both.clone()));
    assert!(matches!(&bench.last_records()[..], [GroupCoordinatorRecord::OffsetCommit(_, None)]));
    assert_eq!(bench.fetch("topic"), -1);
    let members = bench.stable_group(1);
    bench.commit_as(9, commit(&members[0], 1, "topic"));
    let subscribed = vec![ErrorCode::GroupSubscribedToTopic; 2];
    assert_eq!(delete(&mut bench, GROUP, "read"), (ErrorCode::None, subscribed));
    assert_eq!(delete(&mut bench, GROUP, "topic"), (ErrorCode::None, both));
    assert_eq!((bench.fetch("read"), bench.fetch("topic")), (7, -1));
}

#[test]
fn unreadable_subscriptions_protect_every_topic_and_other_types_every_offset() {
    let mut bench = Bench::new();
    bench.commit("topic");
    let id = bench.send(3, join_with("", &[("range", b"\x00")]));
    bench.advance(INITIAL_DELAY_MS);
    assert_eq!(error(bench.joined(id).error_code), ErrorCode::None);
    let subscribed = vec![ErrorCode::GroupSubscribedToTopic; 2];
    assert_eq!(delete(&mut bench, GROUP, "topic"), (ErrorCode::None, subscribed));
    let mut bench = Bench::new();
    bench.commit("topic");
    let mut request = join_request("", None);
    request.protocol_type = "connect".to_owned();
    bench.send(3, Request::JoinGroup(request));
    assert_eq!(delete(&mut bench, GROUP, "topic").0, ErrorCode::NonEmptyGroup);
}

#[test]
fn a_deleted_topic_takes_its_offsets_along() {
    let mut bench = Bench::new();
    bench.commit("topic");
    let mut unknown_id = commit("", -1, "topic");
    unknown_id.topics[0].topic_id = Uuid::ZERO;
    unknown_id.topics[0].partitions[0].partition_index = 1;
    bench.commit_as(9, unknown_id);
    let mut later = commit("", -1, "topic");
    later.topics[0].topic_id = Uuid::from_u128(1);
    later.topics[0].partitions[0].partition_index = 2;
    bench.commit_as(9, later);
    bench.commit("other");
    bench.step(Event::TopicsDeleted(vec![DeletedTopic { name: "topic".to_owned(), id: TOPIC_ID }]));
    assert_eq!(bench.last_records().len(), 2);
    let left = bench.fetch_of(None, false);
    let left: Vec<(&str, i32)> =
        left.topics.iter().map(|topic| (topic.name.as_str(), topic.partitions[0].partition_index)).collect();
    assert_eq!(left, [("other", 0), ("topic", 2)]);
    bench.restart();
    assert_eq!(bench.fetch_of(None, false).topics.len(), 2);
}

#[test]
fn an_old_client_may_give_its_offsets_a_retention_of_their_own() {
    let mut bench = Bench::new();
    bench.commit_as(3, OffsetCommitRequest { retention_time_ms: 600_000, ..commit("", -1, "topic") });
    assert_eq!(&bench.last.records[0].value.as_ref().expect("a value")[..2], [0, 1], "version 1");
    bench.restart();
    bench.advance(599_999);
    assert_eq!(bench.fetch("topic"), 7);
    bench.advance(1);
    assert_eq!(bench.fetch("topic"), -1);
}
