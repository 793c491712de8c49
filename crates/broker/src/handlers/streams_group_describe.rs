//! StreamsGroupDescribe (key 89). State, topology, members and tasks of streams groups (KIP-1071).

use groups::{Reply, Request};
use protocol::ErrorCode;
use protocol::messages::streams_group_describe_response::DescribedGroup;
use protocol::messages::{StreamsGroupDescribeRequest, StreamsGroupDescribeResponse};

use crate::authorized_operations;
use crate::context::RequestContext;
use crate::group_request::{ask_group, knows_streams_groups};

/// There is no place for descriptions of topologies (KIP-1331).
const NOT_STORED: i8 = 1;

/// Asks each group's shard in turn.
pub async fn handle(
    context: &RequestContext,
    request: StreamsGroupDescribeRequest,
) -> StreamsGroupDescribeResponse {
    let mut response = StreamsGroupDescribeResponse::default();
    for group_id in request.group_ids {
        if !knows_streams_groups(context) {
            response.groups.push(refused(group_id, ErrorCode::UnsupportedVersion));
        } else if group_id.is_empty() {
            response.groups.push(refused(group_id, ErrorCode::InvalidGroupId));
        } else {
            let asked = Request::StreamsGroupDescribe(vec![group_id.clone()]);
            if let Reply::StreamsGroupDescribe(described) = ask_group(context, &group_id, asked).await {
                response.groups.extend(described);
            }
        }
    }
    for group in response.groups.iter_mut().filter(|group| group.error_code == 0) {
        if request.include_authorized_operations {
            group.authorized_operations = authorized_operations::GROUP;
        }
        if request.include_topology_description {
            group.topology_description_status = NOT_STORED;
        }
    }
    response
}

fn refused(group_id: String, error: ErrorCode) -> DescribedGroup {
    DescribedGroup { group_id, error_code: error.as_i16(), ..Default::default() }
}
