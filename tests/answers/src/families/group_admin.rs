//! ListGroups, DescribeGroups and DeleteGroups.

use anyhow::Result;
use protocol::messages::list_groups_response::ListGroupsResponse;
use protocol::messages::{
    DeleteGroupsRequest, DeleteGroupsResponse, DescribeGroupsRequest, DescribeGroupsResponse,
    JoinGroupRequest, ListGroupsRequest,
};

use super::group_membership::{joining, syncing, wait_for_coordinator};
use super::group_offsets::committing;
use crate::session::Session;

const SECOND: usize = 1;

pub fn ask(session: &mut Session) -> Result<()> {
    session.create_topic("plain", 1)?;
    wait_for_coordinator(session)?;
    session.ask("list no groups", 5, ListGroupsRequest::default())?;
    session.quietly(9, committing("simple", "plain", &[(0, 1, None)]))?;
    let member = session.quietly(3, joining("stable", ""))?.member_id;
    session.quietly(3, syncing("stable", 1, &member, &[(&member, b"all")]))?;
    session.quietly(3, joining("completing", ""))?;
    list(session)?;
    describe(session)?;
    delete(session, &member)
}

fn list(session: &mut Session) -> Result<()> {
    for version in 0..=5 {
        session.ask_showing(
            &format!("list, version {version}"),
            version,
            ListGroupsRequest::default(),
            show,
        )?;
    }
    let filter = |states: &[&str], types: &[&str]| ListGroupsRequest {
        states_filter: states.iter().map(|state| (*state).to_owned()).collect(),
        types_filter: types.iter().map(|group_type| (*group_type).to_owned()).collect(),
        ..Default::default()
    };
    for (name, states, types) in [
        ("stable ones", &["Stable"][..], &[][..]),
        ("stable ones in small letters", &["stable"], &[]),
        ("stable and empty ones", &["Stable", "Empty"], &[]),
        ("an unknown state", &["Sleepy"], &[]),
        ("classic ones", &[], &["classic"]),
        ("classic ones in capital letters", &[], &["CLASSIC"]),
        ("consumer ones", &[], &["consumer"]),
        ("an unknown type", &[], &["sleepy"]),
        ("empty classic ones", &["Empty"], &["classic"]),
    ] {
        session.ask_showing(&format!("list {name}"), 5, filter(states, types), show)?;
    }
    Ok(())
}

fn describe(session: &mut Session) -> Result<()> {
    for version in 0..=6 {
        session.ask(
            &format!("describe a stable group, version {version}"),
            version,
            describing(&["stable"]),
        )?;
    }
    session.ask("describe a group without members", 5, describing(&["simple"]))?;
    session.ask("describe a group that waits for its leader", 5, describing(&["completing"]))?;
    session.ask("describe a group nobody knows, version 5", 5, describing(&["unknown"]))?;
    session.ask("describe a group nobody knows, version 6", 6, describing(&["unknown"]))?;
    session.ask("describe an empty id", 5, describing(&[""]))?;
    session.ask("describe two groups", 5, describing(&["unknown", "simple"]))?;
    session.ask("describe nothing", 5, describing(&[]))?;
    let authorized = DescribeGroupsRequest { include_authorized_operations: true, ..describing(&["simple"]) };
    session.ask("describe with authorized operations", 5, authorized)?;
    let second = session.ask_on(SECOND, "somebody else asks for an id", 9, joining("stable", ""))?.member_id;
    session.ask("describe: an id that has not joined is no member", 5, describing(&["stable"]))?;
    session.begin(SECOND, 9, joining("stable", &second))?;
    session.ask_until_showing(
        "describe a group that rebalances",
        5,
        describing(&["stable"]),
        |response| response.groups.iter().all(|group| group.group_state == "PreparingRebalance"),
        show_members,
    )?;
    Ok(())
}

/// Kafka's members and deleted groups come in the order of a hash table.
fn show_members(response: &DescribeGroupsResponse) -> String {
    let mut response = response.clone();
    for group in &mut response.groups {
        group.members.sort_by(|a, b| a.client_id.cmp(&b.client_id));
    }
    format!("{response:#?}")
}

fn show_deleted(response: &DeleteGroupsResponse) -> String {
    let mut response = response.clone();
    response.results.sort_by(|a, b| a.group_id.cmp(&b.group_id));
    format!("{response:#?}")
}

fn delete(session: &mut Session, member: &str) -> Result<()> {
    for version in 0..=3 {
        let group = format!("doomed-{version}");
        session.quietly(9, committing(&group, "plain", &[(0, 1, None)]))?;
        session.ask(&format!("delete, version {version}"), version, deleting(&[&group]))?;
    }
    session.ask("delete a group nobody knows", 2, deleting(&["unknown"]))?;
    session.ask("delete a group nobody knows, version 3", 3, deleting(&["unknown"]))?;
    session.ask("delete a group with members", 2, deleting(&["completing"]))?;
    session.ask("delete an empty id", 2, deleting(&[""]))?;
    let several = deleting(&["unknown", "simple", "completing"]);
    session.ask_showing("delete several", 2, several, show_deleted)?;
    session.ask("delete nothing", 2, deleting(&[]))?;
    session.ask_showing("list what is left", 5, ListGroupsRequest::default(), show)?;
    session.quietly(9, joining("stable", member))?;
    session.finish::<JoinGroupRequest>(SECOND, "the rebalance ends", 9)?;
    Ok(())
}

/// In the order of their ids.
fn show(response: &ListGroupsResponse) -> String {
    let mut response = response.clone();
    response.groups.sort_by(|a, b| a.group_id.cmp(&b.group_id));
    format!("{response:#?}")
}

fn describing(groups: &[&str]) -> DescribeGroupsRequest {
    DescribeGroupsRequest {
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        ..Default::default()
    }
}

fn deleting(groups: &[&str]) -> DeleteGroupsRequest {
    DeleteGroupsRequest {
        groups_names: groups.iter().map(|group| (*group).to_owned()).collect(),
        ..Default::default()
    }
}
