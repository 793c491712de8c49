//! Group state when its log refuses records, and when one step writes more than a batch holds.

use anyhow::{Context, Result, ensure};
use protocol::ErrorCode;
use protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use protocol::messages::{FindCoordinatorRequest, OffsetCommitRequest, OffsetFetchRequest};
use storage::disk::{Fault, FaultedCall};
use testkit::calls::{create_topic, delete_topic};
use testkit::raw_client::RawClient;

use crate::harness::{Fixture, NO_SPACE};

/// Commits `offset` for the partitions; the error of the first.
fn commit(client: &mut RawClient, partitions: std::ops::Range<i32>, offset: i64) -> Result<ErrorCode> {
    let partitions = partitions.map(|partition_index| OffsetCommitRequestPartition {
        partition_index,
        committed_offset: offset,
        ..Default::default()
    });
    let topic = OffsetCommitRequestTopic {
        name: "t".to_owned(),
        partitions: partitions.collect(),
        ..Default::default()
    };
    let request = OffsetCommitRequest {
        group_id: "g".to_owned(),
        generation_id_or_member_epoch: -1,
        topics: vec![topic],
        ..Default::default()
    };
    let response = client.call(8, &request)?;
    let first = response.topics.first().and_then(|topic| topic.partitions.first());
    ErrorCode::from_i16(first.context("an answer for the partition")?.error_code).context("an error code")
}

/// Asks again while the coordinator is on its way.
fn commit_when_ready(client: &mut RawClient, partitions: std::ops::Range<i32>, offset: i64) -> Result<()> {
    for _ in 0..100_000 {
        match commit(client, partitions.clone(), offset)? {
            ErrorCode::None => return Ok(()),
            ErrorCode::CoordinatorLoadInProgress | ErrorCode::NotCoordinator => {}
            other => anyhow::bail!("committing was answered with {other:?}"),
        }
    }
    anyhow::bail!("no coordinator")
}

/// The committed offset of one partition, -1 for none.
fn committed(client: &mut RawClient, partition: i32) -> Result<i64> {
    let topic = OffsetFetchRequestTopics {
        name: "t".to_owned(),
        partition_indexes: vec![partition],
        ..Default::default()
    };
    let group = OffsetFetchRequestGroup {
        group_id: "g".to_owned(),
        topics: Some(vec![topic]),
        member_epoch: -1,
        ..Default::default()
    };
    let response = client.call(8, &OffsetFetchRequest { groups: vec![group], ..Default::default() })?;
    let group = response.groups.first().context("the group asked for")?;
    ensure!(group.error_code == 0, "{group:?}");
    let row = group.topics.first().and_then(|topic| topic.partitions.first());
    Ok(row.context("the partition asked for")?.committed_offset)
}

fn find_coordinator(client: &mut RawClient) -> Result<()> {
    let request = FindCoordinatorRequest { coordinator_keys: vec!["g".to_owned()], ..Default::default() };
    for _ in 0..100_000 {
        let response = client.call(4, &request)?;
        if response.coordinators.first().is_some_and(|found| found.error_code == 0) {
            return Ok(());
        }
    }
    anyhow::bail!("no coordinator")
}

#[test]
fn a_shard_whose_records_are_refused_is_built_again_from_its_log() -> Result<()> {
    let fixture = Fixture::start(&[])?;
    let mut client = fixture.client()?;
    create_topic(&mut client, "t", 2, &[])?;
    find_coordinator(&mut client)?;
    commit_when_ready(&mut client, 0..1, 5)?;
    fixture.sim.inject(Fault::errno(FaultedCall::Write, "__consumer_offsets-", NO_SPACE));
    assert_eq!(commit(&mut client, 0..1, 6)?, ErrorCode::NotCoordinator);
    commit_when_ready(&mut client, 1..2, 7)?;
    assert_eq!(committed(&mut client, 0)?, 5, "what was refused must not be seen");
    assert_eq!(committed(&mut client, 1)?, 7);
    Ok(())
}

#[test]
fn one_step_may_write_more_than_a_batch_holds() -> Result<()> {
    let fixture = Fixture::start(&[("message.max.bytes", "1500")])?;
    let mut client = fixture.client()?;
    create_topic(&mut client, "t", 100, &[])?;
    find_coordinator(&mut client)?;
    for first in (0..100).step_by(5) {
        commit_when_ready(&mut client, first..first + 5, 9)?;
    }
    assert_eq!(committed(&mut client, 99)?, 9);
    delete_topic(&mut client, "t")?;
    for partition in [0, 50, 99] {
        assert_eq!(committed(&mut client, partition)?, -1);
    }
    let after = Fixture::start_on(fixture.sim.crash_image(storage::disk::CrashStyle::DropAll), &[])?;
    let mut client = after.client()?;
    create_topic(&mut client, "t", 2, &[])?;
    find_coordinator(&mut client)?;
    commit_when_ready(&mut client, 1..2, 1)?;
    assert_eq!(committed(&mut client, 0)?, -1, "the end of an offset was not written");
    Ok(())
}
