//! ListGroups, DescribeGroups, DeleteGroups.

use groups::{Reply, Request};
use protocol::ErrorCode;
use protocol::messages::ListGroupsRequest;

use crate::bench::*;

fn list(bench: &mut Bench, states: &[&str], types: &[&str]) -> Vec<(String, String, String, String)> {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let request = ListGroupsRequest {
        states_filter: owned(states),
        types_filter: owned(types),
        ..ListGroupsRequest::default()
    };
    let id = bench.send(5, Request::ListGroups(request));
    match bench.take(id) {
        Some(Reply::ListGroups(response)) => response
            .groups
            .into_iter()
            .map(|group| (group.group_id, group.protocol_type, group.group_state, group.group_type))
            .collect(),
        other => panic!("{other:?}"),
    }
}

fn delete(bench: &mut Bench, group_id: &str) -> ErrorCode {
    let id = bench.send(2, Request::DeleteGroups(vec![group_id.to_owned()]));
    match bench.take(id) {
        Some(Reply::DeleteGroups(results)) => error(results[0].error_code),
        other => panic!("{other:?}"),
    }
}

#[test]
fn groups_are_listed_by_state_and_type() {
    let mut bench = Bench::new();
    bench.stable_group(1);
    let mut other = commit("", -1, "topic");
    other.group_id = "offsets".to_owned();
    bench.commit_as(9, other);
    let stable = (GROUP.to_owned(), "consumer".to_owned(), "Stable".to_owned(), "classic".to_owned());
    let empty = ("offsets".to_owned(), String::new(), "Empty".to_owned(), "classic".to_owned());
    assert_eq!(list(&mut bench, &[], &[]), [stable.clone(), empty.clone()]);
    assert_eq!(list(&mut bench, &[" sTaBlE "], &[]), [stable]);
    assert_eq!(list(&mut bench, &["empty", "nonsense"], &["CLASSIC"]), [empty]);
    assert_eq!(list(&mut bench, &["nonsense"], &[]), []);
    assert_eq!(list(&mut bench, &[], &["consumer"]), []);
    assert_eq!(list(&mut bench, &[], &["nonsense"]), []);
}

#[test]
fn a_group_shows_protocol_and_metadata_only_while_stable() {
    let mut bench = Bench::new();
    let members = bench.stable_group(2);
    let group = bench.describe();
    assert_eq!((error(group.error_code), group.error_message), (ErrorCode::None, None));
    assert_eq!((group.group_state.as_str(), group.protocol_type.as_str()), ("Stable", "consumer"));
    assert_eq!(group.protocol_data, "range");
    let member = &group.members[1];
    assert_eq!((&member.member_id, member.client_id.as_str()), (&members[1], "client"));
    assert_eq!((member.client_host.as_str(), &member.group_instance_id), ("/127.0.0.1", &None));
    assert_eq!(
        (&member.member_metadata[..], &member.member_assignment[..]),
        (&subscription(&["read"])[..], members[1].as_bytes())
    );
    bench.join_dynamic();
    let group = bench.describe();
    assert_eq!((group.group_state.as_str(), group.protocol_data.as_str()), ("PreparingRebalance", ""));
    assert!(group.members.iter().all(|member| member.member_metadata.is_empty()) && group.members.len() == 3);
}

#[test]
fn a_group_that_does_not_exist_is_dead_and_since_v6_an_error() {
    let mut bench = Bench::new();
    let group = bench.describe();
    assert_eq!((group.group_id.as_str(), group.group_state.as_str()), (GROUP, "Dead"));
    assert_eq!(error(group.error_code), ErrorCode::GroupIdNotFound);
    assert_eq!(group.error_message.as_deref(), Some("Group group not found."));
    let id = bench.send(5, Request::DescribeGroups(vec![GROUP.to_owned()]));
    let Some(Reply::DescribeGroups(groups)) = bench.take(id) else { panic!() };
    assert_eq!((groups[0].group_state.as_str(), groups[0].error_code), ("Dead", 0));
    assert_eq!(groups[0].error_message, None);
}

#[test]
fn only_empty_groups_are_deleted_with_all_they_have() {
    let mut bench = Bench::new();
    assert_eq!(delete(&mut bench, GROUP), ErrorCode::GroupIdNotFound);
    let members = bench.stable_group(1);
    bench.commit_as(9, commit(&members[0], 1, "topic"));
    assert_eq!(delete(&mut bench, GROUP), ErrorCode::NonEmptyGroup);
    bench.leave(&[(&members[0], None)]);
    assert_eq!(delete(&mut bench, GROUP), ErrorCode::None);
    assert_eq!(bench.last.records.len(), 2);
    assert!(bench.last.records.iter().all(|record| record.value.is_none()));
    assert_eq!((bench.shard.group_count(), bench.fetch("topic")), (0, -1));
    bench.restart();
    assert_eq!((bench.shard.group_count(), bench.fetch("topic")), (0, -1));
}
