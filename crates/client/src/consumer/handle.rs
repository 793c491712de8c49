//! All of a consumer but its records: subscriptions, positions, commits. For several tasks at once.

use std::collections::HashMap;
use std::sync::Arc;

use crate::consumer::Shared;
use crate::consumer::config::OffsetReset;
use crate::consumer::offset_calls::{EARLIEST, LATEST, OffsetAndTimestamp};
use crate::consumer::streams::PartitionStream;
use crate::consumer::subscriptions::{Interest, Phase, Seek};
use crate::error::ClientError;
use crate::group_offsets::{ConsumerGroupMetadata, OffsetAndMetadata};
use crate::topic_partition::TopicPartition;

/// Controls a [`Consumer`](crate::Consumer) from anywhere, rebalance listeners included.
#[derive(Clone)]
pub struct ConsumerHandle {
    pub(super) shared: Arc<Shared>,
}

impl std::fmt::Debug for ConsumerHandle {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ConsumerHandle").field("group", &self.shared.group).finish_non_exhaustive()
    }
}

impl ConsumerHandle {
    /// A handle of its own.
    pub fn handle(&self) -> ConsumerHandle {
        self.clone()
    }

    /// Shares these topics with the group.
    ///
    /// # Errors
    /// There is no `group.id`, or partitions are assigned by hand.
    pub fn subscribe<T: AsRef<str>>(&self, topics: impl IntoIterator<Item = T>) -> Result<(), ClientError> {
        let topics = topics.into_iter().map(|topic| Arc::from(topic.as_ref())).collect();
        self.set_group_interest(Interest::Topics(topics))
    }

    /// Shares all topics with the group whose whole name matches a regular expression, those to come included.
    ///
    /// # Errors
    /// The expression is not valid; or as [`Self::subscribe`].
    pub fn subscribe_pattern(&self, pattern: &str) -> Result<(), ClientError> {
        let compiled = regex::Regex::new(pattern)
            .map_err(|error| ClientError::config("subscription", pattern, error.to_string()))?;
        self.set_group_interest(Interest::Pattern(Arc::new(compiled)))
    }

    fn set_group_interest(&self, interest: Interest) -> Result<(), ClientError> {
        if self.shared.group.is_none() {
            return Err(ClientError::config("group.id", "", "subscribing needs a group"));
        }
        let mut subscriptions = self.shared.subscriptions.lock();
        if matches!(subscriptions.interest, Interest::Partitions) {
            return Err(ClientError::IllegalState("partitions are assigned by hand: unsubscribe first"));
        }
        subscriptions.set_interest(interest);
        drop(subscriptions);
        self.shared.group_wake.notify_one();
        Ok(())
    }

    /// Reads exactly these partitions, whatever the group does.
    ///
    /// # Errors
    /// Topics are subscribed to.
    pub fn assign(&self, partitions: impl IntoIterator<Item = TopicPartition>) -> Result<(), ClientError> {
        let mut subscriptions = self.shared.subscriptions.lock();
        if matches!(subscriptions.interest, Interest::Topics(_) | Interest::Pattern(_)) {
            return Err(ClientError::IllegalState("topics are subscribed to: unsubscribe first"));
        }
        subscriptions.set_interest(Interest::Partitions);
        let phase = match self.shared.group {
            Some(_) => Phase::NeedsCommitted,
            None => Phase::NeedsReset(match self.shared.config.auto_offset_reset {
                // Without a group nothing is committed, and a position is to be set by hand.
                OffsetReset::None => OffsetReset::Latest,
                reset => reset,
            }),
        };
        subscriptions.assign(partitions, &phase);
        drop(subscriptions);
        self.shared.wake.notify_one();
        Ok(())
    }

    /// Reads nothing any more, and leaves the group.
    pub fn unsubscribe(&self) {
        let mut subscriptions = self.shared.subscriptions.lock();
        let is_by_hand = matches!(subscriptions.interest, Interest::Partitions);
        subscriptions.set_interest(Interest::Nothing);
        if is_by_hand {
            subscriptions.assign([], &Phase::NeedsCommitted);
        }
        drop(subscriptions);
        self.shared.group_wake.notify_one();
    }

    /// The partitions that are read now.
    pub fn assignment(&self) -> Vec<TopicPartition> {
        self.shared.subscriptions.lock().assigned()
    }

    /// The next offset to be handed out, once it is known.
    pub fn position(&self, partition: &TopicPartition) -> Option<i64> {
        let subscriptions = self.shared.subscriptions.lock();
        subscriptions.get(partition).map(|one| one.position).filter(|offset| *offset >= 0)
    }

    /// How many offsets the position is behind what may be read, as of the last fetch.
    pub fn lag(&self, partition: &TopicPartition) -> Option<i64> {
        let subscriptions = self.shared.subscriptions.lock();
        let one = subscriptions.get(partition)?;
        let end = match self.shared.config.isolation_level {
            crate::consumer::IsolationLevel::ReadCommitted => one.last_stable_offset,
            crate::consumer::IsolationLevel::ReadUncommitted => one.high_watermark,
        };
        (end >= 0 && one.position >= 0).then(|| (end - one.position).max(0))
    }

    /// Reads on from an offset.
    ///
    /// # Errors
    /// The partition is not assigned.
    pub fn seek(&self, partition: &TopicPartition, offset: i64) -> Result<(), ClientError> {
        self.seek_to(partition, Seek::Offset(offset, None))
    }

    /// Reads on from the log's start.
    ///
    /// # Errors
    /// As [`Self::seek`].
    pub fn seek_to_beginning(&self, partition: &TopicPartition) -> Result<(), ClientError> {
        self.seek_to(partition, Seek::Reset(OffsetReset::Earliest))
    }

    /// Reads on from the log's end.
    ///
    /// # Errors
    /// As [`Self::seek`].
    pub fn seek_to_end(&self, partition: &TopicPartition) -> Result<(), ClientError> {
        self.seek_to(partition, Seek::Reset(OffsetReset::Latest))
    }

    /// Reads on from the first record not older than a time, ms since 1970, or from the end if there is none.
    ///
    /// # Errors
    /// As [`Self::seek`], or the leader does not answer within `default.api.timeout.ms`.
    pub async fn seek_to_time(
        &self,
        partition: &TopicPartition,
        timestamp_ms: i64,
    ) -> Result<(), ClientError> {
        let found = self.offsets_for_times([(partition.clone(), timestamp_ms)]).await?;
        match found.get(partition).copied().flatten() {
            Some(found) => self.seek(partition, found.offset),
            None => self.seek_to_end(partition),
        }
    }

    fn seek_to(&self, partition: &TopicPartition, to: Seek) -> Result<(), ClientError> {
        if !self.shared.subscriptions.lock().seek(partition, to) {
            return Err(ClientError::IllegalState("the partition is not assigned"));
        }
        self.shared.wake.notify_one();
        Ok(())
    }

    /// Hands nothing out of these until they are resumed.
    pub fn pause<'a>(&self, partitions: impl IntoIterator<Item = &'a TopicPartition>) {
        self.set_paused(partitions, true);
    }

    /// Hands out again.
    pub fn resume<'a>(&self, partitions: impl IntoIterator<Item = &'a TopicPartition>) {
        self.set_paused(partitions, false);
        self.shared.wake.notify_one();
        self.shared.data.notify_waiters();
    }

    fn set_paused<'a>(&self, partitions: impl IntoIterator<Item = &'a TopicPartition>, is_paused: bool) {
        let mut subscriptions = self.shared.subscriptions.lock();
        for named in partitions {
            if let Some(one) = subscriptions.get_mut(named) {
                one.is_paused = is_paused;
            }
        }
    }

    /// Partitions that are paused.
    pub fn paused(&self) -> Vec<TopicPartition> {
        let subscriptions = self.shared.subscriptions.lock();
        subscriptions.iter().filter(|(_, one)| one.is_paused).map(|(named, _)| named.clone()).collect()
    }

    /// Commits everything that was handed out, with retries within `default.api.timeout.ms`.
    ///
    /// # Errors
    /// [`ClientError::FencedMember`] if the group went on without this member; or no coordinator in time.
    pub async fn commit(&self) -> Result<(), ClientError> {
        self.shared.commit_positions(true).await
    }

    /// Commits these offsets: the next to read of each partition.
    ///
    /// # Errors
    /// As [`Self::commit`].
    pub async fn commit_offsets(
        &self,
        offsets: impl IntoIterator<Item = (TopicPartition, OffsetAndMetadata)>,
    ) -> Result<(), ClientError> {
        let group = self.group_metadata().ok_or(ClientError::IllegalState("committing needs group.id"))?;
        self.shared.commit(&group, offsets.into_iter().collect()).await
    }

    /// What the group has committed; none where it has not.
    ///
    /// # Errors
    /// No coordinator within `default.api.timeout.ms`.
    pub async fn committed(
        &self,
        partitions: impl IntoIterator<Item = TopicPartition>,
    ) -> Result<HashMap<TopicPartition, Option<OffsetAndMetadata>>, ClientError> {
        let group = self.group_metadata().ok_or(ClientError::IllegalState("committing needs group.id"))?;
        let partitions: Vec<TopicPartition> = partitions.into_iter().collect();
        let calls = self.shared.offset_calls();
        let client = &self.shared.client;
        client.with_retries("OffsetFetch", || calls.committed(&group, partitions.clone())).await
    }

    /// The first record not older than a time, ms since 1970, of each partition.
    ///
    /// # Errors
    /// A leader does not answer within `default.api.timeout.ms`.
    pub async fn offsets_for_times(
        &self,
        times: impl IntoIterator<Item = (TopicPartition, i64)>,
    ) -> Result<HashMap<TopicPartition, Option<OffsetAndTimestamp>>, ClientError> {
        self.shared.offset_calls().list_anywhere(times.into_iter().collect()).await
    }

    /// The first offset of each partition.
    ///
    /// # Errors
    /// As [`Self::offsets_for_times`].
    pub async fn beginning_offsets(
        &self,
        partitions: impl IntoIterator<Item = TopicPartition>,
    ) -> Result<HashMap<TopicPartition, i64>, ClientError> {
        self.ends(partitions, EARLIEST).await
    }

    /// The offset behind the last record that may be read, of each partition.
    ///
    /// # Errors
    /// As [`Self::offsets_for_times`].
    pub async fn end_offsets(
        &self,
        partitions: impl IntoIterator<Item = TopicPartition>,
    ) -> Result<HashMap<TopicPartition, i64>, ClientError> {
        self.ends(partitions, LATEST).await
    }

    async fn ends(
        &self,
        partitions: impl IntoIterator<Item = TopicPartition>,
        which: i64,
    ) -> Result<HashMap<TopicPartition, i64>, ClientError> {
        let found = self.offsets_for_times(partitions.into_iter().map(|named| (named, which))).await?;
        Ok(found.into_iter().filter_map(|(named, found)| Some((named, found?.offset))).collect())
    }

    /// This member as its group knows it, for commits within transactions; none without `group.id`.
    pub fn group_metadata(&self) -> Option<ConsumerGroupMetadata> {
        self.shared.group_metadata()
    }

    /// The next offset to read of each partition, for commits within transactions.
    pub fn positions(&self) -> Vec<(TopicPartition, OffsetAndMetadata)> {
        let subscriptions = self.shared.subscriptions.lock();
        let known = subscriptions.iter().filter(|(_, one)| one.position >= 0);
        let offsets = known.map(|(named, one)| {
            let (offset, leader_epoch) = (one.position, one.position_epoch);
            (named.clone(), OffsetAndMetadata { offset, leader_epoch, metadata: String::new() })
        });
        offsets.collect()
    }

    /// One partition's batches as a stream of its own; the consumer itself does not hand them out any more. The stream
    /// ends when the partition is taken away.
    ///
    /// # Errors
    /// The partition is not assigned.
    pub fn partition_stream(&self, partition: &TopicPartition) -> Result<PartitionStream, ClientError> {
        PartitionStream::new(&self.shared, partition)
    }
}
