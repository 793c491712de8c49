//! Text as Java's tools print it: numbers, times, JSON.

use std::io::{IsTerminal, stdout};

use serde_json::{Map, Value, json};

pub mod calendar;
pub mod progress;

/// A double as Java's `Double.toString` writes it.
pub fn java_double(number: f64) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let size = number.abs();
    if number == 0.0 || (1e-3..1e7).contains(&size) {
        let text = format!("{number}");
        return if text.contains('.') { text } else { text + ".0" };
    }
    let text = format!("{number:E}");
    match text.split_once('E') {
        Some((digits, exponent)) if !digits.contains('.') => format!("{digits}.0E{exponent}"),
        _ => text,
    }
}

/// Java's `%.Nf` rounds halves up, where Rust rounds them to even.
pub fn java_fixed(number: f64, digits: usize) -> String {
    let plain = format!("{number:.digits$}");
    let exact = format!("{number}");
    let is_half = exact
        .split_once('.')
        .is_some_and(|(_, fraction)| fraction.len() == digits + 1 && fraction.ends_with('5'));
    if !is_half {
        return plain;
    }
    let bump = 10f64.powi(-(i32::try_from(digits).unwrap_or(0) + 2)) * number.signum();
    format!("{:.digits$}", number + bump)
}

/// Prints cells parted by commas, or with their headings as an object of JSON.
pub fn print_row(is_json: bool, headings: &str, line: &str) {
    if !is_json {
        println!("{line}");
        return;
    }
    let cell = |cell: &str| cell.parse::<f64>().map_or_else(|_| json!(cell), |number| json!(number));
    let pairs = headings.split(", ").zip(line.split(", "));
    let row: Map<String, Value> = pairs.map(|(heading, text)| (heading.to_owned(), cell(text))).collect();
    println!("{}", Value::Object(row));
}

/// Whether standard output is a person's terminal that wants colours.
pub fn wants_colours() -> bool {
    stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// The text in bold on a terminal, as it is elsewhere.
pub fn bold(text: &str) -> String {
    if wants_colours() { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::{java_double, java_fixed};

    #[test]
    fn numbers_look_like_javas() {
        assert_eq!(java_double(1024.0), "1024.0");
        assert_eq!(java_double(0.5), "0.5");
        assert_eq!(java_double(1e7), "1.0E7");
        assert_eq!(java_double(12_345_678.9), "1.23456789E7");
        assert_eq!(java_fixed(0.125, 2), "0.13");
        assert_eq!(java_fixed(2.0, 4), "2.0000");
    }
}
