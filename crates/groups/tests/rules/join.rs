//! JoinGroup: who gets in, under which id, and what they are told.

use groups::{GroupCoordinatorConfig, Request};
use protocol::ErrorCode;
use protocol::coordinator_records::GroupCoordinatorRecord;
use protocol::messages::JoinGroupRequest;

use crate::bench::*;

fn refusal(bench: &mut Bench, api_version: i16, request: JoinGroupRequest) -> (ErrorCode, String) {
    let id = bench.send(api_version, Request::JoinGroup(request));
    let response = bench.joined(id);
    (error(response.error_code), response.member_id)
}

#[test]
fn a_new_dynamic_member_is_given_an_id_and_comes_back_with_it() {
    let mut bench = Bench::new();
    let id = bench.send(4, join("", None));
    assert_eq!(bench.last.records.len(), 1, "the group is written down when it is made");
    let response = bench.joined(id);
    assert_eq!(error(response.error_code), ErrorCode::MemberIdRequired);
    assert_eq!(response.member_id, "client-00000000-0000-4000-8000-000000000001");
    assert_eq!(response.protocol_name.as_deref(), Some(""), "before v7 the protocol name cannot be absent");
    assert_eq!((bench.state().as_str(), bench.shard.group_count()), ("Empty", 1));
    let id = bench.send(4, join(&response.member_id, None));
    assert_eq!(bench.state(), "PreparingRebalance");
    bench.advance(INITIAL_DELAY_MS - 1);
    assert!(bench.is_parked(id));
    bench.advance(1);
    let response = bench.joined(id);
    assert_eq!(error(response.error_code), ErrorCode::None);
    assert_eq!((response.generation_id, &response.leader), (1, &response.member_id));
    assert_eq!(response.protocol_name.as_deref(), Some("range"));
    assert_eq!((response.members.len(), response.skip_assignment), (1, false));
    assert_eq!(response.members[0].metadata, subscription(&["read"]));
}

#[test]
fn an_old_client_joins_at_once() {
    let mut bench = Bench::new();
    let id = bench.send(3, join("", None));
    assert!(bench.is_parked(id));
    assert_eq!(bench.last_records().len(), 1);
    bench.advance(INITIAL_DELAY_MS);
    assert_eq!(bench.joined(id).generation_id, 1);
}

#[test]
fn version_0_has_no_rebalance_timeout_of_its_own() {
    let mut bench =
        Bench::with(GroupCoordinatorConfig { group_initial_rebalance_delay_ms: 0, ..Default::default() });
    let request = JoinGroupRequest { rebalance_timeout_ms: -1, ..join_request("", None) };
    let first = bench.send(0, Request::JoinGroup(request.clone()));
    bench.advance(0);
    let leader = bench.joined(first).member_id;
    bench.send(0, Request::JoinGroup(request));
    // The first member does not rejoin: it is dropped after its session timeout, which is the rebalance timeout too.
    bench.advance(i64::from(SESSION_TIMEOUT_MS) - 1);
    assert_eq!(bench.state(), "PreparingRebalance");
    bench.advance(1);
    assert_eq!(bench.state(), "CompletingRebalance");
    assert_eq!(bench.heartbeat(&leader, 1), ErrorCode::UnknownMemberId);
}

#[test]
fn a_group_id_is_needed_and_the_session_timeout_has_bounds() {
    let mut bench = Bench::new();
    let unnamed = JoinGroupRequest { group_id: String::new(), ..join_request("m", None) };
    assert_eq!(refusal(&mut bench, 9, unnamed), (ErrorCode::InvalidGroupId, "m".to_owned()));
    for session_timeout_ms in [5_999, 1_800_001, -1] {
        let request = JoinGroupRequest { session_timeout_ms, ..join_request("m", None) };
        assert_eq!(refusal(&mut bench, 9, request), (ErrorCode::InvalidSessionTimeout, "m".to_owned()));
    }
    assert_eq!(bench.shard.group_count(), 0);
    for session_timeout_ms in [6_000, 1_800_000] {
        let request = JoinGroupRequest { session_timeout_ms, ..join_request("", None) };
        assert_eq!(refusal(&mut bench, 9, request).0, ErrorCode::MemberIdRequired);
    }
}

#[test]
fn a_member_of_a_group_that_is_gone_starts_over() {
    let mut bench = Bench::new();
    let known = join_request("somebody", None);
    assert_eq!(refusal(&mut bench, 9, known.clone()), (ErrorCode::UnknownMemberId, "somebody".to_owned()));
    assert_eq!(bench.shard.group_count(), 0);
    bench.stable_group(1);
    assert_eq!(refusal(&mut bench, 9, known.clone()), (ErrorCode::UnknownMemberId, "somebody".to_owned()));
    bench.advance(i64::from(SESSION_TIMEOUT_MS) + 1);
    assert_eq!(bench.state(), "Empty");
    assert_eq!(refusal(&mut bench, 9, known).0, ErrorCode::UnknownMemberId);
}

#[test]
fn protocols_must_fit_the_group() {
    let mut bench = Bench::new();
    let nothing = JoinGroupRequest { protocols: Vec::new(), ..join_request("", None) };
    assert_eq!(refusal(&mut bench, 9, nothing).0, ErrorCode::InconsistentGroupProtocol);
    let untyped = JoinGroupRequest { protocol_type: String::new(), ..join_request("", None) };
    assert_eq!(refusal(&mut bench, 9, untyped).0, ErrorCode::InconsistentGroupProtocol);
    let member_id = bench.stable_group(1).remove(0);
    let connect = JoinGroupRequest { protocol_type: "connect".to_owned(), ..join_request("", None) };
    assert_eq!(refusal(&mut bench, 9, connect), (ErrorCode::InconsistentGroupProtocol, String::new()));
    let other = JoinGroupRequest { protocols: protocols(&[("sticky", b"")]), ..join_request("", None) };
    assert_eq!(refusal(&mut bench, 9, other.clone()).0, ErrorCode::InconsistentGroupProtocol);
    let other = JoinGroupRequest { member_id: member_id.clone(), ..other };
    assert_eq!(refusal(&mut bench, 9, other), (ErrorCode::InconsistentGroupProtocol, member_id));
    assert_eq!(bench.state(), "Stable");
}

#[test]
fn the_protocol_most_members_prefer_is_chosen_among_those_all_know() {
    let mut bench = Bench::new();
    let preferences: [&[(&str, &[u8])]; 3] = [
        &[("only-mine", b"1"), ("range", b"1r"), ("sticky", b"1s")],
        &[("sticky", b"2s"), ("range", b"2r")],
        &[("sticky", b"3s"), ("range", b"3r")],
    ];
    let ids: Vec<_> = preferences.iter().map(|named| bench.send(3, join_with("", named))).collect();
    bench.advance(INITIAL_DELAY_MS * 3);
    let responses: Vec<_> = ids.into_iter().map(|id| bench.joined(id)).collect();
    assert!(responses.iter().all(|response| response.protocol_name.as_deref() == Some("sticky")));
    let metadata: Vec<&[u8]> = responses[0].members.iter().map(|member| &member.metadata[..]).collect();
    assert_eq!(metadata, [&b"1s"[..], b"2s", b"3s"]);
    assert!(
        responses[1].members.is_empty() && responses[2].members.is_empty(),
        "only the leader sees the members"
    );
}

#[test]
fn a_tied_vote_goes_where_java_counts_first() {
    // Java's HashMap iterates "sticky" before "range" before "roundrobin", whatever was put in first.
    for (one, other) in [("roundrobin", "range"), ("range", "roundrobin"), ("range", "sticky")] {
        let mut bench = Bench::new();
        let first = bench.send(3, join_with("", &[(one, b""), (other, b"")]));
        bench.send(3, join_with("", &[(other, b""), (one, b"")]));
        bench.advance(INITIAL_DELAY_MS * 2);
        let expected = if other == "sticky" { "sticky" } else { "range" };
        assert_eq!(bench.joined(first).protocol_name.as_deref(), Some(expected));
    }
}

#[test]
fn a_protocol_named_twice_counts_once() {
    let mut bench = Bench::new();
    let id = bench.send(3, join_with("", &[("range", b"first"), ("range", b"second")]));
    bench.advance(INITIAL_DELAY_MS);
    let response = bench.joined(id);
    assert_eq!(
        (error(response.error_code), &response.members[0].metadata[..]),
        (ErrorCode::None, &b"first"[..])
    );
}

#[test]
fn an_unused_member_id_lapses_with_its_session() {
    let mut bench = Bench::new();
    let id = bench.send(9, join("", None));
    let member_id = bench.joined(id).member_id;
    bench.advance(i64::from(SESSION_TIMEOUT_MS));
    assert_eq!(refusal(&mut bench, 9, join_request(&member_id, None)).0, ErrorCode::UnknownMemberId);
}

#[test]
fn a_pending_member_keeps_the_others_waiting_until_it_lapses() {
    let mut bench = Bench::new();
    let members = bench.stable_group(1);
    bench.send(9, join("", None));
    assert_eq!(bench.state(), "Stable", "asking for an id disturbs nobody");
    let rejoined = bench.send(9, join(&members[0], None));
    assert!(bench.is_parked(rejoined));
    bench.advance(i64::from(SESSION_TIMEOUT_MS));
    assert_eq!(bench.joined(rejoined).generation_id, 2);
}

#[test]
fn a_pending_member_cannot_turn_static() {
    let mut bench = Bench::new();
    let id = bench.send(9, join("", None));
    let member_id = bench.joined(id).member_id;
    assert_eq!(refusal(&mut bench, 9, join_request(&member_id, Some("i"))).0, ErrorCode::UnknownServerError);
}

#[test]
fn an_instance_id_must_leave_room_for_the_member_id() {
    let mut bench = Bench::new();
    let instance_id = "i".repeat(0x7fff);
    let refused = refusal(&mut bench, 9, join_request("", Some(&instance_id)));
    assert_eq!(refused, (ErrorCode::UnknownServerError, String::new()));
    let id = bench.send(9, join("", Some(&instance_id[..0x7fff - 37])));
    bench.advance(INITIAL_DELAY_MS);
    assert_eq!(error(bench.joined(id).error_code), ErrorCode::None);
}

#[test]
fn a_full_group_takes_nobody_else() {
    let config = GroupCoordinatorConfig { group_max_size: 2, ..Default::default() };
    let mut bench = Bench::with(config);
    let members = bench.stable_group(2);
    assert_eq!(
        refusal(&mut bench, 9, join_request("", None)),
        (ErrorCode::GroupMaxSizeReached, String::new())
    );
    // While members rejoin, the first two to come are in.
    let first = bench.send(9, join(&members[0], None));
    let second = bench.send(3, join("", None));
    assert_eq!(refusal(&mut bench, 9, join_request(&members[1], None)).0, ErrorCode::GroupMaxSizeReached);
    let again = bench.send(9, join(&members[0], None));
    assert_eq!(
        error(bench.joined(first).error_code),
        ErrorCode::RebalanceInProgress,
        "superseded by the second try"
    );
    bench.advance(i64::from(REBALANCE_TIMEOUT_MS));
    assert_eq!(bench.joined(again).members.len(), 2);
    assert_eq!(error(bench.joined(second).error_code), ErrorCode::None);
}

#[test]
fn a_refused_first_join_still_makes_the_group_until_the_next_cleanup() {
    let mut bench = Bench::new();
    let nothing = JoinGroupRequest { protocols: Vec::new(), ..join_request("", None) };
    refusal(&mut bench, 9, nothing);
    let [GroupCoordinatorRecord::GroupMetadata(_, Some(value))] = &bench.last_records()[..] else {
        panic!("{:?}", bench.last_records());
    };
    assert_eq!((value.generation, value.protocol_type.as_str(), &value.leader), (0, "", &None));
    assert_eq!(value.current_state_timestamp, bench.now_ms);
    bench.advance(600_000);
    assert!(matches!(&bench.last_records()[..], [GroupCoordinatorRecord::GroupMetadata(_, None)]));
    assert_eq!(bench.shard.group_count(), 0);
}
