//! The snapshot that a metadata log begins with, as Kafka 4.4's `kafka-storage format` writes it.

use std::collections::BTreeMap;

use bytes::Bytes;
use protocol::control_records::voters_record::{Endpoint, KRaftVersionFeature, Voter};
use protocol::control_records::{
    KRaftVersionRecord, SnapshotFooterRecord, SnapshotHeaderRecord, VotersRecord,
};
use protocol::metadata_records::MetadataRecord;
use protocol::{Message, Uuid, Writer};
use records::{BatchBuilder, ControlRecordType};

use super::Node;
use crate::command_line::Failure;
use crate::text::calendar::now_ms;

/// Its file in the folder of the metadata log.
pub const FIRST_SNAPSHOT: &str = "00000000000000000000-0000000000.checkpoint";

/// Newest version of the raft protocol that voters are said to speak.
const KRAFT_VERSION_MAX: i16 = 1;

/// A voter of a dynamic quorum.
pub struct InitialVoter {
    /// Id of its metadata directory.
    pub directory_id: Uuid,
    /// Where it listens.
    pub host: String,
    /// Where it listens.
    pub port: u16,
}

/// The first of `controller.listener.names`.
pub fn controller_listener(node: &Node) -> String {
    let names = node.get("controller.listener.names").unwrap_or_default();
    names.split(',').next().unwrap_or_default().trim().to_owned()
}

/// Host and port of the controller's listener, as others are told them.
pub fn controller_address(node: &Node) -> (String, u16) {
    let name = controller_listener(node);
    let listed = ["advertised.listeners", "listeners"].into_iter().filter_map(|key| node.get(key));
    let found = listed.flat_map(|listeners| listeners.split(',')).find_map(|listener| {
        let (listener, address) = listener.trim().split_once("://")?;
        let (host, port) = address.rsplit_once(':')?;
        listener.eq_ignore_ascii_case(&name).then(|| (host.to_owned(), port.parse().ok()))
    });
    match found {
        Some((host, Some(port))) if !host.is_empty() => (host, port),
        Some((_, Some(port))) => ("localhost".to_owned(), port),
        _ => ("localhost".to_owned(), 0),
    }
}

/// The whole file: header, records, footer. The version of the raft protocol and the voters come along where the quorum
/// is a dynamic one.
pub fn encode(
    records: &[MetadataRecord],
    kraft_version: i16,
    voters: Option<&BTreeMap<i32, InitialVoter>>,
    listener: &str,
) -> Result<Bytes, Failure> {
    let now_ms = now_ms();
    let mut header = BatchBuilder::new(0).partition_leader_epoch(0).control();
    let first = SnapshotHeaderRecord { last_contained_log_timestamp: now_ms, ..Default::default() };
    header.append_control(now_ms, ControlRecordType::SnapshotHeader, &encoded(&first)?);
    if kraft_version > 0 {
        let version = KRaftVersionRecord { kraft_version, ..Default::default() };
        header.append_control(now_ms, ControlRecordType::KraftVersion, &encoded(&version)?);
        if let Some(voters) = voters {
            let voters = voters_record(voters, listener);
            header.append_control(now_ms, ControlRecordType::KraftVoters, &encoded(&voters)?);
        }
    }
    let mut data = BatchBuilder::new(header.next_offset()).partition_leader_epoch(0);
    for record in records {
        let value = record.encode_framed().map_err(Failure::refused)?;
        data.append(now_ms, None, Some(&value), &[]);
    }
    let mut footer = BatchBuilder::new(data.next_offset()).partition_leader_epoch(0).control();
    let last = SnapshotFooterRecord::default();
    footer.append_control(now_ms, ControlRecordType::SnapshotFooter, &encoded(&last)?);
    Ok(Bytes::from([header.build(), data.build(), footer.build()].concat()))
}

fn voters_record(voters: &BTreeMap<i32, InitialVoter>, listener: &str) -> VotersRecord {
    let voter = |(id, voter): (&i32, &InitialVoter)| Voter {
        voter_id: *id,
        voter_directory_id: voter.directory_id,
        endpoints: vec![Endpoint {
            name: listener.to_owned(),
            host: voter.host.clone(),
            port: voter.port,
            ..Default::default()
        }],
        kraft_version_feature: KRaftVersionFeature {
            min_supported_version: 0,
            max_supported_version: KRAFT_VERSION_MAX,
            ..Default::default()
        },
        ..Default::default()
    };
    VotersRecord { voters: voters.iter().map(voter).collect(), ..Default::default() }
}

fn encoded(message: &impl Message) -> Result<Bytes, Failure> {
    let mut writer = Writer::new();
    message.encode(&mut writer, 0).map_err(Failure::refused)?;
    match writer.into_bytes() {
        Ok(Some(bytes)) => Ok(bytes),
        _ => Err(Failure::refused("the first metadata cannot be written")),
    }
}
