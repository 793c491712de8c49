//! `kafka-streams-groups --reset-offsets`.

use std::collections::BTreeMap;

use klamm_client::{Admin, ErrorCode};

use crate::command_line::{Arguments, Failure};
use crate::tools::consumer_groups::print_plans;
use crate::tools::groups_of_one_kind::executed;
use crate::tools::offset_plans::{Plan, commit, may_reset, named_partitions, plan};

use super::{chosen, delete_topics, internal_topics};

/// Prints the new offsets; makes them and deletes internal topics where `--execute` says so.
pub async fn run(admin: &Admin, arguments: &Arguments) -> Result<(), Failure> {
    let mut plans: BTreeMap<String, Plan> = BTreeMap::new();
    for group in chosen(admin, arguments).await? {
        let state = match admin.describe_streams_group(&group).await {
            Ok(described) => described.group_state,
            Err(error) if error.code() == Some(ErrorCode::GroupIdNotFound) => "Dead".to_owned(),
            Err(error) => return Err(executed(&error)),
        };
        if !may_reset(&group, &state) {
            plans.insert(group, Plan::new());
            continue;
        }
        let committed = admin.list_group_offsets(&group, None).await.map_err(|error| executed(&error))?;
        let partitions = if arguments.has("all-input-topics") {
            committed.keys().cloned().collect()
        } else if arguments.has("input-topic") {
            named_partitions(admin, &arguments.values("input-topic")).await?
        } else if arguments.has("from-file") {
            Vec::new()
        } else {
            return Err(Failure::usage(
                "One of the reset scopes should be defined: --all-input-topics, --input-topic.",
            ));
        };
        let Some(new) = plan(admin, arguments, &group, &partitions, &committed).await? else {
            return Err(Failure::usage(
                "Option '[reset-offsets]' requires one of its scenarios, such as --to-earliest",
            ));
        };
        if arguments.has("execute") {
            for (_, result) in commit(admin, &group, &new).await.map_err(|error| executed(&error))? {
                result.map_err(|error| executed(&error))?;
            }
            let internal = internal_topics(admin, &group).await?;
            let named = arguments.values("delete-internal-topic");
            let doomed: Vec<_> = internal
                .into_iter()
                .filter(|topic| {
                    arguments.has("delete-all-internal-topics") || named.contains(&topic.as_str())
                })
                .collect();
            if !doomed.is_empty() {
                delete_topics(admin, &doomed).await?;
            }
        }
        plans.insert(group, new);
    }
    print_plans(arguments, &plans);
    Ok(())
}
