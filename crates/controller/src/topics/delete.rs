//! DeleteTopics (key 20, v1-6): by name, and from v6 on by id (KIP-516).

use std::collections::{BTreeMap, BTreeSet};

use metadata::MetadataImage;
use protocol::messages::delete_topics_response::DeletableTopicResult;
use protocol::messages::{DeleteTopicsRequest, DeleteTopicsResponse};
use protocol::metadata_records::{MetadataRecord, RemoveTopicRecord};
use protocol::{ErrorCode, Uuid};

use crate::result::{ApiError, ControllerResult};
use crate::settings::Controller;

/// What the caller may do with existing topics; without an authorizer, everything.
#[derive(Clone, Copy)]
pub struct DeleteAccess<'a> {
    /// May know that the topic exists.
    pub can_describe: &'a dyn Fn(&str) -> bool,
    /// May delete it.
    pub can_delete: &'a dyn Fn(&str) -> bool,
}

impl DeleteAccess<'_> {
    /// Everything is allowed.
    pub const ALL: DeleteAccess<'static> = DeleteAccess { can_describe: &|_| true, can_delete: &|_| true };
}

fn result(name: Option<&str>, topic_id: Uuid, error: Option<ApiError>) -> DeletableTopicResult {
    let (error_code, error_message) =
        error.map_or((ErrorCode::None, None), |error| (error.code, error.message));
    DeletableTopicResult {
        name: name.map(str::to_owned),
        topic_id,
        error_code: error_code.into(),
        error_message,
        ..Default::default()
    }
}

fn invalid(message: &str) -> Option<ApiError> {
    Some(ApiError::new(ErrorCode::InvalidRequest, message))
}

/// Values in their first order, and those among them that came more than once.
struct Given<T> {
    once: Vec<T>,
    repeated: Vec<T>,
}

impl<T: Ord + Copy> Given<T> {
    fn of(values: impl Iterator<Item = T>) -> Self {
        let mut counts: BTreeMap<T, usize> = BTreeMap::new();
        let mut order = Vec::new();
        for value in values {
            let count = counts.entry(value).or_default();
            *count += 1;
            if *count == 1 {
                order.push(value);
            }
        }
        let (once, repeated) = order.into_iter().partition(|value| counts.get(value) == Some(&1));
        Self { once, repeated }
    }
}

impl Controller {
    /// Deletes topics: those that exist, whatever becomes of the others.
    pub fn delete_topics(
        &self,
        image: &MetadataImage,
        request: &DeleteTopicsRequest,
        api_version: i16,
        access: DeleteAccess<'_>,
    ) -> ControllerResult<DeleteTopicsResponse> {
        if !self.settings.config.topics.delete_topic_enable {
            return ControllerResult::unchanged(deletion_disabled(request, api_version));
        }
        let mut responses = Vec::new();
        for state in &request.topics {
            match (&state.name, state.topic_id.is_zero()) {
                (None, true) => {
                    let error = invalid("Neither topic name nor id were specified.");
                    responses.push(result(None, Uuid::ZERO, error));
                }
                (Some(name), false) => {
                    let error = invalid("You may not specify both topic name and topic id.");
                    responses.push(result(Some(name), state.topic_id, error));
                }
                _ => {}
            }
        }
        let named = request.topics.iter().filter(|state| state.topic_id.is_zero());
        let names = request.topic_names.iter().chain(named.filter_map(|state| state.name.as_ref()));
        let names = Given::of(names.map(String::as_str));
        let ids = request.topics.iter().filter(|state| state.name.is_none() && !state.topic_id.is_zero());
        let ids = Given::of(ids.map(|state| state.topic_id));
        responses.extend(
            names
                .repeated
                .iter()
                .map(|name| result(Some(name), Uuid::ZERO, invalid("Duplicate topic name."))),
        );
        responses.extend(ids.repeated.iter().map(|id| result(None, *id, invalid("Duplicate topic id."))));

        let mut chosen = BTreeSet::new();
        let mut deletions = Vec::new();
        for id in &ids.once {
            match choose_by_id(image, *id, access) {
                Ok(name) => {
                    chosen.insert(*id);
                    deletions.push((name, *id));
                }
                Err(refusal) => responses.push(refusal),
            }
        }
        for name in names.once {
            match choose_by_name(image, name, access) {
                Ok(id) if ids.repeated.contains(&id) || !chosen.insert(id) => {
                    deletions.retain(|(_, other)| *other != id);
                    let error = invalid("The provided topic name maps to an ID that was already supplied.");
                    responses.push(result(Some(name), id, error));
                }
                Ok(id) => deletions.push((name, id)),
                Err(refusal) => responses.push(refusal),
            }
        }
        let mut records = Vec::new();
        for (name, topic_id) in deletions {
            records.push(MetadataRecord::RemoveTopic(RemoveTopicRecord { topic_id, ..Default::default() }));
            responses.push(result(Some(name), topic_id, None));
        }
        ControllerResult::new(records, DeleteTopicsResponse { responses, ..Default::default() })
    }
}

fn choose_by_id<'a>(
    image: &'a MetadataImage,
    id: Uuid,
    access: DeleteAccess<'_>,
) -> Result<&'a str, DeletableTopicResult> {
    let Some(topic) = image.topics.by_id(id) else {
        return Err(result(None, id, Some(ApiError::of(ErrorCode::UnknownTopicId))));
    };
    let name = topic.name();
    if (access.can_delete)(name) {
        return Ok(name);
    }
    let shown = (access.can_describe)(name).then_some(name);
    Err(result(shown, id, Some(ApiError::of(ErrorCode::TopicAuthorizationFailed))))
}

fn choose_by_name(
    image: &MetadataImage,
    name: &str,
    access: DeleteAccess<'_>,
) -> Result<Uuid, DeletableTopicResult> {
    let refuse = |code| Err(result(Some(name), Uuid::ZERO, Some(ApiError::of(code))));
    if !(access.can_describe)(name) {
        return refuse(ErrorCode::TopicAuthorizationFailed);
    }
    match image.topics.by_name(name) {
        None => refuse(ErrorCode::UnknownTopicOrPartition),
        Some(topic) if (access.can_delete)(name) => Ok(topic.id()),
        Some(_) => refuse(ErrorCode::TopicAuthorizationFailed),
    }
}

/// `delete.topic.enable=false`: the same error for each topic. Versions below 3 have no code for it.
fn deletion_disabled(request: &DeleteTopicsRequest, api_version: i16) -> DeleteTopicsResponse {
    let error = if api_version < 3 {
        ApiError::new(ErrorCode::InvalidRequest, "This version does not support topic deletion.")
    } else {
        ApiError::of(ErrorCode::TopicDeletionDisabled)
    };
    let by_name = request.topic_names.iter().map(|name| (Some(name.as_str()), Uuid::ZERO));
    let by_state = request.topics.iter().map(|state| (state.name.as_deref(), state.topic_id));
    let topics = by_name.chain(by_state);
    DeleteTopicsResponse {
        responses: topics
            .map(|(name, topic_id)| {
                let mut refusal = result(name, topic_id, Some(error.clone()));
                // Kafka's answer to a request refused as a whole has codes only.
                refusal.error_message = None;
                refusal
            })
            .collect(),
        ..Default::default()
    }
}
