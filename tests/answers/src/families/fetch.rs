//! Fetch: places, limits, waiting, isolation and sessions.

use anyhow::Result;
use protocol::Uuid;
use protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use protocol::messages::fetch_request::{FetchPartition, FetchTopic, ForgottenTopic, ReplicaState};
use protocol::messages::fetch_response::FetchResponse;
use protocol::messages::{DeleteRecordsRequest, FetchRequest};

use super::produce::{batch, producing};
use crate::rendering::show_records;
use crate::session::Session;

pub fn ask(session: &mut Session) -> Result<()> {
    let id = session.create_topic("plain", 3)?;
    for values in [["a", "b"], ["c", "d"], ["e", "f"]] {
        session.quietly(9, producing("plain", 0, batch(&values)))?;
    }
    session.quietly(9, producing("plain", 1, batch(&["x"])))?;
    versions(session, id)?;
    places(session, id)?;
    limits(session, id)?;
    epochs(session, id)?;
    sessions(session, id)?;
    deleted_records(session, id)
}

fn versions(session: &mut Session, id: Uuid) -> Result<()> {
    for version in 4..=12 {
        session.ask_showing(
            &format!("from the start, version {version}"),
            version,
            fetching("plain", &[at(0, 0)]),
            show,
        )?;
    }
    for version in 13..=18 {
        session.ask_showing(
            &format!("from the start, version {version}"),
            version,
            by_id(id, &[at(0, 0)]),
            show,
        )?;
    }
    Ok(())
}

fn places(session: &mut Session, id: Uuid) -> Result<()> {
    for (name, offset) in
        [("the middle of a batch", 3), ("the end", 6), ("beyond the end", 7), ("a negative offset", -1)]
    {
        session.ask_showing(&format!("from {name}"), 16, by_id(id, &[at(0, offset)]), show)?;
    }
    session.ask_showing("an empty partition", 16, by_id(id, &[at(2, 0)]), show)?;
    session.ask_showing("three partitions", 16, by_id(id, &[at(2, 0), at(1, 0), at(0, 4)]), show)?;
    session.ask_showing("an unknown topic", 12, fetching("unknown", &[at(0, 0)]), show)?;
    session.ask_showing("an illegal topic", 12, fetching("a b", &[at(0, 0)]), show)?;
    session.ask_showing(
        "an unknown topic id",
        16,
        by_id(Uuid::from_u128(u128::MAX / 9), &[at(0, 0)]),
        show,
    )?;
    session.ask_showing("the zero topic id", 16, by_id(Uuid::ZERO, &[at(0, 0)]), show)?;
    session.ask_showing("an unknown partition", 16, by_id(id, &[at(9, 0)]), show)?;
    session.ask_showing("a negative partition", 16, by_id(id, &[at(-1, 0)]), show)?;
    session.ask_showing("no topics", 16, FetchRequest { topics: Vec::new(), ..by_id(id, &[]) }, show)?;
    let committed = FetchRequest { isolation_level: 1, ..by_id(id, &[at(0, 2)]) };
    session.ask_showing("read committed", 16, committed, show)?;
    let odd = FetchRequest { isolation_level: 7, ..by_id(id, &[at(0, 2)]) };
    session.ask_showing("an unknown isolation level", 16, odd, show)?;
    let racked = FetchRequest { rack_id: "rack-1".to_owned(), ..by_id(id, &[at(0, 4)]) };
    session.ask_showing("with a rack", 16, racked, show)?;
    let follower = FetchRequest { replica_id: 5, ..fetching("plain", &[at(0, 0)]) };
    session.ask_showing("as a replica that is none", 12, follower, show)?;
    let replica_state = ReplicaState { replica_id: 5, replica_epoch: 1, ..Default::default() };
    session.ask_showing(
        "as a replica that is none, version 16",
        16,
        FetchRequest { replica_state, ..by_id(id, &[at(0, 0)]) },
        show,
    )?;
    Ok(())
}

fn limits(session: &mut Session, id: Uuid) -> Result<()> {
    let limited = |partition_max_bytes, max_bytes| FetchRequest {
        max_bytes,
        ..by_id(
            id,
            &[
                FetchPartition { partition_max_bytes, ..at(0, 0) },
                FetchPartition { partition_max_bytes, ..at(1, 0) },
            ],
        )
    };
    session.ask_showing("one byte for a partition", 16, limited(1, 1 << 20), show)?;
    session.ask_showing("a batch and a half for a partition", 16, limited(110, 1 << 20), show)?;
    session.ask_showing("one byte for all", 16, limited(1 << 20, 1), show)?;
    session.ask_showing("zero bytes for all", 16, limited(1 << 20, 0), show)?;
    session.ask_showing("zero bytes for a partition", 16, limited(0, 1 << 20), show)?;
    let waiting = |min_bytes, max_wait_ms| FetchRequest { min_bytes, max_wait_ms, ..by_id(id, &[at(0, 4)]) };
    session.ask_showing("more bytes wanted than there are", 16, waiting(100_000, 50), show)?;
    session.ask_showing("no bytes wanted", 16, waiting(0, 50), show)?;
    session.ask_showing("no patience", 16, waiting(100_000, 0), show)?;
    let at_the_end = FetchRequest { min_bytes: 1, max_wait_ms: 10_000, ..by_id(id, &[at(2, 0)]) };
    session.begin(1, 16, at_the_end)?;
    session.quietly(9, producing("plain", 2, batch(&["wake"])))?;
    session.finish_showing::<FetchRequest>(1, "waiting until something comes", 16, show)?;
    Ok(())
}

fn epochs(session: &mut Session, id: Uuid) -> Result<()> {
    let leader = |current_leader_epoch| by_id(id, &[FetchPartition { current_leader_epoch, ..at(0, 4) }]);
    session.ask_showing("the right leader epoch", 16, leader(0), show)?;
    session.ask_showing("a leader epoch to come", 16, leader(5), show)?;
    let fetched = |last_fetched_epoch| by_id(id, &[FetchPartition { last_fetched_epoch, ..at(0, 4) }]);
    session.ask_showing("the right last fetched epoch", 16, fetched(0), show)?;
    session.ask_showing("a last fetched epoch to come", 16, fetched(7), show)?;
    Ok(())
}

fn sessions(session: &mut Session, id: Uuid) -> Result<()> {
    let opening = FetchRequest { session_id: 0, session_epoch: 0, ..by_id(id, &[at(0, 4), at(2, 1)]) };
    let opened = session.ask_showing("open a session", 16, opening, show_without_session)?;
    let next = |session_epoch, topics: &[FetchPartition]| FetchRequest {
        session_id: opened.session_id,
        session_epoch,
        max_wait_ms: 20,
        ..by_id(id, topics)
    };
    let nothing = |epoch| FetchRequest { topics: Vec::new(), ..next(epoch, &[]) };
    session.ask_showing("nothing new to say", 16, nothing(1), show_without_session)?;
    session.ask_showing("move on in one partition", 16, next(2, &[at(0, 6)]), show_without_session)?;
    session.ask_showing("nothing new to hear", 16, nothing(3), show_without_session)?;
    session.quietly(9, producing("plain", 2, batch(&["news"])))?;
    session.ask_showing("news in the other partition", 16, nothing(4), show_without_session)?;
    let forgetting = FetchRequest {
        forgotten_topics_data: vec![ForgottenTopic {
            topic_id: id,
            partitions: vec![2],
            ..Default::default()
        }],
        ..nothing(5)
    };
    session.ask_showing("forget the other partition", 16, forgetting, show_without_session)?;
    session.ask_showing("add a partition", 16, next(6, &[at(1, 0)]), show_without_session)?;
    session.ask_showing(
        "an unknown partition in a session",
        16,
        next(7, &[at(9, 0)]),
        show_without_session,
    )?;
    session.ask_showing("the error is told again", 16, nothing(8), show_without_session)?;
    session.ask_showing("the epoch of long ago", 16, nothing(1), show_without_session)?;
    let strange =
        FetchRequest { session_id: 123_456, session_epoch: 1, topics: Vec::new(), ..by_id(id, &[]) };
    session.ask_showing("a session nobody knows", 16, strange, show_without_session)?;
    let closing = FetchRequest { session_id: opened.session_id, session_epoch: -1, ..by_id(id, &[at(0, 4)]) };
    session.ask_showing("close the session", 16, closing, show_without_session)?;
    session.ask_showing("ask in the closed session", 16, nothing(9), show_without_session)?;
    let by_name = FetchRequest { session_epoch: 0, ..fetching("plain", &[at(0, 4)]) };
    session.ask_showing("open a session by name", 12, by_name, show_without_session)?;
    let two = FetchRequest { session_epoch: 0, ..by_id(Uuid::from_u128(u128::MAX / 9), &[at(0, 0)]) };
    session.ask_showing("open a session on an unknown topic id", 16, two, show_without_session)?;
    Ok(())
}

fn deleted_records(session: &mut Session, id: Uuid) -> Result<()> {
    let before = DeleteRecordsPartition { partition_index: 0, offset: 3, ..Default::default() };
    let topic =
        DeleteRecordsTopic { name: "plain".to_owned(), partitions: vec![before], ..Default::default() };
    session.ask(
        "delete records",
        2,
        DeleteRecordsRequest { topics: vec![topic], timeout_ms: 10_000, ..Default::default() },
    )?;
    session.ask_showing("below the log start offset", 16, by_id(id, &[at(0, 1)]), show)?;
    session.ask_showing("at the log start offset", 16, by_id(id, &[at(0, 3)]), show)?;
    let follower = FetchPartition { log_start_offset: 2, ..at(0, 4) };
    session.ask_showing("with a log start offset of one's own", 16, by_id(id, &[follower]), show)?;
    Ok(())
}

/// Record batches in words, everything else as it is.
fn show(response: &FetchResponse) -> String {
    let mut response = response.clone();
    let mut shown = String::new();
    for topic in &mut response.responses {
        for partition in &mut topic.partitions {
            let records = partition.records.take();
            shown +=
                &format!("partition {}: {}\n", partition.partition_index, show_records(records.as_ref()));
        }
    }
    format!("{response:#?}\n{shown}").trim_end().to_owned()
}

/// Session ids are random; whether there is one is not.
fn show_without_session(response: &FetchResponse) -> String {
    show(&FetchResponse { session_id: response.session_id.signum(), ..response.clone() })
}

fn at(partition: i32, fetch_offset: i64) -> FetchPartition {
    FetchPartition { partition, fetch_offset, partition_max_bytes: 1 << 20, ..Default::default() }
}

fn fetching(topic: &str, partitions: &[FetchPartition]) -> FetchRequest {
    let topic = FetchTopic { topic: topic.to_owned(), partitions: partitions.to_vec(), ..Default::default() };
    FetchRequest {
        max_wait_ms: 10,
        min_bytes: 1,
        max_bytes: 1 << 20,
        topics: vec![topic],
        ..Default::default()
    }
}

fn by_id(topic_id: Uuid, partitions: &[FetchPartition]) -> FetchRequest {
    let mut request = fetching("", partitions);
    request.topics[0].topic_id = topic_id;
    request
}
