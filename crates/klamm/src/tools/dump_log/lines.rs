//! `dump-log --output json`: an object per line for each file, batch, record and entry.

use bytes::Bytes;
use records::{BatchHeader, Record};
use serde_json::{Map, Value, json};

use crate::command_line::Failure;

use super::decoders::Decoder;

/// Prints a line of `name: value` pairs, or the same as an object.
pub fn print(is_json: bool, line: &str) {
    match is_json {
        true => println!("{}", object(line)),
        false => println!("{line}"),
    }
}

/// A line of `name: value` pairs whose values have no blanks.
pub fn object(line: &str) -> Value {
    let mut words = line.split_whitespace();
    let mut fields = Map::new();
    while let (Some(name), Some(value)) = (words.next(), words.next()) {
        fields.insert(name.trim_end_matches(':').to_owned(), cell(value));
    }
    Value::Object(fields)
}

/// Java's optional numbers are numbers or nothing.
fn cell(text: &str) -> Value {
    if text == "OptionalLong.empty" {
        return Value::Null;
    }
    let inner = text.strip_prefix("OptionalLong[").and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    serde_json::from_str(inner).unwrap_or_else(|_| json!(inner))
}

/// A record with its headers' keys, and with what it holds where that is wanted.
pub fn record(
    header: &BatchHeader,
    record: &Record,
    timestamp_type: &str,
    sequence: i32,
    decoder: Option<&Decoder>,
) -> Result<Value, Failure> {
    let size = |bytes: &Option<Bytes>| bytes.as_ref().map_or(-1, |bytes| bytes.len() as i64);
    let keys: Vec<_> = record.headers.iter().map(|header| String::from_utf8_lossy(&header.key)).collect();
    let mut fields = json!({
        "offset": record.offset, timestamp_type: record.timestamp, "keySize": size(&record.key),
        "valueSize": size(&record.value), "sequence": sequence, "headerKeys": keys,
    });
    if header.is_control() {
        fields["control"] = json!(super::batches::control_record(record).trim());
    } else if let Some(decoder) = decoder {
        let (key, payload) = decoder.show(record)?;
        fields["key"] = json!(key);
        fields["payload"] = json!(payload);
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::object;

    #[test]
    fn pairs_become_fields() {
        let line =
            "offset: 5 magic: 2 isvalid: true codec: zstd first: OptionalLong.empty last: OptionalLong[7]";
        let wanted =
            json!({ "offset": 5, "magic": 2, "isvalid": true, "codec": "zstd", "first": null, "last": 7 });
        assert_eq!(object(line), wanted);
    }
}
