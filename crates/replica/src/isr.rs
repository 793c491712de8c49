//! The in-sync replicas of a partition, and the change of them the leader has asked the controller for.
//!
//! Until the controller answers, a replica about to leave still counts and one about to join already does: whatever
//! the controller decides, nothing is acknowledged that the resulting ISR would lack (Kafka's maximal ISR).

use std::collections::BTreeSet;

/// A change to ask the controller for (AlterPartition).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IsrChange {
    /// The whole new ISR.
    pub isr: BTreeSet<i32>,
    /// The partition epoch it is based on.
    pub partition_epoch: i32,
}

/// Committed ISR and the one proposed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IsrState {
    committed: BTreeSet<i32>,
    pending: Option<BTreeSet<i32>>,
    partition_epoch: i32,
}

impl IsrState {
    /// An ISR without a change under way.
    pub fn new(committed: BTreeSet<i32>, partition_epoch: i32) -> Self {
        Self { committed, pending: None, partition_epoch }
    }

    /// The ISR the controller has confirmed.
    pub fn committed(&self) -> &BTreeSet<i32> {
        &self.committed
    }

    /// Version of the partition's registration.
    pub fn partition_epoch(&self) -> i32 {
        self.partition_epoch
    }

    /// Whether a change waits for the controller.
    pub fn is_pending(&self) -> bool {
        self.pending.is_some()
    }

    pub(crate) fn maximal_contains(&self, replica_id: i32) -> bool {
        self.committed.contains(&replica_id)
            || self.pending.as_ref().is_some_and(|pending| pending.contains(&replica_id))
    }

    pub(crate) fn maximal_len(&self) -> usize {
        let joining = self.pending.as_ref().map_or(0, |pending| pending.difference(&self.committed).count());
        self.committed.len() + joining
    }

    pub(crate) fn propose_joining(&mut self, replica_id: i32) -> IsrChange {
        let mut isr = self.committed.clone();
        isr.insert(replica_id);
        self.propose(isr)
    }

    pub(crate) fn propose_leaving(&mut self, lost: &BTreeSet<i32>) -> IsrChange {
        self.propose(self.committed.difference(lost).copied().collect())
    }

    fn propose(&mut self, isr: BTreeSet<i32>) -> IsrChange {
        self.pending = Some(isr.clone());
        IsrChange { isr, partition_epoch: self.partition_epoch }
    }

    pub(crate) fn commit(&mut self, isr: BTreeSet<i32>, partition_epoch: i32) {
        if partition_epoch >= self.partition_epoch {
            *self = Self::new(isr, partition_epoch);
        }
    }

    pub(crate) fn reject(&mut self) {
        self.pending = None;
    }
}
