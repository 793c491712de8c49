//! Records of consumer groups, as Kafka 4.4 writes them.

use protocol::coordinator_records::{
    ConsumerGroupCurrentMemberAssignmentKey, ConsumerGroupCurrentMemberAssignmentValue,
    ConsumerGroupMemberMetadataKey, ConsumerGroupMemberMetadataValue, ConsumerGroupMetadataKey,
    ConsumerGroupMetadataValue, ConsumerGroupPartitionMetadataKey, ConsumerGroupRegularExpressionKey,
    ConsumerGroupRegularExpressionValue, ConsumerGroupTargetAssignmentMemberKey,
    ConsumerGroupTargetAssignmentMemberValue, ConsumerGroupTargetAssignmentMetadataKey,
    ConsumerGroupTargetAssignmentMetadataValue, GroupCoordinatorRecord as Record,
};
use protocol::coordinator_records::{
    consumer_group_current_member_assignment_value as current,
    consumer_group_target_assignment_member_value as target,
};

use super::member::{AssignedPartitions, ConsumerMember, PartitionEpochs};
use super::subscription::ResolvedRegex;

pub(super) fn member_metadata(group_id: &str, member: &ConsumerMember) -> Record {
    let value = ConsumerGroupMemberMetadataValue {
        instance_id: member.instance_id.clone(),
        rack_id: member.rack_id.clone(),
        client_id: member.client_id.clone(),
        client_host: member.client_host.clone(),
        subscribed_topic_names: member.subscribed_topic_names.iter().cloned().collect(),
        subscribed_topic_regex: member.subscribed_topic_regex.clone(),
        rebalance_timeout_ms: member.rebalance_timeout_ms,
        server_assignor: member.server_assignor.clone(),
        classic_member_metadata: member.classic.clone(),
        ..ConsumerGroupMemberMetadataValue::default()
    };
    Record::ConsumerGroupMemberMetadata(member_key(group_id, &member.member_id), Some(value))
}

fn member_key(group_id: &str, member_id: &str) -> ConsumerGroupMemberMetadataKey {
    ConsumerGroupMemberMetadataKey { group_id: group_id.to_owned(), member_id: member_id.to_owned() }
}

pub(super) fn member_metadata_tombstone(group_id: &str, member_id: &str) -> Record {
    Record::ConsumerGroupMemberMetadata(member_key(group_id, member_id), None)
}

fn epoch_key(group_id: &str) -> ConsumerGroupMetadataKey {
    ConsumerGroupMetadataKey { group_id: group_id.to_owned() }
}

pub(super) fn group_epoch(group_id: &str, epoch: i32, metadata_hash: i64) -> Record {
    let value = ConsumerGroupMetadataValue { epoch, metadata_hash, ..ConsumerGroupMetadataValue::default() };
    Record::ConsumerGroupMetadata(epoch_key(group_id), Some(value))
}

pub(super) fn group_epoch_tombstone(group_id: &str) -> Record {
    Record::ConsumerGroupMetadata(epoch_key(group_id), None)
}

pub(super) fn partition_metadata_tombstone(group_id: &str) -> Record {
    let key = ConsumerGroupPartitionMetadataKey { group_id: group_id.to_owned() };
    Record::ConsumerGroupPartitionMetadata(key, None)
}

fn target_key(group_id: &str, member_id: &str) -> ConsumerGroupTargetAssignmentMemberKey {
    ConsumerGroupTargetAssignmentMemberKey { group_id: group_id.to_owned(), member_id: member_id.to_owned() }
}

pub(super) fn target_assignment(group_id: &str, member_id: &str, partitions: &AssignedPartitions) -> Record {
    let topic_partitions = partitions.iter().map(|(topic_id, partitions)| target::TopicPartition {
        topic_id: *topic_id,
        partitions: partitions.iter().copied().collect(),
        ..target::TopicPartition::default()
    });
    let value = ConsumerGroupTargetAssignmentMemberValue {
        topic_partitions: topic_partitions.collect(),
        ..ConsumerGroupTargetAssignmentMemberValue::default()
    };
    Record::ConsumerGroupTargetAssignmentMember(target_key(group_id, member_id), Some(value))
}

pub(super) fn target_assignment_tombstone(group_id: &str, member_id: &str) -> Record {
    Record::ConsumerGroupTargetAssignmentMember(target_key(group_id, member_id), None)
}

fn target_metadata_key(group_id: &str) -> ConsumerGroupTargetAssignmentMetadataKey {
    ConsumerGroupTargetAssignmentMetadataKey { group_id: group_id.to_owned() }
}

pub(super) fn target_assignment_metadata(group_id: &str, epoch: i32, timestamp_ms: i64) -> Record {
    let value = ConsumerGroupTargetAssignmentMetadataValue {
        assignment_epoch: epoch,
        assignment_timestamp: timestamp_ms,
        ..ConsumerGroupTargetAssignmentMetadataValue::default()
    };
    Record::ConsumerGroupTargetAssignmentMetadata(target_metadata_key(group_id), Some(value))
}

pub(super) fn target_assignment_metadata_tombstone(group_id: &str) -> Record {
    Record::ConsumerGroupTargetAssignmentMetadata(target_metadata_key(group_id), None)
}

fn current_key(group_id: &str, member_id: &str) -> ConsumerGroupCurrentMemberAssignmentKey {
    ConsumerGroupCurrentMemberAssignmentKey { group_id: group_id.to_owned(), member_id: member_id.to_owned() }
}

pub(super) fn current_assignment(group_id: &str, member: &ConsumerMember) -> Record {
    let value = ConsumerGroupCurrentMemberAssignmentValue {
        member_epoch: member.member_epoch,
        previous_member_epoch: member.previous_member_epoch,
        state: member.state.code(),
        assigned_partitions: with_epochs(&member.assigned),
        partitions_pending_revocation: with_epochs(&member.pending_revocation),
        ..ConsumerGroupCurrentMemberAssignmentValue::default()
    };
    Record::ConsumerGroupCurrentMemberAssignment(current_key(group_id, &member.member_id), Some(value))
}

fn with_epochs(partitions: &PartitionEpochs) -> Vec<current::TopicPartitions> {
    let topics = partitions.iter().map(|(topic_id, partitions)| current::TopicPartitions {
        topic_id: *topic_id,
        partitions: partitions.keys().copied().collect(),
        assignment_epochs: Some(partitions.values().copied().collect()),
        ..current::TopicPartitions::default()
    });
    topics.collect()
}

pub(super) fn current_assignment_tombstone(group_id: &str, member_id: &str) -> Record {
    Record::ConsumerGroupCurrentMemberAssignment(current_key(group_id, member_id), None)
}

fn regex_key(group_id: &str, regex: &str) -> ConsumerGroupRegularExpressionKey {
    ConsumerGroupRegularExpressionKey { group_id: group_id.to_owned(), regular_expression: regex.to_owned() }
}

pub(super) fn regular_expression(group_id: &str, regex: &str, resolved: &ResolvedRegex) -> Record {
    let value = ConsumerGroupRegularExpressionValue {
        topics: resolved.topics.iter().cloned().collect(),
        version: resolved.version,
        timestamp: resolved.timestamp_ms,
        ..ConsumerGroupRegularExpressionValue::default()
    };
    Record::ConsumerGroupRegularExpression(regex_key(group_id, regex), Some(value))
}

pub(super) fn regular_expression_tombstone(group_id: &str, regex: &str) -> Record {
    Record::ConsumerGroupRegularExpression(regex_key(group_id, regex), None)
}
