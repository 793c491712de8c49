//! InitProducerId with a transactional id, AddPartitionsToTxn, AddOffsetsToTxn, TxnOffsetCommit, EndTxn and WriteTxnMarkers.

use anyhow::Result;
use bytes::Bytes;
use protocol::Uuid;
use protocol::messages::add_partitions_to_txn_request::{
    AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction,
};
use protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use protocol::messages::produce_request::ProduceRequest;
use protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use protocol::messages::write_txn_markers_request::{WritableTxnMarker, WritableTxnMarkerTopic};
use protocol::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, DescribeTransactionsRequest, EndTxnRequest,
    FindCoordinatorRequest, InitProducerIdRequest, OffsetFetchRequest, TxnOffsetCommitRequest,
    WriteTxnMarkersRequest,
};
use records::BatchBuilder;

use super::group_membership::wait_for_coordinator;
use super::produce::{TIMESTAMP, producing};
use crate::session::Session;

const TRANSACTION: i8 = 1;
/// COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR, CONCURRENT_TRANSACTIONS
const NOT_YET: [i16; 4] = [14, 15, 16, 51];

/// A producer as the coordinator knows it.
#[derive(Clone, Copy)]
pub struct Producer {
    pub id: i64,
    pub epoch: i16,
}

pub fn ask(session: &mut Session) -> Result<()> {
    let id = session.create_topic("plain", 2)?;
    wait_for_coordinator(session)?;
    wait_for_transactions(session)?;
    producers(session)?;
    old_protocol(session)?;
    new_protocol(session)?;
    offsets(session, id)?;
    fencing(session)?;
    markers(session)
}

/// Waits until transactions can be served. Records nothing.
pub fn wait_for_transactions(session: &mut Session) -> Result<()> {
    let find = FindCoordinatorRequest {
        key_type: TRANSACTION,
        coordinator_keys: vec!["any".to_owned()],
        ..Default::default()
    };
    session.until(4, find, |response| response.coordinators.iter().all(|found| found.error_code == 0))?;
    session.wait_for_topic("__transaction_state")?;
    let probe = |number: i32| DescribeTransactionsRequest {
        transactional_ids: vec![format!("probe-{number}")],
        ..Default::default()
    };
    for number in 0..200 {
        session.until(0, probe(number), |response| {
            response.transaction_states.iter().all(|state| !NOT_YET.contains(&state.error_code))
        })?;
    }
    session.until(4, InitProducerIdRequest { transactional_id: None, ..initializing("") }, |response| {
        response.error_code == 0
    })?;
    Ok(())
}

/// Takes the transactional id, once what may be under way there is done.
pub fn take(session: &mut Session, transactional_id: &str) -> Result<Producer> {
    let taken = session
        .until(5, initializing(transactional_id), |response| !NOT_YET.contains(&response.error_code))?;
    Ok(Producer { id: taken.producer_id, epoch: taken.producer_epoch })
}

fn producers(session: &mut Session) -> Result<()> {
    for version in 0..=5 {
        let name = format!("a transactional id, version {version}");
        session.ask(&name, version, initializing(&format!("taken-{version}")))?;
    }
    session.ask("the same one again", 5, initializing("taken-5"))?;
    session.ask("an empty one", 5, initializing(""))?;
    let timeout =
        |transaction_timeout_ms| InitProducerIdRequest { transaction_timeout_ms, ..initializing("timed") };
    session.ask("no timeout", 5, timeout(0))?;
    session.ask("a negative timeout", 5, timeout(-1))?;
    session.ask("a timeout too long", 5, timeout(900_001))?;
    session.ask("the longest timeout", 5, timeout(900_000))?;
    let known = take(session, "named")?;
    let named = |producer_id, producer_epoch| InitProducerIdRequest {
        producer_id,
        producer_epoch,
        ..initializing("named")
    };
    session.ask("the producer names itself", 5, named(known.id, known.epoch))?;
    session.ask("the producer repeats itself", 5, named(known.id, known.epoch))?;
    session.ask("the producer names an epoch long gone", 5, named(known.id, known.epoch - 1))?;
    session.ask("another producer names itself", 5, named(known.id + 77, known.epoch + 1))?;
    session.ask("an epoch without an id", 5, named(-1, 3))?;
    session.ask("an id without an epoch", 5, named(known.id, -1))?;
    Ok(())
}

/// Clients that add partitions themselves.
fn old_protocol(session: &mut Session) -> Result<()> {
    for version in 0..=3 {
        let id = format!("old-{version}");
        let producer = take(session, &id)?;
        session.ask(
            &format!("add partitions, version {version}"),
            version,
            adding(&id, producer, "plain", &[0, 1]),
        )?;
        session.ask(
            &format!("add offsets, version {version}"),
            version,
            adding_offsets(&id, producer, "group"),
        )?;
        session.ask(&format!("end, version {version}"), version, ending(&id, producer, version % 2 == 0))?;
    }
    let producer = take(session, "old")?;
    session.ask("end what was not begun", 4, ending("old", producer, true))?;
    session.ask("add an unknown topic", 3, adding("old", producer, "unknown", &[0]))?;
    session.ask("add an unknown partition", 3, adding("old", producer, "plain", &[0, 9]))?;
    session.ask("add nothing", 3, adding("old", producer, "plain", &[]))?;
    let stranger = Producer { id: producer.id + 99, ..producer };
    let newer = Producer { epoch: producer.epoch + 1, ..producer };
    let older = Producer { epoch: producer.epoch - 1, ..producer };
    for (name, id, producer) in [
        ("another producer", "old", stranger),
        ("a newer epoch", "old", newer),
        ("an older epoch", "old", older),
        ("an id nobody knows", "unknown", producer),
        ("an empty id", "", producer),
    ] {
        for version in [1, 3] {
            session.ask(
                &format!("add partitions with {name}, version {version}"),
                version,
                adding(id, producer, "plain", &[0]),
            )?;
            session.ask(
                &format!("add offsets with {name}, version {version}"),
                version,
                adding_offsets(id, producer, "group"),
            )?;
            session.ask(
                &format!("end with {name}, version {version}"),
                version,
                ending(id, producer, true),
            )?;
        }
        session.ask(&format!("end with {name}, version 5"), 5, ending(id, producer, true))?;
    }
    session.ask("add offsets of a group without a name", 3, adding_offsets("old", producer, ""))?;
    session.ask("add a partition", 3, adding("old", producer, "plain", &[0]))?;
    session.ask("add it again", 3, adding("old", producer, "plain", &[0]))?;
    session.ask("abort", 4, ending("old", producer, false))?;
    let batched = |verify_only, epoch| AddPartitionsToTxnRequest {
        transactions: vec![AddPartitionsToTxnTransaction {
            transactional_id: "old".to_owned(),
            producer_id: producer.id,
            producer_epoch: epoch,
            verify_only,
            topics: vec![partitions_of("plain", &[0])],
            ..Default::default()
        }],
        ..Default::default()
    };
    session.until(4, batched(true, producer.epoch), |response| {
        let topics = response.results_by_transaction.iter().flat_map(|result| &result.topic_results);
        topics
            .flat_map(|topic| &topic.results_by_partition)
            .all(|partition| !NOT_YET.contains(&partition.partition_error_code))
    })?;
    for version in 4..=5 {
        session.ask(
            &format!("verify what is not added, version {version}"),
            version,
            batched(true, producer.epoch),
        )?;
        session.ask(
            &format!("verify with a newer epoch, version {version}"),
            version,
            batched(true, producer.epoch + 1),
        )?;
        session.ask(&format!("a broker adds, version {version}"), version, batched(false, producer.epoch))?;
        session.ask(
            &format!("verify what is added, version {version}"),
            version,
            batched(true, producer.epoch),
        )?;
    }
    Ok(())
}

/// Clients whose partitions are added as they produce; each end gives a new epoch.
fn new_protocol(session: &mut Session) -> Result<()> {
    let producer = take(session, "new")?;
    session.ask("abort what was not begun", 5, ending("new", producer, false))?;
    let producer = take(session, "new")?;
    session.ask("commit what was not begun", 5, ending("new", producer, true))?;
    let written = session.ask("produce adds the partition", 12, sending("new", producer, 0))?;
    anyhow::ensure!(written.responses.len() == 1, "{written:?}");
    let ended = session.ask("commit gives the next epoch", 5, ending("new", producer, true))?;
    session.ask("commit again with the old epoch", 5, ending("new", producer, true))?;
    session.ask("abort with the old epoch", 5, ending("new", producer, false))?;
    let next = Producer { id: ended.producer_id, epoch: ended.producer_epoch };
    session.until(12, sending("new", next, 0), |response| {
        response
            .responses
            .iter()
            .flat_map(|topic| &topic.partition_responses)
            .all(|done| done.error_code == 0)
    })?;
    session.ask("the old epoch writes", 12, sending("new", producer, 0))?;
    session.ask("abort gives the next epoch", 5, ending("new", next, false))?;
    session.ask(
        "a producer nobody knows writes",
        12,
        sending("unknown", Producer { id: 424_242, epoch: 0 }, 0),
    )?;
    let describing =
        DescribeTransactionsRequest { transactional_ids: vec!["new".to_owned()], ..Default::default() };
    session.until(0, describing, |response| {
        response.transaction_states.iter().all(|state| state.transaction_state == "CompleteAbort")
    })?;
    session.ask(
        "before version 12 nothing was added",
        11,
        sending("new", Producer { epoch: next.epoch + 1, ..next }, 0),
    )?;
    Ok(())
}

fn offsets(session: &mut Session, id: Uuid) -> Result<()> {
    for version in 0..=6 {
        let name = format!("offsets-{version}");
        let producer = take(session, &name)?;
        if version < 5 {
            session.quietly(3, adding_offsets(&name, producer, "group"))?;
        }
        let mut request = storing(&name, producer, &[(0, 10), (1, 11), (9, 12)]);
        if version >= 6 {
            (request.topics[0].name, request.topics[0].topic_id) = (String::new(), id);
        }
        session.ask(&format!("store offsets, version {version}"), version, request)?;
        session.quietly(4, ending(&name, producer, false))?;
    }
    let producer = take(session, "stores")?;
    let with = |change: &dyn Fn(&mut TxnOffsetCommitRequest)| {
        let mut request = storing("stores", producer, &[(0, 20)]);
        change(&mut request);
        request
    };
    session.ask("store offsets of nothing that was added", 4, with(&|_| {}))?;
    session.ask("store offsets of a group without a name", 5, with(&|store| store.group_id.clear()))?;
    session.ask("store offsets with a newer epoch", 5, with(&|store| store.producer_epoch += 1))?;
    session.ask(
        "store offsets under another id",
        5,
        with(&|store| store.transactional_id = "unknown".to_owned()),
    )?;
    session.ask(
        "store offsets as a member nobody knows",
        5,
        with(&|store| store.member_id = "nobody".to_owned()),
    )?;
    session.ask(
        "store offsets of a generation nobody knows",
        5,
        with(&|store| store.generation_id_or_member_epoch = 3),
    )?;
    session.ask(
        "store offsets of an unknown topic",
        5,
        with(&|store| store.topics[0].name = "unknown".to_owned()),
    )?;
    session.ask(
        "store offsets of an unknown topic id",
        6,
        with(&|store| {
            store.topics[0].name.clear();
            store.topics[0].topic_id = Uuid::from_u128(u128::MAX / 7);
        }),
    )?;
    session.ask(
        "store too much metadata",
        5,
        with(&|store| {
            store.topics[0].partitions[0].committed_metadata = Some("m".repeat(4097));
        }),
    )?;
    session.ask("store offsets", 5, with(&|_| {}))?;
    let fetching = |require_stable| OffsetFetchRequest {
        groups: vec![OffsetFetchRequestGroup {
            group_id: "group".to_owned(),
            topics: Some(vec![OffsetFetchRequestTopics {
                name: "plain".to_owned(),
                partition_indexes: vec![0, 1],
                ..Default::default()
            }]),
            ..Default::default()
        }],
        require_stable,
        ..Default::default()
    };
    session.ask("offsets that are not stable", 9, fetching(true))?;
    session.ask("offsets before the commit", 9, fetching(false))?;
    session.ask("commit offsets", 5, ending("stores", producer, true))?;
    let is_there = |response: &protocol::messages::OffsetFetchResponse| {
        let topics = response.groups.iter().flat_map(|group| &group.topics);
        topics.flat_map(|topic| &topic.partitions).any(|partition| partition.committed_offset == 20)
    };
    session.ask_until("offsets after the commit", 9, fetching(true), is_there)?;
    Ok(())
}

fn fencing(session: &mut Session) -> Result<()> {
    let first = take(session, "fenced")?;
    session.ask("the first instance writes", 12, sending("fenced", first, 1))?;
    session.ask("the second instance comes while a transaction is open", 5, initializing("fenced"))?;
    let second = take(session, "fenced")?;
    session.ask("the first instance writes again", 12, sending("fenced", first, 1))?;
    session.ask("the first instance commits", 5, ending("fenced", first, true))?;
    session.ask("the first instance adds", 3, adding("fenced", first, "plain", &[0]))?;
    session.ask("the first instance stores offsets", 5, storing("fenced", first, &[(0, 30)]))?;
    session.ask(
        "the first instance names itself",
        5,
        InitProducerIdRequest {
            producer_id: first.id,
            producer_epoch: first.epoch,
            ..initializing("fenced")
        },
    )?;
    let third = Producer { epoch: second.epoch, ..second };
    session.ask("the second instance ends what it has not begun", 5, ending("fenced", third, true))?;
    Ok(())
}

fn markers(session: &mut Session) -> Result<()> {
    let producer = take(session, "marked")?;
    session.quietly(12, sending("marked", producer, 0))?;
    for version in 1..=2 {
        session.ask(
            &format!("a marker of an older epoch, version {version}"),
            version,
            marking(Producer { epoch: producer.epoch - 1, ..producer }, "plain", 0, 0),
        )?;
    }
    session.ask("a marker for an unknown topic", 1, marking(producer, "unknown", 0, 0))?;
    session.ask("a marker for an unknown partition", 1, marking(producer, "plain", 9, 0))?;
    session.ask("a marker ends a transaction", 1, marking(producer, "plain", 0, 0))?;
    session.ask("the marker again", 1, marking(producer, "plain", 0, 0))?;
    session.ask(
        "a marker of a producer nobody knows",
        1,
        marking(Producer { id: 515_151, epoch: 3 }, "plain", 0, 0),
    )?;
    session.ask("no markers", 1, WriteTxnMarkersRequest::default())?;
    Ok(())
}

pub fn initializing(transactional_id: &str) -> InitProducerIdRequest {
    InitProducerIdRequest {
        transactional_id: Some(transactional_id.to_owned()),
        transaction_timeout_ms: 60_000,
        ..Default::default()
    }
}

fn partitions_of(topic: &str, partitions: &[i32]) -> AddPartitionsToTxnTopic {
    AddPartitionsToTxnTopic { name: topic.to_owned(), partitions: partitions.to_vec(), ..Default::default() }
}

fn adding(
    transactional_id: &str,
    producer: Producer,
    topic: &str,
    partitions: &[i32],
) -> AddPartitionsToTxnRequest {
    AddPartitionsToTxnRequest {
        v3_and_below_transactional_id: transactional_id.to_owned(),
        v3_and_below_producer_id: producer.id,
        v3_and_below_producer_epoch: producer.epoch,
        v3_and_below_topics: vec![partitions_of(topic, partitions)],
        ..Default::default()
    }
}

fn adding_offsets(transactional_id: &str, producer: Producer, group_id: &str) -> AddOffsetsToTxnRequest {
    AddOffsetsToTxnRequest {
        transactional_id: transactional_id.to_owned(),
        producer_id: producer.id,
        producer_epoch: producer.epoch,
        group_id: group_id.to_owned(),
        ..Default::default()
    }
}

pub fn ending(transactional_id: &str, producer: Producer, committed: bool) -> EndTxnRequest {
    EndTxnRequest {
        transactional_id: transactional_id.to_owned(),
        producer_id: producer.id,
        producer_epoch: producer.epoch,
        committed,
        ..Default::default()
    }
}

fn storing(transactional_id: &str, producer: Producer, offsets: &[(i32, i64)]) -> TxnOffsetCommitRequest {
    let partition = |(index, offset): &(i32, i64)| TxnOffsetCommitRequestPartition {
        partition_index: *index,
        committed_offset: *offset,
        committed_metadata: Some("a note".to_owned()),
        ..Default::default()
    };
    let topic = TxnOffsetCommitRequestTopic {
        name: "plain".to_owned(),
        partitions: offsets.iter().map(partition).collect(),
        ..Default::default()
    };
    TxnOffsetCommitRequest {
        transactional_id: transactional_id.to_owned(),
        group_id: "group".to_owned(),
        producer_id: producer.id,
        producer_epoch: producer.epoch,
        topics: vec![topic],
        ..Default::default()
    }
}

/// The first record of a transaction.
pub fn sending(transactional_id: &str, producer: Producer, partition: i32) -> ProduceRequest {
    let mut builder = BatchBuilder::new(0).producer(producer.id, producer.epoch, 0).transactional();
    builder.append(TIMESTAMP, Some(b"k"), Some(b"v"), &[]);
    let bytes: Bytes = builder.build();
    ProduceRequest {
        transactional_id: Some(transactional_id.to_owned()),
        ..producing("plain", partition, bytes)
    }
}

fn marking(
    producer: Producer,
    topic: &str,
    partition: i32,
    coordinator_epoch: i32,
) -> WriteTxnMarkersRequest {
    let topic = WritableTxnMarkerTopic {
        name: topic.to_owned(),
        partition_indexes: vec![partition],
        ..Default::default()
    };
    let marker = WritableTxnMarker {
        producer_id: producer.id,
        producer_epoch: producer.epoch,
        transaction_result: true,
        topics: vec![topic],
        coordinator_epoch,
        ..Default::default()
    };
    WriteTxnMarkersRequest { markers: vec![marker], ..Default::default() }
}
