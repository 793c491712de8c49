//! Entries as record batches: metadata records, leader changes, voters.

use bytes::Bytes;
use protocol::{
    Message, Writer,
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
    let voter = |voter_id| leader_change_message::Voter { voter_id, ..Default::default() };
    let message = LeaderChangeMessage {
        version: 0,
        leader_id,
        voters: voters.voter_ids().map(voter).collect(),
        // Raft does not tell who else voted for the leader.
        granting_voters: vec![voter(leader_id)],
        ..Default::default()
    };
    // KAFKA: its readers expect version 0 whatever the record says, so directory ids cannot go along.
    control_batch(place, &[(ControlRecordType::LeaderChange, encode(&message, 0)?)])
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

/// The `kraft.version` in a control batch, if it holds one.
pub(crate) fn kraft_version_of(batch: &Batch) -> Result<Option<i16>, QuorumError> {
    for record in control_records(batch)? {
        if let (ControlRecordType::KraftVersion, value) = record {
            let record = KRaftVersionRecord::decode(&mut protocol::Reader::new(value), 0)?;
            return Ok(Some(record.kraft_version));
        }
    }
    Ok(None)
}

/// The voters that a leader change names, if the batch holds one.
pub(crate) fn voters_at_leader_change(batch: &Batch) -> Result<Option<Vec<i32>>, QuorumError> {
    for record in control_records(batch)? {
        if let (ControlRecordType::LeaderChange, value) = record {
            let record = LeaderChangeMessage::decode(&mut protocol::Reader::new(value), 0)?;
            return Ok(Some(record.voters.into_iter().map(|voter| voter.voter_id).collect()));
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use protocol::{
        control_records::SnapshotFooterRecord,
        metadata_records::{MetadataRecord, NoOpRecord},
    };

    use super::*;

    fn checksum(batch: Bytes) -> u32 {
        records::batches(&batch).next().expect("a batch").expect("a whole one").header.crc
    }

    /// Offsets, times and checksums of batches in the metadata log of a node of Apache Kafka 4.4.0.
    #[test]
    fn batches_are_those_of_kafka() {
        let voters = Membership::from(BTreeMap::from([(1, Default::default())]));
        let place = Place { base_offset: 0, epoch: 1, now_ms: 1_795_265_546_372 };
        assert_eq!(checksum(leader_change_batch(place, 1, &voters).unwrap()), 666_899_002);
        let no_op = MetadataRecord::NoOp(NoOpRecord::default()).encode_framed().unwrap();
        assert_eq!(checksum(metadata_batch(10, 1, 1_795_265_547_464, &[no_op])), 2_805_215_200);
        let place = Place { base_offset: 7, epoch: 0, now_ms: 1_795_265_540_011 };
        let footer = encode(&SnapshotFooterRecord::default(), 0).unwrap();
        let footer = control_batch(place, &[(ControlRecordType::SnapshotFooter, footer)]).unwrap();
        assert_eq!(checksum(footer), 1_440_377_531);
    }

    #[test]
    fn what_a_batch_is_survives_being_written() {
        let voters = Membership::from(BTreeMap::from([(1, Default::default()), (4, Default::default())]));
        let place = Place { base_offset: 5, epoch: 2, now_ms: 1_000 };
        let payload = |bytes: Bytes| payload_of(&records::batches(&bytes).next().unwrap().unwrap()).unwrap();
        assert_eq!(payload(leader_change_batch(place, 4, &voters).unwrap()), Payload::LeaderChange);
        for is_first in [true, false] {
            assert_eq!(
                payload(voters_batch(place, &voters, is_first).unwrap()),
                Payload::Voters(voters.clone())
            );
        }
        let records = payload(metadata_batch(5, 2, 1_000, &[Bytes::from_static(b"record")]));
        assert_eq!(records, Payload::Records(Default::default()));
    }
}
