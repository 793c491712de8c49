//! `kafka-broker-api-versions`: which APIs each broker serves, in which versions.

use klamm_client::ClientError;
use protocol::ApiKey;
use serde_json::{Value, json};

use crate::command_line::{Arguments, Failure, Grammar, Refusals, Tool, text};

use super::java_errors;
use super::session::{BOOTSTRAP, COMMAND_CONFIG};

/// The tool's table.
pub const TOOL: Tool = Tool {
    name: "broker-api-versions",
    classes: &["org.apache.kafka.tools.BrokerApiVersionsCommand", "kafka.admin.BrokerApiVersionsCommand"],
    about: "This tool shows the API versions of each broker.",
    grammar: Grammar::Joptsimple,
    options: &[&[
        BOOTSTRAP,
        COMMAND_CONFIG,
        text("bootstrap-controller", "host:port,...", "Some controllers of the cluster to connect to."),
    ]],
    verbs: &[],
    refusals: Refusals::PLAIN,
    run,
};

fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut properties = super::session::properties(arguments)?;
    match (arguments.value("bootstrap-server")?, arguments.value("bootstrap-controller")?) {
        (Some(_), Some(_)) => {
            return Err(Failure::usage(
                "Only one of --bootstrap-server or --bootstrap-controller can be specified.",
            ));
        }
        (None, None) => return Err(Failure::usage("Missing required argument \"[bootstrap-server]\"")),
        (None, Some(controllers)) => {
            properties.insert("bootstrap.servers".to_owned(), controllers.to_owned());
        }
        _ => {}
    }
    let bootstrap = properties.get("bootstrap.servers").cloned().unwrap_or_default();
    super::session::with_admin_of(properties, "admin", async |admin| {
        let cluster = admin.describe_cluster(true).await.map_err(|error| match error {
            ClientError::NoBroker { .. } | ClientError::TimedOut { .. } => {
                let addresses = bootstrap.split(',').zip(1..);
                let nodes = addresses
                    .map(|(address, number)| format!("{address} (id: -{number} rack: null isFenced: false)"));
                Failure::refused(format!(
                    "Request METADATA failed on brokers [{}]",
                    nodes.collect::<Vec<_>>().join(", ")
                ))
            }
            error => error.into(),
        })?;
        let mut shown = Vec::new();
        for node in cluster.nodes {
            let rack = node.rack.as_deref().unwrap_or("null").to_owned();
            let name = format!(
                "{}:{} (id: {} rack: {rack} isFenced: {})",
                node.host, node.port, node.id, node.is_fenced
            );
            let response = match admin.api_versions(Some(node.id)).await {
                Ok(response) => response,
                Err(error) => {
                    println!("{name} -> ERROR: {}", java_errors::full(&error));
                    continue;
                }
            };
            let mut rows: Vec<_> =
                response.api_keys.iter().map(|row| (row.api_key, row.min_version, row.max_version)).collect();
            rows.sort_unstable();
            if arguments.json() {
                let row = |(key, min, max): &(i16, i16, i16)| {
                    let name = ApiKey::from_i16(*key).map(|api| api.name());
                    json!({ "key": key, "name": name, "min": min, "max": max })
                };
                let is_missing = |api: &ApiKey| !rows.iter().any(|(key, _, _)| *key == api.as_i16());
                let missing = ApiKey::all().filter(|api| api.is_on_broker() && is_missing(api));
                let missing = missing.map(|api| json!({ "key": api.as_i16(), "name": api.name() }));
                shown.push(json!({
                    "id": node.id, "host": node.host, "port": node.port, "rack": node.rack, "fenced": node.is_fenced,
                    "apis": rows.iter().map(row).collect::<Vec<_>>(), "unsupported": missing.collect::<Vec<_>>(),
                }));
                continue;
            }
            print_node(&name, &rows);
        }
        if arguments.json() {
            println!("{}", Value::Array(shown));
        }
        Ok(())
    })
}

fn print_node(name: &str, rows: &[(i16, i16, i16)]) {
    let mut lines = Vec::new();
    for api in ApiKey::all() {
        let key = api.as_i16();
        let versions = api.versions();
        match rows.iter().find(|(other, _, _)| *other == key) {
            Some((_, min, max)) => {
                let range = if min == max { min.to_string() } else { format!("{min} to {max}") };
                let usable = (*max).min(*versions.end());
                let usable = if usable >= (*min).max(*versions.start()) {
                    format!("[usable: {usable}]")
                } else {
                    "[unusable: node too new]".to_owned()
                };
                lines.push((key, format!("{}({key}): {range} {usable}", api.name())));
            }
            None if api.is_on_broker() => lines.push((key, format!("{}({key}): UNSUPPORTED", api.name()))),
            None => {}
        }
    }
    for (key, min, max) in rows.iter().filter(|(key, _, _)| ApiKey::from_i16(*key).is_none()) {
        let range = if min == max { min.to_string() } else { format!("{min} to {max}") };
        lines.push((*key, format!("UNKNOWN({key}): {range}")));
    }
    lines.sort();
    let lines: Vec<_> = lines.into_iter().map(|(_, line)| format!("\t{line}")).collect();
    println!("{name} -> (\n{}\n)", lines.join(",\n"));
}
