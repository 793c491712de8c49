//! Kafka's offset checkpoints: a version line, a count line, and `topic partition offset` lines.
//!
//! An empty file is an empty checkpoint; anything else that does not parse is damage.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io;
use std::path::Path;

use crate::disk::{Disk, read_small_file, replace_file};
use crate::error::StorageError;

const VERSION: &str = "0";
/// More than a node with a million partitions writes.
const CHECKPOINT_BYTES_MAX: u64 = 512 * 1024 * 1024;

/// Offsets by topic and partition.
pub type Offsets = BTreeMap<(String, i32), i64>;

/// The text of an offset checkpoint.
pub fn encode_offsets<'a>(entries: impl ExactSizeIterator<Item = (&'a str, i32, i64)>) -> String {
    let mut text = format!("{VERSION}\n{}\n", entries.len());
    for (topic, partition, offset) in entries {
        writeln!(text, "{topic} {partition} {offset}").expect("a string takes every write");
    }
    text
}

/// Reads an offset checkpoint; the error says which line is wrong.
pub fn decode_offsets(text: &str) -> Result<Offsets, String> {
    let mut offsets = Offsets::new();
    for (number, fields) in entries::<3>(text)? {
        let [topic, partition, offset] = fields;
        let partition = parse(partition, number)?;
        let offset = parse(offset, number)?;
        offsets.insert((topic.to_owned(), partition), offset);
    }
    Ok(offsets)
}

/// Reads the text of a checkpoint file; an absent file is an empty checkpoint.
pub(crate) fn read_text(disk: &dyn Disk, path: &Path) -> Result<String, StorageError> {
    match read_small_file(disk, path, CHECKPOINT_BYTES_MAX) {
        Ok(bytes) => String::from_utf8(bytes).map_err(|_| StorageError::damaged(path, "not UTF-8")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(StorageError::io("read", path, error)),
    }
}

/// Writes a checkpoint file in one durable step.
pub(crate) fn write_text(disk: &dyn Disk, path: &Path, text: &str) -> Result<(), StorageError> {
    replace_file(disk, path, text.as_bytes()).map_err(|error| StorageError::io("write", path, error))
}

/// Reads an offset checkpoint file; absent is empty.
pub(crate) fn read_offsets(disk: &dyn Disk, path: &Path) -> Result<Offsets, StorageError> {
    decode_offsets(&read_text(disk, path)?).map_err(|reason| StorageError::damaged(path, reason))
}

/// The entry lines, each with its number and split into exactly `N` fields.
fn entries<const N: usize>(text: &str) -> Result<Vec<(usize, [&str; N])>, String> {
    let mut lines = text.lines().enumerate();
    let Some((_, version)) = lines.next() else { return Ok(Vec::new()) };
    if version != VERSION {
        return Err(format!("version {version:?} in line 1, expected {VERSION}"));
    }
    let Some((_, count)) = lines.next() else { return Ok(Vec::new()) };
    let count: usize = count.parse().map_err(|_| "line 2 is not a count".to_owned())?;
    let mut found = Vec::new();
    for (index, line) in lines {
        let number = index + 1;
        let mut fields = [""; N];
        let mut words = line.split_whitespace();
        for field in &mut fields {
            *field = words.next().ok_or_else(|| format!("line {number} has fewer than {N} fields"))?;
        }
        if words.next().is_some() {
            return Err(format!("line {number} has more than {N} fields"));
        }
        found.push((number, fields));
    }
    if found.len() != count {
        return Err(format!("{} entries, but line 2 promises {count}", found.len()));
    }
    Ok(found)
}

fn parse<T: std::str::FromStr>(word: &str, number: usize) -> Result<T, String> {
    word.parse().map_err(|_| format!("line {number}: {word:?} is not a number in range"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_kafkas() {
        let text = encode_offsets([("orders", 0, 42), ("pay-ments", 11, 0)].into_iter());
        assert_eq!(text, "0\n2\norders 0 42\npay-ments 11 0\n");
        let offsets = decode_offsets(&text).expect("well formed");
        assert_eq!(offsets.get(&("pay-ments".to_owned(), 11)), Some(&0));
        assert_eq!(offsets.len(), 2);
        assert_eq!(decode_offsets(""), Ok(Offsets::new()));
        assert_eq!(decode_offsets("0\n0\n"), Ok(Offsets::new()));
    }

    #[test]
    fn damage_names_the_line() {
        for (text, word) in [
            ("1\n0\n", "version"),
            ("0\nx\n", "line 2"),
            ("0\n1\n", "promises"),
            ("0\n1\na 0\n", "line 3"),
            ("0\n1\na 0 1 2\n", "line 3"),
            ("0\n1\na 0 99999999999999999999\n", "line 3"),
        ] {
            let reason = decode_offsets(text).expect_err(text);
            assert!(reason.contains(word), "{text:?}: {reason}");
        }
    }
}
