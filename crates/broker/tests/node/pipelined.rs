//! Produces that come together on one connection: answers, offsets and errors as if they had come one by one.

use anyhow::{Context, Result};
use bytes::Bytes;
use protocol::messages::ProduceRequest;
use protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use protocol::{ErrorCode, Records};
use testkit::calls::{batch, create_topic, fetch};
use testkit::raw_client::{RawClient, Received};

use crate::harness::{Fixture, TWO_DIRECTORIES};

const VERSION: i16 = 9;

fn request(topic: &str, acks: i16, rows: Vec<(i32, Bytes)>) -> ProduceRequest {
    let row = |(index, records)| PartitionProduceData {
        index,
        records: Some(Records::from(records)),
        ..Default::default()
    };
    let partition_data = rows.into_iter().map(row).collect();
    let topic_data = vec![TopicProduceData { name: topic.to_owned(), partition_data, ..Default::default() }];
    ProduceRequest { acks, timeout_ms: 30_000, topic_data, ..Default::default() }
}

/// Sends all by one write.
fn send_at_once(client: &mut RawClient, requests: &[ProduceRequest]) -> Result<()> {
    let mut bytes = Vec::new();
    for (index, request) in requests.iter().enumerate() {
        let frame = protocol::encode_request(VERSION, 1000 + index as i32, Some("test"), request)?;
        bytes.extend_from_slice(&frame.to_bytes().context("in memory")?);
    }
    client.send_bytes(&bytes)
}

/// Error and offset of each row of the next answer.
fn receive(client: &mut RawClient) -> Result<Vec<(ErrorCode, i64)>> {
    let response = client.receive::<ProduceRequest>(VERSION)?;
    let rows = response.responses.into_iter().flat_map(|topic| topic.partition_responses);
    rows.map(|row| Ok((ErrorCode::from_i16(row.error_code).context("a known error")?, row.base_offset)))
        .collect()
}

fn damaged(value: &str) -> Bytes {
    let mut bytes = batch(&[value]).to_vec();
    if let Some(last) = bytes.last_mut() {
        *last ^= 1;
    }
    Bytes::from(bytes)
}

#[test]
fn each_request_gets_its_own_answer_in_order() -> Result<()> {
    let fixture = Fixture::start(&[TWO_DIRECTORIES])?;
    let mut client = fixture.client()?;
    create_topic(&mut client, "t", 2, &[])?;
    for acks in [1, -1] {
        let (mut reader, first) = (fixture.client()?, if acks == 1 { 0 } else { 4 });
        send_at_once(
            &mut client,
            &[
                request("t", acks, vec![(0, batch(&["a"])), (1, batch(&["x"]))]),
                request("t", acks, vec![(0, batch(&["b", "c"]))]),
                request("t", acks, vec![(0, damaged("d")), (7, batch(&["nowhere"]))]),
                request("nothing", acks, vec![(0, batch(&["nowhere"]))]),
                request("t", acks, vec![(1, batch(&["y"])), (0, batch(&["e"]))]),
            ],
        )?;
        let none = ErrorCode::None;
        let second = first / 2;
        assert_eq!(receive(&mut client)?, [(none, first), (none, second)]);
        assert_eq!(receive(&mut client)?, [(none, first + 1)]);
        let refused = [(ErrorCode::CorruptMessage, -1), (ErrorCode::UnknownTopicOrPartition, -1)];
        assert_eq!(receive(&mut client)?, refused);
        assert_eq!(receive(&mut client)?, [(ErrorCode::UnknownTopicOrPartition, -1)]);
        assert_eq!(receive(&mut client)?, [(none, second + 1), (none, first + 3)]);
        if acks == -1 {
            assert_eq!(fetch(&mut reader, "t", first)?.1, ["a", "b", "c", "e"]);
        }
    }
    Ok(())
}

#[test]
fn an_error_without_acks_stops_what_comes_behind_it() -> Result<()> {
    let fixture = Fixture::start(&[TWO_DIRECTORIES])?;
    let (mut client, mut other) = (fixture.client()?, fixture.client()?);
    create_topic(&mut client, "t", 1, &[("klamm.durability", "page-cache")])?;
    let requests = ["a", "b"].map(|value| request("t", 0, vec![(0, batch(&[value]))]));
    let bad = request("t", 0, vec![(9, batch(&["nowhere"]))]);
    let late = request("t", 0, vec![(0, batch(&["late"]))]);
    send_at_once(&mut client, &[&requests[..], &[bad, late]].concat())?;
    assert!(matches!(client.receive_frame()?, Received::Closed));
    assert_eq!(fetch(&mut other, "t", 0)?.1, ["a", "b"]);
    Ok(())
}
