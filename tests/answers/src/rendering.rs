//! From a decoded answer to text that two servers can agree on: compact, with ids and times masked.

use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

use protocol::{ErrorCode, Records, Uuid};

/// A number this close to the current time is a timestamp.
const NOW_WINDOW_MS: u64 = 3_600_000;

/// What is replaced by a name. Ids are numbered in the order in which they appear, so that an answer that names
/// the same one twice still shows it.
#[derive(Default)]
pub struct Masks {
    texts: Vec<(String, String)>,
    numbers: HashMap<u64, String>,
    ids: HashMap<String, String>,
}

impl Masks {
    /// Replaces every occurrence of a text.
    pub fn hide(&mut self, text: &str, name: &str) {
        self.texts.push((text.to_owned(), name.to_owned()));
    }

    /// Replaces a number that stands alone.
    pub fn hide_number(&mut self, number: u64, name: &str) {
        self.numbers.insert(number, name.to_owned());
    }

    /// Compacts `{:#?}` output and masks it. Ids are numbered anew in each answer.
    pub fn apply(&mut self, debug: &str) -> String {
        self.ids.clear();
        let mut text = compact(debug);
        for (hidden, name) in &self.texts {
            text = text.replace(hidden, name);
        }
        text.lines().map(|line| self.mask_line(&without_sentences(line))).collect::<Vec<_>>().join("\n")
    }

    fn mask_line(&mut self, line: &str) -> String {
        let mut masked = String::new();
        let mut rest = line;
        let mut is_producer = false;
        while let Some(start) = rest.find(is_word) {
            let length = rest[start..].find(|c| !is_word(c)).unwrap_or(rest.len() - start);
            let (before, word, after) =
                (&rest[..start], &rest[start..start + length], &rest[start + length..]);
            masked.push_str(before);
            let is_name = after.starts_with(':') || after.starts_with(" {");
            masked.push_str(&if is_producer && word != "-1" {
                self.id("PRODUCER", word)
            } else {
                self.mask_word(word, is_name)
            });
            is_producer = word == "producer_id";
            rest = after;
        }
        masked + rest
    }

    fn mask_word(&mut self, word: &str, is_name: bool) -> String {
        if is_name {
            return word.to_owned();
        }
        if let Ok(number) = word.parse::<u64>() {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970");
            let is_now =
                u64::try_from(now.as_millis()).is_ok_and(|now| now.abs_diff(number) <= NOW_WINDOW_MS);
            return match self.numbers.get(&number) {
                Some(name) => name.clone(),
                None if is_now => "TIME".to_owned(),
                None => word.to_owned(),
            };
        }
        // The earliest time allowed is the greatest difference before now.
        if word.parse::<i64>().is_ok_and(|number| (i64::MIN + 1000..i64::MIN / 2).contains(&number)) {
            return "LONG_AGO".to_owned();
        }
        if let Some(start) = java_uuid_start(word) {
            return format!("{}{}", &word[..start], self.id("UUID", &word[start..]));
        }
        // An error's name can have the length of an id.
        let is_mixed = word.contains(|c: char| c.is_ascii_uppercase())
            && word.contains(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
        match word.parse::<Uuid>() {
            Ok(id) if id.is_zero() => "ZERO_ID".to_owned(),
            Ok(_) if is_mixed => self.id("ID", word),
            _ => word.to_owned(),
        }
    }

    fn id(&mut self, kind: &str, word: &str) -> String {
        let number = self.ids.values().filter(|name| name.starts_with(&format!("{kind}-"))).count() + 1;
        self.ids.entry(word.to_owned()).or_insert_with(|| format!("{kind}-{number}")).clone()
    }
}

/// The words of an error message are each server's own; that there is one is not.
fn without_sentences(line: &str) -> String {
    const FIELD: &str = "error_message: \"";
    let mut output = String::new();
    let mut rest = line;
    while let Some(start) = rest.find(FIELD) {
        let text = start + FIELD.len();
        output.push_str(&rest[..text]);
        let mut is_escaped = false;
        let end = rest[text..].find(|c| {
            let ends = c == '"' && !is_escaped;
            is_escaped = c == '\\' && !is_escaped;
            ends
        });
        let end = text + end.unwrap_or(rest.len() - text);
        output.push_str(if end > text { "TEXT" } else { "" });
        rest = &rest[end..];
    }
    output + rest
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

/// Where a `8-4-4-4-12` id begins, if the word ends with one.
fn java_uuid_start(word: &str) -> Option<usize> {
    let start = word.len().checked_sub(36)?;
    let parts: Vec<&str> = word[start..].split('-').collect();
    let is_hex = |part: &&str| part.chars().all(|c| c.is_ascii_hexdigit());
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    (lengths == [8, 4, 4, 4, 12] && parts.iter().all(is_hex)).then_some(start)
}

/// Drops what only costs lines: closing brackets, empty tagged fields, `Some(` around a value. Names error codes.
fn compact(debug: &str) -> String {
    let lines: Vec<&str> = debug.lines().collect();
    let mut output = Vec::new();
    let mut index = 0;
    while index < lines.len() {
        let line = lines[index];
        index += 1;
        let trimmed = line.trim_start();
        let is_closer = !trimmed.is_empty() && trimmed.chars().all(|c| "])},".contains(c));
        if is_closer || trimmed.starts_with("unknown_tagged_fields: []") {
            continue;
        }
        let is_wrapped =
            line.ends_with("Some(") && lines.get(index + 1).is_some_and(|next| next.trim() == "),");
        if is_wrapped {
            output.push(format!("{}{}", line.trim_end_matches("Some("), trim_comma(lines[index].trim())));
            index += 2;
        } else {
            output.push(named_error(trim_comma(line)));
        }
    }
    join_leaves(&output).join("\n")
}

/// Puts a struct inside a list or another struct on one line if it holds nothing but plain fields.
fn join_leaves(lines: &[String]) -> Vec<String> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut output = Vec::new();
    let mut index = 0;
    while index < lines.len() {
        let line = &lines[index];
        let inner = lines[index + 1..].iter().take_while(|next| indent(next) > indent(line)).count();
        let fields = &lines[index + 1..index + 1 + inner];
        let is_plain = |field: &String| !field.ends_with(['{', '[', '(']);
        if line.ends_with(" {") && indent(line) > 0 && fields.iter().all(is_plain) {
            let fields: Vec<&str> = fields.iter().map(|field| field.trim_start()).collect();
            output.push(format!("{line} {} }}", fields.join(", ")));
            index += 1 + inner;
        } else {
            output.push(line.clone());
            index += 1;
        }
    }
    output
}

fn trim_comma(line: &str) -> &str {
    line.strip_suffix(',').unwrap_or(line)
}

fn named_error(line: &str) -> String {
    let code = line.trim_start().strip_prefix("error_code: ").and_then(|code| code.parse::<i16>().ok());
    match code.and_then(ErrorCode::from_i16) {
        Some(error) => format!("{line} {}", error.name()),
        None => line.to_owned(),
    }
}

/// Record batches, header by header and record by record.
pub fn show_records(records: Option<&Records>) -> String {
    let Some(bytes) = records.and_then(Records::to_bytes) else { return "records: none".to_owned() };
    let mut lines = vec![format!("records: {} bytes", bytes.len())];
    for batch in records::batches(&bytes) {
        match batch {
            Ok(batch) => {
                lines.push(format!("  {:?} crc {:?}", batch.header, batch.verify_crc()));
                match batch.records(1 << 20) {
                    Ok(records) => lines.extend(records.map(|record| format!("    {record:?}"))),
                    Err(error) => lines.push(format!("    {error}")),
                }
            }
            Err(error) => lines.push(format!("  {error}")),
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_numbered_in_the_order_in_which_they_appear() {
        let mut masks = Masks::default();
        masks.hide_number(9092, "PORT");
        let text = masks.apply("port: 9092,\nid: ASNFZ4mrze_-3LqYdlQyEA,\nid: AAAAAAAAAAAAAAAAAAAAAA,");
        assert_eq!(text, "port: PORT\nid: ID-1\nid: ZERO_ID");
        let member = "\"client-0-3b241101-e2bb-4255-8caf-4136c566a962\"";
        let text = masks.apply(&format!("leader: {member}\nmember: {member}\nid: ASNFZ4mrze_-3LqYdlQyEA"));
        assert_eq!(text, "leader: \"client-0-UUID-1\"\nmember: \"client-0-UUID-1\"\nid: ID-1");
    }

    #[test]
    fn sentences_are_masked_and_their_absence_is_not() {
        let line = "A { error_message: \"say \\\"no\\\"\", b: 1, batch_index_error_message: \"\", error_message: None }";
        assert_eq!(
            without_sentences(line),
            "A { error_message: \"TEXT\", b: 1, batch_index_error_message: \"\", error_message: None }"
        );
    }

    #[test]
    fn compact_text_keeps_every_value() {
        let debug = "A {\n    error_code: 3,\n    text: Some(\n        \"x\",\n    ),\n    list: [\n        B {\n            \
                     b: 1,\n            c: 2,\n        },\n    ],\n    unknown_tagged_fields: [],\n}";
        assert_eq!(
            compact(debug),
            "A {\n    error_code: 3 UNKNOWN_TOPIC_OR_PARTITION\n    text: \"x\"\n    list: [\n        B { b: 1, c: 2 }"
        );
    }
}
