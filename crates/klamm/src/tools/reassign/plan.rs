//! A reassignment as JSON.

use klamm_client::TopicPartition;
use serde_json::{Value, json};

use crate::command_line::Failure;

use super::json_files;

/// Where one partition's replicas shall be.
pub struct Move {
    /// Which partition.
    pub partition: TopicPartition,
    /// The brokers, the preferred leader first.
    pub replicas: Vec<i32>,
    /// The directory on each of them, or `any`.
    pub directories: Vec<String>,
}

/// A whole reassignment.
pub struct Plan {
    /// Partitions in the order given.
    pub moves: Vec<Move>,
}

impl Plan {
    /// Reads and checks a file.
    pub fn read(path: &str) -> Result<Self, Failure> {
        let text =
            json_files::read(path).map_err(|_| Failure::refused(format!("Unable to read file {path}")))?;
        let json: Value = serde_json::from_str(&text)
            .map_err(|error| Failure::refused(format!("Failed to parse {path}\nhint: {error}")))?;
        match json.get("version").and_then(Value::as_i64).unwrap_or(1) {
            1 => {}
            other => return Err(Failure::refused(format!("Not supported version field value {other}"))),
        }
        let mut moves = Vec::new();
        for entry in json_files::partitions(&json)? {
            let replicas = entry.get("replicas").and_then(Value::as_array);
            let replicas = replicas.ok_or_else(|| Failure::refused("No such field exists: replicas"))?;
            let number = |id: &Value| id.as_i64().and_then(|id| i32::try_from(id).ok());
            let replicas: Vec<i32> = replicas
                .iter()
                .map(number)
                .collect::<Option<_>>()
                .ok_or_else(|| Failure::refused("replicas must be broker ids"))?;
            let directories = match entry.get("log_dirs").and_then(Value::as_array) {
                Some(list) => list.iter().map(|text| text.as_str().unwrap_or("any").to_owned()).collect(),
                None => vec!["any".to_owned(); replicas.len()],
            };
            moves.push(Move { partition: json_files::topic_partition(entry)?, replicas, directories });
        }
        let plan = Self { moves };
        plan.check()?;
        Ok(plan)
    }

    fn check(&self) -> Result<(), Failure> {
        if self.moves.is_empty() {
            return Err(Failure::refused("Partition reassignment list cannot be empty"));
        }
        for entry in &self.moves {
            if entry.replicas.is_empty() {
                return Err(Failure::refused("Partition replica list cannot be empty"));
            }
            if entry.directories.len() != entry.replicas.len() {
                return Err(Failure::refused(format!(
                    "Size of replicas list {} is different from size of log dirs list {} for partition {}",
                    ids(&entry.replicas),
                    entry.directories.join(","),
                    entry.partition
                )));
            }
            let twice = json_files::duplicates(&entry.replicas);
            if !twice.is_empty() {
                return Err(Failure::refused(format!(
                    "Partition replica lists may not contain duplicate entries: {} contains multiple entries for {}",
                    entry.partition,
                    ids(&twice)
                )));
            }
        }
        let keys: Vec<_> = self.moves.iter().map(|entry| entry.partition.clone()).collect();
        let twice: Vec<_> = json_files::duplicates(&keys).iter().map(ToString::to_string).collect();
        match twice.is_empty() {
            true => Ok(()),
            false => Err(Failure::refused(format!(
                "Partition reassignment contains duplicate topic partitions: {}",
                twice.join(",")
            ))),
        }
    }

    /// The topics in it.
    pub fn topics(&self) -> Vec<String> {
        let mut topics: Vec<_> = self.moves.iter().map(|entry| entry.partition.topic.to_string()).collect();
        topics.sort();
        topics.dedup();
        topics
    }
}

/// `1,2,3`
pub fn ids(ids: &[i32]) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

/// A reassignment as the tool prints it.
pub fn to_json(moves: &[Move]) -> Value {
    let entry = |entry: &Move| {
        json!({
            "topic": &*entry.partition.topic,
            "partition": entry.partition.partition,
            "replicas": entry.replicas,
            "log_dirs": entry.directories,
        })
    };
    json!({ "version": 1, "partitions": moves.iter().map(entry).collect::<Vec<_>>() })
}
