//! ListOffsets, DeleteRecords and OffsetForLeaderEpoch.

use anyhow::Result;
use protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use protocol::messages::offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic};
use protocol::messages::{DeleteRecordsRequest, ListOffsetsRequest, OffsetForLeaderEpochRequest};
use records::BatchBuilder;

use super::produce::{TIMESTAMP, producing};
use crate::session::Session;

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;

pub fn ask(session: &mut Session) -> Result<()> {
    session.create_topic("plain", 2)?;
    for base in [0, 100, 50] {
        let mut builder = BatchBuilder::new(0);
        for step in 0..3 {
            builder.append(TIMESTAMP + base + step * 10, None, Some(b"v"), &[]);
        }
        session.quietly(9, producing("plain", 0, builder.build()))?;
    }
    offsets(session)?;
    delete_records(session)?;
    leader_epochs(session)
}

fn offsets(session: &mut Session) -> Result<()> {
    for version in 1..=11 {
        session.ask(&format!("the latest, version {version}"), version, listing("plain", &[(0, LATEST)]))?;
    }
    for (name, timestamp) in [
        ("the earliest", EARLIEST),
        ("the greatest timestamp", -3),
        ("the earliest local", -4),
        ("the latest tiered", -5),
        ("the earliest that awaits upload", -6),
        ("a special timestamp nobody knows", -7),
        ("the beginning of time", 0),
        ("the first record's time", TIMESTAMP),
        ("a time between records", TIMESTAMP + 15),
        ("a time that goes back and forth", TIMESTAMP + 60),
        ("the greatest time there is", TIMESTAMP + 120),
        ("a time after all records", TIMESTAMP + 121),
    ] {
        session.ask(name, 10, listing("plain", &[(0, timestamp)]))?;
    }
    session.ask("the earliest that awaits upload, version 11", 11, listing("plain", &[(0, -6)]))?;
    session.ask("the greatest timestamp, version 6", 6, listing("plain", &[(0, -3)]))?;
    session.ask("an empty partition, latest", 10, listing("plain", &[(1, LATEST)]))?;
    session.ask("an empty partition, greatest timestamp", 10, listing("plain", &[(1, -3)]))?;
    session.ask("an empty partition, some time", 10, listing("plain", &[(1, TIMESTAMP)]))?;
    session.ask("two partitions", 10, listing("plain", &[(1, EARLIEST), (0, LATEST)]))?;
    session.ask("the same partition twice", 10, listing("plain", &[(0, EARLIEST), (0, LATEST)]))?;
    session.ask("an unknown topic", 10, listing("unknown", &[(0, LATEST)]))?;
    session.ask("an illegal topic", 10, listing("a b", &[(0, LATEST)]))?;
    session.ask("an unknown partition", 10, listing("plain", &[(9, LATEST)]))?;
    session.ask("no topics", 10, ListOffsetsRequest { topics: Vec::new(), ..listing("plain", &[]) })?;
    let committed = ListOffsetsRequest { isolation_level: 1, ..listing("plain", &[(0, LATEST)]) };
    session.ask("the latest committed", 10, committed)?;
    let follower = ListOffsetsRequest { replica_id: 3, ..listing("plain", &[(0, LATEST)]) };
    session.ask("the latest for a replica", 10, follower)?;
    let debugging = ListOffsetsRequest { replica_id: -2, ..listing("plain", &[(0, LATEST)]) };
    session.ask("the latest for a debugger", 10, debugging)?;
    for (name, epoch) in [("right", 0), ("future", 4)] {
        let mut request = listing("plain", &[(0, LATEST)]);
        request.topics[0].partitions[0].current_leader_epoch = epoch;
        session.ask(&format!("the {name} leader epoch"), 10, request)?;
    }
    Ok(())
}

fn delete_records(session: &mut Session) -> Result<()> {
    for version in 0..=2 {
        let request = deleting("plain", &[(0, i64::from(version) + 1)]);
        session.ask(&format!("delete, version {version}"), version, request)?;
    }
    session.ask("delete what is gone already", 2, deleting("plain", &[(0, 1)]))?;
    session.ask("delete beyond the end", 2, deleting("plain", &[(0, 99)]))?;
    session.ask("delete to a negative offset", 2, deleting("plain", &[(0, -5)]))?;
    session.ask("delete from an unknown topic", 2, deleting("unknown", &[(0, 1)]))?;
    session.ask("delete from an unknown partition", 2, deleting("plain", &[(9, 1)]))?;
    session.ask("delete from an internal topic", 2, deleting("__consumer_offsets", &[(0, 1)]))?;
    session.ask("delete nothing", 2, DeleteRecordsRequest::default())?;
    session.ask("the earliest after deleting", 10, listing("plain", &[(0, EARLIEST)]))?;
    session.ask("a time before the earliest", 10, listing("plain", &[(0, TIMESTAMP)]))?;
    session.ask("delete everything", 2, deleting("plain", &[(0, -1)]))?;
    session.ask("the earliest of nothing", 10, listing("plain", &[(0, EARLIEST)]))?;
    session.ask("the greatest timestamp of nothing", 10, listing("plain", &[(0, -3)]))?;
    Ok(())
}

fn leader_epochs(session: &mut Session) -> Result<()> {
    for version in 2..=4 {
        session.ask(&format!("the end of epoch 0, version {version}"), version, ending("plain", 0, 0, -1))?;
    }
    session.ask("the end of an epoch to come", 4, ending("plain", 0, 5, -1))?;
    session.ask("the end of no epoch", 4, ending("plain", 0, -1, -1))?;
    session.ask("the end of an epoch in an empty partition", 4, ending("plain", 1, 0, -1))?;
    session.ask("the end, asked of the right leader", 4, ending("plain", 0, 0, 0))?;
    session.ask("the end, asked of a leader to come", 4, ending("plain", 0, 0, 3))?;
    session.ask("the end of an epoch of an unknown topic", 4, ending("unknown", 0, 0, -1))?;
    session.ask("the end of an epoch of an unknown partition", 4, ending("plain", 9, 0, -1))?;
    session.ask("the end of nothing", 4, OffsetForLeaderEpochRequest::default())?;
    Ok(())
}

fn listing(name: &str, partitions: &[(i32, i64)]) -> ListOffsetsRequest {
    let partition = |(partition_index, timestamp): &(i32, i64)| ListOffsetsPartition {
        partition_index: *partition_index,
        timestamp: *timestamp,
        ..Default::default()
    };
    let topic = ListOffsetsTopic {
        name: name.to_owned(),
        partitions: partitions.iter().map(partition).collect(),
        ..Default::default()
    };
    ListOffsetsRequest { replica_id: -1, topics: vec![topic], timeout_ms: 10_000, ..Default::default() }
}

fn deleting(name: &str, partitions: &[(i32, i64)]) -> DeleteRecordsRequest {
    let partition = |(partition_index, offset): &(i32, i64)| DeleteRecordsPartition {
        partition_index: *partition_index,
        offset: *offset,
        ..Default::default()
    };
    let topic = DeleteRecordsTopic {
        name: name.to_owned(),
        partitions: partitions.iter().map(partition).collect(),
        ..Default::default()
    };
    DeleteRecordsRequest { topics: vec![topic], timeout_ms: 10_000, ..Default::default() }
}

fn ending(
    topic: &str,
    partition: i32,
    leader_epoch: i32,
    current_leader_epoch: i32,
) -> OffsetForLeaderEpochRequest {
    let partition =
        OffsetForLeaderPartition { partition, current_leader_epoch, leader_epoch, ..Default::default() };
    let topic =
        OffsetForLeaderTopic { topic: topic.to_owned(), partitions: vec![partition], ..Default::default() };
    OffsetForLeaderEpochRequest { replica_id: -1, topics: vec![topic], ..Default::default() }
}
