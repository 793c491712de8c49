//! Altering configuration: what an operation makes of a value, and whether the result may stand.

use std::collections::BTreeMap;

use crate::broker::{self, BrokerConfig};
use crate::error::ConfigError;
use crate::key::{ConfigKey, UpdateMode};
use crate::properties::Properties;
use crate::value::{Kind, Value};
use crate::{client_metrics, group, topic};

mod check;

pub use check::{check_broker, check_client_metrics, check_group, check_topic};

/// What is configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Resource {
    /// A topic.
    Topic,
    /// A broker, or all brokers.
    Broker,
    /// A subscription to metrics of clients.
    ClientMetrics,
    /// A group.
    Group,
}

impl Resource {
    /// The key of this name for such a resource.
    pub fn key(self, name: &str) -> Option<&'static ConfigKey> {
        match self {
            Self::Topic => topic::key(name),
            Self::Broker => broker::key(name),
            Self::ClientMetrics => client_metrics::key(name),
            Self::Group => group::key(name),
        }
    }
}

/// What IncrementalAlterConfigs does with a key; the discriminant is its code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i8)]
pub enum OperationKind {
    /// Gives it this value.
    Set = 0,
    /// Takes its value away.
    Delete = 1,
    /// Adds elements to a list.
    Append = 2,
    /// Takes elements from a list.
    Subtract = 3,
}

impl OperationKind {
    /// The operation of this code.
    pub const fn from_code(code: i8) -> Option<Self> {
        match code {
            0 => Some(Self::Set),
            1 => Some(Self::Delete),
            2 => Some(Self::Append),
            3 => Some(Self::Subtract),
            _ => None,
        }
    }

    /// Kafka's word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Set => "SET",
            Self::Delete => "DELETE",
            Self::Append => "APPEND",
            Self::Subtract => "SUBTRACT",
        }
    }
}

/// One operation on one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// The key.
    pub name: String,
    /// What to do with it.
    pub kind: OperationKind,
    /// The value, or the list of elements; nothing for [`OperationKind::Delete`].
    pub value: Option<String>,
}

/// Which error code a refusal has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i16)]
pub enum RefusalCode {
    /// INVALID_CONFIG.
    InvalidConfig = 40,
    /// INVALID_REQUEST.
    InvalidRequest = 42,
}

/// Why an alteration may not stand.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// The error code to answer.
    pub code: RefusalCode,
    /// Kafka's message.
    pub message: String,
}

impl Refusal {
    pub(crate) fn config(message: impl Into<String>) -> Self {
        Self { code: RefusalCode::InvalidConfig, message: message.into() }
    }

    pub(crate) fn request(message: impl Into<String>) -> Self {
        Self { code: RefusalCode::InvalidRequest, message: message.into() }
    }
}

impl From<ConfigError> for Refusal {
    fn from(error: ConfigError) -> Self {
        Self::config(error.to_string())
    }
}

/// Longest value that a key can be given, in UTF-16 units.
const LONGEST_VALUE: usize = i16::MAX as usize;

/// What the operations make of the values set now: the new value of each key that changes, `None` where it
/// goes. The order of the operations does not matter: a key may be named once only.
///
/// # Errors
/// A key named twice, a value missing, an append to something that is no list, a value too long.
pub fn apply(
    resource: Resource,
    current: &Properties,
    operations: &[Operation],
) -> Result<BTreeMap<String, Option<String>>, Refusal> {
    require_usable(operations)?;
    let mut changes = BTreeMap::new();
    for operation in operations {
        let now = current.get(&operation.name).cloned();
        let new = new_value(resource, now.as_deref(), operation)?;
        if new.as_ref().is_some_and(|value| value.encode_utf16().count() > LONGEST_VALUE) {
            return Err(Refusal::config(
                "The configuration value cannot be added because it exceeds the maximum value size of 32767 \
                 bytes.",
            ));
        }
        if new != now || resource == Resource::Broker {
            changes.insert(operation.name.clone(), new);
        }
    }
    Ok(changes)
}

/// The values that stand after `changes`.
pub fn applied(current: &Properties, changes: &BTreeMap<String, Option<String>>) -> Properties {
    let mut new = current.clone();
    for (name, value) in changes {
        match value {
            Some(value) => new.insert(name.clone(), value.clone()),
            None => new.remove(name),
        };
    }
    new
}

fn require_usable(operations: &[Operation]) -> Result<(), Refusal> {
    let mut names: Vec<&str> = operations.iter().map(|operation| operation.name.as_str()).collect();
    names.sort_unstable();
    if names.windows(2).any(|pair| pair.first() == pair.last()) {
        return Err(Refusal::request("Error due to duplicate config keys"));
    }
    let needs_value = |operation: &&Operation| operation.kind != OperationKind::Delete;
    let missing: Vec<&str> = operations
        .iter()
        .filter(needs_value)
        .filter(|operation| operation.value.is_none())
        .map(|operation| operation.name.as_str())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Refusal::request(format!("Null value not supported for : {}", missing.join(", "))))
}

fn new_value(
    resource: Resource,
    now: Option<&str>,
    operation: &Operation,
) -> Result<Option<String>, Refusal> {
    let given = operation.value.as_deref().unwrap_or_default();
    match operation.kind {
        OperationKind::Set => return Ok(Some(given.to_owned())),
        OperationKind::Delete => return Ok(None),
        OperationKind::Append | OperationKind::Subtract => {}
    }
    let splittable = matches!(resource, Resource::Topic | Resource::Broker);
    let key = resource.key(&operation.name).filter(|_| splittable);
    if key.is_none_or(|key| key.kind != Kind::List) {
        return Err(no_list(resource, key, operation));
    }
    let now = now.or_else(|| key.and_then(ConfigKey::default_text)).unwrap_or_default();
    let mut elements: Vec<&str> = now.split(',').filter(|element| !element.is_empty()).collect();
    for element in given.split(',') {
        let at = elements.iter().position(|known| *known == element);
        match (operation.kind, at) {
            (OperationKind::Append, None) => elements.push(element),
            (OperationKind::Subtract, Some(at)) => drop(elements.remove(at)),
            _ => {}
        }
    }
    Ok(Some(elements.join(",")))
}

fn no_list(resource: Resource, key: Option<&ConfigKey>, operation: &Operation) -> Refusal {
    let (name, kind) = (&operation.name, operation.kind.word());
    match (resource, key) {
        (Resource::Broker, None) => Refusal::config(format!("Unknown config name: {name}")),
        (Resource::Broker, Some(_)) => Refusal::config(format!(
            "Config value {} is not allowed for config key: {name}",
            kind.to_lowercase()
        )),
        _ => Refusal::config(format!("Can't {kind} to key {name} because its type is not LIST.")),
    }
}
