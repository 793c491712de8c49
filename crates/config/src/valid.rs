//! Validators: which values of its type a key takes, refused in Kafka's words.

use std::fmt;

use crate::error::ConfigError;
use crate::value::{AutoOffsetReset, Value};

/// Which values of its type a key takes.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Valid {
    /// All of them.
    Any,
    /// Numbers not below this.
    AtLeast(i64),
    /// Numbers not below the first and not above the second.
    Between(i64, i64),
    /// The same for fractions.
    BetweenDecimals(f64, f64),
    /// The levels of gzip: 1 to 9, or -1 for its own default.
    GzipLevel,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// One of these words, in any case of letters.
    OneOfAnyCase(&'static [&'static str]),
    /// Not the empty string.
    NonEmpty,
    /// A list without empty elements; what is named again does not count.
    Elements {
        /// The only elements allowed; none means any.
        words: &'static [&'static str],
        /// Whether the list may be empty.
        empty: bool,
    },
    /// A list of `{id}@{host}:{port}`.
    QuorumVoters,
    /// A list of `{host}:{port}`.
    BootstrapServers,
    /// `*`, or a list of `{partition}:{broker}`.
    ThrottledReplicas,
    /// `latest`, `earliest`, or `by_duration:` with an ISO-8601 duration.
    OffsetReset,
}

impl Valid {
    /// A list of any elements, possibly empty.
    pub(crate) const LIST: Self = Self::Elements { words: &[], empty: true };
    /// A list of any elements, at least one.
    pub(crate) const FILLED_LIST: Self = Self::Elements { words: &[], empty: false };

    /// Checks a value that is set or defaulted; a null passes where the type admits it.
    ///
    /// # Errors
    /// With the message Kafka's validator has for it.
    pub fn check(self, name: &str, value: Option<&Value>) -> Result<(), ConfigError> {
        let Some(value) = value else { return Ok(()) };
        let refuse = |reason: String| Err(ConfigError::invalid(name, value, reason));
        match (self, value) {
            (Self::Any, _) => Ok(()),
            (Self::AtLeast(least), _) => in_range(value, least as f64, f64::INFINITY).or_else(refuse),
            (Self::Between(least, most), _) => in_range(value, least as f64, most as f64).or_else(refuse),
            (Self::BetweenDecimals(least, most), _) => in_range(value, least, most).or_else(refuse),
            (Self::GzipLevel, Value::Int(-1 | 1..=9)) => Ok(()),
            (Self::GzipLevel, _) => refuse("Value must be between 1 and 9 or equal to -1".to_owned()),
            (Self::OneOf(words), Value::String(word)) => one_of(words, word).or_else(refuse),
            (Self::OneOfAnyCase(words), Value::String(word)) => {
                if words.iter().any(|known| known.eq_ignore_ascii_case(word)) {
                    return Ok(());
                }
                refuse(format!("String must be one of (case insensitive): {}", words.join(", ")))
            }
            (Self::NonEmpty, Value::String(text)) if text.is_empty() => {
                refuse("String must be non-empty".to_owned())
            }
            (Self::Elements { words, empty }, Value::List(list)) => elements(name, list, words, empty),
            (Self::QuorumVoters, Value::List(list)) => {
                list.iter().try_for_each(|voter| parse_voter(voter).map(drop).map_err(ConfigError::Conflict))
            }
            (Self::BootstrapServers, Value::List(list)) => {
                list.iter().try_for_each(|server| bootstrap_server(name, server))
            }
            (Self::ThrottledReplicas, Value::List(list)) => throttled_replicas(name, list),
            (Self::OffsetReset, Value::String(word)) if AutoOffsetReset::parse(word).is_none() => {
                refuse(format!(
                    "Invalid value `{word}` for configuration {name}. The value must be either 'earliest', \
                     'latest' or of the format 'by_duration:<PnDTnHnMn.nS>'."
                ))
            }
            _ => Ok(()),
        }
    }
}

/// The valid values as Kafka's documentation writes them; empty where every value goes.
impl fmt::Display for Valid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any | Self::Elements { words: [], .. } => Ok(()),
            Self::AtLeast(least) => write!(f, "[{least},...]"),
            Self::Between(least, most) => write!(f, "[{least},...,{most}]"),
            Self::BetweenDecimals(least, most) => write!(f, "[{least},...,{most}]"),
            Self::GzipLevel => f.write_str("[1,...,9] or -1"),
            Self::OneOf(words) | Self::Elements { words, .. } => write!(f, "[{}]", words.join(", ")),
            Self::OneOfAnyCase(words) => write!(f, "(case insensitive) [{}]", words.join(", ")),
            Self::NonEmpty => f.write_str("non-empty string"),
            Self::QuorumVoters | Self::BootstrapServers => f.write_str("non-empty list"),
            Self::ThrottledReplicas => f.write_str("[partitionId]:[brokerId],[partitionId]:[brokerId],..."),
            Self::OffsetReset => f.write_str("[latest, earliest, by_duration:PnDTnHnMn.nS]"),
        }
    }
}

fn in_range(value: &Value, least: f64, most: f64) -> Result<(), String> {
    match value.as_number() {
        Some(number) if number < least => Err(format!("Value must be at least {least}")),
        Some(number) if number > most => Err(format!("Value must be no more than {most}")),
        _ => Ok(()),
    }
}

fn one_of(words: &[&str], word: &str) -> Result<(), String> {
    if words.contains(&word) {
        return Ok(());
    }
    Err(format!("String must be one of: {}", words.join(", ")))
}

fn elements(name: &str, list: &[String], words: &[&str], empty: bool) -> Result<(), ConfigError> {
    let conflict = |text: String| Err(ConfigError::Conflict(format!("Configuration '{name}' {text}")));
    if list.is_empty() && !empty {
        let known = if words.is_empty() {
            "any non-empty value".to_owned()
        } else {
            format!("[{}]", words.join(", "))
        };
        return conflict(format!("must not be empty. Valid values include: {known}"));
    }
    for element in list {
        if words.is_empty() && element.is_empty() {
            return conflict("values must not be empty.".to_owned());
        }
        if !words.is_empty() {
            one_of(words, element).map_err(|reason| ConfigError::invalid(name, element, reason))?;
        }
    }
    Ok(())
}

/// Takes `{id}@{host}:{port}` apart; the error is Kafka's text.
pub(crate) fn parse_voter(voter: &str) -> Result<(i32, String, u16), String> {
    let malformed = || {
        "Invalid configuration value for controller.quorum.voters. Each entry should be in the form \
         `{id}@{host}:{port}`."
            .to_owned()
    };
    let (id, address) = voter.split_once('@').ok_or_else(malformed)?;
    let id = id.parse().map_err(|_| format!("Failed to parse voter ID as an integer from {id}"))?;
    let (host, port) = split_address(address).ok_or_else(malformed)?;
    Ok((id, host, port))
}

/// Takes `{host}:{port}` apart; an IPv6 host loses its brackets.
pub(crate) fn split_address(address: &str) -> Option<(String, u16)> {
    let (host, port) = address.rsplit_once(':')?;
    let host = host.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(host);
    Some((host.to_owned(), port.parse().ok()?))
}

fn bootstrap_server(name: &str, server: &str) -> Result<(), ConfigError> {
    if split_address(server).is_some() {
        return Ok(());
    }
    Err(ConfigError::Conflict(format!(
        "Failed to parse host name from {server} for the configuration {name}. Each entry should be in the \
         form \"{{host}}:{{port}}\""
    )))
}

fn throttled_replicas(name: &str, list: &[String]) -> Result<(), ConfigError> {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let pair = |text: &String| text.split_once(':').is_some_and(|(a, b)| number(a) && number(b));
    if list == ["*"] || list.iter().all(pair) {
        return Ok(());
    }
    let reason = format!(
        "{name} must be the literal '*' or a list of replicas in the following format: \
         [partitionId]:[brokerId],[partitionId]:[brokerId],..."
    );
    Err(ConfigError::invalid(name, format!("[{}]", list.join(", ")), reason))
}
