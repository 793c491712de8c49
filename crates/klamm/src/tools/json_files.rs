//! The JSON files that tools take: lists of topic partitions under `version` 1.

use std::fs;

use klamm_client::TopicPartition;
use serde_json::Value;

use crate::command_line::Failure;

/// Reads a file whole; a missing one is told as Java tells it.
pub fn read(path: &str) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|_| Failure::refused(format!("Unable to read file {path}")))
}

/// The entries of `partitions`, as objects.
pub fn partitions(json: &Value) -> Result<Vec<&Value>, Failure> {
    let list = json.get("partitions").and_then(Value::as_array);
    list.map(|list| list.iter().collect()).ok_or_else(|| Failure::refused("No such field exists: partitions"))
}

/// `topic` and `partition` of an entry.
pub fn topic_partition(entry: &Value) -> Result<TopicPartition, Failure> {
    let topic = entry.get("topic").and_then(Value::as_str);
    let topic = topic.ok_or_else(|| Failure::refused("No such field exists: topic"))?;
    let partition = entry.get("partition").and_then(Value::as_i64).and_then(|id| i32::try_from(id).ok());
    let partition = partition.ok_or_else(|| Failure::refused("No such field exists: partition"))?;
    Ok(TopicPartition::new(topic, partition))
}

/// The first that is there twice, and all further ones.
pub fn duplicates<T: Ord + Clone>(items: &[T]) -> Vec<T> {
    let mut seen = std::collections::BTreeSet::new();
    let twice = items.iter().filter(|item| !seen.insert((*item).clone()));
    let twice: std::collections::BTreeSet<T> = twice.cloned().collect();
    twice.into_iter().collect()
}
