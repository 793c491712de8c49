//! One row of a configuration table: everything known about a key.

use std::collections::BTreeSet;

use crate::error::ConfigError;
use crate::valid::Valid;
use crate::value::{Kind, Value};

/// How much a key matters, in Kafka's three steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Importance {
    High,
    Medium,
    Low,
}

/// Whether and where a broker key can be changed while the broker runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UpdateMode {
    /// Only by a restart.
    ReadOnly,
    /// For one broker.
    PerBroker,
    /// For one broker, or for all of them at once.
    ClusterWide,
}

impl UpdateMode {
    /// Kafka's word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::ReadOnly => "read-only",
            Self::PerBroker => "per-broker",
            Self::ClusterWide => "cluster-wide",
        }
    }
}

/// What setting a key does here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// What its documentation says.
    Full,
    /// Nothing: it is read, checked and described only.
    Inert,
    /// The start stops with this reason unless the value is the default or one of `except`.
    Refused {
        /// Why it cannot be honoured.
        reason: &'static str,
        /// Values that can be honoured beside the default.
        except: &'static [&'static str],
    },
}

/// How a synonym's number becomes the key's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// They are the same.
    Same,
    /// The synonym counts minutes, the key milliseconds.
    MinutesToMs,
    /// The synonym counts hours, the key milliseconds.
    HoursToMs,
}

impl Unit {
    /// The synonym's text in the key's unit; text that is no number counts as 0, as in Kafka.
    pub fn convert(self, text: &str) -> String {
        let factor: i64 = match self {
            Self::Same => return text.to_owned(),
            Self::MinutesToMs => 60_000,
            Self::HoursToMs => 3_600_000,
        };
        (i64::from(text.trim().parse::<i32>().unwrap_or(0)) * factor).to_string()
    }
}

/// Another key, of the broker, that gives a key its value where nothing nearer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Synonym {
    /// The other key.
    pub name: &'static str,
    /// How its value is turned into ours.
    pub unit: Unit,
}

/// What a key has when nobody sets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultValue {
    /// This, as text.
    Text(&'static str),
    /// No value, which is one of its values.
    Null,
    /// It must be set.
    Required,
}

/// Everything known about a key.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ConfigKey {
    /// Kafka's name, or ours with the prefix `klamm.`.
    pub name: &'static str,
    /// The type of its values.
    pub kind: Kind,
    /// What it has when nobody sets it.
    pub default: DefaultValue,
    /// How much it matters.
    pub importance: Importance,
    /// Which values of its type it takes.
    pub valid: Valid,
    /// What it does, with units.
    pub documentation: &'static str,
    /// How it can be changed (broker keys; the others can be changed always).
    pub update_mode: UpdateMode,
    /// What setting it does here.
    pub effect: Effect,
    /// Broker keys that supply its value, nearest first.
    pub synonyms: &'static [Synonym],
    /// Not meant for users: neither documented nor described.
    pub internal: bool,
    /// Never set at start, only altered; neither documented nor described until it is.
    pub dynamic_only: bool,
    /// What to use instead, if it is deprecated.
    pub deprecated: Option<&'static str>,
}

impl ConfigKey {
    /// A public, read-only key with full effect; the methods below refine it.
    pub(crate) const fn new(
        name: &'static str,
        kind: Kind,
        default: DefaultValue,
        importance: Importance,
        valid: Valid,
        documentation: &'static str,
    ) -> Self {
        Self {
            name,
            kind,
            default,
            importance,
            valid,
            documentation: documentation.trim_ascii_start(),
            update_mode: UpdateMode::ReadOnly,
            effect: Effect::Full,
            synonyms: &[],
            internal: false,
            dynamic_only: false,
            deprecated: None,
        }
    }

    pub(crate) const fn per_broker(mut self) -> Self {
        self.update_mode = UpdateMode::PerBroker;
        self
    }

    pub(crate) const fn cluster_wide(mut self) -> Self {
        self.update_mode = UpdateMode::ClusterWide;
        self
    }

    pub(crate) const fn inert(mut self) -> Self {
        self.effect = Effect::Inert;
        self
    }

    pub(crate) const fn refused(mut self, reason: &'static str) -> Self {
        self.effect = Effect::Refused { reason, except: &[] };
        self
    }

    pub(crate) const fn refused_except(
        mut self,
        reason: &'static str,
        except: &'static [&'static str],
    ) -> Self {
        self.effect = Effect::Refused { reason, except };
        self
    }

    pub(crate) const fn synonyms(mut self, synonyms: &'static [Synonym]) -> Self {
        self.synonyms = synonyms;
        self
    }

    pub(crate) const fn internal(mut self) -> Self {
        self.internal = true;
        self
    }

    pub(crate) const fn dynamic_only(mut self) -> Self {
        self.internal = true;
        self.dynamic_only = true;
        self
    }

    pub(crate) const fn deprecated(mut self, instead: &'static str) -> Self {
        self.deprecated = Some(instead);
        self
    }

    /// Whether its value is a secret.
    pub const fn sensitive(&self) -> bool {
        matches!(self.kind, Kind::Password)
    }

    /// Whether the documented effect does not happen here.
    pub const fn inert_here(&self) -> bool {
        matches!(self.effect, Effect::Inert)
    }

    /// The default as text, if it has one and it is not null.
    pub const fn default_text(&self) -> Option<&'static str> {
        match self.default {
            DefaultValue::Text(text) => Some(text),
            DefaultValue::Null | DefaultValue::Required => None,
        }
    }

    /// Reads and checks a value that somebody set.
    pub fn parse(&self, text: &str) -> Result<Value, ConfigError> {
        let mut value = self.kind.parse(self.name, text)?;
        if let (Value::List(list), Valid::Elements { .. }) = (&mut value, self.valid) {
            let mut seen = BTreeSet::new();
            list.retain(|element| seen.insert(element.clone()));
        }
        self.valid.check(self.name, Some(&value))?;
        Ok(value)
    }

    /// The value in effect: what was set, or the default.
    ///
    /// # Errors
    /// An invalid value, or nothing set on a key that needs it.
    pub fn resolve(&self, text: Option<&str>) -> Result<Option<Value>, ConfigError> {
        match (text, self.default) {
            (Some(text), _) | (None, DefaultValue::Text(text)) => self.parse(text).map(Some),
            (None, DefaultValue::Null) => Ok(None),
            (None, DefaultValue::Required) => Err(ConfigError::Missing { name: self.name }),
        }
    }
}

/// A synonym in the same unit.
pub(crate) const fn same(name: &'static str) -> Synonym {
    Synonym { name, unit: Unit::Same }
}

/// A synonym that counts minutes.
pub(crate) const fn minutes(name: &'static str) -> Synonym {
    Synonym { name, unit: Unit::MinutesToMs }
}

/// A synonym that counts hours.
pub(crate) const fn hours(name: &'static str) -> Synonym {
    Synonym { name, unit: Unit::HoursToMs }
}
