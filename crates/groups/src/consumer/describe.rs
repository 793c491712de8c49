//! ConsumerGroupDescribe: a consumer group and its members.

use std::collections::BTreeMap;

use protocol::messages::consumer_group_describe_response::{
    Assignment, DescribedGroup, Member, TopicPartitions,
};
use protocol::messages::list_groups_response::ListedGroup;
use protocol::{ErrorCode, Uuid};

use super::member::ConsumerMember;
use super::{ConsumerGroup, PROTOCOL_TYPE};
use crate::cluster::Cluster;
use crate::config::GroupCoordinatorConfig;

/// `member_type` of a member of the classic protocol (KIP-1099).
const CLASSIC_MEMBER: i8 = 0;
/// `member_type` of a member of the consumer protocol.
const CONSUMER_MEMBER: i8 = 1;

impl ConsumerGroup {
    pub(crate) fn listed(&self) -> ListedGroup {
        ListedGroup {
            group_id: self.group_id.to_string(),
            protocol_type: PROTOCOL_TYPE.to_owned(),
            group_state: self.state_name().to_owned(),
            group_type: "consumer".to_owned(),
            ..ListedGroup::default()
        }
    }

    pub(crate) fn described(&self, config: &GroupCoordinatorConfig, cluster: &Cluster) -> DescribedGroup {
        let most = self.server_assignors.values().max();
        let preferred = self.server_assignors.iter().find(|(_, count)| Some(*count) == most);
        let assignor = preferred.map(|(name, _)| name).or(config.consumer.assignors.first());
        DescribedGroup {
            group_id: self.group_id.to_string(),
            group_state: self.state_name().to_owned(),
            group_epoch: self.group_epoch,
            assignment_epoch: self.assignment_epoch,
            assignor_name: assignor.cloned().unwrap_or_default(),
            members: self.members.values().map(|member| self.described_member(cluster, member)).collect(),
            ..DescribedGroup::default()
        }
    }

    fn described_member(&self, cluster: &Cluster, member: &ConsumerMember) -> Member {
        let mut current: BTreeMap<Uuid, Vec<i32>> = BTreeMap::new();
        for (topic_id, partitions) in member.assigned.iter().chain(&member.pending_revocation) {
            current.entry(*topic_id).or_default().extend(partitions.keys());
        }
        let target = self.target.get(&member.member_id).into_iter().flatten();
        let target = target.map(|(topic_id, partitions)| (*topic_id, partitions.iter().copied().collect()));
        Member {
            member_id: member.member_id.clone(),
            instance_id: member.instance_id.clone(),
            rack_id: member.rack_id.clone(),
            member_epoch: member.member_epoch,
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            subscribed_topic_names: member.subscribed_topic_names.iter().cloned().collect(),
            subscribed_topic_regex: member.subscribed_topic_regex.clone(),
            assignment: assignment(cluster, current),
            target_assignment: assignment(cluster, target),
            member_type: if member.uses_classic_protocol() { CLASSIC_MEMBER } else { CONSUMER_MEMBER },
            ..Member::default()
        }
    }
}

/// Topics that are gone have no name to be shown by.
fn assignment(cluster: &Cluster, topics: impl IntoIterator<Item = (Uuid, Vec<i32>)>) -> Assignment {
    let named = topics.into_iter().filter_map(|(topic_id, partitions)| {
        let topic_name = cluster.topic_name(topic_id)?.to_owned();
        Some(TopicPartitions { topic_id, topic_name, partitions, ..TopicPartitions::default() })
    });
    Assignment { topic_partitions: named.collect(), ..Assignment::default() }
}

/// A group that does not exist, or not as a consumer group.
pub(crate) fn describe_not_found(group_id: String, message: String) -> DescribedGroup {
    DescribedGroup {
        group_id,
        error_code: ErrorCode::GroupIdNotFound.as_i16(),
        error_message: Some(message),
        ..DescribedGroup::default()
    }
}
