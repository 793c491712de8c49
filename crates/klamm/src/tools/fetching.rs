//! Reads partitions without a group: positions, fetches, records in order, aborted transactions left out where asked.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::time::Duration;

use klamm_client::admin::{IsolationLevel, OffsetSpec};
use klamm_client::{Admin, ClientError, ErrorCode, Lane, SendOptions, TopicPartition};
use protocol::ApiKey;
use protocol::messages::FetchRequest;
use protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use protocol::messages::fetch_response::{AbortedTransaction, PartitionData};
use records::{ControlRecordType, Record, TimestampType};

/// The last version of Fetch that names topics by their names.
const FETCH_BY_NAME: i16 = 12;
const DECOMPRESSED_MAX: usize = 1 << 30;
const WAIT_MS: i32 = 500;

/// A record with where it comes from.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// The partition.
    pub topic_partition: TopicPartition,
    /// The record.
    pub record: Record,
    /// What its timestamp is.
    pub timestamp_type: TimestampType,
    /// How many times a share group has given it out, if one has.
    pub delivery_count: Option<i16>,
}

/// Reads partitions from given offsets on.
pub struct Fetcher {
    admin: Admin,
    isolation: IsolationLevel,
    positions: BTreeMap<TopicPartition, i64>,
    ends: BTreeMap<TopicPartition, i64>,
    waiting: VecDeque<Fetched>,
    max_bytes: i32,
    /// Bytes of batches that came, compressed as they were.
    pub bytes: u64,
}

impl Fetcher {
    /// A fetcher that begins at these places.
    ///
    /// # Errors
    /// The offsets cannot be asked for.
    pub async fn new(
        admin: Admin,
        isolation: IsolationLevel,
        begin: Vec<(TopicPartition, OffsetSpec)>,
    ) -> Result<Self, ClientError> {
        let mut positions = BTreeMap::new();
        for (partition, found) in admin.list_offsets(&begin, isolation).await? {
            positions.insert(partition, found?.offset);
        }
        let late: Vec<_> = positions.iter().filter(|(_, offset)| **offset < 0).collect();
        let late: Vec<_> = late.into_iter().map(|(key, _)| (key.clone(), OffsetSpec::Latest)).collect();
        for (partition, found) in admin.list_offsets(&late, isolation).await? {
            positions.insert(partition, found?.offset);
        }
        Ok(Self::at(admin, isolation, positions))
    }

    /// A fetcher that begins at these offsets.
    pub fn at(admin: Admin, isolation: IsolationLevel, positions: BTreeMap<TopicPartition, i64>) -> Self {
        Self {
            admin,
            isolation,
            positions,
            ends: BTreeMap::new(),
            waiting: VecDeque::new(),
            max_bytes: 1 << 20,
            bytes: 0,
        }
    }

    /// How many bytes of a partition one fetch may bring.
    pub fn partition_bytes_max(&mut self, bytes: i32) {
        self.max_bytes = bytes;
    }

    /// Whether records are there that need no fetch.
    pub fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether everything was read that was there at the last fetch.
    pub fn is_at_end(&self) -> bool {
        self.waiting.is_empty()
            && self.positions.iter().all(|(key, offset)| self.ends.get(key).is_some_and(|end| offset >= end))
    }

    /// Whether there is nothing left to read.
    pub fn is_idle(&self) -> bool {
        self.positions.is_empty()
    }

    /// Reads a partition no further, and forgets what has come of it.
    pub fn leave(&mut self, partition: &TopicPartition) {
        self.positions.remove(partition);
        self.waiting.retain(|fetched| fetched.topic_partition != *partition);
    }

    /// The partitions that are read to their ends, with these.
    pub fn ended(&self) -> Vec<(TopicPartition, i64)> {
        let ended = self.positions.iter().filter(|(key, offset)| {
            self.ends.get(*key).is_some_and(|end| *offset >= end)
                && !self.waiting.iter().any(|fetched| fetched.topic_partition == **key)
        });
        ended.map(|(key, offset)| (key.clone(), *offset)).collect()
    }

    /// The next record; `None` when nothing came for as long as `patience` says.
    ///
    /// # Errors
    /// A partition is refused for good, or its records cannot be read.
    pub async fn next(&mut self, patience: Option<Duration>) -> Result<Option<Fetched>, ClientError> {
        let deadline = patience.map(|patience| tokio::time::Instant::now() + patience);
        loop {
            if let Some(fetched) = self.waiting.pop_front() {
                return Ok(Some(fetched));
            }
            let left =
                deadline.map(|deadline| deadline.saturating_duration_since(tokio::time::Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Ok(None);
            }
            let wait_ms =
                left.map_or(WAIT_MS, |left| i32::try_from(left.as_millis()).unwrap_or(WAIT_MS).min(WAIT_MS));
            self.fetch(wait_ms.max(1)).await?;
        }
    }

    /// Everything that one round of fetches brings.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub async fn poll(&mut self, wait_ms: i32) -> Result<Vec<Fetched>, ClientError> {
        if self.waiting.is_empty() {
            self.fetch(wait_ms).await?;
        }
        Ok(self.waiting.drain(..).collect())
    }

    async fn fetch(&mut self, wait_ms: i32) -> Result<(), ClientError> {
        let mut leaders: BTreeMap<i32, Vec<TopicPartition>> = BTreeMap::new();
        for partition in self.positions.keys() {
            match self.admin.client().leader(partition).await {
                Ok(leader) => leaders.entry(leader).or_default().push(partition.clone()),
                Err(error) if error.is_retriable() => {}
                Err(error) => return Err(error),
            }
        }
        if leaders.is_empty() {
            self.admin.client().back_off(1).await;
            self.admin.client().refresh_known().await?;
            return Ok(());
        }
        let share_ms = wait_ms / i32::try_from(leaders.len()).unwrap_or(1).max(1);
        for (leader, partitions) in leaders {
            // Where records are waiting already nobody has to wait for others.
            let wait_ms = if self.waiting.is_empty() { share_ms } else { 0 };
            self.fetch_from(leader, &partitions, wait_ms).await?;
        }
        Ok(())
    }

    async fn fetch_from(
        &mut self,
        leader: i32,
        partitions: &[TopicPartition],
        max_wait_ms: i32,
    ) -> Result<(), ClientError> {
        let mut topics: BTreeMap<&str, Vec<FetchPartition>> = BTreeMap::new();
        for partition in partitions {
            topics.entry(&partition.topic).or_default().push(FetchPartition {
                partition: partition.partition,
                fetch_offset: self.positions.get(partition).copied().unwrap_or(0),
                current_leader_epoch: -1,
                last_fetched_epoch: -1,
                log_start_offset: -1,
                partition_max_bytes: self.max_bytes,
                ..Default::default()
            });
        }
        let topic = |(name, partitions): (&str, Vec<_>)| FetchTopic {
            topic: name.to_owned(),
            partitions,
            ..Default::default()
        };
        let request = FetchRequest {
            replica_id: -1,
            max_wait_ms,
            min_bytes: 1,
            max_bytes: 50 << 20,
            isolation_level: i8::from(self.isolation == IsolationLevel::ReadCommitted),
            session_epoch: -1,
            topics: topics.into_iter().map(topic).collect(),
            ..Default::default()
        };
        let options =
            SendOptions { lane: Lane::Fetch, version_max: Some(FETCH_BY_NAME), ..SendOptions::default() };
        let response = match self.admin.client().send_with(leader, &request, options).await {
            Err(error) if error.is_retriable() => {
                self.admin.client().back_off(1).await;
                self.admin.client().refresh_known().await?;
                return Ok(());
            }
            other => other?,
        };
        ClientError::check(ApiKey::Fetch, response.error_code, None)?;
        for topic in response.responses {
            for found in topic.partitions {
                let key = TopicPartition::new(topic.topic.as_str(), found.partition_index);
                self.take(&key, found).await?;
            }
        }
        Ok(())
    }

    async fn take(&mut self, key: &TopicPartition, found: PartitionData) -> Result<(), ClientError> {
        match ErrorCode::from_i16(found.error_code) {
            Some(ErrorCode::None) => {}
            Some(ErrorCode::OffsetOutOfRange) => {
                let begin = [(key.clone(), OffsetSpec::Earliest)];
                for (key, listed) in self.admin.list_offsets(&begin, self.isolation).await? {
                    self.positions.insert(key, listed?.offset);
                }
                return Ok(());
            }
            Some(code) if code.is_retriable() => {
                self.admin.client().back_off(1).await;
                self.admin.client().refresh_known().await?;
                return Ok(());
            }
            _ => {
                let refused = ClientError::check(ApiKey::Fetch, found.error_code, None);
                return refused.map_err(|error| error.about(key));
            }
        }
        let end = match self.isolation {
            IsolationLevel::ReadCommitted => found.last_stable_offset,
            IsolationLevel::ReadUncommitted => found.high_watermark,
        };
        self.ends.insert(key.clone(), end);
        let Some(bytes) = found.records.as_ref().and_then(protocol::Records::to_bytes) else { return Ok(()) };
        self.bytes += bytes.len() as u64;
        let aborted = found.aborted_transactions.unwrap_or_default();
        self.unpack(key, &bytes, aborted)
    }

    /// Lines the records of batches up, leaving out what was aborted where that is asked.
    fn unpack(
        &mut self,
        key: &TopicPartition,
        bytes: &bytes::Bytes,
        mut listed: Vec<AbortedTransaction>,
    ) -> Result<(), ClientError> {
        listed.sort_by_key(|transaction| transaction.first_offset);
        let mut aborted = VecDeque::from(listed);
        let mut open: HashSet<i64> = HashSet::new();
        let position = self.positions.get(key).copied().unwrap_or(0);
        for batch in records::batches(bytes) {
            let broken =
                |source| ClientError::Corrupt { topic_partition: key.clone(), offset: position, source };
            let batch = batch.map_err(broken)?;
            let header = batch.header;
            self.positions.insert(key.clone(), header.next_offset());
            while aborted.front().is_some_and(|transaction| transaction.first_offset <= header.last_offset())
            {
                open.extend(aborted.pop_front().map(|transaction| transaction.producer_id));
            }
            if header.is_control() {
                for record in batch.records(DECOMPRESSED_MAX).map_err(broken)?.flatten() {
                    let kind = record.key.as_deref().map(ControlRecordType::parse_key);
                    if matches!(kind, Some(Ok(ControlRecordType::Abort))) {
                        open.remove(&header.producer_id);
                    }
                }
                continue;
            }
            let is_aborted = self.isolation == IsolationLevel::ReadCommitted
                && header.is_transactional()
                && open.contains(&header.producer_id);
            if is_aborted {
                continue;
            }
            for record in batch.records(DECOMPRESSED_MAX).map_err(broken)? {
                let record = record.map_err(broken)?;
                if record.offset < position {
                    continue;
                }
                self.waiting.push_back(Fetched {
                    topic_partition: key.clone(),
                    record,
                    timestamp_type: header.timestamp_type(),
                    delivery_count: None,
                });
            }
        }
        Ok(())
    }
}
