//! What a start warns about: keys that nobody knows, that are deprecated, that do nothing here.

use std::fmt;

use crate::broker;
use crate::key::Effect;
use crate::properties::Properties;

/// Something about a setting that its writer should know.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// No such key exists.
    Unknown {
        /// The key.
        name: String,
        /// The known key most like it.
        nearest: Option<&'static str>,
    },
    /// The key will go away.
    Deprecated {
        /// The key.
        name: String,
        /// What to use instead.
        instead: &'static str,
    },
    /// The key is known and has no effect here.
    Inert {
        /// The key.
        name: String,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { name, nearest: Some(nearest) } => {
                write!(f, "unknown configuration {name}; did you mean {nearest}?")
            }
            Self::Unknown { name, nearest: None } => write!(f, "unknown configuration {name}"),
            Self::Deprecated { name, instead } => write!(f, "configuration {name} is deprecated: {instead}"),
            Self::Inert { name } => write!(f, "configuration {name} has no effect here"),
        }
    }
}

/// What is worth a warning among a broker's settings, by key.
pub fn warnings(settings: &Properties) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for (name, text) in settings {
        let Some(key) = broker::key(name) else {
            if !is_free(name) {
                warnings.push(Warning::Unknown { name: name.clone(), nearest: nearest(name) });
            }
            continue;
        };
        if let Some(instead) = key.deprecated {
            warnings.push(Warning::Deprecated { name: name.clone(), instead });
        }
        if key.effect == Effect::Inert && key.default_text() != Some(text.trim()) {
            warnings.push(Warning::Inert { name: name.clone() });
        }
    }
    warnings
}

/// Names whose tails are anybody's: settings of one listener, or of a provider.
fn is_free(name: &str) -> bool {
    name.strip_prefix("listener.name.")
        .and_then(|rest| rest.split_once('.'))
        .is_some_and(|(_, base)| broker::key(base).is_some() || base.contains('.'))
        || name.starts_with("config.providers.")
}

/// The known key that differs least, if it differs by less than a third.
pub fn nearest(name: &str) -> Option<&'static str> {
    let lowered = name.to_lowercase();
    broker::keys()
        .iter()
        .filter(|key| !key.internal)
        .map(|key| (distance(&lowered, key.name), key.name))
        .filter(|(distance, _)| distance * 3 < name.len())
        .min()
        .map(|(_, known)| known)
}

/// How many letters to insert, remove, replace or swap with their neighbour.
pub fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(before_last[j - 2] + 1);
            }
            row.push(best);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}
