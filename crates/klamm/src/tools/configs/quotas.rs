//! Quotas and SCRAM credentials of `kafka-configs`.

use std::collections::BTreeMap;

use bytes::Bytes;
use hmac::Hmac;
use klamm_client::{Admin, ErrorCode};
use serde_json::{Value, json};
use sha2::{Sha256, Sha512};

use crate::command_line::{Arguments, Failure};
use crate::tools::java_errors;
use crate::tools::storage::salted;

use super::describe::{quota_entity, quota_filters, quota_lines, quota_text};
use super::entities::{Entities, EntityType};
use super::executed;

const USER_AND_CLIENT: &[&str] =
    &["producer_byte_rate", "consumer_byte_rate", "request_percentage", "controller_mutation_rate"];
const IP: &[&str] = &["connection_creation_rate"];
const MECHANISMS: &[(&str, i8)] = &[("SCRAM-SHA-256", 1), ("SCRAM-SHA-512", 2)];
const ITERATIONS_MIN: i32 = 4096;

fn mechanism(name: &str) -> Option<i8> {
    MECHANISMS.iter().find(|(known, _)| *known == name).map(|(_, code)| *code)
}

/// Prints quotas, and credentials of users.
pub async fn describe(admin: &Admin, arguments: &Arguments, entities: &Entities) -> Result<(), Failure> {
    let lines = quota_lines(admin, quota_filters(entities)?).await?;
    let mut shown = Vec::new();
    for (entity, values) in &lines {
        if arguments.json() {
            let values: serde_json::Map<_, _> =
                values.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
            shown.push(json!({ "entity": entity, "quotas": values }));
        } else {
            println!("Quota configs for {entity} are {}", quota_text(values));
        }
    }
    let is_about_users = entities.types == [EntityType::Users];
    if is_about_users && !entities.names.iter().any(String::is_empty) {
        let users = admin.describe_user_scram_credentials(&entities.names).await;
        for (user, credentials) in users.map_err(|error| executed(&error))? {
            let credentials = match credentials {
                // A user without credentials is not worth a word.
                Err(error) if error.code() == Some(ErrorCode::ResourceNotFound) => continue,
                Err(error) => {
                    let class = java_errors::class(&error);
                    println!(
                        "Error retrieving SCRAM credential configs for user-principal '{user}': {}: {}",
                        class.rsplit('.').next().unwrap_or_default(),
                        java_errors::message(&error)
                    );
                    continue;
                }
                Ok(credentials) => credentials,
            };
            let texts = credentials.iter().map(|info| {
                let known = MECHANISMS.iter().find(|(_, code)| *code == info.mechanism);
                format!("{}=iterations={}", known.map_or("UNKNOWN", |(name, _)| name), info.iterations)
            });
            let text = texts.collect::<Vec<_>>().join(", ");
            if arguments.json() {
                shown.push(json!({ "user": user, "scram": text }));
            } else {
                println!("SCRAM credential configs for user-principal '{user}' are {text}");
            }
        }
    }
    if arguments.json() {
        println!("{}", Value::Array(shown));
    }
    Ok(())
}

/// Changes quotas or credentials.
pub async fn alter(
    admin: &Admin,
    entities: &Entities,
    added: BTreeMap<String, String>,
    deleted: Vec<String>,
) -> Result<(), Failure> {
    let scram_added: Vec<_> = added.keys().filter(|key| mechanism(key).is_some()).cloned().collect();
    let scram_deleted: Vec<_> = deleted.iter().filter(|key| mechanism(key).is_some()).cloned().collect();
    check_names(entities, &added, &deleted, &scram_added, &scram_deleted)?;
    if scram_added.is_empty() && scram_deleted.is_empty() {
        return alter_quotas(admin, entities, added, deleted).await;
    }
    let [user] = &entities.names[..] else {
        return Err(Failure::refused(
            "Altering user SCRAM credentials should never occur for zero or multiple users",
        ));
    };
    let deletions = scram_deleted.iter().filter_map(|name| Some((user.clone(), mechanism(name)?)));
    let mut upsertions = Vec::new();
    for name in &scram_added {
        let (iterations, password) = credential(name, &added[name])?;
        let salt = Bytes::copy_from_slice(&rand::random::<[u8; 24]>());
        let code = mechanism(name).unwrap_or(0);
        let salted = match code {
            1 => salted::<Hmac<Sha256>>(password.as_bytes(), &salt, iterations),
            _ => salted::<Hmac<Sha512>>(password.as_bytes(), &salt, iterations),
        };
        upsertions.push((user.clone(), code, iterations, salt, Bytes::from(salted)));
    }
    let outcome = admin.alter_user_scram_credentials(deletions.collect(), upsertions).await;
    outcome.map_err(|error| executed(&error))
}

fn check_names(
    entities: &Entities,
    added: &BTreeMap<String, String>,
    deleted: &[String],
    scram_added: &[String],
    scram_deleted: &[String],
) -> Result<(), Failure> {
    let set = |names: Vec<&String>| {
        let names: Vec<_> = names.into_iter().map(String::as_str).collect();
        format!("Set({})", names.join(", "))
    };
    let list = |names: Vec<&String>| {
        let names: Vec<_> = names.into_iter().map(String::as_str).collect();
        format!("List({})", names.join(", "))
    };
    if entities.types[0] == EntityType::Ips {
        let unknown: Vec<_> =
            added.keys().chain(deleted).filter(|key| !IP.contains(&key.as_str())).cloned().collect();
        if unknown.is_empty() {
            return Ok(());
        }
        return Err(Failure::refused(format!(
            "Only connection quota configs can be added for 'ips' using --bootstrap-server. Unexpected config names: {}",
            unknown.join(",")
        )));
    }
    let is_quota = |key: &String| USER_AND_CLIENT.contains(&key.as_str());
    let is_of_clients = entities.types[0] == EntityType::Clients || entities.types.len() == 2;
    let allows = |key: &String| is_quota(key) || (!is_of_clients && mechanism(key).is_some());
    let (what, whose) = if is_of_clients {
        ("quota configs", "clients")
    } else {
        ("quota and SCRAM credential configs", "users")
    };
    let unknown: Vec<_> = added.keys().filter(|key| !allows(key)).collect();
    if !unknown.is_empty() {
        return Err(Failure::refused(format!(
            "Only {what} can be added for '{whose}' using --bootstrap-server. Unexpected config names: {}",
            set(unknown)
        )));
    }
    let unknown: Vec<_> = deleted.iter().filter(|key| !allows(key)).collect();
    if !unknown.is_empty() {
        return Err(Failure::refused(format!(
            "Only {what} can be deleted for '{whose}' using --bootstrap-server. Unexpected config names: {}",
            list(unknown)
        )));
    }
    if scram_added.is_empty() && scram_deleted.is_empty() {
        return Ok(());
    }
    if entities.names.iter().any(String::is_empty) {
        return Err(Failure::refused(
            "The use of --entity-default or --user-defaults is not allowed with User SCRAM Credentials using \
             --bootstrap-server.",
        ));
    }
    if added.keys().chain(deleted).any(is_quota) {
        return Err(Failure::refused(
            "Cannot alter both quota and SCRAM credential configs simultaneously for 'users' using --bootstrap-server.",
        ));
    }
    Ok(())
}

/// `[iterations=8192,]password=…`
fn credential(mechanism: &str, text: &str) -> Result<(i32, String), Failure> {
    let invalid = || Failure::refused(format!("Invalid credential property {mechanism}={text}"));
    let (iterations, rest) = match text.strip_prefix("iterations=") {
        Some(rest) => {
            let (number, rest) = rest.split_once(',').ok_or_else(invalid)?;
            (number.parse::<i32>().map_err(|_| invalid())?, rest)
        }
        None => (-1, text),
    };
    let iterations = if iterations == -1 { ITERATIONS_MIN } else { iterations };
    let password = rest.strip_prefix("password=").ok_or_else(invalid)?;
    if iterations < ITERATIONS_MIN {
        return Err(Failure::refused(format!(
            "Iterations {iterations} is less than the minimum {ITERATIONS_MIN} required for {mechanism}"
        )));
    }
    Ok((iterations, password.to_owned()))
}

async fn alter_quotas(
    admin: &Admin,
    entities: &Entities,
    added: BTreeMap<String, String>,
    deleted: Vec<String>,
) -> Result<(), Failure> {
    if entities.types.len() != entities.names.len() {
        return Err(Failure::refused("Exactly one entity name must be specified for every entity type"));
    }
    let present = quota_lines(admin, quota_filters(entities)?).await?;
    let present = present.first().map_or(&[][..], |(_, values)| values);
    let unknown: Vec<_> =
        deleted.iter().filter(|key| !present.iter().any(|(name, _)| name == *key)).cloned().collect();
    if !unknown.is_empty() {
        return Err(Failure::refused(format!("Invalid config(s): {}", unknown.join(","))));
    }
    let mut changes = Vec::new();
    for (key, value) in added {
        let number = value.parse::<f64>().map_err(|_| {
            Failure::refused(format!("Cannot parse quota configuration value for {key}: {value}"))
        })?;
        changes.push((key, Some(number)));
    }
    changes.extend(deleted.into_iter().map(|key| (key, None)));
    let named = entities.types.iter().zip(&entities.names);
    let entity =
        named.map(|(kind, name)| (quota_entity(*kind).to_owned(), (!name.is_empty()).then(|| name.clone())));
    admin.alter_client_quotas(entity.collect(), changes).await.map_err(|error| executed(&error))
}
