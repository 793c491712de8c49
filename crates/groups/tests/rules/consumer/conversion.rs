//! Groups that change their protocol with members in them.

use groups::{ConsumerGroupConfig, GroupCoordinatorConfig, MigrationPolicy, Reply, Request};
use protocol::ErrorCode;
use protocol::embedded::consumer_protocol_assignment::TopicPartition;
use protocol::embedded::{ConsumerProtocolAssignment, ConsumerProtocolSubscription};
use protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use protocol::messages::{JoinGroupRequest, JoinGroupResponse, SyncGroupRequest, SyncGroupResponse};
use protocol::{Message, Reader, Writer};

use super::*;
use crate::bench::{INITIAL_DELAY_MS, join_request, protocols, sync_request};

fn embedded<M: Message>(message: &M) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.i16(3);
    message.encode(&mut writer, 3).expect("encodable");
    writer.into_bytes().expect("bytes").expect("some").to_vec()
}

fn assignment_of(bytes: bytes::Bytes) -> Vec<(String, Vec<i32>)> {
    let mut reader = Reader::new(bytes);
    let version = reader.i16().expect("a version");
    let assignment = ConsumerProtocolAssignment::decode(&mut reader, version).expect("an assignment");
    assignment.assigned_partitions.into_iter().map(|topic| (topic.topic, topic.partitions)).collect()
}

fn classic_join(member_id: &str, owned: &[i32]) -> JoinGroupRequest {
    let subscription = ConsumerProtocolSubscription {
        topics: vec!["foo".to_owned()],
        owned_partitions: vec![protocol::embedded::consumer_protocol_subscription::TopicPartition {
            topic: "foo".to_owned(),
            partitions: owned.to_vec(),
        }],
        ..ConsumerProtocolSubscription::default()
    };
    JoinGroupRequest {
        protocols: protocols(&[("range", &embedded(&subscription))]),
        ..join_request(member_id, None)
    }
}

fn joined(bench: &mut Bench, request: JoinGroupRequest) -> JoinGroupResponse {
    let id = bench.send(9, Request::JoinGroup(request));
    bench.joined(id)
}

fn synced(bench: &mut Bench, request: SyncGroupRequest) -> SyncGroupResponse {
    let id = bench.send(5, Request::SyncGroup(request));
    bench.synced(id)
}

/// A stable classic group of one member that owns all of `foo`.
fn classic_group(bench: &mut Bench) -> String {
    let member_id = joined(bench, classic_join("", &[])).member_id;
    let id = bench.send(9, Request::JoinGroup(classic_join(&member_id, &[])));
    bench.advance(INITIAL_DELAY_MS * 4);
    let generation = bench.joined(id);
    assert_eq!((generation.error_code, generation.generation_id), (0, 1));
    let assignment = ConsumerProtocolAssignment {
        assigned_partitions: vec![TopicPartition { topic: "foo".to_owned(), partitions: (0..6).collect() }],
        ..ConsumerProtocolAssignment::default()
    };
    let request = SyncGroupRequest {
        assignments: vec![SyncGroupRequestAssignment {
            member_id: member_id.clone(),
            assignment: embedded(&assignment).into(),
            ..SyncGroupRequestAssignment::default()
        }],
        ..sync_request(&member_id, 1, &[])
    };
    assert_eq!(synced(bench, request).error_code, 0);
    member_id
}

#[test]
fn a_classic_group_becomes_a_consumer_group_and_back() {
    let (mut bench, _) = bench();
    let classic = classic_group(&mut bench);
    let mut new = Follower::join(&mut bench, "new", &["foo"]);
    let group = described(&mut bench);
    let kinds: Vec<(&str, i8)> =
        group.members.iter().map(|member| (member.member_id.as_str(), member.member_type)).collect();
    assert_eq!(kinds, [(classic.as_str(), 0), ("new", 1)]);
    assert_eq!(new.partition_count(), 0, "the classic member has everything still");
    assert_eq!(bench.heartbeat(&classic, 1), ErrorCode::RebalanceInProgress);
    let rejoined = joined(&mut bench, classic_join(&classic, &[0, 1, 2, 3, 4, 5]));
    assert_eq!((rejoined.error_code, rejoined.generation_id), (0, 1), "it has to give up first");
    let sync = synced(&mut bench, sync_request(&classic, 1, &[]));
    let kept = assignment_of(sync.assignment);
    assert_eq!(kept.iter().map(|(_, partitions)| partitions.len()).sum::<usize>(), 3);
    assert_eq!(bench.heartbeat(&classic, 1), ErrorCode::RebalanceInProgress);
    let rejoined = joined(&mut bench, classic_join(&classic, &kept[0].1));
    assert!(rejoined.generation_id > 1);
    assert_eq!(bench.heartbeat(&classic, rejoined.generation_id), ErrorCode::None);
    new.beat(&mut bench);
    assert_eq!(new.partition_count(), 3);
    assert_eq!(described(&mut bench).group_state, "Stable");
    accepted(&mut bench, beat("new", -1));
    assert_eq!(bench.state(), "PreparingRebalance", "only a classic member is left");
    assert_eq!(bench.heartbeat(&classic, rejoined.generation_id), ErrorCode::RebalanceInProgress);
    assert_eq!(described(&mut bench).error_code, ErrorCode::GroupIdNotFound.as_i16());
    let id = bench.send(9, Request::JoinGroup(classic_join(&classic, &[])));
    assert_eq!(bench.joined(id).error_code, 0);
    bench.restart();
    assert_eq!(bench.describe().members.len(), 1);
}

#[test]
fn a_classic_member_joins_a_consumer_group() {
    let (mut bench, _) = bench();
    let mut a = Follower::join(&mut bench, "a", &["foo"]);
    let first = joined(&mut bench, classic_join("", &[]));
    assert_eq!(error(first.error_code), ErrorCode::MemberIdRequired);
    let member = joined(&mut bench, classic_join(&first.member_id, &[]));
    assert_eq!((member.error_code, member.leader.as_str(), member.members.len()), (0, "", 0));
    assert_eq!(member.protocol_name.as_deref(), Some("range"));
    let request = sync_request(&first.member_id, member.generation_id, &[]);
    assert_eq!(synced(&mut bench, request).error_code, 0);
    bench.advance(1_000);
    a.beat(&mut bench);
    a.beat(&mut bench);
    assert_eq!(bench.heartbeat(&first.member_id, member.generation_id), ErrorCode::RebalanceInProgress);
    let member = joined(&mut bench, classic_join(&first.member_id, &[]));
    let sync = synced(&mut bench, sync_request(&first.member_id, member.generation_id, &[]));
    assert_eq!(assignment_of(sync.assignment)[0].1.len(), 3);
    assert_eq!(bench.leave(&[(&first.member_id, None)]), [ErrorCode::None]);
    let mut members = [a];
    settle(&mut bench, &mut members);
    assert_eq!(members[0].partition_count(), 6);
}

#[test]
fn policy_decides() {
    let consumer = ConsumerGroupConfig {
        migration_policy: MigrationPolicy { upgrade: false, downgrade: false },
        ..ConsumerGroupConfig::default()
    };
    let (mut bench, _) = bench_with(GroupCoordinatorConfig { consumer, ..GroupCoordinatorConfig::default() });
    classic_group(&mut bench);
    let refusal = refused(&mut bench, join("new", &["foo"]));
    let message =
        format!("Cannot upgrade classic group {GROUP} to consumer group because online upgrade is disabled.");
    assert_eq!(refusal, (ErrorCode::GroupIdNotFound, message));
    assert_eq!(bench.state(), "Stable");
}

#[test]
fn a_parked_join_is_told_to_come_again() {
    let (mut bench, _) = bench();
    let member_id = classic_group(&mut bench);
    let other = joined(&mut bench, classic_join("", &[])).member_id;
    let parked = bench.send(9, Request::JoinGroup(classic_join(&other, &[])));
    assert!(bench.is_parked(parked));
    accepted(&mut bench, join("new", &["foo"]));
    assert_eq!(error(bench.joined(parked).error_code), ErrorCode::RebalanceInProgress);
    assert_eq!(described(&mut bench).members.len(), 3);
    let id = bench.send(9, Request::JoinGroup(classic_join(&member_id, &[])));
    let Some(Reply::JoinGroup(response)) = bench.take(id) else { panic!("joins are answered at once now") };
    assert_eq!(response.error_code, 0);
}
