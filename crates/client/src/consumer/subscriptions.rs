//! What is read, from where, and what of it waits to be handed out. A plain state machine.

mod plan;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use records::Batch;

pub(crate) use plan::{Lookup, Plan, Want};

use crate::consumer::config::OffsetReset;
use crate::error::ClientError;
use crate::topic_partition::TopicPartition;

/// What the application asked for.
#[derive(Clone, Debug, Default)]
pub(crate) enum Interest {
    /// Nothing.
    #[default]
    Nothing,
    /// These partitions, outside of a group.
    Partitions,
    /// These topics, shared with the group.
    Topics(BTreeSet<Arc<str>>),
    /// All topics that match, shared with the group.
    Pattern(Arc<regex::Regex>),
}

/// What has to happen before a partition can be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The group's committed offset is to be looked up.
    NeedsCommitted,
    /// A position is to be found this way.
    NeedsReset(OffsetReset),
    /// The position is to be compared with what the leader has (KIP-320).
    NeedsValidation,
    /// Nothing.
    Ready,
}

/// Fetched and not handed out yet; without a batch only the position moves.
#[derive(Clone, Debug)]
pub(crate) struct Fetched {
    pub(crate) batch: Option<Batch>,
    pub(crate) next_offset: i64,
    /// The epoch of the record before `next_offset`, seen or not.
    pub(crate) epoch: Option<i32>,
}

/// A partition that is read.
#[derive(Clone, Debug)]
pub(crate) struct Assigned {
    /// Tells this assignment and position from earlier ones: answers to those are thrown away.
    pub(crate) stamp: u64,
    pub(crate) phase: Phase,
    /// The next offset to fetch, with the epoch of the record before it.
    pub(crate) fetch_offset: i64,
    pub(crate) fetch_epoch: Option<i32>,
    /// The next offset to hand out, with the epoch of the record before it; -1 before there is a position.
    pub(crate) position: i64,
    pub(crate) position_epoch: Option<i32>,
    /// The application asked for more after it was handed everything below.
    pub(crate) processed: i64,
    pub(crate) processed_epoch: Option<i32>,
    /// What the group last committed of it through this consumer.
    pub(crate) committed: i64,
    pub(crate) is_paused: bool,
    /// Being given up: nothing more is handed out.
    pub(crate) is_revoking: bool,
    /// A lookup of the position is on its way.
    pub(crate) is_looked_up: bool,
    /// The leader epoch under which the position is known to be good.
    pub(crate) validated_epoch: i32,
    pub(crate) buffer: VecDeque<Fetched>,
    pub(crate) buffered_bytes: usize,
    pub(crate) retry_at_ms: i64,
    pub(crate) failures: u32,
    pub(crate) failure: Option<ClientError>,
    pub(crate) high_watermark: i64,
    pub(crate) last_stable_offset: i64,
    /// A closer replica to read from, until this time, ms (KIP-392).
    pub(crate) preferred_replica: Option<(i32, i64)>,
    /// Streams take what they want themselves.
    pub(crate) is_streamed: bool,
}

/// All that is read.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions {
    pub(crate) interest: Interest,
    /// Grows with each change of interest.
    pub(crate) interest_version: u64,
    partitions: BTreeMap<TopicPartition, Assigned>,
    next_stamp: u64,
    /// The partition that was handed out last: the others come first.
    last: Option<TopicPartition>,
}

impl Assigned {
    fn new(stamp: u64, phase: Phase) -> Self {
        Self {
            stamp,
            phase,
            fetch_offset: -1,
            fetch_epoch: None,
            position: -1,
            position_epoch: None,
            processed: -1,
            processed_epoch: None,
            committed: -1,
            is_paused: false,
            is_revoking: false,
            is_looked_up: false,
            validated_epoch: -1,
            buffer: VecDeque::new(),
            buffered_bytes: 0,
            retry_at_ms: 0,
            failures: 0,
            failure: None,
            high_watermark: -1,
            last_stable_offset: -1,
            preferred_replica: None,
            is_streamed: false,
        }
    }

    fn clear(&mut self, stamp: u64, phase: Phase) {
        (self.stamp, self.phase) = (stamp, phase);
        self.buffer.clear();
        (self.buffered_bytes, self.failures, self.retry_at_ms) = (0, 0, 0);
        (self.failure, self.is_looked_up, self.preferred_replica) = (None, false, None);
    }

    /// Reading goes on here.
    pub(crate) fn set_position(&mut self, offset: i64, epoch: Option<i32>) {
        (self.fetch_offset, self.fetch_epoch) = (offset, epoch);
        (self.position, self.position_epoch) = (offset, epoch);
        (self.processed, self.processed_epoch) = (offset, epoch);
        (self.phase, self.is_looked_up, self.failures) = (Phase::Ready, false, 0);
        self.validated_epoch = -1;
    }

    /// Keeps what was fetched. Where there is no record in it the position moves as soon as all before is handed out.
    pub(crate) fn push(&mut self, fetched: Fetched) {
        // Of markers and aborted records too: the end of an older epoch lies before them.
        (self.fetch_offset, self.fetch_epoch) = (fetched.next_offset, fetched.epoch);
        match (&fetched.batch, self.buffer.back_mut()) {
            (None, Some(last)) => (last.next_offset, last.epoch) = (fetched.next_offset, fetched.epoch),
            (None, None) => {
                let was_processed = self.processed == self.position;
                (self.position, self.position_epoch) = (fetched.next_offset, fetched.epoch);
                if was_processed {
                    (self.processed, self.processed_epoch) = (self.position, self.position_epoch);
                }
            }
            (Some(batch), _) => {
                self.buffered_bytes += batch.bytes.len();
                self.buffer.push_back(fetched);
            }
        }
    }

    fn is_deliverable(&self) -> bool {
        !self.is_paused && !self.is_revoking && (self.failure.is_some() || !self.buffer.is_empty())
    }
}

/// Something to hand out.
#[derive(Debug)]
pub(crate) enum Handed {
    /// A batch, from this offset on, of the assignment with this stamp.
    Batch { topic_partition: TopicPartition, stamp: u64, first_offset: i64, fetched: Fetched },
    /// The partition cannot be read.
    Failed(ClientError),
}

impl Subscriptions {
    /// Another interest; partitions that do not belong to it are given up by whoever manages them.
    pub(crate) fn set_interest(&mut self, interest: Interest) {
        self.interest = interest;
        self.interest_version += 1;
    }

    /// Exactly these partitions from now on; those that stay keep their positions.
    pub(crate) fn assign(
        &mut self,
        partitions: impl IntoIterator<Item = TopicPartition>,
        phase: &Phase,
    ) -> Vec<TopicPartition> {
        let wanted: BTreeSet<TopicPartition> = partitions.into_iter().collect();
        self.partitions.retain(|named, _| wanted.contains(named));
        let mut added = Vec::new();
        for named in wanted {
            if !self.partitions.contains_key(&named) {
                self.next_stamp += 1;
                self.partitions.insert(named.clone(), Assigned::new(self.next_stamp, phase.clone()));
                added.push(named);
            }
        }
        added
    }

    /// All partitions, in order.
    pub(crate) fn assigned(&self) -> Vec<TopicPartition> {
        self.partitions.keys().cloned().collect()
    }

    pub(crate) fn get(&self, named: &TopicPartition) -> Option<&Assigned> {
        self.partitions.get(named)
    }

    pub(crate) fn get_mut(&mut self, named: &TopicPartition) -> Option<&mut Assigned> {
        self.partitions.get_mut(named)
    }

    /// The partition, if it is still the assignment and position that the stamp was given for.
    pub(crate) fn current_mut(&mut self, named: &TopicPartition, stamp: u64) -> Option<&mut Assigned> {
        self.partitions.get_mut(named).filter(|assigned| assigned.stamp == stamp)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&TopicPartition, &Assigned)> {
        self.partitions.iter()
    }

    /// Reading begins anew: at an offset, or wherever the phase says.
    pub(crate) fn seek(&mut self, named: &TopicPartition, to: Seek) -> bool {
        self.next_stamp += 1;
        let stamp = self.next_stamp;
        let Some(assigned) = self.partitions.get_mut(named) else { return false };
        match to {
            Seek::Offset(offset, epoch) => {
                assigned.clear(stamp, Phase::Ready);
                assigned.set_position(offset, epoch);
                if epoch.is_some() {
                    assigned.phase = Phase::NeedsValidation;
                }
            }
            Seek::Reset(reset) => assigned.clear(stamp, Phase::NeedsReset(reset)),
        }
        true
    }

    /// The log was cut at `end`. What waits to be handed out is fetched again, and nothing before `end` is passed over.
    pub(crate) fn cut(&mut self, named: &TopicPartition, stamp: u64, end: i64) {
        let Some(position) = self.current_mut(named, stamp).map(|one| one.position) else { return };
        self.seek(named, Seek::Offset(end.min(position), None));
    }

    /// Nothing more is handed out of these.
    pub(crate) fn set_revoking(&mut self, partitions: &[TopicPartition]) {
        for named in partitions {
            if let Some(assigned) = self.partitions.get_mut(named) {
                assigned.is_revoking = true;
            }
        }
    }

    /// The application comes for more: what it was handed counts as processed.
    pub(crate) fn note_processed(&mut self) {
        // Streams tell so themselves.
        for assigned in self.partitions.values_mut().filter(|one| !one.is_streamed) {
            (assigned.processed, assigned.processed_epoch) = (assigned.position, assigned.position_epoch);
        }
    }

    /// Offsets to commit: what was processed (or with `all`, handed out) and is not committed yet.
    pub(crate) fn to_commit(&self, all: bool) -> Vec<(TopicPartition, i64, Option<i32>)> {
        let positions = self.partitions.iter().map(|(named, assigned)| {
            let (offset, epoch) = match all {
                true => (assigned.position, assigned.position_epoch),
                false => (assigned.processed, assigned.processed_epoch),
            };
            (named, assigned, offset, epoch)
        });
        let changed =
            positions.filter(|(_, assigned, offset, _)| *offset >= 0 && *offset != assigned.committed);
        changed.map(|(named, _, offset, epoch)| (named.clone(), offset, epoch)).collect()
    }

    /// The next thing to hand out, of one partition or of all in turn.
    pub(crate) fn take(&mut self, only: Option<&TopicPartition>) -> Option<Handed> {
        let named = match only {
            Some(named) => {
                self.partitions.get(named).filter(|one| one.is_deliverable()).map(|_| named.clone())
            }
            None => {
                let ready = |(named, one): (&TopicPartition, &Assigned)| {
                    (one.is_deliverable() && !one.is_streamed).then(|| named.clone())
                };
                let behind = self.last.as_ref().and_then(|last| {
                    let range = (std::ops::Bound::Excluded(last), std::ops::Bound::Unbounded);
                    self.partitions.range::<TopicPartition, _>(range).find_map(ready)
                });
                behind.or_else(|| self.partitions.iter().find_map(ready))
            }
        }?;
        self.last = Some(named.clone());
        let assigned = self.partitions.get_mut(&named)?;
        match assigned.buffer.pop_front() {
            Some(fetched) => {
                let size = fetched.batch.as_ref().map_or(0, |batch| batch.bytes.len());
                assigned.buffered_bytes = assigned.buffered_bytes.saturating_sub(size);
                let (stamp, first_offset) = (assigned.stamp, assigned.position);
                Some(Handed::Batch { topic_partition: named, stamp, first_offset, fetched })
            }
            None => assigned.failure.take().map(Handed::Failed),
        }
    }
}

/// Where to go on reading.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Seek {
    Offset(i64, Option<i32>),
    Reset(OffsetReset),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fetched(next_offset: i64, epoch: i32, is_visible: bool) -> Fetched {
        let mut builder = records::BatchBuilder::new(next_offset - 1).partition_leader_epoch(epoch);
        builder.append(0, None, Some(b"v"), &[]);
        let bytes = builder.build();
        let batch = records::batches(&bytes).next().expect("one").expect("whole");
        Fetched { batch: is_visible.then_some(batch), next_offset, epoch: Some(epoch) }
    }

    /// Offsets 5 and 6 in epoch 3, then 7 and 8, which nobody sees, in epoch 4.
    fn reading() -> (Subscriptions, TopicPartition) {
        let (mut subscriptions, named) = (Subscriptions::default(), TopicPartition::new("t", 0));
        subscriptions.assign([named.clone()], &Phase::Ready);
        let one = subscriptions.get_mut(&named).expect("assigned");
        one.set_position(5, Some(3));
        for (next_offset, epoch, is_visible) in [(6, 3, true), (7, 3, true), (8, 4, false), (9, 4, false)] {
            one.push(fetched(next_offset, epoch, is_visible));
        }
        (subscriptions, named)
    }

    #[test]
    fn what_nobody_sees_has_an_epoch_too() {
        let (mut subscriptions, named) = reading();
        let one = subscriptions.get_mut(&named).expect("assigned");
        assert_eq!((one.fetch_offset, one.fetch_epoch), (9, Some(4)));
        assert_eq!((one.position, one.position_epoch), (5, Some(3)));
        assert_eq!(one.buffer.back().map(|last| (last.next_offset, last.epoch)), Some((9, Some(4))));
        one.buffer.clear();
        one.push(fetched(10, 5, false));
        assert_eq!((one.position, one.position_epoch), (10, Some(5)));
    }

    #[test]
    fn a_cut_passes_nothing_over_that_was_not_handed_out() {
        for (end, expected) in [(7, 5), (3, 3)] {
            let (mut subscriptions, named) = reading();
            let stamp = subscriptions.get(&named).expect("assigned").stamp;
            subscriptions.cut(&named, stamp, end);
            let one = subscriptions.get(&named).expect("assigned");
            assert_eq!((one.position, one.fetch_offset, one.buffer.len()), (expected, expected, 0));
            assert_ne!(one.stamp, stamp, "answers to what was asked before are thrown away");
        }
    }
}
