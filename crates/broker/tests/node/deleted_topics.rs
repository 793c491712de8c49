//! Topics that go, and come back under the same name, while clients use them.

use std::collections::BTreeSet;
use std::thread;

use anyhow::{Context, Result, ensure};
use protocol::ErrorCode;
use protocol::messages::DeleteRecordsRequest;
use protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use storage::disk::{CrashStyle, Disk, Fault, FaultedCall};
use testkit::calls::{
    batch, create_topic, delete_topic, fetch, produce, receive_fetch, receive_produce, send_fetch,
    send_produce,
};

use crate::harness::{Fixture, IO_ERROR, TWO_DIRECTORIES};

#[test]
fn whoever_waits_for_a_topic_is_told_when_it_goes() -> Result<()> {
    let fixture = Fixture::start(&[TWO_DIRECTORIES])?;
    let (mut producer, mut consumer, mut admin) = (fixture.client()?, fixture.client()?, fixture.client()?);
    create_topic(&mut admin, "t", 1, &[])?;
    produce(&mut producer, "t", &["old"])?;
    send_fetch(&mut consumer, "t", 1, 1_000_000)?;
    fixture.gate.close_for("t-0");
    send_produce(&mut producer, "t", batch(&["never durable"]), -1, 1_000_000)?;
    // The log is renamed between two rounds of syncs, so that one must be over: the gate opens before.
    let deleting = thread::spawn(move || delete_topic(&mut admin, "t").map(|()| admin));
    let row = receive_fetch(&mut consumer)?;
    let told = ErrorCode::from_i16(row.error_code);
    ensure!(
        matches!(told, Some(ErrorCode::UnknownTopicOrPartition | ErrorCode::NotLeaderOrFollower)),
        "the parked fetch was answered with {told:?}"
    );
    assert_eq!(
        ErrorCode::from_i16(receive_produce(&mut producer)?.error_code),
        Some(ErrorCode::NotLeaderOrFollower)
    );
    fixture.gate.open();
    let mut admin = deleting.join().expect("deleting does not panic")?;
    create_topic(&mut admin, "t", 1, &[])?;
    assert_eq!(fetch(&mut consumer, "t", 0)?, (ErrorCode::None, Vec::new()));
    assert_eq!(produce(&mut producer, "t", &["new"])?, 0);
    Ok(())
}

#[test]
fn a_name_changes_hands_under_load() -> Result<()> {
    let fixture = Fixture::start(&[])?;
    let mut admin = fixture.client()?;
    create_topic(&mut admin, "t", 1, &[])?;
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let mut client = fixture.client()?;
    let producer = thread::spawn(move || -> Result<BTreeSet<i16>> {
        let mut errors = BTreeSet::new();
        while stopped.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
            for acks in [1, -1] {
                send_produce(&mut client, "t", batch(&["x"]), acks, 30_000)?;
            }
            errors
                .extend([receive_produce(&mut client)?.error_code, receive_produce(&mut client)?.error_code]);
            send_fetch(&mut client, "t", 0, 0)?;
            errors.insert(receive_fetch(&mut client)?.error_code);
        }
        Ok(errors)
    });
    for _ in 0..25 {
        delete_topic(&mut admin, "t")?;
        create_topic(&mut admin, "t", 1, &[])?;
    }
    drop(stop);
    let errors = producer.join().expect("producing does not panic")?;
    let expected = [ErrorCode::None, ErrorCode::UnknownTopicOrPartition, ErrorCode::NotLeaderOrFollower];
    let expected = expected.map(ErrorCode::as_i16);
    ensure!(errors.iter().all(|error| expected.contains(error)), "{errors:?}");
    delete_topic(&mut admin, "t")?;
    create_topic(&mut admin, "t", 1, &[])?;
    assert_eq!(produce(&mut admin, "t", &["first"])?, 0);
    Ok(())
}

#[test]
fn a_log_whose_deletion_was_cut_off_does_not_come_back_in_a_topic_of_the_same_name() -> Result<()> {
    let before = Fixture::start(&[TWO_DIRECTORIES])?;
    let mut client = before.client()?;
    create_topic(&mut client, "t", 1, &[])?;
    produce(&mut client, "t", &["deleted"])?;
    before.sim.inject(Fault::errno(FaultedCall::Rename, "t-0", IO_ERROR));
    delete_topic(&mut client, "t")?;
    let after = Fixture::start_on(before.sim.crash_image(CrashStyle::KeepAll), &[TWO_DIRECTORIES])?;
    let mut client = after.client()?;
    assert_eq!(fetch(&mut client, "t", 0)?.0, ErrorCode::UnknownTopicOrPartition);
    create_topic(&mut client, "t", 1, &[])?;
    assert_eq!(fetch(&mut client, "t", 0)?, (ErrorCode::None, Vec::new()));
    assert_eq!(produce(&mut client, "t", &["new"])?, 0);
    let names = after.sim.list(std::path::Path::new("/more"))?;
    ensure!(names.iter().any(|entry| entry.name.ends_with("-stray")), "{names:?}");
    Ok(())
}

#[test]
fn the_name_of_a_topic_whose_log_could_not_be_opened_can_be_used_again() -> Result<()> {
    let before = Fixture::start(&[])?;
    let mut client = before.client()?;
    create_topic(&mut client, "t", 1, &[])?;
    produce(&mut client, "t", &["damaged"])?;
    let sim = before.sim.clone();
    before.node.stop()?;
    sim.damage(std::path::Path::new("/data/t-0/partition.metadata"), 0, b"?")?;
    let after = Fixture::start_on(sim.clone(), &[])?;
    let mut client = after.client()?;
    assert_eq!(fetch(&mut client, "t", 0)?.0, ErrorCode::KafkaStorageError);
    delete_topic(&mut client, "t")?;
    create_topic(&mut client, "t", 1, &[])?;
    assert_eq!(fetch(&mut client, "t", 0)?, (ErrorCode::None, Vec::new()));
    assert_eq!(produce(&mut client, "t", &["new"])?, 0);
    Ok(())
}

#[test]
fn records_are_deleted_unless_the_topic_is_only_compacted() -> Result<()> {
    let fixture = Fixture::start(&[])?;
    let mut client = fixture.client()?;
    let cases = [
        ("compact", ErrorCode::PolicyViolation, ErrorCode::PolicyViolation),
        ("compact,delete", ErrorCode::None, ErrorCode::OffsetOutOfRange),
        ("", ErrorCode::None, ErrorCode::OffsetOutOfRange),
    ];
    for (index, (policy, within, beyond)) in cases.into_iter().enumerate() {
        let topic = format!("t{index}");
        create_topic(&mut client, &topic, 1, &[("cleanup.policy", policy)])?;
        for (offset, expected) in [(0, within), (99, beyond)] {
            let partition = DeleteRecordsPartition { partition_index: 0, offset, ..Default::default() };
            let asked =
                DeleteRecordsTopic { name: topic.clone(), partitions: vec![partition], ..Default::default() };
            let request =
                DeleteRecordsRequest { topics: vec![asked], timeout_ms: 30_000, ..Default::default() };
            let response = client.call(2, &request)?;
            let row = response.topics.first().and_then(|topic| topic.partitions.first());
            let row = row.context("an answer for the partition")?;
            let told = ErrorCode::from_i16(row.error_code);
            assert_eq!(told, Some(expected), "{policy:?}, before {offset}");
        }
    }
    Ok(())
}
