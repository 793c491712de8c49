//! How keys and values of records are shown.

use bytes::Bytes;
use records::Record;
use serde_json::{Value, json};

use crate::command_line::{Arguments, Failure};
use crate::record_json::{self, Coordinator, Unreadable};

/// What records are read as.
pub enum Decoder {
    /// Keys and values by these classes.
    Plain {
        /// For keys.
        key: Shape,
        /// For values.
        value: Shape,
    },
    /// Records of a coordinator's topic.
    Coordinator(Coordinator),
    /// Records of `__cluster_metadata`.
    ClusterMetadata,
    /// Records of `__remote_log_metadata`.
    RemoteLogMetadata,
}

/// What bytes stand for.
#[derive(Clone, Copy)]
pub enum Shape {
    Text,
    Integer,
    Long,
    Bytes,
}

/// Whether an option asks for keys and values.
pub fn prints_contents(arguments: &Arguments) -> bool {
    [
        "print-data-log",
        "offsets-decoder",
        "transaction-log-decoder",
        "cluster-metadata-decoder",
        "remote-log-metadata-decoder",
        "value-decoder-class",
        "key-decoder-class",
        "share-group-state-decoder",
    ]
    .iter()
    .any(|option| arguments.has(option))
}

/// The decoder that the options ask for.
pub fn choose(arguments: &Arguments) -> Result<Decoder, Failure> {
    Ok(if arguments.has("offsets-decoder") {
        Decoder::Coordinator(Coordinator::Group)
    } else if arguments.has("transaction-log-decoder") {
        Decoder::Coordinator(Coordinator::Transaction)
    } else if arguments.has("cluster-metadata-decoder") {
        Decoder::ClusterMetadata
    } else if arguments.has("remote-log-metadata-decoder") {
        Decoder::RemoteLogMetadata
    } else if arguments.has("share-group-state-decoder") {
        Decoder::Coordinator(Coordinator::Share)
    } else {
        let key = shape(arguments.value("key-decoder-class")?)?;
        let value = shape(arguments.value("value-decoder-class")?)?;
        Decoder::Plain { key, value }
    })
}

fn shape(class: Option<&str>) -> Result<Shape, Failure> {
    let Some(class) = class else { return Ok(Shape::Text) };
    let known = [
        ("org.apache.kafka.tools.api.StringDecoder", Shape::Text),
        ("org.apache.kafka.tools.api.IntegerDecoder", Shape::Integer),
        ("org.apache.kafka.tools.api.LongDecoder", Shape::Long),
        ("org.apache.kafka.tools.api.DefaultDecoder", Shape::Bytes),
        ("kafka.serializer.StringDecoder", Shape::Text),
        ("kafka.serializer.IntegerDecoder", Shape::Integer),
        ("kafka.serializer.LongDecoder", Shape::Long),
        ("kafka.serializer.DefaultDecoder", Shape::Bytes),
    ];
    match known.iter().find(|(name, _)| *name == class) {
        Some((_, shape)) => Ok(*shape),
        None => {
            let what = format!("java.lang.ClassNotFoundException: {class}");
            Err(Failure::bare(format!("Exception in thread \"main\" {what}")))
        }
    }
}

impl Shape {
    fn show(self, bytes: &Bytes) -> String {
        let whole = |length: usize| (bytes.len() == length).then_some(&bytes[..]);
        match self {
            Self::Text => String::from_utf8_lossy(bytes).into_owned(),
            Self::Integer => match whole(4).and_then(|bytes| bytes.try_into().ok()) {
                Some(bytes) => i32::from_be_bytes(bytes).to_string(),
                None => "not an int32".to_owned(),
            },
            Self::Long => match whole(8).and_then(|bytes| bytes.try_into().ok()) {
                Some(bytes) => i64::from_be_bytes(bytes).to_string(),
                None => "not an int64".to_owned(),
            },
            Self::Bytes => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        }
    }
}

impl Decoder {
    /// Key and payload as text.
    pub fn show(&self, record: &Record) -> Result<(Option<String>, Option<String>), Failure> {
        match self {
            Self::Plain { key, value } => Ok((
                record.key.as_ref().map(|bytes| key.show(bytes)),
                record.value.as_ref().map(|bytes| value.show(bytes)),
            )),
            Self::Coordinator(coordinator) => coordinator_record(*coordinator, record),
            Self::ClusterMetadata => {
                let value = record.value.clone().unwrap_or_default();
                let shown = match record_json::metadata_record(&value) {
                    Ok(json) => json.to_string(),
                    Err(error) => format!("Error at {}, skipping. {error}", record.offset),
                };
                Ok((None, Some(shown)))
            }
            Self::RemoteLogMetadata => {
                let value = record.value.clone().unwrap_or_default();
                let shown = match record_json::remote_log_record(&value) {
                    Ok(json) => json.to_string(),
                    Err(error) => format!("Error at offset {}, skipping. {error}", record.offset),
                };
                Ok((None, Some(shown)))
            }
        }
    }
}

fn coordinator_record(
    coordinator: Coordinator,
    record: &Record,
) -> Result<(Option<String>, Option<String>), Failure> {
    let Some(key) = &record.key else {
        return Err(Failure::bare(format!(
            "Exception in thread \"main\" java.lang.RuntimeException: Failed to decode message at offset {} using the \
             specified decoder (message had a missing key)",
            record.offset
        )));
    };
    match record_json::coordinator_record(coordinator, key, record.value.as_ref()) {
        Ok(shown) => {
            let key = json!({ "type": shown.kind.to_string(), "data": shown.key });
            let value = match shown.value {
                None => "<DELETE>".to_owned(),
                Some((version, mut data)) => {
                    if coordinator == Coordinator::Group && shown.kind == 2 {
                        open_members(&mut data);
                    }
                    json!({ "version": version.to_string(), "data": data }).to_string()
                }
            };
            Ok((Some(key.to_string()), Some(value)))
        }
        Err(Unreadable::UnknownType(kind)) => {
            let text = format!("Unknown record type {kind} at offset {}, skipping.", record.offset);
            Ok((Some(text), None))
        }
        Err(error) => Ok((Some(format!("Error at offset {}, skipping. {error}", record.offset)), None)),
    }
}

/// Members of consumers' groups hand each other subscriptions and assignments: they are shown opened.
fn open_members(data: &mut Value) {
    if data.get("protocolType").and_then(Value::as_str) != Some("consumer") {
        return;
    }
    let Some(members) = data.get_mut("members").and_then(Value::as_array_mut) else { return };
    for member in members {
        for (field, message) in
            [("subscription", "ConsumerProtocolSubscription"), ("assignment", "ConsumerProtocolAssignment")]
        {
            let Some(Value::String(text)) = member.get(field) else { continue };
            let opened =
                record_json::from_base64(text).and_then(|bytes| record_json::embedded(message, &bytes).ok());
            if let (Some(opened), Some(place)) = (opened, member.get_mut(field)) {
                *place = opened;
            }
        }
    }
}
