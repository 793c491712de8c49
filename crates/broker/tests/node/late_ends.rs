//! Ends of a transaction that come late or again, as EndTxn or as markers: the transaction after is none of their business.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use protocol::ErrorCode::{self, InvalidProducerEpoch, InvalidTxnState, ProducerFenced};
use protocol::messages::add_partitions_to_txn_request::{
    AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction,
};
use protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use protocol::messages::write_txn_markers_request::{WritableTxnMarker, WritableTxnMarkerTopic};
use protocol::messages::{
    AddPartitionsToTxnRequest, EndTxnRequest, FetchRequest, InitProducerIdRequest, ProduceRequest,
    WriteTxnMarkersRequest,
};
use records::BatchBuilder;
use testkit::calls::{PRODUCE_VERSION, create_topic};
use testkit::raw_client::RawClient;

use crate::harness::Fixture;

const ID: &str = "tx";
const ATTEMPTS: usize = 100_000;
/// EndTxn and WriteTxnMarkers of `transaction.version` 2.
const END_VERSION: i16 = 5;
const MARKER_VERSION: i16 = 2;

fn error(code: i16) -> Result<ErrorCode> {
    ErrorCode::from_i16(code).context("an error code")
}

/// Old records would begin a segment of their own, and one fetch reads one segment.
fn now_ms() -> Result<i64> {
    Ok(i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?)
}

/// Whether what was asked is on its way and may be asked again.
fn is_passing(error: ErrorCode) -> bool {
    matches!(
        error,
        ErrorCode::ConcurrentTransactions
            | ErrorCode::CoordinatorNotAvailable
            | ErrorCode::CoordinatorLoadInProgress
            | ErrorCode::NotCoordinator
    )
}

/// One producer that says exactly what it is told to.
struct Producer {
    client: RawClient,
    id: i64,
    epoch: i16,
    next_sequence: i32,
}

impl Producer {
    fn begin(mut client: RawClient) -> Result<Self> {
        let find = protocol::messages::FindCoordinatorRequest {
            key_type: 1,
            coordinator_keys: vec![ID.to_owned()],
            ..Default::default()
        };
        let request = InitProducerIdRequest {
            transactional_id: Some(ID.to_owned()),
            transaction_timeout_ms: 60_000,
            producer_id: -1,
            producer_epoch: -1,
            ..Default::default()
        };
        for _ in 0..ATTEMPTS {
            client.call(4, &find)?;
            let answer = client.call(4, &request)?;
            match error(answer.error_code)? {
                ErrorCode::None => {
                    let (id, epoch) = (answer.producer_id, answer.producer_epoch);
                    return Ok(Producer { client, id, epoch, next_sequence: 0 });
                }
                passing => ensure!(is_passing(passing), "{answer:?}"),
            }
        }
        anyhow::bail!("no coordinator")
    }

    /// Sends one record, which makes the partition part of the transaction.
    fn send(&mut self, value: &str) -> Result<()> {
        for _ in 0..ATTEMPTS {
            let mut batch =
                BatchBuilder::new(0).producer(self.id, self.epoch, self.next_sequence).transactional();
            batch.append(now_ms()?, None, Some(value.as_bytes()), &[]);
            let data =
                PartitionProduceData { index: 0, records: Some(batch.build().into()), ..Default::default() };
            let topic =
                TopicProduceData { name: "t".to_owned(), partition_data: vec![data], ..Default::default() };
            let request = ProduceRequest {
                transactional_id: Some(ID.to_owned()),
                acks: -1,
                timeout_ms: 30_000,
                topic_data: vec![topic],
                ..Default::default()
            };
            let answer = self.client.call(PRODUCE_VERSION, &request)?;
            let row = answer.responses.first().and_then(|topic| topic.partition_responses.first());
            match error(row.context("an answer")?.error_code)? {
                ErrorCode::None => {
                    self.next_sequence += 1;
                    return Ok(());
                }
                passing => ensure!(is_passing(passing), "{answer:?}"),
            }
        }
        anyhow::bail!("the transaction before does not come to its end")
    }

    /// What EndTxn with this epoch is answered.
    fn end_at(&mut self, epoch: i16, committed: bool) -> Result<(ErrorCode, i16)> {
        let request = EndTxnRequest {
            transactional_id: ID.to_owned(),
            producer_id: self.id,
            producer_epoch: epoch,
            committed,
            ..Default::default()
        };
        for _ in 0..ATTEMPTS {
            let answer = self.client.call(END_VERSION, &request)?;
            let outcome = error(answer.error_code)?;
            if !is_passing(outcome) {
                return Ok((outcome, answer.producer_epoch));
            }
        }
        anyhow::bail!("the transaction before does not come to its end")
    }

    /// Ends its transaction and goes on with the epoch that follows.
    fn end(&mut self, committed: bool) -> Result<()> {
        let (outcome, epoch) = self.end_at(self.epoch, committed)?;
        ensure!(outcome == ErrorCode::None, "{outcome:?}");
        ensure!(epoch == self.epoch + 1, "every end has an epoch of its own: {epoch}");
        (self.epoch, self.next_sequence) = (epoch, 0);
        Ok(())
    }

    /// What a marker is answered, from whomever it comes.
    fn marker(&mut self, epoch: i16, committed: bool) -> Result<ErrorCode> {
        let topic =
            WritableTxnMarkerTopic { name: "t".to_owned(), partition_indexes: vec![0], ..Default::default() };
        let marker = WritableTxnMarker {
            producer_id: self.id,
            producer_epoch: epoch,
            transaction_result: committed,
            topics: vec![topic],
            coordinator_epoch: 1_000,
            transaction_version: 2,
            ..Default::default()
        };
        let request = WriteTxnMarkersRequest { markers: vec![marker], ..Default::default() };
        let answer = self.client.call(MARKER_VERSION, &request)?;
        let topic = answer.markers.first().and_then(|marker| marker.topics.first());
        let row = topic.and_then(|topic| topic.partitions.first()).context("an answer")?;
        error(row.error_code)
    }

    /// What `read_committed` shows of the partition.
    fn committed(&mut self) -> Result<Vec<String>> {
        let partition =
            FetchPartition { partition_max_bytes: 1 << 20, current_leader_epoch: -1, ..Default::default() };
        let topic = FetchTopic { topic: "t".to_owned(), partitions: vec![partition], ..Default::default() };
        let request = FetchRequest {
            replica_id: -1,
            max_bytes: 1 << 20,
            isolation_level: 1,
            session_epoch: -1,
            topics: vec![topic],
            ..Default::default()
        };
        let answer = self.client.call(12, &request)?;
        let row = answer.responses.into_iter().flat_map(|topic| topic.partitions).next();
        let row = row.context("an answer")?;
        let aborted: Vec<i64> =
            row.aborted_transactions.iter().flatten().map(|aborted| aborted.first_offset).collect();
        let bytes = row.records.unwrap_or_default().to_bytes().context("received into memory")?;
        let (mut values, mut is_aborted) = (Vec::new(), false);
        for batch in records::batches(&bytes) {
            let batch = batch?;
            if batch.header.is_control() {
                is_aborted = false;
                continue;
            }
            is_aborted |= aborted.contains(&batch.header.base_offset);
            for record in batch.records(usize::MAX)? {
                let value = record?.value.unwrap_or_default();
                if !is_aborted {
                    values.push(String::from_utf8(value.to_vec())?);
                }
            }
        }
        Ok(values)
    }

    /// Asks until the partition shows exactly this.
    fn shows(&mut self, expected: &[&str]) -> Result<()> {
        let mut seen = Vec::new();
        for _ in 0..ATTEMPTS {
            seen = self.committed()?;
            if seen == expected {
                return Ok(());
            }
        }
        anyhow::bail!("{seen:?} and not {expected:?}")
    }
}

/// The end of the first transaction comes again, in every form.
fn repeat_the_first(producer: &mut Producer, epoch: i16) -> Result<()> {
    for committed in [true, false] {
        let (outcome, _) = producer.end_at(epoch, committed)?;
        assert!(matches!(outcome, ProducerFenced | InvalidTxnState), "EndTxn {committed}: {outcome:?}");
        // The coordinator's marker had the epoch that followed, which is now the producer's own.
        for marker_epoch in [epoch, epoch + 1] {
            let outcome = producer.marker(marker_epoch, committed)?;
            assert_eq!(outcome, InvalidProducerEpoch, "marker {committed} at epoch {marker_epoch}");
        }
    }
    Ok(())
}

#[test]
fn late_and_repeated_ends_never_touch_the_transaction_after() -> Result<()> {
    for (first, second) in [(true, true), (true, false), (false, true), (false, false)] {
        let fixture = Fixture::start(&[])?;
        create_topic(&mut fixture.client()?, "t", 1, &[])?;
        let mut producer = Producer::begin(fixture.client()?)?;
        let epoch = producer.epoch;
        let mut expected: Vec<&str> = Vec::new();
        producer.send("first")?;
        producer.end(first)?;
        expected.extend(first.then_some("first"));
        producer.shows(&expected)?;
        producer.send("second")?;
        repeat_the_first(&mut producer, epoch)?;
        assert_eq!(producer.committed()?, expected, "the second transaction is open");
        producer.send("more")?;
        producer.end(second)?;
        if second {
            expected.extend(["second", "more"]);
        }
        // Once complete, its own end may come again; anything else may not.
        let repeated = producer.end_at(epoch + 1, second)?;
        assert_eq!(repeated, (ErrorCode::None, epoch + 2));
        let (contrary, _) = producer.end_at(epoch + 1, !second)?;
        assert_eq!(contrary, InvalidTxnState);
        producer.shows(&expected)?;
        assert_eq!(producer.marker(epoch + 1, !second)?, InvalidProducerEpoch);
        producer.send("third")?;
        repeat_the_first(&mut producer, epoch)?;
        assert_eq!(producer.marker(epoch + 2, false)?, InvalidProducerEpoch);
        producer.end(true)?;
        expected.push("third");
        producer.shows(&expected)?;
    }
    Ok(())
}

#[test]
fn a_fenced_producer_adds_nothing_and_is_told_so_in_a_batch() -> Result<()> {
    let fixture = Fixture::start(&[])?;
    create_topic(&mut fixture.client()?, "t", 1, &[])?;
    let old = Producer::begin(fixture.client()?)?;
    let mut new = Producer::begin(fixture.client()?)?;
    let transaction = |epoch, verify_only, partition| AddPartitionsToTxnTransaction {
        transactional_id: ID.to_owned(),
        producer_id: old.id,
        producer_epoch: epoch,
        verify_only,
        topics: vec![AddPartitionsToTxnTopic {
            name: "t".to_owned(),
            partitions: vec![partition],
            ..Default::default()
        }],
        ..Default::default()
    };
    let request = AddPartitionsToTxnRequest {
        transactions: vec![
            transaction(old.epoch, false, 0),
            transaction(new.epoch, true, 0),
            transaction(new.epoch, false, 9),
            transaction(new.epoch, false, 0),
            transaction(new.epoch, true, 0),
            transaction(old.epoch, true, 0),
        ],
        ..Default::default()
    };
    let answer = new.client.call(5, &request)?;
    let codes = answer.results_by_transaction.iter().map(|result| {
        let row = result.topic_results.first().and_then(|topic| topic.results_by_partition.first());
        error(row.context("an answer")?.partition_error_code)
    });
    let codes: Result<Vec<ErrorCode>> = codes.collect();
    assert_eq!(
        codes?,
        [
            ProducerFenced,
            ErrorCode::TransactionAbortable,
            ErrorCode::UnknownTopicOrPartition,
            ErrorCode::None,
            ErrorCode::None,
            ProducerFenced,
        ]
    );
    Ok(())
}
