//! What a broker's values must satisfy together, and what must not be set at all.

mod groups;
mod listeners;

use std::collections::{BTreeMap, BTreeSet};

use super::{BrokerConfig, NodeConfig};
use crate::endpoint::{Endpoints, SecurityProtocol};
use crate::error::ConfigError;
use crate::key::Effect;
use crate::properties::Properties;
use crate::valid::parse_voter;

pub(super) use listeners::endpoints;

/// Whether the node is broker and controller and knows of no other node.
pub(super) fn is_alone(node: &NodeConfig) -> bool {
    let combined = node.process_roles.len() == 2;
    combined
        && node.controller_quorum_voters.is_empty()
        && node.controller_quorum_bootstrap_servers.is_empty()
}

/// Whether the addresses of the quorum are this node's own.
pub(super) fn is_sole_voter(node: &NodeConfig, endpoints: &Endpoints) -> bool {
    let voters = voters(node);
    if !voters.is_empty() {
        return voters.iter().eq([&node.node_id]);
    }
    let [server] = &node.controller_quorum_bootstrap_servers[..] else { return false };
    let port = server.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
    endpoints.controller.iter().any(|listener| Some(listener.port) == port)
}

/// Keys that cannot be honoured and were set to something else than their default.
pub(crate) fn refused(properties: &Properties, errors: &mut Vec<ConfigError>) {
    for (name, text) in properties {
        let base = without_listener_prefix(name);
        if ["super.users", "allow.everyone.if.no.acl.found"].contains(&base) {
            errors.push(ConfigError::refused(name, super::NO_AUTHORIZATION));
        }
        let Some(key) = super::key(base) else { continue };
        let Effect::Refused { reason, except } = key.effect else { continue };
        let Ok(value) = key.parse(text) else { continue };
        let default = key.default_text().and_then(|default| key.parse(default).ok());
        let empty = text.trim().is_empty() && key.default_text().is_none();
        if Some(&value) != default.as_ref() && !empty && !except.contains(&text.trim()) {
            errors.push(ConfigError::refused(name, reason));
        }
    }
}

/// `listener.name.<listener>.` taken off, and the SASL mechanism that may follow it.
pub(super) fn without_listener_prefix(name: &str) -> &str {
    let Some((_, rest)) = name.strip_prefix("listener.name.").and_then(|rest| rest.split_once('.')) else {
        return name;
    };
    match rest.split_once('.') {
        Some((_, after)) if super::key(rest).is_none() && super::key(after).is_some() => after,
        _ => rest,
    }
}

/// A rule that spans keys: whether it is kept, and Kafka's words if it is not.
struct Rule {
    kept: bool,
    text: String,
}

/// A rule to which Kafka puts `requirement failed: `.
fn require(kept: bool, text: impl Into<String>) -> Rule {
    Rule { kept, text: format!("requirement failed: {}", text.into()) }
}

/// A rule that Kafka words without it.
fn expect(kept: bool, text: impl Into<String>) -> Rule {
    Rule { kept, text: text.into() }
}

/// Every rule that spans keys.
pub(super) fn together(config: &BrokerConfig, errors: &mut Vec<ConfigError>) {
    let rules =
        [groups::rules(config), values(config), quorum(config), listeners::rules(config), limits(config)];
    let broken = rules.into_iter().flatten().filter(|rule| !rule.kept);
    errors.extend(broken.map(|rule| ConfigError::Conflict(rule.text)));
    unsupported(config, errors);
}

fn values(config: &BrokerConfig) -> Vec<Rule> {
    let (log, node, replication) = (&config.log, &config.node, &config.replication);
    let retention_ms = log.retention_ms();
    let threads = i64::from(log.log_cleaner_threads);
    let cordoned = &log.cordoned_log_dirs;
    let unknown = cordoned.iter().filter(|dir| *dir != "*" && !config.log_dirs().contains(dir));
    let unknown: Vec<&str> = unknown.map(String::as_str).collect();
    vec![
        expect(
            node.broker_id == node.node_id,
            "`node.id` and `broker.id` must be set to the same value. `broker.id` is deprecated, please use \
             `node.id` instead.",
        ),
        require(
            cordoned.len() < 2 || cordoned.iter().all(|dir| dir != "*"),
            "When cordoned.log.dirs is set to *, it must not contain other values",
        ),
        require(
            unknown.is_empty(),
            format!(
                "All entries in cordoned.log.dirs must be present in log.dirs or log.dir. Missing entries : {}",
                unknown.join(", ")
            ),
        ),
        require(log.roll_ms() >= 1, "log.roll.ms must be greater than or equal to 1"),
        require(log.roll_jitter_ms() >= 0, "log.roll.jitter.ms must be greater than or equal to 0"),
        require(
            retention_ms >= 1 || retention_ms == -1,
            "log.retention.ms must be unlimited (-1) or, greater than or equal to 1",
        ),
        require(
            threads == 0 || log.log_cleaner_dedupe_buffer_size / threads > 1024 * 1024,
            "log.cleaner.dedupe.buffer.size must be at least 1MB per cleaner thread.",
        ),
        require(
            replication.replica_fetch_wait_max_ms <= replication.replica_socket_timeout_ms,
            "replica.socket.timeout.ms should always be at least replica.fetch.wait.max.ms to prevent \
             unnecessary socket timeouts",
        ),
        require(
            i64::from(replication.replica_fetch_wait_max_ms) <= replication.replica_lag_time_max_ms,
            "replica.fetch.wait.max.ms should always be less than or equal to replica.lag.time.max.ms to \
             prevent frequent changes in ISR",
        ),
    ]
}

fn voters(node: &NodeConfig) -> BTreeSet<i32> {
    let parsed = node.controller_quorum_voters.iter().filter_map(|voter| parse_voter(voter).ok());
    parsed.map(|(id, ..)| id).collect()
}

fn quorum(config: &BrokerConfig) -> Vec<Rule> {
    let (node, voters) = (&config.node, voters(&config.node));
    let found = !voters.is_empty() || !node.controller_quorum_bootstrap_servers.is_empty();
    let mut rules = vec![expect(
        found || config.is_alone(),
        "If using process.roles, either controller.quorum.bootstrap.servers must contain the set of bootstrap \
         controllers or controller.quorum.voters must contain a parseable set of controllers.",
    )];
    if config.is_controller() {
        let ids: Vec<String> = voters.iter().map(i32::to_string).collect();
        rules.push(require(
            voters.is_empty() || voters.contains(&node.node_id),
            format!(
                "If process.roles contains the 'controller' role, the node id {} must be included in the set of \
                 voters controller.quorum.voters=Set({})",
                node.node_id,
                ids.join(", ")
            ),
        ));
    }
    rules
}

fn limits(config: &BrokerConfig) -> Vec<Rule> {
    let network = &config.network;
    let queued = network.queued_max_request_bytes;
    let (delay_ms, idle_ms) =
        (i64::from(network.connection_failed_authentication_delay_ms), network.connections_max_idle_ms);
    let overrides = connections_per_ip(&network.max_connections_per_ip_overrides);
    let overridden = overrides.as_ref().is_ok_and(|overrides| !overrides.is_empty());
    let hosts = overrides.iter().flat_map(BTreeMap::keys);
    let invalid: Vec<&str> = hosts.map(String::as_str).filter(|host| !listeners::is_host(host)).collect();
    vec![
        require(
            queued <= 0 || queued >= i64::from(network.socket_request_max_bytes),
            "queued.max.request.bytes must be larger or equal to socket.request.max.bytes",
        ),
        expect(overrides.is_ok(), overrides.as_ref().err().cloned().unwrap_or_default()),
        require(
            network.max_connections_per_ip != 0 || overridden,
            "max.connections.per.ip can be set to zero only if max.connections.per.ip.overrides property is set.",
        ),
        expect(
            invalid.is_empty(),
            format!("max.connections.per.ip.overrides contains invalid addresses : {}", invalid.join(",")),
        ),
        require(
            idle_ms < 0 || delay_ms < idle_ms,
            format!(
                "connection.failed.authentication.delay.ms={delay_ms} should always be less than \
                 connections.max.idle.ms={idle_ms} to prevent failed authentication responses from timing out"
            ),
        ),
    ]
}

/// `host:count,…` as a map.
pub(super) fn connections_per_ip(text: &str) -> Result<BTreeMap<String, i32>, String> {
    let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    let parse = |entry: &str| {
        let (host, count) = entry.rsplit_once(':')?;
        Some((host.trim().to_owned(), count.trim().parse().ok()?))
    };
    entries
        .map(|entry| {
            parse(entry).ok_or_else(|| {
                format!(
                    "Error parsing configuration property 'max.connections.per.ip.overrides': '{entry}' is not \
                     of the form host:count"
                )
            })
        })
        .collect()
}

/// What Kafka can do and this server cannot yet, where it would be unsafe to go on without it.
fn unsupported(config: &BrokerConfig, errors: &mut Vec<ConfigError>) {
    let endpoints = &config.endpoints;
    for listener in endpoints.broker.iter().chain(&endpoints.controller) {
        if listener.protocol != SecurityProtocol::Plaintext {
            let (name, protocol) = (&listener.name, listener.protocol.name());
            let reason = format!("listener {name} uses {protocol}, but only PLAINTEXT exists yet");
            errors.push(ConfigError::refused("listeners", reason));
        }
    }
    if !(config.is_broker() && config.is_controller()) {
        let reason = "a node must be broker and controller: clusters of several nodes do not exist yet";
        errors.push(ConfigError::refused("process.roles", reason));
    } else if voters(&config.node).iter().any(|id| *id != config.node.node_id) {
        let reason = "other nodes are named: clusters of several nodes do not exist yet";
        errors.push(ConfigError::refused("controller.quorum.voters", reason));
    }
}
