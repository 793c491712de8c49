//! DeleteShareGroupOffsets (key 92, v0). Forgets where an empty share group stands in some topics (KIP-932).

use groups::{ShareReply, ShareRequest};
use protocol::ErrorCode;
use protocol::messages::delete_share_group_offsets_response::DeleteShareGroupOffsetsResponseTopic;
use protocol::messages::{DeleteShareGroupOffsetsRequest, DeleteShareGroupOffsetsResponse};

use crate::context::RequestContext;
use crate::share_groups::{ask_share, delete};

/// Deletes states, and answers when they are gone.
pub async fn handle(
    context: &RequestContext,
    request: DeleteShareGroupOffsetsRequest,
) -> DeleteShareGroupOffsetsResponse {
    let refused = |error: ErrorCode| DeleteShareGroupOffsetsResponse {
        error_code: error.as_i16(),
        error_message: Some(error.message().to_string()),
        ..Default::default()
    };
    if !context.broker.supports_share_groups() {
        return refused(ErrorCode::UnsupportedVersion);
    }
    let group_id = request.group_id.clone();
    if group_id.is_empty() {
        return refused(ErrorCode::InvalidGroupId);
    }
    let asked = ask_share(context, &group_id, ShareRequest::DeleteOffsets(request)).await;
    let ShareReply::DeleteOffsets(mut response, topics) = asked else {
        return refused(ErrorCode::UnknownServerError);
    };
    let outcomes = delete(&context.broker, &group_id, &topics).await;
    let rows = topics.into_iter().zip(outcomes).map(|(topic, (topic_id, outcome))| {
        let error = outcome.err();
        DeleteShareGroupOffsetsResponseTopic {
            topic_name: topic.topic_name,
            topic_id,
            error_code: error.unwrap_or(ErrorCode::None).as_i16(),
            error_message: error.map(|error| error.message().to_string()),
            ..Default::default()
        }
    });
    // What has been deleted comes before what could not be.
    response.responses.splice(0..0, rows);
    response
}
