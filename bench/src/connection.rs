//! A blocking connection that speaks the protocol in prepared frames, with as little work per request as possible.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use protocol::messages::create_topics_request::CreatableTopic;
use protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use protocol::messages::metadata_request::MetadataRequestTopic;
use protocol::messages::metadata_response::MetadataResponseTopic;
use protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use protocol::messages::{CreateTopicsRequest, FetchRequest, MetadataRequest, ProduceRequest};
use protocol::{ErrorCode, Records, Request};
use records::BatchBuilder;

/// Versions that name topics and that every client of the last years speaks.
pub(crate) const PRODUCE_VERSION: i16 = 9;
pub(crate) const FETCH_VERSION: i16 = 11;
const CREATE_TOPICS_VERSION: i16 = 5;
const METADATA_VERSION: i16 = 8;

/// Long enough for a JVM to come up, or to create a thousand partitions.
const PATIENCE: Duration = Duration::from_secs(120);

/// Where a frame's correlation id stands: behind length, API key and version.
const CORRELATION_ID: std::ops::Range<usize> = 8..12;

/// One connection to a broker.
pub struct Connection {
    stream: TcpStream,
    answer: Vec<u8>,
}

impl Connection {
    /// Connects, trying again while nobody listens yet.
    pub fn open(address: &str) -> Result<Self> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match TcpStream::connect(address) {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    stream.set_read_timeout(Some(PATIENCE))?;
                    return Ok(Connection { stream, answer: Vec::new() });
                }
                Err(error) if Instant::now() > deadline => return Err(error).context(address.to_string()),
                Err(_) => std::thread::sleep(Duration::from_micros(500)),
            }
        }
    }

    /// A second handle on the same socket, to read while the other one writes.
    pub fn reader(&self) -> Result<Self> {
        Ok(Connection { stream: self.stream.try_clone()?, answer: Vec::new() })
    }

    /// Sends a prepared frame under a correlation id.
    pub fn send(&mut self, frame: &mut [u8], correlation_id: i32) -> Result<()> {
        frame[CORRELATION_ID].copy_from_slice(&correlation_id.to_be_bytes());
        Ok(self.stream.write_all(frame)?)
    }

    /// Reads the next answer, without its length.
    pub fn receive(&mut self) -> Result<&[u8]> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).context("the server closed the connection")?;
        let length = usize::try_from(i32::from_be_bytes(length)).context("a negative length")?;
        self.answer.resize(length, 0);
        self.stream.read_exact(&mut self.answer)?;
        Ok(&self.answer)
    }

    /// Asks and waits for the decoded answer.
    pub fn call<R: Request>(&mut self, version: i16, request: &R) -> Result<R::Response> {
        let mut frame = encode(version, request)?;
        self.send(&mut frame, 1)?;
        let answer = Bytes::copy_from_slice(self.receive()?);
        Ok(protocol::decode_response::<R>(version, answer)?.1)
    }

    /// Creates `topic` unless it exists, and waits until its partitions have a leader.
    pub fn create_topic(
        &mut self,
        topic_name: &str,
        partitions: i32,
        configs: &[(&str, &str)],
    ) -> Result<()> {
        use protocol::messages::create_topics_request::CreatableTopicConfig;
        let topic = CreatableTopic {
            name: topic_name.to_string(),
            num_partitions: partitions,
            replication_factor: 1,
            configs: configs
                .iter()
                .map(|(name, value)| CreatableTopicConfig {
                    name: (*name).to_string(),
                    value: Some((*value).to_string()),
                    ..Default::default()
                })
                .collect(),
            ..Default::default()
        };
        let request = CreateTopicsRequest { topics: vec![topic], timeout_ms: 10_000, ..Default::default() };
        let response = self.call(CREATE_TOPICS_VERSION, &request)?;
        for topic in response.topics {
            let fine = [ErrorCode::None, ErrorCode::TopicAlreadyExists].map(ErrorCode::as_i16);
            ensure!(fine.contains(&topic.error_code), "topic {}: error {}", topic.name, topic.error_code);
        }
        self.await_leaders(topic_name)
    }

    /// Creates topics of one partition each by one request.
    pub fn create_topics(&mut self, names: &[String]) -> Result<()> {
        let topic = |name: &String| CreatableTopic {
            name: name.clone(),
            num_partitions: 1,
            replication_factor: 1,
            ..Default::default()
        };
        let topics = names.iter().map(topic).collect();
        let request = CreateTopicsRequest { topics, timeout_ms: 60_000, ..Default::default() };
        for topic in self.call(CREATE_TOPICS_VERSION, &request)?.topics {
            ensure!(topic.error_code == 0, "topic {}: error {}", topic.name, topic.error_code);
        }
        Ok(())
    }

    /// Apache Kafka answers before its broker side has heard of the topic.
    fn await_leaders(&mut self, topic: &str) -> Result<()> {
        let named = MetadataRequestTopic { name: Some(topic.to_string()), ..Default::default() };
        let request = MetadataRequest { topics: Some(vec![named]), ..Default::default() };
        let deadline = Instant::now() + PATIENCE;
        loop {
            let response = self.call(METADATA_VERSION, &request)?;
            let is_led = |topic: &MetadataResponseTopic| {
                topic.error_code == 0 && topic.partitions.iter().all(|partition| partition.error_code == 0)
            };
            if response.topics.iter().all(is_led) {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "{topic} has no leader");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// A frame of `request` that [`Connection::send`] can send again and again.
pub fn encode<R: Request>(version: i16, request: &R) -> Result<Vec<u8>> {
    let encoded = protocol::encode_request(version, 0, Some("bench"), request)?;
    Ok(encoded.to_bytes().context("a request in memory")?.to_vec())
}

/// A Produce frame with one batch of about `batch_bytes`, filled with records of `record_bytes`, and its number of records.
pub fn produce_frame(
    topic: &str,
    partition: i32,
    acks: i16,
    batch_bytes: usize,
    record_bytes: usize,
) -> Result<(Vec<u8>, usize)> {
    let (batch, count) = batch(batch_bytes, record_bytes);
    Ok((produce_frame_of(topic, partition, acks, batch)?, count))
}

/// A Produce frame with this batch.
pub fn produce_frame_of(topic: &str, partition: i32, acks: i16, batch: Bytes) -> Result<Vec<u8>> {
    let data =
        PartitionProduceData { index: partition, records: Some(Records::from(batch)), ..Default::default() };
    let topic =
        TopicProduceData { name: topic.to_string(), partition_data: vec![data], ..Default::default() };
    let request = ProduceRequest { acks, timeout_ms: 30_000, topic_data: vec![topic], ..Default::default() };
    encode(PRODUCE_VERSION, &request)
}

/// A Metadata frame for these topics; all of them if none is named.
pub fn metadata_frame(topics: &[&str]) -> Result<Vec<u8>> {
    let named =
        |topic: &&str| MetadataRequestTopic { name: Some((*topic).to_string()), ..Default::default() };
    let topics = (!topics.is_empty()).then(|| topics.iter().map(named).collect());
    encode(METADATA_VERSION, &MetadataRequest { topics, ..Default::default() })
}

/// How many topics a Metadata answer tells of.
pub fn topics_told(answer: &[u8]) -> Result<usize> {
    let answer = Bytes::copy_from_slice(answer);
    Ok(protocol::decode_response::<MetadataRequest>(METADATA_VERSION, answer)?.1.topics.len())
}

/// A batch of about `batch_bytes`, filled with records of `record_bytes`, and its number of records.
pub fn batch(batch_bytes: usize, record_bytes: usize) -> (Bytes, usize) {
    fill_batch(batch_bytes, record_bytes, || None)
}

/// The same, each record under the next key.
pub fn keyed_batch(batch_bytes: usize, record_bytes: usize, mut next_key: impl FnMut() -> u64) -> Bytes {
    fill_batch(batch_bytes, record_bytes, || Some(next_key())).0
}

fn fill_batch(
    batch_bytes: usize,
    record_bytes: usize,
    mut next_key: impl FnMut() -> Option<u64>,
) -> (Bytes, usize) {
    let mut builder = BatchBuilder::new(0);
    // Bytes that do not repeat, so that nothing on the way gains from a pattern.
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut value = vec![0_u8; record_bytes];
    let mut count = 0;
    while count == 0 || builder.size_in_bytes() + record_bytes < batch_bytes {
        for byte in &mut value {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            *byte = (state >> 56) as u8;
        }
        let key = next_key().map(u64::to_be_bytes);
        builder.append(1_700_000_000_000, key.as_ref().map(|key| &key[..]), Some(&value), &[]);
        count += 1;
    }
    (builder.build(), count)
}

/// What went wrong with a produce, if anything.
pub fn check_produced(answer: &[u8]) -> Result<()> {
    let (_, response) =
        protocol::decode_response::<ProduceRequest>(PRODUCE_VERSION, Bytes::copy_from_slice(answer))?;
    for topic in response.responses {
        for partition in topic.partition_responses {
            if partition.error_code != ErrorCode::None.as_i16() {
                bail!("{}-{}: error {}", topic.name, partition.index, partition.error_code);
            }
        }
    }
    Ok(())
}

/// A Fetch frame for up to `max_bytes` from `offset` on that waits so long for the first record.
pub fn fetch_frame(
    topic: &str,
    partition: i32,
    offset: i64,
    max_bytes: i32,
    max_wait_ms: i32,
) -> Result<Vec<u8>> {
    let partition = FetchPartition {
        partition,
        fetch_offset: offset,
        partition_max_bytes: max_bytes,
        ..Default::default()
    };
    let topic = FetchTopic { topic: topic.to_string(), partitions: vec![partition], ..Default::default() };
    let request =
        FetchRequest { max_wait_ms, min_bytes: 1, max_bytes, topics: vec![topic], ..Default::default() };
    encode(FETCH_VERSION, &request)
}

/// The bytes of records in a fetch answer, and the offset behind the last batch.
pub fn fetched(answer: &[u8]) -> Result<(usize, Option<i64>)> {
    let (_, response) =
        protocol::decode_response::<FetchRequest>(FETCH_VERSION, Bytes::copy_from_slice(answer))?;
    let mut total = 0;
    let mut next = None;
    for partition in response.responses.into_iter().flat_map(|topic| topic.partitions) {
        ensure!(partition.error_code == 0, "fetch error {}", partition.error_code);
        let bytes = partition.records.and_then(|records| records.to_bytes()).unwrap_or_default();
        total += bytes.len();
        for batch in records::batches(&bytes) {
            // The last batch may be cut off by the size limit.
            let Ok(batch) = batch else { break };
            next = Some(batch.header.next_offset());
        }
    }
    Ok((total, next))
}
