//! `kafka-configs --describe`.

use klamm_client::Admin;
use klamm_client::admin::{ConfigResourceType, QuotaFilter, QuotaMatch, validate_name};
use protocol::messages::describe_configs_response::DescribeConfigsResourceResult;
use serde_json::{Value, json};

use crate::command_line::{Arguments, Failure};
use crate::text::java_double;

use super::entities::{Entities, EntityType};
use super::executed;

/// Kafka's names of the places that a setting may come from.
const SOURCES: &[&str] = &[
    "UNKNOWN",
    "DYNAMIC_TOPIC_CONFIG",
    "DYNAMIC_BROKER_CONFIG",
    "DYNAMIC_DEFAULT_BROKER_CONFIG",
    "STATIC_BROKER_CONFIG",
    "DEFAULT_CONFIG",
    "DYNAMIC_BROKER_LOGGER_CONFIG",
    "DYNAMIC_CLIENT_METRICS_CONFIG",
    "DYNAMIC_GROUP_CONFIG",
];

fn source(number: i8) -> &'static str {
    usize::try_from(number).ok().and_then(|index| SOURCES.get(index)).unwrap_or(&SOURCES[0])
}

/// Prints the settings that are asked for.
pub async fn run(admin: &Admin, arguments: &Arguments, entities: &Entities) -> Result<(), Failure> {
    let first = entities.types[0];
    if first.resource().is_none() {
        return super::quotas::describe(admin, arguments, entities).await;
    }
    let shows_all = arguments.has("all");
    let names = match entities.names.first() {
        Some(name) => {
            if !shows_all && !exists(admin, first, name).await? {
                println!("The {} '{name}' doesn't exist and doesn't have dynamic config.", first.singular());
                return Ok(());
            }
            vec![name.clone()]
        }
        None => all(admin, first).await?,
    };
    let mut shown = Vec::new();
    for name in names {
        let entries = entries(admin, first, &name, shows_all).await?;
        if arguments.json() {
            shown.push(json!({
                "entityType": first.to_string(), "entityName": name,
                "configs": entries.iter().map(entry_json).collect::<Vec<_>>(),
            }));
            continue;
        }
        match name.as_str() {
            "" => println!("Default configs for {first} in the cluster are:"),
            name => {
                let which = if shows_all { "All" } else { "Dynamic" };
                println!("{which} configs for {} {name} are:", first.singular());
            }
        }
        for entry in entries {
            let synonyms = entry.synonyms.iter().map(|synonym| {
                let value = synonym.value.as_deref().unwrap_or("null");
                format!("{}:{}={value}", source(synonym.source), synonym.name)
            });
            println!(
                "  {}={} sensitive={} synonyms={{{}}}",
                entry.name,
                entry.value.as_deref().unwrap_or("null"),
                entry.is_sensitive,
                synonyms.collect::<Vec<_>>().join(", ")
            );
        }
    }
    if arguments.json() {
        println!("{}", Value::Array(shown));
    }
    Ok(())
}

fn entry_json(entry: &DescribeConfigsResourceResult) -> Value {
    let synonyms = entry.synonyms.iter().map(
        |synonym| json!({ "source": source(synonym.source), "name": synonym.name, "value": synonym.value }),
    );
    json!({
        "name": entry.name, "value": entry.value, "source": source(entry.config_source),
        "sensitive": entry.is_sensitive, "readOnly": entry.read_only, "synonyms": synonyms.collect::<Vec<_>>(),
    })
}

async fn exists(admin: &Admin, kind: EntityType, name: &str) -> Result<bool, Failure> {
    Ok(match kind {
        EntityType::Topics => {
            validate_name(name)?;
            admin.list_topics().await?.iter().any(|topic| topic.name == name)
        }
        EntityType::Brokers | EntityType::BrokerLoggers => {
            let cluster = admin.describe_cluster(false).await?;
            name.is_empty() || cluster.nodes.iter().any(|node| node.id.to_string() == name)
        }
        EntityType::Groups => {
            admin.list_groups(&[], &[]).await?.iter().any(|group| group.group_id == name)
                || resources(admin, ConfigResourceType::Group).await?.iter().any(|known| known == name)
        }
        _ => resources(admin, ConfigResourceType::ClientMetrics).await?.iter().any(|known| known == name),
    })
}

async fn resources(admin: &Admin, kind: ConfigResourceType) -> Result<Vec<String>, Failure> {
    admin.list_config_resources(kind).await.map_err(|error| executed(&error))
}

async fn all(admin: &Admin, kind: EntityType) -> Result<Vec<String>, Failure> {
    Ok(match kind {
        EntityType::Topics => admin.list_topics().await?.into_iter().map(|topic| topic.name).collect(),
        EntityType::Brokers | EntityType::BrokerLoggers => {
            let nodes = admin.describe_cluster(false).await?.nodes;
            nodes.into_iter().map(|node| node.id.to_string()).chain([String::new()]).collect()
        }
        EntityType::Groups => {
            let groups = admin.list_groups(&[], &[]).await?.into_iter().map(|group| group.group_id);
            let mut names: Vec<_> =
                groups.chain(resources(admin, ConfigResourceType::Group).await?).collect();
            names.sort();
            names.dedup();
            names
        }
        _ => resources(admin, ConfigResourceType::ClientMetrics).await?,
    })
}

/// The settings of one entity by name; only those made while running, unless `all`.
pub async fn entries(
    admin: &Admin,
    kind: EntityType,
    name: &str,
    all: bool,
) -> Result<Vec<DescribeConfigsResourceResult>, Failure> {
    let Some(resource) = kind.resource() else { return Ok(Vec::new()) };
    if resource == ConfigResourceType::Topic {
        validate_name(name)?;
    }
    let wanted = match resource {
        ConfigResourceType::Topic => Some(1),
        ConfigResourceType::Broker if name.is_empty() => Some(3),
        ConfigResourceType::Broker => Some(2),
        ConfigResourceType::ClientMetrics => Some(7),
        ConfigResourceType::Group => Some(8),
        ConfigResourceType::BrokerLogger => None,
    };
    let mut entries = admin.describe_configs(resource, name, true).await.map_err(|error| executed(&error))?;
    entries.retain(|entry| all || wanted.is_none_or(|wanted| entry.config_source == wanted));
    entries.sort_by(|left, right| left.name.cmp(&right.name));
    Ok(entries)
}

/// The quotas that match, as text per entity.
pub async fn quota_lines(
    admin: &Admin,
    filters: Vec<QuotaFilter>,
) -> Result<Vec<(String, Vec<(String, f64)>)>, Failure> {
    let described = admin.describe_client_quotas(filters).await.map_err(|error| executed(&error))?;
    let line = |entry: protocol::messages::describe_client_quotas_response::EntryData| {
        let parts = [("user", "user-principal"), ("client-id", "client-id"), ("ip", "ip")];
        let named = parts.iter().filter_map(|(kind, shown)| {
            let part = entry.entity.iter().find(|part| part.entity_type == *kind)?;
            Some(match &part.entity_name {
                Some(name) => format!("{shown} '{name}'"),
                None => format!("the default {shown}"),
            })
        });
        let entity = named.collect::<Vec<_>>().join(", ");
        let mut values: Vec<_> = entry.values.into_iter().map(|value| (value.key, value.value)).collect();
        values.sort_by(|left, right| left.0.cmp(&right.0));
        (entity, values)
    };
    let mut lines: Vec<_> = described.into_iter().map(line).collect();
    lines.sort_by(|left, right| left.0.cmp(&right.0));
    Ok(lines)
}

/// `key=1.0, …`
pub fn quota_text(values: &[(String, f64)]) -> String {
    let pairs = values.iter().map(|(key, value)| format!("{key}={}", java_double(*value)));
    pairs.collect::<Vec<_>>().join(", ")
}

/// Which quota entities the command line asks for.
pub fn quota_filters(entities: &Entities) -> Result<Vec<QuotaFilter>, Failure> {
    if entities.names.len() > entities.types.len() {
        return Err(Failure::refused("More entity names specified than entity types"));
    }
    let filter = |(index, kind): (usize, &EntityType)| QuotaFilter {
        entity_type: quota_entity(*kind).to_owned(),
        matches: match entities.names.get(index).map(String::as_str) {
            Some("") => QuotaMatch::Default,
            Some(name) => QuotaMatch::Exact(name.to_owned()),
            None => QuotaMatch::Any,
        },
    };
    Ok(entities.types.iter().enumerate().map(filter).collect())
}

/// The protocol's word for a type with quotas.
pub fn quota_entity(kind: EntityType) -> &'static str {
    match kind {
        EntityType::Users => "user",
        EntityType::Clients => "client-id",
        _ => "ip",
    }
}
