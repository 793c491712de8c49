//! Kafka's records of metadata, coordinators and control batches as JSON, field for field as Kafka's tools print them.
//!
//! The tables that the protocol's messages are generated from are read when a tool needs them, so that nothing has to be
//! said twice: what is written and when follows Kafka's JSON converters (a tagged field only when it is not its default).

mod decode;
mod schema;
mod tables;

use bytes::Bytes;
use protocol::wire::Reader;
use serde_json::{Value, json};

use decode::decode;
pub use decode::{Unreadable, from_base64};
use schema::Schema;

/// What a coordinator's record is: its key's type and the JSON of key and value.
pub struct CoordinatorJson {
    /// The number in front of the key.
    pub kind: i16,
    /// The key's fields.
    pub key: Value,
    /// The value's version and fields; `None` for a tombstone.
    pub value: Option<(i16, Value)>,
}

/// Which coordinator's topic a record comes from: record types are numbered per coordinator.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Coordinator {
    /// `__consumer_offsets`.
    Group,
    /// `__transaction_state`.
    Transaction,
    /// `__share_group_state`.
    Share,
}

impl Coordinator {
    fn name(self) -> &'static str {
        match self {
            Self::Group => "group",
            Self::Transaction => "transaction",
            Self::Share => "share",
        }
    }
}

/// Decodes a record of a coordinator's topic.
pub fn coordinator_record(
    coordinator: Coordinator,
    key: &Bytes,
    value: Option<&Bytes>,
) -> Result<CoordinatorJson, Unreadable> {
    let mut reader = Reader::new(key.clone());
    let kind = reader.i16()?;
    let find = |half: &str| {
        let mut schemas = tables::COORDINATOR_RECORDS.iter().filter_map(|text| Schema::parse(text));
        schemas.find(|schema| {
            schema.kind == half && schema.key == Some(kind) && schema.coordinator == coordinator.name()
        })
    };
    let key_schema = find("coordinator-key").ok_or(Unreadable::UnknownType(kind))?;
    let key = decode(&key_schema, 0, &mut reader)?;
    let value = match value {
        None => None,
        Some(value) => {
            let mut reader = Reader::new(value.clone());
            let version = reader.i16()?;
            let schema = find("coordinator-value").ok_or(Unreadable::UnknownType(kind))?;
            Some((version, decode(&schema, version, &mut reader)?))
        }
    };
    Ok(CoordinatorJson { kind, key, value })
}

/// Decodes a record of `__cluster_metadata`: its type, version and fields.
pub fn metadata_record(value: &Bytes) -> Result<Value, Unreadable> {
    framed_record(tables::METADATA_RECORDS, value)
}

/// Decodes a record of `__remote_log_metadata` likewise.
pub fn remote_log_record(value: &Bytes) -> Result<Value, Unreadable> {
    framed_record(tables::REMOTE_LOG_RECORDS, value)
}

fn framed_record(tables: &[&str], value: &Bytes) -> Result<Value, Unreadable> {
    let mut reader = Reader::new(value.clone());
    let frame = reader.unsigned_varint()?;
    if frame != 1 {
        return Err(Unreadable::Other(format!(
            "Could not deserialize metadata record due to unknown frame version {frame}(only frame version 1 is supported)"
        )));
    }
    let kind = i16::try_from(reader.unsigned_varint()?).map_err(|_| Unreadable::UnknownType(-1))?;
    let version = i16::try_from(reader.unsigned_varint()?).map_err(|_| Unreadable::UnknownType(kind))?;
    let mut schemas = tables.iter().filter_map(|text| Schema::parse(text));
    let schema = schemas.find(|schema| schema.key == Some(kind)).ok_or(Unreadable::UnknownType(kind))?;
    let data = decode(&schema, version, &mut reader)?;
    Ok(json!({ "type": screaming(&schema.name), "version": version, "data": data }))
}

/// Decodes a message that carries its own version in front, as the consumer protocol's do.
pub fn embedded(name: &str, bytes: &Bytes) -> Result<Value, Unreadable> {
    let mut reader = Reader::new(bytes.clone());
    let version = reader.i16()?;
    plain(name, version, &mut reader)
}

/// Decodes the value of a control record, whose version is its first field too.
pub fn control_record(name: &str, bytes: &Bytes) -> Result<Value, Unreadable> {
    let version = Reader::new(bytes.clone()).i16()?;
    plain(name, version, &mut Reader::new(bytes.clone()))
}

fn plain(name: &str, version: i16, reader: &mut Reader) -> Result<Value, Unreadable> {
    let mut schemas = tables::DATA.iter().filter_map(|text| Schema::parse(text));
    let schema = schemas.find(|schema| schema.name == name).ok_or(Unreadable::UnknownType(-1))?;
    decode(&schema, version, reader)
}

/// `TopicRecord` -> `TOPIC_RECORD`.
fn screaming(name: &str) -> String {
    let mut text = String::new();
    for (index, letter) in name.char_indices() {
        if letter.is_ascii_uppercase() && index > 0 {
            text.push('_');
        }
        text.push(letter.to_ascii_uppercase());
    }
    text
}

#[cfg(test)]
mod tests;
