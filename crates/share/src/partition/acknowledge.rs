//! What members say became of records: accepted, released, rejected, still being worked on; or that there were none.

use super::{DeadLetter, DeadLetterCause, Limits, Refusal, SharePartition, StateChange, TransitionId};
use crate::record_state::RecordState;
use crate::state_batch::{StateBatch, push};
use protocol::ErrorCode;

/// What is said about a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AcknowledgeType {
    /// There is no record at this offset.
    Gap = 0,
    /// It is done.
    Accept = 1,
    /// Somebody may try it again.
    Release = 2,
    /// Nobody should.
    Reject = 3,
    /// It takes longer: the lock begins anew (KIP-1222).
    Renew = 4,
}

impl AcknowledgeType {
    /// The type of this number.
    pub fn from_i8(number: i8) -> Option<Self> {
        Some(match number {
            0 => Self::Gap,
            1 => Self::Accept,
            2 => Self::Release,
            3 => Self::Reject,
            4 => Self::Renew,
            _ => return None,
        })
    }
}

/// What a member says about records that stand together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcknowledgeBatch {
    /// The first of them.
    pub first_offset: i64,
    /// The last of them, itself included.
    pub last_offset: i64,
    /// One for all of them, or one for each.
    pub types: Vec<AcknowledgeType>,
}

impl AcknowledgeBatch {
    /// Rows of the same type from `start_offset` on.
    fn segments(&self, start_offset: i64) -> Vec<(i64, i64, AcknowledgeType)> {
        let (first, last) = (self.first_offset.max(start_offset), self.last_offset);
        if let [only] = self.types[..] {
            return if first <= last { vec![(first, last, only)] } else { Vec::new() };
        }
        let mut segments: Vec<(i64, i64, AcknowledgeType)> = Vec::new();
        for (offset, kind) in
            (self.first_offset..=last).zip(&self.types).filter(|(offset, _)| *offset >= first)
        {
            match segments.last_mut() {
                Some((_, end, same)) if same == kind => *end = offset,
                _ => segments.push((offset, offset, *kind)),
            }
        }
        segments
    }
}

fn refusal(error_code: ErrorCode, message: &'static str) -> Refusal {
    Refusal { error_code, message }
}

/// What is collected while records leave their holder.
#[derive(Default)]
pub(super) struct Leaving {
    pub(super) batches: Vec<StateBatch>,
    letters: Vec<DeadLetter>,
    ranges: Vec<(i64, i64)>,
}

impl SharePartition {
    /// Takes a member's word for records that it holds: all batches, or on a refusal none. Records before the start
    /// offset are passed over: they are done with.
    ///
    /// Returns what has to be written down, if anything.
    ///
    /// # Errors
    /// INVALID_RECORD_STATE for records that the member does not hold, INVALID_REQUEST for those that were never handed out.
    pub fn acknowledge(
        &mut self,
        member_id: &str,
        batches: &[AcknowledgeBatch],
        limits: &Limits,
        now_ms: i64,
    ) -> Result<Option<StateChange>, Refusal> {
        for batch in batches.iter().filter(|batch| batch.last_offset >= self.start_offset) {
            self.check_holder(member_id, batch)?;
        }
        let transition = self.new_transition();
        let mut leaving = Leaving::default();
        for batch in batches {
            for (first, last, kind) in batch.segments(self.start_offset) {
                for begin in self.runs.isolate(first, last) {
                    // Batches may overlap: what has been said first holds.
                    if self.runs.overlapping(begin, begin).any(|(_, run)| run.is_held_by(member_id)) {
                        self.acknowledge_run(begin, kind, transition, limits, now_ms, &mut leaving);
                    }
                }
            }
        }
        Ok(self.leave(transition, leaving))
    }

    fn check_holder(&self, member_id: &str, batch: &AcknowledgeBatch) -> Result<(), Refusal> {
        if self.runs.is_empty() {
            return Err(refusal(ErrorCode::InvalidRecordState, "The records are not in flight."));
        }
        if batch.last_offset >= self.next_offset {
            return Err(refusal(ErrorCode::InvalidRequest, "The last offset is past the acquired records."));
        }
        for (_, run) in self.runs.overlapping(batch.first_offset.max(self.start_offset), batch.last_offset) {
            let message = if run.state != RecordState::Acquired {
                "The records are not acquired."
            } else if run.pending.is_some() {
                "Another acknowledgement of the records is under way."
            } else if !run.is_held_by(member_id) {
                "The records are another member's."
            } else {
                continue;
            };
            return Err(refusal(ErrorCode::InvalidRecordState, message));
        }
        Ok(())
    }

    fn acknowledge_run(
        &mut self,
        begin: i64,
        kind: AcknowledgeType,
        transition: TransitionId,
        limits: &Limits,
        now_ms: i64,
        leaving: &mut Leaving,
    ) {
        let (state, cause) = match kind {
            AcknowledgeType::Renew => {
                let lock_until_ms = now_ms.saturating_add(limits.record_lock_duration_ms);
                return self.runs.change(begin, |run| run.lock_until_ms = lock_until_ms);
            }
            AcknowledgeType::Gap => (RecordState::Archived, None),
            AcknowledgeType::Accept => (RecordState::Acknowledged, None),
            AcknowledgeType::Release => (RecordState::Available, None),
            AcknowledgeType::Reject if limits.has_dead_letter_topic => {
                (RecordState::Archiving, Some(DeadLetterCause::Rejected))
            }
            AcknowledgeType::Reject => (RecordState::Archived, None),
        };
        self.let_go(begin, state, cause, Some(transition), limits, leaving);
    }

    /// Takes a run from its holder into `state`; back into Available only if it has deliveries left.
    pub(super) fn let_go(
        &mut self,
        begin: i64,
        state: RecordState,
        cause: Option<DeadLetterCause>,
        transition: Option<TransitionId>,
        limits: &Limits,
        leaving: &mut Leaving,
    ) {
        self.runs.change(begin, |run| {
            let is_used_up =
                state == RecordState::Available && run.delivery_count >= limits.delivery_count_limit;
            let (state, cause) = match is_used_up {
                true if limits.has_dead_letter_topic => {
                    (RecordState::Archiving, Some(DeadLetterCause::DeliveryCountExceeded))
                }
                true => (RecordState::Archived, None),
                false => (state, cause),
            };
            run.state = state;
            run.pending = transition;
            if transition.is_none() {
                run.holder = None;
            }
            let batch = StateBatch {
                first_offset: begin,
                last_offset: run.last_offset,
                delivery_state: state.as_i8(),
                delivery_count: run.delivery_count,
            };
            push(&mut leaving.batches, batch);
            leaving.ranges.push((begin, run.last_offset));
            if let Some(cause) = cause {
                leaving.letters.push(DeadLetter {
                    first_offset: begin,
                    last_offset: run.last_offset,
                    delivery_count: run.delivery_count,
                    cause,
                });
            }
        });
    }

    pub(super) fn new_transition(&mut self) -> TransitionId {
        self.transition_count += 1;
        TransitionId(self.transition_count)
    }

    /// The change that takes records from their holders, if there are any.
    pub(super) fn leave(&mut self, transition: TransitionId, leaving: Leaving) -> Option<StateChange> {
        let Leaving { batches, letters, ranges } = leaving;
        if batches.is_empty() {
            return None;
        }
        self.transitions.insert(transition, ranges);
        Some(self.change(Some(transition), batches, letters))
    }

    /// The change that holds already.
    pub(super) fn left(&mut self, leaving: Leaving) -> Option<StateChange> {
        let Leaving { batches, letters, ranges } = leaving;
        if batches.is_empty() {
            return None;
        }
        let change = self.change(None, batches, letters);
        for (first, last) in ranges {
            self.runs.merge_settled(first, last);
        }
        self.settle();
        Some(change)
    }
}
