//! Questions about records and their producers.

use protocol::ApiKey;
use protocol::messages::*;

use super::World;
use crate::families::produce::batch;

pub fn ask(key: ApiKey, world: &World<'_>) -> Vec<String> {
    let (name, partition) = (world.topic.to_owned(), world.partition);
    match key {
        ApiKey::Produce => world.ask(|version| produce(world, version)),
        ApiKey::Fetch => world.ask(|version| fetch(world, version)),
        ApiKey::ListOffsets => world.ask(|_| ListOffsetsRequest {
            replica_id: -1,
            topics: vec![list_offsets_request::ListOffsetsTopic {
                name: name.clone(),
                partitions: vec![list_offsets_request::ListOffsetsPartition {
                    partition_index: partition,
                    timestamp: -1,
                    ..Default::default()
                }],
                ..Default::default()
            }],
            ..Default::default()
        }),
        ApiKey::OffsetForLeaderEpoch => world.ask(|_| OffsetForLeaderEpochRequest {
            replica_id: -2,
            topics: vec![offset_for_leader_epoch_request::OffsetForLeaderTopic {
                topic: name.clone(),
                partitions: vec![offset_for_leader_epoch_request::OffsetForLeaderPartition {
                    partition,
                    ..Default::default()
                }],
                ..Default::default()
            }],
            ..Default::default()
        }),
        ApiKey::DeleteRecords => world.ask(|_| DeleteRecordsRequest {
            topics: vec![delete_records_request::DeleteRecordsTopic {
                name: name.clone(),
                partitions: vec![delete_records_request::DeleteRecordsPartition {
                    partition_index: partition,
                    ..Default::default()
                }],
                ..Default::default()
            }],
            ..Default::default()
        }),
        ApiKey::InitProducerId => world.ask(|_| InitProducerIdRequest {
            transactional_id: (partition != 0).then(|| name.clone()),
            ..Default::default()
        }),
        ApiKey::AddPartitionsToTxn => world.ask(|version| AddPartitionsToTxnRequest {
            v3_and_below_transactional_id: if version < 4 { name.clone() } else { String::new() },
            ..Default::default()
        }),
        ApiKey::AddOffsetsToTxn => world.ask(|_| AddOffsetsToTxnRequest {
            transactional_id: name.clone(),
            group_id: name.clone(),
            ..Default::default()
        }),
        ApiKey::EndTxn => {
            world.ask(|_| EndTxnRequest { transactional_id: name.clone(), ..Default::default() })
        }
        ApiKey::WriteTxnMarkers => world.ask(|_| WriteTxnMarkersRequest::default()),
        ApiKey::TxnOffsetCommit => world.ask(|_| TxnOffsetCommitRequest {
            transactional_id: name.clone(),
            group_id: name.clone(),
            ..Default::default()
        }),
        ApiKey::DescribeTransactions => world.ask(|_| DescribeTransactionsRequest {
            transactional_ids: vec![name.clone()],
            ..Default::default()
        }),
        ApiKey::ListTransactions => world.ask(|_| ListTransactionsRequest::default()),
        _ => world.ask(|_| DescribeProducersRequest {
            topics: vec![describe_producers_request::TopicRequest {
                name: name.clone(),
                partition_indexes: vec![partition],
                ..Default::default()
            }],
            ..Default::default()
        }),
    }
}

fn produce(world: &World<'_>, version: i16) -> ProduceRequest {
    let partition = world.partition;
    ProduceRequest {
        acks: -1,
        timeout_ms: 5_000,
        topic_data: vec![produce_request::TopicProduceData {
            name: world.name(version, 13),
            topic_id: world.id(version, 13),
            partition_data: vec![produce_request::PartitionProduceData {
                index: partition,
                records: Some(batch(&["a", "b"]).into()),
                ..Default::default()
            }],
            ..Default::default()
        }],
        ..Default::default()
    }
}

fn fetch(world: &World<'_>, version: i16) -> FetchRequest {
    let partition = world.partition;
    FetchRequest {
        max_bytes: 1 << 20,
        topics: vec![fetch_request::FetchTopic {
            topic: world.name(version, 13),
            topic_id: world.id(version, 13),
            partitions: vec![fetch_request::FetchPartition {
                partition,
                partition_max_bytes: 1 << 20,
                ..Default::default()
            }],
            ..Default::default()
        }],
        ..Default::default()
    }
}
