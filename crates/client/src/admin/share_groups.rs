//! Share groups (KIP-932): described, and where their partitions begin.

use std::collections::BTreeMap;

use protocol::messages::alter_share_group_offsets_request::{
    AlterShareGroupOffsetsRequestPartition, AlterShareGroupOffsetsRequestTopic,
};
use protocol::messages::delete_share_group_offsets_request::DeleteShareGroupOffsetsRequestTopic;
use protocol::messages::describe_share_group_offsets_request::DescribeShareGroupOffsetsRequestGroup;
use protocol::messages::describe_share_group_offsets_response::DescribeShareGroupOffsetsResponsePartition;
use protocol::messages::{
    AlterShareGroupOffsetsRequest, DeleteShareGroupOffsetsRequest, DescribeShareGroupOffsetsRequest,
    ShareGroupDescribeRequest,
};
use protocol::{ApiKey, CoordinatorType, ErrorCode};

use super::{Admin, GroupDescription, GroupMember, PerKey, checked};
use crate::error::ClientError;
use crate::topic_partition::TopicPartition;

impl Admin {
    /// A share group.
    ///
    /// # Errors
    /// What the coordinator says, or that it could not be asked.
    pub async fn describe_share_group(&self, group: &str) -> Result<GroupDescription, ClientError> {
        let request = ShareGroupDescribeRequest { group_ids: vec![group.to_owned()], ..Default::default() };
        let code = |response: &protocol::messages::ShareGroupDescribeResponse| {
            response.groups.first().map_or(0, |group| group.error_code)
        };
        let response = self.coordinated(CoordinatorType::Group, group, &request, None, code).await?;
        let api = ApiKey::ShareGroupDescribe;
        let Some(described) = response.groups.into_iter().next() else {
            return Err(ClientError::refused(api, ErrorCode::GroupIdNotFound));
        };
        ClientError::check(api, described.error_code, described.error_message.as_deref())?;
        let members = described.members.into_iter().map(|member| GroupMember {
            member_id: member.member_id,
            client_id: member.client_id,
            host: member.client_host,
            epoch: Some(member.member_epoch),
            assignment: member
                .assignment
                .topic_partitions
                .into_iter()
                .map(|topic| (topic.topic_name, topic.partitions))
                .collect(),
            ..GroupMember::default()
        });
        Ok(GroupDescription {
            group_id: described.group_id,
            group_type: "Share",
            state: described.group_state,
            assignor: described.assignor_name,
            epoch: Some(described.group_epoch),
            assignment_epoch: Some(described.assignment_epoch),
            coordinator: self.client().coordinator(CoordinatorType::Group, group).await?,
            members: members.collect(),
        })
    }

    /// Where the partitions of a share group begin.
    ///
    /// # Errors
    /// What the coordinator says of the group, or that it could not be asked.
    pub async fn describe_share_group_offsets(
        &self,
        group: &str,
    ) -> Result<PerKey<TopicPartition, DescribeShareGroupOffsetsResponsePartition>, ClientError> {
        let asked = DescribeShareGroupOffsetsRequestGroup {
            group_id: group.to_owned(),
            topics: None,
            ..Default::default()
        };
        let request = DescribeShareGroupOffsetsRequest { groups: vec![asked], ..Default::default() };
        let code = |response: &protocol::messages::DescribeShareGroupOffsetsResponse| {
            response.groups.first().map_or(0, |group| group.error_code)
        };
        let response = self.coordinated(CoordinatorType::Group, group, &request, None, code).await?;
        let api = ApiKey::DescribeShareGroupOffsets;
        let mut results = Vec::new();
        for group in response.groups {
            ClientError::check(api, group.error_code, group.error_message.as_deref())?;
            for topic in group.topics {
                for found in topic.partitions {
                    let partition = TopicPartition::new(topic.topic_name.as_str(), found.partition_index);
                    let (code, message) = (found.error_code, found.error_message.clone());
                    results.push((partition, checked(api, code, message.as_deref(), found)));
                }
            }
        }
        Ok(results)
    }

    /// Moves where the partitions of a share group without members begin.
    ///
    /// # Errors
    /// What the coordinator says of the group, or that it could not be asked.
    pub async fn alter_share_group_offsets(
        &self,
        group: &str,
        offsets: &BTreeMap<TopicPartition, i64>,
    ) -> Result<PerKey<TopicPartition, ()>, ClientError> {
        let mut topics: BTreeMap<&str, Vec<AlterShareGroupOffsetsRequestPartition>> = BTreeMap::new();
        for (partition, offset) in offsets {
            topics.entry(&partition.topic).or_default().push(AlterShareGroupOffsetsRequestPartition {
                partition_index: partition.partition,
                start_offset: *offset,
                ..Default::default()
            });
        }
        let topic = |(name, partitions): (&str, Vec<_>)| AlterShareGroupOffsetsRequestTopic {
            topic_name: name.to_owned(),
            partitions,
            ..Default::default()
        };
        let request = AlterShareGroupOffsetsRequest {
            group_id: group.to_owned(),
            topics: topics.into_iter().map(topic).collect(),
            ..Default::default()
        };
        let code = |response: &protocol::messages::AlterShareGroupOffsetsResponse| response.error_code;
        let response = self.coordinated(CoordinatorType::Group, group, &request, None, code).await?;
        let api = ApiKey::AlterShareGroupOffsets;
        ClientError::check(api, response.error_code, response.error_message.as_deref())?;
        let mut results = Vec::new();
        for topic in response.responses {
            for result in topic.partitions {
                let partition = TopicPartition::new(topic.topic_name.as_str(), result.partition_index);
                let message = result.error_message.as_deref();
                results.push((partition, ClientError::check(api, result.error_code, message)));
            }
        }
        Ok(results)
    }

    /// Forgets topics of a share group without members.
    ///
    /// # Errors
    /// What the coordinator says of the group, or that it could not be asked.
    pub async fn delete_share_group_offsets(
        &self,
        group: &str,
        topics: &[String],
    ) -> Result<PerKey<String, ()>, ClientError> {
        let topic = |topic_name: &String| DeleteShareGroupOffsetsRequestTopic {
            topic_name: topic_name.clone(),
            ..Default::default()
        };
        let request = DeleteShareGroupOffsetsRequest {
            group_id: group.to_owned(),
            topics: topics.iter().map(topic).collect(),
            ..Default::default()
        };
        let code = |response: &protocol::messages::DeleteShareGroupOffsetsResponse| response.error_code;
        let response = self.coordinated(CoordinatorType::Group, group, &request, None, code).await?;
        let api = ApiKey::DeleteShareGroupOffsets;
        ClientError::check(api, response.error_code, response.error_message.as_deref())?;
        let results = response.responses.into_iter().map(|topic| {
            let message = topic.error_message.as_deref();
            (topic.topic_name, ClientError::check(api, topic.error_code, message))
        });
        Ok(results.collect())
    }
}
