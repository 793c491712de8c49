//! How handlers ask the share coordinator for one partition's state.

use protocol::{ErrorCode, Uuid};
use share::{PartitionReply, Request, SharePartitionKey};

use crate::context::RequestContext;

/// Asks the shard of a group's partition.
pub(crate) async fn ask(
    context: &RequestContext,
    (group_id, topic_id, partition): (&str, Uuid, i32),
    request: Request,
) -> PartitionReply {
    if topic_id == Uuid::ZERO {
        // Kafka looks for the topic first, but where state is read or written.
        return PartitionReply::refused(match request {
            Request::Read { .. } | Request::Write(_) => ErrorCode::InvalidRequest,
            _ => ErrorCode::UnknownTopicOrPartition,
        });
    }
    let key = SharePartitionKey { group_id: group_id.into(), topic_id, partition };
    context.broker.shared.state().ask(&key, request).await
}
