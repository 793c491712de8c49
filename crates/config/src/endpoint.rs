//! Listeners: their names, security protocols and addresses.

use std::collections::BTreeMap;

use crate::valid::split_address;

/// What protects a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SecurityProtocol {
    /// Nothing.
    Plaintext,
    /// TLS.
    Ssl,
    /// SASL on a plain connection.
    SaslPlaintext,
    /// SASL inside TLS.
    SaslSsl,
}

impl SecurityProtocol {
    /// All of them, by Kafka's name.
    pub const ALL: [(&'static str, Self); 4] = [
        ("PLAINTEXT", Self::Plaintext),
        ("SSL", Self::Ssl),
        ("SASL_PLAINTEXT", Self::SaslPlaintext),
        ("SASL_SSL", Self::SaslSsl),
    ];

    /// Kafka's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plaintext => "PLAINTEXT",
            Self::Ssl => "SSL",
            Self::SaslPlaintext => "SASL_PLAINTEXT",
            Self::SaslSsl => "SASL_SSL",
        }
    }

    /// The number in broker registrations.
    pub const fn id(self) -> i16 {
        match self {
            Self::Plaintext => 0,
            Self::Ssl => 1,
            Self::SaslPlaintext => 2,
            Self::SaslSsl => 3,
        }
    }

    fn for_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, protocol)| *protocol)
    }
}

/// A place where connections are taken, or told to clients to be one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Listener {
    /// The listener's name, in upper case.
    pub name: String,
    /// What protects it.
    pub protocol: SecurityProtocol,
    /// The address or host name; `None` for all addresses (bound) or one still to be worked out (advertised).
    pub host: Option<String>,
    /// The port; 0 lets the system choose.
    pub port: u16,
}

/// A node's listeners, sorted by what they are for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// Where brokers take connections, in the file's order.
    pub broker: Vec<Listener>,
    /// What clients are told to connect to; `host` is `None` where the address is worked out from how the
    /// client reached us.
    pub advertised: Vec<Listener>,
    /// Where controllers take connections; empty on a node that is alone or no controller.
    pub controller: Vec<Listener>,
    /// What other nodes are told to reach this controller by.
    pub advertised_controller: Vec<Listener>,
    /// The names of controller listeners, in upper case.
    pub controller_listener_names: Vec<String>,
    /// The listener that brokers use among themselves.
    pub inter_broker_listener_name: String,
}

/// `NAME:PROTOCOL,…` as a map from upper-case names.
pub(crate) fn protocol_map(text: &str) -> Result<BTreeMap<String, SecurityProtocol>, String> {
    let mut map = BTreeMap::new();
    for entry in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
        let (name, protocol) = entry.rsplit_once(':').ok_or_else(|| {
            format!(
                "Error parsing configuration property 'listener.security.protocol.map': '{entry}' is not of \
                 the form NAME:PROTOCOL"
            )
        })?;
        let protocol = protocol.trim();
        let known = SecurityProtocol::for_name(protocol).ok_or_else(|| {
            format!("Invalid security protocol `{protocol}` defined in listener.security.protocol.map")
        })?;
        map.insert(name.trim().to_uppercase(), known);
    }
    Ok(map)
}

/// Parses the entries of `listeners` or `advertised.listeners`.
///
/// # Errors
/// Kafka's text for an entry that is no `NAME://host:port`, or has no security protocol.
pub(crate) fn parse_listeners(
    entries: &[String],
    protocols: &BTreeMap<String, SecurityProtocol>,
) -> Result<Vec<Listener>, String> {
    entries.iter().map(|entry| parse_listener(entry, protocols)).collect()
}

fn parse_listener(entry: &str, protocols: &BTreeMap<String, SecurityProtocol>) -> Result<Listener, String> {
    let malformed = || format!("Unable to parse {entry} to a broker endpoint");
    let (name, address) = entry.split_once("://").ok_or_else(malformed)?;
    if name.is_empty() {
        return Err(malformed());
    }
    let name = name.to_uppercase();
    let (host, port) = split_address(address).ok_or_else(malformed)?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-%._:".contains(&byte);
    if !host.bytes().all(plain) {
        return Err(malformed());
    }
    let protocol =
        *protocols.get(&name).ok_or_else(|| format!("No security protocol defined for listener {name}"))?;
    Ok(Listener { name, protocol, host: Some(host).filter(|host| !host.is_empty()), port })
}
