//! Asking brokers for offsets: by time, by epoch, committed ones; and committing.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use protocol::messages::offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic};
use protocol::messages::{
    ListOffsetsRequest, OffsetCommitRequest, OffsetFetchRequest, OffsetForLeaderEpochRequest,
};
use protocol::{ApiKey, CoordinatorType, ErrorCode, Request, Uuid};

use crate::client::{Client, Lane, SendOptions};
use crate::error::ClientError;
use crate::group_offsets::{ConsumerGroupMetadata, OffsetAndMetadata};
use crate::topic_partition::TopicPartition;

/// ListOffsets' names for the ends of a log.
pub(crate) const EARLIEST: i64 = -2;
pub(crate) const LATEST: i64 = -1;
/// The last version of OffsetCommit and OffsetFetch that names topics by name, and the one that does so by id.
const BY_NAME_MAX: i16 = 9;
const BY_ID_MAX: i16 = 10;
/// Since this version OffsetFetch asks for groups.
const GROUPS_SINCE: i16 = 8;
/// Since this version OffsetFetch says which member asks (KIP-848).
const MEMBERS_SINCE: i16 = 9;
const STABLE_SINCE: i16 = 7;
const CONSUMER: i32 = -1;

/// An offset with the time and epoch of its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffsetAndTimestamp {
    /// The offset.
    pub offset: i64,
    /// The record's time, ms; -1 for the ends of a log.
    pub timestamp_ms: i64,
    /// Epoch of the leader that wrote it, if known.
    pub leader_epoch: Option<i32>,
}

pub(crate) type PerPartition<T> = Vec<(TopicPartition, Result<T, ClientError>)>;

/// How and for whom to ask.
#[derive(Clone, Debug)]
pub(crate) struct OffsetCalls {
    pub(crate) client: Client,
    pub(crate) is_read_committed: bool,
    pub(crate) lane: Lane,
}

fn known_epoch(epoch: i32) -> Option<i32> {
    Some(epoch).filter(|epoch| *epoch >= 0)
}

fn by_topic<T>(items: impl IntoIterator<Item = (TopicPartition, T)>) -> BTreeMap<Arc<str>, Vec<(i32, T)>> {
    let mut topics: BTreeMap<Arc<str>, Vec<(i32, T)>> = BTreeMap::new();
    for (named, item) in items {
        topics.entry(named.topic).or_default().push((named.partition, item));
    }
    topics
}

impl OffsetCalls {
    /// Offsets by timestamp (or [`EARLIEST`], [`LATEST`]) from one leader; none where no record is as new.
    pub(crate) async fn list(
        &self,
        leader: i32,
        wanted: impl IntoIterator<Item = (TopicPartition, i64)>,
    ) -> Result<PerPartition<Option<OffsetAndTimestamp>>, ClientError> {
        let api = ApiKey::ListOffsets;
        let topics = by_topic(wanted).into_iter().map(|(topic, partitions)| ListOffsetsTopic {
            name: topic.to_string(),
            partitions: partitions
                .into_iter()
                .map(|(partition_index, timestamp)| ListOffsetsPartition {
                    partition_index,
                    timestamp,
                    current_leader_epoch: -1,
                    ..ListOffsetsPartition::default()
                })
                .collect(),
            ..ListOffsetsTopic::default()
        });
        let timeout_ms = self.client.config().request_timeout_ms;
        let request = ListOffsetsRequest {
            replica_id: CONSUMER,
            isolation_level: i8::from(self.is_read_committed),
            topics: topics.collect(),
            timeout_ms: i32::try_from(timeout_ms).unwrap_or(i32::MAX),
            ..ListOffsetsRequest::default()
        };
        let response = self.client.send(leader, &request).await?;
        let mut found = Vec::new();
        for topic in response.topics {
            let name: Arc<str> = topic.name.into();
            for one in topic.partitions {
                let named = TopicPartition { topic: Arc::clone(&name), partition: one.partition_index };
                let checked = ClientError::check(api, one.error_code, None)
                    .map_err(|error| self.client.said_by(leader, error.about(&named)));
                let offset = OffsetAndTimestamp {
                    offset: one.offset,
                    timestamp_ms: one.timestamp,
                    leader_epoch: known_epoch(one.leader_epoch),
                };
                found.push((named, checked.map(|()| Some(offset).filter(|offset| offset.offset >= 0))));
            }
        }
        Ok(found)
    }

    /// Offsets by timestamp wherever the leaders are, with retries.
    pub(crate) async fn list_anywhere(
        &self,
        wanted: Vec<(TopicPartition, i64)>,
    ) -> Result<HashMap<TopicPartition, Option<OffsetAndTimestamp>>, ClientError> {
        let mut found = HashMap::new();
        let asked =
            futures_util::future::try_join_all(wanted.into_iter().map(|(named, timestamp)| async move {
                let offset = self
                    .client
                    .with_retries("ListOffsets", || async {
                        let leader = self.client.leader(&named).await?;
                        let mut answers = self.list(leader, [(named.clone(), timestamp)]).await?;
                        let unknown =
                            || ClientError::refused(ApiKey::ListOffsets, ErrorCode::UnknownTopicOrPartition);
                        answers.pop().ok_or_else(unknown)?.1
                    })
                    .await?;
                Ok::<_, ClientError>((named, offset))
            }));
        found.extend(asked.await?);
        Ok(found)
    }

    /// Where the log that a leader has ends for an epoch: epoch and end offset (KIP-320).
    pub(crate) async fn epoch_ends(
        &self,
        leader: i32,
        wanted: impl IntoIterator<Item = (TopicPartition, i32)>,
    ) -> Result<PerPartition<(i32, i64)>, ClientError> {
        let api = ApiKey::OffsetForLeaderEpoch;
        let topics = by_topic(wanted).into_iter().map(|(topic, partitions)| OffsetForLeaderTopic {
            topic: topic.to_string(),
            partitions: partitions
                .into_iter()
                .map(|(partition, leader_epoch)| OffsetForLeaderPartition {
                    partition,
                    leader_epoch,
                    current_leader_epoch: -1,
                    ..OffsetForLeaderPartition::default()
                })
                .collect(),
            ..OffsetForLeaderTopic::default()
        });
        let request = OffsetForLeaderEpochRequest {
            replica_id: CONSUMER,
            topics: topics.collect(),
            ..OffsetForLeaderEpochRequest::default()
        };
        let response = self.client.send(leader, &request).await?;
        let mut found = Vec::new();
        for topic in response.topics {
            let name: Arc<str> = topic.topic.into();
            for one in topic.partitions {
                let named = TopicPartition { topic: Arc::clone(&name), partition: one.partition };
                let checked = ClientError::check(api, one.error_code, None)
                    .map_err(|error| self.client.said_by(leader, error.about(&named)));
                found.push((named, checked.map(|()| (one.leader_epoch, one.end_offset))));
            }
        }
        Ok(found)
    }

    /// Committed offsets of a group; none where nothing was committed.
    pub(crate) async fn committed(
        &self,
        group: &ConsumerGroupMetadata,
        partitions: impl IntoIterator<Item = TopicPartition>,
    ) -> Result<HashMap<TopicPartition, Option<OffsetAndMetadata>>, ClientError> {
        let topics = by_topic(partitions.into_iter().map(|named| (named, ())));
        let ids = self.ids(topics.keys());
        let indexes = |partitions: &[(i32, ())]| partitions.iter().map(|(index, ())| *index).collect();
        let group_id = group.group_id.to_string();
        let version = self.version(&group.group_id, ApiKey::OffsetFetch).await?.min(ids.version_max());
        let mut request = OffsetFetchRequest {
            require_stable: self.is_read_committed && version >= STABLE_SINCE,
            ..OffsetFetchRequest::default()
        };
        if version >= GROUPS_SINCE {
            let topics = topics.iter().map(|(topic, partitions)| OffsetFetchRequestTopics {
                name: topic.to_string(),
                topic_id: ids.id(topic),
                partition_indexes: indexes(partitions),
                ..OffsetFetchRequestTopics::default()
            });
            let is_member = version >= MEMBERS_SINCE && !group.member_id.is_empty();
            request.groups = vec![OffsetFetchRequestGroup {
                group_id: group_id.clone(),
                member_id: is_member.then(|| group.member_id.to_string()),
                member_epoch: if is_member { group.generation_id } else { -1 },
                topics: Some(topics.collect()),
                ..OffsetFetchRequestGroup::default()
            }];
        } else {
            let topics = topics.iter().map(|(topic, partitions)| OffsetFetchRequestTopic {
                name: topic.to_string(),
                partition_indexes: indexes(partitions),
                ..OffsetFetchRequestTopic::default()
            });
            (request.group_id, request.topics) = (group_id.clone(), Some(topics.collect()));
        }
        let response = self.to_coordinator(&group.group_id, &request, version).await?;
        let (mut code, mut rows) = (response.error_code, Vec::new());
        for topic in response.topics {
            let partitions = topic.partitions.into_iter();
            rows.extend(partitions.map(|one| {
                let row = (one.committed_offset, one.committed_leader_epoch, one.metadata, one.error_code);
                (TopicPartition::new(topic.name.as_str(), one.partition_index), row)
            }));
        }
        for one in response.groups.into_iter().filter(|one| one.group_id == group_id) {
            code = one.error_code;
            for topic in one.topics {
                let (name, partitions) = (ids.name(topic.name, topic.topic_id), topic.partitions.into_iter());
                rows.extend(partitions.map(|one| {
                    let row =
                        (one.committed_offset, one.committed_leader_epoch, one.metadata, one.error_code);
                    (TopicPartition { topic: Arc::clone(&name), partition: one.partition_index }, row)
                }));
            }
        }
        self.check(&group.group_id, ApiKey::OffsetFetch, code, None)?;
        let mut found = HashMap::new();
        for (named, (offset, epoch, metadata, code)) in rows {
            if let Err(error) = self.check(&group.group_id, ApiKey::OffsetFetch, code, Some(&named)) {
                return Err(self.after_new_ids(error).await);
            }
            let leader_epoch = known_epoch(epoch);
            let committed =
                OffsetAndMetadata { offset, leader_epoch, metadata: metadata.unwrap_or_default() };
            found.insert(named, Some(committed).filter(|committed| committed.offset >= 0));
        }
        Ok(found)
    }

    /// Commits; the first partition's failure is the failure of all.
    pub(crate) async fn commit(
        &self,
        group: &ConsumerGroupMetadata,
        offsets: Vec<(TopicPartition, OffsetAndMetadata)>,
    ) -> Result<(), ClientError> {
        let topics = by_topic(offsets);
        let ids = self.ids(topics.keys());
        let topics = topics.into_iter().map(|(topic, partitions)| OffsetCommitRequestTopic {
            name: topic.to_string(),
            topic_id: ids.id(&topic),
            partitions: partitions
                .into_iter()
                .map(|(partition_index, offset)| OffsetCommitRequestPartition {
                    partition_index,
                    committed_offset: offset.offset,
                    committed_leader_epoch: offset.leader_epoch.unwrap_or(-1),
                    committed_metadata: Some(offset.metadata),
                    ..OffsetCommitRequestPartition::default()
                })
                .collect(),
            ..OffsetCommitRequestTopic::default()
        });
        let request = OffsetCommitRequest {
            group_id: group.group_id.to_string(),
            generation_id_or_member_epoch: group.generation_id,
            member_id: group.member_id.to_string(),
            group_instance_id: group.group_instance_id.as_deref().map(str::to_owned),
            topics: topics.collect(),
            ..OffsetCommitRequest::default()
        };
        let response = self.to_coordinator(&group.group_id, &request, ids.version_max()).await?;
        for topic in response.topics {
            let name = ids.name(topic.name, topic.topic_id);
            for one in &topic.partitions {
                let named = TopicPartition { topic: Arc::clone(&name), partition: one.partition_index };
                let checked = self.check(&group.group_id, ApiKey::OffsetCommit, one.error_code, Some(&named));
                if let Err(error) = checked {
                    return Err(fenced(self.after_new_ids(error).await, group));
                }
            }
        }
        Ok(())
    }

    /// Ids of topics as far as the metadata knows them.
    fn ids<'a>(&self, topics: impl Iterator<Item = &'a Arc<str>>) -> TopicIds {
        let metadata = self.client.metadata();
        let id = |topic: &Arc<str>| {
            (Arc::clone(topic), metadata.topic(topic).map_or(Uuid::ZERO, |known| known.id))
        };
        TopicIds(topics.map(id).collect())
    }

    /// The error, once ids are known with which another attempt may succeed.
    async fn after_new_ids(&self, error: ClientError) -> ClientError {
        if error.code() == Some(ErrorCode::UnknownTopicId)
            && let Err(source) = self.client.refresh_known().await
        {
            tracing::debug!(%source, "topics' new ids are not known");
        }
        error
    }

    async fn version(&self, group_id: &str, api: ApiKey) -> Result<i16, ClientError> {
        let coordinator = self.client.coordinator(CoordinatorType::Group, group_id).await?;
        self.client.version(coordinator, api).await
    }

    async fn to_coordinator<R: Request>(
        &self,
        group_id: &str,
        request: &R,
        version_max: i16,
    ) -> Result<R::Response, ClientError> {
        let options =
            SendOptions { lane: self.lane, version_max: Some(version_max), ..SendOptions::default() };
        self.client.send_to_coordinator_with(CoordinatorType::Group, group_id, request, options).await
    }

    fn check(
        &self,
        group_id: &str,
        api: ApiKey,
        code: i16,
        about: Option<&TopicPartition>,
    ) -> Result<(), ClientError> {
        ClientError::check(api, code, None).map_err(|error| {
            let error = self.client.said_by_coordinator(CoordinatorType::Group, group_id, error);
            if Client::is_coordinator_moved(&error) {
                self.client.forget_coordinator(CoordinatorType::Group, group_id);
            }
            match about {
                Some(named) => error.about(named),
                None => error,
            }
        })
    }
}

/// Topics of one call with their ids; zero where an id is not known. A topic that is made anew has another one, so that
/// offsets of the old one are not taken for its own (KIP-848).
struct TopicIds(HashMap<Arc<str>, Uuid>);

impl TopicIds {
    /// All topics of a request are named in the same way.
    fn version_max(&self) -> i16 {
        if self.0.values().all(|id| !id.is_zero()) { BY_ID_MAX } else { BY_NAME_MAX }
    }

    fn id(&self, topic: &str) -> Uuid {
        self.0.get(topic).copied().unwrap_or_default()
    }

    /// The name of an answer's topic: it has either a name or an id.
    fn name(&self, name: String, id: Uuid) -> Arc<str> {
        let found = self.0.iter().find(|(_, known)| name.is_empty() && !id.is_zero() && **known == id);
        found.map_or_else(|| name.into(), |(known, _)| Arc::clone(known))
    }
}

/// The group went on without this member.
fn fenced(error: ClientError, group: &ConsumerGroupMetadata) -> ClientError {
    match error.code() {
        Some(
            code @ (ErrorCode::UnknownMemberId
            | ErrorCode::IllegalGeneration
            | ErrorCode::FencedInstanceId
            | ErrorCode::FencedMemberEpoch),
        ) => ClientError::FencedMember {
            group_id: Arc::clone(&group.group_id),
            member_id: Arc::clone(&group.member_id),
            code,
        },
        _ => error,
    }
}
