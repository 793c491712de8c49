//! A share coordinator's shard as the coordinator runtime knows it.

use bytes::Bytes;
use coordinator::{CoordinatorEvent, CoordinatorShard, RecordPosition, append_error_to_client_error};
use protocol::{ErrorCode, Uuid};

use super::{
    Effects, PartitionReply, ReplayWarning, ShareAction, ShareCoordinatorConfig, ShareShard,
    ShareStateRequest,
};

impl CoordinatorShard for ShareShard {
    type Config = ShareCoordinatorConfig;
    type Request = ShareStateRequest;
    type Reply = PartitionReply;
    /// Topics that were deleted: their states go too.
    type Notice = Vec<Uuid>;
    type Action = ShareAction;
    type ReplayWarning = ReplayWarning;

    fn new(config: &ShareCoordinatorConfig, _batch_bytes_max: usize) -> Self {
        Self::empty(config.clone())
    }

    fn configure(&mut self, config: &ShareCoordinatorConfig, _batch_bytes_max: usize) {
        self.config = config.clone();
    }

    fn step(&mut self, now_ms: i64, event: CoordinatorEvent<Self>) -> Effects {
        let mut effects = Effects::default();
        self.unplaced.clear();
        match event {
            CoordinatorEvent::Request { id, request: ShareStateRequest { key, exists, request } } => {
                let reply = self.answer(now_ms, &mut effects, key, exists, request);
                effects.replies.push((id, reply));
                self.arm(now_ms);
            }
            CoordinatorEvent::Loaded { .. } => self.arm(now_ms),
            CoordinatorEvent::Tick => self.tick(now_ms, &mut effects),
            CoordinatorEvent::Notice(topic_ids) => self.lose_topics(&mut effects, &topic_ids),
            CoordinatorEvent::TransactionCompleted { .. } | CoordinatorEvent::Unload => {}
        }
        effects
    }

    fn appended(&mut self, first_offset: i64) {
        for (index, key, is_deleted) in std::mem::take(&mut self.unplaced) {
            let offset = first_offset.saturating_add(i64::try_from(index).unwrap_or(0));
            self.redundant.snapshot_at(key, offset, is_deleted);
        }
    }

    fn next_deadline(&self) -> Option<i64> {
        if self.states.is_empty() {
            // An idle shard costs nothing.
            return None;
        }
        [self.next_prune_ms, self.next_cold_check_ms].into_iter().flatten().min()
    }

    fn replay(
        &mut self,
        position: RecordPosition,
        key: Option<Bytes>,
        value: Option<Bytes>,
    ) -> Result<(), ReplayWarning> {
        self.replay_record(position.offset, key, value)
    }

    fn replay_end_transaction(&mut self, _producer_id: i64, _committed: bool) {}

    fn refuse(_request: ShareStateRequest, error: ErrorCode) -> PartitionReply {
        PartitionReply::refused(error)
    }

    fn refuse_reply(_reply: PartitionReply, append_error: ErrorCode) -> PartitionReply {
        PartitionReply::refused(append_error_to_client_error(append_error))
    }
}
