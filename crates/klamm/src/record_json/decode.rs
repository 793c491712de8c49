//! Reads bytes by a schema and gives JSON, as Kafka's generated converters write it.

use bytes::Bytes;
use protocol::Uuid;
use protocol::wire::{DecodeError, Reader};
use serde_json::{Map, Number, Value};

use super::schema::{Field, Schema};

/// Why a record cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// Nothing is known under this number.
    #[error("Unknown record type {0}")]
    UnknownType(i16),
    /// The message has no such version.
    #[error("Can't read version {version} of {name}")]
    UnknownVersion {
        /// The message.
        name: String,
        /// The version that the bytes name.
        version: i16,
    },
    /// The bytes end too early or make no sense.
    #[error("{0}")]
    Malformed(#[from] DecodeError),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

/// Structs within structs are bounded: tables are finite, this only keeps the compiler's promise visible.
const DEPTH_MAX: usize = 16;

/// Reads a message at a version.
pub fn decode(schema: &Schema, version: i16, reader: &mut Reader) -> Result<Value, Unreadable> {
    if !schema.versions.contains(version) {
        return Err(Unreadable::UnknownVersion { name: schema.name.clone(), version });
    }
    Decoder { schema, version }.fields(&schema.fields, reader, 0)
}

struct Decoder<'a> {
    schema: &'a Schema,
    version: i16,
}

impl Decoder<'_> {
    fn is_flexible(&self, field: &Field) -> bool {
        self.schema.flexible.contains(self.version) && !field.never_flexible
    }

    fn fields(&self, fields: &[Field], reader: &mut Reader, depth: usize) -> Result<Value, Unreadable> {
        if depth > DEPTH_MAX {
            return Err(Unreadable::Other("structs are nested too deeply".to_owned()));
        }
        let mut values: Vec<Option<Value>> = Vec::new();
        for field in fields {
            let is_here = field.versions.contains(self.version) && !field.tagged.contains(self.version);
            values.push(if is_here { Some(self.field(field, reader, depth)?) } else { None });
        }
        if self.schema.flexible.contains(self.version) {
            for _ in 0..reader.unsigned_varint()? {
                let tag = reader.unsigned_varint()?;
                let length =
                    usize::try_from(reader.unsigned_varint()?).map_err(|_| DecodeError::InvalidLength)?;
                let rest = reader.rest();
                if length > rest.len() {
                    return Err(DecodeError::InvalidLength.into());
                }
                let mut inner = Reader::new(rest.slice(..length));
                *reader = Reader::new(rest.slice(length..));
                let known = fields
                    .iter()
                    .position(|field| field.tag == Some(tag) && field.tagged.contains(self.version));
                if let Some(index) = known {
                    let value = self.field(&fields[index], &mut inner, depth)?;
                    if !is_default(&fields[index], &value) {
                        values[index] = Some(value);
                    }
                }
            }
        }
        let present = fields.iter().zip(values);
        let entries = present.filter_map(|(field, value)| Some((camel(&field.name), value?)));
        Ok(Value::Object(entries.collect::<Map<_, _>>()))
    }

    fn field(&self, field: &Field, reader: &mut Reader, depth: usize) -> Result<Value, Unreadable> {
        let Some(element) = field.kind.strip_prefix("[]") else {
            return self.single(field, &field.kind, reader, depth, field.nullable.contains(self.version));
        };
        let count = if self.is_flexible(field) {
            i64::from(reader.unsigned_varint()?) - 1
        } else {
            i64::from(reader.i32()?)
        };
        if count < 0 {
            return Ok(Value::Null);
        }
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(self.single(field, element, reader, depth, false)?);
        }
        Ok(Value::Array(items))
    }

    fn single(
        &self,
        field: &Field,
        kind: &str,
        reader: &mut Reader,
        depth: usize,
        is_nullable: bool,
    ) -> Result<Value, Unreadable> {
        Ok(match kind {
            "bool" => Value::Bool(reader.i8()? != 0),
            "int8" => reader.i8()?.into(),
            "int16" => reader.i16()?.into(),
            "uint16" => reader.u16()?.into(),
            "int32" => reader.i32()?.into(),
            "uint32" => reader.u32()?.into(),
            "int64" => reader.i64()?.into(),
            "float64" => Number::from_f64(reader.f64()?).map_or(Value::Null, Value::Number),
            "uuid" => Value::String(reader.uuid()?.to_string()),
            "string" => {
                let text = reader.nullable_string(self.is_flexible(field), true)?;
                text.map_or(Value::Null, Value::String)
            }
            "bytes" | "records" => {
                let bytes = reader.nullable_bytes(self.is_flexible(field), true)?;
                bytes.map_or(Value::Null, |bytes| Value::String(base64(&bytes)))
            }
            name => {
                // A struct that may be null is preceded by a byte that says whether it is there.
                if is_nullable && reader.i8()? < 0 {
                    return Ok(Value::Null);
                }
                self.fields(self.schema.struct_fields(field, name), reader, depth + 1)?
            }
        })
    }
}

fn is_default(field: &Field, value: &Value) -> bool {
    match (&field.default, value) {
        (Some(default), Value::Null) => default == "null",
        (Some(default), Value::Number(number)) => number.to_string() == *default,
        (Some(default), Value::String(text)) => text == default,
        (Some(default), Value::Bool(truth)) => truth.to_string() == *default,
        (Some(_), _) => false,
        (None, Value::Null) => field.nullable.contains(i16::MAX),
        (None, Value::Bool(truth)) => !truth,
        (None, Value::Number(number)) => number.as_f64() == Some(0.0),
        (None, Value::String(text)) if field.kind == "uuid" => *text == Uuid::ZERO.to_string(),
        (None, Value::String(text)) => text.is_empty(),
        (None, Value::Array(items)) => items.is_empty(),
        (None, Value::Object(_)) => false,
    }
}

fn camel(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(letters).collect()
}

/// The ordinary alphabet, padded, as Jackson writes binary values.
pub fn base64(bytes: &Bytes) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let word = byte(0) << 16 | byte(1) << 8 | byte(2);
        for position in 0..4 {
            let is_padding = position > chunk.len();
            let digit = ALPHABET[(word >> (18 - 6 * position) & 63) as usize];
            text.push(if is_padding { '=' } else { char::from(digit) });
        }
    }
    text
}

/// The bytes behind [`base64`]; `None` if the text is something else.
pub fn from_base64(text: &str) -> Option<Bytes> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut word, mut bits) = (0u32, 0);
    for letter in text.trim_end_matches('=').bytes() {
        let digit = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        word = word << 6 | u32::from(digit);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((word >> bits & 0xff) as u8);
        }
    }
    Some(Bytes::from(bytes))
}
