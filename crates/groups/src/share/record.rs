//! Records of share groups, as Kafka 4.4 writes them.

use std::collections::BTreeMap;

use protocol::Uuid;
use protocol::coordinator_records::{
    GroupCoordinatorRecord as Record, ShareGroupCurrentMemberAssignmentKey,
    ShareGroupCurrentMemberAssignmentValue, ShareGroupMemberMetadataKey, ShareGroupMemberMetadataValue,
    ShareGroupMetadataKey, ShareGroupMetadataValue, ShareGroupStatePartitionMetadataKey,
    ShareGroupStatePartitionMetadataValue, ShareGroupTargetAssignmentMemberKey,
    ShareGroupTargetAssignmentMemberValue, ShareGroupTargetAssignmentMetadataKey,
    ShareGroupTargetAssignmentMetadataValue,
};
use protocol::coordinator_records::{
    share_group_current_member_assignment_value as current,
    share_group_state_partition_metadata_value as states,
    share_group_target_assignment_member_value as target,
};

use super::{Partitions, ShareMember, TopicState};

fn member_key(group_id: &str, member_id: &str) -> ShareGroupMemberMetadataKey {
    ShareGroupMemberMetadataKey { group_id: group_id.to_owned(), member_id: member_id.to_owned() }
}

pub(super) fn member_metadata(group_id: &str, member: &ShareMember) -> Record {
    let value = ShareGroupMemberMetadataValue {
        rack_id: member.rack_id.clone(),
        client_id: member.client_id.clone(),
        client_host: member.client_host.clone(),
        subscribed_topic_names: member.subscribed_topic_names.iter().cloned().collect(),
        ..ShareGroupMemberMetadataValue::default()
    };
    Record::ShareGroupMemberMetadata(member_key(group_id, &member.member_id), Some(value))
}

pub(super) fn member_metadata_tombstone(group_id: &str, member_id: &str) -> Record {
    Record::ShareGroupMemberMetadata(member_key(group_id, member_id), None)
}

fn epoch_key(group_id: &str) -> ShareGroupMetadataKey {
    ShareGroupMetadataKey { group_id: group_id.to_owned() }
}

pub(super) fn group_epoch(group_id: &str, epoch: i32, metadata_hash: i64) -> Record {
    let value = ShareGroupMetadataValue { epoch, metadata_hash, ..ShareGroupMetadataValue::default() };
    Record::ShareGroupMetadata(epoch_key(group_id), Some(value))
}

pub(super) fn group_epoch_tombstone(group_id: &str) -> Record {
    Record::ShareGroupMetadata(epoch_key(group_id), None)
}

fn target_key(group_id: &str, member_id: &str) -> ShareGroupTargetAssignmentMemberKey {
    ShareGroupTargetAssignmentMemberKey { group_id: group_id.to_owned(), member_id: member_id.to_owned() }
}

pub(super) fn target_assignment(group_id: &str, member_id: &str, partitions: &Partitions) -> Record {
    let topic_partitions = partitions.iter().map(|(topic_id, partitions)| target::TopicPartition {
        topic_id: *topic_id,
        partitions: partitions.iter().copied().collect(),
        ..target::TopicPartition::default()
    });
    let value = ShareGroupTargetAssignmentMemberValue {
        topic_partitions: topic_partitions.collect(),
        ..ShareGroupTargetAssignmentMemberValue::default()
    };
    Record::ShareGroupTargetAssignmentMember(target_key(group_id, member_id), Some(value))
}

pub(super) fn target_assignment_tombstone(group_id: &str, member_id: &str) -> Record {
    Record::ShareGroupTargetAssignmentMember(target_key(group_id, member_id), None)
}

fn target_metadata_key(group_id: &str) -> ShareGroupTargetAssignmentMetadataKey {
    ShareGroupTargetAssignmentMetadataKey { group_id: group_id.to_owned() }
}

pub(super) fn target_assignment_metadata(group_id: &str, epoch: i32, timestamp_ms: i64) -> Record {
    let value = ShareGroupTargetAssignmentMetadataValue {
        assignment_epoch: epoch,
        assignment_timestamp: timestamp_ms,
        ..ShareGroupTargetAssignmentMetadataValue::default()
    };
    Record::ShareGroupTargetAssignmentMetadata(target_metadata_key(group_id), Some(value))
}

pub(super) fn target_assignment_metadata_tombstone(group_id: &str) -> Record {
    Record::ShareGroupTargetAssignmentMetadata(target_metadata_key(group_id), None)
}

fn current_key(group_id: &str, member_id: &str) -> ShareGroupCurrentMemberAssignmentKey {
    ShareGroupCurrentMemberAssignmentKey { group_id: group_id.to_owned(), member_id: member_id.to_owned() }
}

pub(super) fn current_assignment(group_id: &str, member: &ShareMember) -> Record {
    let assigned_partitions = member.assigned.iter().map(|(topic_id, partitions)| current::TopicPartitions {
        topic_id: *topic_id,
        partitions: partitions.iter().copied().collect(),
        ..current::TopicPartitions::default()
    });
    let value = ShareGroupCurrentMemberAssignmentValue {
        member_epoch: member.member_epoch,
        previous_member_epoch: member.previous_member_epoch,
        state: 0,
        assigned_partitions: assigned_partitions.collect(),
        ..ShareGroupCurrentMemberAssignmentValue::default()
    };
    Record::ShareGroupCurrentMemberAssignment(current_key(group_id, &member.member_id), Some(value))
}

pub(super) fn current_assignment_tombstone(group_id: &str, member_id: &str) -> Record {
    Record::ShareGroupCurrentMemberAssignment(current_key(group_id, member_id), None)
}

fn states_key(group_id: &str) -> ShareGroupStatePartitionMetadataKey {
    ShareGroupStatePartitionMetadataKey { group_id: group_id.to_owned() }
}

pub(super) fn state_partition_metadata(
    group_id: &str,
    initializing: &BTreeMap<Uuid, TopicState>,
    initialized: &BTreeMap<Uuid, TopicState>,
    deleting: &BTreeMap<Uuid, String>,
) -> Record {
    let infos = |topics: &BTreeMap<Uuid, TopicState>| {
        let info = |(topic_id, state): (&Uuid, &TopicState)| states::TopicPartitionsInfo {
            topic_id: *topic_id,
            topic_name: state.name.clone(),
            partitions: state.partitions.iter().copied().collect(),
            ..states::TopicPartitionsInfo::default()
        };
        topics.iter().map(info).collect()
    };
    let deleting = deleting.iter().map(|(topic_id, name)| states::TopicInfo {
        topic_id: *topic_id,
        topic_name: name.clone(),
        ..states::TopicInfo::default()
    });
    let value = ShareGroupStatePartitionMetadataValue {
        initializing_topics: infos(initializing),
        initialized_topics: infos(initialized),
        deleting_topics: deleting.collect(),
        ..ShareGroupStatePartitionMetadataValue::default()
    };
    Record::ShareGroupStatePartitionMetadata(states_key(group_id), Some(value))
}

pub(super) fn state_partition_metadata_tombstone(group_id: &str) -> Record {
    Record::ShareGroupStatePartitionMetadata(states_key(group_id), None)
}
