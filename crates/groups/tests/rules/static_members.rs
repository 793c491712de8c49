//! Static members (KIP-345): restarts that nobody notices, and twins that are fenced.

use groups::{GroupCoordinatorConfig, Request};
use protocol::ErrorCode;
use protocol::coordinator_records::GroupCoordinatorRecord;
use protocol::messages::{JoinGroupRequest, OffsetCommitRequest, SyncGroupRequest};

use crate::bench::*;

/// A stable group of the static members `a` (leader) and `b`.
fn stable(bench: &mut Bench) -> Vec<String> {
    let ids: Vec<_> =
        ["a", "b"].iter().map(|instance_id| bench.send(9, join("", Some(instance_id)))).collect();
    bench.advance(INITIAL_DELAY_MS * 2);
    let members: Vec<String> = ids.into_iter().map(|id| bench.joined(id).member_id).collect();
    assert!(members[0].starts_with("a-") && members[1].starts_with("b-"), "{members:?}");
    bench.sync_all(&members, 1);
    members
}

#[test]
fn a_follower_comes_back_without_a_rebalance() {
    let mut bench = Bench::new();
    let members = stable(&mut bench);
    let id = bench.send(9, join("", Some("b")));
    let response = bench.joined(id);
    assert_eq!((error(response.error_code), response.generation_id), (ErrorCode::None, 1));
    assert!(response.member_id.starts_with("b-") && response.member_id != members[1]);
    assert_eq!((&response.leader, response.skip_assignment, response.members.len()), (&members[0], false, 0));
    let [GroupCoordinatorRecord::GroupMetadata(_, Some(value))] = &bench.last_records()[..] else {
        panic!("{:?}", bench.last_records());
    };
    assert!(value.members.iter().any(|member| member.member_id == response.member_id));
    assert_eq!(bench.state(), "Stable");
    let id = bench.send(5, sync(&response.member_id, 1, &[]));
    assert_eq!(bench.synced(id).assignment, members[1], "the old assignment");
    assert_eq!(bench.heartbeat_as(&members[1], 1, Some("b")), ErrorCode::FencedInstanceId);
    assert_eq!(bench.heartbeat(&members[1], 1), ErrorCode::UnknownMemberId);
}

#[test]
fn a_leader_comes_back_without_a_rebalance_and_is_told_not_to_assign() {
    let mut bench = Bench::new();
    let members = stable(&mut bench);
    let id = bench.send(9, join("", Some("a")));
    let response = bench.joined(id);
    assert_eq!((response.generation_id, response.skip_assignment), (1, true));
    assert_eq!((&response.leader, response.members.len()), (&response.member_id, 2));
    let id = bench.send(8, join("", Some("a")));
    let older = bench.joined(id);
    assert_eq!(
        (&older.leader, older.skip_assignment),
        (&response.member_id, false),
        "it takes itself for a follower"
    );
    assert!(
        older.members.is_empty() && older.member_id != response.member_id && older.member_id != members[0]
    );
    assert_eq!(bench.state(), "Stable");
}

#[test]
fn a_change_of_the_chosen_protocol_does_rebalance() {
    let mut bench = Bench::new();
    let both = protocols(&[("range", &subscription(&["read"])), ("sticky", b"")]);
    let request =
        |instance_id| JoinGroupRequest { protocols: both.clone(), ..join_request("", Some(instance_id)) };
    let ids: Vec<_> =
        ["a", "b"].map(|instance_id| bench.send(9, Request::JoinGroup(request(instance_id)))).into();
    bench.advance(INITIAL_DELAY_MS * 2);
    let members: Vec<String> = ids.into_iter().map(|id| bench.joined(id).member_id).collect();
    bench.sync_all(&members, 1);
    let only_sticky =
        JoinGroupRequest { protocols: protocols(&[("sticky", b"")]), ..join_request("", Some("b")) };
    let id = bench.send(9, Request::JoinGroup(only_sticky));
    assert!(bench.is_parked(id));
    assert_eq!(bench.state(), "PreparingRebalance");
}

#[test]
fn a_known_static_member_rejoins_by_both_ids() {
    let mut bench = Bench::new();
    let members = stable(&mut bench);
    let wrong = bench.send(9, join(&members[0], Some("b")));
    assert_eq!(error(bench.joined(wrong).error_code), ErrorCode::FencedInstanceId);
    let unknown = bench.send(9, join(&members[0], Some("c")));
    assert_eq!(error(bench.joined(unknown).error_code), ErrorCode::UnknownMemberId);
    let follower = bench.send(9, join(&members[1], Some("b")));
    assert_eq!(bench.joined(follower).generation_id, 1);
}

#[test]
fn a_twin_is_fenced_wherever_it_waits() {
    let mut bench = Bench::new();
    let members = stable(&mut bench);
    // In the join phase.
    let leader = bench.send(9, join(&members[0], Some("a")));
    let twin = bench.send(9, join("", Some("a")));
    let fenced = bench.joined(leader);
    assert_eq!((error(fenced.error_code), &fenced.member_id), (ErrorCode::FencedInstanceId, &members[0]));
    let follower = bench.send(9, join(&members[1], Some("b")));
    let leader = bench.joined(twin);
    assert_eq!((bench.joined(follower).generation_id, leader.members.len()), (2, 2));
    // In the sync phase, where it starts another rebalance.
    let request =
        SyncGroupRequest { group_instance_id: Some("b".to_owned()), ..sync_request(&members[1], 2, &[]) };
    let waiting = bench.send(5, Request::SyncGroup(request));
    let twin = bench.send(9, join("", Some("b")));
    assert_eq!(error(bench.synced(waiting).error_code), ErrorCode::FencedInstanceId);
    assert!(bench.is_parked(twin));
    assert_eq!(bench.state(), "PreparingRebalance");
    // Committing under the old id is refused.
    let request = commit(&members[1], 2, "topic");
    let request = OffsetCommitRequest { group_instance_id: Some("b".to_owned()), ..request };
    assert_eq!(bench.commit_as(9, request), ErrorCode::FencedInstanceId);
    assert_eq!(bench.leave(&[(&members[1], Some("b"))]), [ErrorCode::FencedInstanceId]);
}

#[test]
fn a_static_member_survives_a_rebalance_it_misses() {
    let mut bench = Bench::new();
    let members = stable(&mut bench);
    let rejoined = bench.send(9, join(&members[0], Some("a")));
    for _ in 0..7 {
        bench.advance(8_000);
        assert_eq!(bench.heartbeat(&members[1], 1), ErrorCode::RebalanceInProgress);
    }
    bench.advance(4_000);
    let response = bench.joined(rejoined);
    assert_eq!((response.generation_id, response.members.len()), (2, 2));
    let id = bench.send(5, sync(&members[0], 2, &[&members[0], &members[1]]));
    assert_eq!(error(bench.synced(id).error_code), ErrorCode::None);
    assert_eq!(bench.heartbeat_as(&members[1], 1, Some("b")), ErrorCode::IllegalGeneration);
}

#[test]
fn a_replacement_too_large_for_the_log_changes_nothing() {
    let mut bench = Bench::with(GroupCoordinatorConfig { max_batch_bytes: 1_500, ..Default::default() });
    let members = stable(&mut bench);
    let large = protocols(&[("range", &[0; 1_500])]);
    let request = JoinGroupRequest { protocols: large, ..join_request("", Some("b")) };
    let id = bench.send(9, Request::JoinGroup(request));
    let response = bench.joined(id);
    assert_eq!(
        (error(response.error_code), response.member_id.as_str()),
        (ErrorCode::UnknownServerError, "")
    );
    assert_eq!(bench.heartbeat_as(&members[1], 1, Some("b")), ErrorCode::None);
    assert_eq!(
        bench.describe().members.iter().filter(|member| member.member_metadata.len() > 100).count(),
        0
    );
}

#[test]
fn who_comes_back_before_its_sync_is_the_one_waited_for() {
    let mut bench = Bench::new();
    let members = stable(&mut bench);
    let ids = [("a", &members[0]), ("b", &members[1])]
        .map(|(instance_id, member_id)| bench.send(9, join(member_id, Some(instance_id))));
    ids.into_iter().for_each(|id| assert_eq!(bench.joined(id).generation_id, 2));
    let leader = bench.send(5, sync(&members[0], 2, &[&members[0], &members[1]]));
    assert_eq!(error(bench.synced(leader).error_code), ErrorCode::None);
    let id = bench.send(9, join("", Some("b")));
    let replaced = bench.joined(id).member_id;
    let id = bench.send(5, sync(&replaced, 2, &[]));
    assert_eq!(bench.synced(id).assignment, members[1]);
    for _ in 0..10 {
        bench.advance(8_000);
        assert_eq!(bench.heartbeat(&members[0], 2), ErrorCode::None);
        assert_eq!(bench.heartbeat(&replaced, 2), ErrorCode::None, "the sync phase ended with its sync");
    }
}
