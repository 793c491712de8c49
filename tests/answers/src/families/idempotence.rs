//! InitProducerId, sequences and DescribeProducers.

use anyhow::{Result, ensure};
use bytes::Bytes;
use protocol::messages::describe_producers_request::TopicRequest;
use protocol::messages::{DescribeProducersRequest, InitProducerIdRequest};
use records::BatchBuilder;

use super::produce::{TIMESTAMP, base_offset, producing};
use crate::session::Session;

/// COORDINATOR_LOAD_IN_PROGRESS
const LOAD_IN_PROGRESS: i16 = 14;

pub fn ask(session: &mut Session) -> Result<()> {
    session.create_topic("plain", 2)?;
    for version in 0..=4 {
        session.ask(
            &format!("a producer id, version {version}"),
            version,
            InitProducerIdRequest::default(),
        )?;
    }
    // Kafka has no ids at hand yet when it is asked for the first time.
    let producer = session.ask_until("a producer id, version 5", 5, plain(), |response| {
        response.error_code != LOAD_IN_PROGRESS
    })?;
    let id = producer.producer_id;
    sequences(session, id)?;
    epochs(session, id)?;
    producer_ids(session, id)?;
    describe(session)
}

fn sequences(session: &mut Session, id: i64) -> Result<()> {
    let first = session.ask("the first batch", 9, producing("plain", 0, batch(id, 0, 0, 3)))?;
    ensure!(base_offset(&first) == 0, "a fresh partition begins at offset 0: {first:?}");
    session.ask("the next batch", 9, producing("plain", 0, batch(id, 0, 3, 2)))?;
    session.ask("the first batch again", 9, producing("plain", 0, batch(id, 0, 0, 3)))?;
    session.ask("the next batch again", 9, producing("plain", 0, batch(id, 0, 3, 2)))?;
    session.ask("a gap", 9, producing("plain", 0, batch(id, 0, 7, 1)))?;
    session.ask("half of the first batch", 9, producing("plain", 0, batch(id, 0, 0, 1)))?;
    session.ask("a batch that overlaps", 9, producing("plain", 0, batch(id, 0, 4, 3)))?;
    for sequence in 5..10 {
        session.ask(
            &format!("batch with sequence {sequence}"),
            9,
            producing("plain", 0, batch(id, 0, sequence, 1)),
        )?;
    }
    session.ask("a duplicate beyond the last five", 9, producing("plain", 0, batch(id, 0, 3, 2)))?;
    session.ask("a duplicate within the last five", 9, producing("plain", 0, batch(id, 0, 6, 1)))?;
    session.ask("a first batch that does not begin at zero", 9, producing("plain", 1, batch(id, 0, 5, 1)))?;
    let two = [batch(id, 0, 10, 1).as_ref(), batch(id, 0, 11, 1).as_ref()].concat();
    session.ask("two batches with an id", 9, producing("plain", 0, two.into()))?;
    session.ask("a negative sequence", 9, producing("plain", 0, batch(id, 0, -1, 1)))?;
    Ok(())
}

fn epochs(session: &mut Session, id: i64) -> Result<()> {
    session.ask("a new epoch that does not begin at zero", 9, producing("plain", 0, batch(id, 1, 5, 1)))?;
    session.ask("a new epoch", 9, producing("plain", 0, batch(id, 1, 0, 1)))?;
    session.ask("an old epoch", 9, producing("plain", 0, batch(id, 0, 10, 1)))?;
    session.ask("a negative epoch", 9, producing("plain", 0, batch(id, -1, 0, 1)))?;
    session.ask("an id nobody has given out", 9, producing("plain", 1, batch(777_777, 0, 0, 1)))?;
    Ok(())
}

fn producer_ids(session: &mut Session, id: i64) -> Result<()> {
    let again = |producer_id, producer_epoch| InitProducerIdRequest {
        producer_id,
        producer_epoch,
        ..Default::default()
    };
    session.ask("an id that is named again", 4, again(id, 0))?;
    session.ask("an epoch without an id", 4, again(-1, 3))?;
    session.ask("an id without an epoch", 4, again(id, -1))?;
    let empty = InitProducerIdRequest { transactional_id: Some(String::new()), ..plain() };
    session.ask("an empty transactional id", 4, empty)?;
    Ok(())
}

fn plain() -> InitProducerIdRequest {
    InitProducerIdRequest { transactional_id: None, transaction_timeout_ms: i32::MAX, ..Default::default() }
}

fn describe(session: &mut Session) -> Result<()> {
    let describing = |name: &str, partition_indexes: &[i32]| DescribeProducersRequest {
        topics: vec![TopicRequest {
            name: name.to_owned(),
            partition_indexes: partition_indexes.to_vec(),
            ..Default::default()
        }],
        ..Default::default()
    };
    session.ask("describe producers", 0, describing("plain", &[0]))?;
    session.ask("describe two partitions' producers", 0, describing("plain", &[1, 0]))?;
    session.ask("describe an unknown partition's producers", 0, describing("plain", &[9]))?;
    session.ask("describe an unknown topic's producers", 0, describing("unknown", &[0]))?;
    session.ask("describe an illegal topic's producers", 0, describing("a b", &[0]))?;
    session.ask("describe no producers", 0, DescribeProducersRequest::default())?;
    Ok(())
}

fn batch(producer_id: i64, epoch: i16, sequence: i32, count: usize) -> Bytes {
    let mut builder = BatchBuilder::new(0).producer(producer_id, epoch, sequence);
    for _ in 0..count {
        builder.append(TIMESTAMP, Some(b"k"), Some(b"v"), &[]);
    }
    builder.build()
}
