//! Disks that fail and disks that are full: who is told what, and what goes on.

use std::thread;
use std::time::Instant;

use anyhow::{Result, ensure};
use protocol::ErrorCode;
use storage::disk::{Fault, FaultedCall};
use testkit::calls::{
    batch, create_topic, fetch, produce, receive_fetch, receive_produce, send_fetch, send_produce,
};

use crate::harness::{Fixture, IO_ERROR, MOMENT, NO_SPACE, PATIENCE, TWO_DIRECTORIES};

#[test]
fn a_failed_directory_answers_everybody_who_waits_and_the_others_go_on() -> Result<()> {
    let fixture = Fixture::start(&[TWO_DIRECTORIES])?;
    let (mut producer, mut consumer, mut other) = (fixture.client()?, fixture.client()?, fixture.client()?);
    create_topic(&mut other, "fails", 1, &[])?;
    create_topic(&mut other, "works", 1, &[])?;
    produce(&mut other, "fails", &["before"])?;
    send_fetch(&mut consumer, "fails", 1, 1_000_000)?;
    fixture.gate.close_for("fails-0");
    send_produce(&mut producer, "fails", batch(&["doubtful"]), -1, 1_000_000)?;
    fixture.sim.inject(Fault::errno(FaultedCall::Sync, "fails-0", IO_ERROR));
    fixture.gate.open();
    assert_eq!(storage_error(receive_produce(&mut producer)?.error_code), Some(ErrorCode::KafkaStorageError));
    assert_eq!(storage_error(receive_fetch(&mut consumer)?.error_code), Some(ErrorCode::KafkaStorageError));
    let (error, _) = fetch(&mut consumer, "fails", 0)?;
    ensure!(
        matches!(error, ErrorCode::KafkaStorageError | ErrorCode::NotLeaderOrFollower),
        "a fetch from the failed directory was answered with {error:?}"
    );
    assert_eq!(produce(&mut other, "works", &["on"])?, 0);
    assert!(fixture.node.failed(MOMENT).is_err(), "one directory of two is left");
    Ok(())
}

#[test]
fn a_node_without_a_directory_left_says_so() -> Result<()> {
    let fixture = Fixture::start(&[])?;
    let mut client = fixture.client()?;
    create_topic(&mut client, "t", 1, &[])?;
    fixture.sim.inject(Fault::errno(FaultedCall::Sync, "t-0", IO_ERROR));
    send_produce(&mut client, "t", batch(&["doubtful"]), -1, 30_000)?;
    assert_eq!(storage_error(receive_produce(&mut client)?.error_code), Some(ErrorCode::KafkaStorageError));
    assert_eq!(fixture.node.failed(PATIENCE)?, "every log directory is offline");
    Ok(())
}

#[test]
fn a_full_disk_refuses_appends_and_takes_them_again() -> Result<()> {
    let fixture = Fixture::start(&[])?;
    let mut client = fixture.client()?;
    create_topic(&mut client, "t", 1, &[])?;
    produce(&mut client, "t", &["before"])?;
    fixture.sim.inject(Fault::errno(FaultedCall::Write, "t-0", NO_SPACE));
    send_produce(&mut client, "t", batch(&["too much"]), -1, 30_000)?;
    assert_eq!(storage_error(receive_produce(&mut client)?.error_code), Some(ErrorCode::KafkaStorageError));
    assert_eq!(fetch(&mut client, "t", 0)?.1, ["before"]);
    // Upkeep looks from time to time whether there is space again.
    let until = Instant::now() + PATIENCE;
    let offset = loop {
        match produce(&mut client, "t", &["after"]) {
            Err(_) if Instant::now() < until => thread::yield_now(),
            outcome => break outcome?,
        }
    };
    assert_eq!(offset, 1);
    Ok(())
}

#[test]
fn metadata_is_refused_before_a_full_disk_could_end_the_quorum() -> Result<()> {
    let fixture = Fixture::start(&[])?;
    let mut client = fixture.client()?;
    create_topic(&mut client, "t", 1, &[])?;
    fixture.gate.pretend_free(100_000);
    let refusal = create_topic(&mut client, "more", 1, &[]).expect_err("no room");
    let code = ErrorCode::KafkaStorageError.as_i16();
    ensure!(refusal.to_string().contains(&format!("error_code: {code},")), "{refusal}");
    assert_eq!(produce(&mut client, "t", &["goes on"])?, 0);
    fixture.gate.pretend_free(1 << 30);
    create_topic(&mut client, "more", 1, &[])?;
    assert!(fixture.node.failed(MOMENT).is_err());
    Ok(())
}

#[test]
fn a_metadata_log_that_cannot_be_written_ends_the_node_with_the_reason() -> Result<()> {
    let fixture = Fixture::start(&[TWO_DIRECTORIES])?;
    let mut client = fixture.client()?;
    fixture.sim.inject(Fault::errno(FaultedCall::Write, "__cluster_metadata-0/", IO_ERROR));
    assert!(create_topic(&mut client, "t", 1, &[]).is_err());
    let reason = fixture.node.failed(PATIENCE)?;
    ensure!(reason.contains("metadata"), "{reason}");
    Ok(())
}

#[test]
fn the_metadata_log_goes_on_in_the_reserve_of_a_full_disk() -> Result<()> {
    let fixture = Fixture::start(&[TWO_DIRECTORIES])?;
    let mut client = fixture.client()?;
    fixture.sim.inject(Fault::errno(FaultedCall::Write, "__cluster_metadata-0/", NO_SPACE));
    create_topic(&mut client, "t", 1, &[])?;
    assert!(fixture.node.failed(MOMENT).is_err());
    Ok(())
}

fn storage_error(error_code: i16) -> Option<ErrorCode> {
    ErrorCode::from_i16(error_code)
}
