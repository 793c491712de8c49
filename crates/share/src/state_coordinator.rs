//! The shard of one `__share_group_state` partition: where each shared partition's group stands, in records.
//!
//! A *snapshot* record holds the whole state of one shared partition, an *update* record what is new since; after so many
//! updates a snapshot follows. What lies before the oldest snapshot that is still the newest of its key is of no use and is
//! deleted from time to time: compaction would keep the newest update, too, but an update without those before it says
//! too little, so the topic is pruned instead.

mod answer;
mod kept;
mod redundant;
mod replay;
mod shard;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::{ErrorCode, Uuid};

pub use replay::ReplayWarning;

use crate::state_batch::StateBatch;
use kept::Kept;
use redundant::RedundantOffsets;

/// What a shard needs to know of the broker's configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareCoordinatorConfig {
    /// `share.coordinator.snapshot.update.records.per.snapshot`.
    pub snapshot_update_records_per_snapshot: i32,
    /// `share.coordinator.cold.partition.snapshot.interval.ms`: a state that nobody has written for this long gets a snapshot,
    /// so that it does not keep the log from being pruned.
    pub cold_partition_snapshot_interval_ms: i64,
    /// `share.coordinator.state.topic.prune.interval.ms`.
    pub prune_interval_ms: i64,
}

impl Default for ShareCoordinatorConfig {
    /// Kafka 4.4's defaults.
    fn default() -> Self {
        Self {
            snapshot_update_records_per_snapshot: 500,
            cold_partition_snapshot_interval_ms: 300_000,
            prune_interval_ms: 300_000,
        }
    }
}

/// A topic partition that a group shares.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SharePartitionKey {
    /// The group.
    pub group_id: Arc<str>,
    /// The topic.
    pub topic_id: Uuid,
    /// The partition.
    pub partition: i32,
}

impl SharePartitionKey {
    /// The name by which FindCoordinator asks for it: `group:topic id:partition`. Its hash says in which partition of
    /// `__share_group_state` its state lies.
    pub fn coordinator_key(&self) -> String {
        format!("{}:{}:{}", self.group_id, self.topic_id, self.partition)
    }

    /// Reads [`Self::coordinator_key`]; a group's id may hold colons itself.
    pub fn from_coordinator_key(text: &str) -> Option<Self> {
        let (rest, partition) = text.rsplit_once(':')?;
        let (group_id, topic_id) = rest.rsplit_once(':')?;
        let partition = partition.parse().ok().filter(|partition| *partition >= 0)?;
        let topic_id = topic_id.parse().ok()?;
        (!group_id.is_empty()).then(|| Self { group_id: group_id.into(), topic_id, partition })
    }
}

/// Sets a state up, or sets it anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InitializeState {
    /// Older epochs than the state's are refused; -1 is not checked.
    pub state_epoch: i32,
    /// Where the group begins; -1 leaves it to `share.auto.offset.reset`.
    pub start_offset: i64,
}

/// Changes a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteState {
    /// The epoch in which the state was set up; -1 is not checked.
    pub state_epoch: i32,
    /// The epoch of the partition's leader; -1 is not checked.
    pub leader_epoch: i32,
    /// The start offset; -1 leaves it where it is.
    pub start_offset: i64,
    /// How many records from there on are done with; -1 if the writer is too old to say.
    pub delivery_complete_count: i32,
    /// New states.
    pub batches: Vec<StateBatch>,
}

/// What is asked of one shared partition's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// InitializeShareGroupState.
    Initialize(InitializeState),
    /// ReadShareGroupState, by the leader of this epoch (-1: by nobody in particular): those before it may not write any more.
    Read {
        /// The reader's leader epoch.
        leader_epoch: i32,
    },
    /// ReadShareGroupStateSummary.
    ReadSummary,
    /// WriteShareGroupState.
    Write(WriteState),
    /// DeleteShareGroupState.
    Delete,
}

/// What ReadShareGroupState and its summary tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadState {
    /// The state's epoch; 0 if there is none.
    pub state_epoch: i32,
    /// The epoch of the last leader; 0 if there is none.
    pub leader_epoch: i32,
    /// Where the group begins, or -1.
    pub start_offset: i64,
    /// How many records from there on are done with, or -1.
    pub delivery_complete_count: i32,
    /// What is known of them; empty in a summary.
    pub batches: Vec<StateBatch>,
}

/// What is answered for one shared partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionReply {
    /// Success or what was wrong.
    pub error_code: ErrorCode,
    /// In words, if something was.
    pub error_message: Option<String>,
    /// For the reading requests that succeed.
    pub state: Option<ReadState>,
}

impl PartitionReply {
    /// Nothing but an error, with its usual words.
    pub fn refused(error_code: ErrorCode) -> Self {
        Self { error_code, error_message: Some(error_code.message().to_string()), state: None }
    }

    fn done(state: Option<ReadState>) -> Self {
        Self { error_code: ErrorCode::None, error_message: None, state }
    }
}

/// A request with what it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareStateRequest {
    /// The shared partition.
    pub key: SharePartitionKey,
    /// Whether the cluster has this topic partition.
    pub exists: bool,
    /// What is asked.
    pub request: Request,
}

/// What a shard wants done to its partition besides appending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShareAction {
    /// Everything before this offset is redundant and may be deleted.
    DeleteRecordsBefore(i64),
}

/// What a step of a shard asks for.
pub type Effects = coordinator::Effects<PartitionReply, ShareAction>;

/// Every shared partition whose coordinator key maps to one partition of `__share_group_state`.
#[derive(Debug)]
pub struct ShareShard {
    config: ShareCoordinatorConfig,
    states: BTreeMap<SharePartitionKey, Kept>,
    redundant: RedundantOffsets,
    /// Snapshots and tombstones of the last step, by their place among its records, until it is known where they lie.
    unplaced: Vec<(usize, SharePartitionKey, bool)>,
    next_prune_ms: Option<i64>,
    next_cold_check_ms: Option<i64>,
}

impl ShareShard {
    /// A shard of an empty partition.
    fn empty(config: ShareCoordinatorConfig) -> Self {
        Self {
            config,
            states: BTreeMap::new(),
            redundant: RedundantOffsets::default(),
            unplaced: Vec::new(),
            next_prune_ms: None,
            next_cold_check_ms: None,
        }
    }

    /// How many shared partitions have a state here.
    pub fn state_count(&self) -> usize {
        self.states.len()
    }

    pub(super) fn lose_topics(&mut self, effects: &mut Effects, topic_ids: &[Uuid]) {
        let of_deleted = |key: &&SharePartitionKey| topic_ids.contains(&key.topic_id);
        let gone: Vec<SharePartitionKey> = self.states.keys().filter(of_deleted).cloned().collect();
        for key in gone {
            self.delete(effects, key);
        }
    }

    fn arm(&mut self, now_ms: i64) {
        let (prune_ms, cold_ms) =
            (self.config.prune_interval_ms, self.config.cold_partition_snapshot_interval_ms);
        self.next_prune_ms.get_or_insert(now_ms.saturating_add(prune_ms.max(1)));
        self.next_cold_check_ms.get_or_insert(now_ms.saturating_add(cold_ms.max(1)));
    }

    fn tick(&mut self, now_ms: i64, effects: &mut Effects) {
        if self.next_cold_check_ms.is_some_and(|due_ms| due_ms <= now_ms) {
            self.next_cold_check_ms = None;
            self.snapshot_cold(now_ms, effects);
        }
        if self.next_prune_ms.is_some_and(|due_ms| due_ms <= now_ms) {
            self.next_prune_ms = None;
            effects.actions.extend(self.redundant.take_new().map(ShareAction::DeleteRecordsBefore));
        }
        self.arm(now_ms);
    }

    fn push_record(&mut self, effects: &mut Effects, key: &SharePartitionKey, record: kept::Written) -> bool {
        let Some(encoded) = record.encoded(key) else { return false };
        if record.is_snapshot() {
            self.unplaced.push((effects.records.len(), key.clone(), record.is_tombstone()));
        }
        effects.records.push(encoded);
        true
    }
}
