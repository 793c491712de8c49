//! Offset commits: what one costs, how long one takes, how long 100,000 take to load, and what a group weighs.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use bytes::Bytes;
use hdrhistogram::Histogram;
use protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use protocol::messages::{FindCoordinatorRequest, OffsetCommitRequest, OffsetFetchRequest};

use super::Turn;
use crate::connection::{Connection, encode};

const COMMIT_VERSION: i16 = 8;
const FETCH_VERSION: i16 = 8;
const TOPIC: &str = "committed";
const PARTITIONS: i32 = 10;
/// Groups that commit at the same time, each on its own connection.
const CONNECTIONS: usize = 16;
/// Groups with ten offsets each: 100,000 offsets.
const MANY_GROUPS: usize = 10_000;
const LOAD_LIMIT: Duration = Duration::from_secs(120);

/// Rows: CPU per commit, commit latency.
pub fn measure(turn: &mut Turn<'_>) -> Result<()> {
    let mut connection = turn.connect()?;
    connection.create_topic(TOPIC, PARTITIONS, &[])?;
    await_coordinator(&mut connection, 0)?;
    let (warm_up, seconds) =
        (Duration::from_secs_f64(turn.options.warm_up), Duration::from_secs_f64(turn.options.seconds));
    closed_loop(turn, warm_up)?;
    let before = turn.server.cpu_seconds()?;
    let commits = closed_loop(turn, seconds)?;
    let cpu = turn.server.cpu_seconds()? - before;
    (turn.record)("CPU per offset commit", "µs", cpu * 1e6 / commits as f64);
    (turn.record)("offset commits per CPU second", "commits", commits as f64 / cpu);
    let mut histogram = Histogram::<u64>::new(3)?;
    let mut frame = encode(COMMIT_VERSION, &committing("alone", 1))?;
    let started = Instant::now();
    while started.elapsed() < seconds {
        let asked = Instant::now();
        connection.send(&mut frame, 1)?;
        check(connection.receive()?)?;
        histogram.record(u64::try_from(asked.elapsed().as_micros())?)?;
    }
    (turn.record)("offset commit, p50", "µs", histogram.value_at_quantile(0.5) as f64);
    (turn.record)("offset commit, p99", "µs", histogram.value_at_quantile(0.99) as f64);
    Ok(())
}

/// Waits until a coordinator (of groups: 0, of transactions: 1) is there.
pub(super) fn await_coordinator(connection: &mut Connection, key_type: i8) -> Result<()> {
    let request =
        FindCoordinatorRequest { key_type, coordinator_keys: vec!["any".to_string()], ..Default::default() };
    let started = Instant::now();
    while connection.call(4, &request)?.coordinators.iter().any(|found| found.error_code != 0) {
        ensure!(started.elapsed() < LOAD_LIMIT, "no coordinator");
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// How many commits were answered.
fn closed_loop(turn: &Turn<'_>, duration: Duration) -> Result<u64> {
    let mut loops = Vec::new();
    for number in 0..CONNECTIONS {
        let mut connection = turn.connect()?;
        let request = committing(&format!("group-{number}"), 1);
        // The first commits of a group find its coordinator loading.
        while connection.call(COMMIT_VERSION, &request)?.topics[0].partitions[0].error_code != 0 {}
        let mut frame = encode(COMMIT_VERSION, &request)?;
        connection.send(&mut frame, 1)?;
        loops.push((connection, frame));
    }
    let started = Instant::now();
    let mut commits = 0;
    while started.elapsed() < duration {
        for (connection, frame) in &mut loops {
            connection.receive()?;
            connection.send(frame, 1)?;
            commits += 1;
        }
    }
    for (connection, _) in &mut loops {
        check(connection.receive()?)?;
        commits += 1;
    }
    Ok(commits)
}

fn check(answer: &[u8]) -> Result<()> {
    let answer = Bytes::copy_from_slice(answer);
    let (_, response) = protocol::decode_response::<OffsetCommitRequest>(COMMIT_VERSION, answer)?;
    let mut partitions = response.topics.iter().flat_map(|topic| &topic.partitions);
    ensure!(partitions.all(|partition| partition.error_code == 0), "{response:?}");
    Ok(())
}

fn committing(group: &str, partitions: i32) -> OffsetCommitRequest {
    let partition = |partition_index| OffsetCommitRequestPartition {
        partition_index,
        committed_offset: 42,
        committed_metadata: Some(String::new()),
        ..Default::default()
    };
    let topic = OffsetCommitRequestTopic {
        name: TOPIC.to_string(),
        partitions: (0..partitions).map(partition).collect(),
        ..Default::default()
    };
    OffsetCommitRequest { group_id: group.to_string(), topics: vec![topic], ..Default::default() }
}

/// Rows: memory per idle group, and the time from a restart until all of 100,000 offsets can be read.
pub fn measure_load(turn: &mut Turn<'_>) -> Result<()> {
    let mut connection = turn.connect()?;
    connection.create_topic(TOPIC, PARTITIONS, &[])?;
    await_coordinator(&mut connection, 0)?;
    let before = turn.server.resident_mib()?;
    let groups: Vec<String> = (0..MANY_GROUPS).map(|number| format!("idle-{number}")).collect();
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        connections.push(turn.connect()?);
    }
    for groups in groups.chunks(CONNECTIONS) {
        for (group, connection) in groups.iter().zip(&mut connections) {
            let mut frame = encode(COMMIT_VERSION, &committing(group, PARTITIONS))?;
            connection.send(&mut frame, 1)?;
        }
        for (group, connection) in groups.iter().zip(&mut connections) {
            if check(connection.receive()?).is_err() {
                let request = committing(group, PARTITIONS);
                while connection.call(COMMIT_VERSION, &request)?.topics[0].partitions[0].error_code != 0 {}
            }
        }
    }
    let kib = (turn.server.resident_mib()? - before) * 1024.0;
    (turn.record)("memory per idle group with ten offsets", "KiB", kib / MANY_GROUPS as f64);
    let started = turn.server.restart()?;
    let mut connection = turn.connect()?;
    for groups in groups.chunks(500) {
        await_offsets(&mut connection, groups)?;
    }
    let seconds = started.elapsed().as_secs_f64();
    (turn.record)("restart until 100,000 offsets are read", "ms", seconds * 1e3);
    Ok(())
}

/// Asks until every group's offsets are there.
fn await_offsets(connection: &mut Connection, groups: &[String]) -> Result<()> {
    let topics = vec![OffsetFetchRequestTopics {
        name: TOPIC.to_string(),
        partition_indexes: (0..PARTITIONS).collect(),
        ..Default::default()
    }];
    let group = |group_id: &String| OffsetFetchRequestGroup {
        group_id: group_id.clone(),
        topics: Some(topics.clone()),
        ..Default::default()
    };
    let request = OffsetFetchRequest { groups: groups.iter().map(group).collect(), ..Default::default() };
    let started = Instant::now();
    loop {
        let response = connection.call(FETCH_VERSION, &request)?;
        let is_loaded = response.groups.iter().all(|group| {
            let mut partitions = group.topics.iter().flat_map(|topic| &topic.partitions);
            group.error_code == 0 && partitions.all(|partition| partition.committed_offset == 42)
        });
        if is_loaded {
            return Ok(());
        }
        ensure!(started.elapsed() < LOAD_LIMIT, "offsets are not loaded");
        std::thread::sleep(Duration::from_millis(2));
    }
}
