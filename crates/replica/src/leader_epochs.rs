//! The leader epochs of a partition and where each began, by the rules of Kafka's `LeaderEpochFileCache` (KIP-101).

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::error::ReplicaError;

const CHECKPOINT_VERSION: i32 = 0;
const UNDEFINED_EPOCH: i32 = -1;

/// One epoch and the offset of the first record written in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochEntry {
    /// The leader epoch.
    pub epoch: i32,
    /// Its first offset.
    pub start_offset: i64,
}

/// Answer to where an epoch ended; both fields are -1 if that is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochEndOffset {
    /// The largest known epoch not above the requested one.
    pub epoch: i32,
    /// The offset after its last record.
    pub end_offset: i64,
}

/// Epochs and start offsets, both ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeaderEpochs {
    entries: BTreeMap<i32, i64>,
}

impl LeaderEpochs {
    /// Notes that `epoch` begins at `start_offset`; true if anything changed and the checkpoint is to be written.
    /// Entries that contradict the new one are dropped. Negative arguments change nothing.
    pub fn assign(&mut self, epoch: i32, start_offset: i64) -> bool {
        if epoch < 0 || start_offset < 0 {
            return false;
        }
        if self.latest().is_some_and(|latest| epoch == latest.epoch && start_offset >= latest.start_offset) {
            return false;
        }
        while let Some(last) = self.entries.last_entry() {
            if *last.key() < epoch && *last.get() < start_offset {
                break;
            }
            last.remove();
        }
        self.entries.insert(epoch, start_offset);
        true
    }

    /// Whether no epoch is known.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// All entries, ascending.
    pub fn entries(&self) -> impl DoubleEndedIterator<Item = EpochEntry> + '_ {
        self.entries.iter().map(entry)
    }

    /// The newest epoch.
    pub fn latest(&self) -> Option<EpochEntry> {
        self.entries.last_key_value().map(entry)
    }

    /// The oldest known epoch.
    pub fn earliest(&self) -> Option<EpochEntry> {
        self.entries.first_key_value().map(entry)
    }

    /// The newest epoch below `epoch`.
    pub fn previous(&self, epoch: i32) -> Option<EpochEntry> {
        self.entries.range(..epoch).next_back().map(entry)
    }

    /// The oldest epoch above `epoch`.
    pub fn next(&self, epoch: i32) -> Option<EpochEntry> {
        let after = epoch.checked_add(1)?;
        self.entries.range(after..).next().map(entry)
    }

    /// The epoch in which the record at `offset` was written.
    pub fn epoch_for_offset(&self, offset: i64) -> Option<i32> {
        self.entries.iter().rev().find(|(_, start)| **start <= offset).map(|(epoch, _)| *epoch)
    }

    /// Where `requested_epoch` ended, for followers and consumers that look for the point of divergence.
    /// `log_end_offset` is where the newest epoch stands.
    pub fn end_offset_for(&self, requested_epoch: i32, log_end_offset: i64) -> EpochEndOffset {
        let unknown = EpochEndOffset { epoch: UNDEFINED_EPOCH, end_offset: -1 };
        if requested_epoch == UNDEFINED_EPOCH {
            return unknown;
        }
        if self.latest().is_some_and(|latest| latest.epoch == requested_epoch) {
            return EpochEndOffset { epoch: requested_epoch, end_offset: log_end_offset };
        }
        let Some(higher) = self.next(requested_epoch) else { return unknown };
        let floor = self.entries.range(..=requested_epoch).next_back().map(|(epoch, _)| *epoch);
        EpochEndOffset { epoch: floor.unwrap_or(requested_epoch), end_offset: higher.start_offset }
    }

    /// Forgets epochs that begin at or after `end_offset`, when the log is cut there; true if anything changed.
    pub fn truncate_from_end(&mut self, end_offset: i64) -> bool {
        let before = self.entries.len();
        while end_offset >= 0
            && let Some(last) = self.entries.last_entry()
            && *last.get() >= end_offset
        {
            last.remove();
        }
        self.entries.len() != before
    }

    /// Forgets epochs that end before `start_offset`, the new start of the log; the epoch it lies in then begins
    /// there. True if anything changed.
    pub fn truncate_from_start(&mut self, start_offset: i64) -> bool {
        let (mut newest_removed, mut removed) = (None, 0);
        while let Some(first) = self.entries.first_entry()
            && *first.get() <= start_offset
        {
            newest_removed = Some(first.remove_entry());
            removed += 1;
        }
        match newest_removed {
            Some((epoch, was)) => {
                self.entries.insert(epoch, start_offset);
                was != start_offset || removed > 1
            }
            None => false,
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.entries.clear();
    }

    /// The text of Kafka's `leader-epoch-checkpoint`: version, number of entries, then an epoch and its start
    /// offset on each line.
    pub fn to_checkpoint(&self) -> String {
        let mut text = format!("{CHECKPOINT_VERSION}\n{}\n", self.entries.len());
        for (epoch, start_offset) in &self.entries {
            writeln!(text, "{epoch} {start_offset}").expect("writing to a string cannot fail");
        }
        text
    }

    /// Reads a `leader-epoch-checkpoint`. A text without entries and their number is empty, as in
    /// Kafka.
    pub fn from_checkpoint(text: &str) -> Result<Self, ReplicaError> {
        let malformed = ReplicaError::MalformedCheckpoint;
        let mut lines = text.lines();
        let Some(version) = lines.next() else { return Ok(Self::default()) };
        let version: i32 = number(Some(version)).ok_or(malformed("no version"))?;
        if version != CHECKPOINT_VERSION {
            return Err(malformed("unknown version"));
        }
        let Some(expected) = lines.next() else { return Ok(Self::default()) };
        let expected: usize = number(Some(expected)).ok_or(malformed("no number of entries"))?;
        let mut epochs = Self::default();
        let mut count = 0;
        for line in lines {
            let mut words = line.split_whitespace();
            let epoch = number(words.next()).ok_or(malformed("no epoch"))?;
            let start_offset = number(words.next()).ok_or(malformed("no start offset"))?;
            if words.next().is_some() || epoch < 0 || start_offset < 0 {
                return Err(malformed("an entry is not an epoch and an offset"));
            }
            epochs.assign(epoch, start_offset);
            count += 1;
        }
        if count != expected {
            return Err(malformed("the number of entries differs"));
        }
        Ok(epochs)
    }
}

fn entry((epoch, start_offset): (&i32, &i64)) -> EpochEntry {
    EpochEntry { epoch: *epoch, start_offset: *start_offset }
}

fn number<N: std::str::FromStr>(word: Option<&str>) -> Option<N> {
    word?.trim().parse().ok()
}

#[cfg(test)]
mod tests;
