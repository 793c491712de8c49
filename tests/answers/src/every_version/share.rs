//! Questions about share groups, their records and their state.

use protocol::ApiKey;
use protocol::messages::*;

use super::World;

pub fn ask(key: ApiKey, world: &World<'_>) -> Vec<String> {
    match key {
        ApiKey::ShareFetch => world.ask(|_| fetch(world)),
        ApiKey::ShareAcknowledge => world.ask(|_| acknowledge(world)),
        ApiKey::InitializeShareGroupState
        | ApiKey::ReadShareGroupState
        | ApiKey::WriteShareGroupState
        | ApiKey::DeleteShareGroupState
        | ApiKey::ReadShareGroupStateSummary => state(key, world),
        _ => group(key, world),
    }
}

fn group(key: ApiKey, world: &World<'_>) -> Vec<String> {
    let group_id = world.group.to_owned();
    match key {
        ApiKey::ShareGroupHeartbeat => world.ask(|_| ShareGroupHeartbeatRequest {
            group_id: "nobody".to_owned(),
            member_id: "member".to_owned(),
            member_epoch: 1,
            ..Default::default()
        }),
        ApiKey::ShareGroupDescribe => world
            .ask(|_| ShareGroupDescribeRequest { group_ids: vec![group_id.clone()], ..Default::default() }),
        ApiKey::DescribeShareGroupOffsets => world.ask(|_| DescribeShareGroupOffsetsRequest {
            groups: vec![describe_share_group_offsets_request::DescribeShareGroupOffsetsRequestGroup {
                group_id: group_id.clone(),
                ..Default::default()
            }],
            ..Default::default()
        }),
        ApiKey::AlterShareGroupOffsets => world.ask(|_| AlterShareGroupOffsetsRequest {
            group_id: group_id.clone(),
            topics: vec![alter_share_group_offsets_request::AlterShareGroupOffsetsRequestTopic {
                topic_name: world.topic.to_owned(),
                partitions: vec![alter_share_group_offsets_request::AlterShareGroupOffsetsRequestPartition {
                    partition_index: world.partition,
                    ..Default::default()
                }],
                ..Default::default()
            }],
            ..Default::default()
        }),
        ApiKey::DeleteShareGroupOffsets => world.ask(|_| DeleteShareGroupOffsetsRequest {
            group_id: group_id.clone(),
            topics: vec![delete_share_group_offsets_request::DeleteShareGroupOffsetsRequestTopic {
                topic_name: world.topic.to_owned(),
                ..Default::default()
            }],
            ..Default::default()
        }),
        other => vec![format!("{other} is served, and no question for it stands here")],
    }
}

fn fetch(world: &World<'_>) -> ShareFetchRequest {
    let partition =
        share_fetch_request::FetchPartition { partition_index: world.partition, ..Default::default() };
    let topic = share_fetch_request::FetchTopic {
        topic_id: world.topic_id,
        partitions: vec![partition],
        ..Default::default()
    };
    ShareFetchRequest {
        group_id: Some(world.group.to_owned()),
        member_id: Some("member".to_owned()),
        max_bytes: 1024,
        topics: vec![topic],
        ..Default::default()
    }
}

fn acknowledge(world: &World<'_>) -> ShareAcknowledgeRequest {
    let partition = share_acknowledge_request::AcknowledgePartition {
        partition_index: world.partition,
        ..Default::default()
    };
    let topic = share_acknowledge_request::AcknowledgeTopic {
        topic_id: world.topic_id,
        partitions: vec![partition],
        ..Default::default()
    };
    ShareAcknowledgeRequest {
        group_id: Some(world.group.to_owned()),
        member_id: Some("member".to_owned()),
        share_session_epoch: 1,
        topics: vec![topic],
        ..Default::default()
    }
}

/// The five requests name partitions alike.
macro_rules! about_a_partition {
    ($world:expr, $request:ident, $module:ident :: $data:ident) => {{
        let world: &World<'_> = $world;
        world.ask(|_| $request {
            group_id: world.group.to_owned(),
            topics: vec![$module::$data {
                topic_id: world.topic_id,
                partitions: vec![$module::PartitionData { partition: world.partition, ..Default::default() }],
                ..Default::default()
            }],
            ..Default::default()
        })
    }};
}

fn state(key: ApiKey, world: &World<'_>) -> Vec<String> {
    match key {
        ApiKey::InitializeShareGroupState => about_a_partition!(
            world,
            InitializeShareGroupStateRequest,
            initialize_share_group_state_request::InitializeStateData
        ),
        ApiKey::ReadShareGroupState => about_a_partition!(
            world,
            ReadShareGroupStateRequest,
            read_share_group_state_request::ReadStateData
        ),
        ApiKey::WriteShareGroupState => about_a_partition!(
            world,
            WriteShareGroupStateRequest,
            write_share_group_state_request::WriteStateData
        ),
        ApiKey::DeleteShareGroupState => about_a_partition!(
            world,
            DeleteShareGroupStateRequest,
            delete_share_group_state_request::DeleteStateData
        ),
        _ => about_a_partition!(
            world,
            ReadShareGroupStateSummaryRequest,
            read_share_group_state_summary_request::ReadStateSummaryData
        ),
    }
}
