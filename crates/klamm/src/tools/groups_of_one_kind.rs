//! Share groups or streams groups by kind: found, and listed as their tools list them.

use klamm_client::{Admin, ClientError};
use serde_json::{Value, json};

use crate::command_line::{Arguments, Failure};

use super::consumer_groups::named;
use super::{first_call, java_errors};

/// What a tool says of a call that failed.
pub fn executed(error: &ClientError) -> Failure {
    Failure::refused(java_errors::full(error))
}

/// The groups of a kind that are in one of these states, or in any, each with its state.
pub async fn find(admin: &Admin, kind: &str, states: &[String]) -> Result<Vec<(String, String)>, Failure> {
    let groups = admin.list_groups(states, &[kind.to_owned()]).await;
    let groups = groups.map_err(|error| match first_call::name() {
        first_call::LIST_GROUPS => Failure::refused(format!(
            "java.util.concurrent.ExecutionException: {}",
            java_errors::full(&error)
        )),
        _ => executed(&error),
    })?;
    let of_kind = groups.into_iter().filter(|group| group.group_type.eq_ignore_ascii_case(kind));
    Ok(of_kind.map(|group| (group.group_id, group.group_state)).collect())
}

/// Prints the groups of a kind; `valid` are the states that may be asked for.
pub async fn list(admin: &Admin, arguments: &Arguments, kind: &str, valid: &[&str]) -> Result<(), Failure> {
    let text = arguments.values("state").concat();
    let states = named(&text, valid).map_err(|()| {
        Failure::Usage(format!("Invalid state list '{text}'. Valid states are: {}", valid.join(", ")))
    })?;
    let groups = find(admin, kind, &states).await?;
    if arguments.json() {
        let row = |(group, state): &(String, String)| json!({ "group": group, "state": state });
        println!("{}", Value::Array(groups.iter().map(row).collect()));
    } else if arguments.has("state") {
        let width = groups.iter().map(|(group, _)| group.len()).max().unwrap_or(0).max(15);
        println!("{:<width$} STATE", "GROUP");
        groups.iter().for_each(|(group, state)| println!("{group:<width$} {state}"));
    } else {
        groups.iter().for_each(|(group, _)| println!("{group}"));
    }
    Ok(())
}
