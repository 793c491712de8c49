//! From batches to a Produce request, and from its answer back to batches.

use std::collections::HashMap;

use bytes::Bytes;
use protocol::messages::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use protocol::messages::produce_response::{NodeEndpoint, PartitionProduceResponse, ProduceResponse};
use protocol::{Records, Uuid};

use crate::endpoint::Endpoint;
use crate::metadata::ClusterMetadata;
use crate::producer::batch::stamped;
use crate::producer::outbox::{Outgoing, QueueKey};
use crate::topic_partition::TopicPartition;

/// Since this version topics are named by id.
pub(super) const TOPIC_IDS_SINCE: i16 = 13;
/// Since this version a transactional produce adds its partitions to the transaction itself (KIP-890).
pub(super) const ADDS_PARTITIONS_SINCE: i16 = 12;

/// One batch of a request that is on its way.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) key: QueueKey,
    pub(super) batch_id: u64,
    pub(super) topic_partition: TopicPartition,
    topic_id: Uuid,
}

/// A batch, sealed, with what it looks like on the wire.
pub(super) struct Prepared {
    pub(super) part: Part,
    /// To be kept for sending it again.
    pub(super) sealed: Bytes,
    records: Records,
}

/// Seals a batch: this is where compression happens.
pub(super) fn prepare(outgoing: Outgoing, metadata: &ClusterMetadata) -> Prepared {
    let Outgoing { key, topic_partition, batch_id, sending, identity, base_sequence, .. } = outgoing;
    let sealed = sending.seal(identity, base_sequence);
    let records = stamped(&sealed, identity, base_sequence);
    let topic = metadata.topic(&topic_partition.topic);
    let topic_id = topic.and_then(|topic| topic.known_id()).unwrap_or(Uuid::ZERO);
    Prepared { part: Part { key, batch_id, topic_partition, topic_id }, sealed, records }
}

/// The highest version that can carry these batches.
pub(super) fn version_max(parts: &[Prepared], is_transaction_v1: bool) -> i16 {
    if is_transaction_v1 {
        return ADDS_PARTITIONS_SINCE - 1;
    }
    let have_ids = parts.iter().all(|prepared| !prepared.part.topic_id.is_zero());
    if have_ids { i16::MAX } else { TOPIC_IDS_SINCE - 1 }
}

/// One request with these batches.
pub(super) fn request(
    prepared: Vec<Prepared>,
    version: i16,
    acks: i16,
    timeout_ms: i32,
    transactional_id: Option<&str>,
) -> (ProduceRequest, Vec<Part>) {
    let mut topics: Vec<TopicProduceData> = Vec::new();
    let mut parts: Vec<Part> = Vec::with_capacity(prepared.len());
    let mut positions: HashMap<usize, usize> = HashMap::new();
    for Prepared { part, records, .. } in prepared {
        let position = *positions.entry(part.key.0).or_insert_with(|| {
            let mut topic = TopicProduceData::default();
            match version {
                TOPIC_IDS_SINCE.. => topic.topic_id = part.topic_id,
                _ => topic.name = part.topic_partition.topic.to_string(),
            }
            topics.push(topic);
            topics.len() - 1
        });
        topics[position].partition_data.push(PartitionProduceData {
            index: part.topic_partition.partition,
            records: Some(records),
            ..PartitionProduceData::default()
        });
        parts.push(part);
    }
    let request = ProduceRequest {
        transactional_id: transactional_id.map(str::to_owned),
        acks,
        timeout_ms,
        topic_data: topics,
        ..ProduceRequest::default()
    };
    (request, parts)
}

/// Gives each batch its answer; none where the broker left it out.
pub(super) fn answers(
    parts: Vec<Part>,
    response: ProduceResponse,
) -> (Vec<(Part, Option<PartitionProduceResponse>)>, Vec<NodeEndpoint>) {
    let mut found: HashMap<(Uuid, String, i32), PartitionProduceResponse> = HashMap::new();
    for topic in response.responses {
        for partition in topic.partition_responses {
            found.insert((topic.topic_id, topic.name.clone(), partition.index), partition);
        }
    }
    let mut take = |part: &Part| {
        let by_id = (part.topic_id, String::new(), part.topic_partition.partition);
        let by_name = (Uuid::ZERO, part.topic_partition.topic.to_string(), part.topic_partition.partition);
        found.remove(&by_id).or_else(|| found.remove(&by_name))
    };
    let answered = parts.into_iter().map(|part| {
        let answer = take(&part);
        (part, answer)
    });
    (answered.collect(), response.node_endpoints)
}

/// The broker that a leader hint names, if it is in the same answer.
pub(super) fn hinted(endpoints: &[NodeEndpoint], leader: i32) -> Option<Endpoint> {
    let node = endpoints.iter().find(|node| node.node_id == leader)?;
    Some(Endpoint {
        id: node.node_id,
        host: node.host.clone(),
        port: u16::try_from(node.port).ok()?,
        rack: node.rack.clone(),
    })
}
