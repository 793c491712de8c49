//! `kafka-consumer-groups --reset-offsets`.

use std::collections::BTreeMap;

use klamm_client::{Admin, ErrorCode};
use serde_json::{Value, json};

use crate::command_line::{Arguments, Failure};

use super::super::java_errors;
use super::super::offset_plans::{Plan, commit, may_reset, named_partitions, plan};
use super::{chosen, executed, options};

/// Prints the new offsets, and makes them where `--execute` says so.
pub async fn run(admin: &Admin, arguments: &Arguments) -> Result<(), Failure> {
    let mut plans: BTreeMap<String, Plan> = BTreeMap::new();
    for group in chosen(admin, arguments).await? {
        let state = match admin.describe_consumer_group(&group).await {
            Ok(described) => described.state,
            Err(error) if error.code() == Some(ErrorCode::GroupIdNotFound) => "Empty".to_owned(),
            Err(error) => {
                let thrown = java_errors::full(&error);
                return Err(Failure::refused(format!("java.util.concurrent.ExecutionException: {thrown}")));
            }
        };
        if !may_reset(&group, &state) {
            plans.insert(group, Plan::new());
            continue;
        }
        let new = reset(admin, arguments, &group).await?;
        plans.insert(group, new);
    }
    print_plans(arguments, &plans);
    Ok(())
}

/// New offsets as they are wanted: as JSON, as CSV or as a table.
pub fn print_plans(arguments: &Arguments, plans: &BTreeMap<String, Plan>) {
    if arguments.json() {
        let rows = plans.iter().flat_map(|(group, plan)| {
            plan.iter().map(move |(partition, offset)| {
                json!({ "group": group, "topic": &*partition.topic, "partition": partition.partition, "newOffset": offset })
            })
        });
        println!("{}", Value::Array(rows.collect()));
    } else if arguments.has("export") {
        print_export(plans, arguments.values("group").len() == 1);
    } else {
        print_table(plans);
    }
}

/// New offsets as lines of CSV; the group is left out where there is but one.
fn print_export(plans: &BTreeMap<String, Plan>, is_single: bool) {
    for (group, plan) in plans {
        for (partition, offset) in plan {
            let group = if is_single { String::new() } else { format!("{group},") };
            println!("{group}{},{},{offset}", partition.topic, partition.partition);
        }
    }
    println!();
}

/// The table of new offsets.
fn print_table(plans: &BTreeMap<String, Plan>) {
    let id = plans.keys().map(String::len).max().unwrap_or(0).max(15);
    let topics = plans.values().flat_map(|plan| plan.keys());
    let topic = topics.map(|partition| partition.topic.len()).max().unwrap_or(0).max(15);
    if plans.values().all(BTreeMap::is_empty) {
        return;
    }
    print!("\n{:<id$} {:<topic$} {:<10} NEW-OFFSET", "GROUP", "TOPIC", "PARTITION");
    for (group, plan) in plans {
        for (partition, offset) in plan {
            print!("\n{group:<id$} {:<topic$} {:<10} {offset}", partition.topic, partition.partition);
        }
    }
    println!();
}

async fn reset(admin: &Admin, arguments: &Arguments, group: &str) -> Result<Plan, Failure> {
    let needs_committed = ["all-topics", "shift-by", "to-current"].iter().any(|name| arguments.has(name));
    let committed = match needs_committed {
        true => admin.list_group_offsets(group, None).await.map_err(|error| executed(&error))?,
        false => BTreeMap::new(),
    };
    let partitions = if arguments.has("all-topics") {
        committed.keys().cloned().collect()
    } else if arguments.has("topic") {
        named_partitions(admin, &arguments.values("topic")).await?
    } else if arguments.has("from-file") {
        Vec::new()
    } else {
        return Err(Failure::usage("One of the reset scopes should be defined: --all-topics, --topic."));
    };
    let Some(new) = plan(admin, arguments, group, &partitions, &committed).await? else {
        let scenarios: Vec<_> = options::SCENARIOS.iter().map(|name| format!("[{name}]")).collect();
        return Err(Failure::Usage(format!(
            "Option '[reset-offsets]' requires one of the following scenarios: [{}]",
            scenarios.join(", ")
        )));
    };
    if arguments.has("execute") && !new.is_empty() {
        let results = commit(admin, group, &new).await.map_err(|error| executed(&error))?;
        for (partition, result) in results {
            result.map_err(|error| {
                Failure::refused(format!(
                    "Failed altering group offsets for the following partitions: [{partition}]: {}",
                    java_errors::message(&error)
                ))
            })?;
        }
    }
    Ok(new)
}
