//! Requests that no decent client sends: any ids, any generation, any version.

use bytes::Bytes;
use groups::{DeletedTopic, Request};
use protocol::Uuid;
use protocol::messages::join_group_request::JoinGroupRequestProtocol;
use protocol::messages::leave_group_request::MemberIdentity;
use protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use protocol::messages::offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use protocol::messages::*;

use crate::random::Random;
use crate::world::GROUPS;

/// No client joins this one, so it may be deleted.
pub const GROUP: &str = "chaos";
const DELETABLE_TOPIC: &str = "chaos-topic";

pub fn deleted_topics() -> Vec<DeletedTopic> {
    vec![DeletedTopic { name: DELETABLE_TOPIC.to_owned(), id: Uuid::from_u128(1) }]
}

/// Ids somebody could make up.
struct Ids<'a> {
    group_id: &'a str,
    member_id: String,
    instance_id: Option<String>,
    generation_id: i32,
}

pub fn request(random: &mut Random, member_ids: &[String], token: u64) -> (i16, Request) {
    let ids = Ids {
        group_id: random.pick(&[GROUPS[0], GROUPS[1], GROUP, GROUP, ""]),
        member_id: if random.chance(50) {
            member_ids[random.below(member_ids.len())].clone()
        } else {
            random.pick(&["", "ghost"]).to_owned()
        },
        instance_id: random.chance(30).then(|| format!("instance{}", random.below(9))),
        generation_id: random.below(8) as i32 - 1,
    };
    let instance_id = ids.instance_id.clone();
    let (group_id, member_id) = (ids.group_id.to_owned(), ids.member_id.clone());
    match random.below(10) {
        0 | 1 => (random.below(10) as i16, join(random, ids)),
        2 => (random.below(6) as i16, sync(random, ids)),
        3 => {
            let generation_id = ids.generation_id;
            let request = HeartbeatRequest {
                group_id,
                generation_id,
                member_id,
                group_instance_id: instance_id,
                ..HeartbeatRequest::default()
            };
            (random.below(5) as i16, Request::Heartbeat(request))
        }
        4 => {
            let one = MemberIdentity {
                member_id: member_id.clone(),
                group_instance_id: instance_id,
                ..MemberIdentity::default()
            };
            let members = vec![one; random.below(3)];
            let request = LeaveGroupRequest { group_id, member_id, members, ..LeaveGroupRequest::default() };
            (random.below(6) as i16, Request::LeaveGroup(request))
        }
        5 => (2 + random.below(9) as i16, commit(random, ids, token)),
        6 => (random.below(7) as i16, commit_in_transaction(random, ids, token)),
        7 => (1 + random.below(10) as i16, fetch(random, ids.group_id)),
        8 => admin(random, ids.group_id),
        _ => (0, delete_offsets()),
    }
}

fn join(random: &mut Random, ids: Ids<'_>) -> Request {
    let protocol = |name: &str| JoinGroupRequestProtocol {
        name: name.to_owned(),
        metadata: Bytes::from_static(b"what is this"),
        ..JoinGroupRequestProtocol::default()
    };
    let named = random.pick(&[&["range", "range"][..], &["sticky"], &["other"], &[], &["other", "sticky"]]);
    Request::JoinGroup(JoinGroupRequest {
        group_id: ids.group_id.to_owned(),
        session_timeout_ms: random.pick(&[6_000, 6_000, 0, -1]),
        rebalance_timeout_ms: random.pick(&[10_000, 0, -1]),
        member_id: ids.member_id,
        group_instance_id: ids.instance_id,
        protocol_type: random.pick(&["consumer", "consumer", "connect", ""]).to_owned(),
        protocols: named.iter().map(|name| protocol(name)).collect(),
        ..JoinGroupRequest::default()
    })
}

fn sync(random: &mut Random, ids: Ids<'_>) -> Request {
    let assignment = SyncGroupRequestAssignment {
        member_id: ids.member_id.clone(),
        assignment: Bytes::from_static(b""),
        ..SyncGroupRequestAssignment::default()
    };
    Request::SyncGroup(SyncGroupRequest {
        group_id: ids.group_id.to_owned(),
        generation_id: ids.generation_id,
        member_id: ids.member_id,
        group_instance_id: ids.instance_id,
        protocol_type: random.chance(50).then(|| "consumer".to_owned()),
        protocol_name: random.chance(50).then(|| "sticky".to_owned()),
        assignments: vec![assignment; random.below(3)],
        ..SyncGroupRequest::default()
    })
}

fn commit(random: &mut Random, ids: Ids<'_>, token: u64) -> Request {
    let partition = OffsetCommitRequestPartition {
        partition_index: 0,
        committed_offset: 1_000_000_000 + token as i64,
        committed_metadata: random.chance(20).then(|| "m".repeat(random.below(6_000))),
        ..OffsetCommitRequestPartition::default()
    };
    let name = if ids.group_id == GROUP { random.pick(&["t0", DELETABLE_TOPIC]) } else { "t0" };
    Request::OffsetCommit(OffsetCommitRequest {
        group_id: ids.group_id.to_owned(),
        generation_id_or_member_epoch: ids.generation_id,
        member_id: ids.member_id,
        group_instance_id: ids.instance_id,
        topics: vec![OffsetCommitRequestTopic {
            name: name.to_owned(),
            topic_id: Uuid::from_u128(u128::from(name == DELETABLE_TOPIC)),
            partitions: vec![partition],
            ..OffsetCommitRequestTopic::default()
        }],
        ..OffsetCommitRequest::default()
    })
}

fn commit_in_transaction(random: &mut Random, ids: Ids<'_>, token: u64) -> Request {
    let partition = TxnOffsetCommitRequestPartition {
        partition_index: 0,
        committed_offset: 1_000_000_000 + token as i64,
        ..TxnOffsetCommitRequestPartition::default()
    };
    Request::TxnOffsetCommit(TxnOffsetCommitRequest {
        group_id: GROUP.to_owned(),
        producer_id: random.below(3) as i64,
        generation_id_or_member_epoch: ids.generation_id,
        member_id: ids.member_id,
        group_instance_id: ids.instance_id,
        topics: vec![TxnOffsetCommitRequestTopic {
            name: DELETABLE_TOPIC.to_owned(),
            partitions: vec![partition],
            ..TxnOffsetCommitRequestTopic::default()
        }],
        ..TxnOffsetCommitRequest::default()
    })
}

fn fetch(random: &mut Random, group_id: &str) -> Request {
    let topic = OffsetFetchRequestTopics {
        name: random.pick(&["t0", "t1", "t2"]).to_owned(),
        partition_indexes: vec![0],
        ..OffsetFetchRequestTopics::default()
    };
    let topics = (group_id != GROUP).then(|| vec![topic]);
    let topics = topics.or_else(|| random.chance(50).then(Vec::new));
    let group = OffsetFetchRequestGroup {
        group_id: group_id.to_owned(),
        topics,
        ..OffsetFetchRequestGroup::default()
    };
    Request::OffsetFetch { group, require_stable: false }
}

fn admin(random: &mut Random, group_id: &str) -> (i16, Request) {
    match random.below(3) {
        0 => (random.below(6) as i16, Request::ListGroups(ListGroupsRequest::default())),
        1 => {
            (random.below(7) as i16, Request::DescribeGroups(vec![group_id.to_owned(), "nothing".to_owned()]))
        }
        _ => (random.below(4) as i16, Request::DeleteGroups(vec![GROUP.to_owned(), "nothing".to_owned()])),
    }
}

fn delete_offsets() -> Request {
    let partitions = vec![OffsetDeleteRequestPartition { partition_index: 0 }];
    let topics = vec![OffsetDeleteRequestTopic { name: "t0".to_owned(), partitions }];
    Request::OffsetDelete(OffsetDeleteRequest { group_id: GROUP.to_owned(), topics })
}
