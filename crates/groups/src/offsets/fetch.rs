//! OffsetFetch: what a group has committed.

use protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use protocol::messages::{OffsetFetchRequest, OffsetFetchResponse};
use protocol::{ErrorCode, Uuid};

use super::{CommittedOffset, OffsetStore};

/// From this version on a request names several groups.
const BATCHED_MIN_VERSION: i16 = 8;
/// From this version on an error stands beside the partitions; before, in each of them.
const TOP_LEVEL_ERROR_MIN_VERSION: i16 = 2;

/// The groups a request asks about, in the shape of v8, whichever version it came in.
pub fn offset_fetch_request_groups(
    request: OffsetFetchRequest,
    api_version: i16,
) -> Vec<OffsetFetchRequestGroup> {
    if api_version >= BATCHED_MIN_VERSION {
        return request.groups;
    }
    let topics = request.topics.map(|topics| {
        let topic = topics.into_iter().map(|topic| OffsetFetchRequestTopics {
            name: topic.name,
            partition_indexes: topic.partition_indexes,
            ..OffsetFetchRequestTopics::default()
        });
        topic.collect()
    });
    vec![OffsetFetchRequestGroup { group_id: request.group_id, topics, ..OffsetFetchRequestGroup::default() }]
}

/// The answer to a whole request, in the shape of its version. Before v8 there is one group.
pub fn offset_fetch_response(
    mut groups: Vec<OffsetFetchResponseGroup>,
    api_version: i16,
) -> OffsetFetchResponse {
    if api_version >= TOP_LEVEL_ERROR_MIN_VERSION {
        groups.iter_mut().filter(|group| group.error_code != 0).for_each(|group| group.topics.clear());
    }
    if api_version >= BATCHED_MIN_VERSION {
        return OffsetFetchResponse { groups, ..OffsetFetchResponse::default() };
    }
    let Some(group) = groups.into_iter().next() else { return OffsetFetchResponse::default() };
    let topics = group.topics.into_iter().map(|topic| OffsetFetchResponseTopic {
        name: topic.name,
        partitions: topic.partitions.into_iter().map(single_group_partition).collect(),
        ..OffsetFetchResponseTopic::default()
    });
    OffsetFetchResponse {
        error_code: group.error_code,
        topics: topics.collect(),
        ..OffsetFetchResponse::default()
    }
}

fn single_group_partition(partition: OffsetFetchResponsePartitions) -> OffsetFetchResponsePartition {
    OffsetFetchResponsePartition {
        partition_index: partition.partition_index,
        committed_offset: partition.committed_offset,
        committed_leader_epoch: partition.committed_leader_epoch,
        metadata: partition.metadata,
        error_code: partition.error_code,
        ..OffsetFetchResponsePartition::default()
    }
}

/// Handles one group of an OffsetFetch. A group that does not exist has no offsets, which is no error.
pub(crate) fn fetch(
    store: &OffsetStore,
    group_exists: bool,
    request: OffsetFetchRequestGroup,
    require_stable: bool,
) -> OffsetFetchResponseGroup {
    let group_id = request.group_id;
    let pending = |topic: &str, partition| require_stable && store.has_pending(&group_id, topic, partition);
    let topics = match request.topics {
        Some(topics) => topics
            .into_iter()
            .map(|topic| {
                let stored = store.committed.topic(&group_id, &topic.name).filter(|_| group_exists);
                let partitions = topic.partition_indexes.iter().map(|partition| {
                    let committed = stored.and_then(|stored| stored.get(*partition));
                    let committed =
                        committed.filter(|committed| is_same_topic(committed.topic_id, topic.topic_id));
                    answer(*partition, committed, pending(&topic.name, *partition))
                });
                let partitions = partitions.collect();
                OffsetFetchResponseTopics {
                    name: topic.name,
                    topic_id: topic.topic_id,
                    partitions,
                    ..OffsetFetchResponseTopics::default()
                }
            })
            .collect(),
        None if !group_exists => Vec::new(),
        None => store
            .committed
            .topics(&group_id)
            .iter()
            .map(|stored| {
                let partitions = stored.partitions.iter().map(|(partition, committed)| {
                    answer(*partition, Some(committed), pending(&stored.topic, *partition))
                });
                OffsetFetchResponseTopics {
                    name: stored.topic.to_string(),
                    partitions: partitions.collect(),
                    ..OffsetFetchResponseTopics::default()
                }
            })
            .collect(),
    };
    OffsetFetchResponseGroup { group_id, topics, ..OffsetFetchResponseGroup::default() }
}

/// Offsets of a deleted topic are not those of a new one with the same name; an id not known matches every other.
fn is_same_topic(stored: Uuid, wanted: Uuid) -> bool {
    stored.is_zero() || wanted.is_zero() || stored == wanted
}

fn answer(
    partition: i32,
    committed: Option<&CommittedOffset>,
    is_pending: bool,
) -> OffsetFetchResponsePartitions {
    let nothing = OffsetFetchResponsePartitions {
        partition_index: partition,
        committed_offset: -1,
        committed_leader_epoch: -1,
        metadata: Some(String::new()),
        ..OffsetFetchResponsePartitions::default()
    };
    match committed {
        _ if is_pending => {
            OffsetFetchResponsePartitions { error_code: ErrorCode::UnstableOffsetCommit.as_i16(), ..nothing }
        }
        None => nothing,
        Some(committed) => OffsetFetchResponsePartitions {
            committed_offset: committed.offset,
            committed_leader_epoch: committed.leader_epoch,
            metadata: Some(committed.metadata.to_string()),
            ..nothing
        },
    }
}
