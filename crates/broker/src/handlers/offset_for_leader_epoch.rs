//! OffsetForLeaderEpoch (key 23, v2-4). Where a leader epoch ends, so that a client finds out what it must forget (KIP-320).

use protocol::ErrorCode;
use protocol::messages::offset_for_leader_epoch_request::OffsetForLeaderPartition;
use protocol::messages::offset_for_leader_epoch_response::{EpochEndOffset, OffsetForLeaderTopicResult};
use protocol::messages::{OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse};

use crate::context::RequestContext;

/// Answers for each partition with the largest epoch not above the asked one and its end offset.
pub async fn handle(
    context: &RequestContext,
    request: OffsetForLeaderEpochRequest,
) -> OffsetForLeaderEpochResponse {
    let topics = request
        .topics
        .into_iter()
        .map(|topic| OffsetForLeaderTopicResult {
            partitions: topic.partitions.iter().map(|asked| row(context, &topic.topic, asked)).collect(),
            topic: topic.topic,
            ..Default::default()
        })
        .collect();
    OffsetForLeaderEpochResponse { topics, ..Default::default() }
}

fn row(context: &RequestContext, topic: &str, asked: &OffsetForLeaderPartition) -> EpochEndOffset {
    let answer = EpochEndOffset { partition: asked.partition, ..Default::default() };
    match end_offset(context, topic, asked) {
        Ok(Some((leader_epoch, end_offset))) => EpochEndOffset { leader_epoch, end_offset, ..answer },
        Ok(None) => answer,
        Err(error) => EpochEndOffset { error_code: error.as_i16(), ..answer },
    }
}

fn end_offset(
    context: &RequestContext,
    topic: &str,
    asked: &OffsetForLeaderPartition,
) -> Result<Option<(i32, i64)>, ErrorCode> {
    let partition = context.broker.partitions.by_name(topic, asked.partition).map_err(ErrorCode::from)?;
    partition.check_leader_epoch(asked.current_leader_epoch, true)?;
    let end = partition.log.end_offset_for_epoch(asked.leader_epoch);
    Ok((end.end_offset >= 0).then_some((end.epoch, end.end_offset)))
}
