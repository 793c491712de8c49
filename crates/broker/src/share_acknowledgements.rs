//! Acknowledgements of share group members, as ShareFetch and ShareAcknowledge carry them: checked, and passed to the engines.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::join_all;
use protocol::{ErrorCode, Uuid};
use share::{AcknowledgeBatch, AcknowledgeType, SessionKey, SharePartitionKey, SharedPartition};

use crate::broker::Broker;

/// A batch as it came: first offset, last offset, types.
pub type RawBatch = (i64, i64, Vec<i8>);

/// What became of the acknowledgements for one partition: an error and its words, or success.
pub type Outcome = (ErrorCode, Option<String>);

/// What is acknowledged, by partition.
pub type Acknowledgements = BTreeMap<SharedPartition, Vec<RawBatch>>;

/// What holds for all acknowledgements of a request.
#[derive(Debug, Clone, Copy)]
pub struct AcknowledgeRules {
    /// Whether the request's version knows how to renew (KIP-1222).
    pub knows_renewal: bool,
    /// Whether the request says that it renews.
    pub may_renew: bool,
}

/// A member id as clients make them.
pub fn is_member_id(member_id: Option<&str>) -> bool {
    member_id.is_some_and(|member_id| !member_id.is_empty() && member_id.len() <= 36)
}

/// A session's name, if the request has one.
pub fn session_key(group_id: Option<&str>, member_id: Option<&str>) -> Option<SessionKey> {
    let (group_id, member_id) = (group_id?, member_id?);
    Some(SessionKey { group_id: group_id.into(), member_id: member_id.into() })
}

/// Passes acknowledgements to the engines, all at once, and waits until they are written down.
pub async fn acknowledge(
    broker: &Arc<Broker>,
    session: &SessionKey,
    acknowledgements: Acknowledgements,
    rules: AcknowledgeRules,
) -> BTreeMap<SharedPartition, Outcome> {
    let each = acknowledgements.into_iter().map(async |(partition, batches)| {
        let outcome = acknowledge_partition(broker, session, partition, &batches, rules).await;
        (partition, outcome.err().unwrap_or((ErrorCode::None, None)))
    });
    join_all(each).await.into_iter().collect()
}

async fn acknowledge_partition(
    broker: &Arc<Broker>,
    session: &SessionKey,
    partition: SharedPartition,
    batches: &[RawBatch],
    rules: AcknowledgeRules,
) -> Result<(), Outcome> {
    let plain = |error: ErrorCode| (error, Some(error.message().to_string()));
    let batches = checked(batches, rules).ok_or_else(|| plain(ErrorCode::InvalidRequest))?;
    let SharedPartition { topic_id, partition } = partition;
    exists(broker, topic_id, partition).map_err(plain)?;
    if batches.is_empty() {
        return Ok(());
    }
    let key = SharePartitionKey { group_id: session.group_id.clone(), topic_id, partition };
    let shared = broker.shared.get(&key).ok_or_else(|| plain(ErrorCode::UnknownTopicOrPartition))?;
    shared.check().map_err(plain)?;
    let limits = broker.shared.limits(&session.group_id);
    let now_ms = broker.shared.now_ms();
    let said = broker
        .shared
        .with_engine(&shared, |engine| engine.acknowledge(&session.member_id, &batches, &limits, now_ms));
    let change = said.map_err(|refusal| (refusal.error_code, Some(refusal.message.to_string())))?;
    let Some(change) = change else { return Ok(()) };
    // On a task of its own: whoever asks may go, the change must not be left half done.
    let written = tokio::spawn(broker.shared.clone().write(shared, change));
    match written.await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(plain(error)),
        Err(_) => Err(plain(ErrorCode::UnknownServerError)),
    }
}

/// Whether the cluster has this partition.
fn exists(broker: &Broker, topic_id: Uuid, partition: i32) -> Result<(), ErrorCode> {
    let image = broker.metadata.image();
    match image.topics.by_id(topic_id) {
        None => Err(ErrorCode::UnknownTopicId),
        Some(topic) if topic.partition(partition).is_none() => Err(ErrorCode::UnknownTopicOrPartition),
        Some(_) => Ok(()),
    }
}

/// The batches, if all of them make sense: in order, with one type or with one for each record.
fn checked(batches: &[RawBatch], rules: AcknowledgeRules) -> Option<Vec<AcknowledgeBatch>> {
    let mut end = -1;
    let mut checked = Vec::with_capacity(batches.len());
    for (first_offset, last_offset, types) in batches {
        let (first_offset, last_offset) = (*first_offset, *last_offset);
        let records = last_offset.checked_sub(first_offset)?.checked_add(1)?;
        let fits = types.len() == 1 || i64::try_from(types.len()) == Ok(records);
        if first_offset < 0 || first_offset > last_offset || first_offset < end || types.is_empty() || !fits {
            return None;
        }
        end = last_offset;
        let types: Option<Vec<AcknowledgeType>> =
            types.iter().map(|kind| AcknowledgeType::from_i8(*kind)).collect();
        let types = types?;
        if types.contains(&AcknowledgeType::Renew) && !(rules.knows_renewal && rules.may_renew) {
            return None;
        }
        checked.push(AcknowledgeBatch { first_offset, last_offset, types });
    }
    Some(checked)
}

/// Ends a member's session and takes back what it holds.
pub fn end_session(broker: &Arc<Broker>, session: &SessionKey) {
    let ended = broker.shared.sessions().lock().remove(session);
    if let Some(partitions) = ended {
        broker.shared.session_ended(session, &partitions);
    }
}
