//! The calls that most tests need, each as one function over a raw connection.

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use protocol::messages::delete_topics_request::DeleteTopicState;
use protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use protocol::messages::fetch_response::PartitionData;
use protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use protocol::messages::produce_response::PartitionProduceResponse;
use protocol::messages::{
    CreateTopicsRequest, DeleteTopicsRequest, FetchRequest, FetchResponse, IncrementalAlterConfigsRequest,
    ProduceRequest, ProduceResponse,
};
use protocol::{ErrorCode, Uuid};
use records::BatchBuilder;

use crate::raw_client::RawClient;

/// The version that [`send_produce`] speaks: the last one that names topics.
pub const PRODUCE_VERSION: i16 = 12;
/// The version that [`send_fetch`] speaks: the last one that names topics.
pub const FETCH_VERSION: i16 = 12;
/// `IncrementalAlterConfigs` for a broker, or for all of them if the name is empty.
pub const BROKER: i8 = 4;
/// `IncrementalAlterConfigs` for a topic.
pub const TOPIC: i8 = 2;

/// A batch of records without keys.
pub fn batch(values: &[&str]) -> Bytes {
    let mut builder = BatchBuilder::new(0);
    for value in values {
        builder.append(1, None, Some(value.as_bytes()), &[]);
    }
    builder.build()
}

/// Creates a topic; returns its id.
///
/// # Errors
/// The broker's.
pub fn create_topic(
    client: &mut RawClient,
    name: &str,
    partitions: i32,
    configs: &[(&str, &str)],
) -> Result<Uuid> {
    let config = |(key, value): &(&str, &str)| CreatableTopicConfig {
        name: (*key).to_owned(),
        value: Some((*value).to_owned()),
        ..Default::default()
    };
    let topic = CreatableTopic {
        name: name.to_owned(),
        num_partitions: partitions,
        replication_factor: 1,
        configs: configs.iter().map(config).collect(),
        ..Default::default()
    };
    let request = CreateTopicsRequest { topics: vec![topic], timeout_ms: 30_000, ..Default::default() };
    let response = client.call(7, &request)?;
    let created = response.topics.first().context("an answer for the topic")?;
    ensure!(created.error_code == 0, "{name}: {created:?}");
    Ok(created.topic_id)
}

/// Deletes a topic.
///
/// # Errors
/// The broker's.
pub fn delete_topic(client: &mut RawClient, name: &str) -> Result<()> {
    let topic = DeleteTopicState { name: Some(name.to_owned()), ..Default::default() };
    let request = DeleteTopicsRequest { topics: vec![topic], timeout_ms: 30_000, ..Default::default() };
    let response = client.call(6, &request)?;
    let deleted = response.responses.first().context("an answer for the topic")?;
    ensure!(deleted.error_code == 0, "{name}: {deleted:?}");
    Ok(())
}

/// Sets one key of a broker ([`BROKER`]) or a topic ([`TOPIC`]).
///
/// # Errors
/// The broker's.
pub fn alter_config(client: &mut RawClient, kind: i8, resource: &str, key: &str, value: &str) -> Result<()> {
    let config =
        AlterableConfig { name: key.to_owned(), value: Some(value.to_owned()), ..Default::default() };
    let resource = AlterConfigsResource {
        resource_type: kind,
        resource_name: resource.to_owned(),
        configs: vec![config],
        ..Default::default()
    };
    let request = IncrementalAlterConfigsRequest { resources: vec![resource], ..Default::default() };
    let response = client.call(1, &request)?;
    let altered = response.responses.first().context("an answer for the resource")?;
    ensure!(altered.error_code == 0, "{altered:?}");
    Ok(())
}

/// Sends records for partition 0 of a topic and does not wait for the answer.
///
/// # Errors
/// The connection's.
pub fn send_produce(
    client: &mut RawClient,
    topic: &str,
    records: Bytes,
    acks: i16,
    timeout_ms: i32,
) -> Result<()> {
    let data = PartitionProduceData { index: 0, records: Some(records.into()), ..Default::default() };
    let topic = TopicProduceData { name: topic.to_owned(), partition_data: vec![data], ..Default::default() };
    client.send(
        PRODUCE_VERSION,
        &ProduceRequest { acks, timeout_ms, topic_data: vec![topic], ..Default::default() },
    )?;
    Ok(())
}

/// The answer to the oldest [`send_produce`] that has none yet.
///
/// # Errors
/// The connection's.
pub fn receive_produce(client: &mut RawClient) -> Result<PartitionProduceResponse> {
    let response: ProduceResponse = client.receive::<ProduceRequest>(PRODUCE_VERSION)?;
    let row = response.responses.into_iter().flat_map(|topic| topic.partition_responses).next();
    row.context("an answer for the partition")
}

/// Produces to partition 0 of a topic with acks=all; returns the offset of the first record.
///
/// # Errors
/// The broker's.
pub fn produce(client: &mut RawClient, topic: &str, values: &[&str]) -> Result<i64> {
    send_produce(client, topic, batch(values), -1, 30_000)?;
    let row = receive_produce(client)?;
    ensure!(row.error_code == 0, "{row:?}");
    Ok(row.base_offset)
}

/// Sends a fetch of partition 0 of a topic and does not wait for the answer.
///
/// # Errors
/// The connection's.
pub fn send_fetch(client: &mut RawClient, topic: &str, fetch_offset: i64, max_wait_ms: i32) -> Result<()> {
    let partition = FetchPartition {
        partition: 0,
        fetch_offset,
        partition_max_bytes: 1 << 20,
        current_leader_epoch: -1,
        ..Default::default()
    };
    let topic = FetchTopic { topic: topic.to_owned(), partitions: vec![partition], ..Default::default() };
    client.send(
        FETCH_VERSION,
        &FetchRequest {
            replica_id: -1,
            max_wait_ms,
            min_bytes: 1,
            max_bytes: 1 << 20,
            session_epoch: -1,
            topics: vec![topic],
            ..Default::default()
        },
    )?;
    Ok(())
}

/// The answer to the oldest [`send_fetch`] that has none yet.
///
/// # Errors
/// The connection's, or an error of the whole fetch.
pub fn receive_fetch(client: &mut RawClient) -> Result<PartitionData> {
    let response: FetchResponse = client.receive::<FetchRequest>(FETCH_VERSION)?;
    ensure!(response.error_code == 0, "{response:?}");
    let row = response.responses.into_iter().flat_map(|topic| topic.partitions).next();
    row.context("an answer for the partition")
}

/// The values from an offset of partition 0 on, as text, and the error.
///
/// # Errors
/// The connection's, or damaged records.
pub fn fetch(client: &mut RawClient, topic: &str, fetch_offset: i64) -> Result<(ErrorCode, Vec<String>)> {
    send_fetch(client, topic, fetch_offset, 0)?;
    let row = receive_fetch(client)?;
    let error = ErrorCode::from_i16(row.error_code).context("an error code")?;
    Ok((error, values(&row)?))
}

/// The values of a fetched partition, as text.
///
/// # Errors
/// Damaged records.
pub fn values(row: &PartitionData) -> Result<Vec<String>> {
    let bytes = row.records.clone().unwrap_or_default().to_bytes().context("received into memory")?;
    let mut values = Vec::new();
    for batch in records::batches(&bytes) {
        let batch = batch?;
        batch.verify_crc()?;
        for record in batch.records(usize::MAX)? {
            values.push(String::from_utf8(record?.value.unwrap_or_default().to_vec())?);
        }
    }
    Ok(values)
}
