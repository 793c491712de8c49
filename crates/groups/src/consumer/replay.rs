//! Records of a consumer group, applied to it.

use std::collections::BTreeMap;

use protocol::coordinator_records::{
    ConsumerGroupCurrentMemberAssignmentValue, ConsumerGroupMemberMetadataValue,
    ConsumerGroupRegularExpressionValue, ConsumerGroupTargetAssignmentMemberValue,
    GroupCoordinatorRecord as Record, consumer_group_current_member_assignment_value as current,
};

use super::ConsumerGroup;
use super::member::{ConsumerMember, MemberState, PartitionEpochs};
use super::subscription::{ResolvedRegex, count_key};

impl ConsumerGroup {
    /// Takes a record of this group over. Records of other kinds change nothing.
    pub(crate) fn apply(&mut self, record: Record) {
        match record {
            Record::ConsumerGroupMetadata(_, Some(value)) => {
                self.group_epoch = value.epoch;
                self.metadata_hash = value.metadata_hash;
            }
            Record::ConsumerGroupPartitionMetadata(_, value) => {
                self.has_partition_metadata_record = value.is_some();
            }
            Record::ConsumerGroupMemberMetadata(key, Some(value)) => {
                self.apply_member_metadata(key.member_id, value);
            }
            Record::ConsumerGroupMemberMetadata(key, None) => self.forget_member(&key.member_id),
            Record::ConsumerGroupTargetAssignmentMember(key, Some(value)) => {
                self.apply_target(key.member_id, value);
            }
            Record::ConsumerGroupTargetAssignmentMember(key, None) => {
                self.target.remove(&key.member_id);
            }
            Record::ConsumerGroupTargetAssignmentMetadata(_, value) => {
                self.assignment_epoch = value.as_ref().map_or(-1, |value| value.assignment_epoch);
                self.assignment_timestamp_ms = value.map_or(0, |value| value.assignment_timestamp);
            }
            Record::ConsumerGroupCurrentMemberAssignment(key, value) => {
                self.apply_current_assignment(key.member_id, value);
            }
            Record::ConsumerGroupRegularExpression(key, value) => {
                self.apply_regular_expression(key.regular_expression, value);
            }
            _ => {}
        }
    }

    fn apply_member_metadata(&mut self, member_id: String, value: ConsumerGroupMemberMetadataValue) {
        let before = self.members.get(&member_id).cloned();
        let member = before.unwrap_or_else(|| ConsumerMember::new(member_id));
        self.put_member(ConsumerMember {
            instance_id: value.instance_id,
            rack_id: value.rack_id,
            client_id: value.client_id,
            client_host: value.client_host,
            subscribed_topic_names: value.subscribed_topic_names.into_iter().collect(),
            subscribed_topic_regex: value.subscribed_topic_regex,
            rebalance_timeout_ms: value.rebalance_timeout_ms,
            server_assignor: value.server_assignor,
            classic: value.classic_member_metadata,
            ..member
        });
    }

    fn apply_target(&mut self, member_id: String, value: ConsumerGroupTargetAssignmentMemberValue) {
        let mut partitions = super::member::AssignedPartitions::new();
        for topic in value.topic_partitions {
            partitions.entry(topic.topic_id).or_default().extend(topic.partitions);
        }
        self.target.insert(member_id, partitions);
    }

    fn apply_current_assignment(
        &mut self,
        member_id: String,
        value: Option<ConsumerGroupCurrentMemberAssignmentValue>,
    ) {
        let before = self.members.get(&member_id).cloned();
        let Some(value) = value else {
            if let Some(member) = before {
                self.put_member(ConsumerMember {
                    member_epoch: -1,
                    previous_member_epoch: -1,
                    assigned: PartitionEpochs::new(),
                    pending_revocation: PartitionEpochs::new(),
                    ..member
                });
            }
            return;
        };
        let member = before.unwrap_or_else(|| ConsumerMember::new(member_id));
        self.put_member(ConsumerMember {
            member_epoch: value.member_epoch,
            previous_member_epoch: value.previous_member_epoch,
            state: MemberState::from_code(value.state),
            assigned: with_epochs(value.assigned_partitions, value.member_epoch),
            pending_revocation: with_epochs(value.partitions_pending_revocation, value.member_epoch),
            ..member
        });
    }

    fn apply_regular_expression(
        &mut self,
        regex: String,
        value: Option<ConsumerGroupRegularExpressionValue>,
    ) {
        if let Some(before) = self.resolved_regexes.remove(&regex) {
            self.count_resolved(&before, false);
        }
        if let Some(value) = value {
            let resolved = ResolvedRegex {
                topics: value.topics.into_iter().collect(),
                version: value.version,
                timestamp_ms: value.timestamp,
            };
            self.count_resolved(&resolved, true);
            self.resolved_regexes.insert(regex, resolved);
        }
    }

    fn put_member(&mut self, member: ConsumerMember) {
        if let Some(before) = self.members.remove(&member.member_id) {
            self.account(&before, false);
        }
        self.account(&member, true);
        self.members.insert(member.member_id.clone(), member);
    }

    fn forget_member(&mut self, member_id: &str) {
        if let Some(before) = self.members.remove(member_id) {
            self.account(&before, false);
        }
    }

    /// Keeps every index over the members.
    fn account(&mut self, member: &ConsumerMember, is_added: bool) {
        for topic in &member.subscribed_topic_names {
            self.count_name(topic, is_added);
        }
        if let Some(regex) = member.regex() {
            count_key(&mut self.subscribed_regexes, regex, is_added);
        }
        if let Some(assignor) = &member.server_assignor {
            count_key(&mut self.server_assignors, assignor, is_added);
        }
        if member.uses_classic_protocol() {
            self.classic_member_count =
                if is_added { self.classic_member_count + 1 } else { self.classic_member_count - 1 };
            for protocol in member.classic_protocols() {
                count_key(&mut self.classic_protocols, &protocol.name, is_added);
            }
        }
        if let Some(instance_id) = &member.instance_id {
            if is_added {
                self.static_members.insert(instance_id.clone(), member.member_id.clone());
            } else if self.static_members.get(instance_id) == Some(&member.member_id) {
                self.static_members.remove(instance_id);
            }
        }
        self.account_partitions(&member.assigned, member.member_epoch, is_added);
        self.account_partitions(&member.pending_revocation, member.member_epoch, is_added);
    }

    fn account_partitions(&mut self, partitions: &PartitionEpochs, member_epoch: i32, is_added: bool) {
        for (topic_id, partitions) in partitions {
            let epochs = self.partition_epochs.entry(*topic_id).or_default();
            for partition in partitions.keys() {
                if is_added {
                    let epoch = epochs.entry(*partition).or_insert(member_epoch);
                    *epoch = (*epoch).max(member_epoch);
                } else if epochs.get(partition) == Some(&member_epoch) {
                    epochs.remove(partition);
                }
            }
            if epochs.is_empty() {
                self.partition_epochs.remove(topic_id);
            }
        }
    }
}

/// Partitions with their epochs; where a record has none, or not one for each, those of its member.
fn with_epochs(topics: Vec<current::TopicPartitions>, member_epoch: i32) -> PartitionEpochs {
    let mut result = PartitionEpochs::new();
    for topic in topics {
        let epochs = topic.assignment_epochs.filter(|epochs| epochs.len() == topic.partitions.len());
        let partitions: &mut BTreeMap<i32, i32> = result.entry(topic.topic_id).or_default();
        match epochs {
            Some(epochs) => partitions.extend(topic.partitions.into_iter().zip(epochs)),
            None => {
                partitions.extend(topic.partitions.into_iter().map(|index| (index, member_epoch.max(0))));
            }
        }
    }
    result
}
