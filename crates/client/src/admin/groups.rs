//! Groups of every kind: listed, described, deleted, and the offsets that they have committed.

use std::collections::BTreeMap;

use bytes::Bytes;
use protocol::embedded::ConsumerProtocolAssignment;
use protocol::messages::consumer_group_describe_response as consumer;
use protocol::messages::list_groups_response::ListedGroup;
use protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use protocol::messages::offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use protocol::messages::streams_group_describe_response::DescribedGroup as StreamsGroup;
use protocol::messages::{
    ConsumerGroupDescribeRequest, DeleteGroupsRequest, DescribeGroupsRequest, ListGroupsRequest,
    OffsetCommitRequest, OffsetDeleteRequest, OffsetFetchRequest, StreamsGroupDescribeRequest,
};
use protocol::{ApiKey, CoordinatorType, ErrorCode, Message, Reader};

use super::{Admin, PerKey, checked};
use crate::error::ClientError;
use crate::topic_partition::TopicPartition;

/// Topic ids came with these versions; names serve here.
const OFFSETS_BY_NAME: Option<i16> = Some(9);

/// What a group has committed for a partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommittedOffset {
    /// The offset to go on from.
    pub offset: i64,
    /// The leader epoch of the record before it; -1 if none was given.
    pub leader_epoch: i32,
    /// What the member wrote beside it.
    pub metadata: String,
}

/// A member of a classic, consumer or share group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupMember {
    /// Its id.
    pub member_id: String,
    /// The id it keeps over restarts, if it has one.
    pub group_instance_id: Option<String>,
    /// The client's name.
    pub client_id: String,
    /// Where it comes from.
    pub host: String,
    /// Its epoch in the new protocols.
    pub epoch: Option<i32>,
    /// The partitions that it has, by topic.
    pub assignment: BTreeMap<String, Vec<i32>>,
    /// The partitions that it shall have, in the consumer protocol.
    pub target_assignment: Option<BTreeMap<String, Vec<i32>>>,
    /// Whether it speaks the consumer protocol, in groups that may be mixed (KIP-1099).
    pub is_upgraded: Option<bool>,
}

/// A group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupDescription {
    /// Its id.
    pub group_id: String,
    /// `Classic`, `Consumer` or `Share`.
    pub group_type: &'static str,
    /// Kafka's name of its state.
    pub state: String,
    /// Who assigns.
    pub assignor: String,
    /// Its epoch in the new protocols.
    pub epoch: Option<i32>,
    /// The epoch of the target assignment in the new protocols.
    pub assignment_epoch: Option<i32>,
    /// Its coordinator's broker id.
    pub coordinator: i32,
    /// The members.
    pub members: Vec<GroupMember>,
}

impl Admin {
    /// Groups of these states and types, all if none is named, from every broker.
    ///
    /// # Errors
    /// A broker could not be asked, or refuses.
    pub async fn list_groups(
        &self,
        states: &[String],
        types: &[String],
    ) -> Result<Vec<ListedGroup>, ClientError> {
        let mut groups = Vec::new();
        for broker in self.broker_ids().await? {
            let mut request = ListGroupsRequest {
                states_filter: states.to_vec(),
                types_filter: types.to_vec(),
                ..Default::default()
            };
            // Types came with v5; before, there were only classic groups.
            if self.client().version(broker, ApiKey::ListGroups).await? < 5 {
                request.types_filter.clear();
            }
            let request = &request;
            let response = self
                .client()
                .with_retries("ListGroups", || async move {
                    let response = self.client().send(broker, request).await?;
                    checked(ApiKey::ListGroups, response.error_code, None, response)
                })
                .await?;
            groups.extend(response.groups);
        }
        groups.sort_by(|left, right| left.group_id.cmp(&right.group_id));
        groups.dedup_by(|left, right| left.group_id == right.group_id);
        Ok(groups)
    }

    /// A consumer group or a classic one.
    ///
    /// # Errors
    /// What the coordinator says, or that it could not be asked.
    pub async fn describe_consumer_group(&self, group: &str) -> Result<GroupDescription, ClientError> {
        let request =
            ConsumerGroupDescribeRequest { group_ids: vec![group.to_owned()], ..Default::default() };
        let code = |response: &protocol::messages::ConsumerGroupDescribeResponse| {
            response.groups.first().map_or(0, |group| group.error_code)
        };
        match self.coordinated(CoordinatorType::Group, group, &request, None, code).await {
            Err(ClientError::UnsupportedVersion { .. }) => self.describe_classic_group(group).await,
            Err(error) => Err(error),
            Ok(response) => {
                let Some(described) = response.groups.into_iter().next() else {
                    return Err(ClientError::refused(
                        ApiKey::ConsumerGroupDescribe,
                        ErrorCode::GroupIdNotFound,
                    ));
                };
                let message = described.error_message.as_deref();
                match ClientError::check(ApiKey::ConsumerGroupDescribe, described.error_code, message) {
                    // It is a group of another kind, or none.
                    Err(error)
                        if matches!(
                            error.code(),
                            Some(ErrorCode::GroupIdNotFound | ErrorCode::UnsupportedVersion)
                        ) =>
                    {
                        self.describe_classic_group(group).await
                    }
                    Err(error) => Err(error),
                    Ok(()) => {
                        let coordinator = self.client().coordinator(CoordinatorType::Group, group).await?;
                        Ok(consumer_group(described, coordinator))
                    }
                }
            }
        }
    }

    /// A classic group.
    ///
    /// # Errors
    /// What the coordinator says, or that it could not be asked.
    pub async fn describe_classic_group(&self, group: &str) -> Result<GroupDescription, ClientError> {
        let request = DescribeGroupsRequest { groups: vec![group.to_owned()], ..Default::default() };
        let code = |response: &protocol::messages::DescribeGroupsResponse| {
            response.groups.first().map_or(0, |group| group.error_code)
        };
        let response = self.coordinated(CoordinatorType::Group, group, &request, None, code).await?;
        let api = ApiKey::DescribeGroups;
        let Some(described) = response.groups.into_iter().next() else {
            return Err(ClientError::refused(api, ErrorCode::GroupIdNotFound));
        };
        ClientError::check(api, described.error_code, described.error_message.as_deref())?;
        let members = described.members.into_iter().map(|member| GroupMember {
            member_id: member.member_id,
            group_instance_id: member.group_instance_id,
            client_id: member.client_id,
            host: member.client_host,
            assignment: classic_assignment(&member.member_assignment),
            ..GroupMember::default()
        });
        Ok(GroupDescription {
            group_id: described.group_id,
            group_type: "Classic",
            state: described.group_state,
            assignor: described.protocol_data,
            coordinator: self.client().coordinator(CoordinatorType::Group, group).await?,
            members: members.collect(),
            ..GroupDescription::default()
        })
    }

    /// A streams group (KIP-1071), as its coordinator tells it.
    ///
    /// # Errors
    /// What the coordinator says, or that it could not be asked.
    pub async fn describe_streams_group(&self, group: &str) -> Result<StreamsGroup, ClientError> {
        let request = StreamsGroupDescribeRequest { group_ids: vec![group.to_owned()], ..Default::default() };
        let code = |response: &protocol::messages::StreamsGroupDescribeResponse| {
            response.groups.first().map_or(0, |group| group.error_code)
        };
        let response = self.coordinated(CoordinatorType::Group, group, &request, None, code).await?;
        let api = ApiKey::StreamsGroupDescribe;
        let Some(described) = response.groups.into_iter().next() else {
            return Err(ClientError::refused(api, ErrorCode::GroupIdNotFound));
        };
        let code = described.error_code;
        let message = described.error_message.clone();
        checked(api, code, message.as_deref(), described)
    }

    /// Deletes groups that have no members.
    ///
    /// # Errors
    /// A coordinator could not be asked.
    pub async fn delete_groups(&self, groups: &[String]) -> Result<PerKey<String, ()>, ClientError> {
        let mut results = Vec::new();
        for group in groups {
            let request = DeleteGroupsRequest { groups_names: vec![group.clone()], ..Default::default() };
            let code = |response: &protocol::messages::DeleteGroupsResponse| {
                response.results.first().map_or(0, |result| result.error_code)
            };
            let response = self.coordinated(CoordinatorType::Group, group, &request, None, code).await?;
            let result = response.results.into_iter().next();
            let outcome = result.map_or(Ok(()), |result| {
                let message = result.error_message.as_deref();
                ClientError::check(ApiKey::DeleteGroups, result.error_code, message)
            });
            results.push((group.clone(), outcome));
        }
        Ok(results)
    }

    /// What a group has committed: for these partitions, or for all that it knows. Partitions without an offset are left
    /// out.
    ///
    /// # Errors
    /// What the coordinator says, or that it could not be asked.
    pub async fn list_group_offsets(
        &self,
        group: &str,
        partitions: Option<&[TopicPartition]>,
    ) -> Result<BTreeMap<TopicPartition, CommittedOffset>, ClientError> {
        let topics = partitions.map(|partitions| {
            let topic = |(name, partition_indexes): (String, Vec<i32>)| OffsetFetchRequestTopics {
                name,
                partition_indexes,
                ..Default::default()
            };
            by_topic(partitions).into_iter().map(topic).collect()
        });
        let asked = OffsetFetchRequestGroup { group_id: group.to_owned(), topics, ..Default::default() };
        let request = OffsetFetchRequest { groups: vec![asked], require_stable: false, ..Default::default() };
        let code = |response: &protocol::messages::OffsetFetchResponse| {
            response.groups.first().map_or(0, |group| group.error_code)
        };
        let response =
            self.coordinated(CoordinatorType::Group, group, &request, OFFSETS_BY_NAME, code).await?;
        let mut offsets = BTreeMap::new();
        for group in response.groups {
            ClientError::check(ApiKey::OffsetFetch, group.error_code, None)?;
            for topic in group.topics {
                for partition in topic.partitions.into_iter().filter(|found| found.committed_offset >= 0) {
                    let committed = CommittedOffset {
                        offset: partition.committed_offset,
                        leader_epoch: partition.committed_leader_epoch,
                        metadata: partition.metadata.unwrap_or_default(),
                    };
                    let key = TopicPartition::new(topic.name.as_str(), partition.partition_index);
                    offsets.insert(key, committed);
                }
            }
        }
        Ok(offsets)
    }

    /// Commits offsets for a group that has no members.
    ///
    /// # Errors
    /// The coordinator could not be asked.
    pub async fn alter_group_offsets(
        &self,
        group: &str,
        offsets: &BTreeMap<TopicPartition, CommittedOffset>,
    ) -> Result<PerKey<TopicPartition, ()>, ClientError> {
        let mut topics: BTreeMap<&str, Vec<OffsetCommitRequestPartition>> = BTreeMap::new();
        for (partition, committed) in offsets {
            topics.entry(&partition.topic).or_default().push(OffsetCommitRequestPartition {
                partition_index: partition.partition,
                committed_offset: committed.offset,
                committed_leader_epoch: committed.leader_epoch,
                committed_metadata: Some(committed.metadata.clone()),
                ..Default::default()
            });
        }
        let topic = |(name, partitions): (&str, Vec<_>)| OffsetCommitRequestTopic {
            name: name.to_owned(),
            partitions,
            ..Default::default()
        };
        let request = OffsetCommitRequest {
            group_id: group.to_owned(),
            topics: topics.into_iter().map(topic).collect(),
            ..Default::default()
        };
        let code = |response: &protocol::messages::OffsetCommitResponse| {
            let first = response.topics.first().and_then(|topic| topic.partitions.first());
            first.map_or(0, |partition| partition.error_code)
        };
        let response =
            self.coordinated(CoordinatorType::Group, group, &request, OFFSETS_BY_NAME, code).await?;
        let mut results = Vec::new();
        for topic in response.topics {
            for result in topic.partitions {
                let partition = TopicPartition::new(topic.name.as_str(), result.partition_index);
                let outcome = ClientError::check(ApiKey::OffsetCommit, result.error_code, None);
                results.push((
                    partition,
                    outcome.map_err(|error| {
                        error.about(&TopicPartition::new(topic.name.as_str(), result.partition_index))
                    }),
                ));
            }
        }
        Ok(results)
    }

    /// Forgets what a group has committed for partitions.
    ///
    /// # Errors
    /// What the coordinator says of the group, or that it could not be asked.
    pub async fn delete_group_offsets(
        &self,
        group: &str,
        partitions: &[TopicPartition],
    ) -> Result<PerKey<TopicPartition, ()>, ClientError> {
        let partition = |partition_index| OffsetDeleteRequestPartition { partition_index };
        let topic = |(name, partitions): (String, Vec<i32>)| OffsetDeleteRequestTopic {
            name,
            partitions: partitions.into_iter().map(partition).collect(),
        };
        let request = OffsetDeleteRequest {
            group_id: group.to_owned(),
            topics: by_topic(partitions).into_iter().map(topic).collect(),
        };
        let code = |response: &protocol::messages::OffsetDeleteResponse| response.error_code;
        let response = self.coordinated(CoordinatorType::Group, group, &request, None, code).await?;
        ClientError::check(ApiKey::OffsetDelete, response.error_code, None)?;
        let mut results = Vec::new();
        for topic in response.topics {
            for result in topic.partitions {
                let partition = TopicPartition::new(topic.name.as_str(), result.partition_index);
                results.push((partition, ClientError::check(ApiKey::OffsetDelete, result.error_code, None)));
            }
        }
        Ok(results)
    }
}

fn by_topic(partitions: &[TopicPartition]) -> BTreeMap<String, Vec<i32>> {
    let mut topics: BTreeMap<String, Vec<i32>> = BTreeMap::new();
    for partition in partitions {
        topics.entry(partition.topic.to_string()).or_default().push(partition.partition);
    }
    topics
}

fn consumer_group(described: consumer::DescribedGroup, coordinator: i32) -> GroupDescription {
    let partitions = |assignment: consumer::Assignment| {
        let topics = assignment.topic_partitions.into_iter();
        topics.map(|topic| (topic.topic_name, topic.partitions)).collect::<BTreeMap<_, _>>()
    };
    let members = described.members.into_iter().map(|member| GroupMember {
        member_id: member.member_id,
        group_instance_id: member.instance_id,
        client_id: member.client_id,
        host: member.client_host,
        epoch: Some(member.member_epoch),
        assignment: partitions(member.assignment),
        target_assignment: Some(partitions(member.target_assignment)),
        is_upgraded: (member.member_type >= 0).then_some(member.member_type == 1),
    });
    GroupDescription {
        group_id: described.group_id,
        group_type: "Consumer",
        state: described.group_state,
        assignor: described.assignor_name,
        epoch: Some(described.group_epoch),
        assignment_epoch: Some(described.assignment_epoch),
        coordinator,
        members: members.collect(),
    }
}

/// What a classic member was assigned; empty if it speaks another protocol than consumers.
fn classic_assignment(bytes: &Bytes) -> BTreeMap<String, Vec<i32>> {
    let mut reader = Reader::new(bytes.clone());
    let Ok(version) = reader.i16() else { return BTreeMap::new() };
    let version = version.clamp(0, *ConsumerProtocolAssignment::VERSIONS.end());
    let Ok(assignment) = ConsumerProtocolAssignment::decode(&mut reader, version) else {
        return BTreeMap::new();
    };
    assignment.assigned_partitions.into_iter().map(|topic| (topic.topic, topic.partitions)).collect()
}
