//! Control records: their keys, and the markers that end a transaction.
//!
//! A key is a version and a type, both 16 bits. The bodies of the raft types are generated messages;
//! they pass through here as bytes.

use bytes::Bytes;

use crate::error::RecordsError;
use crate::record::Record;

const KEY_VERSION: i16 = 0;
const END_TRANSACTION_MARKER_VERSION: i16 = 0;
const KEY_BYTES: usize = 4;

/// What a control record announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ControlRecordType {
    /// A transaction was aborted.
    Abort,
    /// A transaction was committed.
    Commit,
    /// A raft leader took office (metadata log).
    LeaderChange,
    /// First record of a metadata snapshot.
    SnapshotHeader,
    /// Last record of a metadata snapshot.
    SnapshotFooter,
    /// The version of the raft protocol in force (KIP-853).
    KraftVersion,
    /// The set of voters (KIP-853).
    KraftVoters,
    /// A type this version does not know; readers pass over it.
    Unknown(i16),
}

impl ControlRecordType {
    /// The number in the key.
    pub const fn id(self) -> i16 {
        match self {
            Self::Abort => 0,
            Self::Commit => 1,
            Self::LeaderChange => 2,
            Self::SnapshotHeader => 3,
            Self::SnapshotFooter => 4,
            Self::KraftVersion => 5,
            Self::KraftVoters => 6,
            Self::Unknown(id) => id,
        }
    }

    /// The type for a number in a key.
    pub const fn from_id(id: i16) -> Self {
        match id {
            0 => Self::Abort,
            1 => Self::Commit,
            2 => Self::LeaderChange,
            3 => Self::SnapshotHeader,
            4 => Self::SnapshotFooter,
            5 => Self::KraftVersion,
            6 => Self::KraftVoters,
            other => Self::Unknown(other),
        }
    }

    /// Reads the key of a control record. Newer key versions are read as version 0, as Kafka does.
    pub fn parse_key(key: &[u8]) -> Result<Self, RecordsError> {
        let Some([v0, v1, t0, t1]) = key.first_chunk::<KEY_BYTES>() else {
            return Err(RecordsError::InvalidRecord("a control record's key is too short"));
        };
        if i16::from_be_bytes([*v0, *v1]) < 0 {
            return Err(RecordsError::InvalidRecord("a control record's key has a negative version"));
        }
        Ok(Self::from_id(i16::from_be_bytes([*t0, *t1])))
    }
}

/// The key of a control record.
pub fn control_record_key(control_type: ControlRecordType) -> Bytes {
    let mut key = [0; KEY_BYTES];
    key[..2].copy_from_slice(&KEY_VERSION.to_be_bytes());
    key[2..].copy_from_slice(&control_type.id().to_be_bytes());
    Bytes::copy_from_slice(&key)
}

/// The record that ends a producer's transaction in a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndTransactionMarker {
    /// Commit or abort.
    pub committed: bool,
    /// Epoch of the coordinator that wrote the marker; older ones are fenced.
    pub coordinator_epoch: i32,
}

impl EndTransactionMarker {
    /// Key of the marker's record.
    pub fn key(&self) -> Bytes {
        control_record_key(if self.committed { ControlRecordType::Commit } else { ControlRecordType::Abort })
    }

    /// Value of the marker's record: version, coordinator epoch.
    pub fn value(&self) -> Bytes {
        let mut value = [0; 6];
        value[..2].copy_from_slice(&END_TRANSACTION_MARKER_VERSION.to_be_bytes());
        value[2..].copy_from_slice(&self.coordinator_epoch.to_be_bytes());
        Bytes::copy_from_slice(&value)
    }

    /// The marker in a control record; none if the record is of another control type.
    pub fn parse(record: &Record) -> Result<Option<Self>, RecordsError> {
        let committed = match ControlRecordType::parse_key(record.key.as_deref().unwrap_or_default())? {
            ControlRecordType::Commit => true,
            ControlRecordType::Abort => false,
            _ => return Ok(None),
        };
        let value = record.value.as_deref().unwrap_or_default();
        let Some([v0, v1, e0, e1, e2, e3]) = value.first_chunk::<6>() else {
            return Err(RecordsError::InvalidRecord("a transaction marker is too short"));
        };
        if i16::from_be_bytes([*v0, *v1]) < 0 {
            return Err(RecordsError::InvalidRecord("a transaction marker has a negative version"));
        }
        Ok(Some(Self { committed, coordinator_epoch: i32::from_be_bytes([*e0, *e1, *e2, *e3]) }))
    }
}
