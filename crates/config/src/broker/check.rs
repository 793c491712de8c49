//! What a broker's values must satisfy together, and what must not be set at all.

use std::collections::{BTreeMap, BTreeSet};

use super::{BrokerConfig, Layers, NetworkConfig, NodeConfig};
use crate::endpoint::{Endpoints, Listener, SecurityProtocol, parse_listeners, protocol_map};
use crate::error::ConfigError;
use crate::key::Effect;
use crate::properties::Properties;
use crate::valid::parse_voter;

/// Whether the node is broker and controller and knows of no other node.
pub(super) fn is_alone(node: &NodeConfig) -> bool {
    let combined = node.process_roles.len() == 2;
    combined
        && node.controller_quorum_voters.is_empty()
        && node.controller_quorum_bootstrap_servers.is_empty()
}

/// Keys that cannot be honoured and were set to something else than their default.
pub(crate) fn refused(properties: &Properties, errors: &mut Vec<ConfigError>) {
    for (name, text) in properties {
        let base = without_listener_prefix(name);
        if ["super.users", "allow.everyone.if.no.acl.found"].contains(&base) {
            errors
                .push(ConfigError::refused(name, "no authorizer exists yet, so access would not be limited"));
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

/// Works out the listeners; `None` if they do not fit together.
pub(super) fn endpoints(
    node: &NodeConfig,
    network: &NetworkConfig,
    layers: &Layers,
    errors: &mut Vec<ConfigError>,
) -> Option<Endpoints> {
    match try_endpoints(node, network, layers) {
        Ok(endpoints) => Some(endpoints),
        Err(text) => {
            errors.push(ConfigError::Conflict(text));
            None
        }
    }
}

fn try_endpoints(node: &NodeConfig, network: &NetworkConfig, layers: &Layers) -> Result<Endpoints, String> {
    let upper = |names: &[String]| names.iter().map(|name| name.to_uppercase()).collect::<Vec<_>>();
    let controller_names = upper(&node.controller_listener_names);
    let protocols = effective_protocols(network, &controller_names, layers)?;
    let listeners = parse_listeners(&network.listeners, &protocols)?;
    distinct(&network.listeners.join(","), "listeners", &listeners, true)?;
    let is_controller = |listener: &Listener| controller_names.contains(&listener.name);
    let advertised = match &network.advertised_listeners {
        Some(entries) => {
            let advertised = parse_listeners(entries, &protocols)?;
            distinct(&entries.join(","), "advertised.listeners", &advertised, false)?;
            advertised
        }
        None => listeners.clone(),
    };
    let inter_broker_listener_name = inter_broker_listener(network, &protocols, layers)?;
    let (controller, broker): (Vec<_>, Vec<_>) = listeners.iter().cloned().partition(is_controller);
    let (mut advertised_controller, advertised): (Vec<_>, Vec<_>) =
        advertised.into_iter().partition(is_controller);
    for listener in &controller {
        if !advertised_controller.iter().any(|known| known.name == listener.name) {
            advertised_controller.push(listener.clone());
        }
    }
    Ok(Endpoints {
        broker,
        advertised,
        controller,
        advertised_controller,
        controller_listener_names: controller_names,
        inter_broker_listener_name,
    })
}

/// The protocol of each listener name. As in Kafka, controller listeners are plain text without being mapped
/// as long as nobody maps anything and nothing uses TLS or SASL.
fn effective_protocols(
    network: &NetworkConfig,
    controller_names: &[String],
    layers: &Layers,
) -> Result<BTreeMap<String, SecurityProtocol>, String> {
    let mut protocols = protocol_map(&network.listener_security_protocol_map)?;
    let secured = |name: &str| ["SSL", "SASL_SSL", "SASL_PLAINTEXT"].contains(&name);
    let listener_names =
        network.listeners.iter().filter_map(|entry| entry.split_once("://")).map(|(name, _)| name);
    let any_secured = controller_names.iter().map(String::as_str).chain(listener_names).any(secured);
    if layers.get("listener.security.protocol.map").is_none() && !any_secured {
        for name in controller_names {
            protocols.entry(name.clone()).or_insert(SecurityProtocol::Plaintext);
        }
    }
    Ok(protocols)
}

/// Names differ; so do ports, except that one may serve IPv4 and IPv6 (port 0 is no port yet).
fn distinct(text: &str, key: &str, listeners: &[Listener], ports: bool) -> Result<(), String> {
    let names: BTreeSet<_> = listeners.iter().map(|listener| &listener.name).collect();
    if names.len() != listeners.len() {
        return Err(format!("Each listener must have a different name, {key}: {text}"));
    }
    let mut by_port: BTreeMap<u16, Vec<&Listener>> = BTreeMap::new();
    for listener in listeners.iter().filter(|listener| ports && listener.port != 0) {
        by_port.entry(listener.port).or_default().push(listener);
    }
    let is_v4 = |listener: &Listener| host_as::<std::net::Ipv4Addr>(listener);
    let is_v6 = |listener: &Listener| host_as::<std::net::Ipv6Addr>(listener);
    for (port, sharing) in by_port {
        let pair = matches!(sharing.as_slice(), [a, b] if (is_v4(a) && is_v6(b)) || (is_v6(a) && is_v4(b)));
        if sharing.len() > 1 && !pair {
            return Err(format!(
                "Each listener must have a different port unless exactly one listener has an IPv4 address and \
                 the other IPv6 address (port {port}), {key}: {text}"
            ));
        }
    }
    Ok(())
}

fn host_as<T: std::str::FromStr>(listener: &Listener) -> bool {
    listener.host.as_deref().is_some_and(|host| host.parse::<T>().is_ok())
}

fn inter_broker_listener(
    network: &NetworkConfig,
    protocols: &BTreeMap<String, SecurityProtocol>,
    layers: &Layers,
) -> Result<String, String> {
    let Some(name) = &network.inter_broker_listener_name else {
        return Ok(network.security_inter_broker_protocol.clone());
    };
    if layers.get("security.inter.broker.protocol").is_some() {
        return Err(
            "Only one of inter.broker.listener.name and security.inter.broker.protocol should be set."
                .to_owned(),
        );
    }
    let name = name.to_uppercase();
    if !protocols.contains_key(&name) {
        return Err(format!(
            "Listener with name {name} defined in inter.broker.listener.name not found in \
             listener.security.protocol.map."
        ));
    }
    Ok(name)
}

/// Kafka's words for a rule that is broken, and whether it is kept.
type Rule = (bool, String);

/// Every rule that spans keys, in the order in which Kafka looks.
pub(super) fn together(config: &BrokerConfig, errors: &mut Vec<ConfigError>) {
    if config.node.broker_id != config.node.node_id {
        errors.push(ConfigError::Conflict(
            "`node.id` and `broker.id` must be set to the same value. `broker.id` is deprecated, please use \
             `node.id` instead."
                .to_owned(),
        ));
    }
    let rules = [values(config), quorum(config), listeners(config), limits(config)];
    let broken = rules.into_iter().flatten().filter(|(kept, _)| !kept);
    errors.extend(broken.map(|(_, text)| ConfigError::Conflict(format!("requirement failed: {text}"))));
    unsupported(config, errors);
}

fn values(config: &BrokerConfig) -> Vec<Rule> {
    let (log, node, replication) = (&config.log, &config.node, &config.replication);
    let retention_ms = log.retention_ms();
    let threads = i64::from(log.log_cleaner_threads);
    let cordoned = &log.cordoned_log_dirs;
    let missing: Vec<&str> = cordoned
        .iter()
        .filter(|dir| *dir != "*" && !config.log_dirs().contains(dir))
        .map(String::as_str)
        .collect();
    vec![
        (
            cordoned.len() < 2 || cordoned.iter().all(|dir| dir != "*"),
            "When cordoned.log.dirs is set to *, it must not contain other values".to_owned(),
        ),
        (
            missing.is_empty(),
            format!(
                "All entries in cordoned.log.dirs must be present in log.dirs or log.dir. Missing entries : {}",
                missing.join(", ")
            ),
        ),
        (log.roll_ms() >= 1, "log.roll.ms must be greater than or equal to 1".to_owned()),
        (log.roll_jitter_ms() >= 0, "log.roll.jitter.ms must be greater than or equal to 0".to_owned()),
        (
            retention_ms >= 1 || retention_ms == -1,
            "log.retention.ms must be unlimited (-1) or, greater than or equal to 1".to_owned(),
        ),
        (
            threads == 0 || log.log_cleaner_dedupe_buffer_size / threads > 1024 * 1024,
            "log.cleaner.dedupe.buffer.size must be at least 1MB per cleaner thread.".to_owned(),
        ),
        (
            replication.replica_fetch_wait_max_ms <= replication.replica_socket_timeout_ms,
            "replica.socket.timeout.ms should always be at least replica.fetch.wait.max.ms to prevent \
             unnecessary socket timeouts"
                .to_owned(),
        ),
        (
            i64::from(replication.replica_fetch_wait_max_ms) <= replication.replica_lag_time_max_ms,
            "replica.fetch.wait.max.ms should always be less than or equal to replica.lag.time.max.ms to \
             prevent frequent changes in ISR"
                .to_owned(),
        ),
        (
            node.broker_heartbeat_interval_ms <= node.broker_session_timeout_ms / 2,
            format!(
                "broker.heartbeat.interval.ms ({} ms) must be less than or equal to half of the \
                 broker.session.timeout.ms ({} ms).",
                node.broker_heartbeat_interval_ms, node.broker_session_timeout_ms
            ),
        ),
        (
            config.groups.group_min_session_timeout_ms <= config.groups.group_max_session_timeout_ms,
            "group.max.session.timeout.ms must be greater than or equal to group.min.session.timeout.ms"
                .to_owned(),
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
    let endpoints = &config.endpoints;
    let listening = |name: &String| endpoints.controller.iter().any(|listener| listener.name == *name);
    let mut rules = vec![(
        found || config.is_alone(),
        "If using process.roles, either controller.quorum.bootstrap.servers must contain the set of bootstrap \
         controllers or controller.quorum.voters must contain a parseable set of controllers."
            .to_owned(),
    )];
    if config.is_controller() && !config.is_alone() {
        rules.extend([
            (
                voters.is_empty() || voters.contains(&node.node_id),
                format!(
                    "If process.roles contains the 'controller' role, the node id {} must be included in the set \
                     of voters controller.quorum.voters={voters:?}",
                    node.node_id
                ),
            ),
            (
                !endpoints.controller.is_empty(),
                "controller.listener.names must contain at least one value appearing in the 'listeners' \
                 configuration when running the KRaft controller role"
                    .to_owned(),
            ),
            (
                endpoints.controller_listener_names.iter().all(listening),
                "controller.listener.names must only contain values appearing in the 'listeners' configuration \
                 when running the KRaft controller role"
                    .to_owned(),
            ),
        ]);
    }
    rules
}

fn listeners(config: &BrokerConfig) -> Vec<Rule> {
    let endpoints = &config.endpoints;
    let names = |listeners: &[Listener]| {
        listeners.iter().map(|listener| listener.name.clone()).collect::<Vec<_>>().join(",")
    };
    let has = |listeners: &[Listener], name: &str| listeners.iter().any(|listener| listener.name == name);
    let mut advertised = endpoints.advertised.iter().chain(&endpoints.advertised_controller);
    let mut rules = vec![(
        advertised.all(|listener| listener.host.as_deref() != Some("0.0.0.0")),
        "advertised.listeners cannot use the nonroutable meta-address 0.0.0.0. Use a routable IP address."
            .to_owned(),
    )];
    if config.is_broker() {
        let known = !endpoints.advertised.is_empty();
        rules.extend([
            (
                known,
                "There must be at least one broker advertised listener. Perhaps all listeners appear in \
                 controller.listener.names?"
                    .to_owned(),
            ),
            (
                !known || has(&endpoints.advertised, &endpoints.inter_broker_listener_name),
                format!(
                    "inter.broker.listener.name must be a listener name defined in advertised.listeners. The \
                     valid options based on currently configured listeners are {}",
                    names(&endpoints.advertised)
                ),
            ),
            (
                endpoints.advertised.iter().all(|listener| has(&endpoints.broker, &listener.name)),
                format!(
                    "advertised.listeners listener names must be equal to or a subset of the ones defined in \
                     listeners. Found {}. The valid options based on the current configuration are {}",
                    names(&endpoints.advertised),
                    names(&endpoints.broker)
                ),
            ),
        ]);
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
    vec![
        (
            queued <= 0 || queued >= i64::from(network.socket_request_max_bytes),
            "queued.max.request.bytes must be larger or equal to socket.request.max.bytes".to_owned(),
        ),
        (overrides.is_ok(), overrides.as_ref().err().cloned().unwrap_or_default()),
        (
            network.max_connections_per_ip != 0 || overridden,
            "max.connections.per.ip can be set to zero only if max.connections.per.ip.overrides property is set."
                .to_owned(),
        ),
        (
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
