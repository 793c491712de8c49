//! ShareGroupDescribe and ListGroups: a share group and its members.

use protocol::ErrorCode;
use protocol::messages::list_groups_response::ListedGroup;
use protocol::messages::share_group_describe_response::{
    Assignment, DescribedGroup, Member, TopicPartitions,
};

use super::{ASSIGNOR, PROTOCOL_TYPE, ShareGroup, ShareMember};
use crate::cluster::Cluster;

impl ShareGroup {
    pub(crate) fn listed(&self) -> ListedGroup {
        ListedGroup {
            group_id: self.group_id.to_string(),
            protocol_type: PROTOCOL_TYPE.to_owned(),
            group_state: self.state_name().to_owned(),
            group_type: "share".to_owned(),
            ..ListedGroup::default()
        }
    }

    pub(crate) fn described(&self, cluster: &Cluster) -> DescribedGroup {
        DescribedGroup {
            group_id: self.group_id.to_string(),
            group_state: self.state_name().to_owned(),
            group_epoch: self.group_epoch,
            assignment_epoch: self.assignment_epoch,
            assignor_name: ASSIGNOR.to_owned(),
            members: self.members.values().map(|member| described_member(cluster, member)).collect(),
            ..DescribedGroup::default()
        }
    }
}

fn described_member(cluster: &Cluster, member: &ShareMember) -> Member {
    // Topics that are gone have no name to be shown by.
    let named = member.assigned.iter().filter_map(|(topic_id, partitions)| {
        Some(TopicPartitions {
            topic_id: *topic_id,
            topic_name: cluster.topic_name(*topic_id)?.to_owned(),
            partitions: partitions.iter().copied().collect(),
            ..TopicPartitions::default()
        })
    });
    Member {
        member_id: member.member_id.clone(),
        rack_id: member.rack_id.clone(),
        member_epoch: member.member_epoch,
        client_id: member.client_id.clone(),
        client_host: member.client_host.clone(),
        subscribed_topic_names: member.subscribed_topic_names.iter().cloned().collect(),
        assignment: Assignment { topic_partitions: named.collect(), ..Assignment::default() },
        ..Member::default()
    }
}

/// A group that does not exist, or not as a share group.
pub(crate) fn describe_not_found(group_id: String, message: String) -> DescribedGroup {
    DescribedGroup {
        group_id,
        error_code: ErrorCode::GroupIdNotFound.as_i16(),
        error_message: Some(message),
        ..DescribedGroup::default()
    }
}
