//! `kafka-configs`: settings of topics, brokers, groups, users, clients, addresses and client metrics.

mod describe;
mod entities;
mod quotas;

use std::collections::BTreeMap;

use klamm_client::admin::{AlterConfigOp, ConfigResourceType};
use klamm_client::{Admin, ClientError};

use crate::command_line::{Arguments, Failure, Grammar, Opt, Refusals, Tool, flag, text};

use super::java_errors;
use super::session::{BOOTSTRAP, COMMAND_CONFIG, properties, with_admin_of};
use entities::{Entities, EntityType};

const OPTIONS: &[Opt] = &[
    BOOTSTRAP,
    COMMAND_CONFIG,
    text("bootstrap-controller", "host:port,...", "Some controllers of the cluster to connect to."),
    flag("alter", "Changes settings."),
    flag("describe", "Shows settings."),
    flag("all", "Shows all settings, not only those that were changed while running."),
    text(
        "entity-type",
        "type",
        "topics, clients, users, brokers, broker-loggers, ips, client-metrics or groups.",
    ),
    text("entity-name", "name", "The topic, client id, user, broker id, address, subscription or group."),
    flag("entity-default", "The default of clients, users, brokers or ips."),
    text("add-config", "k1=v1,k2=[v2,v3]", "Settings to make; brackets hold values with commas."),
    text("add-config-file", "file", "A properties file with settings to make."),
    text("delete-config", "k1,k2", "Settings to take back."),
    text("topic", "name", "The topic."),
    text("client", "id", "The client id."),
    flag("client-defaults", "The default of all clients."),
    text("user", "name", "The user."),
    flag("user-defaults", "The default of all users."),
    text("broker", "id", "The broker."),
    flag("broker-defaults", "The default of all brokers."),
    text("broker-logger", "id", "The broker whose log levels are meant."),
    text("ip", "address", "The address."),
    flag("ip-defaults", "The default of all addresses."),
    text("group", "id", "The group."),
    text("client-metrics", "name", "The client metrics subscription."),
];

/// The tool's table.
pub const TOOL: Tool = Tool {
    name: "configs",
    classes: &["kafka.admin.ConfigCommand", "org.apache.kafka.tools.ConfigCommand"],
    about: "This tool shows and changes settings of topics, clients, users, brokers, addresses, client metrics and groups.",
    grammar: Grammar::Joptsimple,
    options: &[OPTIONS],
    verbs: &[],
    refusals: Refusals { prefix: "", on_stdout: false, option_prefix: Some("") },
    run,
};

fn run(arguments: &Arguments) -> Result<(), Failure> {
    let entities = Entities::read(arguments)?;
    let mut properties = properties(arguments)?;
    if let Some(controllers) = arguments.value("bootstrap-controller")? {
        properties.insert("bootstrap.servers".to_owned(), controllers.to_owned());
    }
    let outcome = with_admin_of(properties, "adminclient-1", async |admin| {
        if arguments.has("alter") {
            alter(&admin, arguments, &entities).await
        } else {
            describe::run(&admin, arguments, &entities).await
        }
    });
    outcome.map_err(|failure| match failure {
        Failure::Refused(message)
            if message.starts_with("java.util.concurrent.")
                || message.starts_with("Failed to create")
                || message.starts_with("Timed out") =>
        {
            Failure::bare(format!(
                "Error while executing config command with args '{}'\n{message}",
                arguments.line.join(" ")
            ))
        }
        other => other,
    })
}

/// A broker's refusal, which the tool shows with its command line.
fn executed(error: &ClientError) -> Failure {
    match error {
        ClientError::UnsupportedVersion { .. } => Failure::refused(java_errors::message(error)),
        error => {
            Failure::refused(format!("java.util.concurrent.ExecutionException: {}", java_errors::full(error)))
        }
    }
}

/// `k1=v1,k2=[v2,v3]` and the file's settings.
fn added(arguments: &Arguments) -> Result<BTreeMap<String, String>, Failure> {
    let mut added = BTreeMap::new();
    if let Some(path) = arguments.value("add-config-file")? {
        added.extend(super::session::read_properties(path)?);
    }
    if let Some(text) = arguments.value("add-config")? {
        for pair in outside_brackets(text, ',') {
            let parts = outside_brackets(pair, '=');
            let [name, value] = parts[..] else {
                return Err(Failure::refused(
                    "requirement failed: Invalid entity config: all configs to be added must be in the format \"key=val\" \
                     or  \"key=[val1,val2]\" to group values which contain commas.",
                ));
            };
            let value: String = value.chars().filter(|letter| !"[]".contains(*letter)).collect();
            added.insert(name.trim().to_owned(), value.trim().to_owned());
        }
    }
    let is_plain =
        |name: &&String| !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    match added.keys().find(is_plain) {
        Some(name) => Err(Failure::refused(format!("Invalid character found for config key: {name}"))),
        None => Ok(added),
    }
}

/// Splits where no bracket is open.
fn outside_brackets(text: &str, separator: char) -> Vec<&str> {
    let mut depth = 0;
    let split = |letter: char| {
        match letter {
            '[' => depth += 1,
            ']' => depth -= 1,
            _ => {}
        }
        letter == separator && depth == 0
    };
    text.split(split).collect()
}

fn deleted(arguments: &Arguments) -> Vec<String> {
    let values = arguments.values("delete-config").into_iter();
    values.flat_map(|text| text.split(',')).map(|name| name.trim().to_owned()).collect()
}

async fn alter(admin: &Admin, arguments: &Arguments, entities: &Entities) -> Result<(), Failure> {
    if entities.types.len() != entities.names.len() {
        return Err(Failure::refused("An entity name must be specified for every entity type"));
    }
    let (Some(first), Some(name)) = (entities.types.first(), entities.names.first()) else {
        return Err(Failure::refused("At least one entity type must be specified"));
    };
    let (added, deleted) = (added(arguments)?, deleted(arguments));
    match first.resource() {
        Some(ConfigResourceType::BrokerLogger) => {
            let known = describe::entries(admin, *first, name, true).await?;
            let is_known = |wanted: &&String| !known.iter().any(|entry| entry.name == **wanted);
            let unknown: Vec<_> = deleted.iter().chain(added.keys()).filter(is_known).cloned().collect();
            if !unknown.is_empty() {
                return Err(Failure::refused(format!("Invalid broker logger(s): {}", unknown.join(","))));
            }
            change(admin, ConfigResourceType::BrokerLogger, name, added, deleted).await?;
        }
        // Taking back what was never set is no mistake.
        Some(resource) => change(admin, resource, name, added, deleted).await?,
        None => quotas::alter(admin, entities, added, deleted).await?,
    }
    if name.is_empty() {
        arguments.say(format_args!("Completed updating default config for {first} in the cluster."));
    } else {
        arguments.say(format_args!("Completed updating config for {} {name}.", first.singular()));
    }
    Ok(())
}

async fn change(
    admin: &Admin,
    resource: ConfigResourceType,
    name: &str,
    added: BTreeMap<String, String>,
    deleted: Vec<String>,
) -> Result<(), Failure> {
    let changes = deleted.into_iter().map(AlterConfigOp::Delete);
    let changes = changes.chain(added.into_iter().map(|(name, value)| AlterConfigOp::Set(name, value)));
    admin.incremental_alter_configs(resource, name, changes.collect()).await.map_err(|error| executed(&error))
}

impl EntityType {
    fn singular(self) -> String {
        let mut name = self.to_string();
        name.pop();
        name
    }
}
