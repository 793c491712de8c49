//! Which batches of transactions a compaction may drop: those of aborted ones, and markers nobody needs any more.
//!
//! A marker is needed as long as a batch of its transaction is left. Batches come in the order of the log.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use records::{BatchHeader, EndTransactionMarker};

use crate::transaction_index::AbortedEntry;

/// The transactions met so far in a walk over a log.
#[derive(Default)]
pub(crate) struct WalkedTransactions {
    /// Producers with a committed transaction of which a batch was met.
    committed: BTreeSet<i64>,
    /// Aborted transactions that have begun, with whether a batch of them was met.
    aborted: BTreeMap<i64, (AbortedEntry, bool)>,
    /// Aborted transactions to come, the one that begins first on top.
    to_come: BinaryHeap<Reverse<(i64, i64, i64, i64)>>,
}

/// What a marker means to a compaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MarkerUse {
    /// Batches of its transaction are left; an aborted one is named in the transaction index.
    Needed(Option<AbortedEntry>),
    /// No batch of its transaction is left.
    Unneeded,
}

impl WalkedTransactions {
    /// Adds the aborted transactions of a part of the log that is walked next. Those added before may be among them.
    pub(crate) fn add_aborted(&mut self, entries: impl IntoIterator<Item = AbortedEntry>) {
        self.to_come.extend(entries.into_iter().map(|entry| {
            Reverse((entry.first_offset, entry.producer_id, entry.last_offset, entry.last_stable_offset))
        }));
    }

    /// Takes a batch of data; whether its transaction was aborted.
    pub(crate) fn on_data(&mut self, header: &BatchHeader) -> bool {
        self.begin_aborted(header.last_offset());
        if !header.is_transactional() {
            return false;
        }
        match self.aborted.get_mut(&header.producer_id) {
            Some((_, was_met)) => {
                *was_met = true;
                true
            }
            None => {
                self.committed.insert(header.producer_id);
                false
            }
        }
    }

    /// Takes a control batch: `marker` is its content, none if it is of another type or was emptied before.
    pub(crate) fn on_control(
        &mut self,
        header: &BatchHeader,
        marker: Option<EndTransactionMarker>,
    ) -> MarkerUse {
        self.begin_aborted(header.last_offset());
        let Some(marker) = marker else {
            return if header.record_count == 0 { MarkerUse::Unneeded } else { MarkerUse::Needed(None) };
        };
        if marker.committed {
            let is_needed = self.committed.remove(&header.producer_id);
            return if is_needed { MarkerUse::Needed(None) } else { MarkerUse::Unneeded };
        }
        match self.aborted.remove(&header.producer_id) {
            Some((entry, true)) => MarkerUse::Needed(Some(entry)),
            _ => MarkerUse::Unneeded,
        }
    }

    fn begin_aborted(&mut self, offset: i64) {
        while self.to_come.peek().is_some_and(|Reverse((first_offset, ..))| *first_offset <= offset) {
            let Some(Reverse((first_offset, producer_id, last_offset, last_stable_offset))) =
                self.to_come.pop()
            else {
                return;
            };
            let entry = AbortedEntry { producer_id, first_offset, last_offset, last_stable_offset };
            // One that the walk has passed already was added once more with a later part.
            if last_offset >= offset {
                self.aborted.entry(producer_id).or_insert((entry, false));
            }
        }
    }
}
