//! Share groups between the group coordinator and the share coordinator: states are set up and deleted on behalf of groups.

use std::sync::Arc;

use futures_util::future::join_all;
use groups::{
    Action, InitializeShareState, Reply, Request, ShareReply, ShareRequest, ShareTopicPartitions,
    StartOffset, TopicStateToDelete,
};
use protocol::{ErrorCode, Uuid};
use share::{InitializeState, SharePartitionKey};
use tracing::warn;

use crate::broker::Broker;
use crate::context::RequestContext;
use crate::group_request::ask_group;

/// Asks the shard of a group something about share groups.
pub async fn ask_share(context: &RequestContext, group_id: &str, request: ShareRequest) -> ShareReply {
    match ask_group(context, group_id, Request::Share(request)).await {
        Reply::Share(reply) => reply,
        other => unreachable!("a shard answered with a reply of another kind: {other:?}"),
    }
}

/// What a shard is told by the broker itself.
fn own_context() -> groups::RequestContext {
    groups::RequestContext {
        api_version: 0,
        client_id: String::new(),
        client_host: String::new(),
        member_id_entropy: 0,
    }
}

async fn tell(broker: &Broker, group_id: &str, request: ShareRequest) {
    let told = broker.groups.ask(group_id, (own_context(), Request::Share(request))).await;
    if let Reply::Share(ShareReply::Heard(error)) = told
        && error != ErrorCode::None
    {
        warn!(group_id, error = error.name(), "a share group could not be told what became of its states");
    }
}

/// Does what group shards ask for. Runs as long as the node does.
pub async fn run_actions(broker: Arc<Broker>) {
    broker
        .groups
        .run_actions(async |_, action| match action {
            Action::InitializeShareState(wanted) => {
                initialize(&broker, wanted).await;
            }
        })
        .await;
}

/// Sets states up and tells the group which of them are; returns the errors of the others.
pub async fn initialize(broker: &Broker, wanted: InitializeShareState) -> Vec<(StartOffset, ErrorCode)> {
    let group_id: Arc<str> = wanted.group_id.as_str().into();
    let each = wanted.partitions.into_iter().map(async |start| {
        let StartOffset { topic_id, partition, start_offset } = start;
        let key = SharePartitionKey { group_id: group_id.clone(), topic_id, partition };
        let state = InitializeState { state_epoch: wanted.state_epoch, start_offset };
        let reply = broker.shared.state().ask_patiently(&key, share::Request::Initialize(state)).await;
        (start, reply.error_code)
    });
    let outcomes = join_all(each).await;
    for is_done in [true, false] {
        let mut topics: Vec<ShareTopicPartitions> = Vec::new();
        for (start, _) in outcomes.iter().filter(|(_, error)| (*error == ErrorCode::None) == is_done) {
            match topics.iter_mut().find(|topic| topic.topic_id == start.topic_id) {
                Some(topic) => topic.partitions.push(start.partition),
                None => {
                    let (topic_id, partitions) = (start.topic_id, vec![start.partition]);
                    topics.push(ShareTopicPartitions { topic_id, partitions });
                }
            }
        }
        if !topics.is_empty() {
            let told = ShareRequest::StateInitialized { group_id: group_id.to_string(), topics, is_done };
            tell(broker, &group_id, told).await;
        }
    }
    outcomes.into_iter().filter(|(_, error)| *error != ErrorCode::None).collect()
}

/// Deletes states; returns the topics of which all are gone, and the errors of the others. The group is told.
pub async fn delete(
    broker: &Broker,
    group_id: &str,
    topics: &[TopicStateToDelete],
) -> Vec<(Uuid, Result<(), ErrorCode>)> {
    let mut outcomes = Vec::with_capacity(topics.len());
    for topic in topics {
        let each = topic.partitions.iter().map(async |partition| {
            let key = SharePartitionKey {
                group_id: group_id.into(),
                topic_id: topic.topic_id,
                partition: *partition,
            };
            broker.shared.state().ask_patiently(&key, share::Request::Delete).await.error_code
        });
        let failed = join_all(each).await.into_iter().find(|error| *error != ErrorCode::None);
        outcomes.push((topic.topic_id, failed.map_or(Ok(()), Err)));
    }
    let gone = outcomes.iter().filter(|(_, outcome)| outcome.is_ok()).map(|(topic_id, _)| *topic_id);
    let topic_ids: Vec<Uuid> = gone.collect();
    if !topic_ids.is_empty() {
        tell(broker, group_id, ShareRequest::StateDeleted { group_id: group_id.to_string(), topic_ids })
            .await;
    }
    outcomes
}
