//! The records between the start offset and the next one, as runs that share a state; cut where a state changes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::TransitionId;
use crate::record_state::RecordState;

/// Records, one after the other, that share their state, their count and their holder.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Run {
    pub(super) last_offset: i64,
    pub(super) state: RecordState,
    pub(super) delivery_count: i16,
    /// Who holds them, or held them until the transition that is being written down.
    pub(super) holder: Option<Arc<str>>,
    /// Until when they are held, in milliseconds; only with a holder.
    pub(super) lock_until_ms: i64,
    /// How many records there were when they were first handed out together: what throttled deliveries are a part of.
    pub(super) batch_records: i64,
    /// The transition out of Acquired that is being written down.
    pub(super) pending: Option<TransitionId>,
}

impl Run {
    /// Records that nobody holds.
    pub(super) fn free(
        last_offset: i64,
        state: RecordState,
        delivery_count: i16,
        batch_records: i64,
    ) -> Self {
        Self {
            last_offset,
            state,
            delivery_count,
            holder: None,
            lock_until_ms: 0,
            batch_records,
            pending: None,
        }
    }

    fn is_available(&self) -> bool {
        self.state == RecordState::Available && self.pending.is_none()
    }

    fn is_locked(&self) -> bool {
        self.state == RecordState::Acquired && self.pending.is_none()
    }

    pub(super) fn is_settled(&self) -> bool {
        self.state.is_terminal() && self.pending.is_none()
    }

    pub(super) fn is_held_by(&self, member_id: &str) -> bool {
        self.is_locked() && self.holder.as_deref() == Some(member_id)
    }
}

/// Runs by their first offset, without gaps between them, and what is asked of them often.
#[derive(Debug, Default)]
pub(super) struct Runs {
    by_first: BTreeMap<i64, Run>,
    /// First offsets of runs that may be handed out.
    available: BTreeSet<i64>,
    /// Deadlines and first offsets of runs that are held.
    locks: BTreeSet<(i64, i64)>,
    /// How many records are in a terminal state, written down or about to be.
    terminal_records: i64,
}

impl Runs {
    pub(super) fn is_empty(&self) -> bool {
        self.by_first.is_empty()
    }

    pub(super) fn first(&self) -> Option<(i64, &Run)> {
        self.by_first.first_key_value().map(|(first, run)| (*first, run))
    }

    pub(super) fn first_available(&self) -> Option<i64> {
        self.available.first().copied()
    }

    pub(super) fn next_deadline(&self) -> Option<i64> {
        self.locks.first().map(|(deadline_ms, _)| *deadline_ms)
    }

    pub(super) fn terminal_records(&self) -> i64 {
        self.terminal_records
    }

    pub(super) fn count(&self) -> usize {
        self.by_first.len()
    }

    /// The runs that hold records of `first..=last`, with their first offsets.
    pub(super) fn overlapping(&self, first: i64, last: i64) -> impl Iterator<Item = (i64, &Run)> {
        let from = self.by_first.range(..=first).next_back().map_or(first, |(begin, _)| *begin);
        let runs = self.by_first.range(from..=last.max(from));
        runs.map(|(begin, run)| (*begin, run))
            .filter(move |(begin, run)| run.last_offset >= first && *begin <= last)
    }

    /// First offsets of the runs of [`Self::overlapping`] that may be handed out.
    pub(super) fn available_in(&self, first: i64, last: i64) -> Vec<i64> {
        let from = self.by_first.range(..=first).next_back().map_or(first, |(begin, _)| *begin);
        if from > last {
            return Vec::new();
        }
        let reaches = |begin: &i64| self.by_first.get(begin).is_some_and(|run| run.last_offset >= first);
        self.available.range(from..=last).copied().filter(reaches).collect()
    }

    /// First offsets of runs whose lock has expired at `now_ms`.
    pub(super) fn expired(&self, now_ms: i64) -> Vec<i64> {
        let mut expired: Vec<i64> =
            self.locks.range(..=(now_ms, i64::MAX)).map(|(_, first)| *first).collect();
        expired.sort_unstable();
        expired
    }

    /// First offsets of runs that `member_id` holds.
    pub(super) fn held_by(&self, member_id: &str) -> Vec<i64> {
        let held = self.by_first.iter().filter(|(_, run)| run.is_held_by(member_id));
        held.map(|(first, _)| *first).collect()
    }

    /// Runs in `state`, with their first offsets.
    pub(super) fn in_state(&self, state: RecordState) -> impl Iterator<Item = (i64, &Run)> {
        self.by_first.iter().filter(move |(_, run)| run.state == state).map(|(first, run)| (*first, run))
    }

    /// Adds a run; the caller sees to it that it overlaps none.
    pub(super) fn put(&mut self, first: i64, run: Run) {
        if run.is_available() {
            self.available.insert(first);
        }
        if run.is_locked() {
            self.locks.insert((run.lock_until_ms, first));
        }
        if run.state.is_terminal() {
            self.terminal_records += run.last_offset - first + 1;
        }
        self.by_first.insert(first, run);
    }

    /// Takes a run out.
    pub(super) fn take(&mut self, first: i64) -> Option<Run> {
        let run = self.by_first.remove(&first)?;
        self.available.remove(&first);
        self.locks.remove(&(run.lock_until_ms, first));
        if run.state.is_terminal() {
            self.terminal_records -= run.last_offset - first + 1;
        }
        Some(run)
    }

    /// Changes a run where it stands.
    pub(super) fn change(&mut self, first: i64, change: impl FnOnce(&mut Run)) {
        if let Some(mut run) = self.take(first) {
            change(&mut run);
            self.put(first, run);
        }
    }

    /// Cuts runs so that one begins at `first` and one ends at `last`, and gives the first offsets of those between.
    pub(super) fn isolate(&mut self, first: i64, last: i64) -> Vec<i64> {
        self.cut_before(first);
        if let Some(after) = last.checked_add(1) {
            self.cut_before(after);
        }
        if first > last {
            return Vec::new();
        }
        self.by_first.range(first..=last).map(|(begin, _)| *begin).collect()
    }

    fn cut_before(&mut self, offset: i64) {
        let Some((begin, run)) = self.by_first.range(..offset).next_back() else { return };
        let begin = *begin;
        if run.last_offset < offset {
            return;
        }
        if let Some(mut left) = self.take(begin) {
            let right = left.clone();
            left.last_offset = offset - 1;
            self.put(begin, left);
            self.put(offset, right);
        }
    }

    /// Drops everything before `offset`.
    pub(super) fn drop_before(&mut self, offset: i64) {
        self.cut_before(offset);
        while let Some((first, _)) = self.first().filter(|(first, _)| *first < offset) {
            self.take(first);
        }
    }

    /// Makes one run of the settled ones around `first..=last`: nobody asks any more how they ended.
    pub(super) fn merge_settled(&mut self, first: i64, last: i64) {
        let from = self.by_first.range(..first).next_back().map_or(first, |(begin, _)| *begin);
        let settled: Vec<i64> = self
            .by_first
            .range(from..=last.saturating_add(1))
            .filter(|(_, run)| run.is_settled())
            .map(|(begin, _)| *begin)
            .collect();
        let mut open: Option<(i64, Run)> = None;
        for begin in settled {
            let Some(run) = self.take(begin) else { continue };
            open = match open {
                Some((start, mut before)) if before.last_offset + 1 == begin => {
                    before.last_offset = run.last_offset;
                    Some((start, before))
                }
                Some((start, before)) => {
                    self.put(start, before);
                    Some((begin, run))
                }
                None => Some((begin, run)),
            };
        }
        if let Some((start, run)) = open {
            self.put(start, run);
        }
    }
}
