//! How handlers ask group shards: the context they pass on, the answer they expect.

use groups::{Reply, Request};

use crate::context::RequestContext;

/// Asks the shard of a group and takes the one kind of reply that fits the request.
macro_rules! ask {
    ($context:expr, $group_id:expr, $request:expr, $reply:path) => {
        match $crate::group_request::ask_group($context, $group_id, $request).await {
            $reply(response) => response,
            other => unreachable!("a shard answered with a reply of another kind: {other:?}"),
        }
    };
}
pub(crate) use ask;

/// What a shard is told of the request in hand.
pub(crate) fn shard_context(context: &RequestContext) -> groups::RequestContext {
    groups::RequestContext {
        api_version: context.api_version,
        client_id: context.client_id().to_string(),
        client_host: context.client_host(),
        member_id_entropy: rand::random(),
    }
}

/// Asks the shard that holds `group_id`.
pub(crate) async fn ask_group(context: &RequestContext, group_id: &str, request: Request) -> Reply {
    context.broker.groups.ask(group_id, (shard_context(context), request)).await
}

/// The feature that stands for the consumer group protocol.
const GROUP_VERSION_FEATURE: &str = "group.version";

/// Whether the cluster has agreed on consumer groups (KIP-848).
pub(crate) fn knows_consumer_groups(context: &RequestContext) -> bool {
    context.broker.metadata.image().features.level(GROUP_VERSION_FEATURE) >= 1
}

/// The feature that stands for the streams group protocol.
const STREAMS_VERSION_FEATURE: &str = "streams.version";

/// Whether the cluster has agreed on streams groups (KIP-1071).
pub(crate) fn knows_streams_groups(context: &RequestContext) -> bool {
    context.broker.metadata.image().features.level(STREAMS_VERSION_FEATURE) >= 1
}
