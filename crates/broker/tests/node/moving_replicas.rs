//! Replicas that move between log directories (AlterReplicaLogDirs, DescribeLogDirs).

use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use protocol::ErrorCode;
use protocol::messages::alter_replica_log_dirs_request::{AlterReplicaLogDir, AlterReplicaLogDirTopic};
use protocol::messages::{AlterReplicaLogDirsRequest, DescribeLogDirsRequest};
use storage::disk::{CrashStyle, Fault, FaultedCall};
use testkit::calls::{alter_config, create_topic, fetch, produce};
use testkit::raw_client::RawClient;

use crate::harness::{Fixture, IO_ERROR, PATIENCE, TWO_DIRECTORIES};

const SLOW: (&str, &str) = ("replica.alter.log.dirs.io.max.bytes.per.second", "1");

fn alter(client: &mut RawClient, path: &str, topic: &str) -> Result<ErrorCode> {
    let topics =
        vec![AlterReplicaLogDirTopic { name: topic.to_owned(), partitions: vec![0], ..Default::default() }];
    let dirs = vec![AlterReplicaLogDir { path: path.to_owned(), topics, ..Default::default() }];
    let response = client.call(2, &AlterReplicaLogDirsRequest { dirs, ..Default::default() })?;
    let topic = response.results.first().context("the topic asked for")?;
    let code = topic.partitions.first().context("its partition")?.error_code;
    ErrorCode::from_i16(code).context("a known code")
}

/// The directories of the topic: path, whether it is on its way there, and how far behind.
fn places(client: &mut RawClient, name: &str) -> Result<Vec<(String, bool, i64)>> {
    let response = client.call(4, &DescribeLogDirsRequest { topics: None, ..Default::default() })?;
    let mut found = Vec::new();
    for directory in response.results {
        for topic in directory.topics.iter().filter(|topic| topic.name == name) {
            let rows = topic.partitions.iter();
            found.extend(rows.map(|row| (directory.log_dir.clone(), row.is_future_key, row.offset_lag)));
        }
    }
    Ok(found)
}

fn wait_for(client: &mut RawClient, topic: &str, wanted: &[(String, bool, i64)]) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let found = places(client, topic)?;
        if found == wanted {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "{topic} lies in {found:?}, not in {wanted:?}");
        thread::yield_now();
    }
}

fn other(place: &str) -> &'static str {
    if place == "/data" { "/more" } else { "/data" }
}

/// A topic with records, and where it lies.
fn filled(client: &mut RawClient, topic: &str) -> Result<String> {
    create_topic(client, topic, 1, &[])?;
    for number in 0..50 {
        produce(client, topic, &[&format!("value {number}")])?;
    }
    Ok(places(client, topic)?.first().context("a directory")?.0.clone())
}

fn check_records(client: &mut RawClient, topic: &str, count: usize) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    let mut next = 0;
    while next < count {
        let (error, values) = fetch(client, topic, next as i64)?;
        if error == ErrorCode::NotLeaderOrFollower && Instant::now() < deadline {
            // After an unclean stop the leader's new epoch may still be on its way: clients ask again.
            thread::yield_now();
            continue;
        }
        ensure!(error == ErrorCode::None && !values.is_empty(), "{error:?} at {next}");
        for value in values {
            ensure!(value == format!("value {next}"), "{value} at {next}");
            next += 1;
        }
    }
    Ok(())
}

#[test]
fn a_replica_moves_with_all_its_records_and_goes_on() -> Result<()> {
    let fixture = Fixture::start(&[TWO_DIRECTORIES])?;
    let mut client = fixture.client()?;
    let from = filled(&mut client, "t")?;
    let to = other(&from);
    ensure!(alter(&mut client, to, "t")? == ErrorCode::None);
    wait_for(&mut client, "t", &[(to.to_owned(), false, 0)])?;
    check_records(&mut client, "t", 50)?;
    ensure!(produce(&mut client, "t", &["value 50"])? == 50);
    check_records(&mut client, "t", 51)?;
    // There and back again, and then the power goes.
    ensure!(alter(&mut client, &from, "t")? == ErrorCode::None);
    wait_for(&mut client, "t", &[(from.clone(), false, 0)])?;
    let fixture = Fixture::start_on(fixture.sim.crash_image(CrashStyle::DropAll), &[TWO_DIRECTORIES])?;
    let mut client = fixture.client()?;
    wait_for(&mut client, "t", &[(from, false, 0)])?;
    check_records(&mut client, "t", 51)
}

#[test]
fn a_move_is_seen_cancelled_and_taken_up_after_a_restart() -> Result<()> {
    let fixture = Fixture::start(&[TWO_DIRECTORIES, SLOW])?;
    let mut client = fixture.client()?;
    let (first, second) = (filled(&mut client, "first")?, filled(&mut client, "second")?);
    // The first piece of the first move is paid for a long time, so the second one does not begin.
    ensure!(alter(&mut client, other(&first), "first")? == ErrorCode::None);
    let deadline = Instant::now() + PATIENCE;
    while places(&mut client, "first")?.iter().any(|(_, is_future, lag)| *is_future && *lag > 0) {
        ensure!(Instant::now() < deadline);
        thread::yield_now();
    }
    ensure!(alter(&mut client, other(&second), "second")? == ErrorCode::None);
    let mut wanted = vec![(second.clone(), false, 0), (other(&second).to_owned(), true, 50)];
    wanted.sort();
    wait_for(&mut client, "second", &wanted)?;
    ensure!(alter(&mut client, &second, "second")? == ErrorCode::None);
    wait_for(&mut client, "second", &[(second.clone(), false, 0)])?;
    ensure!(alter(&mut client, other(&second), "second")? == ErrorCode::None);

    let fixture = Fixture::start_on(fixture.sim.crash_image(CrashStyle::KeepAll), &[TWO_DIRECTORIES])?;
    let mut client = fixture.client()?;
    for (topic, from) in [("first", &first), ("second", &second)] {
        wait_for(&mut client, topic, &[(other(from).to_owned(), false, 0)])?;
        check_records(&mut client, topic, 50)?;
    }
    Ok(())
}

#[test]
fn what_cannot_move_is_refused() -> Result<()> {
    let fixture = Fixture::start(&[TWO_DIRECTORIES])?;
    let mut client = fixture.client()?;
    let from = filled(&mut client, "t")?;
    ensure!(alter(&mut client, "/nowhere", "t")? == ErrorCode::LogDirNotFound);
    ensure!(alter(&mut client, "more", "t")? == ErrorCode::LogDirNotFound);
    ensure!(alter(&mut client, other(&from), "unknown")? == ErrorCode::UnknownTopicOrPartition);
    ensure!(alter(&mut client, &from, "__cluster_metadata")? == ErrorCode::InvalidTopicException);
    ensure!(alter(&mut client, &from, "t")? == ErrorCode::None);
    alter_config(&mut client, 4, "1", "cordoned.log.dirs", other(&from))?;
    ensure!(alter(&mut client, other(&from), "t")? == ErrorCode::InvalidReplicaAssignment);
    ensure!(places(&mut client, "t")? == [(from, false, 0)]);
    Ok(())
}

#[test]
fn a_directory_that_fails_ends_the_move_and_not_the_replica() -> Result<()> {
    let fixture = Fixture::start(&[TWO_DIRECTORIES])?;
    let mut client = fixture.client()?;
    let from = loop {
        let from = filled(&mut client, &format!("t{}", rand::random::<u32>()))?;
        // The metadata log must not fail.
        if from == "/data" {
            break from;
        }
    };
    let topics = client.call(4, &DescribeLogDirsRequest { topics: None, ..Default::default() })?;
    let row = topics.results.iter().find(|row| row.log_dir == from).context("the first directory")?;
    let topic = row.topics.first().context("the topic")?.name.clone();
    fixture.sim.inject(Fault::errno(FaultedCall::Write, "-future", IO_ERROR));
    ensure!(alter(&mut client, "/more", &topic)? == ErrorCode::KafkaStorageError);
    wait_for(&mut client, &topic, &[("/data".to_owned(), false, 0)])?;
    check_records(&mut client, &topic, 50)?;
    ensure!(produce(&mut client, &topic, &["value 50"])? == 50);
    Ok(())
}
