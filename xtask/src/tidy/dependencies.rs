//! Rule `dependency`: each third-party crate of the workspace has a row in `docs/dependencies.md`, and no row is left over.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use toml::Table;

use super::{Finding, Rule};

/// `manifest`: the root `Cargo.toml`; `document`: `docs/dependencies.md`, rows beginning with the name in backticks.
pub fn check(manifest: &str, document: &str) -> Result<Vec<Finding>> {
    let manifest: Table = manifest.parse().context("Cargo.toml")?;
    let declared = manifest.get("workspace").and_then(|table| table.get("dependencies")?.as_table());
    let declared: BTreeSet<&str> = declared
        .into_iter()
        .flatten()
        .filter(|(_, row)| row.get("path").is_none())
        .map(|(name, _)| name.as_str())
        .collect();
    let documented: BTreeSet<&str> = document.lines().filter_map(row_name).collect();
    let finding =
        |path: &str, message| Finding { rule: Rule::Dependency, path: path.to_owned(), line: None, message };
    let undocumented = declared.difference(&documented);
    let stale = documented.difference(&declared);
    Ok(undocumented
        .map(|name| finding("Cargo.toml", format!("`{name}` has no row in docs/dependencies.md")))
        .chain(
            stale.map(|name| {
                finding("docs/dependencies.md", format!("`{name}` is not a dependency any more"))
            }),
        )
        .collect())
}

fn row_name(line: &str) -> Option<&str> {
    line.strip_prefix("| `")?.split_once('`').map(|(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_lists_must_agree() {
        let manifest =
            "[workspace.dependencies]\nours = { path = \"crates/ours\" }\nbytes = \"1\"\nnew = \"1\"\n";
        let document = "| crate | why |\n|---|---|\n| `bytes` | shared buffers |\n| `old` | gone |\n";
        let found = check(manifest, document).unwrap();
        let messages: Vec<_> = found.iter().map(|finding| finding.message.as_str()).collect();
        assert_eq!(
            messages,
            ["`new` has no row in docs/dependencies.md", "`old` is not a dependency any more"]
        );
    }
}
