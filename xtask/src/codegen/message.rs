//! One file of generated Rust: the structs of a message with their encoding.

use std::fmt::Write;

use anyhow::{Result, ensure};

use super::code::{self, Condition};
use super::table::{Field, FieldType, Struct, Table, Versions, struct_name};

/// The file for one table, without its head.
pub fn file(table: &Table) -> Result<String> {
    for message in &table.structs {
        check_not_recursive(table, message, &mut Vec::new())?;
    }
    let mut body = String::new();
    for message in &table.structs {
        emit_struct(&mut body, table, message)?;
    }
    let mut text = String::new();
    if ["<Bytes>", ": Bytes,", "Bytes::"].iter().any(|word| body.contains(word)) {
        text.push_str("use bytes::Bytes;\n\n");
    }
    text.push_str("use crate::wire::{self, DecodeError, EncodeError, Message, Reader, Writer");
    for name in ["TaggedFields", "UnknownTaggedField"] {
        if body.contains(name) {
            write!(text, ", {name}")?;
        }
    }
    text.push_str("};\n");
    for name in ["Uuid", "Records"] {
        if body.contains(&format!("{name}>")) || body.contains(&format!(": {name},")) {
            writeln!(text, "use crate::{name};")?;
        }
    }
    text.push_str("use std::ops::RangeInclusive;\n\n");
    Ok(text + &body)
}

fn check_not_recursive<'a>(table: &'a Table, message: &'a Struct, path: &mut Vec<&'a str>) -> Result<()> {
    ensure!(
        !path.contains(&message.name.as_str()),
        "{} contains itself: nesting would be unbounded",
        message.name
    );
    path.push(&message.name);
    for name in message.fields.iter().filter_map(|field| struct_name(&field.field_type)) {
        check_not_recursive(table, table.find(name)?, path)?;
    }
    path.pop();
    Ok(())
}

/// What the code of one struct needs to know about its surroundings.
struct Context<'a> {
    table: &'a Table,
    message: &'a Struct,
    possible: Versions,
    flexible: Condition,
}

impl Context<'_> {
    fn is_ever_flexible(&self) -> bool {
        self.flexible != Condition::Never
    }

    /// The expression for "this value is written the flexible way".
    fn flexible_for(&self, field: &Field) -> &str {
        match &self.flexible {
            _ if field.never_flexible => "false",
            Condition::Depends(..) if field_is_only_flexible(self, field) => "true",
            Condition::Depends(..) => "flexible",
            fixed => fixed.expression(),
        }
    }

    fn present(&self, field: &Field) -> Condition {
        Condition::new(field.versions, self.possible)
    }

    fn nullable(&self, field: &Field) -> Condition {
        Condition::new(field.nullable, self.possible.intersect(field.versions))
    }

    fn fields(&self, tagged: bool) -> impl Iterator<Item = &Field> {
        let mut fields: Vec<_> =
            self.message.fields.iter().filter(|field| field.tag.is_some() == tagged).collect();
        fields.sort_by_key(|field| field.tag);
        fields.into_iter()
    }
}

fn field_is_only_flexible(context: &Context<'_>, field: &Field) -> bool {
    Condition::new(context.table.flexible, context.possible.intersect(field.versions)) == Condition::Always
}

fn emit_struct(out: &mut String, table: &Table, message: &Struct) -> Result<()> {
    let possible = message.versions.intersect(table.versions);
    let flexible = Condition::new(table.flexible, possible);
    let context = Context { table, message, possible, flexible };
    emit_definition(out, &context)?;
    emit_default(out, &context)?;
    let name = &message.name;
    let min_size = code::min_size(table, message)?;
    writeln!(
        out,
        "impl Message for {name} {{ const NAME: &'static str = {name:?};\n\
         const VERSIONS: RangeInclusive<i16> = {}..={};\nconst MIN_SIZE: usize = {min_size};\n",
        possible.first, possible.last
    )?;
    let decode = decode_body(&context)?;
    let encode = encode_body(&context)?;
    let is_top = name == &table.name;
    for (body, signature, check) in [
        (decode, "fn decode(READER: &mut Reader, VERSION: i16) -> Result<Self, DecodeError>", "decode"),
        (encode, "fn encode(&self, WRITER: &mut Writer, VERSION: i16) -> Result<(), EncodeError>", "encode"),
    ] {
        let check = if is_top { format!("wire::check_{check}::<Self>(version)?;\n") } else { String::new() };
        let flexible = match &context.flexible {
            Condition::Depends(expression, _) if uses(&body, "flexible") => {
                format!("let flexible = {expression};\n")
            }
            _ => String::new(),
        };
        let body = check + &flexible + &body;
        let signature = signature
            .replace("VERSION", if uses(&body, "version") { "version" } else { "_version" })
            .replace("READER", if uses(&body, "reader") { "reader" } else { "_reader" })
            .replace("WRITER", if uses(&body, "writer") { "writer" } else { "_writer" });
        writeln!(out, "{signature} {{ {body} }}\n")?;
    }
    out.push_str("}\n\n");
    Ok(())
}

fn uses(body: &str, word: &str) -> bool {
    body.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(|found| found == word)
}

fn emit_definition(out: &mut String, context: &Context<'_>) -> Result<()> {
    let (table, message) = (context.table, context.message);
    let derive_default = if message.fields.iter().all(code::default_is_trivial) { ", Default" } else { "" };
    if message.name == table.name {
        let key = table.key.map(|key| format!(", key {key}")).unwrap_or_default();
        writeln!(
            out,
            "/// {} {}{key}: versions {}, flexible {}.",
            table.kind,
            message.name,
            table.versions.text(),
            table.flexible.text()
        )?;
    } else {
        writeln!(out, "/// Part of {}: versions {}.", table.name, message.versions.text())?;
    }
    writeln!(out, "#[derive(Clone, Debug, PartialEq{derive_default})]\npub struct {} {{", message.name)?;
    for field in &message.fields {
        let mut facts = format!("{}, versions {}", field.field_type.text(), field.versions.text());
        if !field.nullable.is_empty() {
            write!(facts, ", nullable {}", field.nullable.text())?;
        }
        if let Some(tag) = field.tag {
            write!(facts, ", tag {tag}")?;
        }
        if let Some(default) = &field.default {
            write!(facts, ", default {default}")?;
        }
        if field.ignorable {
            facts.push_str(", ignorable");
        }
        writeln!(out, "/// {facts}.\npub {}: {},", code::field_name(field), code::rust_type(field))?;
    }
    if context.is_ever_flexible() {
        out.push_str("/// Tagged fields that the schema does not name.\npub unknown_tagged_fields: Vec<UnknownTaggedField>,\n");
    }
    out.push_str("}\n\n");
    Ok(())
}

fn emit_default(out: &mut String, context: &Context<'_>) -> Result<()> {
    if context.message.fields.iter().all(code::default_is_trivial) {
        return Ok(());
    }
    writeln!(out, "impl Default for {} {{ fn default() -> Self {{ Self {{", context.message.name)?;
    for field in &context.message.fields {
        writeln!(out, "{}: {},", code::field_name(field), code::default_expression(field))?;
    }
    if context.is_ever_flexible() {
        out.push_str("unknown_tagged_fields: Vec::new(),\n");
    }
    out.push_str("} } }\n\n");
    Ok(())
}

fn decode_body(context: &Context<'_>) -> Result<String> {
    let has_tags = context.fields(true).next().is_some();
    let mut literal = String::from("Self {\n");
    for field in &context.message.fields {
        let name = code::field_name(field);
        let default = code::default_expression(field);
        match context.present(field) {
            _ if field.tag.is_some() => writeln!(literal, "{name}: {default},")?,
            Condition::Never => writeln!(literal, "{name}: {default},")?,
            Condition::Always => writeln!(literal, "{name}: {},", read(context, field))?,
            Condition::Depends(present, _) => {
                writeln!(
                    literal,
                    "{name}: if {present} {{ {} }} else {{ {default} }},",
                    read(context, field)
                )?;
            }
        }
    }
    if context.is_ever_flexible() {
        if has_tags {
            literal.push_str("unknown_tagged_fields: Vec::new(),\n");
        } else {
            let flexible = flexible_word(context);
            writeln!(literal, "unknown_tagged_fields: reader.unknown_tagged_fields({flexible})?,")?;
        }
    }
    literal.push('}');
    if !has_tags {
        return Ok(format!("Ok({literal})"));
    }
    let mut arms = String::new();
    for field in context.fields(true) {
        let (name, tag) = (code::field_name(field), field.tag.unwrap_or_default());
        match Condition::new(field.tagged, context.table.flexible.intersect(context.possible)) {
            Condition::Never => writeln!(arms, "{tag} => return Err(DecodeError::InvalidTag {{ tag }}),")?,
            Condition::Always => writeln!(arms, "{tag} => message.{name} = {},", read(context, field))?,
            Condition::Depends(present, _) => {
                writeln!(arms, "{tag} if {present} => message.{name} = {},", read(context, field))?;
                writeln!(arms, "{tag} => return Err(DecodeError::InvalidTag {{ tag }}),")?;
            }
        }
    }
    let tagged = format!(
        "message.unknown_tagged_fields = reader.tagged_fields(|reader, tag| {{ match tag {{ {arms} _ => return Ok(false), }} Ok(true) }})?;"
    );
    let tagged = match &context.flexible {
        Condition::Depends(..) => format!("if flexible {{ {tagged} }}"),
        _ => tagged,
    };
    Ok(format!("let mut message = {literal};\n{tagged}\nOk(message)"))
}

fn flexible_word<'a>(context: &'a Context<'_>) -> &'a str {
    match &context.flexible {
        Condition::Depends(..) => "flexible",
        fixed => fixed.expression(),
    }
}

fn read(context: &Context<'_>, field: &Field) -> String {
    let flexible = context.flexible_for(field);
    let nullable = context.nullable(field);
    let nullable = nullable.expression();
    let option = code::is_option(field);
    match &field.field_type {
        FieldType::Plain(name) => format!("reader.{}()?", code::plain_method(name)),
        FieldType::String if option => format!("reader.nullable_string({flexible}, {nullable})?"),
        FieldType::String => format!("reader.string({flexible})?"),
        FieldType::Bytes if option => format!("reader.nullable_bytes({flexible}, {nullable})?"),
        FieldType::Bytes => format!("reader.bytes({flexible})?"),
        FieldType::Records => format!("reader.records({flexible}, {nullable})?"),
        FieldType::Struct(_) if option && field.tag.is_some() => "reader.tagged_message(version)?".into(),
        FieldType::Struct(_) if option => format!("reader.nullable_message(version, {nullable})?"),
        FieldType::Struct(name) => format!("{name}::decode(reader, version)?"),
        FieldType::Array(element) => match (struct_name(element), option) {
            (Some(_), true) => format!("reader.nullable_messages({flexible}, version, {nullable})?"),
            (Some(_), false) => format!("reader.messages({flexible}, version)?"),
            (None, true) => format!("reader.nullable_array({flexible}, {nullable})?"),
            (None, false) => format!("reader.array({flexible})?"),
        },
    }
}

fn encode_body(context: &Context<'_>) -> Result<String> {
    let mut body = String::new();
    for field in &context.message.fields {
        let lost = format!(
            "if {} {{ return Err(EncodeError::not_representable({:?}, version)); }}",
            code::differs_from_default(field),
            format!("{}.{}", context.message.name, field.name)
        );
        let write = if field.tag.is_some() {
            String::new()
        } else {
            null_check(context, field) + &write(context, field)
        };
        match context.present(field) {
            Condition::Always => writeln!(body, "{write}")?,
            Condition::Never if field.ignorable => {}
            Condition::Never => writeln!(body, "{lost}")?,
            Condition::Depends(present, _) if field.ignorable && !write.is_empty() => {
                writeln!(body, "if {present} {{ {write} }}")?;
            }
            Condition::Depends(..) if field.ignorable => {}
            Condition::Depends(_, absent) if write.is_empty() => {
                let differs = code::differs_from_default(field);
                writeln!(
                    body,
                    "{}",
                    lost.replacen(&format!("if {differs}"), &format!("if {absent} && {differs}"), 1)
                )?;
            }
            Condition::Depends(present, _) => writeln!(body, "if {present} {{ {write} }} else {lost}")?,
        }
    }
    if !context.is_ever_flexible() {
        return Ok(body + "Ok(())");
    }
    if context.fields(true).next().is_none() {
        let flexible = flexible_word(context);
        write!(body, "writer.unknown_tagged_fields(&self.unknown_tagged_fields, {flexible})")?;
        return Ok(body);
    }
    if let Condition::Depends(..) = context.flexible {
        body.push_str(
            "if !flexible { return writer.unknown_tagged_fields(&self.unknown_tagged_fields, false); }\n",
        );
    }
    body.push_str(&tagged_section(context)?);
    Ok(body)
}

fn tagged_section(context: &Context<'_>) -> Result<String> {
    let mut body = String::from("let mut tagged = TaggedFields::default();\n");
    for field in context.fields(true) {
        let differs = code::differs_from_default(field);
        let condition = match Condition::new(field.tagged, context.possible) {
            Condition::Never => continue,
            // Below the first flexible version the function has returned.
            _ if field_tag_follows_flexible(context, field) => differs,
            Condition::Always => differs,
            Condition::Depends(present, _) => format!("{present} && {differs}"),
        };
        let write = write(context, field);
        let write = match write.strip_suffix("?;") {
            Some(result) => result.to_owned(),
            None => format!("{write} Ok(())"),
        };
        let tag = field.tag.unwrap_or_default();
        let null_check = null_check(context, field);
        writeln!(body, "if {condition} {{ {null_check} tagged.add({tag}, |writer| {{ {write} }})?; }}")?;
    }
    body.push_str("tagged.finish(writer, &self.unknown_tagged_fields)");
    Ok(body)
}

fn field_tag_follows_flexible(context: &Context<'_>, field: &Field) -> bool {
    let flexible = context.table.flexible.intersect(context.possible);
    Condition::new(field.tagged, flexible) == Condition::Always
}

fn null_check(context: &Context<'_>, field: &Field) -> String {
    if !code::is_option(field) {
        return String::new();
    }
    let name = code::field_name(field);
    let error = format!(
        "return Err(EncodeError::unexpected_null({:?}, version));",
        format!("{}.{}", context.message.name, field.name)
    );
    match context.nullable(field) {
        Condition::Always => String::new(),
        Condition::Never => format!("if self.{name}.is_none() {{ {error} }}\n"),
        Condition::Depends(_, not_nullable) => {
            format!("if {not_nullable} && self.{name}.is_none() {{ {error} }}\n")
        }
    }
}

fn write(context: &Context<'_>, field: &Field) -> String {
    let name = format!("self.{}", code::field_name(field));
    let flexible = context.flexible_for(field);
    let option = code::is_option(field);
    match &field.field_type {
        FieldType::Plain(plain) => format!("writer.{}({name});", code::plain_method(plain)),
        FieldType::String if option => format!("writer.nullable_string({name}.as_deref(), {flexible})?;"),
        FieldType::String => format!("writer.string(&{name}, {flexible})?;"),
        FieldType::Bytes if option => format!("writer.nullable_bytes({name}.as_ref(), {flexible})?;"),
        FieldType::Bytes => format!("writer.bytes(&{name}, {flexible})?;"),
        FieldType::Records => format!("writer.records({name}.as_ref(), {flexible})?;"),
        FieldType::Struct(_) if option && field.tag.is_some() => {
            format!("writer.tagged_message({name}.as_ref(), version)?;")
        }
        FieldType::Struct(_) if option => {
            format!(
                "writer.nullable_message({name}.as_ref(), version, {})?;",
                context.nullable(field).expression()
            )
        }
        FieldType::Struct(_) => format!("{name}.encode(writer, version)?;"),
        FieldType::Array(element) => match (struct_name(element), option) {
            (Some(_), true) => format!("writer.nullable_messages({name}.as_deref(), {flexible}, version)?;"),
            (Some(_), false) => format!("writer.messages(&{name}, {flexible}, version)?;"),
            (None, true) => format!("writer.nullable_array({name}.as_deref(), {flexible})?;"),
            (None, false) => format!("writer.array(&{name}, {flexible})?;"),
        },
    }
}
