//! Records as text: Kafka's message formatters and deserializers under their Java class names.

use std::io::Write;

use bytes::Bytes;
use config::Properties;
use records::TimestampType;
use serde_json::{Value, json};

use crate::command_line::Failure;
use crate::record_json::{self, Coordinator};
use crate::text::java_double;

use super::fetching::Fetched;

const PACKAGE: &str = "org.apache.kafka.tools.consumer.";

/// What turns records into output.
pub enum Formatter {
    /// Fields parted by separators.
    Default(Box<Layout>),
    /// The same, and a line on standard error for each record.
    Logging(Box<Layout>),
    /// Nothing.
    NoOp,
    /// A line of JSON for each record.
    Json,
    /// A coordinator's records of these types, as JSON.
    Coordinator(Coordinator, &'static [i16]),
}

/// Which fields there are, and what stands between them.
pub struct Layout {
    timestamp: bool,
    key: bool,
    value: bool,
    partition: bool,
    offset: bool,
    epoch: bool,
    delivery: bool,
    headers: bool,
    key_separator: Vec<u8>,
    line_separator: Vec<u8>,
    headers_separator: Vec<u8>,
    null_literal: Vec<u8>,
    key_shape: Option<Shape>,
    value_shape: Option<Shape>,
    headers_shape: Option<Shape>,
}

/// A deserializer of `org.apache.kafka.common.serialization`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Shape {
    Text,
    Integer,
    Long,
    Short,
    Float,
    Double,
    Boolean,
    Uuid,
    Bytes,
    Void,
}

const SHAPES: &[(&str, Shape)] = &[
    ("StringDeserializer", Shape::Text),
    ("IntegerDeserializer", Shape::Integer),
    ("LongDeserializer", Shape::Long),
    ("ShortDeserializer", Shape::Short),
    ("FloatDeserializer", Shape::Float),
    ("DoubleDeserializer", Shape::Double),
    ("BooleanDeserializer", Shape::Boolean),
    ("UUIDDeserializer", Shape::Uuid),
    ("ByteArrayDeserializer", Shape::Bytes),
    ("BytesDeserializer", Shape::Bytes),
    ("ByteBufferDeserializer", Shape::Bytes),
    ("VoidDeserializer", Shape::Void),
];

impl Shape {
    fn of_class(class: &str) -> Result<Self, Failure> {
        let name = class.strip_prefix("org.apache.kafka.common.serialization.");
        let found = SHAPES.iter().find(|(known, _)| Some(*known) == name);
        found
            .map(|(_, shape)| *shape)
            .ok_or_else(|| Failure::bare(format!("java.lang.ClassNotFoundException: {class}")))
    }

    /// The bytes as text, or why they are none.
    fn show(self, bytes: &Bytes) -> Result<Vec<u8>, String> {
        fn exactly<const N: usize>(bytes: &Bytes, name: &str) -> Result<[u8; N], String> {
            bytes[..].try_into().map_err(|_| format!("Size of data received by {name} is not {N}"))
        }
        Ok(match self {
            Self::Text => String::from_utf8_lossy(bytes).into_owned().into_bytes(),
            Self::Integer => {
                i32::from_be_bytes(exactly(bytes, "IntegerDeserializer")?).to_string().into_bytes()
            }
            Self::Long => i64::from_be_bytes(exactly(bytes, "LongDeserializer")?).to_string().into_bytes(),
            Self::Short => i16::from_be_bytes(exactly(bytes, "ShortDeserializer")?).to_string().into_bytes(),
            Self::Float => {
                java_double(f64::from(f32::from_be_bytes(exactly(bytes, "FloatDeserializer")?))).into_bytes()
            }
            Self::Double => {
                java_double(f64::from_be_bytes(exactly(bytes, "DoubleDeserializer")?)).into_bytes()
            }
            Self::Boolean => match exactly::<1>(bytes, "BooleanDeserializer")? {
                [0] => b"false".to_vec(),
                [1] => b"true".to_vec(),
                [other] => return Err(format!("Unexpected byte received by BooleanDeserializer: {other}")),
            },
            Self::Uuid | Self::Bytes => bytes.to_vec(),
            Self::Void => Vec::new(),
        })
    }
}

impl Formatter {
    /// The formatter of this Java class.
    pub fn of_class(class: &str, properties: &Properties) -> Result<Self, Failure> {
        let name = class.strip_prefix(PACKAGE).unwrap_or("");
        let old = class.strip_prefix("kafka.coordinator.group.GroupMetadataManager$").unwrap_or("");
        Ok(match (name, old) {
            ("DefaultMessageFormatter", _) => Self::Default(Box::new(Layout::new(properties)?)),
            ("LoggingMessageFormatter", _) => Self::Logging(Box::new(Layout::new(properties)?)),
            ("NoOpMessageFormatter", _) => Self::NoOp,
            ("OffsetsMessageFormatter", _) | (_, "OffsetsMessageFormatter") => {
                Self::Coordinator(Coordinator::Group, &[0, 1])
            }
            ("GroupMetadataMessageFormatter", _) | (_, "GroupMetadataMessageFormatter") => {
                Self::Coordinator(Coordinator::Group, &[2])
            }
            ("ConsumerGroupMessageFormatter", _) => {
                Self::Coordinator(Coordinator::Group, &[3, 4, 5, 6, 7, 8, 16])
            }
            ("ShareGroupMessageFormatter", _) => {
                Self::Coordinator(Coordinator::Group, &[10, 11, 12, 13, 14, 15])
            }
            ("StreamsGroupMessageFormatter", _) => {
                Self::Coordinator(Coordinator::Group, &[17, 18, 19, 20, 21, 22, 23])
            }
            ("TransactionLogMessageFormatter", _) => Self::Coordinator(Coordinator::Transaction, &[0]),
            ("ShareGroupStateMessageFormatter", _) => Self::Coordinator(Coordinator::Share, &[0, 1]),
            _ => return Err(Failure::usage(class)),
        })
    }

    /// Writes a record.
    pub fn write(&self, out: &mut impl Write, fetched: &Fetched) -> Result<(), Failure> {
        match self {
            Self::Default(layout) => layout.write(out, fetched),
            Self::Logging(layout) => {
                let record = &fetched.record;
                let text = |bytes: &Option<Bytes>| match bytes {
                    Some(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                    None => "null".to_owned(),
                };
                tracing::info!(
                    "{}:{}, key:{}, value:{}",
                    timestamp_name(fetched),
                    record.timestamp,
                    text(&record.key),
                    text(&record.value)
                );
                layout.write(out, fetched)
            }
            Self::NoOp => Ok(()),
            Self::Json => Ok(writeln!(out, "{}", to_json(fetched))?),
            Self::Coordinator(coordinator, kinds) => {
                write_coordinator_record(out, *coordinator, kinds, fetched)
            }
        }
    }
}

fn timestamp_name(fetched: &Fetched) -> &'static str {
    match fetched.timestamp_type {
        TimestampType::CreateTime => "CreateTime",
        TimestampType::LogAppendTime => "LogAppendTime",
    }
}

/// The whole record; bytes that are no text lose what is none.
fn to_json(fetched: &Fetched) -> Value {
    let record = &fetched.record;
    let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
    let header = |header: &records::RecordHeader| json!({ "key": text(&header.key), "value": header.value.as_ref().map(text) });
    let mut line = json!({
        "topic": &*fetched.topic_partition.topic, "partition": fetched.topic_partition.partition,
        "offset": record.offset, "timestampType": timestamp_name(fetched), "timestamp": record.timestamp,
        "headers": record.headers.iter().map(header).collect::<Vec<_>>(),
        "key": record.key.as_ref().map(text), "value": record.value.as_ref().map(text),
    });
    if let (Some(count), Some(fields)) = (fetched.delivery_count, line.as_object_mut()) {
        fields.insert("deliveryCount".to_owned(), json!(count));
    }
    line
}

/// Records of other types, and those that cannot be read, are passed over.
fn write_coordinator_record(
    out: &mut impl Write,
    coordinator: Coordinator,
    kinds: &[i16],
    fetched: &Fetched,
) -> Result<(), Failure> {
    let Some(key) = &fetched.record.key else { return Ok(()) };
    let kind = key.get(..2).and_then(|bytes| bytes.try_into().ok()).map_or(-1, i16::from_be_bytes);
    if !kinds.contains(&kind) {
        return Ok(());
    }
    let record = record_json::coordinator_record(coordinator, key, fetched.record.value.as_ref());
    let Ok(record) = record else { return Ok(()) };
    let value = match record.value {
        Some((version, data)) => json!({ "version": version, "data": data }),
        None => Value::Null,
    };
    let line = json!({ "key": { "type": record.kind, "data": record.key }, "value": value });
    writeln!(out, "{line}")?;
    Ok(())
}

impl Layout {
    fn new(properties: &Properties) -> Result<Self, Failure> {
        let is_true = |key: &str, default: bool| {
            properties.get(key).map_or(default, |text| text.trim().eq_ignore_ascii_case("true"))
        };
        let bytes = |key: &str, default: &str| {
            let text = properties.get(key).map_or(default, String::as_str);
            text.replace("\\t", "\t").replace("\\n", "\n").into_bytes()
        };
        let shape = |key: &str| {
            let class = properties.get(key).map(|class| class.trim()).filter(|class| !class.is_empty());
            class.map(Shape::of_class).transpose()
        };
        Ok(Self {
            timestamp: is_true("print.timestamp", false),
            key: is_true("print.key", false),
            value: is_true("print.value", true),
            partition: is_true("print.partition", false),
            offset: is_true("print.offset", false),
            epoch: is_true("print.epoch", false),
            delivery: is_true("print.delivery", false),
            headers: is_true("print.headers", false),
            key_separator: bytes("key.separator", "\t"),
            line_separator: bytes("line.separator", "\n"),
            headers_separator: bytes("headers.separator", ","),
            null_literal: bytes("null.literal", "null"),
            key_shape: shape("key.deserializer")?,
            value_shape: shape("value.deserializer")?,
            headers_shape: shape("headers.deserializer")?,
        })
    }

    fn write(&self, out: &mut impl Write, fetched: &Fetched) -> Result<(), Failure> {
        let record = &fetched.record;
        let mut fields: Vec<Vec<u8>> = Vec::new();
        if self.timestamp {
            fields.push(match record.timestamp {
                -1 => b"NO_TIMESTAMP".to_vec(),
                timestamp => format!("{}:{timestamp}", timestamp_name(fetched)).into_bytes(),
            });
        }
        if self.partition {
            fields.push(format!("Partition:{}", fetched.topic_partition.partition).into_bytes());
        }
        if self.offset {
            fields.push(format!("Offset:{}", record.offset).into_bytes());
        }
        if self.delivery {
            let count =
                fetched.delivery_count.map_or_else(|| "NOT_PRESENT".to_owned(), |count| count.to_string());
            fields.push(format!("Delivery:{count}").into_bytes());
        }
        if self.epoch {
            // Kafka's tool drops the epoch before its formatter sees the record.
            fields.push(b"Epoch:NOT_PRESENT".to_vec());
        }
        if self.headers {
            fields.push(self.headers(fetched)?);
        }
        if self.key {
            fields.push(self.show(self.key_shape, record.key.as_ref())?);
        }
        if self.value {
            fields.push(self.show(self.value_shape, record.value.as_ref())?);
        }
        out.write_all(&fields.join(&self.key_separator[..]))?;
        out.write_all(&self.line_separator)?;
        Ok(())
    }

    fn show(&self, shape: Option<Shape>, bytes: Option<&Bytes>) -> Result<Vec<u8>, Failure> {
        match (bytes, shape) {
            (None, _) => Ok(self.null_literal.clone()),
            (Some(bytes), None) => Ok(bytes.to_vec()),
            (Some(bytes), Some(shape)) => shape.show(bytes).map_err(|reason| {
                Failure::refused(format!("org.apache.kafka.common.errors.SerializationException: {reason}"))
            }),
        }
    }

    fn headers(&self, fetched: &Fetched) -> Result<Vec<u8>, Failure> {
        if fetched.record.headers.is_empty() {
            return Ok(b"NO_HEADERS".to_vec());
        }
        let mut parts = Vec::new();
        for header in &fetched.record.headers {
            let mut part = header.key.to_vec();
            part.push(b':');
            part.extend(self.show(self.headers_shape, header.value.as_ref())?);
            parts.push(part);
        }
        Ok(parts.join(&self.headers_separator[..]))
    }
}
