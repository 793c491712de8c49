//! What the controller learns from the broker: where replicas lie, which directories fail, who has recovered.

use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use protocol::messages::MetadataRequest;
use protocol::messages::metadata_request::MetadataRequestTopic;
use protocol::metadata_records::{MetadataRecord, PartitionChangeRecord};
use protocol::{ErrorCode, Uuid};
use records::BatchBuilder;
use storage::disk::{Disk, DiskFile, Fault, FaultedCall, OpenMode, SimDisk, read_full_at};
use testkit::calls::{batch, create_topic, fetch, produce, receive_produce, send_produce};
use testkit::raw_client::RawClient;

use crate::harness::{Fixture, IO_ERROR, PATIENCE, TWO_DIRECTORIES};

/// In the first directory, which is the same in all tests here.
const METADATA_LOG: &str = "/data/__cluster_metadata-0/00000000000000000000.log";

/// The metadata log's file, as a file that can be read and written, and what it holds.
fn metadata_log(sim: &SimDisk) -> Result<(Arc<dyn DiskFile>, Bytes)> {
    let file = sim.open(Path::new(METADATA_LOG), OpenMode::ReadWrite)?;
    let mut bytes = vec![0; usize::try_from(file.length()?)?];
    let length = read_full_at(&*file, 0, &mut bytes)?;
    bytes.truncate(length);
    Ok((file, bytes.into()))
}

/// Every change of a partition that the metadata log holds so far.
fn partition_changes(sim: &SimDisk) -> Result<Vec<PartitionChangeRecord>> {
    let (_, bytes) = metadata_log(sim)?;
    let mut changes = Vec::new();
    // What is being written just now may be torn.
    for batch in records::batches(&bytes).map_while(Result::ok).filter(|batch| !batch.header.is_control()) {
        for record in batch.records(usize::MAX)? {
            let value = record?.value.context("metadata records have values")?;
            if let MetadataRecord::PartitionChange(change) = MetadataRecord::decode_framed(value)? {
                changes.push(change);
            }
        }
    }
    Ok(changes)
}

/// Waits for a change of a partition of the topic that is as wanted.
fn changed(
    sim: &SimDisk,
    topic_id: Uuid,
    is_wanted: impl Fn(&PartitionChangeRecord) -> bool,
) -> Result<PartitionChangeRecord> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let changes = partition_changes(sim)?;
        let found = changes.iter().rfind(|change| change.topic_id == topic_id && is_wanted(change));
        if let Some(found) = found {
            return Ok(found.clone());
        }
        ensure!(Instant::now() < deadline, "no such change among {changes:?}");
        thread::yield_now();
    }
}

/// The leader of partition 0 as the metadata has it.
fn leader(client: &mut RawClient, topic: &str) -> Result<i32> {
    let named = MetadataRequestTopic { name: Some(topic.to_owned()), ..Default::default() };
    let response = client.call(12, &MetadataRequest { topics: Some(vec![named]), ..Default::default() })?;
    let topic = response.topics.first().context("the topic asked for")?;
    Ok(topic.partitions.first().context("its first partition")?.leader_id)
}

fn wait_for_leader(client: &mut RawClient, topic: &str, wanted: i32) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while leader(client, topic)? != wanted {
        ensure!(Instant::now() < deadline, "{topic} does not get the leader {wanted}");
        thread::yield_now();
    }
    Ok(())
}

fn is_in_one_directory(change: &PartitionChangeRecord) -> bool {
    change.directories.as_ref().is_some_and(
        |directories| matches!(&directories[..], [only] if !metadata::directory_id::is_reserved(*only)),
    )
}

#[test]
fn the_controller_knows_the_directory_of_each_replica_and_takes_the_leader_from_one_that_fails() -> Result<()>
{
    let fixture = Fixture::start(&[TWO_DIRECTORIES])?;
    let mut client = fixture.client()?;
    let fails = create_topic(&mut client, "fails", 1, &[])?;
    let works = create_topic(&mut client, "works", 1, &[])?;
    let of_fails = changed(&fixture.sim, fails, is_in_one_directory)?.directories;
    let of_works = changed(&fixture.sim, works, is_in_one_directory)?.directories;
    assert_ne!(of_fails, of_works, "the second topic goes where fewer logs are");
    fixture.sim.inject(Fault::errno(FaultedCall::Sync, "fails-0", IO_ERROR));
    send_produce(&mut client, "fails", batch(&["doubtful"]), -1, 30_000)?;
    ensure!(receive_produce(&mut client)?.error_code != 0, "the disk has failed");
    wait_for_leader(&mut client, "fails", -1)?;
    assert_eq!(leader(&mut client, "works")?, 1);
    Ok(())
}

#[test]
fn a_replica_whose_directory_is_offline_at_the_start_is_not_begun_anew_elsewhere() -> Result<()> {
    let first = Fixture::start(&[TWO_DIRECTORIES])?;
    let mut client = first.client()?;
    let away = create_topic(&mut client, "away", 1, &[])?;
    create_topic(&mut client, "here", 1, &[])?;
    produce(&mut client, "away", &["kept"])?;
    produce(&mut client, "here", &["kept"])?;
    changed(&first.sim, away, is_in_one_directory)?;
    let sim = first.sim.clone();
    first.node.stop()?;

    sim.inject(Fault::errno(FaultedCall::Read, "/more/meta.properties", IO_ERROR));
    let second = Fixture::start_on(sim.clone(), &[TWO_DIRECTORIES])?;
    let mut client = second.client()?;
    assert_eq!(fetch(&mut client, "here", 0)?.1, ["kept"]);
    let (error, values) = fetch(&mut client, "away", 0)?;
    ensure!(error != ErrorCode::None, "answered from a log that is empty: {values:?}");
    assert_eq!(leader(&mut client, "away")?, -1);
    // A new topic is welcome in the directory that is left.
    create_topic(&mut client, "new", 1, &[])?;
    assert_eq!(produce(&mut client, "new", &["a"])?, 0);
    second.node.stop()?;

    let third = Fixture::start_on(sim, &[TWO_DIRECTORIES])?;
    let mut client = third.client()?;
    wait_for_leader(&mut client, "away", 1)?;
    assert_eq!(fetch(&mut client, "away", 0)?.1, ["kept"]);
    assert_eq!(produce(&mut client, "away", &["on"])?, 1);
    Ok(())
}

#[test]
fn a_leader_that_is_recovering_says_when_it_has_recovered() -> Result<()> {
    let first = Fixture::start(&[])?;
    let topic_id = create_topic(&mut first.client()?, "t", 1, &[])?;
    let sim = first.sim.clone();
    first.node.stop()?;
    // As an unclean election leaves it: there is none with one broker.
    let (file, bytes) = metadata_log(&sim)?;
    let last = records::batches(&bytes).map_while(Result::ok).last().context("a metadata log")?.header;
    let change =
        PartitionChangeRecord { topic_id, partition_id: 0, leader_recovery_state: 1, ..Default::default() };
    let record = MetadataRecord::PartitionChange(change).encode_framed()?;
    let mut builder =
        BatchBuilder::new(last.last_offset() + 1).partition_leader_epoch(last.partition_leader_epoch);
    builder.append(last.max_timestamp, None, Some(&record), &[]);
    file.write_at(bytes.len() as u64, &[std::io::IoSlice::new(&builder.build())])?;
    file.sync_data()?;

    let second = Fixture::start_on(sim, &[])?;
    changed(&second.sim, topic_id, |change| change.leader_recovery_state == 0)?;
    assert_eq!(produce(&mut second.client()?, "t", &["a"])?, 0);
    Ok(())
}
