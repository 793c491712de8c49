//! How `klamm cat` writes a record: kcat's format strings, or JSON.

use std::io::Write;

use bytes::Bytes;
use records::TimestampType;

use crate::command_line::{Arguments, Failure};
use crate::tools::fetching::Fetched;

use super::pack::Pack;
use super::unescaped;

/// A parsed format.
pub struct Format {
    shape: Shape,
    key_pack: Option<Pack>,
    value_pack: Option<Pack>,
}

/// Pieces one after the other, or a line of JSON.
enum Shape {
    Pieces(Vec<Piece>),
    Json,
}

/// A piece of a format.
enum Piece {
    Text(Vec<u8>),
    Value,
    ValueSize,
    ValueSizeBinary,
    Key,
    KeySize,
    Topic,
    Partition,
    Offset,
    Timestamp,
    Headers,
}

impl Format {
    /// The format that a command line asks for: JSON, a format string, or values between delimiters.
    pub fn of(arguments: &Arguments) -> Result<Self, Failure> {
        let shape = if arguments.has("json") {
            Shape::Json
        } else if let Some(text) = arguments.value("format")? {
            Shape::Pieces(pieces(text)?)
        } else {
            let delimiter = arguments.value("delimiter")?.unwrap_or("\\n").replace('%', "%%");
            Shape::Pieces(match arguments.value("key-delimiter")? {
                Some(key) => pieces(&format!("%k{}%s{delimiter}", key.replace('%', "%%")))?,
                None => pieces(&format!("%s{delimiter}"))?,
            })
        };
        let (mut key_pack, mut value_pack) = (None, None);
        for text in arguments.values("deserialize") {
            match text.split_once('=') {
                Some(("key", pack)) => key_pack = Some(Pack::parse("key", pack)?),
                Some(("value", pack)) => value_pack = Some(Pack::parse("value", pack)?),
                _ => {
                    key_pack = Some(Pack::parse("key", text)?);
                    value_pack = Some(Pack::parse("value", text)?);
                }
            }
        }
        Ok(Self { shape, key_pack, value_pack })
    }

    /// Whether each record becomes a line of JSON.
    pub fn is_json(&self) -> bool {
        matches!(self.shape, Shape::Json)
    }

    /// Writes a record of a broker; `null` stands for keys and values that are none or empty.
    pub fn write(
        &self,
        out: &mut impl Write,
        fetched: &Fetched,
        null: &[u8],
        broker: i32,
    ) -> Result<(), String> {
        let pieces = match &self.shape {
            Shape::Json => {
                return out.write_all(&to_json(fetched, broker)).map_err(|error| error.to_string());
            }
            Shape::Pieces(pieces) => pieces,
        };
        let record = &fetched.record;
        for piece in pieces {
            match piece {
                Piece::Key => field(out, record.key.as_ref(), self.key_pack.as_ref(), null)?,
                Piece::Value => field(out, record.value.as_ref(), self.value_pack.as_ref(), null)?,
                piece => piece.write(out, fetched).map_err(|error| error.to_string())?,
            }
        }
        Ok(())
    }
}

fn field(
    out: &mut impl Write,
    bytes: Option<&Bytes>,
    pack: Option<&Pack>,
    null: &[u8],
) -> Result<(), String> {
    match (bytes.filter(|bytes| !bytes.is_empty()), pack) {
        (None, _) => out.write_all(null).map_err(|error| error.to_string()),
        (Some(bytes), None) => out.write_all(bytes).map_err(|error| error.to_string()),
        (Some(bytes), Some(pack)) => pack.write(out, bytes),
    }
}

/// Reads kcat's format string.
fn pieces(text: &str) -> Result<Vec<Piece>, Failure> {
    let mut pieces = Vec::new();
    let mut plain = String::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            plain.push(letter);
            continue;
        }
        let piece = match letters.next() {
            Some('s') => Piece::Value,
            Some('S') => Piece::ValueSize,
            Some('R') => Piece::ValueSizeBinary,
            Some('k') => Piece::Key,
            Some('K') => Piece::KeySize,
            Some('t') => Piece::Topic,
            Some('p') => Piece::Partition,
            Some('o') => Piece::Offset,
            Some('T') => Piece::Timestamp,
            Some('h') => Piece::Headers,
            Some('%') => {
                plain.push('%');
                continue;
            }
            other => {
                let shown = other.map(String::from).unwrap_or_default();
                return Err(Failure::refused(format!("Unsupported formatter: %{shown}")));
            }
        };
        if !plain.is_empty() {
            pieces.push(Piece::Text(unescaped(&std::mem::take(&mut plain))));
        }
        pieces.push(piece);
    }
    if !plain.is_empty() {
        pieces.push(Piece::Text(unescaped(&plain)));
    }
    Ok(pieces)
}

impl Piece {
    fn write(&self, out: &mut impl Write, fetched: &Fetched) -> std::io::Result<()> {
        let record = &fetched.record;
        let size = |bytes: &Option<Bytes>| {
            bytes.as_ref().map_or(-1, |bytes| i32::try_from(bytes.len()).unwrap_or(i32::MAX))
        };
        match self {
            Self::Text(text) => out.write_all(text),
            Self::ValueSize => write!(out, "{}", size(&record.value)),
            Self::ValueSizeBinary => out.write_all(&size(&record.value).to_be_bytes()),
            Self::KeySize => write!(out, "{}", size(&record.key)),
            Self::Topic => out.write_all(fetched.topic_partition.topic.as_bytes()),
            Self::Partition => write!(out, "{}", fetched.topic_partition.partition),
            Self::Offset => write!(out, "{}", record.offset),
            Self::Timestamp => write!(out, "{}", record.timestamp),
            Self::Headers => {
                for (index, header) in record.headers.iter().enumerate() {
                    if index > 0 {
                        out.write_all(b",")?;
                    }
                    out.write_all(&header.key)?;
                    out.write_all(b"=")?;
                    out.write_all(header.value.as_deref().unwrap_or(b"NULL"))?;
                }
                Ok(())
            }
            // These take pack strings, which their caller has.
            Self::Key | Self::Value => Ok(()),
        }
    }
}

/// A line with the record and where it comes from; bytes that are no text stay as they are.
fn to_json(fetched: &Fetched, broker: i32) -> Vec<u8> {
    let record = &fetched.record;
    let kind = match fetched.timestamp_type {
        TimestampType::CreateTime => "create",
        TimestampType::LogAppendTime => "logappend",
    };
    let mut line = b"{\"topic\":".to_vec();
    string(&mut line, Some(fetched.topic_partition.topic.as_bytes()));
    line.extend_from_slice(
        format!(
            ",\"partition\":{},\"offset\":{},\"tstype\":\"{kind}\",\"ts\":{},\"broker\":{broker}",
            fetched.topic_partition.partition, record.offset, record.timestamp
        )
        .as_bytes(),
    );
    if !record.headers.is_empty() {
        line.extend_from_slice(b",\"headers\":[");
        for (index, header) in record.headers.iter().enumerate() {
            if index > 0 {
                line.push(b',');
            }
            string(&mut line, Some(&header.key));
            line.push(b',');
            string(&mut line, header.value.as_deref());
        }
        line.push(b']');
    }
    line.extend_from_slice(b",\"key\":");
    string(&mut line, record.key.as_deref());
    line.extend_from_slice(b",\"payload\":");
    string(&mut line, record.value.as_deref());
    line.extend_from_slice(b"}\n");
    line
}

fn string(line: &mut Vec<u8>, bytes: Option<&[u8]>) {
    let Some(bytes) = bytes else {
        line.extend_from_slice(b"null");
        return;
    };
    line.push(b'"');
    for byte in bytes {
        match byte {
            b'"' => line.extend_from_slice(b"\\\""),
            b'\\' => line.extend_from_slice(b"\\\\"),
            b'\n' => line.extend_from_slice(b"\\n"),
            b'\r' => line.extend_from_slice(b"\\r"),
            b'\t' => line.extend_from_slice(b"\\t"),
            8 => line.extend_from_slice(b"\\b"),
            12 => line.extend_from_slice(b"\\f"),
            byte if *byte < b' ' => line.extend_from_slice(format!("\\u{byte:04X}").as_bytes()),
            byte => line.push(*byte),
        }
    }
    line.push(b'"');
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use klamm_client::TopicPartition;
    use records::{Record, TimestampType};

    use super::{Fetched, Format, Shape, pieces};

    #[test]
    fn kcats_format_strings_are_understood() {
        let record = Record {
            offset: 7,
            timestamp: 99,
            key: Some(Bytes::from_static(b"k")),
            value: None,
            ..Record::default()
        };
        let fetched = Fetched {
            topic_partition: TopicPartition::new("t", 3),
            record,
            timestamp_type: TimestampType::CreateTime,
            delivery_count: None,
        };
        let show = |text: &str| {
            let mut out = Vec::new();
            let pieces = pieces(text).unwrap_or_else(|_| panic!("{text} is a format"));
            let format = Format { shape: Shape::Pieces(pieces), key_pack: None, value_pack: None };
            format.write(&mut out, &fetched, b"NULL", 1).expect("a vector takes everything");
            String::from_utf8(out).expect("it is text")
        };
        assert_eq!(show("%t[%p] %o %T %k=%s (%K/%S) 100%%\\n"), "t[3] 7 99 k=NULL (1/-1) 100%\n");
        assert!(pieces("%q").is_err());
    }
}
