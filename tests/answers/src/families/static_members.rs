//! Group members with a static id (KIP-345): coming back, being fenced, being removed.

use anyhow::Result;
use protocol::messages::leave_group_request::MemberIdentity;
use protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use protocol::messages::{
    HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest, OffsetCommitRequest, SyncGroupRequest,
};

use super::group_membership::{beating, joining, syncing, wait_for_coordinator};
use crate::session::Session;

pub fn ask(session: &mut Session) -> Result<()> {
    session.create_topic("plain", 1)?;
    wait_for_coordinator(session)?;
    let old = session.ask("join with a static id", 9, static_join("", "one"))?.member_id;
    session.ask("sync with a static id", 5, static_sync(1, &old, "one"))?;
    session.ask("heartbeat with a static id", 4, static_beat(1, &old, "one"))?;
    session.ask("heartbeat without the static id", 4, beating("static", 1, &old))?;
    session.ask("heartbeat with an unknown static id", 4, static_beat(1, &old, "two"))?;
    let new = session.ask("the same static id comes back", 9, static_join("", "one"))?.member_id;
    session.ask("the old id is fenced: heartbeat", 4, static_beat(1, &old, "one"))?;
    session.ask("the old id is fenced: sync", 5, static_sync(1, &old, "one"))?;
    session.ask("the old id is fenced: join", 9, static_join(&old, "one"))?;
    session.ask("the old id is fenced: commit", 9, static_commit(1, &old, "one"))?;
    session.ask("the new id goes on", 5, static_sync(1, &new, "one"))?;
    session.ask("the new id commits", 9, static_commit(1, &new, "one"))?;
    session.ask("an unknown static id commits", 9, static_commit(1, &new, "two"))?;
    session.ask(
        "join with a static id, version 5",
        5,
        JoinGroupRequest { group_id: "static-5".to_owned(), ..static_join("", "five") },
    )?;
    session.ask("remove an unknown static id", 5, static_leave(&[("", Some("two"))]))?;
    session.ask("remove with a wrong member id", 5, static_leave(&[("nobody", Some("one"))]))?;
    session.ask(
        "remove several",
        5,
        static_leave(&[("", Some("two")), ("", Some("one")), ("nobody", None)]),
    )?;
    session.ask("heartbeat after being removed", 4, static_beat(1, &new, "one"))?;
    Ok(())
}

fn static_join(member_id: &str, instance: &str) -> JoinGroupRequest {
    JoinGroupRequest { group_instance_id: Some(instance.to_owned()), ..joining("static", member_id) }
}

fn static_sync(generation: i32, member_id: &str, instance: &str) -> SyncGroupRequest {
    let given: &[(&str, &[u8])] = &[(member_id, b"everything")];
    SyncGroupRequest {
        group_instance_id: Some(instance.to_owned()),
        ..syncing("static", generation, member_id, given)
    }
}

fn static_beat(generation: i32, member_id: &str, instance: &str) -> HeartbeatRequest {
    HeartbeatRequest {
        group_instance_id: Some(instance.to_owned()),
        ..beating("static", generation, member_id)
    }
}

fn static_commit(generation: i32, member_id: &str, instance: &str) -> OffsetCommitRequest {
    let partition = OffsetCommitRequestPartition { committed_offset: 0, ..Default::default() };
    let topic = OffsetCommitRequestTopic {
        name: "plain".to_owned(),
        partitions: vec![partition],
        ..Default::default()
    };
    OffsetCommitRequest {
        group_id: "static".to_owned(),
        generation_id_or_member_epoch: generation,
        member_id: member_id.to_owned(),
        group_instance_id: Some(instance.to_owned()),
        topics: vec![topic],
        ..Default::default()
    }
}

fn static_leave(members: &[(&str, Option<&str>)]) -> LeaveGroupRequest {
    let member = |(id, instance): &(&str, Option<&str>)| MemberIdentity {
        member_id: (*id).to_owned(),
        group_instance_id: instance.map(str::to_owned),
        ..Default::default()
    };
    LeaveGroupRequest {
        group_id: "static".to_owned(),
        members: members.iter().map(member).collect(),
        ..Default::default()
    }
}
