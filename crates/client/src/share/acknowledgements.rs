//! What became of acquired records, gathered until the next request to their leader. A plain state machine.

use std::collections::BTreeMap;

use protocol::Uuid;

/// What is said about an acquired record (KIP-932, KIP-1222).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Acknowledgement {
    /// It was processed.
    Accept,
    /// It was not processed: somebody else may try.
    Release,
    /// It cannot be processed: nobody shall try again.
    Reject,
    /// It is still being processed: the lock is to last longer.
    Renew,
}

const GAP: i8 = 0;

impl Acknowledgement {
    fn as_i8(self) -> i8 {
        match self {
            Self::Accept => 1,
            Self::Release => 2,
            Self::Reject => 3,
            Self::Renew => 4,
        }
    }
}

/// A partition of a share session.
pub(crate) type SharePartition = (Uuid, i32);

/// A run of offsets with the same fate: first, last, type on the wire.
pub(crate) type Run = (i64, i64, i8);

/// Acknowledgements for one leader.
#[derive(Debug, Default)]
pub(crate) struct Acknowledgements {
    said: BTreeMap<SharePartition, BTreeMap<i64, i8>>,
}

impl Acknowledgements {
    /// The last word about an offset counts.
    pub(crate) fn say(&mut self, partition: SharePartition, offset: i64, what: Acknowledgement) {
        self.said.entry(partition).or_default().insert(offset, what.as_i8());
    }

    /// An acquired offset under which there is no record.
    pub(crate) fn note_gap(&mut self, partition: SharePartition, offset: i64) {
        self.said.entry(partition).or_default().insert(offset, GAP);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.said.is_empty()
    }

    /// Whether a lock is to be renewed by what was said.
    pub(crate) fn has_renewals(&self) -> bool {
        let renew = Acknowledgement::Renew.as_i8();
        self.said.values().any(|offsets| offsets.values().any(|what| *what == renew))
    }

    /// Takes out all that was said, as runs.
    pub(crate) fn take(&mut self) -> BTreeMap<SharePartition, Vec<Run>> {
        let said = std::mem::take(&mut self.said);
        said.into_iter().map(|(partition, offsets)| (partition, runs(offsets))).collect()
    }
}

fn runs(offsets: BTreeMap<i64, i8>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (offset, what) in offsets {
        match runs.last_mut().filter(|last| last.1 + 1 == offset && last.2 == what) {
            Some(last) => last.1 = offset,
            None => runs.push((offset, offset, what)),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_neighbours_are_one_run() {
        let mut acknowledgements = Acknowledgements::default();
        let partition = (Uuid::from_u128(1), 0);
        for offset in [3, 1, 2, 7] {
            acknowledgements.say(partition, offset, Acknowledgement::Accept);
        }
        acknowledgements.say(partition, 2, Acknowledgement::Release);
        acknowledgements.say(partition, 3, Acknowledgement::Release);
        acknowledgements.note_gap(partition, 8);
        assert!(!acknowledgements.has_renewals());
        assert_eq!(acknowledgements.take()[&partition], [(1, 1, 1), (2, 3, 2), (7, 7, 1), (8, 8, 0)]);
        assert!(acknowledgements.is_empty());
        acknowledgements.say(partition, 2, Acknowledgement::Renew);
        assert!(acknowledgements.has_renewals());
    }
}
