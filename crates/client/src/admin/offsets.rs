//! Offsets of partitions by time or place, and records deleted below an offset.

use std::collections::BTreeMap;

use protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use protocol::messages::{DeleteRecordsRequest, ListOffsetsRequest};
use protocol::{ApiKey, ErrorCode};

use super::{Admin, PerKey, checked};
use crate::client::SendOptions;
use crate::error::{ClientError, is_stale_metadata};
use crate::topic_partition::TopicPartition;

/// Which offset of a partition is asked for, with Kafka's numbers for the special ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffsetSpec {
    /// Behind the last record.
    Latest,
    /// The first record.
    Earliest,
    /// The record with the highest timestamp (KIP-734).
    MaxTimestamp,
    /// The first record on the leader's own disk (KIP-405).
    EarliestLocal,
    /// The last record in remote storage (KIP-1005).
    LatestTiered,
    /// The first record that waits for its upload (KIP-1023).
    EarliestPendingUpload,
    /// The first record at or after this time, ms since 1970.
    ForTimestamp(i64),
}

/// Whether open transactions count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IsolationLevel {
    /// Everything below the high watermark.
    #[default]
    ReadUncommitted,
    /// Only what is below the first open transaction.
    ReadCommitted,
}

impl OffsetSpec {
    /// The number on the wire.
    pub fn timestamp(self) -> i64 {
        match self {
            Self::Latest => -1,
            Self::Earliest => -2,
            Self::MaxTimestamp => -3,
            Self::EarliestLocal => -4,
            Self::LatestTiered => -5,
            Self::EarliestPendingUpload => -6,
            Self::ForTimestamp(timestamp) => timestamp,
        }
    }

    /// Brokers of before this version take the number for a time.
    fn version_min(self) -> i16 {
        match self {
            Self::MaxTimestamp => 7,
            Self::EarliestLocal => 8,
            Self::LatestTiered => 9,
            Self::EarliestPendingUpload => 11,
            _ => 0,
        }
    }
}

/// An offset with its timestamp and leader epoch, as ListOffsets answers; offset -1 where there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListedOffset {
    /// The offset.
    pub offset: i64,
    /// The record's timestamp; -1 where none is told.
    pub timestamp: i64,
    /// The leader epoch of the record; -1 where none is told.
    pub leader_epoch: i32,
}

impl Admin {
    /// One offset per partition.
    ///
    /// # Errors
    /// No leader could be asked.
    pub async fn list_offsets(
        &self,
        wanted: &[(TopicPartition, OffsetSpec)],
        isolation: IsolationLevel,
    ) -> Result<PerKey<TopicPartition, ListedOffset>, ClientError> {
        let mut results = Vec::new();
        for (leader, partitions) in self.by_leader(wanted, |(partition, _)| partition, &mut results).await? {
            let mut topics: BTreeMap<&str, Vec<ListOffsetsPartition>> = BTreeMap::new();
            let mut version_min = 0;
            for (partition, spec) in &partitions {
                version_min = version_min.max(spec.version_min());
                topics.entry(&partition.topic).or_default().push(ListOffsetsPartition {
                    partition_index: partition.partition,
                    timestamp: spec.timestamp(),
                    ..Default::default()
                });
            }
            let topic = |(name, partitions): (&str, Vec<_>)| ListOffsetsTopic {
                name: name.to_owned(),
                partitions,
                ..Default::default()
            };
            let request = ListOffsetsRequest {
                replica_id: -1,
                isolation_level: i8::from(isolation == IsolationLevel::ReadCommitted),
                timeout_ms: self.timeout_ms(),
                topics: topics.into_iter().map(topic).collect(),
                ..Default::default()
            };
            if self.client().version(leader, ApiKey::ListOffsets).await? < version_min {
                for (partition, _) in partitions {
                    let error = ClientError::refused(ApiKey::ListOffsets, ErrorCode::UnsupportedVersion);
                    results.push((partition.clone(), Err(error)));
                }
                continue;
            }
            let response = self.client().send_with(leader, &request, SendOptions::default()).await?;
            for topic in response.topics {
                for found in topic.partitions {
                    let listed = ListedOffset {
                        offset: found.offset,
                        timestamp: found.timestamp,
                        leader_epoch: found.leader_epoch,
                    };
                    let partition = TopicPartition::new(topic.name.as_str(), found.partition_index);
                    results.push((partition, checked(ApiKey::ListOffsets, found.error_code, None, listed)));
                }
            }
        }
        Ok(results)
    }

    /// Moves the log start offset up to these offsets (-1: the high watermark); gives the new low watermarks.
    ///
    /// # Errors
    /// No leader could be asked.
    pub async fn delete_records(
        &self,
        offsets: &[(TopicPartition, i64)],
    ) -> Result<PerKey<TopicPartition, i64>, ClientError> {
        let mut results = Vec::new();
        for (leader, partitions) in self.by_leader(offsets, |(partition, _)| partition, &mut results).await? {
            let mut topics: BTreeMap<&str, Vec<DeleteRecordsPartition>> = BTreeMap::new();
            for (partition, offset) in &partitions {
                topics.entry(&partition.topic).or_default().push(DeleteRecordsPartition {
                    partition_index: partition.partition,
                    offset: *offset,
                    ..Default::default()
                });
            }
            let topic = |(name, partitions): (&str, Vec<_>)| DeleteRecordsTopic {
                name: name.to_owned(),
                partitions,
                ..Default::default()
            };
            let request = DeleteRecordsRequest {
                topics: topics.into_iter().map(topic).collect(),
                timeout_ms: self.timeout_ms(),
                ..Default::default()
            };
            let response = self.client().send(leader, &request).await?;
            for topic in response.topics {
                for result in topic.partitions {
                    let partition = TopicPartition::new(topic.name.as_str(), result.partition_index);
                    let outcome =
                        checked(ApiKey::DeleteRecords, result.error_code, None, result.low_watermark);
                    results.push((partition, outcome));
                }
            }
        }
        Ok(results)
    }

    /// Sorts keys by the leader of their partition; those without one get their error at once.
    pub(super) async fn by_leader<'a, T, V>(
        &self,
        items: &'a [T],
        partition_of: impl Fn(&T) -> &TopicPartition,
        results: &mut PerKey<TopicPartition, V>,
    ) -> Result<BTreeMap<i32, Vec<&'a T>>, ClientError> {
        let topics: std::collections::BTreeSet<&str> =
            items.iter().map(|item| &*partition_of(item).topic).collect();
        self.client().refresh_topics(topics, false).await?;
        let mut leaders: BTreeMap<i32, Vec<&T>> = BTreeMap::new();
        for item in items {
            let partition = partition_of(item);
            match self.client().leader(partition).await {
                Ok(leader) => leaders.entry(leader).or_default().push(item),
                Err(error) if error.code().is_some_and(is_stale_metadata) => {
                    results.push((partition.clone(), Err(error)));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(leaders)
    }
}
