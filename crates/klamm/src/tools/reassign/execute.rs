//! `--execute`: starts moves between brokers and between directories.

use std::collections::BTreeMap;

use klamm_client::{Admin, TopicPartition};

use crate::command_line::{Arguments, Failure};

use super::plan::{Move, Plan, to_json};
use super::{executed, java_errors, throttles};

const BUSY: &str = "Cannot execute because there is an existing partition assignment.  Use --additional to override this \
                    and create a new partition assignment in addition to the existing one. The --additional flag can \
                    also be used to change the throttle by resubmitting the current reassignment.";

/// Starts a reassignment.
pub async fn run(admin: &Admin, arguments: &Arguments, plan: &Plan) -> Result<(), Failure> {
    let ongoing = admin.list_partition_reassignments(None).await.map_err(|error| executed(&error))?;
    if !arguments.has("additional") && !ongoing.is_empty() {
        return Err(Failure::refused(BUSY));
    }
    let cluster = admin.describe_cluster(false).await.map_err(|error| executed(&error))?;
    let known: Vec<i32> = cluster.nodes.iter().map(|node| node.id).collect();
    let unknown = plan.moves.iter().flat_map(|entry| &entry.replicas).find(|id| !known.contains(id));
    if let Some(id) = unknown {
        return Err(Failure::refused(format!("Unknown broker id {id}")));
    }
    let names = plan.topics();
    let current = current(admin, &names).await?;
    let wanted: Vec<_> = plan.moves.iter().map(|entry| entry.partition.clone()).collect();
    let moves: Vec<Move> = current.into_iter().filter(|entry| wanted.contains(&entry.partition)).collect();
    let rollback = to_json(&moves);
    match arguments.json() {
        true => println!("{rollback}"),
        false => println!(
            "Current partition replica assignment\n\n{}\n\nSave this to use as the --reassignment-json-file option during \
             rollback",
            rollback
        ),
    }
    let throttle = arguments.number::<i64>("throttle")?.filter(|rate| *rate >= 0);
    let directory_throttle =
        arguments.number::<i64>("replica-alter-log-dirs-throttle")?.filter(|rate| *rate >= 0);
    if throttle.is_some() || directory_throttle.is_some() {
        arguments.say(
            "Warning: You must run --verify periodically, until the reassignment completes, to ensure the throttle is \
             removed.",
        );
        throttles::set(arguments, admin, plan, &moves, throttle, directory_throttle).await?;
    }
    let changes: BTreeMap<TopicPartition, Option<Vec<i32>>> =
        plan.moves.iter().map(|entry| (entry.partition.clone(), Some(entry.replicas.clone()))).collect();
    let allows = !arguments.has("disallow-replication-factor-change");
    let results = admin.alter_partition_reassignments(&changes, allows).await;
    let results = results.map_err(|error| executed(&error))?;
    let failed: Vec<String> = results
        .iter()
        .filter_map(|(partition, result)| {
            Some(format!("{partition}: {}", java_errors::message(result.as_ref().err()?)))
        })
        .collect();
    if !failed.is_empty() {
        return Err(Failure::refused(format!("Error reassigning partition(s):\n{}", failed.join("\n"))));
    }
    let names: Vec<_> = changes.keys().map(ToString::to_string).collect();
    arguments.say(format_args!(
        "Successfully started partition reassignment{} for {}",
        if names.len() == 1 { "" } else { "s" },
        names.join(",")
    ));
    move_directories(arguments, admin, plan).await
}

/// The replicas of topics now, with the directories that hold them.
pub async fn current(admin: &Admin, names: &[String]) -> Result<Vec<Move>, Failure> {
    let described = admin.describe_topics(names, 2000).await.map_err(|error| executed(&error))?;
    let mut moves = Vec::new();
    for (name, topic) in described {
        let topic = topic.map_err(|error| match error.code() {
            Some(klamm_client::ErrorCode::UnknownTopicOrPartition) => {
                Failure::refused(format!("{}: Topic {name} not found.", java_errors::class(&error)))
            }
            _ => executed(&error),
        })?;
        for partition in topic.partitions {
            moves.push(Move {
                partition: TopicPartition::new(name.as_str(), partition.partition),
                directories: vec!["any".to_owned(); partition.replicas.len()],
                replicas: partition.replicas,
            });
        }
    }
    let mut brokers: Vec<i32> = moves.iter().flat_map(|entry| entry.replicas.clone()).collect();
    brokers.sort_unstable();
    brokers.dedup();
    for broker in brokers {
        // A broker that is down has directories nobody can name.
        let Ok(directories) = admin.describe_log_dirs(broker, None).await else { continue };
        for directory in directories {
            for topic in directory.topics {
                for found in topic.partitions.iter().filter(|found| !found.is_future_key) {
                    let key = TopicPartition::new(topic.name.as_str(), found.partition_index);
                    let entry = moves.iter_mut().find(|entry| entry.partition == key);
                    let Some(entry) = entry else { continue };
                    if let Some(index) = entry.replicas.iter().position(|id| *id == broker) {
                        entry.directories[index].clone_from(&directory.path);
                    }
                }
            }
        }
    }
    Ok(moves)
}

/// Replicas that are to lie in named directories, by broker.
pub fn directory_moves(plan: &Plan) -> BTreeMap<i32, Vec<(TopicPartition, String)>> {
    let mut moves: BTreeMap<i32, Vec<(TopicPartition, String)>> = BTreeMap::new();
    for entry in &plan.moves {
        for (broker, directory) in entry.replicas.iter().zip(&entry.directories) {
            if directory != "any" {
                moves.entry(*broker).or_default().push((entry.partition.clone(), directory.clone()));
            }
        }
    }
    moves
}

async fn move_directories(arguments: &Arguments, admin: &Admin, plan: &Plan) -> Result<(), Failure> {
    let mut done = Vec::new();
    for (broker, moves) in directory_moves(plan) {
        for (partition, result) in
            admin.alter_replica_log_dirs(broker, &moves).await.map_err(|error| executed(&error))?
        {
            result.map_err(|error| executed(&error))?;
            done.push(format!("{partition}-{broker}"));
        }
    }
    if !done.is_empty() {
        arguments.say(format_args!(
            "Successfully started log directory move{} for: {}",
            if done.len() == 1 { "" } else { "s" },
            done.join(",")
        ));
    }
    Ok(())
}
