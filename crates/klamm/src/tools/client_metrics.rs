//! `kafka-client-metrics`: subscriptions to the metrics of clients (KIP-714).

use klamm_client::Admin;
use klamm_client::admin::{AlterConfigOp, ConfigResourceType};
use serde_json::{Value, json};

use crate::command_line::{Arguments, Failure, Grammar, Refusals, Tool, flag, text};

use super::session::{BOOTSTRAP, COMMAND_CONFIG, with_admin};
use super::storage::random_uuid;

const RESOURCE: ConfigResourceType = ConfigResourceType::ClientMetrics;
const ACTIONS: &[&str] = &["alter", "delete", "describe", "list"];

/// The tool's table.
pub const TOOL: Tool = Tool {
    name: "client-metrics",
    classes: &["org.apache.kafka.tools.ClientMetricsCommand"],
    about: "This tool shows and changes subscriptions to the metrics of clients.",
    grammar: Grammar::Joptsimple,
    options: &[&[
        BOOTSTRAP,
        COMMAND_CONFIG,
        flag("alter", "Makes or changes a subscription."),
        flag("delete", "Deletes a subscription."),
        flag("describe", "Shows subscriptions."),
        flag("list", "Lists subscriptions."),
        text("name", "name", "The subscription's name."),
        flag("generate-name", "Makes a name up."),
        text("interval", "ms", "How often clients push; empty for the default."),
        text(
            "match",
            "k1=v1,k2=v2",
            "Which clients, by client_id, client_instance_id, client_software_name, client_software_version, client_source_address or client_source_port; empty for all.",
        ),
        text("metrics", "m1,m2", "Prefixes of the metrics' names; empty for none."),
    ]],
    verbs: &[],
    refusals: Refusals {
        prefix: "Error while executing client metrics command : ",
        on_stdout: true,
        option_prefix: Some(""),
    },
    run,
};

fn run(arguments: &Arguments) -> Result<(), Failure> {
    if ACTIONS.iter().filter(|action| arguments.has(action)).count() != 1 {
        return Err(Failure::usage(
            "Command must include exactly one action: --alter, --delete, --describe or --list.",
        ));
    }
    if !arguments.has("bootstrap-server") {
        return Err(Failure::bare("--bootstrap-server must be specified."));
    }
    for action in ["describe", "delete", "list"] {
        let mut others = vec!["generate-name", "interval", "match", "metrics"];
        if action == "list" {
            others.insert(0, "name");
        }
        arguments.forbid(action, &others)?;
    }
    if arguments.has("alter") {
        if arguments.has("name") == arguments.has("generate-name") {
            return Err(Failure::bare("One of --name or --generate-name must be specified with --alter."));
        }
        if let Some(interval) = arguments.value("interval")?
            && !interval.is_empty()
            && interval.parse::<i32>().is_err()
        {
            return Err(Failure::bare("Invalid interval value. Enter an integer, or leave empty to reset."));
        }
    }
    if arguments.has("delete") && !arguments.has("name") {
        return Err(Failure::bare("A client metrics resource name must be specified with --delete."));
    }
    with_admin(arguments, "adminclient-1", async |admin| {
        if arguments.has("alter") {
            alter(&admin, arguments).await
        } else if arguments.has("delete") {
            delete(&admin, arguments, arguments.required("name")?).await
        } else if arguments.has("describe") {
            describe(&admin, arguments).await
        } else {
            let names = admin.list_config_resources(RESOURCE).await?;
            match arguments.json() {
                true => println!("{}", json!(names)),
                false => println!("{}", names.join("\n")),
            }
            Ok(())
        }
    })
}

async fn alter(admin: &Admin, arguments: &Arguments) -> Result<(), Failure> {
    let name = match arguments.value("name")? {
        Some(name) => name.to_owned(),
        None => random_uuid().to_string(),
    };
    let mut changes = Vec::new();
    for (option, key) in [("interval", "interval.ms"), ("metrics", "metrics"), ("match", "match")] {
        changes.extend(arguments.value(option)?.map(|value| match value {
            "" => AlterConfigOp::Delete(key.to_owned()),
            value => AlterConfigOp::Set(key.to_owned(), value.to_owned()),
        }));
    }
    admin.incremental_alter_configs(RESOURCE, &name, changes).await?;
    arguments.say(format_args!("Altered client metrics config for {name}."));
    Ok(())
}

async fn delete(admin: &Admin, arguments: &Arguments, name: &str) -> Result<(), Failure> {
    let present = admin.describe_configs(RESOURCE, name, false).await?;
    let changes = present.into_iter().map(|entry| AlterConfigOp::Delete(entry.name)).collect();
    admin.incremental_alter_configs(RESOURCE, name, changes).await?;
    arguments.say(format_args!("Deleted client metrics config for {name}."));
    Ok(())
}

async fn describe(admin: &Admin, arguments: &Arguments) -> Result<(), Failure> {
    let known = admin.list_config_resources(RESOURCE).await?;
    let names = match arguments.value("name")? {
        Some(name) if !known.iter().any(|known| known == name) => {
            println!("The client metric resource {name} doesn't exist and doesn't have dynamic config.");
            return Ok(());
        }
        Some(name) => vec![name.to_owned()],
        None => known,
    };
    let mut shown = Vec::new();
    for name in names {
        let mut entries = admin.describe_configs(RESOURCE, &name, false).await?;
        entries.sort_by(|left, right| left.name.cmp(&right.name));
        if arguments.json() {
            let configs: serde_json::Map<_, _> =
                entries.into_iter().map(|entry| (entry.name, json!(entry.value))).collect();
            shown.push(json!({ "name": name, "configs": configs }));
            continue;
        }
        println!("Client metrics configs for {name} are:");
        for entry in entries {
            println!("  {}={}", entry.name, entry.value.unwrap_or_default());
        }
    }
    if arguments.json() {
        println!("{}", Value::Array(shown));
    }
    Ok(())
}
