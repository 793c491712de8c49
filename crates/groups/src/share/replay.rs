//! What each record does to a share group, when it is written and when it is replayed.

use std::collections::BTreeMap;

use protocol::Uuid;
use protocol::coordinator_records::GroupCoordinatorRecord as Record;
use protocol::coordinator_records::share_group_state_partition_metadata_value::TopicPartitionsInfo;
use protocol::coordinator_records::{
    ShareGroupCurrentMemberAssignmentValue, ShareGroupMemberMetadataValue,
    ShareGroupStatePartitionMetadataValue,
};

use super::{Partitions, ShareGroup, ShareMember, TopicState};

/// Partitions out of a record.
fn partitions_of(rows: impl IntoIterator<Item = (Uuid, Vec<i32>)>) -> Partitions {
    rows.into_iter().map(|(topic_id, partitions)| (topic_id, partitions.into_iter().collect())).collect()
}

impl ShareGroup {
    /// Takes a record of this group over; those of other groups and kinds are not for here. Returns whether the group is
    /// gone now.
    pub(crate) fn apply(&mut self, record: Record, now_ms: i64) -> bool {
        match record {
            Record::ShareGroupMemberMetadata(key, value) => self.apply_member(&key.member_id, value),
            Record::ShareGroupMetadata(_, Some(value)) => {
                self.group_epoch = value.epoch;
                self.metadata_hash = value.metadata_hash;
            }
            Record::ShareGroupMetadata(_, None) => return true,
            Record::ShareGroupTargetAssignmentMetadata(_, value) => {
                self.assignment_epoch = value.as_ref().map_or(1, |value| value.assignment_epoch);
                self.assignment_timestamp_ms = value.map_or(0, |value| value.assignment_timestamp);
            }
            Record::ShareGroupTargetAssignmentMember(key, Some(value)) => {
                let rows = value.topic_partitions.into_iter().map(|row| (row.topic_id, row.partitions));
                self.target.insert(key.member_id, partitions_of(rows));
            }
            Record::ShareGroupTargetAssignmentMember(key, None) => {
                self.target.remove(&key.member_id);
            }
            Record::ShareGroupCurrentMemberAssignment(key, value) => {
                self.apply_current_assignment(&key.member_id, value);
            }
            Record::ShareGroupStatePartitionMetadata(_, value) => {
                self.apply_states(value.unwrap_or_default(), now_ms);
            }
            _ => {}
        }
        false
    }

    fn apply_member(&mut self, member_id: &str, value: Option<ShareGroupMemberMetadataValue>) {
        let before = self.members.remove(member_id);
        for name in before.iter().flat_map(|member| &member.subscribed_topic_names) {
            if let Some(count) = self.subscribed_topics.get_mut(name) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    self.subscribed_topics.remove(name);
                }
            }
        }
        let Some(value) = value else { return };
        let member = ShareMember {
            rack_id: value.rack_id,
            client_id: value.client_id,
            client_host: value.client_host,
            subscribed_topic_names: value.subscribed_topic_names.into_iter().collect(),
            ..before.unwrap_or_else(|| ShareMember::new(member_id))
        };
        for name in &member.subscribed_topic_names {
            *self.subscribed_topics.entry(name.clone()).or_default() += 1;
        }
        self.members.insert(member_id.to_owned(), member);
    }

    fn apply_current_assignment(
        &mut self,
        member_id: &str,
        value: Option<ShareGroupCurrentMemberAssignmentValue>,
    ) {
        // The member's own record comes first; without it the member is about to go.
        let Some(member) = self.members.get_mut(member_id) else { return };
        let value = value.unwrap_or_default();
        member.member_epoch = value.member_epoch;
        member.previous_member_epoch = value.previous_member_epoch;
        let rows = value.assigned_partitions.into_iter().map(|row| (row.topic_id, row.partitions));
        member.assigned = partitions_of(rows);
    }

    fn apply_states(&mut self, value: ShareGroupStatePartitionMetadataValue, now_ms: i64) {
        let states = |before: &BTreeMap<Uuid, TopicState>, rows: Vec<TopicPartitionsInfo>| {
            let state = |row: TopicPartitionsInfo| {
                let since_ms = before.get(&row.topic_id).map_or(now_ms, |state| state.since_ms);
                let partitions = row.partitions.into_iter().collect();
                (row.topic_id, TopicState { name: row.topic_name, partitions, since_ms })
            };
            rows.into_iter().map(state).collect()
        };
        self.initializing = states(&self.initializing, value.initializing_topics);
        self.initialized = states(&self.initialized, value.initialized_topics);
        self.deleting =
            value.deleting_topics.into_iter().map(|topic| (topic.topic_id, topic.topic_name)).collect();
    }
}
