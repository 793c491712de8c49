//! Entries as record batches: metadata records, leader changes, voters.

use bytes::Bytes;
use protocol::{
    Message, Uuid, Writer,
    control_records::{KRaftVersionRecord, LeaderChangeMessage, VotersRecord, leader_change_message},
};
use records::{Batch, BatchBuilder, ControlRecordType};

use crate::{
    entry::Payload,
    error::QuorumError,
    membership::{KRAFT_VERSION, from_voters_record, to_voters_record},
    type_config::Membership,
};

/// Batches of the metadata log are never compressed, so a batch unpacks to no more than it takes.
const RECORD_BYTES_MAX: usize = i32::MAX as usize;

/// Where a batch goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub base_offset: i64,
    pub epoch: i32,
    pub now_ms: i64,
}

/// A batch of metadata records, given in Kafka's frame.
pub(crate) fn metadata_batch(base_offset: i64, epoch: i32, timestamp: i64, records: &[Bytes]) -> Bytes {
    let mut builder = BatchBuilder::new(base_offset).partition_leader_epoch(epoch);
    for record in records {
        builder.append(timestamp, None, Some(record), &[]);
    }
    builder.build()
}

/// Announces the leader of an epoch.
pub(crate) fn leader_change_batch(
    place: Place,
    leader_id: i32,
    voters: &Membership,
) -> Result<Bytes, QuorumError> {
    let voter = |voter_id, voter_directory_id: Uuid| leader_change_message::Voter {
        voter_id,
        voter_directory_id,
        ..Default::default()
    };
    let directory_of = |id| voters.get_node(&id).map(|node| node.directory_id).unwrap_or_default();
    let message = LeaderChangeMessage {
        version: 1,
        leader_id,
        voters: voters.voter_ids().map(|id| voter(id, directory_of(id))).collect(),
        // Raft does not tell who else voted for the leader.
        granting_voters: vec![voter(leader_id, directory_of(leader_id))],
        ..Default::default()
    };
    control_batch(place, &[(ControlRecordType::LeaderChange, encode(&message, 1)?)])
}

/// Announces the voters. The first one of a log says the version of the protocol, too, as Kafka's do.
pub(crate) fn voters_batch(
    place: Place,
    membership: &Membership,
    is_first: bool,
) -> Result<Bytes, QuorumError> {
    let mut control_records = Vec::new();
    if is_first {
        control_records.push((ControlRecordType::KraftVersion, kraft_version_record()?));
    }
    control_records.push((ControlRecordType::KraftVoters, encode(&to_voters_record(membership), 0)?));
    control_batch(place, &control_records)
}

pub(crate) fn kraft_version_record() -> Result<Bytes, QuorumError> {
    encode(&KRaftVersionRecord { version: 0, kraft_version: KRAFT_VERSION, ..Default::default() }, 0)
}

pub(crate) fn voters_record(membership: &Membership) -> Result<Bytes, QuorumError> {
    encode(&to_voters_record(membership), 0)
}

pub(crate) fn control_batch(
    place: Place,
    records: &[(ControlRecordType, Bytes)],
) -> Result<Bytes, QuorumError> {
    let mut builder = BatchBuilder::new(place.base_offset).partition_leader_epoch(place.epoch).control();
    for (control_type, value) in records {
        builder.append_control(place.now_ms, *control_type, value);
    }
    Ok(builder.build())
}

pub(crate) fn encode<M: Message>(message: &M, version: i16) -> Result<Bytes, QuorumError> {
    let mut writer = Writer::new();
    message.encode(&mut writer, version)?;
    Ok(writer.into_bytes()?.expect("no control record has a field that can lie in a file"))
}

/// What a batch of the log is to raft. Records are left in the batch.
pub(crate) fn payload_of(batch: &Batch) -> Result<Payload, QuorumError> {
    if !batch.header.is_control() {
        return Ok(Payload::Records(Default::default()));
    }
    let membership = voters_of(batch)?;
    // Kafka announces the first voters in the batch of the leader change.
    Ok(membership.map_or(Payload::LeaderChange, Payload::Voters))
}

/// The membership in a control batch, if it holds one.
pub(crate) fn voters_of(batch: &Batch) -> Result<Option<Membership>, QuorumError> {
    for record in control_records(batch)? {
        if let (ControlRecordType::KraftVoters, value) = record {
            let record = VotersRecord::decode(&mut protocol::Reader::new(value), 0)?;
            return from_voters_record(record).map(Some);
        }
    }
    Ok(None)
}

/// Types and values of a control batch.
pub(crate) fn control_records(batch: &Batch) -> Result<Vec<(ControlRecordType, Bytes)>, QuorumError> {
    let mut found = Vec::new();
    for record in batch.records(RECORD_BYTES_MAX)? {
        let record = record?;
        let control_type = ControlRecordType::parse_key(record.key.as_deref().unwrap_or_default())?;
        found.push((control_type, record.value.unwrap_or_default()));
    }
    Ok(found)
}

/// Values of a batch of metadata records.
pub(crate) fn record_values(batch: &Batch) -> Result<Vec<Bytes>, QuorumError> {
    batch.records(RECORD_BYTES_MAX)?.map(|record| Ok(record?.value.unwrap_or_default())).collect()
}
