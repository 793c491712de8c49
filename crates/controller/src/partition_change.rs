//! One partition's next state: who is in sync, who leads, whether a reassignment is done.
//!
//! The caller sets what it wants changed; [`PartitionChange::build`] finishes a reassignment that is complete, works
//! out the eligible leader replicas (KIP-966), elects a leader, and writes down only what differs.

use std::collections::BTreeMap;

use metadata::{LeaderRecoveryState, MetadataVersion, NO_LEADER, NO_LEADER_CHANGE, PartitionRegistration};
use protocol::Uuid;
use protocol::metadata_records::PartitionChangeRecord;

use crate::reassignment::{CompletedReassignment, completed};

/// Who may be elected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Election {
    /// The first replica if it can lead, else as `Online`.
    Preferred,
    /// The present leader if it can go on, else the first in-sync replica that can lead.
    #[default]
    Online,
    /// As `Online`, and if there is none, any replica that is up: records may be lost.
    Unclean,
}

/// What holds for every change of a partition.
pub(crate) struct ChangeRules<'a> {
    pub metadata_version: MetadataVersion,
    /// `eligible.leader.replicas.version` is at least 1.
    pub elr_enabled: bool,
    /// The topic's `min.insync.replicas`, at most its replication factor.
    pub min_isr: usize,
    /// Whether a broker is up, and its replica's directory online.
    pub is_acceptable_leader: &'a dyn Fn(i32) -> bool,
    /// The directory of a new replica on a broker.
    pub default_directory: &'a dyn Fn(i32) -> Uuid,
}

/// A change in the making.
pub(crate) struct PartitionChange<'a> {
    partition: &'a PartitionRegistration,
    rules: ChangeRules<'a>,
    pub election: Election,
    pub target_isr: Vec<i32>,
    pub target_replicas: Vec<i32>,
    pub target_removing: Vec<i32>,
    pub target_adding: Vec<i32>,
    pub target_recovery_state: LeaderRecoveryState,
    /// Replicas that may have lost what they acknowledged.
    pub unclean_shutdown_replicas: Vec<i32>,
    target_elr: Vec<i32>,
    directories: BTreeMap<i32, Uuid>,
}

fn contains_all(all: &[i32], some: &[i32]) -> bool {
    some.iter().all(|id| all.contains(id))
}

impl<'a> PartitionChange<'a> {
    /// Nothing wanted yet.
    pub fn new(partition: &'a PartitionRegistration, rules: ChangeRules<'a>) -> Self {
        Self {
            partition,
            rules,
            election: Election::Online,
            target_isr: partition.isr.to_vec(),
            target_replicas: partition.replicas.to_vec(),
            target_removing: partition.removing_replicas.to_vec(),
            target_adding: partition.adding_replicas.to_vec(),
            target_recovery_state: partition.leader_recovery_state,
            unclean_shutdown_replicas: Vec::new(),
            target_elr: partition.elr.to_vec(),
            directories: partition
                .replicas
                .iter()
                .copied()
                .zip(partition.directories.iter().copied())
                .collect(),
        }
    }

    /// The replica on `broker_id` lies in `directory` from now on.
    pub fn set_directory(&mut self, broker_id: i32, directory: Uuid) {
        self.directories.insert(broker_id, directory);
    }

    /// The record that makes the change, `None` if nothing would.
    pub fn build(mut self, topic_id: Uuid, partition_id: i32) -> Option<PartitionChangeRecord> {
        let mut record = PartitionChangeRecord { partition_id, topic_id, ..Default::default() };
        if let Some(CompletedReassignment { replicas, isr }) =
            completed(&self.target_removing, &self.target_adding, &self.target_replicas, &self.target_isr)
        {
            self.target_isr = isr;
            self.target_replicas = replicas;
            self.target_removing.clear();
            self.target_adding.clear();
        }
        self.populate_target_elr();
        self.elect(&mut record);
        // A leader that goes on must still notice that followers were taken away: it needs a new epoch.
        if record.leader == NO_LEADER_CHANGE && !contains_all(&self.target_replicas, &self.partition.replicas)
        {
            record.leader = self.partition.leader;
        }
        self.write_elr(&mut record);
        let may_be_empty = self.rules.elr_enabled;
        if record.isr.is_none()
            && (!self.target_isr.is_empty() || may_be_empty)
            && *self.target_isr != *self.partition.isr
        {
            record.isr = Some(self.target_isr.clone());
        }
        let shrinks = record.isr.as_ref().is_some_and(|isr| !contains_all(isr, &self.partition.isr));
        if self.rules.metadata_version.bumps_leader_epoch_on_isr_shrink()
            && record.leader == NO_LEADER_CHANGE
            && shrinks
        {
            record.leader = self.partition.leader;
        }
        self.write_last_known_leader(&mut record);
        self.write_assignment(&mut record);
        if self.target_recovery_state != self.partition.leader_recovery_state {
            record.leader_recovery_state = self.target_recovery_state.code();
        }
        let nothing = PartitionChangeRecord { partition_id, topic_id, ..Default::default() };
        (record != nothing).then_some(record)
    }

    /// While fewer than `min.insync.replicas` are in sync, replicas that leave the ISR stay eligible: the high
    /// watermark does not move without them.
    fn populate_target_elr(&mut self) {
        if !self.rules.elr_enabled {
            return;
        }
        if self.target_isr.len() >= self.rules.min_isr {
            self.target_elr.clear();
            return;
        }
        let mut candidates = self.target_elr.clone();
        candidates.extend(self.partition.isr.iter().filter(|id| !self.target_elr.contains(id)));
        candidates.retain(|id| {
            self.target_replicas.contains(id)
                && !self.target_isr.contains(id)
                && !self.unclean_shutdown_replicas.contains(id)
        });
        candidates.sort_unstable();
        self.target_elr = candidates;
    }

    fn can_lead(&self, replica: i32) -> bool {
        let in_sync = self.target_isr.contains(&replica);
        let eligible = self.target_isr.is_empty() && self.target_elr.contains(&replica);
        (in_sync || eligible) && (self.rules.is_acceptable_leader)(replica)
    }

    /// The last leader may come back without an unclean election when nobody else was eligible after it.
    fn last_known_leader(&self) -> Option<i32> {
        let [last] = *self.partition.last_known_elr else { return None };
        let nobody_else = self.target_elr.is_empty() && self.target_isr.is_empty();
        (self.rules.elr_enabled && nobody_else && (self.rules.is_acceptable_leader)(last)).then_some(last)
    }

    /// The leader, and whether it was elected uncleanly.
    fn choose_leader(&self) -> (i32, bool) {
        let preferred = (self.election == Election::Preferred)
            .then(|| self.target_replicas.first().copied())
            .flatten()
            .filter(|replica| self.can_lead(*replica));
        let present = || Some(self.partition.leader).filter(|leader| self.can_lead(*leader));
        let online = || self.target_replicas.iter().copied().find(|replica| self.can_lead(*replica));
        if let Some(leader) = preferred.or_else(present).or_else(online) {
            return (leader, false);
        }
        let any = || {
            let replicas = (self.election == Election::Unclean).then_some(&self.target_replicas);
            replicas?.iter().copied().find(|replica| (self.rules.is_acceptable_leader)(*replica))
        };
        match self.last_known_leader().or_else(any) {
            Some(leader) => (leader, true),
            None => (NO_LEADER, false),
        }
    }

    fn elect(&mut self, record: &mut PartitionChangeRecord) {
        let (leader, unclean) = self.choose_leader();
        if leader == self.partition.leader {
            return;
        }
        if self.target_elr.contains(&leader) {
            self.target_isr = vec![leader];
            self.target_elr.retain(|replica| *replica != leader);
        }
        record.leader = leader;
        if unclean {
            record.isr = Some(vec![leader]);
            if self.partition.leader_recovery_state != LeaderRecoveryState::Recovering {
                record.leader_recovery_state = LeaderRecoveryState::Recovering.code();
            }
        }
    }

    fn write_elr(&mut self, record: &mut PartitionChangeRecord) {
        let clean = record.isr.is_none();
        if !clean || !self.rules.elr_enabled {
            self.target_elr.clear();
        }
        if *self.target_elr != *self.partition.elr {
            record.eligible_leader_replicas = Some(self.target_elr.clone());
        }
    }

    fn write_last_known_leader(&self, record: &mut PartitionChangeRecord) {
        if !self.rules.elr_enabled {
            return;
        }
        if record.leader == NO_LEADER && self.partition.last_known_elr.is_empty() {
            record.last_known_elr = Some(vec![self.partition.leader]);
        } else if record.leader >= 0 && !self.partition.last_known_elr.is_empty() {
            record.last_known_elr = Some(Vec::new());
        }
    }

    fn write_assignment(&self, record: &mut PartitionChangeRecord) {
        if !self.target_replicas.is_empty() {
            if self.rules.metadata_version.supports_directory_assignment() {
                let directory = |replica: &i32| {
                    let known = self.directories.get(replica).copied();
                    known.unwrap_or_else(|| (self.rules.default_directory)(*replica))
                };
                let directories: Vec<Uuid> = self.target_replicas.iter().map(directory).collect();
                if *directories != *self.partition.directories {
                    record.directories = Some(directories);
                }
            }
            if *self.target_replicas != *self.partition.replicas {
                record.replicas = Some(self.target_replicas.clone());
            }
        }
        if *self.target_removing != *self.partition.removing_replicas {
            record.removing_replicas = Some(self.target_removing.clone());
        }
        if *self.target_adding != *self.partition.adding_replicas {
            record.adding_replicas = Some(self.target_adding.clone());
        }
    }
}
