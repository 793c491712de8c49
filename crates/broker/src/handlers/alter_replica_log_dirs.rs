//! AlterReplicaLogDirs (key 34, v1-2). Moves replicas between this broker's log directories (KIP-113).

use std::path::Path;

use controller::topics::names::CLUSTER_METADATA;
use protocol::ErrorCode;
use protocol::messages::alter_replica_log_dirs_response::{
    AlterReplicaLogDirPartitionResult, AlterReplicaLogDirTopicResult,
};
use protocol::messages::{AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse};
use storage::file_names::future_directory_name;

use crate::broker::Broker;
use crate::context::RequestContext;

/// Begins the moves; they go on after the answer, and DescribeLogDirs tells how far they are.
pub async fn handle(
    context: &RequestContext,
    request: AlterReplicaLogDirsRequest,
) -> AlterReplicaLogDirsResponse {
    let broker = context.broker.clone();
    // Directories are made, and one move waits for a step of another.
    let begun = tokio::task::spawn_blocking(move || begin_all(&broker, request)).await;
    AlterReplicaLogDirsResponse { results: begun.unwrap_or_default(), ..Default::default() }
}

fn begin_all(broker: &Broker, request: AlterReplicaLogDirsRequest) -> Vec<AlterReplicaLogDirTopicResult> {
    let mut results: Vec<AlterReplicaLogDirTopicResult> = Vec::new();
    for directory in request.dirs {
        for topic in directory.topics {
            let partitions = topic.partitions.into_iter().map(|partition_index| {
                let begun = begin(broker, &directory.path, &topic.name, partition_index);
                AlterReplicaLogDirPartitionResult {
                    partition_index,
                    error_code: begun.err().unwrap_or(ErrorCode::None).as_i16(),
                    ..Default::default()
                }
            });
            let partitions: Vec<_> = partitions.collect();
            match results.iter_mut().find(|result| result.topic_name == topic.name) {
                Some(result) => result.partitions.extend(partitions),
                None => results.push(AlterReplicaLogDirTopicResult {
                    topic_name: topic.name,
                    partitions,
                    ..Default::default()
                }),
            }
        }
    }
    results
}

fn begin(broker: &Broker, path: &str, topic: &str, partition: i32) -> Result<(), ErrorCode> {
    // The name of the copy's directory must hold the topic's whole.
    let uncut = format!("{topic}-{partition}.{}-future", "0".repeat(32));
    if topic == CLUSTER_METADATA || future_directory_name(topic, partition, 0) != uncut {
        return Err(ErrorCode::InvalidTopicException);
    }
    let directory = broker.logs.directory_at(Path::new(path)).filter(|_| Path::new(path).is_absolute());
    let directory = directory.ok_or(ErrorCode::LogDirNotFound)?;
    if directory.is_offline() {
        return Err(ErrorCode::KafkaStorageError);
    }
    if directory.is_cordoned() {
        return Err(ErrorCode::InvalidReplicaAssignment);
    }
    broker.mover.begin(topic, partition, directory)
}
