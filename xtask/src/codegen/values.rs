//! The generated half of the message tests: how to fill every message with values that a version can hold.

use std::fmt::Write;

use anyhow::Result;

use super::Module;
use super::code::{self, Condition};
use super::table::{Field, FieldType, Struct, Table, Versions};

/// One file with an implementation of `Fill` for every struct and the list of all messages.
pub fn file(modules: &[Module]) -> Result<String> {
    let mut text =
        String::from("//! How to fill each message, field by field in the order of the schema.\n\n");
    text.push_str("use crate::fill::{Fill, Source, Visitor, fill_all, many};\n\n");
    let mut list = String::new();
    for module in modules {
        for table in &module.tables {
            let path = format!("protocol::{}::{}", module.name, code::snake(&table.name));
            for message in &table.structs {
                emit(&mut text, table, message, &path)?;
            }
            writeln!(list, "visitor.visit::<{path}::{}>();", table.name)?;
        }
    }
    write!(
        text,
        "/// Shows a visitor every message there is.\npub fn visit_all(visitor: &mut impl Visitor) {{ {list} }}\n"
    )?;
    Ok(text)
}

fn emit(text: &mut String, table: &Table, message: &Struct, path: &str) -> Result<()> {
    let possible = message.versions.intersect(table.versions);
    let mut body = String::new();
    for field in &message.fields {
        let statement = format!("self.{} = {};", code::field_name(field), fill(field, possible));
        match Condition::new(field.versions, possible) {
            Condition::Always => writeln!(body, "{statement}")?,
            Condition::Never => {}
            Condition::Depends(present, _) => writeln!(body, "if {present} {{ {statement} }}")?,
        }
    }
    match Condition::new(table.flexible, possible) {
        Condition::Never => {}
        flexible => {
            let tags: Vec<String> =
                message.fields.iter().filter_map(|f| f.tag).map(|tag| tag.to_string()).collect();
            let statement =
                format!("self.unknown_tagged_fields = source.unknown_tagged_fields(&[{}]);", tags.join(", "));
            match flexible {
                Condition::Depends(condition, _) => writeln!(body, "if {condition} {{ {statement} }}")?,
                _ => writeln!(body, "{statement}")?,
            }
        }
    }
    let version = if body
        .replace("self.version", "")
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .any(|word| word == "version")
    {
        "version"
    } else {
        "_version"
    };
    let source = if body.contains("source") { "source" } else { "_source" };
    writeln!(
        text,
        "impl Fill for {path}::{} {{ fn fill(&mut self, {source}: &mut dyn Source, {version}: i16) {{ {body} }} }}\n",
        message.name
    )?;
    Ok(())
}

fn fill(field: &Field, possible: Versions) -> String {
    let nullable = Condition::new(field.nullable, possible.intersect(field.versions));
    let nullable = nullable.expression();
    let value = match &field.field_type {
        FieldType::Plain(name) => format!("source.{}()", code::plain_method(name)),
        FieldType::String => "source.string()".into(),
        FieldType::Bytes => "source.bytes()".into(),
        FieldType::Records => "source.records()".into(),
        FieldType::Struct(_) => "Fill::filled(source, version)".into(),
        FieldType::Array(element) => match &**element {
            FieldType::Plain(name) => format!("many(source, |source| source.{}())", code::plain_method(name)),
            FieldType::String => "many(source, |source| source.string())".into(),
            _ => "fill_all(source, version)".into(),
        },
    };
    if code::is_option(field) {
        format!("if source.is_null({nullable}) {{ None }} else {{ Some({value}) }}")
    } else {
        value
    }
}
