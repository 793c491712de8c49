//! The numbers of access control with Kafka's words for them.

use std::fmt;

use crate::command_line::Failure;

/// Matches anything, in a filter.
pub const ANY: i8 = 1;
/// Every operation.
pub const ALL: i8 = 2;
/// A name as it stands.
pub const LITERAL: i8 = 3;

const RESOURCES: &[&str] =
    &["UNKNOWN", "ANY", "TOPIC", "GROUP", "CLUSTER", "TRANSACTIONAL_ID", "DELEGATION_TOKEN", "USER"];
const PATTERNS: &[&str] = &["UNKNOWN", "ANY", "MATCH", "LITERAL", "PREFIXED"];
const PERMISSIONS: &[&str] = &["UNKNOWN", "ANY", "DENY", "ALLOW"];
const OPERATIONS: &[&str] = &[
    "UNKNOWN",
    "ANY",
    "ALL",
    "READ",
    "WRITE",
    "CREATE",
    "DELETE",
    "ALTER",
    "DESCRIBE",
    "CLUSTER_ACTION",
    "DESCRIBE_CONFIGS",
    "ALTER_CONFIGS",
    "IDEMPOTENT_WRITE",
    "CREATE_TOKENS",
    "DESCRIBE_TOKENS",
    "TWO_PHASE_COMMIT",
];

/// Resources by name, as entries and filters name them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pattern {
    pub resource: i8,
    pub name: String,
    pub kind: i8,
}

impl Pattern {
    pub fn new(resource: i8, name: &str, kind: i8) -> Self {
        Self { resource, name: name.to_owned(), kind }
    }

    /// The one cluster.
    pub fn cluster() -> Self {
        Self::new(4, "kafka-cluster", LITERAL)
    }

    /// Whether an entry may have it; `any` and `match` are for filters.
    pub fn is_specific(&self) -> bool {
        self.kind >= LITERAL
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "ResourcePattern(resourceType={}, name={}, patternType={})",
            resource_name(self.resource),
            self.name,
            pattern_name(self.kind)
        )
    }
}

fn word(words: &'static [&'static str], number: i8) -> &'static str {
    usize::try_from(number).ok().and_then(|index| words.get(index)).unwrap_or(&words[0])
}

fn number(words: &[&str], word: &str) -> Option<i8> {
    let index = words.iter().position(|known| known.eq_ignore_ascii_case(word))?;
    i8::try_from(index).ok()
}

pub fn resource_name(resource: i8) -> &'static str {
    word(RESOURCES, resource)
}

pub fn pattern_name(kind: i8) -> &'static str {
    word(PATTERNS, kind)
}

pub fn operation_name(operation: i8) -> &'static str {
    word(OPERATIONS, operation)
}

pub fn permission_name(permission: i8) -> &'static str {
    word(PERMISSIONS, permission)
}

/// `Read`, `READ`, `DescribeConfigs`, `DESCRIBE_CONFIGS`; what is not known is UNKNOWN, which no resource supports.
pub fn operation(text: &str) -> i8 {
    let mut upper = String::new();
    let is_camel = !text.contains('_') && text.chars().any(|letter| letter.is_ascii_lowercase());
    for (index, letter) in text.char_indices() {
        if is_camel && letter.is_ascii_uppercase() && index > 0 {
            upper.push('_');
        }
        upper.push(letter.to_ascii_uppercase());
    }
    number(OPERATIONS, &upper).unwrap_or(0)
}

/// `literal`, `prefixed`, `any` or `match`.
pub fn pattern_type(text: &str) -> Result<i8, Failure> {
    number(PATTERNS, text).filter(|kind| *kind > 0).ok_or_else(|| {
        Failure::Usage(format!("Cannot parse argument '{text}' of option resource-pattern-type"))
    })
}

/// What can be granted on a kind of resource, beside everything.
pub fn supported(resource: i8) -> &'static [i8] {
    match resource {
        2 => &[3, 4, 5, 8, 6, 7, 10, 11],
        3 => &[3, 8, 6, 10, 11],
        4 => &[5, 9, 10, 11, 12, 7, 8],
        5 => &[8, 4, 15],
        6 => &[8],
        7 => &[13, 14],
        _ => &[],
    }
}
