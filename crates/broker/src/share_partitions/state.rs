//! Writing down what became of records.

use std::sync::Arc;

use protocol::ErrorCode;
use share::{Request, StateChange, WriteState};

use super::loading::to_member;
use super::{SharePartitions, Shared};

impl SharePartitions {
    /// Writes a change down and tells the engine how that went.
    ///
    /// # Errors
    /// What the member is told whose change it is.
    pub async fn write(self: Arc<Self>, shared: Arc<Shared>, change: StateChange) -> Result<(), ErrorCode> {
        let write = WriteState {
            state_epoch: change.state_epoch,
            leader_epoch: change.leader_epoch,
            start_offset: change.start_offset,
            delivery_complete_count: change.delivery_complete_count,
            batches: change.batches,
        };
        let reply = self.state.ask_patiently(&shared.key, Request::Write(write)).await;
        let is_written = reply.error_code == ErrorCode::None;
        if let Some(transition) = change.transition {
            self.with_engine(&shared, |engine| engine.complete(transition, is_written));
        }
        shared.waiters.wake_all();
        if is_written || change.transition.is_none() {
            self.send_dead_letters(&shared, change.dead_letters);
        }
        if is_written {
            return Ok(());
        }
        tracing::warn!(
            topic_partition = %shared.partition.topic_partition,
            group_id = &*shared.key.group_id,
            error = reply.error_code.name(),
            "cannot write the state of a shared partition"
        );
        let error = to_member(reply.error_code);
        let is_over = matches!(
            error,
            ErrorCode::NotLeaderOrFollower | ErrorCode::GroupIdNotFound | ErrorCode::UnknownTopicOrPartition
        );
        // A state that was never set up, or was deleted, is refused as an invalid request.
        if is_over || reply.error_code == ErrorCode::InvalidRequest {
            self.fence(&shared);
        }
        Err(error)
    }
}
