//! Questions about groups and their offsets.

use protocol::ApiKey;
use protocol::messages::*;

use super::World;

pub fn ask(key: ApiKey, world: &World<'_>) -> Vec<String> {
    let (group_id, member_id) = (world.group.to_owned(), "nobody".to_owned());
    let groups = vec![group_id.clone()];
    match key {
        ApiKey::FindCoordinator => world.ask(|version| FindCoordinatorRequest {
            key: if version < 4 { group_id.clone() } else { String::new() },
            key_type: if version >= 1 && world.partition != 0 { 1 } else { 0 },
            coordinator_keys: if version < 4 { Vec::new() } else { groups.clone() },
            ..Default::default()
        }),
        ApiKey::JoinGroup => world.ask(|version| join(world, version)),
        ApiKey::SyncGroup => world.ask(|_| SyncGroupRequest {
            group_id: group_id.clone(),
            member_id: member_id.clone(),
            ..Default::default()
        }),
        ApiKey::Heartbeat => world.ask(|_| HeartbeatRequest {
            group_id: group_id.clone(),
            member_id: member_id.clone(),
            ..Default::default()
        }),
        ApiKey::LeaveGroup => world.ask(|version| {
            let member =
                leave_group_request::MemberIdentity { member_id: member_id.clone(), ..Default::default() };
            LeaveGroupRequest {
                group_id: group_id.clone(),
                member_id: if version < 3 { member_id.clone() } else { String::new() },
                members: if version < 3 { Vec::new() } else { vec![member] },
                ..Default::default()
            }
        }),
        ApiKey::OffsetCommit => world.ask(|version| commit(world, version)),
        ApiKey::OffsetFetch => world.ask(|version| fetch_offsets(world, version)),
        ApiKey::OffsetDelete => world.ask(|_| delete_offsets(world)),
        ApiKey::DescribeGroups => {
            world.ask(|_| DescribeGroupsRequest { groups: groups.clone(), ..Default::default() })
        }
        ApiKey::ListGroups => world.ask(|_| ListGroupsRequest::default()),
        ApiKey::DeleteGroups => {
            world.ask(|_| DeleteGroupsRequest { groups_names: groups.clone(), ..Default::default() })
        }
        ApiKey::ConsumerGroupHeartbeat => world.ask(|_| ConsumerGroupHeartbeatRequest {
            group_id: "nobody".to_owned(),
            member_id: "member".to_owned(),
            member_epoch: 1,
            ..Default::default()
        }),
        ApiKey::ConsumerGroupDescribe => {
            world.ask(|_| ConsumerGroupDescribeRequest { group_ids: groups.clone(), ..Default::default() })
        }
        ApiKey::StreamsGroupHeartbeat => world.ask(|_| StreamsGroupHeartbeatRequest {
            group_id: "nobody".to_owned(),
            member_id: "member".to_owned(),
            member_epoch: 1,
            ..Default::default()
        }),
        ApiKey::StreamsGroupDescribe => {
            world.ask(|_| StreamsGroupDescribeRequest { group_ids: groups.clone(), ..Default::default() })
        }
        ApiKey::StreamsGroupTopologyDescriptionUpdate => {
            world.ask(|_| StreamsGroupTopologyDescriptionUpdateRequest {
                group_id: world.group.to_owned(),
                member_id: "member".to_owned(),
                ..Default::default()
            })
        }
        other => vec![format!("{other} is served, and no question for it stands here")],
    }
}

fn commit(world: &World<'_>, version: i16) -> OffsetCommitRequest {
    OffsetCommitRequest {
        group_id: world.group.to_owned(),
        topics: vec![offset_commit_request::OffsetCommitRequestTopic {
            name: world.name(version, 10),
            topic_id: world.id(version, 10),
            partitions: vec![offset_commit_request::OffsetCommitRequestPartition {
                partition_index: world.partition,
                committed_offset: 1,
                committed_leader_epoch: if version >= 6 { 0 } else { -1 },
                committed_metadata: Some("note".to_owned()),
                ..Default::default()
            }],
            ..Default::default()
        }],
        ..Default::default()
    }
}

fn fetch_offsets(world: &World<'_>, version: i16) -> OffsetFetchRequest {
    let partition_indexes = vec![world.partition];
    if version < 8 {
        return OffsetFetchRequest {
            group_id: world.group.to_owned(),
            topics: Some(vec![offset_fetch_request::OffsetFetchRequestTopic {
                name: world.topic.to_owned(),
                partition_indexes,
                ..Default::default()
            }]),
            ..Default::default()
        };
    }
    let topic = offset_fetch_request::OffsetFetchRequestTopics {
        name: world.name(version, 10),
        topic_id: world.id(version, 10),
        partition_indexes,
        ..Default::default()
    };
    let named = offset_fetch_request::OffsetFetchRequestGroup {
        group_id: world.group.to_owned(),
        topics: Some(vec![topic]),
        ..Default::default()
    };
    let everything = offset_fetch_request::OffsetFetchRequestGroup { topics: None, ..named.clone() };
    OffsetFetchRequest { groups: vec![named, everything], ..Default::default() }
}

fn join(world: &World<'_>, version: i16) -> JoinGroupRequest {
    let group_id = world.group.to_owned();
    JoinGroupRequest {
        // Nobody waits for the members of another version.
        group_id: if group_id.is_empty() { String::new() } else { format!("{group_id}-{version}") },
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: if version >= 1 { 10_000 } else { -1 },
        protocol_type: "consumer".to_owned(),
        protocols: vec![join_group_request::JoinGroupRequestProtocol {
            name: "range".to_owned(),
            ..Default::default()
        }],
        ..Default::default()
    }
}

fn delete_offsets(world: &World<'_>) -> OffsetDeleteRequest {
    let group_id = world.group.to_owned();
    OffsetDeleteRequest {
        group_id: group_id.clone(),
        topics: vec![offset_delete_request::OffsetDeleteRequestTopic {
            name: world.topic.to_owned(),
            partitions: vec![offset_delete_request::OffsetDeleteRequestPartition {
                partition_index: world.partition,
            }],
        }],
    }
}
