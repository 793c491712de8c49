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

/// Lines that contain a text are left out of the comparison of a family's answers.
#[derive(Deserialize, Debug, Clone)]
struct Difference {
    family: String,
    /// The answer's name; every answer of the family without it.
    name: Option<String>,
    /// What the lines to leave out contain.
    lines_with: String,
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

    /// The lines that count.
    pub fn strip(&mut self, name: &str, text: &str) -> Vec<String> {
        let mut lines = Vec::new();
        for line in text.lines() {
            let row = self.rows.iter_mut().find(|(row, _)| {
                row.name.as_deref().is_none_or(|only| only == name) && line.contains(&row.lines_with)
            });
            match row {
                Some((_, used)) => *used = true,
                None => lines.push(line.to_owned()),
            }
        }
        lines
    }

    /// Rows that left nothing out.
    pub fn unused(&self) -> Vec<String> {
        let unused = self.rows.iter().filter(|(_, used)| !used);
        unused.map(|(row, _)| format!("{}: {}", row.family, row.lines_with)).collect()
    }
}
