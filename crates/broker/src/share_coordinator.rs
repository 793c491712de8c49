//! The share coordinator: shards of `share` on the partitions of `__share_group_state`.

use std::sync::Arc;
use std::time::Duration;

use config::BrokerConfig;
use coordinator::CoordinatorShard;
use protocol::ErrorCode;
use share::{
    PartitionReply, Request, ShareAction, ShareCoordinatorConfig, SharePartitionKey, ShareShard,
    ShareStateRequest,
};
use tracing::{error, info};

use crate::broker::Broker;
use crate::clock::Clock;
use crate::coordinator_runtime::{CoordinatorRuntime, CoordinatorSettings, ShardAddress};
use crate::metadata_view::MetadataView;
use crate::topic_creation::TopicCreation;

/// The internal topic of share groups' progress.
pub const SHARE_GROUP_STATE: &str = "__share_group_state";

/// The states that are kept by this broker.
pub type ShareCoordinator = CoordinatorRuntime<ShareShard>;

/// A share coordinator without shards.
pub fn share_coordinator(
    config: &BrokerConfig,
    clock: &Arc<dyn Clock>,
    metadata: &Arc<MetadataView>,
) -> Arc<ShareCoordinator> {
    let share = &config.share;
    let settings = CoordinatorSettings {
        topic: SHARE_GROUP_STATE,
        loader: "klamm-share",
        load_buffer_bytes: usize::try_from(share.share_coordinator_load_buffer_size).unwrap_or(usize::MAX),
        commit_timeout: Duration::from_millis(share.share_coordinator_write_timeout_ms.unsigned_abs().into()),
    };
    let shards = ShareCoordinatorConfig {
        snapshot_update_records_per_snapshot: share.share_coordinator_snapshot_update_records_per_snapshot,
        cold_partition_snapshot_interval_ms: share
            .share_coordinator_cold_partition_snapshot_interval_ms
            .into(),
        prune_interval_ms: share.share_coordinator_state_topic_prune_interval_ms.into(),
    };
    CoordinatorRuntime::new(settings, shards, clock.clone(), metadata.clone())
}

/// Whoever wants a state read or written: finds the shard, and makes the topic if it does not exist.
pub struct ShareState {
    /// The shards of this broker.
    pub coordinator: Arc<ShareCoordinator>,
    metadata: Arc<MetadataView>,
    topic_creation: TopicCreation,
}

impl ShareState {
    /// Asks `coordinator`.
    pub fn new(
        coordinator: Arc<ShareCoordinator>,
        metadata: Arc<MetadataView>,
        topic_creation: TopicCreation,
    ) -> Self {
        ShareState { coordinator, metadata, topic_creation }
    }

    /// The partition of `__share_group_state` that holds `coordinator_key`; the topic is created if it does not exist.
    pub async fn partition_of(&self, coordinator_key: &str) -> Option<i32> {
        if self.coordinator.partition_of(coordinator_key).is_none() {
            self.topic_creation.create_internal(SHARE_GROUP_STATE).await.ok()?;
        }
        self.coordinator.partition_of(coordinator_key)
    }

    /// Creates a topic for dead letters.
    ///
    /// # Errors
    /// The controller's.
    pub async fn create_dead_letter_topic(&self, name: &str) -> Result<(), ErrorCode> {
        self.topic_creation.create_dead_letter_topic(name).await
    }

    /// Asks the shard that holds `key`.
    pub async fn ask(&self, key: &SharePartitionKey, request: Request) -> PartitionReply {
        let exists = self.metadata.image().topics.partition(key.topic_id, key.partition).is_some();
        let request = ShareStateRequest { key: key.clone(), exists, request };
        match self.partition_of(&key.coordinator_key()).await {
            Some(index) => self.coordinator.ask_shard(index, request).await,
            None => ShareShard::refuse(request, ErrorCode::CoordinatorNotAvailable),
        }
    }

    /// As [`Self::ask`], but a coordinator that is about to come is waited for.
    pub async fn ask_patiently(&self, key: &SharePartitionKey, request: Request) -> PartitionReply {
        for pause_ms in [10, 50, 200, 500, 1_000] {
            let reply = self.ask(key, request.clone()).await;
            let is_passing = matches!(
                reply.error_code,
                ErrorCode::NotCoordinator
                    | ErrorCode::CoordinatorNotAvailable
                    | ErrorCode::CoordinatorLoadInProgress
            );
            if !is_passing {
                return reply;
            }
            tokio::time::sleep(Duration::from_millis(pause_ms)).await;
        }
        self.ask(key, request).await
    }
}

/// Steps shards when their deadlines come, does what they ask for, and frees records whose locks expire. Runs as long as the node does.
pub async fn run(broker: Arc<Broker>) {
    let coordinator = &broker.shared.state().coordinator;
    let actions = coordinator.run_actions(async |shard: ShardAddress, action| {
        let ShareAction::DeleteRecordsBefore(offset) = action;
        prune(&broker, shard, offset).await;
    });
    tokio::join!(coordinator.run_deadlines(), actions, broker.shared.clone().run_deadlines());
}

/// Deletes what nobody needs any more.
async fn prune(broker: &Broker, shard: ShardAddress, offset: i64) {
    let Ok(partition) = broker.partitions.by_name(SHARE_GROUP_STATE, shard.index) else { return };
    if partition.leader_epoch() != shard.leader_epoch {
        return;
    }
    let before = offset.min(partition.log.high_watermark());
    let (pruned, now_ms) = (partition.clone(), broker.clock.now_ms());
    let topic_partition = &partition.topic_partition;
    match tokio::task::spawn_blocking(move || pruned.log.delete_records_before(before, now_ms)).await {
        Ok(Ok(_)) => info!(%topic_partition, before, "pruned the state of share groups"),
        Ok(Err(error)) => error!(%topic_partition, %error, "cannot prune the state of share groups"),
        Err(_) => error!(%topic_partition, "pruning has panicked"),
    }
}
