//! Records that come back without a word: locks that expire, members that go; and those that have reached the dead letters.

use super::acknowledge::Leaving;
use super::{Limits, SharePartition, StateChange};
use crate::record_state::RecordState;
use crate::state_batch::{StateBatch, push};

impl SharePartition {
    /// Frees records whose lock has expired at `now_ms`. That holds at once: writing it down only keeps the count of
    /// deliveries over a restart.
    pub fn expire_locks(&mut self, now_ms: i64, limits: &Limits) -> Option<StateChange> {
        let mut leaving = Leaving::default();
        for begin in self.runs.expired(now_ms) {
            self.let_go(begin, RecordState::Available, None, None, limits, &mut leaving);
        }
        self.left(leaving)
    }

    /// Takes back all that a member holds whose session has ended.
    pub fn release(&mut self, member_id: &str, limits: &Limits) -> Option<StateChange> {
        let transition = self.new_transition();
        let mut leaving = Leaving::default();
        for begin in self.runs.held_by(member_id) {
            self.let_go(begin, RecordState::Available, None, Some(transition), limits, &mut leaving);
        }
        self.leave(transition, leaving)
    }

    /// Is done with records that were on their way to the dead-letter topic.
    pub fn archive(&mut self, first_offset: i64, last_offset: i64) -> Option<StateChange> {
        let mut batches: Vec<StateBatch> = Vec::new();
        for begin in self.runs.isolate(first_offset, last_offset) {
            self.runs.change(begin, |run| {
                if run.state == RecordState::Archiving && run.pending.is_none() {
                    run.state = RecordState::Archived;
                    push(
                        &mut batches,
                        StateBatch {
                            first_offset: begin,
                            last_offset: run.last_offset,
                            delivery_state: run.state.as_i8(),
                            delivery_count: run.delivery_count,
                        },
                    );
                }
            });
        }
        if batches.is_empty() {
            return None;
        }
        let change = self.change(None, batches, Vec::new());
        self.runs.merge_settled(first_offset, last_offset);
        self.settle();
        Some(change)
    }
}
