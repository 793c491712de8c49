//! `kafka-transactions find-hanging`: open transactions in partitions that no coordinator knows of.

use std::collections::BTreeMap;

use klamm_client::{Admin, ErrorCode, TopicPartition};
use protocol::messages::describe_producers_response::ProducerState;

use crate::command_line::{Arguments, Failure};
use crate::text::calendar::now_ms;

use super::{failed, print_table};

const HEADERS: &[&str] = &[
    "Topic",
    "Partition",
    "ProducerId",
    "ProducerEpoch",
    "CoordinatorEpoch",
    "StartOffset",
    "LastTimestamp",
    "Duration(min)",
];

/// Prints what hangs.
pub async fn find(admin: &Admin, arguments: &Arguments) -> Result<(), Failure> {
    let broker: Option<i32> = arguments.number("broker-id")?;
    let topic = arguments.value("topic")?;
    let partition: Option<i32> = arguments.number("partition")?;
    if topic.is_none() && broker.is_none() {
        return Err(Failure::refused(
            "The `find-hanging` command requires either --topic or --broker-id to limit the scope of the search",
        ));
    }
    if partition.is_some() && topic.is_none() {
        return Err(Failure::refused("The --partition argument requires --topic to be provided"));
    }
    let age_min_ms = 60_000 * i64::from(arguments.number::<i32>("max-transaction-timeout")?.unwrap_or(15));
    let mut candidates = Vec::new();
    for key in partitions(admin, topic, partition, broker).await? {
        let producers = admin
            .describe_producers(&key, broker)
            .await
            .map_err(|error| failed(&format!("Failed to describe producers for partition {key}"), &error))?;
        let is_old = |state: &ProducerState| {
            state.current_txn_start_offset >= 0 && now_ms() - state.last_timestamp > age_min_ms
        };
        candidates.extend(producers.into_iter().filter(is_old).map(|state| (key.clone(), state)));
    }
    let known = if candidates.is_empty() { BTreeMap::new() } else { known_transactions(admin).await? };
    let mut rows = Vec::new();
    for (key, state) in candidates {
        if let Some(id) = known.get(&state.producer_id)
            && is_ongoing_there(admin, id, &key, state.producer_id).await?
        {
            continue;
        }
        rows.push(vec![
            key.topic.to_string(),
            key.partition.to_string(),
            state.producer_id.to_string(),
            state.producer_epoch.to_string(),
            state.coordinator_epoch.to_string(),
            state.current_txn_start_offset.to_string(),
            state.last_timestamp.to_string(),
            ((now_ms() - state.last_timestamp) / 60_000).to_string(),
        ]);
    }
    print_table(HEADERS, &rows, arguments);
    Ok(())
}

async fn partitions(
    admin: &Admin,
    topic: Option<&str>,
    partition: Option<i32>,
    broker: Option<i32>,
) -> Result<Vec<TopicPartition>, Failure> {
    if let (Some(topic), Some(partition)) = (topic, partition) {
        return Ok(vec![TopicPartition::new(topic, partition)]);
    }
    let names = match topic {
        Some(topic) => vec![topic.to_owned()],
        None => admin.list_topics().await?.into_iter().map(|topic| topic.name).collect(),
    };
    let mut found = Vec::new();
    for (name, described) in admin.describe_topics(&names, 2000).await? {
        let described =
            described.map_err(|error| failed(&format!("Failed to describe topics {names:?}"), &error))?;
        let partitions = described.partitions.into_iter();
        let wanted =
            partitions.filter(|partition| broker.is_none_or(|broker| partition.replicas.contains(&broker)));
        found.extend(wanted.map(|partition| TopicPartition::new(name.as_str(), partition.partition)));
    }
    Ok(found)
}

/// Transactional ids by producer id.
async fn known_transactions(admin: &Admin) -> Result<BTreeMap<i64, String>, Failure> {
    let listed = admin.list_transactions(-1, None).await;
    let listed = listed.map_err(|error| failed("Failed to list transactions", &error))?;
    let all = listed.into_iter().flat_map(|(_, transactions)| transactions);
    Ok(all.map(|transaction| (transaction.producer_id, transaction.transactional_id)).collect())
}

async fn is_ongoing_there(
    admin: &Admin,
    id: &str,
    key: &TopicPartition,
    producer_id: i64,
) -> Result<bool, Failure> {
    match admin.describe_transaction(id).await {
        Ok((_, transaction)) => {
            let is_part = transaction
                .topics
                .iter()
                .any(|topic| topic.topic == *key.topic && topic.partitions.contains(&key.partition));
            Ok(transaction.producer_id == producer_id && is_part)
        }
        Err(error) if error.code() == Some(ErrorCode::TransactionalIdNotFound) => Ok(false),
        Err(error) => Err(failed(&format!("Failed to describe {id} transactional-id"), &error)),
    }
}
