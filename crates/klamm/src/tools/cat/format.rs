//! How `klamm cat` writes a record: kcat's format strings, or JSON.

use std::io::Write;

use bytes::Bytes;
use records::TimestampType;
use serde_json::{Value, json};

use crate::command_line::Failure;
use crate::tools::fetching::Fetched;

use super::unescaped;

/// A parsed format.
pub enum Format {
    /// Pieces one after the other.
    Pieces(Vec<Piece>),
    /// A line of JSON.
    Json,
}

/// A piece of a format.
pub enum Piece {
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
    /// Reads kcat's format string.
    pub fn parse(text: &str) -> Result<Self, Failure> {
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
        Ok(Self::Pieces(pieces))
    }

    /// Writes a record; `null` stands for keys and values that are none.
    pub fn write(&self, out: &mut impl Write, fetched: &Fetched, null: &[u8]) -> std::io::Result<()> {
        let pieces = match self {
            Self::Json => return writeln!(out, "{}", to_json(fetched)),
            Self::Pieces(pieces) => pieces,
        };
        let record = &fetched.record;
        let bytes = |bytes: &Option<Bytes>| bytes.as_deref().unwrap_or(null).to_vec();
        let size = |bytes: &Option<Bytes>| {
            bytes.as_ref().map_or(-1, |bytes| i32::try_from(bytes.len()).unwrap_or(i32::MAX))
        };
        for piece in pieces {
            match piece {
                Piece::Text(text) => out.write_all(text)?,
                Piece::Value => out.write_all(&bytes(&record.value))?,
                Piece::ValueSize => write!(out, "{}", size(&record.value))?,
                Piece::ValueSizeBinary => out.write_all(&size(&record.value).to_be_bytes())?,
                Piece::Key => out.write_all(&bytes(&record.key))?,
                Piece::KeySize => write!(out, "{}", size(&record.key))?,
                Piece::Topic => out.write_all(fetched.topic_partition.topic.as_bytes())?,
                Piece::Partition => write!(out, "{}", fetched.topic_partition.partition)?,
                Piece::Offset => write!(out, "{}", record.offset)?,
                Piece::Timestamp => write!(out, "{}", record.timestamp)?,
                Piece::Headers => {
                    for (index, header) in record.headers.iter().enumerate() {
                        if index > 0 {
                            out.write_all(b",")?;
                        }
                        out.write_all(&header.key)?;
                        out.write_all(b"=")?;
                        out.write_all(&bytes(&header.value))?;
                    }
                }
            }
        }
        Ok(())
    }
}

fn to_json(fetched: &Fetched) -> Value {
    let record = &fetched.record;
    let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
    let headers: Vec<String> = record
        .headers
        .iter()
        .flat_map(|header| [text(&header.key), header.value.as_ref().map(text).unwrap_or_default()])
        .collect();
    let kind = match fetched.timestamp_type {
        TimestampType::CreateTime => "create",
        TimestampType::LogAppendTime => "logappend",
    };
    let mut line = json!({
        "topic": &*fetched.topic_partition.topic,
        "partition": fetched.topic_partition.partition,
        "offset": record.offset,
        "tstype": kind,
        "ts": record.timestamp,
    });
    if let Some(object) = line.as_object_mut() {
        if !headers.is_empty() {
            object.insert("headers".to_owned(), json!(headers));
        }
        object.insert("key".to_owned(), json!(record.key.as_ref().map(text)));
        object.insert("payload".to_owned(), json!(record.value.as_ref().map(text)));
    }
    line
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use klamm_client::TopicPartition;
    use records::{Record, TimestampType};

    use super::{Fetched, Format};

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
            let format = Format::parse(text).unwrap_or_else(|_| panic!("{text} is a format"));
            format.write(&mut out, &fetched, b"NULL").expect("a vector takes everything");
            String::from_utf8(out).expect("it is text")
        };
        assert_eq!(show("%t[%p] %o %T %k=%s (%K/%S) 100%%\\n"), "t[3] 7 99 k=NULL (1/-1) 100%\n");
        assert!(Format::parse("%q").is_err());
    }
}
