//! The share coordinator's requests: initialize, read, write, summarize and delete the state of a share-partition.

use anyhow::Result;
use protocol::Uuid;
use protocol::messages::write_share_group_state_request::StateBatch;
use protocol::messages::{
    DeleteShareGroupStateRequest, FindCoordinatorRequest, InitializeShareGroupStateRequest,
    ReadShareGroupStateRequest, ReadShareGroupStateSummaryRequest, WriteShareGroupStateRequest,
    delete_share_group_state_request, initialize_share_group_state_request, read_share_group_state_request,
    read_share_group_state_summary_request, write_share_group_state_request,
};

use crate::session::Session;

const SHARE: i8 = 2;
/// COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR
const NOT_YET: [i16; 3] = [14, 15, 16];

pub fn ask(session: &mut Session) -> Result<()> {
    let id = session.create_topic("plain", 2)?;
    wait(session, id)?;
    uninitialized(session, id)?;
    session.ask("initialize", 0, initializing("sharers", id, 0, 5, 10))?;
    session.ask("initialize again", 0, initializing("sharers", id, 0, 5, 10))?;
    session.ask("initialize with an older state epoch", 0, initializing("sharers", id, 0, 4, 10))?;
    written(session, id)?;
    refused(session, id)?;
    session.ask("delete", 0, deleting("sharers", id, 0))?;
    session.ask("delete again", 0, deleting("sharers", id, 0))?;
    session.ask("read what was deleted", 0, reading("sharers", id, 0, 3))?;
    session.ask("summarize what was deleted", 1, summarizing("sharers", id, 0, 3))?;
    Ok(())
}

/// Waits until the share coordinator serves. Records nothing.
fn wait(session: &mut Session, id: Uuid) -> Result<()> {
    let key = format!("sharers:{id}:0");
    let request =
        FindCoordinatorRequest { key_type: SHARE, coordinator_keys: vec![key], ..Default::default() };
    session.until(6, request, |response| response.coordinators.iter().all(|found| found.error_code == 0))?;
    for (group, partition) in [("sharers", 0), ("sharers", 1), ("unknown", 0)] {
        session.until(0, summarizing(group, id, partition, 0), |response| {
            let partitions = response.results.iter().flat_map(|result| &result.partitions);
            partitions.into_iter().all(|partition| !NOT_YET.contains(&partition.error_code))
        })?;
    }
    Ok(())
}

fn uninitialized(session: &mut Session, id: Uuid) -> Result<()> {
    session.ask("read before there is any", 0, reading("unknown", id, 0, 1))?;
    session.ask("write before there is any", 1, writing("unknown", id, 0, (0, 1), 3, &[]))?;
    session.ask("summarize before there is any", 0, summarizing("unknown", id, 0, 1))?;
    session.ask("delete before there is any", 0, deleting("unknown", id, 0))?;
    Ok(())
}

fn written(session: &mut Session, id: Uuid) -> Result<()> {
    session.ask("read", 0, reading("sharers", id, 0, 1))?;
    for version in 0..=1 {
        session.ask(&format!("summarize, version {version}"), version, summarizing("sharers", id, 0, 1))?;
    }
    session.ask(
        "write, version 0",
        0,
        writing("sharers", id, 0, (5, 1), 10, &[(10, 14, 0, 1), (15, 15, 2, 1)]),
    )?;
    let mut counted = writing("sharers", id, 0, (5, 1), 11, &[(11, 12, 4, 2), (20, 22, 0, 1)]);
    counted.topics[0].partitions[0].delivery_complete_count = 3;
    session.ask("write, version 1", 1, counted)?;
    session.ask("read what was written", 0, reading("sharers", id, 0, 1))?;
    for version in 0..=1 {
        let name = format!("summarize what was written, version {version}");
        session.ask(&name, version, summarizing("sharers", id, 0, 1))?;
    }
    session.ask("read with a newer leader epoch", 0, reading("sharers", id, 0, 3))?;
    session.ask("read with an older leader epoch", 0, reading("sharers", id, 0, 2))?;
    session.ask("write with an older leader epoch", 1, writing("sharers", id, 0, (5, 2), 12, &[]))?;
    session.ask("write with an older state epoch", 1, writing("sharers", id, 0, (4, 3), 12, &[]))?;
    session.ask("write with a newer state epoch", 1, writing("sharers", id, 0, (6, 3), 12, &[]))?;
    session.ask("summarize with an older leader epoch", 1, summarizing("sharers", id, 0, 2))?;
    session.ask("begin anew with a newer state epoch", 0, initializing("sharers", id, 0, 7, -1))?;
    session.ask("read after beginning anew", 0, reading("sharers", id, 0, 3))?;
    session.ask("summarize after beginning anew", 1, summarizing("sharers", id, 0, 3))?;
    Ok(())
}

fn refused(session: &mut Session, id: Uuid) -> Result<()> {
    let strange = Uuid::from_u128(u128::MAX / 7);
    for (name, group, topic, partition) in [
        ("no group", "", id, 0),
        ("an unknown topic", "sharers", strange, 0),
        ("the zero topic", "sharers", Uuid::ZERO, 0),
        ("an unknown partition", "sharers", id, 9),
        ("a negative partition", "sharers", id, -1),
    ] {
        session.ask(&format!("initialize with {name}"), 0, initializing(group, topic, partition, 1, 0))?;
        session.ask(&format!("read with {name}"), 0, reading(group, topic, partition, 1))?;
        session.ask(&format!("write with {name}"), 1, writing(group, topic, partition, (1, 1), 0, &[]))?;
        session.ask(&format!("summarize with {name}"), 1, summarizing(group, topic, partition, 1))?;
        session.ask(&format!("delete with {name}"), 0, deleting(group, topic, partition))?;
    }
    session.ask(
        "initialize nothing",
        0,
        InitializeShareGroupStateRequest { topics: Vec::new(), ..initializing("sharers", id, 0, 1, 0) },
    )?;
    session.ask(
        "read nothing",
        0,
        ReadShareGroupStateRequest { topics: Vec::new(), ..reading("sharers", id, 0, 1) },
    )?;
    session.ask("initialize with a negative state epoch", 0, initializing("odd", id, 0, -1, 0))?;
    session.ask("initialize with a negative offset", 0, initializing("odd", id, 0, 1, -7))?;
    Ok(())
}

/// The five requests name a partition alike.
macro_rules! about {
    ($request:ident, $module:ident :: $topic:ident, $group:expr, $topic_id:expr, $($field:ident: $value:expr),*) => {
        $request {
            group_id: $group.to_owned(),
            topics: vec![$module::$topic {
                topic_id: $topic_id,
                partitions: vec![$module::PartitionData { $($field: $value,)* ..Default::default() }],
                ..Default::default()
            }],
            ..Default::default()
        }
    };
}

fn initializing(
    group: &str,
    id: Uuid,
    partition: i32,
    state_epoch: i32,
    start_offset: i64,
) -> InitializeShareGroupStateRequest {
    about!(InitializeShareGroupStateRequest, initialize_share_group_state_request::InitializeStateData, group, id,
        partition: partition, state_epoch: state_epoch, start_offset: start_offset)
}

fn reading(group: &str, id: Uuid, partition: i32, leader_epoch: i32) -> ReadShareGroupStateRequest {
    about!(ReadShareGroupStateRequest, read_share_group_state_request::ReadStateData, group, id,
        partition: partition, leader_epoch: leader_epoch)
}

fn summarizing(
    group: &str,
    id: Uuid,
    partition: i32,
    leader_epoch: i32,
) -> ReadShareGroupStateSummaryRequest {
    about!(ReadShareGroupStateSummaryRequest, read_share_group_state_summary_request::ReadStateSummaryData, group, id,
        partition: partition, leader_epoch: leader_epoch)
}

fn deleting(group: &str, id: Uuid, partition: i32) -> DeleteShareGroupStateRequest {
    about!(DeleteShareGroupStateRequest, delete_share_group_state_request::DeleteStateData, group, id, partition: partition)
}

/// `epochs` are the state's and the leader's; a batch is first and last offset, state and delivery count.
fn writing(
    group: &str,
    id: Uuid,
    partition: i32,
    epochs: (i32, i32),
    start_offset: i64,
    batches: &[(i64, i64, i8, i16)],
) -> WriteShareGroupStateRequest {
    let batch =
        |(first_offset, last_offset, delivery_state, delivery_count): &(i64, i64, i8, i16)| StateBatch {
            first_offset: *first_offset,
            last_offset: *last_offset,
            delivery_state: *delivery_state,
            delivery_count: *delivery_count,
            ..Default::default()
        };
    about!(WriteShareGroupStateRequest, write_share_group_state_request::WriteStateData, group, id,
        partition: partition, state_epoch: epochs.0, leader_epoch: epochs.1, start_offset: start_offset,
        state_batches: batches.iter().map(batch).collect())
}
