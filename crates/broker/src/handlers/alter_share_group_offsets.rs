//! AlterShareGroupOffsets (key 91, v0). Lets an empty share group begin elsewhere (KIP-932).

use groups::{ShareReply, ShareRequest};
use protocol::ErrorCode;
use protocol::messages::{AlterShareGroupOffsetsRequest, AlterShareGroupOffsetsResponse};

use crate::context::RequestContext;
use crate::share_groups::{ask_share, initialize};

/// Sets states up anew, and answers when they are.
pub async fn handle(
    context: &RequestContext,
    request: AlterShareGroupOffsetsRequest,
) -> AlterShareGroupOffsetsResponse {
    let refused = |error: ErrorCode| AlterShareGroupOffsetsResponse {
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
    let (mut response, wanted) =
        match ask_share(context, &group_id, ShareRequest::AlterOffsets(request)).await {
            ShareReply::AlterOffsets(response, wanted) => (response, wanted),
            _ => return refused(ErrorCode::UnknownServerError),
        };
    let Some(wanted) = wanted else { return response };
    for (start, error) in initialize(&context.broker, wanted).await {
        let topics = response.responses.iter_mut().filter(|topic| topic.topic_id == start.topic_id);
        let rows = topics.flat_map(|topic| &mut topic.partitions);
        for row in rows.filter(|row| row.partition_index == start.partition) {
            row.error_code = error.as_i16();
            row.error_message = Some(error.message().to_string());
        }
    }
    response
}
