//! Records out of lines: `[headers<delimiter>][key<separator>]value`.

use bytes::Bytes;
use config::Properties;
use klamm_client::ProducerRecord;
use klamm_client::records::RecordHeader;

use crate::command_line::Failure;

/// How lines are read.
pub struct LineReader {
    topic: String,
    parses_key: bool,
    key_separator: String,
    parses_headers: bool,
    headers_delimiter: String,
    headers_separator: String,
    headers_key_separator: String,
    ignores_errors: bool,
    null_marker: Option<String>,
    line_number: u64,
}

fn thrown(message: impl std::fmt::Display) -> Failure {
    Failure::bare(format!("org.apache.kafka.common.KafkaException: {message}"))
}

impl LineReader {
    /// A reader as these properties say.
    pub fn new(topic: &str, properties: &Properties) -> Result<Self, Failure> {
        let get = |key: &str, default: &str| {
            properties.get(key).map_or(default, String::as_str).replace("\\t", "\t").replace("\\n", "\n")
        };
        let is_true = |key: &str| get(key, "false").trim().eq_ignore_ascii_case("true");
        let reader = Self {
            topic: topic.to_owned(),
            parses_key: is_true("parse.key"),
            key_separator: get("key.separator", "\t"),
            parses_headers: is_true("parse.headers"),
            headers_delimiter: get("headers.delimiter", "\t"),
            headers_separator: get("headers.separator", ","),
            headers_key_separator: get("headers.key.separator", ":"),
            ignores_errors: is_true("ignore.error"),
            null_marker: properties.get("null.marker").cloned(),
            line_number: 0,
        };
        let marker = reader.null_marker.clone().unwrap_or_else(|| "\0".to_owned());
        let named = [
            (
                "headers.delimiter",
                &*reader.headers_delimiter,
                "headers.separator",
                &*reader.headers_separator,
            ),
            (
                "headers.delimiter",
                &*reader.headers_delimiter,
                "headers.key.separator",
                &*reader.headers_key_separator,
            ),
            (
                "headers.separator",
                &*reader.headers_separator,
                "headers.key.separator",
                &*reader.headers_key_separator,
            ),
            ("null.marker", &*marker, "key.separator", &*reader.key_separator),
            ("null.marker", &*marker, "headers.separator", &*reader.headers_separator),
            ("null.marker", &*marker, "headers.delimiter", &*reader.headers_delimiter),
            ("null.marker", &*marker, "headers.key.separator", &*reader.headers_key_separator),
        ];
        let clash = named.into_iter().find(|(_, left, _, right)| left == right);
        if let Some((first, _, second, _)) = clash {
            return Err(thrown(format!("{first} and {second} may not be equal")));
        }
        Ok(reader)
    }

    /// The record of a line.
    pub fn read(&mut self, line: &str) -> Result<ProducerRecord, Failure> {
        self.line_number += 1;
        let headers =
            self.part(self.parses_headers, line, 0, &self.headers_delimiter, "headers delimiter")?;
        let after_headers = headers.map_or(0, |text| text.len() + self.headers_delimiter.len());
        let key = self.part(self.parses_key, line, after_headers, &self.key_separator, "key separator")?;
        let after_key = key.map_or(0, |text| text.len() + self.key_separator.len());
        let value = &line[after_headers + after_key..];
        let mut record = ProducerRecord::to(self.topic.as_str());
        record.key = key.and_then(|text| self.present(text));
        record.value = self.present(value);
        if let Some(headers) = headers.filter(|text| Some(*text) != self.null_marker.as_deref()) {
            record.headers = self.headers(headers)?;
        }
        Ok(record)
    }

    /// The text's bytes, unless it stands for null.
    fn present(&self, text: &str) -> Option<Bytes> {
        (Some(text) != self.null_marker.as_deref()).then(|| Bytes::copy_from_slice(text.as_bytes()))
    }

    fn part<'a>(
        &self,
        is_wanted: bool,
        line: &'a str,
        from: usize,
        separator: &str,
        name: &str,
    ) -> Result<Option<&'a str>, Failure> {
        if !is_wanted {
            return Ok(None);
        }
        match line[from..].find(separator) {
            Some(index) => Ok(Some(&line[from..from + index])),
            None if self.ignores_errors => Ok(None),
            None => Err(thrown(format!("No {name} found on line number {}: '{line}'", self.line_number))),
        }
    }

    fn headers(&self, text: &str) -> Result<Vec<RecordHeader>, Failure> {
        let header = |pair: &str| {
            let Some((key, value)) = pair.split_once(&self.headers_key_separator) else {
                if self.ignores_errors {
                    return Ok(RecordHeader { key: Bytes::copy_from_slice(pair.as_bytes()), value: None });
                }
                return Err(thrown(format!(
                    "No header key separator found in pair '{pair}' on line number {}",
                    self.line_number
                )));
            };
            if Some(key) == self.null_marker.as_deref() {
                return Err(thrown(format!(
                    "Header keys should not be equal to the null marker '{key}' as they can't be null"
                )));
            }
            Ok(RecordHeader { key: Bytes::copy_from_slice(key.as_bytes()), value: self.present(value) })
        };
        text.split(&self.headers_separator).map(header).collect()
    }
}
