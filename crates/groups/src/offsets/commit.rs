//! OffsetCommit and TxnOffsetCommit: offsets a client wants kept.

use protocol::coordinator_records::{OffsetCommitKey, OffsetCommitValue};
use protocol::messages::offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic};
use protocol::messages::txn_offset_commit_response::{
    TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};
use protocol::messages::{
    OffsetCommitRequest, OffsetCommitResponse, TxnOffsetCommitRequest, TxnOffsetCommitResponse,
};
use protocol::{ErrorCode, Uuid};

use super::OffsetStore;
use crate::config::GroupCoordinatorConfig;
use crate::effects::{CoordinatorRecord, Effects, TransactionalWrite};
use crate::group::Step;
use crate::record::{fits_one_batch, offset_commit_record};

/// One offset of a request.
struct Wanted<'a> {
    topic: &'a str,
    topic_id: Uuid,
    partition: i32,
    offset: i64,
    leader_epoch: i32,
    metadata: Option<&'a str>,
    expire_timestamp_ms: i64,
}

/// Whether what goes with an offset is short enough to be kept.
pub(crate) fn is_metadata_accepted(config: &GroupCoordinatorConfig, metadata: Option<&str>) -> bool {
    let metadata = metadata.unwrap_or_default();
    let limit = config.offset_metadata_max_bytes;
    metadata.len() <= limit || metadata.encode_utf16().count() <= limit
}

/// Offsets of one request on their way into the store: all of them, or none.
struct Committing<'a> {
    group_id: &'a str,
    config: &'a GroupCoordinatorConfig,
    now_ms: i64,
    accepted: Vec<(OffsetCommitKey, OffsetCommitValue)>,
    records: Vec<CoordinatorRecord>,
}

impl<'a> Committing<'a> {
    fn new(group_id: &'a str, step: &Step<'a>) -> Self {
        Self { group_id, config: step.config, now_ms: step.now_ms, accepted: Vec::new(), records: Vec::new() }
    }

    fn add(&mut self, wanted: &Wanted<'_>) -> ErrorCode {
        let metadata = wanted.metadata.unwrap_or_default();
        if !is_metadata_accepted(self.config, Some(metadata)) {
            return ErrorCode::OffsetMetadataTooLarge;
        }
        let value = OffsetCommitValue {
            offset: wanted.offset,
            leader_epoch: wanted.leader_epoch,
            metadata: metadata.to_owned(),
            commit_timestamp: self.now_ms,
            expire_timestamp: wanted.expire_timestamp_ms,
            topic_id: wanted.topic_id,
            ..OffsetCommitValue::default()
        };
        let key = OffsetCommitKey {
            group: self.group_id.to_owned(),
            topic: wanted.topic.to_owned(),
            partition: wanted.partition,
        };
        let Some((record, key, value)) = offset_commit_record(key, value) else {
            return ErrorCode::UnknownServerError;
        };
        self.records.push(record);
        self.accepted.push((key, value));
        ErrorCode::None
    }

    /// Stores what was accepted. False where it is more than one batch holds: then nothing is.
    fn finish(self, store: &mut OffsetStore, producer_id: i64, effects: &mut Effects) -> bool {
        if !fits_one_batch(&self.records, self.config) {
            return false;
        }
        effects.records.extend(self.records);
        for (key, value) in self.accepted {
            store.put_next(producer_id, &key, value);
        }
        true
    }
}

/// Handles an OffsetCommit that the group has let through.
pub(crate) fn commit(
    store: &mut OffsetStore,
    step: &mut Step<'_>,
    request: &OffsetCommitRequest,
) -> OffsetCommitResponse {
    let has_retention = request.retention_time_ms != -1;
    let expire_timestamp_ms =
        if has_retention { step.now_ms.saturating_add(request.retention_time_ms) } else { -1 };
    let mut committing = Committing::new(&request.group_id, step);
    let mut topics = Vec::new();
    for topic in &request.topics {
        let answer = topic.partitions.iter().map(|partition| OffsetCommitResponsePartition {
            partition_index: partition.partition_index,
            error_code: committing
                .add(&Wanted {
                    topic: &topic.name,
                    topic_id: topic.topic_id,
                    partition: partition.partition_index,
                    offset: partition.committed_offset,
                    leader_epoch: partition.committed_leader_epoch,
                    metadata: partition.committed_metadata.as_deref(),
                    expire_timestamp_ms,
                })
                .as_i16(),
            ..OffsetCommitResponsePartition::default()
        });
        topics.push(OffsetCommitResponseTopic {
            name: topic.name.clone(),
            topic_id: topic.topic_id,
            partitions: answer.collect(),
            ..OffsetCommitResponseTopic::default()
        });
    }
    if !committing.finish(store, -1, step.effects) {
        return commit_refusal(request, ErrorCode::UnknownServerError);
    }
    OffsetCommitResponse { topics, ..OffsetCommitResponse::default() }
}

/// Handles a TxnOffsetCommit that the group has let through: the offsets wait for the end of the transaction.
pub(crate) fn commit_transactional(
    store: &mut OffsetStore,
    step: &mut Step<'_>,
    request: &TxnOffsetCommitRequest,
) -> TxnOffsetCommitResponse {
    let mut committing = Committing::new(&request.group_id, step);
    let mut topics = Vec::new();
    for topic in &request.topics {
        let answer = topic.partitions.iter().map(|partition| TxnOffsetCommitResponsePartition {
            partition_index: partition.partition_index,
            error_code: committing
                .add(&Wanted {
                    topic: &topic.name,
                    topic_id: topic.topic_id,
                    partition: partition.partition_index,
                    offset: partition.committed_offset,
                    leader_epoch: partition.committed_leader_epoch,
                    metadata: partition.committed_metadata.as_deref(),
                    expire_timestamp_ms: -1,
                })
                .as_i16(),
            ..TxnOffsetCommitResponsePartition::default()
        });
        topics.push(TxnOffsetCommitResponseTopic {
            name: topic.name.clone(),
            topic_id: topic.topic_id,
            partitions: answer.collect(),
            ..TxnOffsetCommitResponseTopic::default()
        });
    }
    if !committing.finish(store, request.producer_id, step.effects) {
        return commit_transactional_refusal(request, ErrorCode::UnknownServerError);
    }
    step.effects.transaction =
        Some(TransactionalWrite { producer_id: request.producer_id, producer_epoch: request.producer_epoch });
    TxnOffsetCommitResponse { topics, ..TxnOffsetCommitResponse::default() }
}

/// The same error for every partition of the request.
pub(crate) fn commit_refusal(request: &OffsetCommitRequest, error: ErrorCode) -> OffsetCommitResponse {
    let topics = request.topics.iter().map(|topic| OffsetCommitResponseTopic {
        name: topic.name.clone(),
        topic_id: topic.topic_id,
        partitions: topic
            .partitions
            .iter()
            .map(|partition| OffsetCommitResponsePartition {
                partition_index: partition.partition_index,
                error_code: error.as_i16(),
                ..OffsetCommitResponsePartition::default()
            })
            .collect(),
        ..OffsetCommitResponseTopic::default()
    });
    OffsetCommitResponse { topics: topics.collect(), ..OffsetCommitResponse::default() }
}

/// The same error for every partition of the request.
pub(crate) fn commit_transactional_refusal(
    request: &TxnOffsetCommitRequest,
    error: ErrorCode,
) -> TxnOffsetCommitResponse {
    let topics = request.topics.iter().map(|topic| TxnOffsetCommitResponseTopic {
        name: topic.name.clone(),
        topic_id: topic.topic_id,
        partitions: topic
            .partitions
            .iter()
            .map(|partition| TxnOffsetCommitResponsePartition {
                partition_index: partition.partition_index,
                error_code: error.as_i16(),
                ..TxnOffsetCommitResponsePartition::default()
            })
            .collect(),
        ..TxnOffsetCommitResponseTopic::default()
    });
    TxnOffsetCommitResponse { topics: topics.collect(), ..TxnOffsetCommitResponse::default() }
}
