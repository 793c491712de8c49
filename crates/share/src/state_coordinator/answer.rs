//! What each request does to a shared partition's state.

use protocol::ErrorCode;
use protocol::coordinator_records::ShareUpdateValue;

use super::kept::{Kept, Written, update_batch};
use super::{
    Effects, InitializeState, PartitionReply, ReadState, Request, SharePartitionKey, ShareShard, WriteState,
};
use crate::state_batch::combine;

/// The answer with words of our own.
fn invalid(message: &str) -> PartitionReply {
    PartitionReply {
        error_message: Some(message.to_string()),
        ..PartitionReply::refused(ErrorCode::InvalidRequest)
    }
}

impl ShareShard {
    pub(super) fn answer(
        &mut self,
        now_ms: i64,
        effects: &mut Effects,
        key: SharePartitionKey,
        exists: bool,
        request: Request,
    ) -> PartitionReply {
        if key.partition < 0 {
            return invalid("The partition id cannot be a negative number.");
        }
        if let Err(reply) = self.check(&key, &request) {
            return reply;
        }
        if !exists {
            return PartitionReply::refused(ErrorCode::UnknownTopicOrPartition);
        }
        match request {
            Request::Initialize(state) => self.initialize(now_ms, effects, key, &state),
            Request::Read { leader_epoch } => self.read(now_ms, effects, key, leader_epoch),
            Request::ReadSummary => self.read_summary(&key),
            Request::Write(state) => self.write(now_ms, effects, key, &state),
            Request::Delete => {
                self.delete(effects, key);
                PartitionReply::done(None)
            }
        }
    }

    /// Whether a request may be looked at: epochs of states and leaders only go up.
    fn check(&self, key: &SharePartitionKey, request: &Request) -> Result<(), PartitionReply> {
        let kept = self.states.get(key);
        let (state_epoch, leader_epoch) = match request {
            Request::Initialize(state) => {
                if state.state_epoch < 0 {
                    return Err(invalid("The state epoch cannot be a negative number."));
                }
                (state.state_epoch, -1)
            }
            Request::Write(state) => {
                if kept.is_none() {
                    return Err(invalid(
                        "The state of the share partition has not been initialized, it cannot be written.",
                    ));
                }
                if !state.batches.iter().all(crate::StateBatch::is_valid) {
                    return Err(invalid("A state batch does not name any records."));
                }
                (state.state_epoch, state.leader_epoch)
            }
            Request::Read { leader_epoch } => {
                let Some(kept) = kept else {
                    return Err(invalid(
                        "The state of the share partition has not been initialized, it cannot be read.",
                    ));
                };
                if kept.leader_epoch > *leader_epoch {
                    return Err(PartitionReply::refused(ErrorCode::FencedLeaderEpoch));
                }
                return Ok(());
            }
            Request::ReadSummary | Request::Delete => return Ok(()),
        };
        let Some(kept) = kept else { return Ok(()) };
        if leader_epoch != -1 && kept.leader_epoch > leader_epoch {
            return Err(PartitionReply::refused(ErrorCode::FencedLeaderEpoch));
        }
        if state_epoch != -1 && kept.state_epoch > state_epoch {
            return Err(PartitionReply::refused(ErrorCode::FencedStateEpoch));
        }
        Ok(())
    }

    fn initialize(
        &mut self,
        now_ms: i64,
        effects: &mut Effects,
        key: SharePartitionKey,
        state: &InitializeState,
    ) -> PartitionReply {
        let before = self.states.get(&key);
        let kept = Kept {
            snapshot_epoch: before.map_or(0, |kept| kept.snapshot_epoch.wrapping_add(1)),
            state_epoch: state.state_epoch.max(before.map_or(state.state_epoch, |kept| kept.state_epoch)),
            // The leader's epoch goes on counting: whoever led before this may not write again.
            leader_epoch: before.map_or(0, |kept| kept.leader_epoch),
            start_offset: state.start_offset,
            // Nothing is delivered of what begins at a known offset; of another nobody can tell.
            delivery_complete_count: if state.start_offset == -1 { -1 } else { 0 },
            created_ms: now_ms,
            written_ms: now_ms,
            batches: Vec::new(),
            update_count: 0,
        };
        self.keep(effects, key, kept)
    }

    /// Writes a snapshot and keeps what it says.
    fn keep(&mut self, effects: &mut Effects, key: SharePartitionKey, kept: Kept) -> PartitionReply {
        if !self.push_record(effects, &key, Written::Snapshot(kept.to_snapshot())) {
            return PartitionReply::refused(ErrorCode::UnknownServerError);
        }
        self.states.insert(key, kept);
        PartitionReply::done(None)
    }

    fn read(
        &mut self,
        now_ms: i64,
        effects: &mut Effects,
        key: SharePartitionKey,
        leader_epoch: i32,
    ) -> PartitionReply {
        let Some(kept) = self.states.get(&key) else {
            return PartitionReply::refused(ErrorCode::UnknownServerError);
        };
        let reply = PartitionReply::done(Some(ReadState {
            state_epoch: kept.state_epoch,
            leader_epoch: kept.leader_epoch,
            start_offset: kept.start_offset,
            delivery_complete_count: kept.delivery_complete_count,
            batches: kept.batches.clone(),
        }));
        if leader_epoch == -1 || leader_epoch == kept.leader_epoch {
            return reply;
        }
        let seen = WriteState {
            state_epoch: kept.state_epoch,
            leader_epoch,
            start_offset: kept.start_offset,
            delivery_complete_count: kept.delivery_complete_count,
            batches: Vec::new(),
        };
        let written = self.write(now_ms, effects, key, &seen);
        if written.error_code == ErrorCode::None { reply } else { written }
    }

    fn read_summary(&self, key: &SharePartitionKey) -> PartitionReply {
        let kept = self.states.get(key);
        PartitionReply::done(Some(ReadState {
            state_epoch: kept.map_or(0, |kept| kept.state_epoch),
            leader_epoch: kept.map_or(0, |kept| kept.leader_epoch),
            start_offset: kept.map_or(-1, |kept| kept.start_offset),
            delivery_complete_count: kept.map_or(-1, |kept| kept.delivery_complete_count),
            batches: Vec::new(),
        }))
    }

    fn write(
        &mut self,
        now_ms: i64,
        effects: &mut Effects,
        key: SharePartitionKey,
        state: &WriteState,
    ) -> PartitionReply {
        let Some(kept) = self.states.get(&key) else {
            return PartitionReply::refused(ErrorCode::UnknownServerError);
        };
        // Two writes of a leader may change places on their way. What lies before the start offset has been forgotten, so
        // going back would hand it out again; only a new initialization goes back.
        let is_late = state.start_offset != -1 && state.start_offset < kept.start_offset;
        let (start_offset, delivery_complete_count) = match state.start_offset {
            -1 => (kept.start_offset, state.delivery_complete_count),
            _ if is_late => (kept.start_offset, kept.delivery_complete_count),
            start_offset => (start_offset, state.delivery_complete_count),
        };
        if kept.update_count >= self.config.snapshot_update_records_per_snapshot {
            let kept = Kept {
                snapshot_epoch: kept.snapshot_epoch.wrapping_add(1),
                state_epoch: kept.state_epoch,
                leader_epoch: kept.leader_epoch.max(state.leader_epoch),
                start_offset,
                delivery_complete_count,
                created_ms: now_ms,
                written_ms: now_ms,
                batches: combine(&kept.batches, &state.batches, start_offset),
                update_count: 0,
            };
            return self.keep(effects, key, kept);
        }
        let update = ShareUpdateValue {
            snapshot_epoch: kept.snapshot_epoch,
            leader_epoch: kept.leader_epoch.max(state.leader_epoch),
            start_offset,
            delivery_complete_count,
            state_batches: combine(&[], &state.batches, start_offset).iter().map(update_batch).collect(),
            ..Default::default()
        };
        if !self.push_record(effects, &key, Written::Update(update.clone())) {
            return PartitionReply::refused(ErrorCode::UnknownServerError);
        }
        if let Some(kept) = self.states.get_mut(&key) {
            kept.update(update);
        }
        PartitionReply::done(None)
    }

    pub(super) fn delete(&mut self, effects: &mut Effects, key: SharePartitionKey) {
        if self.states.contains_key(&key) && self.push_record(effects, &key, Written::Tombstone) {
            self.states.remove(&key);
        }
    }

    /// Writes states anew that have not been for long.
    pub(super) fn snapshot_cold(&mut self, now_ms: i64, effects: &mut Effects) {
        let interval_ms = self.config.cold_partition_snapshot_interval_ms;
        let is_cold = |kept: &Kept| now_ms.saturating_sub(kept.written_ms) >= interval_ms;
        // Those that were written anew before and have not changed since would only move along.
        let is_moved = |kept: &Kept| kept.created_ms != kept.written_ms && kept.update_count == 0;
        if self.states.values().all(is_moved) {
            return;
        }
        let cold: Vec<SharePartitionKey> =
            self.states.iter().filter(|(_, kept)| is_cold(kept)).map(|(key, _)| key.clone()).collect();
        for key in cold {
            let Some(kept) = self.states.get(&key) else { continue };
            let kept = Kept {
                snapshot_epoch: kept.snapshot_epoch.wrapping_add(1),
                written_ms: now_ms,
                update_count: 0,
                ..kept.clone()
            };
            self.keep(effects, key, kept);
        }
    }
}
