//! Requests that are in order, to be spoiled: whole frames, their length in front.

use anyhow::{Context, Result};
use protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use protocol::messages::join_group_request::JoinGroupRequestProtocol;
use protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use protocol::messages::metadata_request::MetadataRequestTopic;
use protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use protocol::messages::{
    ApiVersionsRequest, CreateTopicsRequest, FetchRequest, JoinGroupRequest, ListOffsetsRequest,
    MetadataRequest, OffsetCommitRequest, ProduceRequest,
};
use protocol::{ApiKey, Request, encode_request};
use testkit::calls::batch;

/// One request of each kind that has much to spoil, at its oldest and its newest version.
pub fn requests() -> Result<Vec<Vec<u8>>> {
    let mut frames = Vec::new();
    add(
        &mut frames,
        &ApiVersionsRequest {
            client_software_name: "name".to_owned(),
            client_software_version: "1".to_owned(),
            ..Default::default()
        },
    )?;
    let named = MetadataRequestTopic { name: Some("good".to_owned()), ..Default::default() };
    add(&mut frames, &MetadataRequest { topics: Some(vec![named]), ..Default::default() })?;
    add(&mut frames, &produce())?;
    add(&mut frames, &fetch())?;
    let partition = ListOffsetsPartition { timestamp: -1, ..Default::default() };
    let topic =
        ListOffsetsTopic { name: "good".to_owned(), partitions: vec![partition], ..Default::default() };
    add(&mut frames, &ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..Default::default() })?;
    add(
        &mut frames,
        &JoinGroupRequest {
            group_id: "g".to_owned(),
            session_timeout_ms: 6000,
            rebalance_timeout_ms: 100,
            protocol_type: "consumer".to_owned(),
            protocols: vec![JoinGroupRequestProtocol { name: "range".to_owned(), ..Default::default() }],
            ..Default::default()
        },
    )?;
    let partition = OffsetCommitRequestPartition { committed_offset: 1, ..Default::default() };
    let topic = OffsetCommitRequestTopic {
        name: "good".to_owned(),
        partitions: vec![partition],
        ..Default::default()
    };
    add(
        &mut frames,
        &OffsetCommitRequest { group_id: "g".to_owned(), topics: vec![topic], ..Default::default() },
    )?;
    add(&mut frames, &create_topics())?;
    Ok(frames)
}

fn produce() -> ProduceRequest {
    let data = PartitionProduceData { records: Some(batch(&["x", "y"]).into()), ..Default::default() };
    // Nobody else writes to it, and the good client expects its own records only.
    let topic =
        TopicProduceData { name: "absent".to_owned(), partition_data: vec![data], ..Default::default() };
    ProduceRequest { acks: 1, timeout_ms: 100, topic_data: vec![topic], ..Default::default() }
}

fn fetch() -> FetchRequest {
    let partition =
        FetchPartition { partition_max_bytes: 1000, current_leader_epoch: -1, ..Default::default() };
    let topic = FetchTopic { topic: "good".to_owned(), partitions: vec![partition], ..Default::default() };
    FetchRequest {
        replica_id: -1,
        max_bytes: 1000,
        session_epoch: -1,
        topics: vec![topic],
        ..Default::default()
    }
}

fn create_topics() -> CreateTopicsRequest {
    let assignment = CreatableReplicaAssignment { broker_ids: vec![1], ..Default::default() };
    let config = CreatableTopicConfig {
        name: "retention.ms".to_owned(),
        value: Some("1".to_owned()),
        ..Default::default()
    };
    let topic = CreatableTopic {
        name: "more".to_owned(),
        num_partitions: -1,
        replication_factor: -1,
        assignments: vec![assignment],
        configs: vec![config],
        ..Default::default()
    };
    CreateTopicsRequest { topics: vec![topic], timeout_ms: 100, validate_only: true, ..Default::default() }
}

fn add<R: Request>(frames: &mut Vec<Vec<u8>>, request: &R) -> Result<()> {
    let versions = R::API_KEY.stable_versions();
    let mut encoded = 0;
    for version in [*versions.start(), *versions.end()] {
        // Some of what a rich request says has no form in the oldest version.
        if let Ok(frame) = encode_request(version, 7, Some("hostile"), request) {
            frames.push(frame.to_bytes().context("in memory")?.to_vec());
            encoded += 1;
        }
    }
    anyhow::ensure!(encoded > 0, "{} has no form at all", R::NAME);
    Ok(())
}

/// A frame with this content, its length in front.
pub fn framed(content: &[u8]) -> Vec<u8> {
    let length = i32::try_from(content.len()).expect("a frame of a test is small");
    [&length.to_be_bytes(), content].concat()
}

/// A header for `key` and `version`, correlation id 1, no client id, with `body` behind.
pub fn with_header(key: i16, version: i16, body: &[u8]) -> Vec<u8> {
    framed(
        &[&key.to_be_bytes()[..], &version.to_be_bytes(), &1_i32.to_be_bytes(), &[0xff, 0xff], body].concat(),
    )
}

/// The keys there are, and some that there are not.
pub fn keys() -> impl Iterator<Item = i16> {
    ApiKey::all().map(ApiKey::as_i16).chain([-1, 200, 1000, i16::MIN, i16::MAX])
}

/// Numbers from a seed, the same in each run (xorshift64*).
pub struct Numbers(pub u64);

impl Numbers {
    /// The next one, below `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(number).expect("31 bits") % limit.max(1)
    }
}
