//! When a fetch waits and when it answers, and what a request sees of those before it on the same connection.

use anyhow::{Context, Result};
use protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use protocol::messages::{FetchRequest, ListOffsetsRequest};
use protocol::{ErrorCode, Records};
use testkit::calls::{
    batch, create_topic, produce, receive_fetch, receive_produce, send_fetch, send_produce, values,
};

use crate::harness::{Fixture, TWO_DIRECTORIES};

const FETCH_VERSION: i16 = 12;
/// Longer than any test may take.
const FOR_EVER_MS: i32 = i32::MAX;

fn fetch_request(topics: &[&str], min_bytes: i32, max_bytes: i32) -> FetchRequest {
    let partition = FetchPartition {
        partition: 0,
        partition_max_bytes: max_bytes,
        current_leader_epoch: -1,
        last_fetched_epoch: -1,
        log_start_offset: -1,
        ..Default::default()
    };
    let topic = |name: &&str| FetchTopic {
        topic: name.to_string(),
        partitions: vec![partition.clone()],
        ..Default::default()
    };
    FetchRequest {
        replica_id: -1,
        max_wait_ms: FOR_EVER_MS,
        min_bytes,
        max_bytes,
        session_epoch: -1,
        topics: topics.iter().map(topic).collect(),
        ..Default::default()
    }
}

#[test]
fn a_fetch_that_its_limits_cut_off_waits_for_nothing() -> Result<()> {
    let fixture = Fixture::start(&[TWO_DIRECTORIES])?;
    let mut client = fixture.client()?;
    create_topic(&mut client, "t", 1, &[])?;
    let value = "x".repeat(300);
    for _ in 0..10 {
        produce(&mut client, "t", &[&value])?;
    }
    // Two batches fit, and they are fewer bytes than the least.
    let response = client.call(FETCH_VERSION, &fetch_request(&["t"], 1000, 1000))?;
    let rows = response.responses.into_iter().flat_map(|topic| topic.partitions);
    let bytes: usize = rows.map(|row| row.records.as_ref().map_or(0, Records::len)).sum();
    assert!((300..1000).contains(&bytes), "{bytes} bytes");
    Ok(())
}

#[test]
fn a_topic_that_does_not_exist_ends_no_wait_for_one_that_does() -> Result<()> {
    let fixture = Fixture::start(&[TWO_DIRECTORIES])?;
    let (mut consumer, mut producer) = (fixture.client()?, fixture.client()?);
    create_topic(&mut producer, "t", 1, &[])?;
    consumer.send(FETCH_VERSION, &fetch_request(&["gone", "t"], 1, 1 << 20))?;
    produce(&mut producer, "t", &["awaited"])?;
    let response = consumer.receive::<FetchRequest>(FETCH_VERSION)?;
    let mut rows = response.responses.into_iter().flat_map(|topic| topic.partitions);
    let (known, unknown) = (rows.next().context("a row")?, rows.next().context("a second row")?);
    assert_eq!(values(&known)?, ["awaited"]);
    assert_eq!(ErrorCode::from_i16(unknown.error_code), Some(ErrorCode::UnknownTopicOrPartition));
    // Alone it is told at once.
    let response = consumer.call(FETCH_VERSION, &fetch_request(&["gone"], 1, 1 << 20))?;
    assert_eq!(response.responses.len(), 1);
    Ok(())
}

fn latest(topic: &str) -> ListOffsetsRequest {
    let partition = ListOffsetsPartition { timestamp: -1, current_leader_epoch: -1, ..Default::default() };
    let topic = ListOffsetsTopic { name: topic.into(), partitions: vec![partition], ..Default::default() };
    ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..Default::default() }
}

#[test]
fn an_end_offset_counts_what_was_acknowledged_without_a_sync() -> Result<()> {
    let fixture = Fixture::start(&[TWO_DIRECTORIES])?;
    let (mut producer, mut consumer) = (fixture.client()?, fixture.client()?);
    create_topic(&mut producer, "t", 1, &[])?;
    for produced in 1..=20 {
        send_produce(&mut producer, "t", batch(&["record"]), 1, 30_000)?;
        assert_eq!(receive_produce(&mut producer)?.error_code, 0);
        let response = consumer.call(7, &latest("t"))?;
        let row = response.topics.into_iter().flat_map(|topic| topic.partitions).next().context("a row")?;
        assert_eq!((row.error_code, row.offset), (0, produced));
    }
    Ok(())
}

#[test]
fn what_is_asked_behind_a_produce_sees_it_committed() -> Result<()> {
    let fixture = Fixture::start(&[TWO_DIRECTORIES])?;
    let (mut client, mut other) = (fixture.client()?, fixture.client()?);
    create_topic(&mut client, "t", 1, &[])?;
    fixture.gate.close_for("t-0");
    send_produce(&mut client, "t", batch(&["first"]), -1, 30_000)?;
    client.send(7, &latest("t"))?;
    // Somebody else's request makes its turn meanwhile.
    send_fetch(&mut other, "t", 0, 0)?;
    assert_eq!(values(&receive_fetch(&mut other)?)?, Vec::<String>::new());
    fixture.gate.open();
    assert_eq!(receive_produce(&mut client)?.error_code, 0);
    let response = client.receive::<ListOffsetsRequest>(7)?;
    let row = response.topics.into_iter().flat_map(|topic| topic.partitions).next().context("a row")?;
    assert_eq!((row.error_code, row.offset), (0, 1));
    Ok(())
}
