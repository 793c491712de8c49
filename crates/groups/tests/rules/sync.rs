//! SyncGroup: assignments on their way from the leader to the members.

use bytes::Bytes;
use groups::{GroupCoordinatorConfig, Request};
use protocol::ErrorCode;
use protocol::coordinator_records::GroupCoordinatorRecord;
use protocol::messages::SyncGroupRequest;

use crate::bench::*;

fn refusal(bench: &mut Bench, api_version: i16, request: SyncGroupRequest) -> ErrorCode {
    let id = bench.send(api_version, Request::SyncGroup(request));
    let response = bench.synced(id);
    assert!(response.assignment.is_empty() && response.protocol_name.is_none());
    error(response.error_code)
}

/// A group of two that awaits its second assignment.
fn completing(bench: &mut Bench) -> Vec<String> {
    let members = bench.stable_group(2);
    let ids: Vec<_> = members.iter().map(|member_id| bench.send(9, join(member_id, None))).collect();
    ids.into_iter().for_each(|id| assert_eq!(bench.joined(id).generation_id, 2));
    members
}

#[test]
fn followers_wait_for_the_leader_and_the_forgotten_get_nothing() {
    let mut bench = Bench::new();
    let members = completing(&mut bench);
    let follower = bench.send(5, sync(&members[1], 2, &[]));
    assert!(bench.is_parked(follower));
    let leader = bench.send(5, sync(&members[0], 2, &[&members[0], "stranger"]));
    let response = bench.synced(leader);
    assert_eq!(
        (response.protocol_type.as_deref(), response.protocol_name.as_deref()),
        (Some("consumer"), Some("range"))
    );
    assert_eq!(response.assignment, members[0]);
    let response = bench.synced(follower);
    assert_eq!((error(response.error_code), response.assignment), (ErrorCode::None, Bytes::new()));
    let late = bench.send(5, sync(&members[0], 2, &[]));
    assert_eq!(bench.synced(late).assignment, members[0], "a stable group repeats its assignment");
}

#[test]
fn the_generation_is_written_as_kafka_writes_it() {
    let mut bench = Bench::new();
    let members = completing(&mut bench);
    bench.send(5, sync(&members[0], 2, &[&members[0], &members[1]]));
    assert_eq!(&bench.last.records[0].value.as_ref().expect("a value")[..2], [0, 3], "version 3");
    let [GroupCoordinatorRecord::GroupMetadata(key, Some(value))] = &bench.last_records()[..] else {
        panic!("{:?}", bench.last_records());
    };
    assert_eq!((key.group.as_str(), value.generation), (GROUP, 2));
    assert_eq!(
        (value.protocol.as_deref(), value.leader.as_deref()),
        (Some("range"), Some(members[0].as_str()))
    );
    let member = &value.members[1];
    assert_eq!((&member.member_id, &member.group_instance_id), (&members[1], &None));
    assert_eq!((member.client_id.as_str(), member.client_host.as_str()), ("client", "/127.0.0.1"));
    assert_eq!(
        (member.rebalance_timeout, member.session_timeout),
        (REBALANCE_TIMEOUT_MS, SESSION_TIMEOUT_MS)
    );
    assert_eq!(
        (&member.subscription[..], &member.assignment[..]),
        (&subscription(&["read"])[..], members[1].as_bytes())
    );
}

#[test]
fn a_sync_must_fit_member_generation_and_protocol() {
    let mut bench = Bench::new();
    assert_eq!(refusal(&mut bench, 5, sync_request("m", 1, &[])), ErrorCode::UnknownMemberId);
    let members = bench.stable_group(1);
    let good = sync_request(&members[0], 1, &[]);
    let unnamed = SyncGroupRequest { group_id: String::new(), ..good.clone() };
    assert_eq!(refusal(&mut bench, 5, unnamed), ErrorCode::InvalidGroupId);
    assert_eq!(refusal(&mut bench, 5, sync_request("m", 1, &[])), ErrorCode::UnknownMemberId);
    assert_eq!(refusal(&mut bench, 5, sync_request(&members[0], 2, &[])), ErrorCode::IllegalGeneration);
    let other_type = SyncGroupRequest { protocol_type: Some("connect".to_owned()), ..good.clone() };
    assert_eq!(refusal(&mut bench, 5, other_type), ErrorCode::InconsistentGroupProtocol);
    let other_name = SyncGroupRequest { protocol_name: Some("sticky".to_owned()), ..good.clone() };
    assert_eq!(refusal(&mut bench, 5, other_name), ErrorCode::InconsistentGroupProtocol);
    let unsaid = SyncGroupRequest { protocol_type: None, protocol_name: None, ..good };
    assert_eq!(refusal(&mut bench, 5, unsaid.clone()), ErrorCode::InconsistentGroupProtocol);
    let id = bench.send(4, Request::SyncGroup(unsaid));
    assert_eq!(error(bench.synced(id).error_code), ErrorCode::None);
}

#[test]
fn a_rebalance_takes_waiting_syncs_with_it() {
    let mut bench = Bench::new();
    let members = completing(&mut bench);
    let follower = bench.send(5, sync(&members[1], 2, &[]));
    bench.join_dynamic();
    assert_eq!(error(bench.synced(follower).error_code), ErrorCode::RebalanceInProgress);
    assert_eq!(refusal(&mut bench, 5, sync_request(&members[1], 2, &[])), ErrorCode::RebalanceInProgress);
}

#[test]
fn a_sync_sent_twice_is_answered_twice() {
    let mut bench = Bench::new();
    let members = completing(&mut bench);
    let first = bench.send(5, sync(&members[1], 2, &[]));
    let second = bench.send(5, sync(&members[1], 2, &[]));
    assert_eq!(error(bench.synced(first).error_code), ErrorCode::RebalanceInProgress);
    bench.send(5, sync(&members[0], 2, &[&members[1]]));
    assert_eq!(bench.synced(second).assignment, members[1]);
}

#[test]
fn a_follower_lost_while_waiting_is_told_and_the_leader_starts_over() {
    let mut bench = Bench::new();
    let members = completing(&mut bench);
    let follower = bench.send(5, sync(&members[1], 2, &[]));
    assert_eq!(bench.leave(&[(&members[1], None)]), [ErrorCode::None]);
    assert_eq!(error(bench.synced(follower).error_code), ErrorCode::UnknownMemberId);
    assert_eq!(refusal(&mut bench, 5, sync_request(&members[0], 2, &[])), ErrorCode::RebalanceInProgress);
}

#[test]
fn an_assignment_too_large_for_the_log_starts_over() {
    let config = GroupCoordinatorConfig { max_batch_bytes: 1_000, ..Default::default() };
    let mut bench = Bench::with(config);
    let members = completing(&mut bench);
    let follower = bench.send(5, sync(&members[1], 2, &[]));
    let mut request = sync_request(&members[0], 2, &[&members[0]]);
    request.assignments[0].assignment = Bytes::from(vec![0; 1_000]);
    assert_eq!(refusal(&mut bench, 5, request), ErrorCode::UnknownServerError);
    assert!(bench.last.records.is_empty());
    assert_eq!(error(bench.synced(follower).error_code), ErrorCode::UnknownServerError);
    assert_eq!(bench.state(), "PreparingRebalance");
}

#[test]
fn waiting_for_the_assignment_needs_no_heartbeat() {
    let mut bench = Bench::new();
    let members = completing(&mut bench);
    let follower = bench.send(5, sync(&members[1], 2, &[]));
    for _ in 0..6 {
        bench.advance(9_000);
        assert_eq!(bench.heartbeat(&members[0], 2), ErrorCode::None);
    }
    assert!(bench.is_parked(follower));
    bench.send(5, sync(&members[0], 2, &[&members[1]]));
    assert_eq!(bench.synced(follower).assignment, members[1]);
    bench.advance(9_999);
    assert_eq!(
        bench.heartbeat(&members[1], 2),
        ErrorCode::None,
        "its session began anew with the assignment"
    );
}
