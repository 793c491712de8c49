//! Making an engine for a partition that is not shared here yet.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};

use config::AutoOffsetReset;
use parking_lot::Mutex;
use protocol::ErrorCode;
use share::{PersistedState, Request, SharePartition, SharePartitionKey};

use super::{Engine, SharePartitions, Shared};
use crate::parking::WaitList;
use crate::partition::Partition;
use crate::partitions::NotHere;

/// What a record is taken to be at first, in bytes.
const RECORD_BYTES_GUESS: usize = 1_024;

impl SharePartitions {
    /// What is shared under this key; its state is read if need be.
    ///
    /// # Errors
    /// What the member is told: the partition is led elsewhere, the state cannot be read now.
    pub async fn get_or_load(self: &Arc<Self>, key: &SharePartitionKey) -> Result<Arc<Shared>, ErrorCode> {
        if let Some(shared) = self.usable(key) {
            return Ok(shared);
        }
        let _one_at_a_time = self.loading.lock().await;
        if let Some(shared) = self.usable(key) {
            return Ok(shared);
        }
        let partition =
            self.partitions.by_id(key.topic_id, key.partition).map_err(|not_here| match not_here {
                NotHere::UnknownTopic => ErrorCode::UnknownTopicOrPartition,
                other => other.into(),
            })?;
        partition.check_leader_epoch(-1, true)?;
        let leader_epoch = partition.leader_epoch();
        let shared = Arc::new(self.load(key, partition, leader_epoch).await?);
        shared.check()?;
        self.shared.lock().insert(key.clone(), shared.clone());
        let limits = self.limits(&key.group_id);
        let interrupted = self.with_engine(&shared, |engine| engine.interrupted_dead_letters(&limits));
        self.send_dead_letters(&shared, interrupted);
        Ok(shared)
    }

    /// What is there, unless the partition has changed hands meanwhile.
    fn usable(&self, key: &SharePartitionKey) -> Option<Arc<Shared>> {
        let shared = self.get(key)?;
        if shared.check().is_ok() {
            return Some(shared);
        }
        self.fence(&shared);
        None
    }

    async fn load(
        &self,
        key: &SharePartitionKey,
        partition: Arc<Partition>,
        leader_epoch: i32,
    ) -> Result<Shared, ErrorCode> {
        let read = self.state.ask_patiently(key, Request::Read { leader_epoch }).await;
        if read.error_code != ErrorCode::None {
            tracing::debug!(
                ?key,
                error = read.error_code.name(),
                "the state of a shared partition cannot be read"
            );
            return Err(to_member(read.error_code));
        }
        let state = read.state.ok_or(ErrorCode::UnknownServerError)?;
        let start_offset = match state.start_offset {
            -1 => self.first_start_offset(key, &partition).await?,
            offset => offset,
        };
        let persisted =
            PersistedState { start_offset, state_epoch: state.state_epoch, batches: state.batches };
        Ok(Shared {
            key: key.clone(),
            partition,
            waiters: WaitList::default(),
            leader_epoch,
            engine: Mutex::new(Engine {
                shared: SharePartition::new(leader_epoch, &persisted),
                armed_for: None,
            }),
            is_fenced: AtomicBool::new(false),
            bytes_per_record: AtomicUsize::new(RECORD_BYTES_GUESS),
        })
    }

    /// Where a group begins that has never been here.
    async fn first_start_offset(
        &self,
        key: &SharePartitionKey,
        partition: &Arc<Partition>,
    ) -> Result<i64, ErrorCode> {
        let log = &partition.log;
        match self.group_config(&key.group_id).share_auto_offset_reset {
            AutoOffsetReset::Latest => Ok(log.high_watermark()),
            AutoOffsetReset::Earliest => Ok(log.log_start_offset()),
            AutoOffsetReset::ByDurationMs(duration_ms) => {
                let (searched, since_ms) =
                    (partition.clone(), self.clock.now_ms().saturating_sub(duration_ms));
                let found = tokio::task::spawn_blocking(move || searched.log.offset_for_timestamp(since_ms));
                match found.await {
                    Ok(Ok(Some(found))) => Ok(found.offset.min(log.high_watermark())),
                    Ok(Ok(None)) => Ok(log.high_watermark()),
                    Ok(Err(error)) => {
                        tracing::error!(topic_partition = %partition.topic_partition, %error, "cannot search the log");
                        Err(ErrorCode::KafkaStorageError)
                    }
                    Err(_) => Err(ErrorCode::UnknownServerError),
                }
            }
        }
    }
}

/// How a member is told what the share coordinator has said.
pub(super) fn to_member(error: ErrorCode) -> ErrorCode {
    match error {
        ErrorCode::NotCoordinator
        | ErrorCode::CoordinatorNotAvailable
        | ErrorCode::CoordinatorLoadInProgress
        | ErrorCode::RequestTimedOut => ErrorCode::CoordinatorNotAvailable,
        ErrorCode::GroupIdNotFound | ErrorCode::UnknownTopicOrPartition => error,
        ErrorCode::FencedLeaderEpoch | ErrorCode::FencedStateEpoch => ErrorCode::NotLeaderOrFollower,
        _ => ErrorCode::UnknownServerError,
    }
}
