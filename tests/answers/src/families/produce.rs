//! Produce: good batches in every version and codec, and every way to get one wrong.

use anyhow::Result;
use bytes::Bytes;
use protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use protocol::messages::produce_response::ProduceResponse;
use protocol::messages::{CreateTopicsRequest, FetchRequest, ProduceRequest};
use protocol::{Records, Uuid};
use records::{BatchBuilder, Codec, Compression};

use crate::rendering::show_records;
use crate::session::Session;

/// Far enough back to be no later than the server's clock, far enough from now not to be masked.
pub const TIMESTAMP: i64 = 1_600_000_000_000;
const YEAR_2100: i64 = 4_102_444_800_000;

pub fn ask(session: &mut Session) -> Result<()> {
    let id = session.create_topic("plain", 2)?;
    good_batches(session, id)?;
    places(session, id)?;
    acknowledgements(session)?;
    broken_batches(session)?;
    configured_topics(session)?;
    let everything = FetchRequest {
        max_bytes: 1 << 20,
        topics: vec![FetchTopic {
            topic: "plain".to_owned(),
            partitions: vec![FetchPartition { partition_max_bytes: 1 << 20, ..Default::default() }],
            ..Default::default()
        }],
        ..Default::default()
    };
    session.ask_showing("everything that was appended", 12, everything, |response| {
        let partitions = response.responses.iter().flat_map(|topic| &topic.partitions);
        partitions.map(|partition| show_records(partition.records.as_ref())).collect()
    })?;
    Ok(())
}

fn good_batches(session: &mut Session, id: Uuid) -> Result<()> {
    for version in 3..=12 {
        let name = format!("one batch, version {version}");
        session.ask(&name, version, producing("plain", 0, batch(&["a", "b"])))?;
    }
    session.ask("one batch, version 13", 13, producing_by_id(id, 0, batch(&["a"])))?;
    for codec in Codec::ALL {
        // Only gzip's and Klamm's own codecs' bytes differ between writers; their size does not matter here.
        let bytes = numbered().compression(Compression::of(codec)).build();
        session.ask(&format!("codec {}", codec.name()), 9, producing("plain", 1, bytes))?;
    }
    let old_zstd = numbered().compression(Compression::of(Codec::Zstd)).build();
    session.ask("zstd before version 7", 6, producing("plain", 1, old_zstd))?;
    let twice = [batch(&["a"]).as_ref(), batch(&["b"]).as_ref()].concat();
    session.ask("two batches in one partition", 9, producing("plain", 0, twice.into()))?;
    let mut builder = BatchBuilder::new(0);
    builder.append(TIMESTAMP, None, None, &[]);
    session.ask("null key and value", 9, producing("plain", 0, builder.build()))?;
    session.ask("offsets that do not begin at zero", 9, producing("plain", 0, batch_at(77, &["a", "b"])))?;
    session.ask("a leader epoch in the batch", 9, {
        let mut builder = BatchBuilder::new(0).partition_leader_epoch(9);
        builder.append(TIMESTAMP, None, Some(b"v"), &[]);
        producing("plain", 0, builder.build())
    })?;
    Ok(())
}

fn places(session: &mut Session, id: Uuid) -> Result<()> {
    session.ask("an unknown topic", 9, producing("unknown", 0, batch(&["a"])))?;
    session.ask("an illegal topic", 9, producing("a b", 0, batch(&["a"])))?;
    session.ask("an unknown partition", 9, producing("plain", 9, batch(&["a"])))?;
    session.ask("a negative partition", 9, producing("plain", -1, batch(&["a"])))?;
    session.ask(
        "an unknown topic id",
        13,
        producing_by_id(Uuid::from_u128(u128::MAX / 5), 0, batch(&["a"])),
    )?;
    session.ask("the zero topic id", 13, producing_by_id(Uuid::ZERO, 0, batch(&["a"])))?;
    session.ask("an unknown partition by topic id", 13, producing_by_id(id, 9, batch(&["a"])))?;
    session.ask("an internal topic", 9, producing("__consumer_offsets", 0, batch(&["a"])))?;
    session.ask("the metadata topic", 9, producing("__cluster_metadata", 0, batch(&["a"])))?;
    let mut several = producing("plain", 0, batch(&["a"]));
    several.topic_data.extend(producing("unknown", 0, batch(&["a"])).topic_data);
    several.topic_data[0]
        .partition_data
        .extend(producing("plain", 9, batch(&["b"])).topic_data[0].partition_data.clone());
    session.ask("several topics and partitions", 9, several)?;
    session.ask(
        "no topics",
        9,
        ProduceRequest { topic_data: Vec::new(), ..producing("plain", 0, Bytes::new()) },
    )?;
    let transactional = ProduceRequest {
        transactional_id: Some("nobody".to_owned()),
        ..producing("plain", 0, batch(&["a"]))
    };
    session.ask("a transactional id over a plain batch", 9, transactional)?;
    Ok(())
}

fn acknowledgements(session: &mut Session) -> Result<()> {
    for acks in [1, -1] {
        let request = ProduceRequest { acks, ..producing("plain", 0, batch(&["a"])) };
        session.ask(&format!("acks {acks}"), 9, request)?;
    }
    for acks in [2, -2] {
        let request = ProduceRequest { acks, ..producing("plain", 0, batch(&["a"])) };
        session.ask(&format!("acks {acks}"), 9, request)?;
    }
    let hasty = ProduceRequest { timeout_ms: 0, acks: 1, ..producing("plain", 0, batch(&["a"])) };
    session.ask("acks 1 with a timeout of zero", 9, hasty)?;
    Ok(())
}

fn broken_batches(session: &mut Session) -> Result<()> {
    let good = batch(&["a", "b"]);
    let broken = |position: usize, byte: u8| {
        let mut bytes = good.to_vec();
        bytes[position] = byte;
        Bytes::from(bytes)
    };
    let sealed = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = good.to_vec();
        change(&mut bytes);
        let crc = records::crc32c(&bytes[21..]);
        bytes[17..21].copy_from_slice(&crc.to_be_bytes());
        Bytes::from(bytes)
    };
    session.ask("a wrong checksum", 9, producing("plain", 0, broken(17, good[17] ^ 1)))?;
    session.ask("magic 1", 9, producing("plain", 0, broken(16, 1)))?;
    session.ask("magic 0", 9, producing("plain", 0, broken(16, 0)))?;
    session.ask("magic 3", 9, producing("plain", 0, broken(16, 3)))?;
    session.ask("a batch that is cut short", 9, producing("plain", 0, good.slice(..good.len() - 1)))?;
    session.ask("only half a header", 9, producing("plain", 0, good.slice(..30)))?;
    session.ask(
        "a byte behind the batch",
        9,
        producing("plain", 0, [good.as_ref(), b"x"].concat().into()),
    )?;
    session.ask("a length of zero", 9, producing("plain", 0, broken(11, 0)))?;
    session.ask("no bytes", 9, producing("plain", 0, Bytes::new()))?;
    let attributes = |value: u8| sealed(&move |bytes| bytes[22] = value);
    session.ask("an unknown codec", 9, producing("plain", 0, attributes(7)))?;
    session.ask("codec gzip over plain bytes", 9, producing("plain", 0, attributes(1)))?;
    session.ask("codec lz4 over plain bytes", 9, producing("plain", 0, attributes(3)))?;
    session.ask("codec zstd over plain bytes", 9, producing("plain", 0, attributes(4)))?;
    session.ask("the log append time flag", 9, producing("plain", 0, attributes(8)))?;
    session.ask("the control flag", 9, producing("plain", 0, attributes(32)))?;
    session.ask("the transactional flag", 9, producing("plain", 0, attributes(16)))?;
    let number = |position: usize, value: i32| {
        sealed(&move |bytes| bytes[position..position + 4].copy_from_slice(&value.to_be_bytes()))
    };
    session.ask("more records claimed than there are", 9, producing("plain", 0, number(57, 3)))?;
    session.ask("fewer records claimed than there are", 9, producing("plain", 0, number(57, 1)))?;
    session.ask("no records claimed", 9, producing("plain", 0, number(57, 0)))?;
    session.ask("a negative number of records", 9, producing("plain", 0, number(57, -1)))?;
    session.ask("a last offset delta too large", 9, producing("plain", 0, number(23, 5)))?;
    session.ask("a last offset delta too small", 9, producing("plain", 0, number(23, 0)))?;
    session.ask("a negative last offset delta", 9, producing("plain", 0, number(23, -1)))?;
    let body = |position: usize, value: u8| sealed(&move |bytes| bytes[61 + position] = value);
    session.ask("a record length too large", 9, producing("plain", 0, body(0, 0x7e)))?;
    session.ask("a negative record length", 9, producing("plain", 0, body(0, 1)))?;
    session.ask("an offset delta that jumps", 9, producing("plain", 0, body(3, 8)))?;
    session.ask("a key length beyond the record", 9, producing("plain", 0, body(4, 0x7e)))?;
    let builder = || BatchBuilder::new(0);
    let mut future = builder();
    future.append(YEAR_2100, None, Some(b"v"), &[]);
    session.ask("a timestamp in the future", 9, producing("plain", 0, future.build()))?;
    let mut none = builder();
    none.append(-1, None, Some(b"v"), &[]);
    session.ask("no timestamp", 9, producing("plain", 0, none.build()))?;
    let mut negative = builder();
    negative.append(-2, None, Some(b"v"), &[]);
    session.ask("a negative timestamp", 9, producing("plain", 0, negative.build()))?;
    let mut large = builder();
    large.append(TIMESTAMP, None, Some(&vec![b'x'; 1_100_000]), &[]);
    session.ask("a batch above the limit", 9, producing("plain", 0, large.build()))?;
    Ok(())
}

fn configured_topics(session: &mut Session) -> Result<()> {
    create(session, "compacted", &[("cleanup.policy", "compact")])?;
    session.ask("a compacted topic wants keys", 9, producing("compacted", 0, batch(&["a", "b"])))?;
    let mut mixed = BatchBuilder::new(0);
    mixed.append(TIMESTAMP, Some(b"k"), Some(b"v"), &[]);
    mixed.append(TIMESTAMP, None, Some(b"v"), &[]);
    session.ask("a compacted topic wants every key", 9, producing("compacted", 0, mixed.build()))?;
    session.ask("the same error in version 7", 7, producing("compacted", 0, batch(&["a"])))?;
    let mut keyed = BatchBuilder::new(0);
    keyed.append(TIMESTAMP, Some(b"k"), None, &[]);
    session.ask("a compacted topic takes keys", 9, producing("compacted", 0, keyed.build()))?;
    create(session, "server-time", &[("message.timestamp.type", "LogAppendTime")])?;
    session.ask("log append time is told", 9, producing("server-time", 0, batch(&["a"])))?;
    let mut future = BatchBuilder::new(0);
    future.append(YEAR_2100, None, Some(b"v"), &[]);
    session.ask(
        "log append time does not mind the future",
        9,
        producing("server-time", 0, future.build()),
    )?;
    create(session, "narrow", &[("message.timestamp.before.max.ms", "1000")])?;
    session.ask("a timestamp too old", 9, producing("narrow", 0, batch(&["a", "b"])))?;
    create(session, "small", &[("max.message.bytes", "100")])?;
    session.ask("a batch above the topic's limit", 9, producing("small", 0, numbered().build()))?;
    session.ask("a batch below the topic's limit", 9, producing("small", 0, batch(&["a"])))?;
    create(session, "guarded", &[("min.insync.replicas", "2")])?;
    session.ask("too few in-sync replicas", 9, producing("guarded", 0, batch(&["a"])))?;
    let lazy = ProduceRequest { acks: 1, ..producing("guarded", 0, batch(&["a"])) };
    session.ask("acks 1 does not mind", 9, lazy)?;
    create(session, "recompressed", &[("compression.type", "uncompressed")])?;
    let zipped = numbered().compression(Compression::of(Codec::Gzip)).build();
    session.ask("a topic that wants no compression", 9, producing("recompressed", 0, zipped))?;
    Ok(())
}

fn create(session: &mut Session, name: &str, configs: &[(&str, &str)]) -> Result<()> {
    let config = |(name, value): &(&str, &str)| CreatableTopicConfig {
        name: (*name).to_owned(),
        value: Some((*value).to_owned()),
        ..Default::default()
    };
    let topic = CreatableTopic {
        name: name.to_owned(),
        num_partitions: 1,
        replication_factor: 1,
        configs: configs.iter().map(config).collect(),
        ..Default::default()
    };
    session
        .quietly(7, CreateTopicsRequest { topics: vec![topic], timeout_ms: 10_000, ..Default::default() })?;
    session.wait_for_topic(name)?;
    Ok(())
}

/// A batch of plain values.
pub fn batch(values: &[&str]) -> Bytes {
    batch_at(0, values)
}

fn batch_at(base_offset: i64, values: &[&str]) -> Bytes {
    let mut builder = BatchBuilder::new(base_offset);
    for value in values {
        builder.append(TIMESTAMP, None, Some(value.as_bytes()), &[]);
    }
    builder.build()
}

fn numbered() -> BatchBuilder {
    let mut builder = BatchBuilder::new(0);
    for number in 0..20 {
        let value = format!("value number {number}");
        builder.append(TIMESTAMP + number, Some(b"key"), Some(value.as_bytes()), &[]);
    }
    builder
}

/// One partition's records, acks=all.
pub fn producing(topic: &str, partition: i32, bytes: Bytes) -> ProduceRequest {
    let data =
        PartitionProduceData { index: partition, records: Some(Records::from(bytes)), ..Default::default() };
    let topic = TopicProduceData { name: topic.to_owned(), partition_data: vec![data], ..Default::default() };
    ProduceRequest { acks: -1, timeout_ms: 10_000, topic_data: vec![topic], ..Default::default() }
}

fn producing_by_id(topic_id: Uuid, partition: i32, bytes: Bytes) -> ProduceRequest {
    let mut request = producing("", partition, bytes);
    request.topic_data[0].topic_id = topic_id;
    request
}

/// The first new offset that an answer names.
pub fn base_offset(response: &ProduceResponse) -> i64 {
    let partitions = response.responses.iter().flat_map(|topic| &topic.partition_responses);
    partitions.map(|partition| partition.base_offset).next().unwrap_or(-1)
}
