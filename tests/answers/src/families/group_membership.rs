//! JoinGroup, SyncGroup, Heartbeat and LeaveGroup, for members without a static id.

use anyhow::Result;
use bytes::Bytes;
use protocol::messages::join_group_request::JoinGroupRequestProtocol;
use protocol::messages::leave_group_request::MemberIdentity;
use protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use protocol::messages::{
    FindCoordinatorRequest, HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest, SyncGroupRequest,
};

use crate::session::Session;

const FIRST: usize = 0;
const SECOND: usize = 1;

pub fn ask(session: &mut Session) -> Result<()> {
    wait_for_coordinator(session)?;
    old_versions(session)?;
    refused_joins(session)?;
    let member = one_member(session)?;
    two_members(session, &member)
}

fn old_versions(session: &mut Session) -> Result<()> {
    for version in 0..=3 {
        let group = format!("old-{version}");
        let joined = session.ask(&format!("join, version {version}"), version, joining(&group, ""))?;
        let me = &joined.member_id;
        let given = syncing(&group, 1, me, &[(me, b"mine")]);
        session.ask(&format!("sync, version {version}"), version, given)?;
        session.ask(&format!("heartbeat, version {version}"), version, beating(&group, 1, me))?;
        if version < 3 {
            session.ask(&format!("leave, version {version}"), version, leaving_alone(&group, me))?;
        } else {
            session.ask(&format!("leave, version {version}"), version, leaving(&group, &[me]))?;
        }
    }
    Ok(())
}

fn refused_joins(session: &mut Session) -> Result<()> {
    session.ask("join without a group", 9, joining("", ""))?;
    session.ask("join as somebody unknown", 9, joining("fresh", "nobody"))?;
    let with = |change: &dyn Fn(&mut JoinGroupRequest)| {
        let mut request = joining("fresh", "");
        change(&mut request);
        request
    };
    session.ask("join with a short session", 9, with(&|join| join.session_timeout_ms = 5999))?;
    session.ask("join with a long session", 9, with(&|join| join.session_timeout_ms = 1_800_001))?;
    session.ask("join without protocols", 3, with(&|join| join.protocols.clear()))?;
    session.ask("join without a protocol type", 3, with(&|join| join.protocol_type.clear()))?;
    session.ask("join without an id, version 4", 4, joining("asks-for-id-4", ""))?;
    session.ask("join without an id, version 5", 5, joining("asks-for-id-5", ""))?;
    session.ask("sync in an unknown group", 5, syncing("unknown", 1, "nobody", &[]))?;
    session.ask("sync without a group", 5, syncing("", 1, "nobody", &[]))?;
    session.ask("heartbeat in an unknown group", 4, beating("unknown", 1, "nobody"))?;
    session.ask("heartbeat without a group", 4, beating("", 1, "nobody"))?;
    session.ask("leave an unknown group", 5, leaving("unknown", &["nobody"]))?;
    session.ask("leave without a group", 5, leaving("", &["nobody"]))?;
    session.ask("leave as nobody at all", 5, leaving("unknown", &[]))?;
    Ok(())
}

fn one_member(session: &mut Session) -> Result<String> {
    let asked = session.ask("join, version 9, without an id", 9, joining("two", ""))?;
    let me = asked.member_id;
    session.ask("heartbeat with an id that has not joined", 4, beating("two", -1, &me))?;
    session.ask("sync with an id that has not joined", 5, syncing("two", -1, &me, &[]))?;
    session.ask("join, version 9", 9, joining("two", &me))?;
    session.ask("heartbeat before sync", 4, beating("two", 1, &me))?;
    session.ask("sync with a wrong generation", 5, syncing("two", 7, &me, &[]))?;
    session.ask("sync as somebody else", 5, syncing("two", 1, "nobody", &[]))?;
    let odd = SyncGroupRequest { protocol_type: Some("connect".to_owned()), ..syncing("two", 1, &me, &[]) };
    session.ask("sync with a wrong protocol type", 5, odd)?;
    let odd = SyncGroupRequest { protocol_name: Some("other".to_owned()), ..syncing("two", 1, &me, &[]) };
    session.ask("sync with a wrong protocol", 5, odd)?;
    session.ask("sync, version 5", 5, syncing("two", 1, &me, &[(&me, b"everything")]))?;
    session.ask("sync again", 5, syncing("two", 1, &me, &[]))?;
    session.ask("heartbeat", 4, beating("two", 1, &me))?;
    session.ask("heartbeat with an old generation", 4, beating("two", 0, &me))?;
    session.ask("heartbeat with a generation to come", 4, beating("two", 2, &me))?;
    session.ask("heartbeat as somebody else", 4, beating("two", 1, "nobody"))?;
    let other = JoinGroupRequest { protocol_type: "connect".to_owned(), ..joining("two", "") };
    session.ask("join with another protocol type", 3, other)?;
    let mut other = joining("two", "");
    other.protocols[0].name = "other".to_owned();
    session.ask("join with another protocol", 3, other)?;
    session.ask("leave as somebody else", 5, leaving("two", &["nobody"]))?;
    session.ask("leave as nobody of a living group", 5, leaving("two", &[]))?;
    Ok(me)
}

fn two_members(session: &mut Session, first: &str) -> Result<()> {
    let second = session.ask_on(SECOND, "a second member asks for its id", 9, joining("two", ""))?.member_id;
    session.begin(SECOND, 9, joining("two", &second))?;
    session.ask_until("the first member hears of a rebalance", 4, beating("two", 1, first), |response| {
        response.error_code != 0
    })?;
    session.ask("the first member joins again", 9, joining("two", first))?;
    session.finish::<JoinGroupRequest>(SECOND, "the second member has joined", 9)?;
    session.begin(SECOND, 5, syncing("two", 2, &second, &[]))?;
    let given = syncing("two", 2, first, &[(first, b"half"), (&second, b"other half")]);
    session.ask_on(FIRST, "the leader gives out the assignment", 5, given)?;
    session.finish::<SyncGroupRequest>(SECOND, "the second member is told", 5)?;
    session.ask_on(SECOND, "the second member's heartbeat", 4, beating("two", 2, &second))?;
    session.ask("the first member leaves", 5, leaving("two", &[first]))?;
    session.ask("the first member's heartbeat after leaving", 4, beating("two", 2, first))?;
    session.ask_on(SECOND, "the second member hears of it", 4, beating("two", 2, &second))?;
    session.ask_on(SECOND, "the second member joins again", 9, joining("two", &second))?;
    let given = syncing("two", 3, &second, &[(&second, b"everything")]);
    session.ask_on(SECOND, "the second member leads now", 5, given)?;
    session.ask("both leave at once", 5, leaving("two", &[first, &second]))?;
    session.ask("heartbeat in the empty group", 4, beating("two", 3, &second))?;
    session.ask("join the empty group under an old id", 9, joining("two", &second))?;
    Ok(())
}

/// Waits until groups can be served. Records nothing.
pub fn wait_for_coordinator(session: &mut Session) -> Result<()> {
    let request = FindCoordinatorRequest { coordinator_keys: vec!["any".to_owned()], ..Default::default() };
    while session.quietly(4, request.clone())?.coordinators.iter().any(|found| found.error_code != 0) {}
    session.wait_for_topic("__consumer_offsets")?;
    // A coordinator loads its partition first.
    while session.quietly(4, beating("any", 1, "nobody"))?.error_code != 25 {}
    for group in 0..40 {
        let probe = beating(&format!("probe-{group}"), 1, "nobody");
        while session.quietly(4, probe.clone())?.error_code != 25 {}
    }
    Ok(())
}

/// A consumer with one protocol.
pub fn joining(group_id: &str, member_id: &str) -> JoinGroupRequest {
    let protocol = JoinGroupRequestProtocol {
        name: "range".to_owned(),
        metadata: Bytes::from_static(b"subscription"),
        ..Default::default()
    };
    JoinGroupRequest {
        group_id: group_id.to_owned(),
        session_timeout_ms: 30_000,
        rebalance_timeout_ms: 30_000,
        member_id: member_id.to_owned(),
        protocol_type: "consumer".to_owned(),
        protocols: vec![protocol],
        ..Default::default()
    }
}

/// What a leader gives out; others give nothing.
pub fn syncing(
    group_id: &str,
    generation_id: i32,
    member_id: &str,
    given: &[(&str, &[u8])],
) -> SyncGroupRequest {
    let assignment = |(member_id, assignment): &(&str, &[u8])| SyncGroupRequestAssignment {
        member_id: (*member_id).to_owned(),
        assignment: Bytes::copy_from_slice(assignment),
        ..Default::default()
    };
    SyncGroupRequest {
        group_id: group_id.to_owned(),
        generation_id,
        member_id: member_id.to_owned(),
        assignments: given.iter().map(assignment).collect(),
        ..Default::default()
    }
}

/// A sign of life.
pub fn beating(group_id: &str, generation_id: i32, member_id: &str) -> HeartbeatRequest {
    HeartbeatRequest {
        group_id: group_id.to_owned(),
        generation_id,
        member_id: member_id.to_owned(),
        ..Default::default()
    }
}

/// Members leave.
pub fn leaving(group_id: &str, members: &[&str]) -> LeaveGroupRequest {
    let member = |id: &&str| MemberIdentity { member_id: (*id).to_owned(), ..Default::default() };
    LeaveGroupRequest {
        group_id: group_id.to_owned(),
        members: members.iter().map(member).collect(),
        ..Default::default()
    }
}

fn leaving_alone(group_id: &str, member_id: &str) -> LeaveGroupRequest {
    LeaveGroupRequest { group_id: group_id.to_owned(), member_id: member_id.to_owned(), ..Default::default() }
}
