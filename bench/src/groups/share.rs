//! A share group's only member reads and acknowledges as fast as it is answered.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use protocol::Uuid;
use protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use protocol::messages::share_fetch_request::{AcknowledgementBatch, FetchPartition, FetchTopic};
use protocol::messages::{IncrementalAlterConfigsRequest, ShareFetchRequest, ShareGroupHeartbeatRequest};

use super::Turn;
use super::commits::await_coordinator;
use crate::connection::{Connection, check_produced, produce_frame};

const TOPIC: &str = "shared";
const GROUP: &str = "sharers";
const MEMBER: &str = "0hkzdNcgRt-zaOWYqbfrGA";
/// A type of config resource.
const GROUP_RESOURCE: i8 = 32;
const FETCH_VERSION: i16 = 1;
const HEARTBEAT_VERSION: i16 = 1;
/// About 130 records of 100 bytes each.
const BATCHES: usize = 4000;
const BATCH_BYTES: usize = 16_384;
/// The part of the records that nobody measures.
const WARM_UP_ONE_IN: u64 = 4;
const LIMIT: Duration = Duration::from_secs(60);

/// Row: records per CPU second.
pub fn measure(turn: &mut Turn<'_>) -> Result<()> {
    let mut connection = turn.connect()?;
    connection.create_topic(TOPIC, 1, &[("retention.ms", "-1")])?;
    await_coordinator(&mut connection, 0)?;
    read_from_the_start(&mut connection)?;
    let records_per_batch = fill(&mut connection)?;
    let topic_id = join(&mut connection)?;
    let mut reader = Reader { topic_id, epoch: 0, acquired: Vec::new() };
    let sent = u64::try_from(BATCHES * records_per_batch)?;
    reader.read(&mut connection, sent / WARM_UP_ONE_IN)?;
    let before = turn.server.cpu_seconds()?;
    let started = Instant::now();
    let records = reader.read(&mut connection, sent - sent / WARM_UP_ONE_IN)?;
    let cpu = turn.server.cpu_seconds()? - before;
    let seconds = started.elapsed().as_secs_f64();
    (turn.record)("CPU per share-group record", "µs", cpu * 1e6 / records as f64);
    (turn.record)("share-group records per CPU second", "records", records as f64 / cpu);
    (turn.record)("share-group records per second, one member", "records", records as f64 / seconds);
    Ok(())
}

fn read_from_the_start(connection: &mut Connection) -> Result<()> {
    let config = AlterableConfig {
        name: "share.auto.offset.reset".to_string(),
        value: Some("earliest".to_string()),
        ..Default::default()
    };
    let resource = AlterConfigsResource {
        resource_type: GROUP_RESOURCE,
        resource_name: GROUP.to_string(),
        configs: vec![config],
        ..Default::default()
    };
    let request = IncrementalAlterConfigsRequest { resources: vec![resource], ..Default::default() };
    let response = connection.call(1, &request)?;
    ensure!(response.responses.iter().all(|response| response.error_code == 0), "{response:?}");
    Ok(())
}

/// How many records each batch has.
fn fill(connection: &mut Connection) -> Result<usize> {
    let (mut frame, count) = produce_frame(TOPIC, 0, 1, BATCH_BYTES, 100)?;
    for _ in 0..BATCHES {
        connection.send(&mut frame, 1)?;
        check_produced(connection.receive()?)?;
    }
    Ok(count)
}

/// Joins the group and waits for the partition; the topic's id.
fn join(connection: &mut Connection) -> Result<Uuid> {
    let request = ShareGroupHeartbeatRequest {
        group_id: GROUP.to_string(),
        member_id: MEMBER.to_string(),
        subscribed_topic_names: Some(vec![TOPIC.to_string()]),
        ..Default::default()
    };
    let started = Instant::now();
    loop {
        let response = connection.call(HEARTBEAT_VERSION, &request)?;
        let mut topics = response.assignment.iter().flat_map(|assignment| &assignment.topic_partitions);
        if let Some(topic) = topics.next() {
            return Ok(topic.topic_id);
        }
        ensure!(started.elapsed() < LIMIT, "no assignment: {response:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A share session.
struct Reader {
    topic_id: Uuid,
    epoch: i32,
    /// To be acknowledged with the next fetch.
    acquired: Vec<(i64, i64)>,
}

impl Reader {
    /// At least so many records, each acknowledged with the fetch behind it, as far as there are any; how many came.
    fn read(&mut self, connection: &mut Connection, count: u64) -> Result<u64> {
        let started = Instant::now();
        let mut records = 0;
        let mut is_over = false;
        while records < count && !is_over {
            ensure!(started.elapsed() < LIMIT, "{records} of {count} records");
            let response = connection.call(FETCH_VERSION, &self.request())?;
            ensure!(response.error_code == 0, "error {}", response.error_code);
            self.epoch += 1;
            self.acquired.clear();
            let before = records;
            for partition in response.responses.iter().flat_map(|topic| &topic.partitions) {
                ensure!(partition.error_code == 0, "error {}", partition.error_code);
                ensure!(partition.acknowledge_error_code == 0, "error {}", partition.acknowledge_error_code);
                for range in &partition.acquired_records {
                    self.acquired.push((range.first_offset, range.last_offset));
                    records += u64::try_from(range.last_offset - range.first_offset + 1)?;
                }
            }
            // The warm-up may have taken a few more than it should.
            is_over = records == before && records > count / 2;
        }
        Ok(records)
    }

    fn request(&self) -> ShareFetchRequest {
        let accepted = |(first_offset, last_offset): &(i64, i64)| AcknowledgementBatch {
            first_offset: *first_offset,
            last_offset: *last_offset,
            acknowledge_types: vec![1],
            ..Default::default()
        };
        let partition = FetchPartition {
            acknowledgement_batches: self.acquired.iter().map(accepted).collect(),
            ..Default::default()
        };
        let topic = FetchTopic { topic_id: self.topic_id, partitions: vec![partition], ..Default::default() };
        ShareFetchRequest {
            group_id: Some(GROUP.to_string()),
            member_id: Some(MEMBER.to_string()),
            share_session_epoch: self.epoch,
            max_wait_ms: 500,
            min_bytes: 1,
            max_bytes: 1 << 20,
            max_records: 500,
            batch_size: 500,
            topics: vec![topic],
            ..Default::default()
        }
    }
}
