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
    for directory in context.broker.logs.directories() {
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
                let partition = DescribeLogDirsPartition {
                    partition_index: key.1,
                    partition_size: i64::try_from(log.size()).unwrap_or(i64::MAX),
                    offset_lag: (log.high_watermark() - log.log_end_offset()).max(0),
                    is_future_key: false,
                    ..Default::default()
                };
                // A topic's partitions come one after the other.
                match topics.last_mut() {
                    Some(topic) if topic.name == key.0 => topic.partitions.push(partition),
                    _ => topics.push(DescribeLogDirsTopic {
                        name: key.0,
                        partitions: vec![partition],
                        ..Default::default()
                    }),
                }
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

/// Directories are named as tools can find them, whatever the configuration calls them.
fn absolute(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string()
}
