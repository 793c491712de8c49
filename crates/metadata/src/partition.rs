//! One partition as the metadata log knows it.

use protocol::Uuid;
use protocol::metadata_records::{MetadataRecord, PartitionChangeRecord, PartitionRecord};

use crate::directory_id;
use crate::error::MetadataError;
use crate::metadata_version::MetadataVersion;

/// No broker leads the partition.
pub const NO_LEADER: i32 = -1;
/// In a PartitionChangeRecord: the leader stays, and so does the leader epoch.
pub const NO_LEADER_CHANGE: i32 = -2;

/// Whether the leader was chosen from in-sync replicas, or still has to recover from an unclean election (KIP-704).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(i8)]
pub enum LeaderRecoveryState {
    /// Nothing to recover.
    #[default]
    Recovered = 0,
    /// The leader was elected uncleanly and has not reported to be done.
    Recovering = 1,
}

impl LeaderRecoveryState {
    /// In a PartitionChangeRecord: the state stays.
    pub const NO_CHANGE: i8 = -1;

    /// The code in records and requests.
    pub const fn code(self) -> i8 {
        self as i8
    }

    /// The state with this code.
    pub const fn from_code(code: i8) -> Option<Self> {
        match code {
            0 => Some(Self::Recovered),
            1 => Some(Self::Recovering),
            _ => None,
        }
    }
}

/// Replicas, leader and epochs of a partition.
///
/// The leader epoch grows with each election, the partition epoch with each change of anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartitionRegistration {
    /// Brokers that hold a replica; the first is the preferred leader.
    pub replicas: Box<[i32]>,
    /// The log directory of each replica, in the order of `replicas`.
    pub directories: Box<[Uuid]>,
    /// In-sync replicas.
    pub isr: Box<[i32]>,
    /// Replicas that the reassignment under way takes away.
    pub removing_replicas: Box<[i32]>,
    /// Replicas that the reassignment under way adds.
    pub adding_replicas: Box<[i32]>,
    /// Replicas outside the ISR that have everything up to the high watermark (KIP-966).
    pub elr: Box<[i32]>,
    /// The last leader, kept while ISR and ELR are empty.
    pub last_known_elr: Box<[i32]>,
    /// The leader, or [`NO_LEADER`].
    pub leader: i32,
    /// Whether the leader still recovers from an unclean election.
    pub leader_recovery_state: LeaderRecoveryState,
    /// Grows with each election.
    pub leader_epoch: i32,
    /// Grows with each change.
    pub partition_epoch: i32,
}

fn boxed(ids: Option<&Vec<i32>>) -> Option<Box<[i32]>> {
    ids.map(|ids| ids.as_slice().into())
}

fn recovery_state(record: &'static str, code: i8) -> Result<LeaderRecoveryState, MetadataError> {
    LeaderRecoveryState::from_code(code).ok_or(MetadataError::InvalidField {
        record,
        field: "LeaderRecoveryState",
        value: code.into(),
    })
}

/// One directory for each replica; a record from before KIP-858 says nothing about them.
fn directories(
    record: &'static str,
    given: &[Uuid],
    replica_count: usize,
) -> Result<Box<[Uuid]>, MetadataError> {
    if given.is_empty() {
        return Ok(vec![directory_id::MIGRATING; replica_count].into());
    }
    if given.len() != replica_count {
        let value = i64::try_from(given.len()).unwrap_or(i64::MAX);
        return Err(MetadataError::InvalidField { record, field: "Directories (count)", value });
    }
    Ok(given.into())
}

impl PartitionRegistration {
    /// The partition that a PartitionRecord describes.
    pub fn from_record(record: &PartitionRecord) -> Result<Self, MetadataError> {
        const NAME: &str = "PartitionRecord";
        Ok(Self {
            replicas: record.replicas.as_slice().into(),
            directories: directories(NAME, &record.directories, record.replicas.len())?,
            isr: record.isr.as_slice().into(),
            removing_replicas: record.removing_replicas.as_slice().into(),
            adding_replicas: record.adding_replicas.as_slice().into(),
            elr: boxed(record.eligible_leader_replicas.as_ref()).unwrap_or_default(),
            last_known_elr: boxed(record.last_known_elr.as_ref()).unwrap_or_default(),
            leader: record.leader,
            leader_recovery_state: recovery_state(NAME, record.leader_recovery_state)?,
            leader_epoch: record.leader_epoch,
            partition_epoch: record.partition_epoch,
        })
    }

    /// The partition after a change: the partition epoch grows always, the leader epoch if the record names a
    /// leader, be it the same one.
    pub fn merge(&self, change: &PartitionChangeRecord) -> Result<Self, MetadataError> {
        const NAME: &str = "PartitionChangeRecord";
        let replicas = boxed(change.replicas.as_ref()).unwrap_or_else(|| self.replicas.clone());
        let directories = match &change.directories {
            Some(given) => directories(NAME, given, replicas.len())?,
            None if replicas.len() == self.directories.len() => self.directories.clone(),
            None => directories(NAME, &[], replicas.len())?,
        };
        let (leader, leader_epoch) = match change.leader {
            NO_LEADER_CHANGE => (self.leader, self.leader_epoch),
            leader => (leader, self.leader_epoch + 1),
        };
        let leader_recovery_state = match change.leader_recovery_state {
            LeaderRecoveryState::NO_CHANGE => self.leader_recovery_state,
            code => recovery_state(NAME, code)?,
        };
        let or = |ids: &Option<Vec<i32>>, old: &[i32]| boxed(ids.as_ref()).unwrap_or_else(|| old.into());
        Ok(Self {
            replicas,
            directories,
            isr: or(&change.isr, &self.isr),
            removing_replicas: or(&change.removing_replicas, &self.removing_replicas),
            adding_replicas: or(&change.adding_replicas, &self.adding_replicas),
            elr: or(&change.eligible_leader_replicas, &self.elr),
            last_known_elr: or(&change.last_known_elr, &self.last_known_elr),
            leader,
            leader_recovery_state,
            leader_epoch,
            partition_epoch: self.partition_epoch + 1,
        })
    }

    /// The record that creates the partition as it is.
    pub fn to_record(
        &self,
        topic_id: Uuid,
        partition_id: i32,
        options: &WriteOptions,
    ) -> Result<MetadataRecord, MetadataError> {
        let directories = if options.metadata_version.supports_directory_assignment() {
            self.directories.to_vec()
        } else if self.directories.iter().all(|id| *id == directory_id::MIGRATING) {
            Vec::new()
        } else {
            return Err(options.loses("directories of replicas"));
        };
        let elr = |ids: &[i32]| (options.eligible_leader_replicas && !ids.is_empty()).then(|| ids.to_vec());
        Ok(MetadataRecord::Partition(PartitionRecord {
            partition_id,
            topic_id,
            replicas: self.replicas.to_vec(),
            isr: self.isr.to_vec(),
            removing_replicas: self.removing_replicas.to_vec(),
            adding_replicas: self.adding_replicas.to_vec(),
            leader: self.leader,
            leader_recovery_state: self.leader_recovery_state.code(),
            leader_epoch: self.leader_epoch,
            partition_epoch: self.partition_epoch,
            directories,
            eligible_leader_replicas: elr(&self.elr),
            last_known_elr: elr(&self.last_known_elr),
            ..Default::default()
        }))
    }

    /// Whether some broker leads.
    pub fn has_leader(&self) -> bool {
        self.leader != NO_LEADER
    }

    /// The first replica, or [`NO_LEADER`] if there is none.
    pub fn preferred_replica(&self) -> i32 {
        self.replicas.first().copied().unwrap_or(NO_LEADER)
    }

    /// Whether the first replica leads.
    pub fn has_preferred_leader(&self) -> bool {
        self.leader == self.preferred_replica()
    }

    /// Whether replicas are being added or taken away.
    pub fn is_reassigning(&self) -> bool {
        !self.adding_replicas.is_empty() || !self.removing_replicas.is_empty()
    }

    /// Where a broker's replica lies; `None` if the broker has none.
    pub fn directory(&self, broker_id: i32) -> Option<Uuid> {
        let index = self.replicas.iter().position(|id| *id == broker_id)?;
        self.directories.get(index).copied()
    }

    pub(crate) fn without_elr(&self) -> Option<Self> {
        if self.elr.is_empty() && self.last_known_elr.is_empty() {
            return None;
        }
        let partition_epoch = self.partition_epoch + 1;
        Some(Self { elr: Box::default(), last_known_elr: Box::default(), partition_epoch, ..self.clone() })
    }
}

/// What records written from an image may say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriteOptions {
    /// The level that readers of the records understand.
    pub metadata_version: MetadataVersion,
    /// Whether `eligible.leader.replicas.version` is at least 1.
    pub eligible_leader_replicas: bool,
}

impl WriteOptions {
    pub(crate) fn loses(&self, what: &'static str) -> MetadataError {
        MetadataError::Unwritable { metadata_version: self.metadata_version.feature_level(), what }
    }
}
