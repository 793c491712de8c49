//! Names and small expressions of the generated Rust.

use anyhow::Result;

use super::table::{Field, FieldType, Struct, Table, Versions};

/// Kafka's own rule for snake case: a run of capitals stays together.
pub fn snake(name: &str) -> String {
    let mut snake = String::new();
    let mut after_capital = true;
    for character in name.chars() {
        if character.is_uppercase() && !after_capital {
            snake.push('_');
        }
        after_capital = character.is_uppercase();
        snake.extend(character.to_lowercase());
    }
    snake
}

/// The name of a struct's field in Rust.
pub fn field_name(field: &Field) -> String {
    let name = snake(&field.name);
    if matches!(name.as_str(), "type" | "match" | "ref" | "final" | "move") { name + "_" } else { name }
}

/// Where something holds, within the versions that can occur.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    Always,
    Never,
    /// The expression on `version`, and its opposite.
    Depends(String, String),
}

impl Condition {
    pub fn new(wanted: Versions, possible: Versions) -> Self {
        let both = wanted.intersect(possible);
        if both.is_empty() {
            return Self::Never;
        }
        match (both.first > possible.first, both.last < possible.last) {
            (false, false) => Self::Always,
            (true, false) => {
                Self::Depends(format!("version >= {}", both.first), format!("version < {}", both.first))
            }
            (false, true) => {
                Self::Depends(format!("version <= {}", both.last), format!("version > {}", both.last))
            }
            (true, true) if both.first == both.last => {
                Self::Depends(format!("version == {}", both.first), format!("version != {}", both.first))
            }
            (true, true) => Self::Depends(
                format!("({}..={}).contains(&version)", both.first, both.last),
                format!("!({}..={}).contains(&version)", both.first, both.last),
            ),
        }
    }

    /// As a bool expression.
    pub fn expression(&self) -> &str {
        match self {
            Self::Always => "true",
            Self::Never => "false",
            Self::Depends(expression, _) => expression,
        }
    }
}

/// The Rust type without `Option`.
fn bare_type(field_type: &FieldType) -> String {
    match field_type {
        FieldType::Plain("bool") => "bool".into(),
        FieldType::Plain("uuid") => "Uuid".into(),
        FieldType::Plain(number) => number.replace("uint", "u").replace("int", "i").replace("float", "f"),
        FieldType::String => "String".into(),
        FieldType::Bytes => "Bytes".into(),
        FieldType::Records => "Records".into(),
        FieldType::Struct(name) => name.clone(),
        FieldType::Array(element) => format!("Vec<{}>", bare_type(element)),
    }
}

/// The name of the reader's and writer's method for a number, bool or uuid.
pub fn plain_method(name: &str) -> String {
    bare_type(&FieldType::Plain(match name {
        "uuid" => return "uuid".into(),
        "bool" => "bool",
        "int8" => "int8",
        "int16" => "int16",
        "uint16" => "uint16",
        "int32" => "int32",
        "uint32" => "uint32",
        "int64" => "int64",
        _ => "float64",
    }))
}

/// Whether the field is an `Option`.
pub fn is_option(field: &Field) -> bool {
    !field.nullable.is_empty() || field.field_type == FieldType::Records
}

/// The field's type in Rust.
pub fn rust_type(field: &Field) -> String {
    let bare = bare_type(&field.field_type);
    if is_option(field) { format!("Option<{bare}>") } else { bare }
}

/// Whether the schema's default is also the Rust type's.
pub fn default_is_trivial(field: &Field) -> bool {
    if is_option(field) {
        return field.default.as_deref() == Some("null") || field.field_type == FieldType::Records;
    }
    field.default.is_none()
}

/// The schema's default as an expression.
pub fn default_expression(field: &Field) -> String {
    if default_is_trivial(field) {
        return match (&field.field_type, is_option(field)) {
            (_, true) => "None".into(),
            (FieldType::Plain("bool"), _) => "false".into(),
            (FieldType::Plain("uuid"), _) => "Uuid::ZERO".into(),
            (FieldType::Plain("float64"), _) => "0.0".into(),
            (FieldType::Plain(_), _) => "0".into(),
            (FieldType::String, _) => "String::new()".into(),
            (FieldType::Bytes | FieldType::Records, _) => "Bytes::new()".into(),
            (FieldType::Struct(name), _) => format!("{name}::default()"),
            (FieldType::Array(_), _) => "Vec::new()".into(),
        };
    }
    let value = match (&field.field_type, field.default.as_deref()) {
        (FieldType::Plain(_), Some(value)) => number(value),
        (FieldType::String, Some(text)) => format!("{text:?}.to_owned()"),
        (FieldType::String, None) => "String::new()".into(),
        (FieldType::Array(_), _) => "Vec::new()".into(),
        (FieldType::Struct(name), _) => format!("{name}::default()"),
        _ => "Bytes::new()".into(),
    };
    if is_option(field) { format!("Some({value})") } else { value }
}

fn number(value: &str) -> String {
    match value {
        "2147483647" => "i32::MAX".into(),
        "-2147483648" => "i32::MIN".into(),
        "9223372036854775807" => "i64::MAX".into(),
        other => other.into(),
    }
}

/// Whether the value differs from the schema's default, as an expression on `self`.
pub fn differs_from_default(field: &Field) -> String {
    let name = format!("self.{}", field_name(field));
    match (&field.field_type, is_option(field), field.default.as_deref()) {
        (_, true, _) if default_is_trivial(field) => format!("{name}.is_some()"),
        (FieldType::Struct(_), true, _) => format!("{name} != {}", default_expression(field)),
        (_, true, None) => format!("{name}.as_ref().is_none_or(|value| !value.is_empty())"),
        (FieldType::String, true, Some(text)) => format!("{name}.as_deref() != Some({text:?})"),
        (FieldType::Plain("bool"), _, Some("true")) => format!("!{name}"),
        (FieldType::Plain("bool"), ..) => name,
        (FieldType::String, false, Some(text)) => format!("{name} != {text:?}"),
        (FieldType::String | FieldType::Bytes | FieldType::Array(_), false, _) => {
            format!("!{name}.is_empty()")
        }
        _ => format!("{name} != {}", default_expression(field)),
    }
}

/// The fewest bytes a struct takes, over the versions it exists in.
pub fn min_size(table: &Table, message: &Struct) -> Result<usize> {
    let versions = message.versions.intersect(table.versions);
    let mut fewest = usize::MAX;
    for version in versions.first..=versions.last {
        fewest = fewest.min(size_in(table, message, version)?);
    }
    Ok(if fewest == usize::MAX { 0 } else { fewest })
}

fn size_in(table: &Table, message: &Struct, version: i16) -> Result<usize> {
    let flexible = table.flexible.contains(version);
    let mut size = usize::from(flexible);
    for field in message.fields.iter().filter(|f| f.versions.contains(version) && !f.tagged.contains(version))
    {
        let flexible = flexible && !field.never_flexible;
        size += match &field.field_type {
            FieldType::Plain("bool" | "int8") => 1,
            FieldType::Plain("int16" | "uint16") => 2,
            FieldType::Plain("int32" | "uint32") => 4,
            FieldType::Plain("uuid") => 16,
            FieldType::Plain(_) => 8,
            FieldType::String if !flexible => 2,
            FieldType::Struct(_) if field.nullable.contains(version) => 1,
            FieldType::Struct(name) => size_in(table, table.find(name)?, version)?,
            _ if flexible => 1,
            _ => 4,
        };
    }
    Ok(size)
}
