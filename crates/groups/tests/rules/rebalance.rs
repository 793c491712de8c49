//! From generation to generation: delays, timeouts, leaders, and members that get lost on the way.

use groups::{GroupCoordinatorConfig, Request};
use protocol::ErrorCode;
use protocol::coordinator_records::GroupCoordinatorRecord;
use protocol::messages::JoinGroupRequest;

use crate::bench::*;

#[test]
fn the_initial_delay_grows_while_members_come_up_to_the_rebalance_timeout() {
    let mut bench = Bench::new();
    let request = JoinGroupRequest { rebalance_timeout_ms: 7_000, ..join_request("", None) };
    let first = bench.send(3, Request::JoinGroup(request.clone()));
    for _ in 0..2 {
        bench.advance(2_000);
        bench.send(3, Request::JoinGroup(request.clone()));
    }
    // Extended at 3 s (to 6 s) and at 6 s by the remaining second.
    bench.send(3, Request::JoinGroup(request.clone()));
    bench.advance(2_100);
    bench.send(3, Request::JoinGroup(request));
    assert!(bench.is_parked(first));
    bench.advance(899);
    assert!(bench.is_parked(first));
    bench.advance(1);
    assert_eq!(bench.joined(first).members.len(), 5);
}

#[test]
fn without_newcomers_the_initial_delay_is_not_extended() {
    let mut bench = Bench::new();
    let first = bench.send(3, join("", None));
    bench.advance(INITIAL_DELAY_MS);
    assert_eq!(bench.joined(first).members.len(), 1);
}

#[test]
fn without_an_initial_delay_the_next_tick_completes_the_join() {
    let mut bench =
        Bench::with(GroupCoordinatorConfig { group_initial_rebalance_delay_ms: 0, ..Default::default() });
    let first = bench.send(3, join("", None));
    assert_eq!(bench.shard.next_deadline(), Some(bench.now_ms));
    bench.advance(0);
    assert_eq!(bench.joined(first).generation_id, 1);
}

#[test]
fn a_newcomer_makes_everybody_rejoin() {
    let mut bench = Bench::new();
    let mut members = bench.stable_group(2);
    let (newcomer, parked) = bench.join_dynamic();
    assert_eq!(bench.state(), "PreparingRebalance");
    for member_id in &members {
        assert_eq!(bench.heartbeat(member_id, 1), ErrorCode::RebalanceInProgress);
    }
    let rejoined: Vec<_> = members.iter().map(|member_id| bench.send(9, join(member_id, None))).collect();
    let response = bench.joined(parked);
    assert_eq!((response.generation_id, &response.leader), (2, &members[0]));
    assert_eq!(bench.joined(rejoined[0]).members.len(), 3);
    assert!(bench.joined(rejoined[1]).members.is_empty());
    assert_eq!(bench.state(), "CompletingRebalance");
    assert_eq!(bench.heartbeat(&newcomer, 2), ErrorCode::None, "heartbeats may come before the assignment");
    members.push(newcomer);
    bench.sync_all(&members, 2);
    assert_eq!(bench.state(), "Stable");
}

#[test]
fn members_that_do_not_rejoin_in_time_are_out() {
    let mut bench = Bench::new();
    let members = bench.stable_group(2);
    let rejoined = bench.send(9, join(&members[1], None));
    assert!(!bench.is_parked(rejoined), "a follower that changed nothing is told the generation again");
    let response = bench.joined(rejoined);
    assert_eq!((response.generation_id, response.members.len()), (1, 0));
    let changed = join_with(&members[1], &[("range", b"changed"), ("sticky", b"")]);
    let rejoined = bench.send(9, changed);
    for _ in 0..7 {
        bench.advance(8_000);
        assert_eq!(bench.heartbeat(&members[0], 1), ErrorCode::RebalanceInProgress);
        assert!(bench.is_parked(rejoined));
    }
    bench.advance(i64::from(REBALANCE_TIMEOUT_MS) - 56_000);
    let response = bench.joined(rejoined);
    assert_eq!(
        (response.generation_id, &response.leader),
        (2, &members[1]),
        "the leader is replaced by who came"
    );
    assert_eq!(bench.heartbeat(&members[0], 2), ErrorCode::UnknownMemberId);
}

#[test]
fn the_leader_may_rebalance_at_will() {
    let mut bench = Bench::new();
    let members = bench.stable_group(2);
    let leader = bench.send(9, join(&members[0], None));
    assert!(bench.is_parked(leader));
    assert_eq!(bench.state(), "PreparingRebalance");
    let follower = bench.send(9, join(&members[1], None));
    assert_eq!((bench.joined(leader).generation_id, bench.joined(follower).generation_id), (2, 2));
}

#[test]
fn a_lost_answer_is_given_again_while_assignments_are_awaited() {
    let mut bench = Bench::new();
    let members = bench.stable_group(2);
    let rejoined: Vec<_> = members.iter().map(|member_id| bench.send(9, join(member_id, None))).collect();
    let first = bench.joined(rejoined[0]);
    let again = bench.send(9, join(&members[0], None));
    assert_eq!(bench.joined(again), first, "the leader sees the members once more");
    let again = bench.send(9, join(&members[1], None));
    assert_eq!(bench.joined(again), bench.joined(rejoined[1]));
    let parked = bench.send(5, sync(&members[1], 2, &[]));
    let changed = bench.send(9, join_with(&members[0], &[("range", b"changed")]));
    assert!(bench.is_parked(changed), "who has changed starts another rebalance");
    assert_eq!(error(bench.synced(parked).error_code), ErrorCode::RebalanceInProgress);
}

#[test]
fn a_silent_member_is_given_up_after_its_session() {
    let mut bench = Bench::new();
    let members = bench.stable_group(2);
    bench.advance(9_000);
    assert_eq!(bench.heartbeat(&members[0], 1), ErrorCode::None);
    bench.advance(1_000);
    assert_eq!(bench.state(), "PreparingRebalance");
    assert_eq!(bench.heartbeat(&members[1], 1), ErrorCode::UnknownMemberId);
    let rejoined = bench.send(9, join(&members[0], None));
    assert_eq!(bench.joined(rejoined).generation_id, 2);
}

#[test]
fn a_heartbeat_needs_the_right_member_and_generation() {
    let mut bench = Bench::new();
    assert_eq!(bench.heartbeat("nobody", 1), ErrorCode::UnknownMemberId);
    let members = bench.stable_group(1);
    assert_eq!(bench.heartbeat("nobody", 1), ErrorCode::UnknownMemberId);
    assert_eq!(bench.heartbeat(&members[0], 0), ErrorCode::IllegalGeneration);
    assert_eq!(bench.heartbeat(&members[0], 2), ErrorCode::IllegalGeneration);
    assert_eq!(bench.heartbeat_as(&members[0], 1, Some("i")), ErrorCode::UnknownMemberId);
    assert_eq!(bench.heartbeat(&members[0], 1), ErrorCode::None);
}

#[test]
fn the_last_member_leaves_an_empty_generation_behind() {
    let mut bench = Bench::new();
    bench.stable_group(1);
    bench.advance(i64::from(SESSION_TIMEOUT_MS));
    let [GroupCoordinatorRecord::GroupMetadata(_, Some(value))] = &bench.last_records()[..] else {
        panic!("{:?}", bench.last_records());
    };
    assert_eq!((value.generation, value.protocol_type.as_str(), &value.protocol), (2, "consumer", &None));
    assert_eq!((value.members.len(), &value.leader), (0, &None));
    assert_eq!(bench.state(), "Empty");
}

#[test]
fn a_waiting_member_needs_no_heartbeat_but_a_new_one_does_not_wait_for_ever() {
    let mut bench = Bench::new();
    let members = bench.stable_group(2);
    let request = JoinGroupRequest { rebalance_timeout_ms: 1_000_000, ..join_request("", None) };
    let newcomer = bench.send(3, Request::JoinGroup(request));
    let waiting = bench.send(9, join(&members[0], None));
    // The third member never rejoins but keeps its session alive.
    for _ in 0..37 {
        bench.advance(8_000);
        assert_eq!(bench.heartbeat(&members[1], 1), ErrorCode::RebalanceInProgress);
    }
    assert!(bench.is_parked(waiting) && bench.is_parked(newcomer));
    bench.advance(4_000);
    assert_eq!(error(bench.joined(newcomer).error_code), ErrorCode::UnknownMemberId, "five minutes are over");
    assert!(bench.is_parked(waiting));
}

#[test]
fn members_that_rejoin_but_never_sync_are_out() {
    let mut bench = Bench::new();
    let members = bench.stable_group(2);
    for member_id in &members {
        bench.send(9, join(member_id, None));
    }
    let leader = bench.send(5, sync(&members[0], 2, &[]));
    assert_eq!(error(bench.synced(leader).error_code), ErrorCode::None);
    for _ in 0..7 {
        bench.advance(8_000);
        assert_eq!(bench.heartbeat(&members[0], 2), ErrorCode::None);
        assert_eq!(bench.heartbeat(&members[1], 2), ErrorCode::None);
    }
    bench.advance(4_000);
    assert_eq!(bench.heartbeat(&members[1], 2), ErrorCode::UnknownMemberId);
    assert_eq!(bench.heartbeat(&members[0], 2), ErrorCode::RebalanceInProgress);
}

#[test]
fn if_nobody_rejoins_static_members_are_waited_for_until_their_sessions_end() {
    let mut bench = Bench::new();
    let request = JoinGroupRequest {
        rebalance_timeout_ms: 10_000,
        session_timeout_ms: 30_000,
        ..join_request("", Some("i"))
    };
    let id = bench.send(9, Request::JoinGroup(request));
    bench.advance(INITIAL_DELAY_MS);
    let member_id = bench.joined(id).member_id;
    let leader = bench.send(5, sync(&member_id, 1, &[]));
    assert_eq!(error(bench.synced(leader).error_code), ErrorCode::None);
    let request = JoinGroupRequest { rebalance_timeout_ms: 10_000, ..join_request("", None) };
    let id = bench.send(3, Request::JoinGroup(request));
    let newcomer = bench.describe().members[1].member_id.clone();
    assert_eq!(bench.leave(&[(&newcomer, None)]), [ErrorCode::None]);
    assert_eq!(error(bench.joined(id).error_code), ErrorCode::UnknownMemberId);
    for _ in 0..2 {
        bench.advance(10_000);
        assert_eq!(bench.state(), "PreparingRebalance", "another round of the join phase");
    }
    bench.advance(10_000);
    assert_eq!(bench.state(), "Empty");
}

#[test]
fn a_rebalance_timeout_of_nothing_does_not_keep_the_shard_busy() {
    let mut bench = Bench::new();
    let id = bench.send(9, join("", Some("i")));
    bench.advance(INITIAL_DELAY_MS);
    let member_id = bench.joined(id).member_id;
    let leader = bench.send(5, sync(&member_id, 1, &[]));
    assert_eq!(error(bench.synced(leader).error_code), ErrorCode::None);
    let request = JoinGroupRequest { rebalance_timeout_ms: 0, ..join_request("", Some("i")) };
    let id = bench.send(9, Request::JoinGroup(request.clone()));
    assert_eq!(bench.joined(id).generation_id, 1);
    // A newcomer calls the static member to rejoin, and goes again before anybody has.
    let newcomer = bench.send(3, Request::JoinGroup(JoinGroupRequest { group_instance_id: None, ..request }));
    let newcomer_id = bench.describe().members[1].member_id.clone();
    bench.leave(&[(&newcomer_id, None)]);
    assert_eq!(error(bench.joined(newcomer).error_code), ErrorCode::UnknownMemberId);
    bench.step(groups::Event::Tick);
    assert!(bench.shard.next_deadline() > Some(bench.now_ms));
    assert_eq!(bench.state(), "PreparingRebalance");
}
