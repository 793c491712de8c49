//! The paths that are measured, each as a function that takes what it works on and returns what it made.

use bytes::Bytes;
use protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
use protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use protocol::messages::{FetchRequest, FetchResponse, MetadataResponse, ProduceRequest, ProduceResponse};
use protocol::{ApiKey, Encoded, Records};
use records::{AppendOrigin, BatchBuilder, ValidBatch, ValidationRules, validate};

const PRODUCE_VERSION: i16 = 12;
const FETCH_VERSION: i16 = 12;
const METADATA_VERSION: i16 = 12;
const NOW_MS: i64 = 1_700_000_000_000;
const CORRELATION_ID: i32 = 7;
/// Topics of a metadata answer.
pub const TOPICS: usize = 100;

/// A batch of values of 100 bytes.
pub fn batch(records: usize) -> Bytes {
    let mut builder = BatchBuilder::new(0);
    for _ in 0..records {
        builder.append(NOW_MS, None, Some(&[7; 100]), &[]);
    }
    builder.build()
}

/// A frame as `network` hands it on: without its length.
fn frame<R: protocol::Request>(version: i16, request: &R) -> Bytes {
    let encoded = protocol::encode_request(version, CORRELATION_ID, Some("client"), request);
    encoded.expect("encodes").to_bytes().expect("in memory").slice(4..)
}

/// A produce of one batch.
pub fn produce_frame(records: usize) -> Bytes {
    let data =
        PartitionProduceData { index: 0, records: Some(Records::from(batch(records))), ..Default::default() };
    let topic = TopicProduceData { name: "topic".into(), partition_data: vec![data], ..Default::default() };
    frame(PRODUCE_VERSION, &ProduceRequest { acks: 1, topic_data: vec![topic], ..Default::default() })
}

/// A fetch of one partition.
pub fn fetch_frame() -> Bytes {
    let partition = FetchPartition { partition: 0, fetch_offset: 5, ..Default::default() };
    let topic = FetchTopic { topic: "topic".into(), partitions: vec![partition], ..Default::default() };
    frame(FETCH_VERSION, &FetchRequest { topics: vec![topic], ..Default::default() })
}

#[inline(never)]
pub fn decodes_a_produce(frame: &Bytes) -> ProduceRequest {
    let frame = protocol::decode_request_frame(frame.clone()).expect("a frame");
    frame.decode_body().expect("a produce")
}

#[inline(never)]
pub fn validates_a_batch(batch: &Bytes) -> Vec<ValidBatch> {
    validate(batch, &ValidationRules::defaults(AppendOrigin::Client, NOW_MS)).expect("valid")
}

#[inline(never)]
pub fn answers_a_produce() -> Encoded {
    let row = PartitionProduceResponse { base_offset: 5, ..Default::default() };
    let topic =
        TopicProduceResponse { name: "topic".into(), partition_responses: vec![row], ..Default::default() };
    let response = ProduceResponse { responses: vec![topic], ..Default::default() };
    protocol::encode_response(ApiKey::Produce, PRODUCE_VERSION, CORRELATION_ID, &response).expect("encodes")
}

#[inline(never)]
pub fn decodes_a_fetch(frame: &Bytes) -> FetchRequest {
    let frame = protocol::decode_request_frame(frame.clone()).expect("a frame");
    frame.decode_body().expect("a fetch")
}

#[inline(never)]
pub fn answers_a_fetch(records: &Bytes) -> Encoded {
    let row = PartitionData { records: Some(Records::from(records.clone())), ..Default::default() };
    let topic = FetchableTopicResponse { topic: "topic".into(), partitions: vec![row], ..Default::default() };
    let response = FetchResponse { responses: vec![topic], ..Default::default() };
    protocol::encode_response(ApiKey::Fetch, FETCH_VERSION, CORRELATION_ID, &response).expect("encodes")
}

/// The cluster that [`answers_metadata`] tells of: one broker, topics of one partition.
pub fn cluster() -> MetadataResponse {
    let topic = |number: usize| MetadataResponseTopic {
        name: Some(format!("topic-{number}")),
        partitions: vec![MetadataResponsePartition {
            leader_id: 1,
            replica_nodes: vec![1],
            isr_nodes: vec![1],
            ..Default::default()
        }],
        ..Default::default()
    };
    MetadataResponse {
        brokers: vec![MetadataResponseBroker { node_id: 1, host: "broker".into(), ..Default::default() }],
        topics: (0..TOPICS).map(topic).collect(),
        ..Default::default()
    }
}

#[inline(never)]
pub fn answers_metadata(cluster: &MetadataResponse) -> Encoded {
    protocol::encode_response(ApiKey::Metadata, METADATA_VERSION, CORRELATION_ID, cluster).expect("encodes")
}
