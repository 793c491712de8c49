//! DeleteRecords (key 21, v0-2). Moves the log start offset of partitions forward (KIP-107).

use protocol::ErrorCode;
use protocol::messages::delete_records_response::{DeleteRecordsPartitionResult, DeleteRecordsTopicResult};
use protocol::messages::{DeleteRecordsRequest, DeleteRecordsResponse};

use crate::context::RequestContext;

/// Asks for everything below the high watermark.
const HIGH_WATERMARK: i64 = -1;

/// The low watermark of a partition whose records were not deleted.
const INVALID_LOW_WATERMARK: i64 = -1;

/// Deletes what lies before each partition's offset.
pub async fn handle(context: &RequestContext, request: DeleteRecordsRequest) -> DeleteRecordsResponse {
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for asked in topic.partitions {
            let outcome = delete(context, &topic.name, asked.partition_index, asked.offset).await;
            partitions.push(DeleteRecordsPartitionResult {
                partition_index: asked.partition_index,
                low_watermark: outcome.unwrap_or(INVALID_LOW_WATERMARK),
                error_code: outcome.err().unwrap_or(ErrorCode::None).as_i16(),
                ..Default::default()
            });
        }
        topics.push(DeleteRecordsTopicResult { name: topic.name, partitions, ..Default::default() });
    }
    DeleteRecordsResponse { topics, ..Default::default() }
}

async fn delete(context: &RequestContext, topic: &str, index: i32, offset: i64) -> Result<i64, ErrorCode> {
    let partition = context.broker.partitions.by_name(topic, index).map_err(ErrorCode::from)?;
    if controller::topics::names::is_internal(topic) {
        return Err(ErrorCode::InvalidTopicException);
    }
    partition.check_leader_epoch(-1, true)?;
    let config = partition.log.config();
    if config.compacts() && !config.deletes() {
        return Err(ErrorCode::PolicyViolation);
    }
    let before = if offset == HIGH_WATERMARK { partition.log.high_watermark() } else { offset };
    if before < 0 || before > partition.log.high_watermark() {
        return Err(ErrorCode::OffsetOutOfRange);
    }
    let (deleted, now_ms) = (partition.clone(), context.now_ms);
    let outcome = tokio::task::spawn_blocking(move || deleted.log.delete_records_before(before, now_ms));
    match outcome.await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => {
            tracing::error!(topic_partition = %partition.topic_partition, %error, "cannot delete records");
            return Err(ErrorCode::KafkaStorageError);
        }
        Err(_) => return Err(ErrorCode::UnknownServerError),
    }
    partition.waiters.wake_all();
    Ok(partition.log.log_start_offset())
}
