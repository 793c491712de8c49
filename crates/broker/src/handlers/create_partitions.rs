//! CreatePartitions (key 37, v0-3). More partitions for topics that exist (KIP-195).

use protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use protocol::messages::{CreatePartitionsRequest, CreatePartitionsResponse};

use crate::context::RequestContext;

/// Has the controller add them.
pub async fn handle(context: &RequestContext, request: CreatePartitionsRequest) -> CreatePartitionsResponse {
    let names: Vec<String> = request.topics.iter().map(|topic| topic.name.clone()).collect();
    let deadline_ms = context.now_ms.saturating_add(request.timeout_ms.into());
    let decided = context.broker.controller.decide_before(deadline_ms, move |deciding| {
        deciding.controller.create_partitions(deciding.image, &request, &|_| true, deciding.randomness)
    });
    match decided.await {
        Ok(response) => response,
        Err(error) => CreatePartitionsResponse {
            results: names
                .into_iter()
                .map(|name| CreatePartitionsTopicResult {
                    name,
                    error_code: error.as_i16(),
                    error_message: None,
                    ..Default::default()
                })
                .collect(),
            ..Default::default()
        },
    }
}
