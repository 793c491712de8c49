//! Share groups on a whole node: records that are handed out, acknowledged, come back after a session and after a restart;
//! dead letters; requests that make no sense.

use anyhow::{Context, Result, ensure};
use protocol::messages::share_fetch_request::{AcknowledgementBatch, FetchPartition, FetchTopic};
use protocol::messages::share_fetch_response::PartitionData;
use protocol::messages::write_share_group_state_request::{self as write};
use protocol::messages::{
    FindCoordinatorRequest, ShareAcknowledgeRequest, ShareFetchRequest, ShareFetchResponse,
    ShareGroupHeartbeatRequest, WriteShareGroupStateRequest,
};
use protocol::{ErrorCode, Uuid};
use storage::disk::CrashStyle;
use testkit::calls::{alter_config, create_topic, fetch, produce};
use testkit::raw_client::RawClient;

use crate::harness::Fixture;

/// Resource type of groups in configuration requests.
const GROUP: i8 = 32;
const STATE: &[(&str, &str)] = &[("share.coordinator.state.topic.num.partitions", "2")];

fn error(code: i16) -> ErrorCode {
    ErrorCode::from_i16(code).expect("a known error")
}

/// Joins group `g` and waits until `topic` is assigned; returns the member's epoch.
fn join(client: &mut RawClient, member: &str, topic: &str) -> Result<i32> {
    let coordinator = FindCoordinatorRequest { coordinator_keys: vec!["g".to_owned()], ..Default::default() };
    client.call(4, &coordinator)?;
    let mut epoch = 0;
    for _ in 0..100_000 {
        let request = ShareGroupHeartbeatRequest {
            group_id: "g".to_owned(),
            member_id: member.to_owned(),
            member_epoch: epoch,
            subscribed_topic_names: Some(vec![topic.to_owned()]),
            ..Default::default()
        };
        let response = client.call(1, &request)?;
        match error(response.error_code) {
            ErrorCode::None => {}
            ErrorCode::NotCoordinator | ErrorCode::CoordinatorLoadInProgress => continue,
            other => anyhow::bail!("{other:?}: {:?}", response.error_message),
        }
        epoch = response.member_epoch;
        if response.assignment.is_some_and(|assignment| !assignment.topic_partitions.is_empty()) {
            return Ok(epoch);
        }
    }
    anyhow::bail!("nothing was assigned")
}

/// A fetch of partition 0 by a member's session.
fn request(member: &str, epoch: i32, topic_id: Uuid, batches: &[(i64, i64, i8)]) -> ShareFetchRequest {
    let batch = |(first_offset, last_offset, kind): &(i64, i64, i8)| AcknowledgementBatch {
        first_offset: *first_offset,
        last_offset: *last_offset,
        acknowledge_types: vec![*kind],
        ..Default::default()
    };
    let partition =
        FetchPartition { acknowledgement_batches: batches.iter().map(batch).collect(), ..Default::default() };
    ShareFetchRequest {
        group_id: Some("g".to_owned()),
        member_id: Some(member.to_owned()),
        share_session_epoch: epoch,
        max_wait_ms: 100,
        min_bytes: 1,
        max_bytes: 1 << 20,
        max_records: 500,
        batch_size: 500,
        topics: vec![FetchTopic { topic_id, partitions: vec![partition], ..Default::default() }],
        ..Default::default()
    }
}

fn row(response: ShareFetchResponse) -> Option<PartitionData> {
    response.responses.into_iter().next().and_then(|topic| topic.partitions.into_iter().next())
}

fn acquired(response: ShareFetchResponse) -> Result<Vec<(i64, i64, i16)>> {
    ensure!(response.error_code == 0, "{response:?}");
    let Some(row) = row(response) else { return Ok(Vec::new()) };
    ensure!((row.error_code, row.acknowledge_error_code) == (0, 0), "{row:?}");
    Ok(row
        .acquired_records
        .iter()
        .map(|row| (row.first_offset, row.last_offset, row.delivery_count))
        .collect())
}

#[test]
fn what_is_acknowledged_stays_so_and_the_rest_comes_back() -> Result<()> {
    let fixture = Fixture::start(STATE)?;
    let mut client = fixture.node.client()?;
    let topic_id = create_topic(&mut client, "t", 1, &[])?;
    alter_config(&mut client, GROUP, "g", "share.auto.offset.reset", "earliest")?;
    produce(&mut client, "t", &["a", "b", "c", "d"])?;
    join(&mut client, "one", "t")?;
    let mut one = fixture.node.client()?;
    assert_eq!(acquired(one.call(2, &request("one", 0, topic_id, &[]))?)?, [(0, 3, 1)]);
    let mut two = fixture.node.client()?;
    assert_eq!(acquired(two.call(2, &request("two", 0, topic_id, &[]))?)?, [], "all of them are the other's");
    let stolen = row(two.call(2, &request("two", 1, topic_id, &[(0, 0, 1)]))?).context("an answer")?;
    assert_eq!(error(stolen.acknowledge_error_code), ErrorCode::InvalidRecordState);
    let done = [(0, 1, 1), (2, 2, 2)];
    let again = acquired(one.call(2, &request("one", 1, topic_id, &done))?)?;
    assert_eq!(again, [(2, 2, 2)], "what was released comes again");
    drop(one);
    let back = (2..1_000).find_map(|epoch| {
        let taken = two.call(2, &request("two", epoch, topic_id, &[])).and_then(acquired);
        taken.map(|rows| (!rows.is_empty()).then_some(rows)).transpose()
    });
    assert_eq!(back.context("nothing came back")??, [(2, 2, 3), (3, 3, 2)]);
    let fixture = Fixture::start_on(fixture.sim.crash_image(CrashStyle::DropAll), STATE)?;
    let mut client = fixture.node.client()?;
    let rows = (0..1_000).find_map(|_| {
        let taken = client.call(2, &request("three", 0, topic_id, &[])).and_then(acquired);
        taken.map(|rows| (!rows.is_empty()).then_some(rows)).transpose()
    });
    let rows = rows.context("nothing came after the restart")??;
    assert_eq!((rows[0].0, rows.last().map(|row| row.1)), (2, Some(3)), "0 and 1 are done with");
    Ok(())
}

#[test]
fn rejected_records_go_to_the_dead_letters() -> Result<()> {
    let fixture = Fixture::start(STATE)?;
    let mut client = fixture.node.client()?;
    let topic_id = create_topic(&mut client, "t", 1, &[])?;
    create_topic(&mut client, "dlq.t", 1, &[("errors.deadletterqueue.group.enable", "true")])?;
    for (key, value) in [
        ("share.auto.offset.reset", "earliest"),
        ("errors.deadletterqueue.topic.name", "dlq.t"),
        ("errors.deadletterqueue.copy.record.enable", "true"),
    ] {
        alter_config(&mut client, GROUP, "g", key, value)?;
    }
    produce(&mut client, "t", &["a", "b", "c"])?;
    join(&mut client, "one", "t")?;
    assert_eq!(acquired(client.call(2, &request("one", 0, topic_id, &[]))?)?, [(0, 2, 1)]);
    acquired(client.call(2, &request("one", 1, topic_id, &[(0, 0, 1), (1, 1, 3), (2, 2, 1)]))?)?;
    let letter = (0..10_000).find_map(|_| {
        let (_, values) = fetch(&mut client, "dlq.t", 0).ok()?;
        (!values.is_empty()).then_some(values)
    });
    assert_eq!(letter.context("no dead letter")?, ["b"]);
    Ok(())
}

#[test]
fn requests_that_make_no_sense_are_refused() -> Result<()> {
    let fixture = Fixture::start(STATE)?;
    let mut client = fixture.node.client()?;
    let topic_id = create_topic(&mut client, "t", 1, &[])?;
    let mut refused =
        |request: &ShareFetchRequest| Ok::<_, anyhow::Error>(error(client.call(2, request)?.error_code));
    assert_eq!(refused(&request("", 0, topic_id, &[]))?, ErrorCode::InvalidRequest);
    assert_eq!(refused(&request("one", 0, topic_id, &[(0, 0, 1)]))?, ErrorCode::InvalidRequest);
    assert_eq!(refused(&request("one", 7, topic_id, &[]))?, ErrorCode::ShareSessionNotFound);
    assert_eq!(refused(&request("one", -1, topic_id, &[]))?, ErrorCode::ShareSessionNotFound);
    let renewing = ShareFetchRequest { is_renew_ack: true, ..request("one", 0, topic_id, &[]) };
    assert_eq!(refused(&renewing)?, ErrorCode::InvalidRequest);
    assert_eq!(refused(&request("one", 0, Uuid::from_u128(99), &[]))?, ErrorCode::None);
    let far = [(i64::MAX - 1, i64::MAX, 1), (5, 2, 1), (-3, 2, 1), (0, i64::MAX - 1, 1), (0, 0, 9)];
    for (epoch, batch) in (1..).zip(far) {
        let response = client.call(2, &request("one", epoch, topic_id, &[batch]))?;
        let topic = response.responses.iter().find(|topic| topic.topic_id == topic_id);
        let found = topic.and_then(|topic| topic.partitions.first()).context("an answer")?;
        ensure!(found.acknowledge_error_code != 0, "{batch:?}: {found:?}");
    }
    let nobody = ShareAcknowledgeRequest {
        group_id: Some("g".to_owned()),
        member_id: Some("nobody".to_owned()),
        share_session_epoch: 3,
        ..Default::default()
    };
    assert_eq!(error(client.call(2, &nobody)?.error_code), ErrorCode::ShareSessionNotFound);
    let batch = write::StateBatch { first_offset: 9, last_offset: -4, ..Default::default() };
    let partition = write::PartitionData { state_batches: vec![batch], ..Default::default() };
    let topic = write::WriteStateData { topic_id, partitions: vec![partition], ..Default::default() };
    let write =
        WriteShareGroupStateRequest { group_id: "g".to_owned(), topics: vec![topic], ..Default::default() };
    let written = client.call(1, &write)?;
    ensure!(written.results[0].partitions[0].error_code != 0, "{written:?}");
    Ok(())
}
