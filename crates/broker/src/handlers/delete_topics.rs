//! DeleteTopics (key 20, v1-6). By name, or by id since v6 (KIP-516).

use controller::topics::DeleteAccess;
use protocol::messages::delete_topics_response::DeletableTopicResult;
use protocol::messages::{DeleteTopicsRequest, DeleteTopicsResponse};

use crate::context::RequestContext;

/// Has the controller delete them.
pub async fn handle(context: &RequestContext, request: DeleteTopicsRequest) -> DeleteTopicsResponse {
    let by_name = request.topic_names.iter().map(|name| (Some(name.clone()), protocol::Uuid::ZERO));
    let by_state = request.topics.iter().map(|topic| (topic.name.clone(), topic.topic_id));
    let asked: Vec<_> = by_name.chain(by_state).collect();
    let api_version = context.api_version;
    let deadline_ms = context.now_ms.saturating_add(request.timeout_ms.into());
    let decided = context.broker.controller.decide_before(deadline_ms, move |deciding| {
        deciding.controller.delete_topics(deciding.image, &request, api_version, DeleteAccess::ALL)
    });
    match decided.await {
        Ok(response) => response,
        Err(error) => DeleteTopicsResponse {
            responses: asked
                .into_iter()
                .map(|(name, topic_id)| DeletableTopicResult {
                    name,
                    topic_id,
                    error_code: error.as_i16(),
                    error_message: None,
                    ..Default::default()
                })
                .collect(),
            ..Default::default()
        },
    }
}
