//! StreamsGroupTopologyDescriptionUpdate (key 93, v0). Members describe their topology (KIP-1331) to whom is set up to keep it.

use protocol::ErrorCode;
use protocol::messages::{
    StreamsGroupTopologyDescriptionUpdateRequest, StreamsGroupTopologyDescriptionUpdateResponse,
};

use crate::context::RequestContext;

/// Kafka hands descriptions to a plug-in, and refuses them where none is configured, which is the default. There are no
/// plug-ins here; members are never asked for a description.
pub async fn handle(
    _: &RequestContext,
    _: StreamsGroupTopologyDescriptionUpdateRequest,
) -> StreamsGroupTopologyDescriptionUpdateResponse {
    StreamsGroupTopologyDescriptionUpdateResponse {
        error_code: ErrorCode::UnsupportedVersion.as_i16(),
        error_message: Some("Nothing is configured to keep descriptions of topologies.".to_owned()),
        ..Default::default()
    }
}
