//! Records of streams groups, as Kafka 4.4 writes them.

use protocol::coordinator_records::{
    GroupCoordinatorRecord as Record, StreamsGroupCurrentMemberAssignmentKey,
    StreamsGroupCurrentMemberAssignmentValue, StreamsGroupMemberMetadataKey, StreamsGroupMemberMetadataValue,
    StreamsGroupMetadataKey, StreamsGroupMetadataValue, StreamsGroupTargetAssignmentMemberKey,
    StreamsGroupTargetAssignmentMemberValue, StreamsGroupTargetAssignmentMetadataKey,
    StreamsGroupTargetAssignmentMetadataValue, StreamsGroupTopologyKey, StreamsGroupTopologyValue,
};
use protocol::coordinator_records::{
    streams_group_current_member_assignment_value as current,
    streams_group_member_metadata_value as metadata, streams_group_metadata_value as group,
    streams_group_target_assignment_member_value as target,
};

use super::StreamsGroup;
use super::member::{ActiveTasks, StreamsMember, TargetTasks, Tasks};

fn member_key(group_id: &str, member_id: &str) -> StreamsGroupMemberMetadataKey {
    StreamsGroupMemberMetadataKey { group_id: group_id.to_owned(), member_id: member_id.to_owned() }
}

pub(super) fn member_metadata(group_id: &str, member: &StreamsMember) -> Record {
    let tags = member.client_tags.iter().map(|(key, value)| metadata::KeyValue {
        key: key.clone(),
        value: value.clone(),
        ..metadata::KeyValue::default()
    });
    let endpoint = member.user_endpoint.as_ref().map(|(host, port)| metadata::Endpoint {
        host: host.clone(),
        port: *port,
        ..metadata::Endpoint::default()
    });
    let value = StreamsGroupMemberMetadataValue {
        instance_id: member.instance_id.clone(),
        rack_id: member.rack_id.clone(),
        client_id: member.client_id.clone(),
        client_host: member.client_host.clone(),
        rebalance_timeout_ms: member.rebalance_timeout_ms,
        topology_epoch: member.topology_epoch,
        process_id: member.process_id.clone(),
        user_endpoint: endpoint,
        client_tags: tags.collect(),
        ..StreamsGroupMemberMetadataValue::default()
    };
    Record::StreamsGroupMemberMetadata(member_key(group_id, &member.member_id), Some(value))
}

pub(super) fn member_metadata_tombstone(group_id: &str, member_id: &str) -> Record {
    Record::StreamsGroupMemberMetadata(member_key(group_id, member_id), None)
}

fn epoch_key(group_id: &str) -> StreamsGroupMetadataKey {
    StreamsGroupMetadataKey { group_id: group_id.to_owned() }
}

/// The group's metadata in its next epoch.
pub(super) fn group_epoch(
    of: &StreamsGroup,
    epoch: i32,
    metadata_hash: i64,
    validated_topology_epoch: i32,
    configs: &[(String, String)],
) -> Record {
    let configs = configs.iter().map(|(key, value)| group::LastAssignmentConfig {
        key: key.clone(),
        value: value.clone(),
        ..group::LastAssignmentConfig::default()
    });
    let value = StreamsGroupMetadataValue {
        epoch,
        metadata_hash,
        validated_topology_epoch,
        last_assignment_configs: Some(configs.collect()),
        ..StreamsGroupMetadataValue::default()
    };
    Record::StreamsGroupMetadata(epoch_key(&of.group_id), Some(value))
}

pub(super) fn group_epoch_tombstone(group_id: &str) -> Record {
    Record::StreamsGroupMetadata(epoch_key(group_id), None)
}

fn target_key(group_id: &str, member_id: &str) -> StreamsGroupTargetAssignmentMemberKey {
    StreamsGroupTargetAssignmentMemberKey { group_id: group_id.to_owned(), member_id: member_id.to_owned() }
}

pub(super) fn target_assignment(group_id: &str, member_id: &str, tasks: &TargetTasks) -> Record {
    let ids = |tasks: &Tasks| -> Vec<target::TaskIds> {
        let ids = tasks.iter().map(|(subtopology_id, partitions)| target::TaskIds {
            subtopology_id: subtopology_id.clone(),
            partitions: partitions.iter().copied().collect(),
            ..target::TaskIds::default()
        });
        ids.collect()
    };
    let value = StreamsGroupTargetAssignmentMemberValue {
        active_tasks: ids(&tasks.active),
        standby_tasks: ids(&tasks.standby),
        warmup_tasks: ids(&tasks.warmup),
        ..StreamsGroupTargetAssignmentMemberValue::default()
    };
    Record::StreamsGroupTargetAssignmentMember(target_key(group_id, member_id), Some(value))
}

pub(super) fn target_assignment_tombstone(group_id: &str, member_id: &str) -> Record {
    Record::StreamsGroupTargetAssignmentMember(target_key(group_id, member_id), None)
}

fn target_metadata_key(group_id: &str) -> StreamsGroupTargetAssignmentMetadataKey {
    StreamsGroupTargetAssignmentMetadataKey { group_id: group_id.to_owned() }
}

pub(super) fn target_assignment_metadata(group_id: &str, epoch: i32, timestamp_ms: i64) -> Record {
    let value = StreamsGroupTargetAssignmentMetadataValue {
        assignment_epoch: epoch,
        assignment_timestamp: timestamp_ms,
        ..StreamsGroupTargetAssignmentMetadataValue::default()
    };
    Record::StreamsGroupTargetAssignmentMetadata(target_metadata_key(group_id), Some(value))
}

pub(super) fn target_assignment_metadata_tombstone(group_id: &str) -> Record {
    Record::StreamsGroupTargetAssignmentMetadata(target_metadata_key(group_id), None)
}

fn current_key(group_id: &str, member_id: &str) -> StreamsGroupCurrentMemberAssignmentKey {
    StreamsGroupCurrentMemberAssignmentKey { group_id: group_id.to_owned(), member_id: member_id.to_owned() }
}

pub(super) fn current_assignment(group_id: &str, member: &StreamsMember) -> Record {
    let value = StreamsGroupCurrentMemberAssignmentValue {
        member_epoch: member.member_epoch,
        previous_member_epoch: member.previous_member_epoch,
        state: member.state.code(),
        active_tasks: with_epochs(&member.assigned.active),
        standby_tasks: without_epochs(&member.assigned.standby),
        warmup_tasks: without_epochs(&member.assigned.warmup),
        active_tasks_pending_revocation: with_epochs(&member.pending_revocation.active),
        standby_tasks_pending_revocation: without_epochs(&member.pending_revocation.standby),
        warmup_tasks_pending_revocation: without_epochs(&member.pending_revocation.warmup),
        ..StreamsGroupCurrentMemberAssignmentValue::default()
    };
    Record::StreamsGroupCurrentMemberAssignment(current_key(group_id, &member.member_id), Some(value))
}

fn with_epochs(tasks: &ActiveTasks) -> Vec<current::TaskIds> {
    let ids = tasks.iter().map(|(subtopology_id, partitions)| current::TaskIds {
        subtopology_id: subtopology_id.clone(),
        partitions: partitions.keys().copied().collect(),
        assignment_epochs: Some(partitions.values().copied().collect()),
        ..current::TaskIds::default()
    });
    ids.collect()
}

fn without_epochs(tasks: &Tasks) -> Vec<current::TaskIds> {
    let ids = tasks.iter().map(|(subtopology_id, partitions)| current::TaskIds {
        subtopology_id: subtopology_id.clone(),
        partitions: partitions.iter().copied().collect(),
        assignment_epochs: None,
        ..current::TaskIds::default()
    });
    ids.collect()
}

pub(super) fn current_assignment_tombstone(group_id: &str, member_id: &str) -> Record {
    Record::StreamsGroupCurrentMemberAssignment(current_key(group_id, member_id), None)
}

pub(super) fn topology(group_id: &str, value: Option<StreamsGroupTopologyValue>) -> Record {
    Record::StreamsGroupTopology(StreamsGroupTopologyKey { group_id: group_id.to_owned() }, value)
}
