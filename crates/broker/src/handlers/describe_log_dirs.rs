//! DescribeLogDirs (key 35, v1-5). What lies in which log directory, and how much room is left (KIP-113, KIP-827).
//!
//! v5 says which directories are cordoned (KIP-1066).

use std::collections::HashSet;
use std::path::Path;

use controller::topics::names::CLUSTER_METADATA;
use protocol::ErrorCode;
use protocol::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use protocol::messages::{DescribeLogDirsRequest, DescribeLogDirsResponse};

use storage::PartitionLog;

use crate::context::RequestContext;

/// Describes every log directory of this broker; sizes are read from memory.
pub async fn handle(context: &RequestContext, request: DescribeLogDirsRequest) -> DescribeLogDirsResponse {
    let asked: Option<HashSet<(String, i32)>> = request.topics.map(|topics| {
        topics
            .into_iter()
            .flat_map(|topic| {
                topic.partitions.into_iter().map(move |partition| (topic.topic.clone(), partition))
            })
            .collect()
    });
    let mut results = Vec::new();
    let logs = &context.broker.logs;
    for directory in logs.directories() {
        let mut topics: Vec<DescribeLogDirsTopic> = Vec::new();
        let mut error = ErrorCode::KafkaStorageError;
        if !directory.is_offline() {
            error = ErrorCode::None;
            // The metadata log lies there too, but is no partition of the broker's.
            for log in directory.logs().into_iter().filter(|log| log.topic() != CLUSTER_METADATA) {
                let key = (log.topic().to_string(), log.partition());
                if asked.as_ref().is_some_and(|asked| !asked.contains(&key)) {
                    continue;
                }
                let lag = (log.high_watermark() - log.log_end_offset()).max(0);
                add(&mut topics, key.0, described(&log, lag, false));
            }
            for future in directory.futures() {
                let (topic, index) = (future.topic().to_string(), future.partition());
                if asked.as_ref().is_some_and(|asked| !asked.contains(&(topic.clone(), index))) {
                    continue;
                }
                let end = logs.log(&topic, index).map_or(0, |log| log.log_end_offset());
                let lag = (end - future.log_end_offset()).max(0);
                add(&mut topics, topic, described(&future, lag, true));
            }
        }
        let space = directory.space().ok();
        let bytes = |of: fn(&storage::disk::DiskSpace) -> u64| {
            space.as_ref().map_or(-1, |space| i64::try_from(of(space)).unwrap_or(i64::MAX))
        };
        results.push(DescribeLogDirsResult {
            error_code: error.as_i16(),
            log_dir: absolute(directory.path()),
            topics,
            total_bytes: bytes(|space| space.total_bytes),
            usable_bytes: bytes(|space| space.usable_bytes),
            is_cordoned: directory.is_cordoned(),
            ..Default::default()
        });
    }
    DescribeLogDirsResponse { results, ..Default::default() }
}

fn described(log: &PartitionLog, offset_lag: i64, is_future_key: bool) -> DescribeLogDirsPartition {
    DescribeLogDirsPartition {
        partition_index: log.partition(),
        partition_size: i64::try_from(log.size()).unwrap_or(i64::MAX),
        offset_lag,
        is_future_key,
        ..Default::default()
    }
}

fn add(topics: &mut Vec<DescribeLogDirsTopic>, name: String, partition: DescribeLogDirsPartition) {
    // A topic's partitions come one after the other, but for the copies on their way here.
    let is_last = topics.last().is_some_and(|topic| topic.name == name);
    let known =
        if is_last { topics.len().checked_sub(1) } else { topics.iter().position(|t| t.name == name) };
    match known.and_then(|index| topics.get_mut(index)) {
        Some(topic) => topic.partitions.push(partition),
        None => topics.push(DescribeLogDirsTopic { name, partitions: vec![partition], ..Default::default() }),
    }
}

/// Directories are named as tools can find them, whatever the configuration calls them.
fn absolute(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string()
}
