//! The generated lists over all messages: modules, the API table, the enums of record types.

use std::collections::BTreeSet;
use std::fmt::Write;

use anyhow::{Context, Result, ensure};

use super::Module;
use super::code;
use super::table::{Table, Versions};

/// `generated.rs`: one module per folder of tables.
pub fn root(modules: &[Module]) -> String {
    let mut text = String::from("pub mod api_keys;\npub mod error_codes;\n");
    for module in modules {
        text.push_str(&format!("pub mod {};\n", module.name));
    }
    text
}

/// The file of one folder: its messages, and the enum over them where records are told apart by a number.
pub fn module(module: &Module) -> Result<String> {
    let about = match module.name.as_str() {
        "messages" => "Requests, responses and their headers.",
        "metadata_records" => "Records of the metadata log, `__cluster_metadata`.",
        "coordinator_records" => "Keys and values of the coordinators' internal topics.",
        "control_records" => "Control records, quorum state and files of a log directory that have a schema.",
        "remote_log_records" => "Records of `__remote_log_metadata` (KIP-405).",
        _ => "Payloads that travel inside the byte fields of other messages.",
    };
    let mut text = format!("//! {about}\n\n");
    for table in &module.tables {
        let file = code::snake(&table.name);
        writeln!(text, "pub mod {file};")?;
    }
    text.push('\n');
    for table in &module.tables {
        writeln!(text, "pub use {}::{};", code::snake(&table.name), table.name)?;
    }
    match module.name.as_str() {
        "metadata_records" => record_enum(&mut text, "MetadataRecord", module)?,
        "remote_log_records" => record_enum(&mut text, "RemoteLogRecord", module)?,
        "coordinator_records" => {
            let coordinators: BTreeSet<_> =
                module.tables.iter().filter_map(|t| t.coordinator.clone()).collect();
            for coordinator in coordinators {
                coordinator_enum(&mut text, &coordinator, module)?;
            }
        }
        "messages" => request_impls(&mut text, module)?,
        _ => {}
    }
    Ok(text)
}

fn record_enum(text: &mut String, name: &str, module: &Module) -> Result<()> {
    text.push_str("use bytes::Bytes;\nuse crate::record_frames;\nuse crate::wire::{DecodeError, EncodeError, Message, Reader};\n");
    let mut rows: Vec<&Table> = module.tables.iter().collect();
    rows.sort_by_key(|table| table.key);
    let variant = |table: &Table| table.name.trim_end_matches("Record").to_owned();
    writeln!(text, "\n/// Any of these records.\n#[derive(Clone, Debug, PartialEq)]\npub enum {name} {{")?;
    for table in &rows {
        let key = table.key.context("a record without a number")?;
        writeln!(text, "/// Type {key}.\n{}({}),", variant(table), table.name)?;
    }
    writeln!(text, "}}\n\nimpl {name} {{")?;
    let arm = |wanted: &dyn Fn(&Table) -> String| -> String {
        rows.iter().map(|table| format!("Self::{}(record) => {},\n", variant(table), wanted(table))).collect()
    };
    let plain = |wanted: &dyn Fn(&Table) -> String| -> String {
        rows.iter().map(|table| format!("Self::{}(_) => {},\n", variant(table), wanted(table))).collect()
    };
    let decode: String = rows
        .iter()
        .map(|t| {
            format!(
                "{} => Self::{}({}::decode(reader, version)?),\n",
                t.key.unwrap_or(-1),
                variant(t),
                t.name
            )
        })
        .collect();
    write!(
        text,
        "/// The number of the record's type.\npub fn record_type(&self) -> u32 {{ match self {{ {} }} }}\n\n\
         /// The highest version of the record's type.\npub fn latest_version(&self) -> i16 {{ match self {{ {} }} }}\n\n\
         /// The lowest version that can hold this record, of those from `lowest` on.\n\
         pub fn lowest_version(&self, lowest: i16) -> i16 {{\n(lowest..self.latest_version()).find(|version| self.encode_framed_at(*version).is_ok()).unwrap_or(self.latest_version())\n}}\n\n\
         /// Kafka's frame: frame version 1, type and version as unsigned varints, then the fields in this version.\n\
         pub fn encode_framed_at(&self, version: i16) -> Result<Bytes, EncodeError> {{\n\
         let mut writer = record_frames::start(self.record_type(), version);\n match self {{ {} }}\n record_frames::finish(writer) }}\n\n",
        plain(&|t| t.key.unwrap_or(-1).to_string()),
        plain(&|t| t.versions.last.to_string()),
        arm(&|_| "record.encode(&mut writer, version)?".into()),
    )?;
    write!(
        text,
        "/// The same in the highest version.\npub fn encode_framed(&self) -> Result<Bytes, EncodeError> {{ self.encode_framed_at(self.latest_version()) }}\n\n\
         /// Reads one framed record, which must fill the bytes, and the version it was written in.\n\
         pub fn decode_framed_with_version(bytes: Bytes) -> Result<(Self, i16), DecodeError> {{\n\
         let mut reader = Reader::new(bytes);\nlet (record_type, version) = record_frames::read_head(&mut reader)?;\n\
         let record = Self::decode(record_type, version, &mut reader)?;\nreader.finish()?;\nOk((record, version)) }}\n\n\
         /// Reads one framed record, which must fill the bytes.\n\
         pub fn decode_framed(bytes: Bytes) -> Result<Self, DecodeError> {{ Self::decode_framed_with_version(bytes).map(|(record, _)| record) }}\n\n\
         fn decode(record_type: u32, version: i16, reader: &mut Reader) -> Result<Self, DecodeError> {{\n\
         Ok(match record_type {{ {decode} _ => return Err(DecodeError::UnknownRecord {{ frame_version: 1, record_type }}), }}) }}\n}}\n\n"
    )?;
    for table in &rows {
        writeln!(
            text,
            "impl From<{0}> for {name} {{ fn from(record: {0}) -> Self {{ Self::{1}(record) }} }}\n",
            table.name,
            variant(table)
        )?;
    }
    Ok(())
}

fn coordinator_enum(text: &mut String, coordinator: &str, module: &Module) -> Result<()> {
    let capital = coordinator[..1].to_uppercase() + &coordinator[1..];
    let of = |kind: &str| {
        let mut found: Vec<&Table> = module
            .tables
            .iter()
            .filter(|t| t.coordinator.as_deref() == Some(coordinator) && t.kind == kind)
            .collect();
        found.sort_by_key(|t| t.key);
        found
    };
    let (keys, values) = (of("coordinator-key"), of("coordinator-value"));
    ensure!(keys.len() == values.len(), "{coordinator}: keys and values do not pair");
    let (mut variants, mut encode, mut decode, mut impls) =
        (String::new(), String::new(), String::new(), String::new());
    for (key, value) in keys.iter().zip(&values) {
        ensure!(key.key == value.key, "{} and {} do not pair", key.name, value.name);
        let number = key.key.context("a key without a number")?;
        let variant = key.name.trim_end_matches("Key");
        writeln!(
            variants,
            "/// Type {number}; without a value it is a tombstone.\n{variant}({}, Option<{}>),",
            key.name, value.name
        )?;
        writeln!(
            encode,
            "Self::{variant}(key, value) => record_frames::encode_pair(key, value.as_ref(), value_version),"
        )?;
        writeln!(
            decode,
            "{number} => {{ let (key, value) = record_frames::decode_pair(reader, value)?; Self::{variant}(key, value) }}"
        )?;
        writeln!(
            impls,
            "impl CoordinatorKey for {} {{ const TYPE: i16 = {number}; type Value = {}; }}\n",
            key.name, value.name
        )?;
    }
    if !text.contains("use crate::record_frames::") {
        text.push_str(
            "use bytes::Bytes;\nuse crate::record_frames::{self, CoordinatorKey};\nuse crate::wire::{DecodeError, EncodeError, Reader};\n\
             pub use crate::record_frames::{decode_coordinator_value, encode_coordinator_key, encode_coordinator_value};\n\n",
        );
    }
    write!(
        text,
        "/// Any record of the {coordinator} coordinator's topic.\n#[derive(Clone, Debug, PartialEq)]\npub enum {capital}CoordinatorRecord {{ {variants} }}\n\n\
         impl {capital}CoordinatorRecord {{\n\
         /// Key and value behind their int16 type and version.\n\
         pub fn encode(&self, value_version: i16) -> Result<(Bytes, Option<Bytes>), EncodeError> {{ match self {{ {encode} }} }}\n\n\
         /// Reads a key and the value under it, `None` for a tombstone.\n\
         pub fn decode(key: Bytes, value: Option<Bytes>) -> Result<Self, DecodeError> {{\n\
         let mut reader = Reader::new(key);\nlet record_type = reader.i16()?;\n\
         Ok(match record_type {{ {decode} _ => return Err(record_frames::unknown_key(record_type)), }}) }}\n}}\n\n{impls}"
    )?;
    Ok(())
}

/// The messages of one kind, by key.
fn of_kind<'a>(modules: &'a [Module], kind: &'static str) -> Vec<&'a Table> {
    let mut found: Vec<_> =
        modules.iter().flat_map(|m| &m.tables).filter(|table| table.kind == kind).collect();
    found.sort_by_key(|table| table.key);
    found
}

fn request_impls(text: &mut String, module: &Module) -> Result<()> {
    text.push_str("use crate::{ApiKey, Request};\n\n");
    for table in module.tables.iter().filter(|table| table.kind == "request") {
        let api = table.name.trim_end_matches("Request");
        let response = format!("{api}Response");
        let answer =
            module.tables.iter().find(|t| t.name == response).context("a request without a response")?;
        ensure!(
            answer.key == table.key && answer.versions == table.versions && answer.flexible == table.flexible,
            "{} and {response} differ in key, versions or flexible versions",
            table.name
        );
        writeln!(
            text,
            "impl Request for {} {{ const API_KEY: ApiKey = ApiKey::{api}; type Response = {response}; }}\n",
            table.name
        )?;
    }
    Ok(())
}

/// The enum of API keys, its table, and the macro that lists all pairs.
pub fn api_keys(modules: &[Module]) -> Result<String> {
    let requests = of_kind(modules, "request");
    let (mut variants, mut rows, mut list) = (String::new(), String::new(), String::new());
    for table in &requests {
        let api = table.name.trim_end_matches("Request");
        let key = table.key.context("an API without a key")?;
        writeln!(
            variants,
            "/// Key {key}: versions {}, flexible {}.\n{api} = {key},",
            table.versions.text(),
            table.flexible.text()
        )?;
        let Versions { first, last } = table.versions;
        let flexible =
            if table.flexible.is_empty() { "i16::MAX".into() } else { table.flexible.first.to_string() };
        let on = |listener: &str| table.listeners.iter().any(|l| l == listener);
        writeln!(
            rows,
            "ApiRow {{ key: ApiKey::{api}, name: {api:?}, first_version: {first}, last_version: {last}, first_flexible: {flexible}, \
             latest_unstable: {}, on_broker: {}, on_controller: {} }},",
            table.latest_unstable,
            on("broker"),
            on("controller")
        )?;
        writeln!(list, "{api}: {}, {api}Response;", table.name)?;
    }
    Ok(format!(
        "//! The API keys of Kafka 4.4 and what the schemas say about each.\n\nuse crate::api_key::ApiRow;\n\n\
         /// An API of Kafka 4.4, by its key. Keys whose API is gone are not here.\n\
         #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]\n#[repr(i16)]\npub enum ApiKey {{ {variants} }}\n\n\
         pub(crate) static ROWS: [ApiRow; {}] = [ {rows} ];\n\n\
         /// Calls a macro with every API as `Name: Request, Response;`.\n\
         #[macro_export]\nmacro_rules! for_each_api {{ ($callback:ident) => {{ $callback! {{ {list} }} }}; }}\n",
        requests.len()
    ))
}
