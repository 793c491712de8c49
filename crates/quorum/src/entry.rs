//! A raft entry: a record batch, or what will become one when it is appended.

use std::fmt;

use bytes::Bytes;
use openraft::{
    RaftLogId,
    entry::{FromAppData, RaftEntry, RaftPayload},
};
use serde::{Deserialize, Serialize};

use crate::type_config::{LogId, Membership, VoterNode};

/// Metadata records to be committed together: one batch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// The records in Kafka's frame, in order.
    #[serde(with = "byte_strings")]
    pub records: Vec<Bytes>,
    /// When they were proposed, ms.
    pub timestamp: i64,
}

/// What an entry holds besides its batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Payload {
    /// A leader took office: a LeaderChange record.
    LeaderChange,
    /// The voters changed: a Voters record.
    Voters(Membership),
    /// Metadata records; empty where the entry has its batch.
    Records(Proposal),
}

/// An entry of the metadata log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEntry {
    pub(crate) log_id: LogId,
    pub(crate) payload: Payload,
    /// The batch as it stands in the leader's log, so that all logs are equal byte for byte. Empty until the leader
    /// has appended the entry.
    #[serde(with = "byte_string")]
    pub(crate) batch: Bytes,
}

impl fmt::Display for LogEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.payload {
            Payload::LeaderChange => "leader change",
            Payload::Voters(_) => "voters",
            Payload::Records(_) => "records",
        };
        write!(f, "{} {kind}", self.log_id)
    }
}

impl RaftPayload<i32, VoterNode> for LogEntry {
    fn is_blank(&self) -> bool {
        matches!(self.payload, Payload::LeaderChange)
    }

    fn get_membership(&self) -> Option<&Membership> {
        match &self.payload {
            Payload::Voters(membership) => Some(membership),
            _ => None,
        }
    }
}

impl RaftLogId<i32> for LogEntry {
    fn get_log_id(&self) -> &LogId {
        &self.log_id
    }

    fn set_log_id(&mut self, log_id: &LogId) {
        self.log_id = *log_id;
    }
}

impl RaftEntry<i32, VoterNode> for LogEntry {
    fn new_blank(log_id: LogId) -> Self {
        Self { log_id, payload: Payload::LeaderChange, batch: Bytes::new() }
    }

    fn new_membership(log_id: LogId, membership: Membership) -> Self {
        Self { log_id, payload: Payload::Voters(membership), batch: Bytes::new() }
    }
}

impl FromAppData<Proposal> for LogEntry {
    fn from_app_data(proposal: Proposal) -> Self {
        Self { log_id: LogId::default(), payload: Payload::Records(proposal), batch: Bytes::new() }
    }
}

mod byte_string {
    use bytes::Bytes;
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(bytes: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        Vec::<u8>::deserialize(deserializer).map(Bytes::from)
    }
}

mod byte_strings {
    use bytes::Bytes;
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(strings: &[Bytes], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(strings.iter().map(|bytes| &bytes[..]))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Bytes>, D::Error> {
        Ok(Vec::<Vec<u8>>::deserialize(deserializer)?.into_iter().map(Bytes::from).collect())
    }
}
