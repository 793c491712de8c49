//! LeaveGroup: alone, in batches, by instance id.

use groups::{Reply, Request};
use protocol::ErrorCode;
use protocol::messages::LeaveGroupRequest;

use crate::bench::*;

#[test]
fn a_leaving_member_starts_a_rebalance() {
    let mut bench = Bench::new();
    let members = bench.stable_group(2);
    assert_eq!(bench.leave(&[(&members[1], None)]), [ErrorCode::None]);
    assert_eq!(bench.state(), "PreparingRebalance");
    assert_eq!(bench.leave(&[(&members[0], None)]), [ErrorCode::None]);
    assert_eq!(bench.state(), "Empty");
    assert_eq!(bench.last.records.len(), 0, "describing writes nothing");
}

#[test]
fn the_last_one_to_leave_is_written_down() {
    let mut bench = Bench::new();
    let members = bench.stable_group(1);
    bench.leave(&[(&members[0], None)]);
    assert_eq!(bench.last_records().len(), 1);
}

#[test]
fn a_batch_answers_each_by_itself_and_rebalances_once() {
    let mut bench = Bench::new();
    let members = bench.stable_group(2);
    let id = bench.send(9, join("", None));
    let pending = bench.joined(id).member_id;
    let id = bench.send(9, join("", Some("static")));
    let waiting = bench.describe().members[2].member_id.clone();
    let outcomes = bench.leave(&[
        ("", Some("static")),
        ("", Some("unknown")),
        ("", None),
        (&pending, None),
        (&members[1], Some("static")),
        (&members[1], None),
        (&waiting, None),
    ]);
    assert_eq!(
        outcomes,
        [
            ErrorCode::None,
            ErrorCode::UnknownMemberId,
            ErrorCode::UnknownMemberId,
            ErrorCode::None,
            ErrorCode::UnknownMemberId,
            ErrorCode::None,
            ErrorCode::UnknownMemberId,
        ]
    );
    let response = bench.joined(id);
    assert_eq!((error(response.error_code), response.member_id.as_str()), (ErrorCode::UnknownMemberId, ""));
    assert_eq!(bench.describe().members.len(), 1);
}

#[test]
fn a_leave_lets_those_go_on_who_wait() {
    let mut bench = Bench::new();
    let members = bench.stable_group(2);
    let rejoined = bench.send(9, join(&members[0], None));
    assert!(bench.is_parked(rejoined));
    bench.leave(&[(&members[1], None)]);
    assert_eq!(bench.joined(rejoined).generation_id, 2);
}

#[test]
fn an_initial_rebalance_is_waited_out_even_if_all_leave() {
    let mut bench = Bench::new();
    let (member_id, id) = bench.join_dynamic();
    bench.leave(&[(&member_id, None)]);
    assert_eq!(error(bench.joined(id).error_code), ErrorCode::UnknownMemberId);
    assert_eq!(bench.state(), "PreparingRebalance");
    bench.advance(INITIAL_DELAY_MS);
    assert_eq!(bench.state(), "Empty");
}

#[test]
fn older_versions_name_one_member_and_have_one_error() {
    let mut bench = Bench::new();
    let members = bench.stable_group(1);
    let leave = |bench: &mut Bench, group_id: &str, member_id: &str| {
        let request = LeaveGroupRequest {
            group_id: group_id.to_owned(),
            member_id: member_id.to_owned(),
            ..LeaveGroupRequest::default()
        };
        let id = bench.send(2, Request::LeaveGroup(request));
        match bench.take(id) {
            Some(Reply::LeaveGroup(response)) => (error(response.error_code), response.members.len()),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(leave(&mut bench, "", "m"), (ErrorCode::InvalidGroupId, 0));
    assert_eq!(leave(&mut bench, "elsewhere", "m"), (ErrorCode::UnknownMemberId, 0));
    assert_eq!(leave(&mut bench, GROUP, "m"), (ErrorCode::UnknownMemberId, 0));
    assert_eq!(leave(&mut bench, GROUP, &members[0]), (ErrorCode::None, 0));
    assert_eq!(bench.state(), "Empty");
    assert_eq!(bench.leave(&[("m", None)]), [ErrorCode::UnknownMemberId]);
}
