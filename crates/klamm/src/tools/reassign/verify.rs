//! `--verify`: how far a reassignment is.

use std::collections::BTreeMap;

use klamm_client::{Admin, TopicPartition};
use serde_json::{Value, json};

use crate::command_line::{Arguments, Failure};

use super::plan::{Plan, ids};
use super::{execute, executed, throttles};

/// Tells how each partition stands; takes throttles away when nothing is under way any more.
pub async fn run(admin: &Admin, arguments: &Arguments, plan: &Plan) -> Result<(), Failure> {
    let keys: Vec<_> = plan.moves.iter().map(|entry| entry.partition.clone()).collect();
    let ongoing = admin.list_partition_reassignments(Some(&keys)).await.map_err(|error| executed(&error))?;
    let replicas = replicas(admin, &plan.topics()).await?;
    if !arguments.json() {
        println!("Status of partition reassignment:");
    }
    let mut rows = Vec::new();
    let mut is_underway = false;
    for entry in &plan.moves {
        let partition = &entry.partition;
        let now = replicas.get(partition).cloned().unwrap_or_default();
        is_underway |= ongoing.contains_key(partition);
        let (status, sentence) = match (ongoing.contains_key(partition), now == entry.replicas) {
            (true, _) => ("underway", format!("Reassignment of partition {partition} is still in progress.")),
            (false, true) => ("completed", format!("Reassignment of partition {partition} is completed.")),
            (false, false) => (
                "inactive",
                format!(
                    "There is no active reassignment of partition {partition}, but replica set is {} rather than {}.",
                    ids(&now),
                    ids(&entry.replicas)
                ),
            ),
        };
        if arguments.json() {
            rows.push(json!({
                "topic": &*partition.topic, "partition": partition.partition, "status": status,
                "replicas": now, "wanted": entry.replicas,
            }));
        } else {
            println!("{sentence}");
        }
    }
    if arguments.json() {
        println!("{}", Value::Array(rows));
    }
    is_underway |= directories(arguments, admin, plan).await?;
    arguments.say("");
    if !is_underway && !arguments.has("preserve-throttles") {
        throttles::clear(arguments, admin, plan).await?;
    }
    Ok(())
}

async fn replicas(admin: &Admin, names: &[String]) -> Result<BTreeMap<TopicPartition, Vec<i32>>, Failure> {
    let mut replicas = BTreeMap::new();
    for (name, topic) in admin.describe_topics(names, 2000).await.map_err(|error| executed(&error))? {
        // A topic that is gone has no replicas, and that is told.
        let Ok(topic) = topic else { continue };
        for partition in topic.partitions {
            replicas.insert(TopicPartition::new(name.as_str(), partition.partition), partition.replicas);
        }
    }
    Ok(replicas)
}

/// Tells how moves between directories stand; whether one is under way.
async fn directories(arguments: &Arguments, admin: &Admin, plan: &Plan) -> Result<bool, Failure> {
    let wanted = execute::directory_moves(plan);
    if wanted.is_empty() {
        return Ok(false);
    }
    let mut is_underway = false;
    for (broker, moves) in wanted {
        let found = admin.describe_log_dirs(broker, None).await.map_err(|error| executed(&error))?;
        for (partition, wanted) in moves {
            let place = |is_future: bool| {
                found.iter().find(|directory| {
                    directory.topics.iter().any(|topic| {
                        topic.name == *partition.topic
                            && topic.partitions.iter().any(|entry| {
                                entry.partition_index == partition.partition
                                    && entry.is_future_key == is_future
                            })
                    })
                })
            };
            let name = format!("{partition}-{broker}");
            match (place(false), place(true)) {
                (_, Some(future)) if future.path == wanted => {
                    is_underway = true;
                    arguments.say(format_args!("Reassignment of replica {name} is still in progress."));
                }
                (_, Some(future)) => println!(
                    "Partition {partition} on broker {broker} is being moved to log dir {} instead of {wanted}.",
                    future.path
                ),
                (Some(current), None) if current.path == wanted => {
                    arguments.say(format_args!("Reassignment of replica {name} completed successfully."));
                }
                (Some(current), None) => println!(
                    "Partition {partition} on broker {broker} is not being moved from log dir {} to {wanted}.",
                    current.path
                ),
                (None, None) => arguments.say(format_args!(
                    "Partition {partition} is not found in any live log dir on broker {broker}. There is likely an \
                     offline log directory on the broker."
                )),
            }
        }
    }
    Ok(is_underway)
}
