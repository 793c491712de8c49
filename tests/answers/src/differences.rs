//! `differences.toml`: answers that differ from Kafka's on purpose, each with its reason.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    difference: Vec<Difference>,
}

/// One of two things: lines that contain a text are left out, or lines may stand in any order.
#[derive(Deserialize, Debug, Clone)]
struct Difference {
    family: String,
    /// The answers' names; every answer of the family without any.
    #[serde(default)]
    names: Vec<String>,
    /// What the lines to leave out contain.
    lines_with: Option<String>,
    /// Leaves out only what Kafka answers and Klamm does not: whatever Klamm answers must be Kafka's.
    #[serde(default)]
    only_missing: bool,
    /// Whether the order of what the answer lists is nobody's promise.
    #[serde(default)]
    any_order: bool,
    /// Read by people only.
    #[serde(rename = "reason")]
    _reason: String,
}

/// The rows for one family, and which of them were of use.
#[derive(Default)]
pub struct Differences {
    rows: Vec<(Difference, bool)>,
}

impl Differences {
    pub fn load(path: &Path, family: &str) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let file: File = toml::from_str(&text).with_context(|| path.display().to_string())?;
        let rows =
            file.difference.into_iter().filter(|row| row.family == family).map(|row| (row, false)).collect();
        Ok(Self { rows })
    }

    /// The lines that count of Kafka's answer and of ours.
    pub fn strip(&mut self, name: &str, kafka: &str, ours: &str) -> (Vec<String>, Vec<String>) {
        let kafka_lines = self.strip_one(name, kafka, |line, row| !row.only_missing || !ours.contains(line));
        let our_lines = self.strip_one(name, ours, |_, row| !row.only_missing);
        (kafka_lines, our_lines)
    }

    fn strip_one(&mut self, name: &str, text: &str, may: impl Fn(&str, &Difference) -> bool) -> Vec<String> {
        let mut lines = Vec::new();
        for line in text.lines() {
            let row = self.rows.iter_mut().find(|(row, _)| {
                row.is_about(name)
                    && row.lines_with.as_ref().is_some_and(|text| line.contains(text))
                    && may(line, row)
            });
            match row {
                Some((_, used)) => *used = true,
                None => lines.push(line.to_owned()),
            }
        }
        for (_, used) in self.rows.iter_mut().filter(|(row, _)| row.any_order && row.is_about(name)) {
            *used = true;
            lines.sort();
        }
        lines
    }

    /// Rows that left nothing out.
    pub fn unused(&self) -> Vec<String> {
        let unused = self.rows.iter().filter(|(_, used)| !used);
        unused.map(|(row, _)| format!("{row:?}")).collect()
    }
}

impl Difference {
    fn is_about(&self, name: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|only| only == name)
    }
}
