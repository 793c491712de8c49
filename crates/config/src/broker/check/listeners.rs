//! Which listeners a node has, and what must hold of them.

use std::collections::{BTreeMap, BTreeSet};

use super::{BrokerConfig, Rule, expect, require};
use crate::broker::{Layers, NetworkConfig, NodeConfig};
use crate::endpoint::{Endpoints, Listener, SecurityProtocol, parse_listeners, protocol_map};
use crate::error::ConfigError;

/// Whether the text can be a host's name or address.
pub(super) fn is_host(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-%._:".contains(&byte))
}

/// Works out the listeners; `None` if they do not fit together.
pub(in crate::broker) fn endpoints(
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
    let parse = |entries: &[String], distinct_ports| {
        let failed =
            |text| format!("Error creating broker listeners from '[{}]': {text}", entries.join(", "));
        let listeners = parse_listeners(entries, &protocols).map_err(failed)?;
        distinct(entries, &listeners, distinct_ports).map_err(failed)?;
        Ok::<_, String>(listeners)
    };
    let listeners = parse(&network.listeners, true)?;
    let advertised = match &network.advertised_listeners {
        Some(entries) => parse(entries, false)?,
        None => listeners.clone(),
    };
    let is_controller = |listener: &Listener| controller_names.contains(&listener.name);
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
    let mut listener_names = Vec::new();
    for entry in &network.listeners {
        let (name, _) =
            entry.split_once("://").ok_or_else(|| format!("Unable to parse a listener name from {entry}"))?;
        listener_names.push(name.to_uppercase());
    }
    let any_secured = controller_names.iter().chain(&listener_names).any(|name| secured(name));
    if layers.get("listener.security.protocol.map").is_none() && !any_secured {
        for name in controller_names {
            protocols.entry(name.clone()).or_insert(SecurityProtocol::Plaintext);
        }
    }
    Ok(protocols)
}

/// Names differ; so do ports, except that one may serve an IPv4 and an IPv6 address (port 0 is no port yet).
fn distinct(entries: &[String], listeners: &[Listener], ports: bool) -> Result<(), String> {
    let text = entries.join(", ");
    let names: BTreeSet<_> = listeners.iter().map(|listener| &listener.name).collect();
    if names.len() != listeners.len() {
        return Err(format!("Each listener must have a different name, listeners: [{text}]"));
    }
    let mut by_port: BTreeMap<u16, Vec<Option<Family>>> = BTreeMap::new();
    for listener in listeners.iter().filter(|listener| ports && listener.port != 0) {
        by_port.entry(listener.port).or_default().push(listener.host.as_deref().and_then(family));
    }
    for (port, sharing) in by_port.into_iter().filter(|(_, sharing)| sharing.len() > 1) {
        match sharing.as_slice() {
            [Some(a), Some(b)] if a != b => {}
            addresses if addresses.iter().all(Option::is_none) => {
                return Err(format!("Each listener must have a different port, listeners: [{text}]"));
            }
            _ => {
                return Err(format!(
                    "Each listener must have a different port unless exactly one listener has an IPv4 address \
                     and the other IPv6 address, listeners: [{text}], port: {port}"
                ));
            }
        }
    }
    Ok(())
}

/// The two kinds of addresses.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    V4,
    V6,
}

/// Which kind of address a host is; `None` for a name.
fn family(host: &str) -> Option<Family> {
    if host.contains(':') {
        return Some(Family::V6);
    }
    let parts: Vec<&str> = host.split('.').collect();
    (parts.len() == 4 && parts.iter().all(|part| part.parse::<u8>().is_ok())).then_some(Family::V4)
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

/// What must hold of a node's listeners.
pub(super) fn rules(config: &BrokerConfig) -> Vec<Rule> {
    let endpoints = &config.endpoints;
    let mut rules = Vec::new();
    if config.is_controller() && !config.is_alone() {
        rules.extend(controller_rules(endpoints));
    }
    if config.is_broker() {
        rules.extend(broker_rules(endpoints));
    }
    let mut advertised = endpoints.advertised.iter().chain(&endpoints.advertised_controller);
    rules.push(require(
        advertised.all(|listener| listener.host.as_deref() != Some("0.0.0.0")),
        "advertised.listeners cannot use the nonroutable meta-address 0.0.0.0. Use a routable IP address.",
    ));
    for name in config.network.early_start_listeners.iter().flatten() {
        let upper = name.to_uppercase();
        let known = has(&endpoints.broker, &upper)
            || has(&endpoints.controller, &upper)
            || endpoints.controller_listener_names.contains(&upper);
        rules.push(expect(
            known,
            format!(
                "early.start.listeners contains listener {name}, but this is not contained in listeners or \
                 controller.listener.names"
            ),
        ));
    }
    rules
}

fn has(listeners: &[Listener], name: &str) -> bool {
    listeners.iter().any(|listener| listener.name == name)
}

fn controller_rules(endpoints: &Endpoints) -> [Rule; 2] {
    let names = &endpoints.controller_listener_names;
    [
        require(
            !endpoints.controller.is_empty(),
            "controller.listener.names must contain at least one value appearing in the 'listeners' \
             configuration when running the KRaft controller role",
        ),
        require(
            names.iter().all(|name| has(&endpoints.controller, name)),
            "controller.listener.names must only contain values appearing in the 'listeners' configuration when \
             running the KRaft controller role",
        ),
    ]
}

fn broker_rules(endpoints: &Endpoints) -> [Rule; 3] {
    let names = |listeners: &mut dyn Iterator<Item = &Listener>| {
        listeners.map(|listener| listener.name.clone()).collect::<Vec<_>>().join(",")
    };
    let advertised = names(&mut endpoints.advertised.iter());
    let known = !endpoints.advertised.is_empty();
    [
        require(
            known,
            "There must be at least one broker advertised listener. Perhaps all listeners appear in \
             controller.listener.names?",
        ),
        require(
            !known || has(&endpoints.advertised, &endpoints.inter_broker_listener_name),
            format!(
                "inter.broker.listener.name must be a listener name defined in advertised.listeners. The valid \
                 options based on currently configured listeners are {advertised}"
            ),
        ),
        require(
            endpoints.advertised.iter().all(|listener| has(&endpoints.broker, &listener.name)),
            format!(
                "advertised.listeners listener names must be equal to or a subset of the ones defined in \
                 listeners. Found {advertised}. The valid options based on the current configuration are {}",
                names(&mut endpoints.broker.iter().chain(&endpoints.controller))
            ),
        ),
    ]
}
