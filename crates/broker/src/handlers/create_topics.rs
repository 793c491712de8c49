//! CreateTopics (key 19, v2-7). Topics with their partitions, placement and settings; or only whether they could be (v1+).

use controller::TopicAccess;
use protocol::ErrorCode;
use protocol::messages::create_topics_response::CreatableTopicResult;
use protocol::messages::{CreateTopicsRequest, CreateTopicsResponse};

use crate::context::RequestContext;

/// Has the controller create them.
pub async fn handle(context: &RequestContext, request: CreateTopicsRequest) -> CreateTopicsResponse {
    let names: Vec<String> = request.topics.iter().map(|topic| topic.name.clone()).collect();
    let deadline_ms = context.now_ms.saturating_add(request.timeout_ms.into());
    let decided = context.broker.controller.decide_before(deadline_ms, move |deciding| {
        deciding.controller.create_topics(deciding.image, &request, TopicAccess::ALL, deciding.randomness)
    });
    match decided.await {
        Ok(response) => response,
        Err(error) => CreateTopicsResponse {
            topics: names.into_iter().map(|name| refused(name, error)).collect(),
            ..Default::default()
        },
    }
}

fn refused(name: String, error: ErrorCode) -> CreatableTopicResult {
    CreatableTopicResult { name, error_code: error.as_i16(), error_message: None, ..Default::default() }
}
