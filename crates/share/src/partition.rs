//! One topic partition as one share group sees it: which records are out, with whom, until when, for the how-many-th time.
//!
//! What a member does becomes a [`StateChange`]: the records' new states, to be written down by the share coordinator.
//! Until [`SharePartition::complete`] says how that went the records belong to nobody; if it failed they are their
//! holder's again. The start offset moves when everything before it is done with.

mod acknowledge;
mod acquire;
mod in_flight;
mod release;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use protocol::ErrorCode;

pub use acknowledge::{AcknowledgeBatch, AcknowledgeType};
pub use acquire::{AcquireMode, AcquireRequest, AcquiredRecords, FetchedBatch};
use in_flight::{Run, Runs};

use crate::record_state::RecordState;
use crate::state_batch::StateBatch;

/// What the group's configuration says; it may differ from call to call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// `share.delivery.count.limit`: a record that was handed out this often is given up instead of coming back.
    pub delivery_count_limit: i16,
    /// `share.partition.max.record.locks`: most records between the start offset and the next one.
    pub max_record_locks: i64,
    /// `share.record.lock.duration.ms`.
    pub record_lock_duration_ms: i64,
    /// Whether records that are given up go to a dead-letter topic first (KIP-1191).
    pub has_dead_letter_topic: bool,
}

/// What the share coordinator has of a partition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PersistedState {
    /// Where the group begins: everything before is done with. The caller has put the result of
    /// `share.auto.offset.reset` in place of -1.
    pub start_offset: i64,
    /// The epoch in which the state was set up; writes carry it.
    pub state_epoch: i32,
    /// What is known of records from the start offset on.
    pub batches: Vec<StateBatch>,
}

/// Names a change that is being written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransitionId(u64);

/// What has to be written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateChange {
    /// For [`SharePartition::complete`]; nothing where the change holds whether it could be written or not.
    pub transition: Option<TransitionId>,
    /// The epoch of the state that it belongs to.
    pub state_epoch: i32,
    /// The epoch of the leader that writes it.
    pub leader_epoch: i32,
    /// The start offset before the change.
    pub start_offset: i64,
    /// How many records from the start offset on are done with (KIP-1226).
    pub delivery_complete_count: i32,
    /// The new states, in the order of offsets.
    pub batches: Vec<StateBatch>,
    /// What is to go to the dead-letter topic once this is written down.
    pub dead_letters: Vec<DeadLetter>,
}

/// Why records are given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeadLetterCause {
    /// They were handed out as often as they may be.
    DeliveryCountExceeded,
    /// A member has rejected them.
    Rejected,
}

/// Records for the dead-letter topic (KIP-1191); [`SharePartition::archive`] is told when they are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeadLetter {
    /// The first of them.
    pub first_offset: i64,
    /// The last of them, itself included.
    pub last_offset: i64,
    /// How often they were handed out.
    pub delivery_count: i16,
    /// Why.
    pub cause: DeadLetterCause,
}

/// Why an acknowledgement is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{error_code}: {message}")]
pub struct Refusal {
    /// INVALID_RECORD_STATE or INVALID_REQUEST.
    pub error_code: ErrorCode,
    /// In words.
    pub message: &'static str,
}

/// A partition that its leader shares out.
#[derive(Debug)]
pub struct SharePartition {
    state_epoch: i32,
    leader_epoch: i32,
    /// Everything before is done with.
    start_offset: i64,
    /// Everything from here on has never been handed out. Runs lie between, without gaps.
    next_offset: i64,
    runs: Runs,
    transitions: BTreeMap<TransitionId, Vec<(i64, i64)>>,
    transition_count: u64,
}

impl SharePartition {
    /// The partition as its new leader finds it. Records that nothing is known of, between others, were handed out and
    /// never acknowledged: they are available.
    pub fn new(leader_epoch: i32, persisted: &PersistedState) -> Self {
        let start_offset = persisted.start_offset.max(0);
        let mut partition = Self {
            state_epoch: persisted.state_epoch,
            leader_epoch,
            start_offset,
            next_offset: start_offset,
            runs: Runs::default(),
            transitions: BTreeMap::new(),
            transition_count: 0,
        };
        for batch in crate::state_batch::combine(&persisted.batches, &[], start_offset) {
            let StateBatch { first_offset, last_offset, .. } = batch;
            if partition.next_offset < first_offset {
                let unknown = first_offset - partition.next_offset;
                let run = Run::free(first_offset - 1, RecordState::Available, 0, unknown);
                partition.runs.put(partition.next_offset, run);
            }
            let state = match RecordState::from_i8(batch.delivery_state) {
                None | Some(RecordState::Acquired) => RecordState::Available,
                Some(state) => state,
            };
            let records = last_offset - first_offset + 1;
            partition
                .runs
                .put(first_offset, Run::free(last_offset, state, batch.delivery_count.max(0), records));
            partition.next_offset = last_offset + 1;
        }
        partition.settle();
        partition
    }

    /// The first offset that is not done with.
    pub fn start_offset(&self) -> i64 {
        self.start_offset
    }

    /// The epoch of the state: alterations of offsets by an administrator begin a new one.
    pub fn state_epoch(&self) -> i32 {
        self.state_epoch
    }

    /// The epoch of the leader that this state was made for.
    pub fn leader_epoch(&self) -> i32 {
        self.leader_epoch
    }

    /// Where the next record to hand out may lie.
    pub fn next_fetch_offset(&self) -> i64 {
        self.runs.first_available().unwrap_or(self.next_offset)
    }

    /// Records between the start offset and those that were never handed out.
    pub fn in_flight_records(&self) -> i64 {
        self.next_offset - self.start_offset
    }

    /// How many runs of equal records are kept: what memory this partition takes.
    pub fn in_flight_batches(&self) -> usize {
        self.runs.count()
    }

    /// Whether a fetch may find something: a record that came back, or room for new ones.
    pub fn can_acquire(&self, limits: &Limits) -> bool {
        self.runs.first_available().is_some() || self.in_flight_records() < limits.max_record_locks
    }

    /// When the next lock expires, in milliseconds.
    pub fn next_deadline(&self) -> Option<i64> {
        self.runs.next_deadline()
    }

    /// What was on its way to the dead-letter topic when the last leader went.
    pub fn interrupted_dead_letters(&self, limits: &Limits) -> Vec<DeadLetter> {
        let archiving = self.runs.in_state(RecordState::Archiving).filter(|(_, run)| run.pending.is_none());
        let letter = |(first_offset, run): (i64, &Run)| DeadLetter {
            first_offset,
            last_offset: run.last_offset,
            delivery_count: run.delivery_count,
            cause: if run.delivery_count >= limits.delivery_count_limit {
                DeadLetterCause::DeliveryCountExceeded
            } else {
                DeadLetterCause::Rejected
            },
        };
        archiving.map(letter).collect()
    }

    /// The log begins at `log_start_offset` now: what lay before is gone, whoever holds it.
    pub fn log_start_moved(&mut self, log_start_offset: i64) {
        if log_start_offset > self.start_offset {
            self.runs.drop_before(log_start_offset);
            self.start_offset = log_start_offset;
            self.next_offset = self.next_offset.max(log_start_offset);
            self.settle();
        }
    }

    /// Says how writing a change down went. If it failed, the records are their holder's again for as long as the lock
    /// lasts. Returns whether others may find something now.
    pub fn complete(&mut self, transition: TransitionId, is_written: bool) -> bool {
        for (first, last) in self.transitions.remove(&transition).unwrap_or_default() {
            let begun: Vec<i64> = self
                .runs
                .overlapping(first, last)
                .filter(|(_, run)| run.pending == Some(transition))
                .map(|(begin, _)| begin)
                .collect();
            for begin in begun {
                self.runs.change(begin, |run| {
                    run.pending = None;
                    if is_written {
                        run.holder = None;
                    } else {
                        run.state = RecordState::Acquired;
                    }
                });
            }
            self.runs.merge_settled(first, last);
        }
        self.settle() || is_written
    }

    /// Moves the start offset over all that is done with; returns whether it moved.
    fn settle(&mut self) -> bool {
        let before = self.start_offset;
        while let Some((first, last)) =
            self.runs.first().filter(|(_, run)| run.is_settled()).map(|(first, run)| (first, run.last_offset))
        {
            self.runs.take(first);
            self.start_offset = last + 1;
        }
        if self.runs.is_empty() {
            self.start_offset = self.next_offset;
        }
        self.start_offset != before
    }

    fn change(
        &self,
        transition: Option<TransitionId>,
        batches: Vec<StateBatch>,
        letters: Vec<DeadLetter>,
    ) -> StateChange {
        StateChange {
            transition,
            state_epoch: self.state_epoch,
            leader_epoch: self.leader_epoch,
            start_offset: self.start_offset,
            delivery_complete_count: i32::try_from(self.runs.terminal_records()).unwrap_or(i32::MAX),
            batches,
            dead_letters: letters,
        }
    }
}
