//! Java's `.properties` text.

use std::collections::BTreeMap;

use crate::error::ConfigError;

/// Settings as text, by key.
pub type Properties = BTreeMap<String, String>;

/// Reads a properties file: UTF-8, or ISO-8859-1 where the bytes are not UTF-8. The last of equal keys wins.
///
/// # Errors
/// A malformed `\u` escape.
pub fn parse(bytes: &[u8]) -> Result<Properties, ConfigError> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.strip_prefix('\u{feff}').unwrap_or(text).to_owned(),
        Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
    };
    let mut properties = Properties::new();
    for (line, text) in logical_lines(&text) {
        let (key, value) = split_line(&text);
        properties.insert(unescape(key, line)?, unescape(value, line)?);
    }
    Ok(properties)
}

/// Reads one `key=value` of a command line; the value is taken as it is.
///
/// # Errors
/// Text without `=` or without a key.
pub fn parse_override(text: &str) -> Result<(String, String), ConfigError> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.to_owned())),
        _ => Err(ConfigError::Syntax { line: 1, reason: format!("'{text}' is not of the form key=value") }),
    }
}

/// Lines with continuations joined, comments and blank lines left out, each with its first line's number.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    let mut open: Option<(usize, String)> = None;
    let natural = text.replace("\r\n", "\n").replace('\r', "\n");
    for (index, line) in natural.split('\n').enumerate() {
        let stripped = line.trim_start_matches([' ', '\t', '\u{c}']);
        if open.is_none() && (stripped.is_empty() || stripped.starts_with(['#', '!'])) {
            continue;
        }
        let (number, mut joined) = open.take().unwrap_or((index + 1, String::new()));
        let backslashes = stripped.bytes().rev().take_while(|byte| *byte == b'\\').count();
        if backslashes % 2 == 1 {
            joined.push_str(&stripped[..stripped.len() - 1]);
            open = Some((number, joined));
        } else {
            joined.push_str(stripped);
            lines.push((number, joined));
        }
    }
    lines.extend(open.filter(|(_, line)| !line.is_empty()));
    lines
}

/// Key and value of a logical line, still escaped.
fn split_line(line: &str) -> (&str, &str) {
    let blank = [' ', '\t', '\u{c}'];
    let mut escaped = false;
    let end = line
        .char_indices()
        .find(|(_, c)| {
            let ends = !escaped && (blank.contains(c) || ['=', ':'].contains(c));
            escaped = *c == '\\' && !escaped;
            ends
        })
        .map_or(line.len(), |(at, _)| at);
    let (key, rest) = line.split_at(end);
    let rest = rest.trim_start_matches(blank);
    let rest = rest.strip_prefix(['=', ':']).unwrap_or(rest);
    (key, rest.trim_start_matches(blank))
}

/// Resolves `\t \n \r \f \uXXXX` and `\` before anything else.
fn unescape(text: &str, line: usize) -> Result<String, ConfigError> {
    let malformed = || ConfigError::Syntax {
        line,
        reason: "malformed \\uxxxx encoding, four hex digits are due".to_owned(),
    };
    let mut units: Vec<u16> = Vec::new();
    let mut chars = text.chars();
    let mut buffer = [0u16; 2];
    while let Some(c) = chars.next() {
        if c != '\\' {
            units.extend_from_slice(c.encode_utf16(&mut buffer));
            continue;
        }
        match chars.next() {
            Some('u') => {
                let digits: String = chars.by_ref().take(4).collect();
                if digits.len() != 4 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                    return Err(malformed());
                }
                units.push(u16::from_str_radix(&digits, 16).map_err(|_| malformed())?);
            }
            Some(other) => {
                let plain = match other {
                    't' => '\t',
                    'n' => '\n',
                    'r' => '\r',
                    'f' => '\u{c}',
                    other => other,
                };
                units.extend_from_slice(plain.encode_utf16(&mut buffer));
            }
            None => {}
        }
    }
    Ok(String::from_utf16_lossy(&units))
}
